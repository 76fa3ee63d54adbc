//! The board that all callers of a process look at: the one fetch under way, what it was begun for, and what becomes of who waits
//! for it.

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

/// How often a fetch is begun anew whose runtime has ended.
pub(super) const RUNTIMES: usize = 4;

pub(super) type FetchOutcome<F> = Result<Fetched<<F as Fetch>::Error>, <F as Fetch>::Error>;

/// What all clones share.
pub(super) struct SharedTokenInner<F: Fetch> {
    pub(super) source: Arc<F>,
    pub(super) rules: ShareRules,
    pub(super) hand: TokenSlot,
    /// The fetch under way or the last one, and what it was begun for.
    board: Mutex<Option<(TokenCriteria, Flight<FetchOutcome<F>>)>>,
}

/// How a caller waits.
#[derive(Clone, Copy)]
pub(super) enum CallerWait {
    /// On its thread, which has nothing else to do.
    Thread,
    /// As a task among others.
    Task,
}

impl<F: Fetch> SharedTokenInner<F> {
    pub(super) fn new(source: F, rules: ShareRules) -> Self {
        let hand = TokenSlot::by(rules.clock.clone(), !rules.is_one_of_many);
        Self { source: Arc::new(source), rules, hand, board: Mutex::new(None) }
    }

    /// Carries one question to its answer.
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
                // The caller whose runtime it ran on is gone; those of another begin anew.
                None if ended < RUNTIMES => {
                    ended += 1;
                    continue;
                }
                None => Err(self.source.broken(FetchAborted::RuntimeEnded)),
            };
            let now = self.rules.clock.now();
            match settle(self.source.as_ref(), &question, &asked, outcome, now) {
                Fit::Is(outcome) => return self.or_in_hand(&question, outcome),
                // Somebody else's fetch answered another question. The next one is our own, or is begun after ours.
                Fit::Again => {}
            }
        }
    }

    /// The token in hand where it answers the question, and needs no other way in: a fresh one takes no lock.
    #[inline]
    pub(super) fn fresh_for(&self, question: &TokenCriteria) -> Option<Token> {
        let token = match &question.ask {
            WhichToken::Usable => self.hand.fresh()?,
            WhichToken::Newer(Some(seen)) | WhichToken::Other(seen) => self.fresh_besides(seen)?,
            _ => return None,
        };
        match question.at_least <= Lifetime::ZERO {
            true => Some(token),
            // By both clocks, and no longer than there are tokens that live as long.
            false => self.hand.good(&self.rules.freshness, question.at_least),
        }
    }

    pub(super) fn fresh_besides(&self, seen: &AccessToken) -> Option<Token> {
        self.hand.fresh().filter(|token| token.access_token() != seen)
    }

    /// The token in hand where that will do; or the old one, while it is good and somebody else fetches the next one, or while
    /// that is done behind.
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

    /// A fetch to wait for, and what it was begun for: the one under way, or a new one with the caller's own question.
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

    /// Puts what was fetched in hand, before anybody hears of it. A failure behind the callers is told by nobody: the old token
    /// does for a while, or the next who asks is told.
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

    /// Puts a token in hand; whether it is any good. One that is known to be dead is not handed out for longer because the wall
    /// clock was set back.
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

    /// What was kept because nothing newer was to be had is of no use once it is dead by the clock that nobody sets.
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

    /// What came of it; or the old token while it is good, where the source could not say.
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

    /// The token in hand while it is good for a caller who needs `at_least`, for a while, before the next try.
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

    /// Of a token that is dead although the wall clock says otherwise, any other is asked for: a source that goes by the wall
    /// clock would hand it out again.
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

/// What the flight brings within `left`; `None` if the time is over first. On a thread of its own, because a caller may be on any
/// runtime, or on none.
async fn waited<T: Clone + Send + 'static>(flight: Flight<T>, left: Duration) -> Option<Option<T>> {
    let wait = Flight::start("u2m-wait", move || flight.wait_blocking_for(left));
    // Where the system has no thread to give, the caller is told at once; the flight goes on.
    wait.ok()?.wait().await.flatten()
}

/// The outcome of `work`, which waits on its thread wherever it waits, so that it never has to be polled again.
pub(super) fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("it waits on its thread"),
    }
}
