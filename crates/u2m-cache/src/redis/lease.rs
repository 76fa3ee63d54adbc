//! An entry's lock: a lease with a fencing number, which the server takes back when its holder is gone.

use super::claim::{ClaimStep, HeldClaim};
use super::entry::{Read, RedisStoreInner, check_kept, first, is_ok, micros, random};
use super::entry_queues::{EntryQueues, WaitOutcome};
use super::record::{RedisRecord, RefreshStarted, Revision, verdict_text};
use super::renew::LeaseRenewer;
use super::script::{Part, ScriptCall};
use super::sealer::{EntryKeys, SealPurpose};
use super::settings::millis;
use super::turn::{HeldLease, QueueOutcome, lease, renewal, stand, wave};
use crate::error::StoreError;
use crate::named_mutex::end_of;
use crate::store::{Claim, EntryLock};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use u2m_core::{CacheKey, Fingerprint, RefreshFailure, Session, Timestamp};

/// The right to look at an entry, and to renew it once it has the lease. Dropping it gives back what it holds.
pub(super) struct RedisLock {
    pub(super) store: Arc<RedisStoreInner>,
    pub(super) key: CacheKey,
    pub(super) place: EntryKeys,
    /// When the patience of who asked for the lock ends.
    end: Instant,
    /// The lease. One who waited and was told that somebody has been there has none until it is needed.
    pub(super) hold: Option<HeldLease>,
    pub(super) claimed: Option<HeldClaim>,
    pub(super) revision: Revision,
    pub(super) session: Option<Session>,
    pub(super) verdict: Option<RefreshFailure>,
    /// When a refresh of this refresh token began that nothing came of, as far as is known.
    began: Option<Timestamp>,
    room: usize,
    /// Whether a refresh is under way; else what is saved is a new login.
    pub(super) is_refresh: bool,
    /// What was written down about a refresh token that may have been sent since.
    pub(super) mark: Option<SpendMark>,
    /// What is being saved: the same bytes again when it is tried again, so that the server knows them.
    tried: Option<(Session, Revision, String)>,
    /// Whether something that was bought is not saved: nobody else is let in before the lease has run out.
    is_owing: bool,
    renewal: Option<LeaseRenewer>,
}

/// That a refresh token is about to be sent.
pub(super) struct SpendMark {
    /// The lease is no longer than from here.
    pub(super) asked: Instant,
    pub(super) marker: String,
    /// What stood in its place.
    pub(super) before: String,
}

/// How often another state of the entry may turn out to be no newer login.
const ROUNDS: usize = 4;

/// Takes the lease of an entry, or waits until somebody else has done something about it.
pub(super) fn lock(
    store: &Arc<RedisStoreInner>,
    key: &CacheKey,
    patience: Duration,
) -> Result<Option<RedisLock>, StoreError> {
    let (end, place) = (end_of(patience), store.vault.place(key));
    let stood = match EntryQueues::of_process().meet(&wave(store, &place), end) {
        WaitOutcome::Turn(turn) => stand(store, key, &place, turn, end)?,
        WaitOutcome::News(verdict) => QueueOutcome::News(verdict),
        WaitOutcome::Nothing => QueueOutcome::Busy,
    };
    let mut lock = RedisLock {
        store: Arc::clone(store),
        key: key.clone(),
        place,
        end,
        hold: None,
        claimed: None,
        revision: Revision::default(),
        session: None,
        verdict: None,
        began: None,
        room: 0,
        is_refresh: false,
        mark: None,
        tried: None,
        is_owing: false,
        renewal: None,
    };
    match stood {
        QueueOutcome::Taken(hold, read) => lock.took(hold, *read),
        QueueOutcome::News(verdict) => lock.verdict = verdict,
        QueueOutcome::Busy => return Ok(None),
    }
    Ok(Some(lock))
}

impl RedisLock {
    pub(super) fn superseded(&self) -> StoreError {
        StoreError::Superseded { key: self.key.clone() }
    }

    pub(super) fn took(&mut self, hold: HeldLease, read: Read) {
        self.hold = Some(hold);
        self.saw(read);
    }

    pub(super) fn saw(&mut self, read: Read) {
        // One that cannot be read is reported when it is loaded.
        self.session = read.session.unwrap_or_default();
        (self.revision, self.verdict) = (read.revision, read.verdict);
        (self.began, self.room, self.tried) = (read.began, read.room, None);
    }

    /// Looks again at an entry whose lease is held, which gives it a later fence; whether another state is there now. `None`
    /// means that the lease was lost.
    pub(super) fn look_again(&mut self) -> Result<Option<bool>, StoreError> {
        let Some(hold) = self.hold.as_mut() else { return Ok(None) };
        let mut answer = self.store.run(lease(&self.store, &self.place, &hold.owner))?;
        if !is_ok(&answer) || answer.len() < 2 {
            self.hold = None;
            return Ok(None);
        }
        let read = self.store.entry(&self.key, &self.place, &answer.split_off(2));
        hold.fence = answer.pop().unwrap_or_default();
        let has_moved = read.revision != self.revision;
        if has_moved {
            hold.turn.tell(read.verdict.clone());
        }
        self.saw(read);
        Ok(Some(has_moved))
    }

    /// The server's word: it still counts, or somebody else was here.
    fn settled(&self, answer: &[String]) -> Result<(), StoreError> {
        if is_ok(answer) { Ok(()) } else { Err(self.superseded()) }
    }

    /// Renews the lease, and writes down that `of` is about to be sent, in as much room as the answer will need.
    pub(super) fn marking(
        &self,
        hold: &HeldLease,
        of: &Fingerprint,
    ) -> Result<(ScriptCall, String), StoreError> {
        let at = Timestamp::from(SystemTime::now());
        let marker = RefreshStarted::text(of, at, self.room);
        let marker = self.store.seal(SealPurpose::Started, &self.place.record, &marker)?;
        let call =
            RedisStoreInner::call(Part::Prove, &self.place).arg(&hold.owner).arg(&hold.fence);
        let call = call.arg(self.revision.generation).arg(&self.revision.grant);
        Ok((call.arg(millis(self.store.settings.lease)).arg(&marker), marker))
    }

    /// What to save in the place of `generation`, sealed: the same as at the last try if it is the same.
    fn sealed(
        &mut self,
        session: &Session,
        generation: u64,
    ) -> Result<(Revision, String), StoreError> {
        let is_same = |(of, revision, _): &&(Session, Revision, String)| {
            of == session && revision.generation == generation + 1
        };
        if let Some((_, revision, sealed)) = self.tried.as_ref().filter(is_same) {
            return Ok((revision.clone(), sealed.clone()));
        }
        let grant = match self.revision.grant.as_str() {
            "" => random(&self.store.pool)?,
            grant => grant.to_owned(),
        };
        let new = Revision { generation: generation + 1, grant };
        let text = RedisRecord::text(&self.key, &new, session);
        let sealed = self.store.seal(SealPurpose::Session, &self.place.record, &text)?;
        self.tried = Some((session.clone(), new.clone(), sealed.clone()));
        Ok((new, sealed))
    }

    /// Saves in the place of the state that was claimed. A later state of the entry counts, unless it holds the very refresh
    /// token that was spent for this one, or an answer to it that came of an earlier holder.
    pub(super) fn replace(
        &mut self,
        session: &Session,
        after: &dyn Fn(&Self, &Revision) -> Option<ScriptCall>,
    ) -> Result<(), StoreError> {
        let Some(fence) = self.hold.as_ref().map(|hold| hold.fence.clone()) else {
            return Err(self.superseded());
        };
        let mut over = None;
        for _ in 0..ROUNDS {
            let (new, sealed) = self.sealed(session, over.unwrap_or(self.revision.generation))?;
            let settings = &self.store.settings;
            let call = RedisStoreInner::call(Part::Save, &self.place).arg(&fence);
            let call = call.arg(self.revision.generation).arg(&self.revision.grant);
            let call = call.arg(new.generation).arg(&new.grant).arg(&sealed);
            let call = call.arg(millis(settings.keep)).arg(millis(settings.tombstone));
            let call = call.arg(micros()).arg(over.map_or_else(String::new, |of| of.to_string()));
            let calls: Vec<ScriptCall> = [call].into_iter().chain(after(self, &new)).collect();
            let answer = first(self.store.pool.run(&calls)?)?;
            if is_ok(&answer) {
                self.store.remember(&self.place, &new, &sealed);
                (self.revision, self.session) = (new, Some(session.clone()));
                (self.verdict, self.began, self.tried, self.mark) = (None, None, None, None);
                self.hold.iter_mut().for_each(|hold| hold.turn.tell(None));
                return Ok(());
            }
            if answer.first().is_some_and(|word| word == "older") {
                over = answer.get(1).and_then(|number| number.parse().ok());
                continue;
            }
            let of = self.claimed.as_ref().map(|claimed| claimed.of.clone());
            let read = self.store.read(&self.key, &self.place)?;
            let stored = read.session.as_ref().ok().and_then(Option::as_ref);
            if of.is_none() || stored.map(Session::fingerprint) != of {
                break;
            }
            // Somebody has put the old state back.
            (self.revision, over, self.tried) = (read.revision, None, None);
        }
        Err(self.superseded())
    }
}

impl EntryLock for RedisLock {
    fn verdict(&mut self) -> Option<RefreshFailure> {
        self.verdict.clone()
    }

    fn note(&mut self, verdict: &RefreshFailure) -> Result<(), StoreError> {
        if let Some(began) = self.began.filter(|_| is_final(verdict, self.session.as_ref())) {
            self.store.notice(format!(
                "the refresh token of '{}' was rejected. It had been sent before, at {}, by a program that ended or lost its \
                 connection before it could save the answer: that is probably why",
                self.key,
                crate::format_local(began)
            ));
        }
        // An answer has come, or none will: what was sent may have been spent.
        self.mark = None;
        let Some(hold) = self.hold.as_mut() else { return Err(self.superseded()) };
        let sealed =
            self.store.seal(SealPurpose::Verdict, &self.place.record, &verdict_text(verdict))?;
        let call = RedisStoreInner::call(Part::Note, &self.place).arg(&hold.fence).arg(&sealed);
        let answer = self.store.run(call)?;
        if is_ok(&answer) {
            hold.turn.tell(Some(verdict.clone()));
        }
        self.settled(&answer)?;
        self.verdict = Some(verdict.clone());
        Ok(())
    }

    fn claim(&mut self, of: &Fingerprint, patience: Duration) -> Result<Claim, StoreError> {
        self.claim_token(of, end_of(patience))
    }

    /// Shows that the lease lasts, and that it is written down which refresh token is about to be sent. A holder that was
    /// paused past its lease while others were there, or whose entry was replaced, is told so here, before it sends anything.
    fn prove_writable(&mut self) -> Result<(), StoreError> {
        if self.claimed.is_none() {
            let of = match (&self.hold, &self.session) {
                (Some(_), Some(session)) => session.fingerprint(),
                _ => return Err(self.superseded()),
            };
            match self.contend(&of, self.end)? {
                ClaimStep::Is(Claim::Taken) => self.is_refresh = true,
                ClaimStep::Is(Claim::Busy) => {
                    return Err(StoreError::Busy { key: self.key.clone() });
                }
                ClaimStep::Is(Claim::Spent(_) | Claim::Waited) | ClaimStep::Again => {
                    return Err(self.superseded());
                }
            }
        }
        let (lease, needed) = (self.store.settings.lease, self.store.settings.needed());
        let is_long = |mark: &SpendMark| lease.saturating_sub(mark.asked.elapsed()) >= needed;
        if !self.mark.as_ref().is_some_and(is_long) {
            let (Some(hold), Some(claimed)) = (&self.hold, &self.claimed) else {
                return Err(self.superseded());
            };
            let asked = Instant::now();
            let (mark, marker) = self.marking(hold, &claimed.of)?;
            let answer = first(self.store.pool.run(&[mark, claimed.keep(&self.store.settings)])?)?;
            self.settled(&answer)?;
            let before = answer.into_iter().nth(1).unwrap_or_default();
            let before = self.mark.take().map_or(before, |mark| mark.before);
            let mark = self.mark.insert(SpendMark { asked, marker, before });
            if !is_long(mark) {
                return Err(self
                    .store
                    .unavailable("too little was left of the lease to refresh within"));
            }
        }
        self.renew();
        Ok(())
    }

    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        if !self.is_refresh {
            self.store.sign_in(&self.key, session)?;
            self.hold.iter_mut().for_each(|hold| hold.turn.tell(None));
            return Ok(());
        }
        if let Some(old) = &self.session {
            check_kept(&self.key, old, self.verdict.as_ref(), session)?;
        }
        self.is_owing = true;
        let spend = |lock: &Self, new: &Revision| {
            let claimed = lock.claimed.as_ref()?;
            claimed.spent(&lock.store, &lock.key, &new.grant, session)
        };
        match self.replace(session, &spend) {
            Ok(()) => {}
            // Who was superseded owes nothing: what it has is worth nothing any more.
            Err(StoreError::Superseded { key }) => {
                (self.is_owing, self.mark, self.renewal) = (false, None, None);
                return Err(StoreError::Superseded { key });
            }
            Err(error) => return Err(error),
        }
        (self.is_owing, self.renewal) = (false, None);
        self.claimed = self.claimed.take().filter(|claimed| claimed.of == session.fingerprint());
        Ok(())
    }
}

impl RedisLock {
    /// Keeps the lease and the claim while the authorization server is waited for.
    fn renew(&mut self) {
        let (Some(hold), Some(claimed)) = (&self.hold, &self.claimed) else { return };
        let lease = self.store.settings.lease;
        let lasting = renewal(&self.place, hold, &self.revision, lease);
        let calls = vec![lasting, claimed.keep(&self.store.settings)];
        self.renewal = LeaseRenewer::start(&self.store, calls);
    }
}

impl Drop for RedisLock {
    fn drop(&mut self) {
        self.renewal = None;
        // After a panic it is not known what came of the refresh token.
        if self.is_owing || (self.mark.is_some() && std::thread::panicking()) {
            return;
        }
        let Some(hold) = self.hold.as_mut() else { return };
        hold.turn.remember(self.verdict.clone());
        let release = RedisStoreInner::call(Part::Release, &self.place).arg(&hold.owner);
        let claim = self.claimed.as_ref().map(HeldClaim::give_back);
        // Of what was neither saved nor refused nothing was sent.
        let unmark = self.mark.as_ref().map(|mark| {
            RedisStoreInner::call(Part::Unmark, &self.place).arg(&mark.marker).arg(&mark.before)
        });
        self.store.give_back([release].into_iter().chain(claim).chain(unmark).collect());
    }
}

fn is_final(verdict: &RefreshFailure, session: Option<&Session>) -> bool {
    session.is_some_and(|session| verdict.is_final_for(session))
}
