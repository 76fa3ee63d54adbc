//! Drives the token flow. It decides nothing: the core says which step is next, and this carries it out, on a thread that
//! nobody can cancel once a refresh token is spent.

use crate::clock::now;
use crate::current::Current;
use crate::detached::{self, Detached, Finished};
use crate::runtime::OwnRuntime;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use u2m_cache::{EntryLock, Notice, StoreError, TokenStore};
use u2m_core::{
    Ask, CacheKey, Fingerprint, How, HttpCall, Issued, Locating, Session, StoreFailure, Target,
    Timestamp, Token, TokenError, TokenRequest, TokenStep,
};
use u2m_http::{EndpointSupplier, Flight, Patience, Spending, Transport, drive};

/// What a flight brings.
pub(crate) type Landed = Result<Issued, TokenError>;

/// Everything that a token flow needs, shared by the clones of one `PersistentAuth`.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) request: TokenRequest,
    pub(crate) key: CacheKey,
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) endpoints: Option<Arc<dyn EndpointSupplier>>,
    pub(crate) patience: Patience,
    /// How long another process's refresh is waited for.
    pub(crate) lock_wait: Duration,
    /// How to start the process that refreshes, if one is to.
    pub(crate) detached: Option<Detached>,
    /// Whether the transport is the one that any process has.
    pub(crate) is_usual_transport: bool,
    pub(crate) current: Current,
    flight: Mutex<Option<(Ask, Flight<Landed>)>>,
    unsaved: Mutex<Option<Unsaved>>,
    notices: Mutex<Vec<Notice>>,
}

/// A session that could not be saved, and the state of the entry that it replaces.
#[derive(Debug)]
struct Unsaved {
    replaces: Option<Fingerprint>,
    session: Session,
}

/// How often somebody else may come first, in one flight.
const ROUNDS: usize = 4;

/// Waits between tries to save what was bought with a refresh token.
const SAVE_PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(200)];

impl Keeper {
    pub(crate) fn new(
        request: TokenRequest,
        store: Arc<dyn TokenStore>,
        transport: Arc<dyn Transport>,
        endpoints: Option<Arc<dyn EndpointSupplier>>,
    ) -> Self {
        Self {
            key: request.target.cache_key(),
            request,
            store,
            transport,
            endpoints,
            patience: Patience::default(),
            lock_wait: Duration::from_secs(15),
            detached: None,
            is_usual_transport: false,
            current: Current::new(),
            flight: Mutex::new(None),
            unsaved: Mutex::new(None),
            notices: Mutex::default(),
        }
    }

    pub(crate) fn take_notices(&self) -> Vec<Notice> {
        let mut notices = self.store.take_notices();
        let own = std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner));
        for notice in own {
            // The process that refreshes may have found what this one found too.
            if !notices.contains(&notice) {
                notices.push(notice);
            }
        }
        notices
    }

    /// Who knows the endpoints of a target better than its metadata. An issuer that was named is asked itself.
    pub(crate) fn supplier(&self, target: &Target) -> Option<&dyn EndpointSupplier> {
        self.endpoints.as_deref().filter(|_| target.issuer_id().is_none())
    }

    /// What to sign in to, and to ask for tokens of.
    pub(crate) fn target(&self) -> &Target {
        &self.request.target
    }

    /// The first step on the caller's own thread: a token that is fresh in the store, without a lock, a write, a thread
    /// or a socket. `None` means that a flight is needed.
    pub(crate) fn stored_token(&self) -> Result<Option<Token>, TokenError> {
        let since = self.current.generation();
        match self.load_step(self.request.clone().start(Ask::Usable, now()))? {
            TokenStep::Done(issued) => Ok(Some(self.take(&issued, Some(since)))),
            _ => Ok(None),
        }
    }

    /// A flight to wait for, and what it asks for: the one under way, or a new one with the caller's own question.
    /// Failures that fell after `asked_at` are shared.
    pub(crate) fn board(
        self: &Arc<Self>,
        ask: &Ask,
        asked_at: Timestamp,
    ) -> Result<(Flight<Landed>, Ask), TokenError> {
        let mut flight = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((asked, running)) = flight.as_ref().filter(|(_, flight)| !flight.is_over()) {
            return Ok((running.clone(), asked.clone()));
        }
        let (keeper, question) = (Arc::clone(self), ask.clone());
        let work = move || keeper.fly(&question, asked_at, None);
        let started = Flight::start("u2m-refresh", work);
        let started = started.map_err(|error| TokenError::Store(StoreFailure::new(error)))?;
        *flight = Some((ask.clone(), started.clone()));
        Ok((started, ask.clone()))
    }

    /// Whether somebody is fetching a token at this moment.
    pub(crate) fn is_flying(&self) -> bool {
        self.flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .is_some_and(|(_, flight)| !flight.is_over())
    }

    /// Puts what a flow issued in hand. What was read without the lock does not replace what came `since`: a login, say.
    fn take(&self, issued: &Issued, since: Option<u64>) -> Token {
        let (session, token) = (issued.session(), issued.session().token());
        let rules = &self.request.rules;
        let fresh_until = match issued.how() {
            // Renewing has just failed: the old token is handed out for a while before the next try.
            How::Kept(_) => {
                let end = session
                    .known_expiry()
                    .map_or(i64::MAX, |expiry| expiry.minus(rules.skew).unix());
                now().plus(rules.pause).unix().min(end)
            }
            _ => rules.fresh_until(session).map_or(i64::MAX, |until| until.unix()),
        };
        self.hand_out(token.clone(), fresh_until, since);
        token
    }

    /// Puts a token in hand until `fresh_until`. One that is not saved yet stays there for the rest of the second: the
    /// next call tries to save it again (REFR-4).
    fn hand_out(&self, token: Token, fresh_until: i64, since: Option<u64>) {
        let is_saved = self.unsaved().is_none();
        let until = if is_saved { fresh_until } else { fresh_until.min(now().unix()) };
        self.current.set(token, until, since);
    }

    /// The token in hand while it is good, for when the store cannot be asked for another one: for a while, before the
    /// next try.
    pub(crate) fn stand_in(&self) -> Option<Token> {
        let (since, rules) = (self.current.generation(), &self.request.rules);
        let token = self.current.latest_token()?;
        let end = token.expiry().map_or(i64::MAX, |expiry| expiry.minus(rules.skew).unix());
        if end <= now().unix() {
            return None;
        }
        self.hand_out(token.clone(), now().plus(rules.pause).unix().min(end), Some(since));
        Some(token)
    }

    fn load_step(&self, step: TokenStep) -> Result<TokenStep, TokenError> {
        match step {
            TokenStep::Load(load) => load.loaded(self.load()?, now()),
            other => Ok(other),
        }
    }

    /// Carries a flow from its beginning to its end. `held` is the entry's lock, if it is held already.
    pub(crate) fn fly(
        &self,
        ask: &Ask,
        asked_at: Timestamp,
        held: Option<Box<dyn EntryLock>>,
    ) -> Landed {
        let since = self.current.generation();
        let mut ground = Ground { lock: held, ..Ground::default() };
        let begin = || self.request.clone().start(ask.clone(), asked_at);
        let mut step = begin();
        loop {
            step = match step {
                TokenStep::Load(load) => load.loaded(self.load()?, now())?,
                TokenStep::Lock(lock) if ground.lock.is_some() => lock.locked(),
                TokenStep::Lock(lock) => {
                    let patience =
                        if lock.is_worth_waiting() { self.lock_wait } else { Duration::ZERO };
                    match self.store.lock(&self.key, patience) {
                        Ok(Some(held)) => {
                            ground.lock = Some(held);
                            lock.locked()
                        }
                        Ok(None) => lock.not_locked()?,
                        Err(error) => lock.failed(failure(error))?,
                    }
                }
                TokenStep::Reload(reload) => {
                    let verdict = ground.lock.as_mut().and_then(|lock| lock.verdict());
                    let entry = self.load()?;
                    ground.replaces = self.replaced_by_a_save(entry.as_ref());
                    reload.loaded(entry, verdict, now())?
                }
                TokenStep::Prove(_) if self.is_detaching(&ground) => {
                    match self.detach(&mut ground, ask, asked_at) {
                        Some(landed) => {
                            let issued = landed?;
                            self.take(&issued, None);
                            return Ok(issued);
                        }
                        // From the top, with the lock if it came back.
                        None => begin(),
                    }
                }
                TokenStep::Prove(prove) => {
                    match ground.lock.as_mut().map_or(Ok(()), |lock| lock.prove_writable()) {
                        Ok(()) => prove.proven(now())?,
                        Err(StoreError::Superseded { .. }) if ground.may_begin_anew() => begin(),
                        Err(error) => prove.failed(failure(error), now())?,
                    }
                }
                TokenStep::Discover(call) => self.discover(call, &mut ground)?,
                TokenStep::Refresh(call) => {
                    ground.spending.get_or_insert_with(Spending::begin);
                    ground.block_on(drive(self.transport.as_ref(), call, &self.patience))??
                }
                TokenStep::Save(save) => match self.save(save.session(), &mut ground) {
                    Err(StoreError::Superseded { .. }) if ground.may_begin_anew() => begin(),
                    outcome => save.saved(outcome.map_err(failure))?,
                },
                // What cannot be read now is as good as unchanged: the rejection stands.
                TokenStep::Recheck(recheck) => {
                    recheck.loaded(self.load().unwrap_or_default(), now())?
                }
                TokenStep::Note(note) => {
                    if let Some(lock) = ground.lock.as_mut() {
                        // Not being remembered costs somebody a request, and nothing else.
                        let _ = lock.note(&note.verdict(now()));
                    }
                    note.noted(now())?
                }
                TokenStep::Done(issued) => {
                    self.take(&issued, ground.lock.is_none().then_some(since));
                    return Ok(issued);
                }
            };
        }
    }

    /// Whether the rest of a refresh belongs in a process of its own.
    fn is_detaching(&self, ground: &Ground) -> bool {
        // What was bought and could not be saved is known to this process alone; the store holds what is spent.
        let is_stored = self.unsaved().is_none();
        self.detached.is_some() && !ground.stays && ground.lock.is_some() && is_stored
    }

    /// Has the refresh carried out by a process that outlives this one. `None` if it cannot be done there.
    fn detach(&self, ground: &mut Ground, ask: &Ask, asked_at: Timestamp) -> Option<Landed> {
        let (detached, lock) = (self.detached.as_ref()?, ground.lock.take()?);
        match detached::finish(detached, self, lock, ask, asked_at) {
            Finished::Landed(landed, notices) => {
                self.notices.lock().unwrap_or_else(PoisonError::into_inner).extend(notices);
                if let Ok(issued) = landed.as_ref()
                    && matches!(issued.how(), How::RenewedUnsaved(_))
                {
                    *self.unsaved() = Some(self.pending(issued.session(), ground));
                }
                Some(*landed)
            }
            Finished::Not(lock) => {
                (ground.lock, ground.stays) = (lock, true);
                None
            }
        }
    }

    fn notice(&self, text: String) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push(Notice::new(text));
    }

    fn discover(
        &self,
        call: HttpCall<Locating>,
        ground: &mut Ground,
    ) -> Result<TokenStep, TokenError> {
        let Some(supplier) = self.supplier(call.state().target()) else {
            return ground.block_on(drive(self.transport.as_ref(), call, &self.patience))?;
        };
        let server = ground.block_on(crate::supply::ask(supplier, call.state().target()))?;
        call.supplied(server, now())
    }

    /// What the store holds; or, if what was last fetched could not be saved, that.
    fn load(&self) -> Result<Option<Session>, TokenError> {
        let stored = self.store.load(&self.key).map_err(|error| TokenError::Store(failure(error)));
        let mut unsaved = self.unsaved();
        let Some(pending) = unsaved.as_ref() else { return stored };
        let is_replaced = match &stored {
            Ok(entry) => entry.as_ref().map(Session::fingerprint) != pending.replaces,
            Err(_) => false,
        };
        if is_replaced {
            // Somebody has signed in anew, or saved something else: theirs is the newer login.
            *unsaved = None;
            return stored;
        }
        let session = pending.session.clone();
        if self.store.save(&self.key, &session).is_ok() {
            *unsaved = None;
        }
        Ok(Some(session))
    }

    /// What an entry that was just loaded says of the state that a save will replace.
    fn replaced_by_a_save(&self, entry: Option<&Session>) -> Option<Fingerprint> {
        match self.unsaved().as_ref() {
            Some(pending) => pending.replaces.clone(),
            None => entry.map(Session::fingerprint),
        }
    }

    fn save(&self, session: &Session, ground: &mut Ground) -> Result<(), StoreError> {
        let mut tries = SAVE_PAUSES.iter();
        let outcome = loop {
            let saved = match ground.lock.as_mut() {
                Some(lock) => lock.save(session),
                None => self.store.save(&self.key, session),
            };
            match (saved, tries.next()) {
                // Somebody else's login stands there by now. What was bought belongs to one that is gone.
                (Err(StoreError::Superseded { key }), _) => {
                    *self.unsaved() = None;
                    return Err(StoreError::Superseded { key });
                }
                (Err(_), Some(pause)) => std::thread::sleep(*pause),
                (saved, _) => break saved,
            }
        };
        *self.unsaved() = match &outcome {
            Ok(()) => None,
            Err(error) => {
                self.notice(unsaved_text(error));
                Some(self.pending(session, ground))
            }
        };
        outcome
    }

    /// What is to be saved later, in the place of what the store holds now; where it cannot even be read, it holds what was
    /// read before the refresh.
    fn pending(&self, session: &Session, ground: &Ground) -> Unsaved {
        let replaces = match self.store.load(&self.key) {
            Ok(entry) => entry.map(|old| old.fingerprint()),
            Err(_) => ground.replaces.clone(),
        };
        Unsaved { replaces, session: session.clone() }
    }

    /// Whether everything that was bought is saved, by a last try if need be.
    pub(crate) fn is_saved(&self) -> bool {
        if self.unsaved().is_some() {
            // Saves on the way.
            let _ = self.load();
        }
        self.unsaved().is_none()
    }

    /// Saves a new login, under the entry's lock, so that a refresh of the login that is being replaced does not come
    /// after. If its holder hangs, the new login is worth more than the order. One that cannot be saved is kept for this
    /// process, and saved later.
    pub(crate) fn sign_in(&self, session: &Session) -> Result<(), StoreFailure> {
        let saved = self.store.lock(&self.key, self.lock_wait).and_then(|lock| {
            match lock.map(|mut lock| lock.save(session)) {
                // Whoever came first meanwhile, the last login counts.
                None | Some(Err(StoreError::Superseded { .. })) => {
                    self.store.save(&self.key, session)
                }
                Some(saved) => saved,
            }
        });
        let pending = saved.is_err().then(|| self.pending(session, &Ground::default()));
        *self.unsaved() = pending;
        let until = self.request.rules.fresh_until(session).map_or(i64::MAX, Timestamp::unix);
        self.hand_out(session.token(), until.max(now().unix()), None);
        saved.map_err(failure)
    }

    fn unsaved(&self) -> MutexGuard<'_, Option<Unsaved>> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unsaved_text(error: &dyn std::fmt::Display) -> String {
    format!(
        "the new token could not be saved ({error}); other programs do not have it, and if this one ends before it can be \
         saved you have to log in again"
    )
}

fn failure(error: StoreError) -> StoreFailure {
    if error.is_transient() { StoreFailure::passing(error) } else { StoreFailure::new(error) }
}

/// What a flow holds while it runs. Dropped in this order: the secret counts as saved, then the lock goes.
#[derive(Default)]
struct Ground {
    spending: Option<Spending>,
    lock: Option<Box<dyn EntryLock>>,
    runtime: OwnRuntime,
    /// Whether no other process can do this.
    stays: bool,
    /// The state of the entry that the refresh under way replaces.
    replaces: Option<Fingerprint>,
    /// How often somebody else came first.
    rounds: usize,
}

impl Ground {
    /// Gives back what was held for an entry that others have replaced; whether to look at theirs now.
    fn may_begin_anew(&mut self) -> bool {
        (self.lock, self.spending) = (None, None);
        self.rounds += 1;
        self.rounds < ROUNDS
    }

    /// Waits for `work`, on one runtime for all requests of a flow.
    fn block_on<T>(&mut self, work: impl Future<Output = T>) -> Result<T, TokenError> {
        let waited = self.runtime.block_on(work);
        waited.map_err(|error| TokenError::Store(StoreFailure::new(error)))
    }
}

/// What a landed flight means for one of those who waited for it. Of the question that it was begun with, the core has
/// decided already.
pub(crate) fn settle_ask(ask: &Ask, asked: &Ask, landed: Landed) -> Settled {
    let issued = match landed {
        Ok(issued) => issued,
        Err(error) if ask == asked => return Settled::Is(Err(error)),
        // Whoever takes any token may find one where one that had to be new was not to be had.
        Err(_) if *ask == Ask::Usable => return Settled::Again,
        Err(TokenError::SameTokenAgain) => return Settled::Again,
        Err(error) => return Settled::Is(Err(error)),
    };
    let token = issued.session().token();
    let suits = match (ask, issued.how()) {
        _ if ask == asked => true,
        (Ask::Usable, _) => true,
        // Who is content with an old token gives up earlier than who needs a new one.
        (_, How::Kept(_)) | (Ask::Newer(None), How::Stored) => false,
        (Ask::Newer(None), _) => true,
        (Ask::Newer(Some(seen)) | Ask::Other(seen), _) => token.access_token() != seen,
        _ => false,
    };
    if suits { Settled::Is(Ok(token)) } else { Settled::Again }
}

/// Whether one who waited has what was asked for.
pub(crate) enum Settled {
    /// No: the flight was begun for another's question.
    Again,
    /// Yes, or there is none to be had.
    Is(Result<Token, TokenError>),
}
