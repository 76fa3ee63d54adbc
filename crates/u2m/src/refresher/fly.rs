//! Drives the token flow. It decides nothing: the core says which step comes next, and this code carries it out, on a thread
//! that nobody can cancel once a refresh token is spent.

use super::{RefreshResult, Refresher, failure};
use crate::bounds::{LOOK, PUTTING_BACK, RECHECKING};
use crate::detached::{self, DetachedOutcome};
use crate::runtime::OwnRuntime;
use crate::trying::RetryTime;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use u2m_cache::{Claim, EntryLock, StoreError};
use u2m_core::{
    CheckWritable, DiscoveringForRefresh, Fingerprint, HttpCall, Lock, Moment, RefreshFailure,
    RefreshingToken, ReloadAfterRejection, Session, StoreFailure, Timestamp, TokenCriteria,
    TokenError, TokenOrigin, TokenStep,
};
use u2m_http::{Spending, drive_by};

/// How often another process may get ahead in one flight.
const ROUNDS: usize = 4;

/// How many spent refresh tokens are remembered.
const SPENT: usize = 8;

/// How long to try to record a first use before something is sent. Other writers take milliseconds.
const TYING: Duration = Duration::from_secs(10);

/// What a flow holds while it runs. Fields are dropped in this order: first the secret counts as saved, then the lock is
/// released.
#[derive(Default)]
pub(super) struct RefreshContext {
    pub(super) spending: Option<Spending>,
    pub(super) lock: Option<Box<dyn EntryLock>>,
    runtime: OwnRuntime,
    /// The entry as the first step read it under the lock, so that the next step need not read it again.
    read: Option<Option<Session>>,
    /// Whether no other process can do this refresh.
    stays: bool,
    /// The state of the entry that this refresh replaces.
    pub(super) replaces: Option<Fingerprint>,
    /// How often another process got ahead.
    rounds: usize,
    /// Whether the outcome was read without the lock.
    is_unlocked: bool,
}

impl RefreshContext {
    /// Releases what was held for an entry that another process has replaced. Returns whether to start again with the new entry.
    fn may_begin_anew(&mut self) -> bool {
        (self.lock, self.spending, self.read) = (None, None, None);
        self.may_look_again()
    }

    /// Whether to read the entry again because others may have changed it.
    fn may_look_again(&mut self) -> bool {
        self.rounds += 1;
        self.rounds < ROUNDS
    }

    /// The pause that another login was told at this token endpoint, if it applies to this login.
    fn pause(
        &mut self,
        call: &HttpCall<RefreshingToken>,
        now: Timestamp,
    ) -> Option<RefreshFailure> {
        let (lock, state) = (self.lock.as_mut()?, call.state());
        let mut known = state.doors().into_iter().filter_map(|door| lock.pause(door));
        known.find(|pause| state.is_bound_by(pause, now))
    }

    /// Waits for `work`. All requests of a flow share one runtime.
    fn block_on<T>(&mut self, work: impl Future<Output = T>) -> Result<T, TokenError> {
        let waited = self.runtime.block_on(work);
        waited.map_err(|error| TokenError::Store(StoreFailure::new(error)))
    }
}

/// The outcome of a claim.
enum ClaimOutcome {
    /// Start again: another process has changed the entry.
    Anew,
    Step(Box<TokenStep>),
}

impl Refresher {
    /// Runs a flow from start to end, and passes what it could not save to a thread that keeps trying. `held` is the entry's
    /// lock, if it is held already. Also returns whether the result was read without that lock.
    pub(crate) fn fly(
        self: &Arc<Self>,
        question: &TokenCriteria,
        asked_at: Moment,
        held: Option<Box<dyn EntryLock>>,
    ) -> (RefreshResult, bool) {
        let mut ground = RefreshContext { lock: held, ..RefreshContext::default() };
        self.set_goes_on(false);
        let landed = self.take_steps(question, asked_at, &mut ground);
        self.set_goes_on(false);
        let is_unlocked = ground.is_unlocked;
        if ground.lock.is_some() {
            self.keep_saving(ground);
        }
        (landed, is_unlocked)
    }

    fn take_steps(
        &self,
        question: &TokenCriteria,
        asked_at: Moment,
        ground: &mut RefreshContext,
    ) -> RefreshResult {
        let begin = || self.request.clone().start(question.clone(), asked_at);
        let mut step = begin();
        loop {
            step = match step {
                TokenStep::Load(load) => {
                    let entry = self.first_look(question, ground)?;
                    self.loaded(load, entry)?
                }
                TokenStep::Lock(lock) => self.lock(lock, ground)?,
                TokenStep::Reload(reload) => {
                    let refresh_failure =
                        ground.lock.as_mut().and_then(|lock| lock.refresh_failure());
                    let entry = match (ground.read.take(), ground.lock.as_mut()) {
                        (Some(entry), _) => entry,
                        (None, Some(lock)) => self.reload(lock.as_mut())?,
                        (None, None) => self.load()?,
                    };
                    ground.replaces = self.replaced_by_a_save(entry.as_ref());
                    reload.loaded(entry, refresh_failure, self.clock.now())?
                }
                TokenStep::CheckWritable(_) if self.is_detaching(ground) => {
                    match self.detach(ground, question, asked_at) {
                        Some(landed) => return landed,
                        // Start again, with the lock if it was returned.
                        None => begin(),
                    }
                }
                TokenStep::CheckWritable(prove) => match self.claim(prove, ground)? {
                    ClaimOutcome::Anew => begin(),
                    ClaimOutcome::Step(step) => *step,
                },
                TokenStep::Discover(call) => self.discover(call, ground)?,
                TokenStep::Refresh(call) => match ground.pause(&call, self.clock.now()) {
                    Some(pause) => call.postponed(pause, self.clock.now())?,
                    None => {
                        ground.spending.get_or_insert_with(Spending::begin);
                        self.set_goes_on(true);
                        let transport = self.transport.as_ref();
                        ground.block_on(self.prover.drive(
                            &self.clock,
                            transport,
                            call,
                            &self.patience,
                        ))??
                    }
                },
                TokenStep::Save(save) => match self.save(save.session(), ground) {
                    Err(StoreError::Superseded { key }) => {
                        let is_new_round = ground.may_begin_anew();
                        self.give_back(save.session(), ground.replaces.as_ref());
                        match is_new_round {
                            true => begin(),
                            false => save.saved(Err(failure(StoreError::Superseded { key })))?,
                        }
                    }
                    outcome => save.saved(outcome.map_err(failure))?,
                },
                TokenStep::ReloadAfterRejection(recheck) => {
                    let entry = self.after_a_rejection(&recheck);
                    recheck.loaded(entry, self.clock.now())?
                }
                TokenStep::RecordFailure(note) => {
                    if let Some(lock) = ground.lock.as_mut() {
                        // If this is not recorded, it costs another request and nothing else.
                        let fell = self.clock.moment();
                        let _ = lock.note(&note.refresh_failure(fell));
                        let for_others = note.for_others(fell, |door| lock.pause(door));
                        let _ = for_others.map(|pause| lock.note_pause(&pause));
                    }
                    if let Some(why) = note.warning() {
                        self.notice(format!(
                            "{why}; the new access token is good, but it cannot be renewed by itself: when it ends, you have to log in again"
                        ));
                    }
                    let pause = note.pause();
                    let noted = note.noted(self.clock.now());
                    if let (Err(_), Some(pause)) = (&noted, pause) {
                        self.notice(format!(
                            "the token endpoint wants no further request for {} s: until then no process sends a refresh of this login",
                            pause.seconds()
                        ));
                    }
                    noted?
                }
                TokenStep::Done(issued) => {
                    ground.is_unlocked = ground.lock.is_none();
                    return Ok(issued);
                }
            };
        }
    }

    /// Returns the entry for the first step: the one that was just found due, or the one in the store.
    fn first_look(
        &self,
        question: &TokenCriteria,
        ground: &mut RefreshContext,
    ) -> Result<Option<Session>, TokenError> {
        if let Some(lock) = ground.lock.as_mut() {
            let entry = self.reload(lock.as_mut())?;
            ground.read = Some(entry.clone());
            return Ok(entry);
        }
        match self.take_due().filter(|_| question.is_for_any()) {
            Some(entry) => Ok(Some(entry)),
            None => self.load(),
        }
    }

    fn lock(&self, lock: Lock, ground: &mut RefreshContext) -> Result<TokenStep, TokenError> {
        if ground.lock.is_some() {
            return Ok(lock.locked());
        }
        let patience = if lock.is_worth_waiting() { self.lock_wait } else { Duration::ZERO };
        // Makes a thread of this process release the lock that it holds for an unsaved login.
        self.wants_lock.store(true, Ordering::Relaxed);
        let is_handed_over = self.may_detach(ground);
        let taken = self.waiting_for_others(
            patience,
            |patience| match is_handed_over {
                true => self.store.lock_to_hand_over(&self.key, patience),
                false => self.store.lock(&self.key, patience),
            },
            |taken| matches!(taken, Ok(None)),
        );
        self.wants_lock.store(false, Ordering::Relaxed);
        match taken {
            Ok(Some(held)) => {
                ground.lock = Some(held);
                Ok(lock.locked())
            }
            Ok(None) => lock.not_locked(),
            Err(error) => lock.failed(failure(error)),
        }
    }

    /// Claims the refresh token, checks that the result can be saved, and goes on to send it.
    fn claim(
        &self,
        prove: CheckWritable,
        ground: &mut RefreshContext,
    ) -> Result<ClaimOutcome, TokenError> {
        let Some(lock) = ground.lock.as_mut() else {
            return prove.proven(self.clock.now()).map(|step| ClaimOutcome::Step(Box::new(step)));
        };
        let of = prove.fingerprint();
        let patience =
            if prove.is_worth_waiting(self.clock.now()) { self.lock_wait } else { Duration::ZERO };
        let claimed = self.waiting_for_others(
            patience,
            |patience| lock.claim(&of, patience),
            |claimed| matches!(claimed, Ok(Claim::Busy)),
        );
        let claimed = claimed.and_then(|claim| match claim {
            Claim::Taken => {
                lock.prove_writable()?;
                // If the login itself shows whom it is for, that is enough.
                let first = prove.first_use().filter(|first| !first.is_shown);
                first.map_or(Ok(()), |first| self.tie(&first, TYING)).map(|()| claim)
            }
            claim => Ok(claim),
        });
        let step = match claimed {
            Ok(Claim::Taken) => {
                self.spends(of);
                prove.proven(self.clock.now())
            }
            Ok(Claim::Waited) if ground.may_look_again() => return Ok(ClaimOutcome::Anew),
            Ok(Claim::Spent(words)) => {
                // It may be an old copy that is about to be replaced again, and replacing it needs the lock.
                ground.lock = None;
                let patience = if patience.is_zero() { patience } else { PUTTING_BACK };
                if self.changes_from(&of, patience) && ground.may_look_again() {
                    return Ok(ClaimOutcome::Anew);
                }
                prove.spent(&words, self.clock.now())
            }
            Ok(_) => prove.busy(self.clock.now()),
            Err(StoreError::Superseded { .. }) if ground.may_begin_anew() => {
                return Ok(ClaimOutcome::Anew);
            }
            Err(error) => prove.failed(failure(error), self.clock.now()),
        };
        step.map(|step| ClaimOutcome::Step(Box::new(step)))
    }

    /// Remembers what is about to be sent, up to a limit, because a long-lived process sends many.
    fn spends(&self, of: Fingerprint) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.push(of);
        if spent.len() > SPENT {
            spent.remove(0);
        }
    }

    /// Whether the entry changes to another state than `of` within `patience`.
    fn changes_from(&self, of: &Fingerprint, patience: Duration) -> bool {
        let mut left = RetryTime::new(patience);
        loop {
            if matches!(self.load(), Ok(Some(entry)) if entry.fingerprint() != *of) {
                return true;
            }
            if left.is_over() {
                return false;
            }
            left.pause(LOOK, || false);
        }
    }

    /// Returns the entry after the server has rejected it: as soon as another program has changed it, or else as it is.
    fn after_a_rejection(&self, recheck: &ReloadAfterRejection) -> Option<Session> {
        let mut left = RetryTime::new(RECHECKING);
        loop {
            let entry = self.load();
            // What cannot be read now counts as unchanged.
            let is_unchanged = match &entry {
                Ok(entry) => recheck.is_unchanged(entry.as_ref()),
                Err(_) => true,
            };
            if !is_unchanged || left.is_over() {
                return entry.unwrap_or_default();
            }
            left.pause(LOOK, || false);
        }
    }

    /// Whether to run the rest of the refresh in a process of its own.
    fn is_detaching(&self, ground: &RefreshContext) -> bool {
        ground.lock.is_some() && self.may_detach(ground)
    }

    fn may_detach(&self, ground: &RefreshContext) -> bool {
        // A session that could not be saved is known only to this process; the store still holds the spent token.
        let is_stored = self.unsaved().is_none();
        self.detached.is_some() && !ground.stays && is_stored
    }

    /// Lets a process that outlives this one do the refresh. `None` if that is not possible.
    fn detach(
        &self,
        ground: &mut RefreshContext,
        question: &TokenCriteria,
        asked_at: Moment,
    ) -> Option<RefreshResult> {
        let (detached, lock) = (self.detached.as_ref()?, ground.lock.take()?);
        match detached::finish(detached, self, lock, question, asked_at) {
            DetachedOutcome::Landed(landed, notices) => {
                self.notices.lock().unwrap_or_else(PoisonError::into_inner).extend(notices);
                if let Ok(issued) = landed.as_ref()
                    && matches!(issued.how(), TokenOrigin::RenewedUnsaved(_))
                {
                    *self.unsaved() = Some(self.pending(issued.session(), ground));
                }
                Some(*landed)
            }
            DetachedOutcome::Not(lock) => {
                (ground.lock, ground.stays) = (lock, true);
                None
            }
        }
    }

    fn discover(
        &self,
        call: HttpCall<DiscoveringForRefresh>,
        ground: &mut RefreshContext,
    ) -> Result<TokenStep, TokenError> {
        let Some(supplier) = self.supplier(call.state().target()) else {
            return ground.block_on(drive_by(
                &self.clock,
                self.transport.as_ref(),
                call,
                &self.patience,
            ))?;
        };
        let server = ground.block_on(crate::supply::ask(supplier, call.state().target()))?;
        call.supplied(server, self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Builder;
    use u2m_cache::MemoryStore;
    use u2m_core::{Host, RefreshToken, Target};

    #[test]
    fn the_last_eight_refresh_tokens_that_were_sent_are_remembered() {
        let target = Target::workspace(Host::parse("https://a.example").unwrap());
        let auth = Builder::new(target).with_store(MemoryStore::new()).build().unwrap();
        let of = |at: usize| Fingerprint::of_refresh(&RefreshToken::new(format!("r{at}")));
        for sent in 1..=20 {
            auth.keeper().spends(of(sent - 1));
            let first = sent.saturating_sub(SPENT);
            let remembered = auth.keeper().spent.lock().unwrap().clone();
            assert_eq!(remembered, (first..sent).map(of).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_flight_has_so_many_rounds_and_no_more_whoever_comes_first_in_each() {
        let mut ground = RefreshContext::default();
        let further = (0..100).take_while(|_| ground.may_look_again()).count();
        assert_eq!(1 + further, ROUNDS);
    }
}
