//! Keeps one login for a process: the token in hand, the flight under way, and what is still to be saved.
//!
//! `fly` drives the token flow, `saving` sees to it that what was bought is saved, `putting_back` that it stays, `giving_up` ends a
//! login that is not to be saved, and `shared` says what a flight means for
//! those who asked something else.

mod fly;
mod giving_up;
mod putting_back;
mod saving;
mod shared;

pub use giving_up::LateSave;
pub(crate) use shared::{Settled, settle_ask};

use crate::bounds::{LOCK_WAIT, SAVING_FIRST};
use crate::clock::now;
use crate::current::Current;
use crate::detached::Detached;
use saving::Unsaved;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use u2m_cache::{Notice, StoreError, TokenStore};
use u2m_core::{
    Ask, CacheKey, Fingerprint, FirstUse, Foreign, How, Issued, Load, Moment, StoreFailure, Target,
    Token, TokenError, TokenRequest, TokenStep,
};
use u2m_http::{EndpointSupplier, Flight, Patience, Transport};

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
    /// How long a caller waits, if that was said.
    pub(crate) wait: Option<Duration>,
    /// How long a flight tries to save before it hands out what it has.
    pub(crate) saves_for: Duration,
    /// How to start the process that refreshes, if one is to.
    pub(crate) detached: Option<Detached>,
    /// The profile file that named the target.
    pub(crate) profile_file: Option<Foreign>,
    /// Whether the transport is the one that any process has.
    pub(crate) is_usual_transport: bool,
    /// What that one trusts besides the system's authorities.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) current: Current,
    flight: Mutex<Option<(Ask, Flight<Landed>)>>,
    unsaved: Mutex<Option<Unsaved>>,
    /// The refresh tokens that were sent by this process.
    spent: Mutex<Vec<Fingerprint>>,
    /// Whether something goes on that brings a token without the caller: a refresh token is sent, or is with the process that
    /// sends it, or another process is at it.
    goes_on: AtomicBool,
    /// Whether a flight is waiting for the lock that what is unsaved is kept with.
    wants_lock: AtomicBool,
    notices: Mutex<Vec<Notice>>,
}

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
            lock_wait: LOCK_WAIT,
            wait: None,
            saves_for: SAVING_FIRST,
            detached: None,
            profile_file: None,
            is_usual_transport: false,
            ca_file: None,
            current: Current::new(),
            flight: Mutex::new(None),
            unsaved: Mutex::new(None),
            spent: Mutex::default(),
            goes_on: AtomicBool::new(false),
            wants_lock: AtomicBool::new(false),
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

    /// The old token, if it is still good for whoever can wait no longer.
    pub(crate) fn old_while_good(&self) -> Option<Token> {
        let since = self.current.generation();
        let step = self.load_step(self.request.clone().start(Ask::Usable, now())).ok()?;
        let step = match step {
            TokenStep::Lock(lock) => lock.not_locked().ok()?,
            step => step,
        };
        match step {
            TokenStep::Done(issued) => Some(self.take(&issued, Some(since))),
            _ => None,
        }
    }

    /// A flight to wait for, and what it asks for: the one under way, or a new one with the caller's own question.
    /// Failures that fell after `asked_at` are shared.
    pub(crate) fn board(
        self: &Arc<Self>,
        ask: &Ask,
        asked_at: Moment,
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

    /// What is said to a caller whose time is over.
    pub(crate) fn out_of_time(&self) -> TokenError {
        // Whoever has no time at all has begun something at most, and looks too early to see it.
        let has_time = self.wait.is_none_or(|wait| !wait.is_zero());
        match has_time && self.goes_on.load(Ordering::Relaxed) {
            true => TokenError::StillWaiting,
            false => TokenError::OutOfTime,
        }
    }

    /// Says whether something goes on that brings a token without the caller.
    pub(crate) fn set_goes_on(&self, goes_on: bool) {
        self.goes_on.store(goes_on, Ordering::Relaxed);
    }

    /// Tries for as long as `patience` to get what another process may have. Where callers have a time of their own, it is
    /// known that somebody has it.
    fn waiting_for_others<T>(
        &self,
        patience: Duration,
        mut take: impl FnMut(Duration) -> T,
        is_busy: impl Fn(&T) -> bool,
    ) -> T {
        if self.wait.is_some() && !patience.is_zero() {
            let taken = take(Duration::ZERO);
            if !is_busy(&taken) {
                return taken;
            }
            self.set_goes_on(true);
        }
        let taken = take(patience);
        self.set_goes_on(false);
        taken
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
            // Of one from the future nobody knows how long it is good: the next call looks again.
            _ if rules.fresh_from(session).is_some_and(|from| now() < from) => now().unix() - 1,
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
            TokenStep::Load(load) => self.loaded(load),
            other => Ok(other),
        }
    }

    /// Reads the entry without a lock. That a login of another program is used for the first time is recorded in passing: only
    /// what is sent later has to wait for it.
    fn loaded(&self, load: Load) -> Result<TokenStep, TokenError> {
        let entry = self.load()?;
        let first = entry.as_ref().and_then(|entry| self.request.first_use(entry));
        let step = load.loaded(entry, now())?;
        if let Some(first) = first {
            // A read-only home is as good as any for reading.
            let _ = self.tie(&first, Duration::ZERO);
        }
        Ok(step)
    }

    /// Records that a login of another program is used with this target's host, and says so where nothing else shows it.
    fn tie(&self, first: &FirstUse, patience: Duration) -> Result<(), StoreError> {
        let config = self.profile_file.as_ref().map(Foreign::as_str);
        if self.store.tie(&self.key, first, config, patience)? && !first.is_shown {
            let (key, host) = (Foreign::new(self.key.as_str()), &first.host);
            let from = config.map(|path| format!(", as {path} says")).unwrap_or_default();
            self.notice(format!(
                "another program saved the login '{key}' without its host; from now on it is for {host} alone{from}"
            ));
        }
        Ok(())
    }

    fn notice(&self, text: String) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push(Notice::new(text));
    }
}

fn failure(error: StoreError) -> StoreFailure {
    if error.is_transient() { StoreFailure::passing(error) } else { StoreFailure::new(error) }
}
