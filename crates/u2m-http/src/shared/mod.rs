//! One token for all callers of this process: the token in hand, the one fetch under way, and what its outcome means for each
//! who waited for it. Nothing here knows where tokens come from; a [`Fetch`] does.
//!
//! ```text
//!   caller ── fresh in hand? ── yes ── token           (no lock, no allocation)
//!                  │ no
//!             good, and somebody fetches, or may fetch behind? ── token
//!                  │ no
//!             board: the fetch under way, or a new one ── wait ── does it answer my question? ── token or error
//!                  └──────────────────────────── no ────────────────────────┘
//! ```

pub(crate) mod clock;
mod fetch;
mod hand;
mod question;
mod rules;

pub use fetch::{Broken, Came, Fetch, FetchFuture, Fetched};
pub use rules::{Renewal, ShareRules};

use crate::flight::Flight;
use clock::{moment, now};
use hand::Hand;
use question::{Settled, settle};
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use u2m_core::{AccessToken, Ask, Moment, Token};

/// How often a fetch is begun anew whose runtime has ended.
const RUNTIMES: usize = 4;

type Outcome<F> = Result<Fetched<<F as Fetch>::Error>, <F as Fetch>::Error>;

/// One token, shared by all callers of a process: a fresh one is handed out without a lock, and one fetch serves all who need the
/// next. Cheap to clone; clones share everything.
///
/// ```
/// use std::sync::Arc;
/// use u2m_core::{AccessToken, Ask, Moment, Token};
/// use u2m_http::{Broken, Fetch, Fetched, ShareRules, Shared};
///
/// #[derive(Debug)]
/// struct Fixed;
///
/// impl Fetch for Fixed {
///     type Error = String;
///     fn fetch(self: Arc<Self>, _: &Ask, _: Moment) -> Result<Fetched<String>, String> {
///         Ok(Fetched::renewed(Token::new(AccessToken::new("a"), None)))
///     }
///     fn broken(&self, why: Broken) -> String {
///         format!("{why:?}")
///     }
///     fn out_of_time(&self, _: &Ask) -> Result<Fetched<String>, String> {
///         Err("too late".into())
///     }
///     fn may_stand_in(&self, _: &String) -> bool {
///         true
///     }
/// }
/// let shared = Shared::new(Fixed, ShareRules::default());
/// assert_eq!(shared.ask_blocking(Ask::Usable).unwrap().access_token().expose(), "a");
/// ```
pub struct Shared<F: Fetch>(Arc<Inner<F>>);

struct Inner<F: Fetch> {
    source: Arc<F>,
    rules: ShareRules,
    hand: Hand,
    /// The fetch under way or the last one, and what it was begun for.
    board: Mutex<Option<(Ask, Flight<Outcome<F>>)>>,
}

/// How a caller waits.
#[derive(Clone, Copy)]
enum Waiting {
    /// On its thread, which has nothing else to do.
    Thread,
    /// As a task among others.
    Task,
}

impl<F: Fetch> Clone for Shared<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F: Fetch> fmt::Debug for Shared<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&self.0.source).finish()
    }
}

impl<F: Fetch> Shared<F> {
    /// Shares what `source` fetches.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use u2m_core::{AccessToken, Ask, Moment, Token};
    /// # use u2m_http::{Broken, Fetch, Fetched, ShareRules, Shared};
    /// # #[derive(Debug)]
    /// # struct Fixed;
    /// # impl Fetch for Fixed {
    /// #     type Error = String;
    /// #     fn fetch(self: Arc<Self>, _: &Ask, _: Moment) -> Result<Fetched<String>, String> {
    /// #         Ok(Fetched::renewed(Token::new(AccessToken::new("a"), None)))
    /// #     }
    /// #     fn broken(&self, _: Broken) -> String { String::new() }
    /// #     fn out_of_time(&self, _: &Ask) -> Result<Fetched<String>, String> { Err(String::new()) }
    /// #     fn may_stand_in(&self, _: &String) -> bool { true }
    /// # }
    /// let shared = Shared::new(Fixed, ShareRules::default());
    /// assert!(shared.fresh().is_none(), "nothing is fetched before somebody asks");
    /// ```
    pub fn new(source: F, rules: ShareRules) -> Self {
        let (source, hand) = (Arc::new(source), Hand::new());
        Self(Arc::new(Inner { source, rules, hand, board: Mutex::new(None) }))
    }

    /// What fetches.
    pub fn source(&self) -> &Arc<F> {
        &self.0.source
    }

    /// The token in hand, if it is fresh: no lock, no allocation, no waiting.
    #[inline]
    pub fn fresh(&self) -> Option<Token> {
        self.0.hand.fresh()
    }

    /// The token in hand, if it is fresh and not `rejected`.
    pub fn fresh_other(&self, rejected: &Token) -> Option<Token> {
        self.fresh().filter(|token| token.access_token() != rejected.access_token())
    }

    /// The last token that was in hand, good or not.
    pub fn last_seen(&self) -> Option<AccessToken> {
        self.0.hand.latest_token().map(|token| token.access_token().clone())
    }

    /// Puts a token in hand that came by another way than a fetch: a login, say.
    pub fn put(&self, fetched: &Fetched<F::Error>) {
        self.0.take(fetched, None);
    }

    /// Lets go of the token in hand: whoever asks next asks the source.
    pub fn forget(&self) {
        self.0.hand.clear(self.0.hand.generation());
    }

    /// The first look on the caller's own thread: a token that the source keeps and that is fresh. `None`: it has to be fetched.
    ///
    /// # Errors
    /// As [`Fetch::stored`].
    pub fn stored(&self) -> Result<Option<Token>, F::Error> {
        let since = self.0.hand.generation();
        let Some(fetched) = self.0.source.stored()? else { return Ok(None) };
        Ok(self.0.take(&fetched, Some(since)).then_some(fetched.token))
    }

    /// Whether somebody is fetching a token at this moment.
    pub fn is_fetching(&self) -> bool {
        self.0.is_fetching()
    }

    /// What is asked for: the token in hand where that answers it, else by the fetch under way or a new one. Dropping the future
    /// ends the wait and nothing else.
    ///
    /// # Errors
    /// As [`Fetch::fetch`].
    pub async fn ask(&self, ask: Ask) -> Result<Token, F::Error> {
        self.0.ask(ask, Waiting::Task).await
    }

    /// The same for plain code. A token that is fresh where the source keeps it is handed out on this very thread.
    ///
    /// # Errors
    /// As there.
    pub fn ask_blocking(&self, ask: Ask) -> Result<Token, F::Error> {
        if ask == Ask::Usable {
            if let Some(token) = self.fresh() {
                return Ok(token);
            }
            // While somebody fetches the next token the source has nothing better to say.
            if !self.is_fetching() {
                match self.stored() {
                    Ok(Some(token)) => return Ok(token),
                    Ok(None) => {}
                    Err(error) => return self.0.or_in_hand(&ask, Err(error)),
                }
            }
        }
        at_once(self.0.ask(ask, Waiting::Thread))
    }
}

impl<F: Fetch> Inner<F> {
    /// Carries one question to its answer.
    async fn ask(self: &Arc<Self>, ask: Ask, waiting: Waiting) -> Result<Token, F::Error> {
        let (asked_at, start) = (moment(), Instant::now());
        let mut ended = 0;
        loop {
            if let Some(token) = self.good_meanwhile(&ask, asked_at)? {
                return Ok(token);
            }
            let (flight, asked) = self.board(&ask, asked_at, false)?;
            let landed = match (self.rules.wait, waiting) {
                (None, Waiting::Task) => Some(flight.wait().await),
                (None, Waiting::Thread) => Some(flight.wait_blocking()),
                (Some(limit), waiting) => {
                    let left = limit.saturating_sub(start.elapsed());
                    match waiting {
                        Waiting::Task => waited(flight.clone(), left).await,
                        Waiting::Thread => flight.wait_blocking_for(left),
                    }
                }
            };
            let Some(landed) = landed else { return self.out_of_time(&ask) };
            let outcome = match landed {
                Some(outcome) => self.held_against_the_clock(outcome),
                None if flight.has_panicked() => Err(self.source.broken(Broken::Panicked)),
                // The caller whose runtime it ran on is gone; those of another begin anew.
                None if ended < RUNTIMES => {
                    ended += 1;
                    continue;
                }
                None => Err(self.source.broken(Broken::RuntimeEnded)),
            };
            match settle(self.source.as_ref(), &ask, &asked, outcome) {
                Settled::Is(outcome) => return self.or_in_hand(&ask, outcome),
                // Somebody else's fetch answered another question. The next one is our own, or is begun after ours.
                Settled::Again => {}
            }
        }
    }

    /// The old token, while it is good and somebody else fetches the next one, or while that is done behind.
    fn good_meanwhile(
        self: &Arc<Self>,
        ask: &Ask,
        asked_at: Moment,
    ) -> Result<Option<Token>, F::Error> {
        if *ask != Ask::Usable {
            return Ok(None);
        }
        if let Some(token) = self.hand.fresh() {
            return Ok(Some(token));
        }
        let Some(token) = self.hand.good(self.rules.freshness.skew) else { return Ok(None) };
        if self.is_fetching() {
            return Ok(Some(token));
        }
        match self.rules.renewal {
            Renewal::Wait => Ok(None),
            Renewal::Behind => self.board(ask, asked_at, true).map(|_| Some(token)),
        }
    }

    /// A fetch to wait for, and what it was begun for: the one under way, or a new one with the caller's own question.
    fn board(
        self: &Arc<Self>,
        ask: &Ask,
        asked_at: Moment,
        is_behind: bool,
    ) -> Result<(Flight<Outcome<F>>, Ask), F::Error> {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((asked, running)) = board.as_ref().filter(|(_, flight)| !flight.is_over()) {
            return Ok((running.clone(), asked.clone()));
        }
        let since = self.hand.generation();
        let task = tokio::runtime::Handle::try_current().ok().and_then(|runtime| {
            let task = Arc::clone(&self.source).task(ask, asked_at)?;
            Some((runtime, task))
        });
        let (inner, question) = (Arc::clone(self), ask.clone());
        let started = match task {
            Some((runtime, task)) => Ok(Flight::on(&runtime, async move {
                let outcome = task.await;
                inner.landed(&outcome, since, is_behind);
                outcome
            })),
            None => Flight::start("u2m-refresh", move || {
                let outcome = Arc::clone(&inner.source).fetch(&question, asked_at);
                inner.landed(&outcome, since, is_behind);
                outcome
            }),
        };
        let started = started.map_err(|error| self.source.broken(Broken::NoThread(error)))?;
        *board = Some((ask.clone(), started.clone()));
        Ok((started, ask.clone()))
    }

    /// Puts what was fetched in hand, before anybody hears of it. A failure behind the callers is told by nobody: the old token
    /// does for a while, or the next who asks is told.
    fn landed(&self, outcome: &Outcome<F>, since: u64, is_behind: bool) {
        match outcome {
            Ok(fetched) => {
                self.take(fetched, fetched.gives_way.then_some(since));
            }
            Err(error) if is_behind => {
                if !self.source.may_stand_in(error) || self.stand_in().is_none() {
                    self.hand.clear(since);
                }
            }
            Err(_) => {}
        }
    }

    /// Puts a token in hand; whether it is any good. One that is known to be dead is not handed out for longer because the wall
    /// clock was set back.
    fn take(&self, fetched: &Fetched<F::Error>, since: Option<u64>) -> bool {
        let until = fetched.fresh_until.map_or(i64::MAX, |until| until.unix());
        let is_dead = self.hand.is_known_dead(&fetched.token, self.rules.freshness.skew);
        if !is_dead {
            self.hand.set(fetched.token.clone(), until, since);
        }
        !is_dead
    }

    /// What was kept because nothing newer was to be had is of no use once it is dead by the clock that nobody sets.
    fn held_against_the_clock(&self, outcome: Outcome<F>) -> Outcome<F> {
        match outcome {
            Ok(Fetched { token, came: Came::Kept(error), .. })
                if self.hand.is_known_dead(&token, self.rules.freshness.skew) =>
            {
                Err(error)
            }
            outcome => outcome,
        }
    }

    fn is_fetching(&self) -> bool {
        self.board
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .is_some_and(|(_, flight)| !flight.is_over())
    }

    /// What came of it; or the old token while it is good, where the source could not say.
    fn or_in_hand(&self, ask: &Ask, outcome: Result<Token, F::Error>) -> Result<Token, F::Error> {
        match outcome {
            Err(error) if *ask == Ask::Usable && self.source.may_stand_in(&error) => {
                self.stand_in().ok_or(error)
            }
            outcome => outcome,
        }
    }

    /// The token in hand while it is good, for a while, before the next try.
    fn stand_in(&self) -> Option<Token> {
        let (since, rules) = (self.hand.generation(), &self.rules.freshness);
        let token = self.hand.good(rules.skew)?;
        let end = token.expiry().map_or(i64::MAX, |expiry| expiry.minus(rules.skew).unix());
        if end <= now().unix() {
            return None;
        }
        self.hand.set(token.clone(), now().plus(rules.pause).unix().min(end), Some(since));
        Some(token)
    }

    fn out_of_time(&self, ask: &Ask) -> Result<Token, F::Error> {
        let since = self.hand.generation();
        let fetched = self.held_against_the_clock(self.source.out_of_time(ask))?;
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
fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("it waits on its thread"),
    }
}

#[cfg(test)]
mod tests;
