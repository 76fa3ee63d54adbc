//! The lock of an entry: a lease with a fencing number, which the server takes back when its holder is gone.

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

/// The right to read an entry, and to refresh it once it has the lease. Dropping it releases what it holds.
pub(super) struct RedisLock {
    pub(super) store: Arc<RedisStoreInner>,
    pub(super) key: CacheKey,
    pub(super) place: EntryKeys,
    /// When the patience of the caller ends.
    end: Instant,
    /// The lease. A caller that waited until another holder made a change has none until it needs one.
    pub(super) hold: Option<HeldLease>,
    pub(super) claimed: Option<HeldClaim>,
    pub(super) revision: Revision,
    pub(super) session: Option<Session>,
    pub(super) refresh_failure: Option<RefreshFailure>,
    /// When a refresh with this refresh token began whose outcome is unknown.
    began: Option<Timestamp>,
    room: usize,
    /// Whether a refresh is running. Otherwise what is saved is a new login.
    pub(super) is_refresh: bool,
    /// What was recorded about a refresh token that may have been sent since.
    pub(super) mark: Option<SpendMark>,
    /// What is being saved. A retry sends the same bytes, so that the server recognizes them.
    tried: Option<(Session, Revision, String)>,
    /// Whether new tokens are not saved yet: nobody else gets the lease before it has ended.
    is_owing: bool,
    renewal: Option<LeaseRenewer>,
}

/// The record that a refresh token is going to be sent.
pub(super) struct SpendMark {
    /// The lease began at this moment or later.
    pub(super) asked: Instant,
    pub(super) marker: String,
    /// What it replaced.
    pub(super) before: String,
}

/// How often another state of the entry may turn out not to be a newer login.
const ROUNDS: usize = 4;

/// Takes the lease of an entry, or waits until another holder has changed the entry.
pub(super) fn lock(
    store: &Arc<RedisStoreInner>,
    key: &CacheKey,
    patience: Duration,
) -> Result<Option<RedisLock>, StoreError> {
    let (end, place) = (end_of(patience), store.vault.place(key));
    let stood = match EntryQueues::of_process().meet(&wave(store, &place), end) {
        WaitOutcome::Turn(turn) => stand(store, key, &place, turn, end)?,
        WaitOutcome::News(refresh_failure) => QueueOutcome::News(refresh_failure),
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
        refresh_failure: None,
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
        QueueOutcome::News(refresh_failure) => lock.refresh_failure = refresh_failure,
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
        // An entry that cannot be read is reported when it is loaded.
        self.session = read.session.unwrap_or_default();
        (self.revision, self.refresh_failure) = (read.revision, read.refresh_failure);
        (self.began, self.room, self.tried) = (read.began, read.room, None);
    }

    /// Reads an entry again under its lease, which gives it a later fence. Returns whether its state has changed. `None`
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
            hold.turn.tell(read.refresh_failure.clone());
        }
        self.saw(read);
        Ok(Some(has_moved))
    }

    /// Checks the server's answer: either the change was made, or another holder was there.
    fn settled(&self, answer: &[String]) -> Result<(), StoreError> {
        if is_ok(answer) { Ok(()) } else { Err(self.superseded()) }
    }

    /// Returns the call that renews the lease and records that `of` is going to be sent, in as much space as the response
    /// will need.
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

    /// Returns the sealed record that replaces `generation`. A retry with the same session returns the same bytes.
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

    /// Saves over the claimed state. A later state of the entry is kept, unless it holds the refresh token that was used for
    /// this one, or an earlier holder's response to it.
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
                (self.refresh_failure, self.began, self.tried, self.mark) =
                    (None, None, None, None);
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
            // Someone has restored the old state.
            (self.revision, over, self.tried) = (read.revision, None, None);
        }
        Err(self.superseded())
    }
}

impl EntryLock for RedisLock {
    fn refresh_failure(&mut self) -> Option<RefreshFailure> {
        self.refresh_failure.clone()
    }

    fn note(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        if let Some(began) = self.began.filter(|_| is_final(refresh_failure, self.session.as_ref()))
        {
            self.store.notice(format!(
                "the refresh token of '{}' was rejected. It had been sent before, at {}, by a program that ended or lost its \
                 connection before it could save the answer: that is probably why",
                self.key,
                crate::format_local(began)
            ));
        }
        // A response has arrived, or none will: the token that was sent may be used up.
        self.mark = None;
        let Some(hold) = self.hold.as_mut() else { return Err(self.superseded()) };
        let sealed = self.store.seal(
            SealPurpose::Verdict,
            &self.place.record,
            &verdict_text(refresh_failure),
        )?;
        let call = RedisStoreInner::call(Part::Note, &self.place).arg(&hold.fence).arg(&sealed);
        let answer = self.store.run(call)?;
        if is_ok(&answer) {
            hold.turn.tell(Some(refresh_failure.clone()));
        }
        self.settled(&answer)?;
        self.refresh_failure = Some(refresh_failure.clone());
        Ok(())
    }

    fn claim(&mut self, of: &Fingerprint, patience: Duration) -> Result<Claim, StoreError> {
        self.claim_token(of, end_of(patience))
    }

    /// Checks that the lease is still held and that the refresh token to be sent is recorded. Fails if the holder was paused
    /// past its lease while others were there, or if the entry was replaced, before anything is sent.
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
            check_kept(&self.key, old, self.refresh_failure.as_ref(), session)?;
        }
        self.is_owing = true;
        let spend = |lock: &Self, new: &Revision| {
            let claimed = lock.claimed.as_ref()?;
            claimed.spent(&lock.store, &lock.key, &new.grant, session)
        };
        match self.replace(session, &spend) {
            Ok(()) => {}
            // After a newer save the lease need not be kept: these tokens are worthless.
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
    /// Renews the lease and the claim while waiting for the authorization server.
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
        // After a panic it is not known whether the refresh token was used.
        if self.is_owing || (self.mark.is_some() && std::thread::panicking()) {
            return;
        }
        let Some(hold) = self.hold.as_mut() else { return };
        hold.turn.remember(self.refresh_failure.clone());
        let release = RedisStoreInner::call(Part::Release, &self.place).arg(&hold.owner);
        let claim = self.claimed.as_ref().map(HeldClaim::give_back);
        // If there was neither a save nor a failure, nothing was sent.
        let unmark = self.mark.as_ref().map(|mark| {
            RedisStoreInner::call(Part::Unmark, &self.place).arg(&mark.marker).arg(&mark.before)
        });
        self.store.give_back([release].into_iter().chain(claim).chain(unmark).collect());
    }
}

fn is_final(refresh_failure: &RefreshFailure, session: Option<&Session>) -> bool {
    session.is_some_and(|session| refresh_failure.is_final_for(session))
}
