//! How requests leave: a trait of one method, and the rules for sending again.

use crate::awake::AwakeClock;
use crate::shared::Clock;
use async_trait::async_trait;
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use u2m_core::{
    AwaitsResponse, HttpCall, HttpRequest, HttpResponse, Replay, TransportFailure,
    TransportFailureKind,
};
use url::Url;

/// Sends one request and brings its answer, whatever its status. One transport serves metadata, code exchange and
/// refresh, so that proxies and certificates are set in one place.
///
/// It is called within a tokio runtime, and not always the same one. What a login asks before a person is asked, and its metadata,
/// are sent on the caller's runtime. What spends something (a refresh token, an authorization code, a device's code) is sent from
/// a thread of its own, by a small runtime of one thread that ends with the flight ([`Flight`](crate::Flight)): no caller and no end
/// of a caller's runtime can cancel it. Connections and tasks that an implementation keeps must therefore not be needed by a
/// request on another runtime, which may stand still or be gone.
/// A panic is told as one, and not as a failure that may pass.
///
/// An implementation sends the request's [method](HttpRequest::method), [headers](HttpRequest::headers) and
/// [body](HttpRequest::body), follows no other redirects than [it allows](HttpRequest::redirects), keeps to its
/// [route](HttpRequest::route), reads no more of a body than [`HttpRequest::limit`], sends no cookies, hands over those fields of
/// the answer's head that [are kept](HttpResponse::HEADERS), and keeps query, body and headers out of its errors.
///
/// ```
/// use async_trait::async_trait;
/// use u2m_core::{HttpResponse, HttpRequest, TransportFailure};
/// use u2m_http::Transport;
///
/// #[derive(Debug)]
/// struct Always404;
///
/// #[async_trait]
/// impl Transport for Always404 {
///     async fn send(&self, _: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
///         Ok(HttpResponse::new(404, Vec::new()))
///     }
/// }
/// ```
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends `request` once.
    ///
    /// # Errors
    /// No answer arrived; the failure says whether the request may have reached the server.
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportFailure>;

    /// By which way a request to `url` leaves, and whom it trusts on it, as far as that is a matter of settings: for whoever
    /// remembers that a host was not reached, which says nothing of another way. Without passwords, and for comparing alone.
    fn way(&self, url: &Url) -> String {
        let _ = url;
        String::new()
    }

    /// Sends `request` once, and waits until `clock` shows `end`. A transport that knows what has arrived by then hands it over
    /// with its failure ([`TransportFailure::with_partial`]), as it does when the connection breaks within the answer, or the
    /// answer is too large: after a spent refresh token, that may be all that is left of a login.
    ///
    /// # Errors
    /// As [`Transport::send`]; or the time was up.
    async fn send_within(
        &self,
        request: &HttpRequest,
        clock: &mut AwakeClock,
        end: Duration,
    ) -> Result<HttpResponse, TransportFailure> {
        let late = || Err(TransportFailure::new(TransportFailureKind::TimedOut));
        clock.wait(end, self.send(request)).await.unwrap_or_else(late)
    }

    /// As [`send_within`](Self::send_within), with a limit for connecting too, where a transport can tell that from waiting for an
    /// answer: a request that has not begun to leave by then is given up as
    /// [not sent](TransportFailureKind::NotSent).
    ///
    /// # Errors
    /// As [`Transport::send_within`].
    async fn send_bounded(
        &self,
        request: &HttpRequest,
        clock: &mut AwakeClock,
        limits: RequestLimits,
    ) -> Result<HttpResponse, TransportFailure> {
        self.send_within(request, clock, limits.end).await
    }
}

macro_rules! pass_on {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<T: Transport + ?Sized> Transport for $pointer {
            async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
                (**self).send(request).await
            }

            fn way(&self, url: &Url) -> String {
                (**self).way(url)
            }

            async fn send_within(
                &self,
                request: &HttpRequest,
                clock: &mut AwakeClock,
                end: Duration,
            ) -> Result<HttpResponse, TransportFailure> {
                (**self).send_within(request, clock, end).await
            }

            async fn send_bounded(
                &self,
                request: &HttpRequest,
                clock: &mut AwakeClock,
                limits: RequestLimits,
            ) -> Result<HttpResponse, TransportFailure> {
                (**self).send_bounded(request, clock, limits).await
            }
        }
    )*};
}

pass_on!(Arc<T>, Box<T>, &T);

/// Within which limits a request is sent once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestLimits {
    /// How long it may take until it begins to leave; `None` leaves that to the transport.
    pub connect: Option<Duration>,
    /// What the clock shows when it is not waited for any longer.
    pub end: Duration,
}

impl RequestLimits {
    /// One limit for all.
    ///
    /// ```
    /// use std::time::Duration;
    /// let limits = u2m_http::RequestLimits::until(Duration::from_secs(10));
    /// assert_eq!(limits.connect, None);
    /// ```
    pub fn until(end: Duration) -> Self {
        Self { connect: None, end }
    }

    /// Sets how long it may take until the request begins to leave.
    ///
    /// ```
    /// use std::time::Duration;
    /// let limits = u2m_http::RequestLimits::until(Duration::MAX).with_connect(Some(Duration::from_secs(2)));
    /// assert_eq!(limits.connect, Some(Duration::from_secs(2)));
    /// ```
    #[must_use]
    pub fn with_connect(mut self, connect: Option<Duration>) -> Self {
        self.connect = connect;
        self
    }
}

/// How long to try, and how often.
///
/// ```
/// use std::time::Duration;
/// let patience = u2m_http::RetryPolicy::default().with_budget(Duration::from_secs(3));
/// assert_eq!(patience.budget, Duration::from_secs(3));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// For the answer of a request that spends something (a refresh token, an authorization code, a device's code), counted
    /// from its sending on: 90 seconds. What the server has issued is lost with its answer, so that this is no matter of a
    /// caller's hurry: whoever cannot wait lets the call go on without being waited for.
    pub answer: Duration,
    /// For all that spends nothing, waits and repetitions included, and for beginning any repetition: 10 seconds, which is
    /// less than a lock is waited for.
    pub budget: Duration,
    /// How long it may take until a request begins to leave: the name, the connection, TLS. What has not left by then was certainly
    /// not sent, and is repeated whatever it spends. `None` leaves it to the transport, which may also have a shorter limit of its own:
    /// 5 seconds for [`ReqwestTransport`](crate::ReqwestTransport).
    pub connect: Option<Duration>,
    /// For one attempt of what spends nothing; `None` gives each as much as is left of the budget.
    pub attempt: Option<Duration>,
    /// Whether what spends nothing is repeated after a 500 and after an attempt that was not answered in time, too: no, because a
    /// person waits.
    pub insists: bool,
    /// How often a request that may be repeated is repeated: twice.
    pub repeats: u32,
    /// The first wait before a repetition, doubled each time, of which half is left to chance: 250 milliseconds.
    pub pause: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(90),
            budget: Duration::from_secs(10),
            connect: None,
            attempt: None,
            insists: false,
            repeats: 2,
            pause: Duration::from_millis(250),
        }
    }
}

impl RetryPolicy {
    /// For machines that mint tokens by themselves: 10 seconds to connect, 30 for an attempt and 60 for all three of them, of which
    /// a caller may wait for less. What spends something is awaited as ever.
    ///
    /// ```
    /// let patience = u2m_http::RetryPolicy::of_machines();
    /// assert!(patience.insists && patience.answer == u2m_http::RetryPolicy::default().answer);
    /// ```
    pub fn of_machines() -> Self {
        Self {
            budget: Duration::from_secs(60),
            connect: Some(Duration::from_secs(10)),
            attempt: Some(Duration::from_secs(30)),
            insists: true,
            ..Self::default()
        }
    }

    /// Sets how long it may take until a request begins to leave.
    ///
    /// ```
    /// use std::time::Duration;
    /// let patience = u2m_http::RetryPolicy::default().with_connect(Duration::from_secs(1));
    /// assert_eq!(patience.connect, Some(Duration::from_secs(1)));
    /// ```
    #[must_use]
    pub fn with_connect(mut self, connect: Duration) -> Self {
        self.connect = Some(connect);
        self
    }

    /// Sets how long one attempt of what spends nothing is awaited, and has it repeated after that, and after a 500.
    ///
    /// ```
    /// use std::time::Duration;
    /// let patience = u2m_http::RetryPolicy::default().with_attempt(Duration::from_secs(3));
    /// assert!(patience.insists && patience.attempt == Some(Duration::from_secs(3)));
    /// ```
    #[must_use]
    pub fn with_attempt(mut self, attempt: Duration) -> Self {
        self.attempt = Some(attempt);
        self.insists = true;
        self
    }

    /// Sets how long the answer of a request is awaited that spends something.
    ///
    /// ```
    /// use std::time::Duration;
    /// let patience = u2m_http::RetryPolicy::default().with_answer(Duration::from_secs(180));
    /// assert_eq!(patience.answer, Duration::from_secs(180));
    /// ```
    #[must_use]
    pub fn with_answer(mut self, answer: Duration) -> Self {
        self.answer = answer;
        self
    }

    /// Sets the time for one call that spends nothing, and for beginning any repetition.
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

/// Sends a call's request until it is answered, may not be repeated or its time is up, and takes the next step. Of the rules
/// for repeating, the core decides whether, and `patience` how often and how long; time counts while this process runs
/// ([`AwakeClock`]). Runs within a tokio runtime.
///
/// # Errors
/// How the flow ends, by the core's word.
pub async fn drive<S: AwaitsResponse>(
    transport: &dyn Transport,
    call: HttpCall<S>,
    patience: &RetryPolicy,
) -> Result<S::Next, S::Error> {
    drive_by(&Clock::system(), transport, call, patience).await
}

/// As [`drive`], for a program with a clock of its own: what was sent was sent at its time. Limits are time that passes, by no
/// clock that is set.
///
/// # Errors
/// As there.
pub async fn drive_by<S: AwaitsResponse>(
    program: &Clock,
    transport: &dyn Transport,
    call: HttpCall<S>,
    patience: &RetryPolicy,
) -> Result<S::Next, S::Error> {
    let mut clock = AwakeClock::default();
    let mut repeated = 0;
    // Where something is spent: what was said to it before, which tells more than that nobody could be reached afterwards.
    let mut told = None;
    let may_follow = |last: &Result<HttpResponse, TransportFailure>| match patience.insists {
        true => call.replay().may_follow_insisting(last),
        false => call.replay().may_follow(last),
    };
    loop {
        let sent_at = program.now();
        let end = match call.replay() {
            Replay::Safe => {
                let attempt = patience.attempt.unwrap_or(Duration::MAX);
                clock.elapsed().saturating_add(attempt).min(patience.budget)
            }
            Replay::IfNotProcessed | Replay::Unsafe => {
                clock.elapsed().saturating_add(patience.answer)
            }
        };
        let limits = RequestLimits::until(end).with_connect(patience.connect);
        let outcome = transport.send_bounded(call.request(), &mut clock, limits).await;
        let next = clock.elapsed().saturating_add(pause_before(repeated + 1, patience, &outcome));
        if repeated == patience.repeats || !may_follow(&outcome) || next >= patience.budget {
            let is_not_sent =
                matches!(&outcome, Err(failure) if failure.kind() == TransportFailureKind::NotSent);
            let (outcome, sent_at) = told.filter(|_| is_not_sent).unwrap_or((outcome, sent_at));
            return call.answered(outcome, sent_at);
        }
        if call.replay() != Replay::Safe && outcome.is_ok() {
            told = Some((outcome, sent_at));
        }
        repeated += 1;
        clock.wait(next, pending::<()>()).await;
    }
}

/// At least what the server asked for, and never the same for all who wait.
fn pause_before(
    attempt: u32,
    patience: &RetryPolicy,
    outcome: &Result<HttpResponse, TransportFailure>,
) -> Duration {
    let longest = patience.pause.saturating_mul(1 << attempt.saturating_sub(1).min(6));
    // The clock's nanoseconds are chance enough to keep strangers apart.
    let nanos =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    let share = f64::from(nanos % 1_000) / 1_000.0;
    let chosen = longest.mul_f64(0.5 + share / 2.0);
    let asked = outcome.as_ref().ok().and_then(HttpResponse::retry_after);
    asked.map_or(chosen, |asked| asked.max(chosen))
}
