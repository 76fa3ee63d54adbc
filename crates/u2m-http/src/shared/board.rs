//! Coordinates all callers of a process: the one fetch in progress, the question it was started
//! for, and its outcome for those who wait for it.

use super::fetch::{Fetch, FetchAborted, Fetched, FetchedFrom};
use super::question::{Fit, settle};
use super::rules::{Renewal, ShareRules};
use super::slot::TokenSlot;
use crate::flight::Flight;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use u2m_core::{AccessToken, Lifetime, Moment, Token, TokenCriteria, WhichToken};

/// How often a fetch is started again after its runtime has ended.
pub(super) const RUNTIMES: usize = 4;

pub(super) type FetchOutcome<F> = Result<Fetched<<F as Fetch>::Error>, <F as Fetch>::Error>;

/// The state that all clones share.
pub(super) struct SharedTokenInner<F: Fetch> {
    pub(super) source: Arc<F>,
    pub(super) rules: ShareRules,
    pub(super) hand: TokenSlot,
    /// The current or the last fetch, and the question it was started for.
    board: Mutex<Option<(TokenCriteria, Flight<FetchOutcome<F>>)>>,
}

/// How a caller waits.
#[derive(Clone, Copy)]
pub(super) enum CallerWait {
    /// Blocks its thread, which has nothing else to do.
    Thread,
    /// As one task among others.
    Task,
}

impl<F: Fetch> SharedTokenInner<F> {
    pub(super) fn new(source: F, rules: ShareRules) -> Self {
        let hand = TokenSlot::by(rules.clock.clone(), !rules.is_one_of_many);
        Self { source: Arc::new(source), rules, hand, board: Mutex::new(None) }
    }

    /// Answers one question.
    pub(super) async fn ask(
        self: &Arc<Self>,
        question: TokenCriteria,
        waiting: CallerWait,
    ) -> Result<Token, F::Error> {
        let question = self.besides_the_dead(question);
        let (asked_at, start) = (self.rules.clock.moment(), Instant::now());
        let mut ended = 0;
        loop {
            if let Some(token) = self.good_meanwhile(&question, asked_at)? {
                return Ok(token);
            }
            let (flight, asked) = self.board(&question, asked_at, false)?;
            let landed = match (self.rules.wait, waiting) {
                (None, CallerWait::Task) => Some(flight.wait().await),
                (None, CallerWait::Thread) => Some(flight.wait_blocking()),
                (Some(limit), waiting) => {
                    let left = limit.saturating_sub(start.elapsed());
                    match waiting {
                        CallerWait::Task => waited(flight.clone(), left).await,
                        CallerWait::Thread => flight.wait_blocking_for(left),
                    }
                }
            };
            let Some(landed) = landed else { return self.out_of_time(&question) };
            let outcome = match landed {
                Some(outcome) => self.held_against_the_clock(outcome),
                None if flight.has_panicked() => Err(self.source.broken(FetchAborted::Panicked)),
                // The caller on whose runtime it ran is gone. Callers on other runtimes start it again.
                None if ended < RUNTIMES => {
                    ended += 1;
                    continue;
                }
                None => Err(self.source.broken(FetchAborted::RuntimeEnded)),
            };
            let now = self.rules.clock.now();
            match settle(self.source.as_ref(), &question, &asked, outcome, now) {
                Fit::Is(outcome) => return self.or_in_hand(&question, outcome),
                // The fetch of another caller answered a different question. The next fetch is our
                // own, or starts later than our question.
                Fit::Again => {}
            }
        }
    }

    /// Returns the token in memory if it answers the question directly. Reading a fresh one takes no lock.
    #[inline]
    pub(super) fn fresh_for(&self, question: &TokenCriteria) -> Option<Token> {
        let token = match &question.ask {
            WhichToken::Usable => self.hand.fresh()?,
            WhichToken::Newer(Some(seen)) | WhichToken::Other(seen) => self.fresh_besides(seen)?,
            _ => return None,
        };
        match question.at_least <= Lifetime::ZERO {
            true => Some(token),
            // Valid by both clocks, but only as long as tokens that live that long exist.
            false => self.hand.good(&self.rules.freshness, question.at_least),
        }
    }

    pub(super) fn fresh_besides(&self, seen: &AccessToken) -> Option<Token> {
        self.hand.fresh().filter(|token| token.access_token() != seen)
    }

    /// Returns the token in memory if it answers the question; or the old one while it is valid, if
    /// the next one is being fetched by another caller or is fetched in the background.
    fn good_meanwhile(
        self: &Arc<Self>,
        question: &TokenCriteria,
        asked_at: Moment,
    ) -> Result<Option<Token>, F::Error> {
        if let Some(token) = self.fresh_for(question) {
            return Ok(Some(token));
        }
        if !question.is_for_any() {
            return Ok(None);
        }
        let good = self.hand.good(&self.rules.freshness, question.at_least);
        let Some(token) = good else { return Ok(None) };
        if self.is_fetching() {
            return Ok(Some(token));
        }
        match self.rules.renewal {
            Renewal::Wait => Ok(None),
            Renewal::Behind => self.board(question, asked_at, true).map(|_| Some(token)),
        }
    }

    /// Returns a fetch to wait for, and the question it was started for: the one in progress, or a
    /// new one for the caller's own question.
    fn board(
        self: &Arc<Self>,
        question: &TokenCriteria,
        asked_at: Moment,
        is_behind: bool,
    ) -> Result<(Flight<FetchOutcome<F>>, TokenCriteria), F::Error> {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((asked, running)) = board.as_ref().filter(|(_, flight)| !flight.is_over()) {
            return Ok((running.clone(), asked.clone()));
        }
        let since = self.hand.generation();
        let task = tokio::runtime::Handle::try_current().ok().and_then(|runtime| {
            let task = Arc::clone(&self.source).task(question, asked_at)?;
            Some((runtime, task))
        });
        let (inner, asked) = (Arc::clone(self), question.clone());
        let started = match task {
            Some((runtime, task)) => Ok(Flight::on(&runtime, async move {
                let outcome = task.await;
                inner.landed(&outcome, since, is_behind);
                outcome
            })),
            None => Flight::start("u2m-refresh", move || {
                let outcome = Arc::clone(&inner.source).fetch(&asked, asked_at);
                inner.landed(&outcome, since, is_behind);
                outcome
            }),
        };
        let started = started.map_err(|error| self.source.broken(FetchAborted::NoThread(error)))?;
        *board = Some((question.clone(), started.clone()));
        Ok((started, question.clone()))
    }

    /// Stores the fetched token before any caller gets it. A failure in the background is not
    /// reported: either the old token is used for a while, or the next caller gets the error.
    fn landed(&self, outcome: &FetchOutcome<F>, since: u64, is_behind: bool) {
        match outcome {
            Ok(fetched) => {
                self.take(fetched, fetched.gives_way.then_some(since));
            }
            Err(error) if is_behind => {
                let is_kept = || self.stand_in(Lifetime::ZERO).is_some();
                if !self.source.may_stand_in(error) || !is_kept() {
                    self.hand.clear(since);
                }
            }
            Err(_) => {}
        }
    }

    /// Stores a token, and returns whether it is usable. A token that is known to be invalid is not
    /// returned for longer because the wall clock was set back.
    pub(super) fn take(&self, fetched: &Fetched<F::Error>, since: Option<u64>) -> bool {
        let until = fetched.fresh_until.map_or(i64::MAX, |until| until.unix());
        let is_dead = self.hand.is_known_dead(&fetched.token, &self.rules.freshness);
        if !is_dead {
            let now = self.rules.clock.now();
            let left = || fetched.token.expiry().map(|expiry| now.until(expiry));
            let is_new = matches!(fetched.came, FetchedFrom::Renewed);
            let lifetime = fetched.lifetime.or_else(|| is_new.then(left).flatten());
            self.hand.set(fetched.token.clone(), lifetime, until, since);
        }
        !is_dead
    }

    /// An old token that was kept because no newer one could be fetched is of no use once it is
    /// invalid by the clock that cannot be set.
    fn held_against_the_clock(&self, outcome: FetchOutcome<F>) -> FetchOutcome<F> {
        match outcome {
            Ok(Fetched { token, came: FetchedFrom::Kept(error), .. })
                if self.hand.is_known_dead(&token, &self.rules.freshness) =>
            {
                Err(error)
            }
            outcome => outcome,
        }
    }

    pub(super) fn is_fetching(&self) -> bool {
        self.board
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .is_some_and(|(_, flight)| !flight.is_over())
    }

    /// Returns the outcome, or the old token while it is valid if the source failed.
    pub(super) fn or_in_hand(
        &self,
        question: &TokenCriteria,
        outcome: Result<Token, F::Error>,
    ) -> Result<Token, F::Error> {
        match outcome {
            Err(error) if question.is_for_any() && self.source.may_stand_in(&error) => {
                self.stand_in(question.at_least).ok_or(error)
            }
            outcome => outcome,
        }
    }

    /// Returns the token in memory while it is valid for a caller that needs `at_least`, and uses
    /// it for a while before the next attempt.
    fn stand_in(&self, at_least: Lifetime) -> Option<Token> {
        let (since, rules) = (self.hand.generation(), &self.rules.freshness);
        let (token, end) = self.hand.good_until(rules, at_least)?;
        let now = self.rules.clock.now();
        if end <= now.unix() {
            return None;
        }
        let until = now.plus(rules.pause).unix().min(end);
        self.hand.set(token.clone(), None, until, Some(since));
        Some(token)
    }

    /// If a token has expired but the wall clock says otherwise, asks for any other token, because
    /// a source that uses the wall clock would return the expired one again.
    pub(super) fn besides_the_dead(&self, question: TokenCriteria) -> TokenCriteria {
        if !question.is_for_any() {
            return question;
        }
        match self.hand.dead_unseen(&self.rules.freshness) {
            Some(dead) => {
                TokenCriteria::from(WhichToken::Other(dead)).with_at_least(question.at_least)
            }
            None => question,
        }
    }

    fn out_of_time(&self, question: &TokenCriteria) -> Result<Token, F::Error> {
        let since = self.hand.generation();
        let fetched = self.held_against_the_clock(self.source.out_of_time(question))?;
        self.take(&fetched, Some(since));
        Ok(fetched.token)
    }
}

/// Waits for the result of the flight, and returns `None` if `left` is over first. Uses a separate
/// thread, because the caller may be on any runtime or none.
async fn waited<T: Clone + Send + 'static>(flight: Flight<T>, left: Duration) -> Option<Option<T>> {
    let wait = Flight::start("u2m-wait", move || flight.wait_blocking_for(left));
    // If the system cannot start a thread, the caller does not wait. The flight goes on.
    wait.ok()?.wait().await.flatten()
}

/// Returns the outcome of `work`, which waits by blocking its thread, so that it is complete after one poll.
pub(super) fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("it waits on its thread"),
    }
}
