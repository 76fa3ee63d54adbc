//! Drives the token flow. It decides nothing: the core says which step is next, and this carries it out, on a thread that
//! nobody can cancel once a refresh token is spent.

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

/// How often somebody else may come first, in one flight.
const ROUNDS: usize = 4;

/// How many spent refresh tokens are remembered.
const SPENT: usize = 8;

/// How long it is tried to record a first use before something is sent. Others write for milliseconds.
const TYING: Duration = Duration::from_secs(10);

/// What a flow holds while it runs. Dropped in this order: the secret counts as saved, then the lock goes.
#[derive(Default)]
pub(super) struct RefreshContext {
    pub(super) spending: Option<Spending>,
    pub(super) lock: Option<Box<dyn EntryLock>>,
    runtime: OwnRuntime,
    /// The entry, as the first step read it under the lock: the next one need not.
    read: Option<Option<Session>>,
    /// Whether no other process can do this.
    stays: bool,
    /// The state of the entry that the refresh under way replaces.
    pub(super) replaces: Option<Fingerprint>,
    /// How often somebody else came first.
    rounds: usize,
    /// Whether the outcome was read without the lock.
    is_unlocked: bool,
}

impl RefreshContext {
    /// Gives back what was held for an entry that others have replaced; whether to look at theirs now.
    fn may_begin_anew(&mut self) -> bool {
        (self.lock, self.spending, self.read) = (None, None, None);
        self.may_look_again()
    }

    /// Whether to look once more at an entry that others may have changed.
    fn may_look_again(&mut self) -> bool {
        self.rounds += 1;
        self.rounds < ROUNDS
    }

    /// The pause at this token endpoint that another login has met, and that this one keeps.
    fn pause(
        &mut self,
        call: &HttpCall<RefreshingToken>,
        now: Timestamp,
    ) -> Option<RefreshFailure> {
        let (lock, state) = (self.lock.as_mut()?, call.state());
        let mut known = state.doors().into_iter().filter_map(|door| lock.pause(door));
        known.find(|pause| state.is_bound_by(pause, now))
    }

    /// Waits for `work`, on one runtime for all requests of a flow.
    fn block_on<T>(&mut self, work: impl Future<Output = T>) -> Result<T, TokenError> {
        let waited = self.runtime.block_on(work);
        waited.map_err(|error| TokenError::Store(StoreFailure::new(error)))
    }
}

/// Where a claim leads.
enum ClaimOutcome {
    /// Back to the beginning: somebody else has been there.
    Anew,
    Step(Box<TokenStep>),
}

impl Refresher {
    /// Carries a flow from its beginning to its end, and what it could not save on to a thread that goes on trying. `held` is
    /// the entry's lock, if it is held already. Says too whether what it brings was read without that lock.
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
                    let verdict = ground.lock.as_mut().and_then(|lock| lock.verdict());
                    let entry = match (ground.read.take(), ground.lock.as_mut()) {
                        (Some(entry), _) => entry,
                        (None, Some(lock)) => self.reload(lock.as_mut())?,
                        (None, None) => self.load()?,
                    };
                    ground.replaces = self.replaced_by_a_save(entry.as_ref());
                    reload.loaded(entry, verdict, self.clock.now())?
                }
                TokenStep::CheckWritable(_) if self.is_detaching(ground) => {
                    match self.detach(ground, question, asked_at) {
                        Some(landed) => return landed,
                        // From the top, with the lock if it came back.
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
                        // Not being remembered costs somebody a request, and nothing else.
                        let fell = self.clock.moment();
                        let _ = lock.note(&note.verdict(fell));
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

    /// The entry before anything is done about it: as it was found due a moment ago, or as it is.
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
        // A thread of this process that keeps it for what is unsaved gives it up.
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

    /// Claims the refresh token, shows that what it buys can be saved, and goes on to send it.
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
                // Where the login shows by itself whom it is for, that is enough.
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
                // It may be an old copy that is about to be replaced again, for which the lock is needed.
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

    /// Remembers what is about to be sent, for a while: a process that lives long sends many.
    fn spends(&self, of: Fingerprint) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.push(of);
        if spent.len() > SPENT {
            spent.remove(0);
        }
    }

    /// Whether another state of the entry than `of` is seen within `patience`.
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

    /// The entry after the server has said no to it: as soon as another program has changed it, else as it is.
    fn after_a_rejection(&self, recheck: &ReloadAfterRejection) -> Option<Session> {
        let mut left = RetryTime::new(RECHECKING);
        loop {
            let entry = self.load();
            // What cannot be read now is as good as unchanged.
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

    /// Whether the rest of a refresh belongs in a process of its own.
    fn is_detaching(&self, ground: &RefreshContext) -> bool {
        ground.lock.is_some() && self.may_detach(ground)
    }

    fn may_detach(&self, ground: &RefreshContext) -> bool {
        // What was bought and could not be saved is known to this process alone; the store holds what is spent.
        let is_stored = self.unsaved().is_none();
        self.detached.is_some() && !ground.stays && is_stored
    }

    /// Has the refresh carried out by a process that outlives this one. `None` if it cannot be done there.
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
