//! Sends requests: a trait for a single attempt, and the rules for retries.

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

/// Sends one HTTP request and returns its response, whatever the status. One transport serves metadata, code
/// exchange and refresh, so that proxies and certificates are configured in one place.
///
/// It is called within a tokio runtime, but not always the same one. Metadata requests, and
/// requests before the user is involved, are sent on the caller's runtime. Requests that spend
/// something (a refresh token, an authorization code, a device code) are sent from a thread of
/// their own, on a small single-threaded runtime that ends with the flight
/// ([`Flight`](crate::Flight)). So neither a caller nor the end of a caller's runtime can cancel
/// them. For that reason an implementation must not keep connections or tasks that a request on
/// another runtime depends on: the first runtime may be blocked or gone. A panic is reported as a
/// panic, and not as a transient failure.
///
/// An implementation must:
///
/// - send the request's [method](HttpRequest::method), [headers](HttpRequest::headers) and
///   [body](HttpRequest::body);
/// - follow only the redirects that [the request allows](HttpRequest::redirects);
/// - respect its [route](HttpRequest::route);
/// - read no more of the response body than [`HttpRequest::limit`];
/// - send no cookies;
/// - return the response header fields that [are kept](HttpResponse::HEADERS);
/// - keep the query, the body and the headers out of its errors.
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
    /// Fails if no response arrived. The failure says whether the request may have reached the server.
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportFailure>;

    /// Describes the route to `url`, as far as settings determine it: the proxy and the trusted certificates.
    ///
    /// A caller that remembers that a host was unreachable compares this text, because the failure
    /// says nothing about another route. It contains no passwords, and is only meant for comparing.
    fn way(&self, url: &Url) -> String {
        let _ = url;
        String::new()
    }

    /// Sends `request` once, and waits until `clock` shows `end`.
    ///
    /// A transport that knows which part of the response has arrived by then returns it with its
    /// failure ([`TransportFailure::with_partial`]). It does the same if the connection breaks
    /// within the response, or if the response is too large. After a refresh token was spent, that
    /// part may be all that is left of a login.
    ///
    /// # Errors
    /// Fails like [`Transport::send`], or if the time is up.
    async fn send_within(
        &self,
        request: &HttpRequest,
        clock: &mut AwakeClock,
        end: Duration,
    ) -> Result<HttpResponse, TransportFailure> {
        let late = || Err(TransportFailure::new(TransportFailureKind::TimedOut));
        clock.wait(end, self.send(request)).await.unwrap_or_else(late)
    }

    /// Like [`send_within`](Self::send_within), but also limits the time for connecting, if the
    /// transport can tell connecting from waiting for a response. A request that has not started to
    /// leave by then fails as [not sent](TransportFailureKind::NotSent).
    ///
    /// # Errors
    /// Fails like [`Transport::send_within`].
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

/// The time limits for sending a request once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestLimits {
    /// How long it may take until the request starts to leave. `None` leaves that to the transport.
    pub connect: Option<Duration>,
    /// What the clock shows when waiting ends.
    pub end: Duration,
}

impl RequestLimits {
    /// Limits only the total time.
    ///
    /// ```
    /// use std::time::Duration;
    /// let limits = u2m_http::RequestLimits::until(Duration::from_secs(10));
    /// assert_eq!(limits.connect, None);
    /// ```
    pub fn until(end: Duration) -> Self {
        Self { connect: None, end }
    }

    /// Sets how long it may take until the request starts to leave.
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

/// How often to retry a request, and how long to try.
///
/// ```
/// use std::time::Duration;
/// let patience = u2m_http::RetryPolicy::default().with_budget(Duration::from_secs(3));
/// assert_eq!(patience.budget, Duration::from_secs(3));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How long to wait for the response to a request that spends something (a refresh token, an
    /// authorization code, a device code), counted from sending it: 90 seconds.
    ///
    /// If the response is lost, so is what the server has issued. Therefore this does not depend on
    /// how long a caller wants to wait: a caller that cannot wait lets the call go on without it.
    pub answer: Duration,
    /// The time for a call that spends nothing, including pauses and retries, and the time within which any retry
    /// must start: 10 seconds, which is less than the time that a lock is waited for.
    pub budget: Duration,
    /// How long it may take until a request starts to leave: name lookup, connection and TLS. A
    /// request that has not left by then was certainly not sent, and is retried even if it spends
    /// something. `None` leaves this to the transport, which may also have a shorter limit: 5
    /// seconds for [`ReqwestTransport`](crate::ReqwestTransport).
    pub connect: Option<Duration>,
    /// The time for one attempt of a request that spends nothing. `None` allows each attempt the
    /// rest of the budget.
    pub attempt: Option<Duration>,
    /// Whether a request that spends nothing is also retried after a 500 and after an attempt that
    /// timed out. The default is `false`, because a user is waiting.
    pub insists: bool,
    /// How often a request may be retried: twice.
    pub repeats: u32,
    /// The first pause before a retry: 250 milliseconds. It doubles each time, and half of it is random.
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
    /// A policy for programs that obtain tokens without a user: 10 seconds to connect, 30 for an
    /// attempt, and 60 for all three attempts. A caller may wait for less. The time for requests
    /// that spend something is unchanged.
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

    /// Sets how long it may take until a request starts to leave.
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

    /// Sets the time for one attempt of a request that spends nothing. The request is then also
    /// retried after that time, and after a 500.
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

    /// Sets how long to wait for the response to a request that spends something.
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

    /// Sets the time for a call that spends nothing, and the time within which any retry must start.
    #[must_use]
    pub fn with_budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// Sets how often a request may be retried.
    #[must_use]
    pub fn with_repeats(mut self, repeats: u32) -> Self {
        self.repeats = repeats;
        self
    }
}

/// Sends the request of a call, retries it within the rules, and takes the next step of the flow.
///
/// It stops when the request is answered, may not be retried, or its time is up. The core decides
/// whether a request may be retried; `patience` decides how often and how long. Time counts only
/// while this process runs ([`AwakeClock`]). Must be called within a tokio runtime.
///
/// # Errors
/// Fails with the error with which the core ends the flow.
pub async fn drive<S: AwaitsResponse>(
    transport: &dyn Transport,
    call: HttpCall<S>,
    patience: &RetryPolicy,
) -> Result<S::Next, S::Error> {
    drive_by(&Clock::system(), transport, call, patience).await
}

/// Like [`drive`], for a program with its own clock, which determines when a request was sent. The
/// time limits do not depend on that clock.
///
/// # Errors
/// Fails like [`drive`].
pub async fn drive_by<S: AwaitsResponse>(
    program: &Clock,
    transport: &dyn Transport,
    call: HttpCall<S>,
    patience: &RetryPolicy,
) -> Result<S::Next, S::Error> {
    let mut clock = AwakeClock::default();
    let mut repeated = 0;
    // For requests that spend something: the response to an earlier attempt. It says more than a
    // later attempt that reached no server.
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

/// Returns the pause: at least as long as the server asked for, and randomized so that clients do
/// not retry at once.
fn pause_before(
    attempt: u32,
    patience: &RetryPolicy,
    outcome: &Result<HttpResponse, TransportFailure>,
) -> Duration {
    let longest = patience.pause.saturating_mul(1 << attempt.saturating_sub(1).min(6));
    // The nanoseconds of the clock are random enough to separate different clients.
    let nanos =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    let share = f64::from(nanos % 1_000) / 1_000.0;
    let chosen = longest.mul_f64(0.5 + share / 2.0);
    let asked = outcome.as_ref().ok().and_then(HttpResponse::retry_after);
    asked.map_or(chosen, |asked| asked.max(chosen))
}
