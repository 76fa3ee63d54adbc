//! One HTTP exchange that a flow waits for: a request lent out, an answer taken in, the next step given back.

use crate::time::Timestamp;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use zeroize::Zeroizing;

/// A request that a driver sends as it is: no redirects on a POST, same-origin ones at most on a GET, no cookies.
///
/// `Accept` is `application/json`; a body is `application/x-www-form-urlencoded` and may hold secrets, so that `Debug`
/// shows neither it nor the query nor a header.
#[derive(Clone)]
pub struct HttpRequest {
    url: Url,
    form: Option<Zeroizing<String>>,
    headers: Vec<(&'static str, Zeroizing<String>)>,
    limit: usize,
}

impl HttpRequest {
    pub(crate) fn get(url: Url, limit: usize) -> Self {
        Self { url, form: None, headers: Vec::new(), limit }
    }

    pub(crate) fn post(url: Url, form: Zeroizing<String>, limit: usize) -> Self {
        Self { url, form: Some(form), headers: Vec::new(), limit }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: Zeroizing<String>) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Where to send it.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The form-encoded body of a POST; `None` means GET.
    pub fn form(&self) -> Option<&str> {
        self.form.as_ref().map(|form| form.as_str())
    }

    /// What goes into the head besides `Accept` and `Content-Type`: names in lower case, and values that may be secrets.
    /// They are for the request's own origin alone.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.headers.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// How many bytes of body, after decompression, the answer may have.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = if self.form.is_some() { "POST" } else { "GET" };
        write!(f, "{method} {}{}", self.url.origin().ascii_serialization(), self.url.path())
    }
}

/// What came back, whatever its status. `Debug` leaves the body out.
#[derive(Clone)]
pub struct Answer {
    status: u16,
    content_type: Option<String>,
    retry_after: Option<Duration>,
    date: Option<Timestamp>,
    body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// Takes a status and a body of at most the request's limit.
    ///
    /// ```
    /// let answer = u2m_core::Answer::new(200, b"{}".to_vec()).with_content_type("application/json");
    /// assert!(answer.is_success());
    /// ```
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            content_type: None,
            retry_after: None,
            date: None,
            body: Zeroizing::new(body),
        }
    }

    /// Adds the value of `Content-Type`.
    #[must_use]
    pub fn with_content_type(mut self, value: impl Into<String>) -> Self {
        self.content_type = Some(value.into());
        self
    }

    /// Adds how long the server asked to be left alone (RFC 9110 section 10.2.3).
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds the time by the server's clock.
    #[must_use]
    pub fn with_date(mut self, date: Timestamp) -> Self {
        self.date = Some(date);
        self
    }

    /// The time by the server's clock.
    pub fn date(&self) -> Option<Timestamp> {
        self.date
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// How long the server asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether sending the same again may help: 429, 502, 503 and 504.
    pub fn asks_for_patience(&self) -> bool {
        matches!(self.status, 429 | 502 | 503 | 504)
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The media type without parameters, in lower case.
    pub(crate) fn media_type(&self) -> String {
        let value = self.content_type.as_deref().unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {:?}, {} bytes)", self.status, self.media_type(), self.body.len())
    }
}

/// Why no answer arrived.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind}")]
pub struct TransportFailure {
    kind: TransportFailureKind,
    #[source]
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What is known about a request that got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportFailureKind {
    /// The connection broke after the request had begun to go out.
    #[error("the connection broke before an answer arrived")]
    Broken,
    /// The request did not leave: no name, no route, refused, or no trust in the certificate.
    #[error("the server could not be reached")]
    NotSent,
    /// The deadline passed; the request may have reached the server.
    #[error("the server did not answer in time")]
    TimedOut,
    /// The answer is larger than any honest one.
    #[error("the answer is too large")]
    TooLarge,
}

impl TransportFailure {
    /// Says what is known, without a cause.
    ///
    /// ```
    /// use u2m_core::{TransportFailure, TransportFailureKind};
    /// let failure = TransportFailure::new(TransportFailureKind::NotSent);
    /// assert_eq!(failure.to_string(), "the server could not be reached");
    /// ```
    pub fn new(kind: TransportFailureKind) -> Self {
        Self { kind, source: None }
    }

    /// Adds the cause, whose text must hold neither a URL's query nor a body.
    #[must_use]
    pub fn because(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What is known about the request.
    pub fn kind(&self) -> TransportFailureKind {
        self.kind
    }
}

/// Whether a driver may send a call's request a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// As often as the deadline allows: nothing is spent by asking.
    Safe,
    /// Only while it certainly has not reached the server, or the server has said that it did nothing (429, 502, 503,
    /// 504): a refresh token may be good for one use.
    Unless,
    /// Only while it certainly has not reached the server: an authorization code dies with its first use.
    Unsafe,
}

impl Replay {
    /// Whether the same request may be sent again after what happened to the last one.
    pub fn may_follow(self, last: &Result<Answer, TransportFailure>) -> bool {
        match last {
            Ok(answer) => self != Self::Unsafe && answer.asks_for_patience(),
            Err(failure) => match failure.kind {
                TransportFailureKind::NotSent => true,
                TransportFailureKind::Broken => self == Self::Safe,
                TransportFailureKind::TimedOut | TransportFailureKind::TooLarge => false,
            },
        }
    }
}

/// A state that waits for an answer. Sealed: flows implement it.
pub trait Awaits: Sized + sealed::Sealed {
    /// The step that follows.
    type Next;
    /// How the flow may end instead.
    type Error;

    #[doc(hidden)]
    fn accept(
        self,
        outcome: Result<Answer, TransportFailure>,
        sent_at: Timestamp,
    ) -> Result<Self::Next, Self::Error>;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// A request together with the state that waits for its answer.
#[derive(Debug)]
#[must_use = "the flow goes on only when the request is sent and its answer handed in"]
pub struct HttpCall<S> {
    request: HttpRequest,
    replay: Replay,
    state: S,
}

impl<S: Awaits> HttpCall<S> {
    pub(crate) fn new(request: HttpRequest, replay: Replay, state: S) -> Self {
        Self { request, replay, state }
    }

    /// What to send.
    pub fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// Whether it may be sent again.
    pub fn replay(&self) -> Replay {
        self.replay
    }

    /// Hands in what happened. `sent_at` is the time just before the request went out: lifetimes count from then.
    ///
    /// # Errors
    /// How the flow ends if this answer does not carry it on.
    pub fn answered(
        self,
        outcome: Result<Answer, TransportFailure>,
        sent_at: Timestamp,
    ) -> Result<S::Next, S::Error> {
        self.state.accept(outcome, sent_at)
    }

    pub(crate) fn into_state(self) -> S {
        self.state
    }

    /// What the flow waits for.
    pub fn state(&self) -> &S {
        &self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a49_neither_query_nor_body_shows_in_debug() {
        let url = Url::parse("https://a.example/t?code=canary").unwrap();
        let request = HttpRequest::post(url, Zeroizing::new("refresh_token=canary".into()), 1)
            .with_header("authorization", Zeroizing::new("Bearer canary".into()));
        let answer = Answer::new(200, b"canary".to_vec());
        assert!(!format!("{request:?} {answer:?}").contains("canary"));
    }

    #[test]
    fn http_1_what_may_be_sent_again_depends_on_what_it_spends() {
        let after = |kind| Err(TransportFailure::new(kind));
        let busy = Ok(Answer::new(503, Vec::new()));
        for (replay, not_sent, broken, on_503) in [
            (Replay::Safe, true, true, true),
            (Replay::Unless, true, false, true),
            (Replay::Unsafe, true, false, false),
        ] {
            assert_eq!(replay.may_follow(&after(TransportFailureKind::NotSent)), not_sent);
            assert_eq!(replay.may_follow(&after(TransportFailureKind::Broken)), broken);
            assert!(!replay.may_follow(&after(TransportFailureKind::TimedOut)));
            assert_eq!(replay.may_follow(&busy), on_503);
        }
    }
}
