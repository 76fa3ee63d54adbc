//! How requests leave: a trait of one method, and the rules for sending again.

use async_trait::async_trait;
use std::fmt;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep, timeout_at};
use u2m_core::{
    Answer, Awaits, HttpCall, HttpRequest, Timestamp, TransportFailure, TransportFailureKind,
};

/// Sends one request and brings its answer, whatever its status. One transport serves metadata, code exchange and
/// refresh, so that proxies and certificates are set in one place.
///
/// An implementation sends the request's [headers](HttpRequest::headers), follows no redirect of a POST and at most
/// same-origin ones of a GET, reads no more of a body than
/// [`HttpRequest::limit`], sends no cookies, and keeps query, body and headers out of its errors.
///
/// ```
/// use async_trait::async_trait;
/// use u2m_core::{Answer, HttpRequest, TransportFailure};
/// use u2m_http::Transport;
///
/// #[derive(Debug)]
/// struct Always404;
///
/// #[async_trait]
/// impl Transport for Always404 {
///     async fn send(&self, _: &HttpRequest) -> Result<Answer, TransportFailure> {
///         Ok(Answer::new(404, Vec::new()))
///     }
/// }
/// ```
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends `request` once.
    ///
    /// # Errors
    /// No answer arrived; the failure says whether the request may have reached the server.
    async fn send(&self, request: &HttpRequest) -> Result<Answer, TransportFailure>;
}

/// How long to try, and how often.
///
/// ```
/// use std::time::Duration;
/// let patience = u2m_http::Patience::default().with_budget(Duration::from_secs(3));
/// assert_eq!(patience.budget, Duration::from_secs(3));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Patience {
    /// For one call, waits and repetitions included: 10 seconds, which is less than a lock is waited for.
    pub budget: Duration,
    /// How often a request that may be repeated is repeated: twice.
    pub repeats: u32,
    /// The first wait before a repetition, doubled each time, of which half is left to chance: 250 milliseconds.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { budget: Duration::from_secs(10), repeats: 2, pause: Duration::from_millis(250) }
    }
}

impl Patience {
    /// Sets the time for one call.
    #[must_use]
    pub fn with_budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// Sets how often a request may be repeated.
    #[must_use]
    pub fn with_repeats(mut self, repeats: u32) -> Self {
        self.repeats = repeats;
        self
    }
}

/// As good as for ever, and still a time that a clock can show.
const ENDLESS: Duration = Duration::from_secs(1 << 32);

/// Sends a call's request until it is answered, may not be repeated or the budget is spent, and takes the next step. Of
/// the rules for repeating, the core decides whether, and `patience` how often. Runs within a tokio runtime.
///
/// # Errors
/// How the flow ends, by the core's word.
pub async fn drive<S: Awaits>(
    transport: &dyn Transport,
    call: HttpCall<S>,
    patience: &Patience,
) -> Result<S::Next, S::Error> {
    let start = Instant::now();
    let end = start.checked_add(patience.budget).unwrap_or_else(|| start + ENDLESS);
    let mut repeated = 0;
    loop {
        let sent_at = Timestamp::from(SystemTime::now());
        let late = |_| Err(TransportFailure::new(TransportFailureKind::TimedOut));
        let outcome = timeout_at(end, transport.send(call.request())).await.unwrap_or_else(late);
        let wait = pause_before(repeated + 1, patience, &outcome);
        if repeated == patience.repeats
            || !call.replay().may_follow(&outcome)
            || wait >= end.saturating_duration_since(Instant::now())
        {
            return call.answered(outcome, sent_at);
        }
        repeated += 1;
        sleep(wait).await;
    }
}

/// At least what the server asked for, and never the same for all who wait.
fn pause_before(
    attempt: u32,
    patience: &Patience,
    outcome: &Result<Answer, TransportFailure>,
) -> Duration {
    let longest = patience.pause.saturating_mul(1 << attempt.saturating_sub(1).min(6));
    // The clock's nanoseconds are chance enough to keep strangers apart.
    let nanos =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    let share = f64::from(nanos % 1_000) / 1_000.0;
    let chosen = longest.mul_f64(0.5 + share / 2.0);
    let asked = outcome.as_ref().ok().and_then(Answer::retry_after);
    asked.map_or(chosen, |asked| asked.max(chosen))
}
