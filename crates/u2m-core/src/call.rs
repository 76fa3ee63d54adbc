//! One HTTP exchange that a flow waits for: a request lent out, an answer taken in, the next step given back.

use crate::reply::Reply;
use crate::sent::Sent;
use crate::time::Timestamp;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::{Url, form_urlencoded};
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
    /// What the server knows from an earlier request.
    known: Sent,
    limit: usize,
}

/// The members of a form that are no secrets: names of things, and what is asked for.
const OPEN: [&str; 8] = [
    "audience",
    "client_id",
    "grant_type",
    "redirect_uri",
    "resource",
    "response_type",
    "scope",
    "token_type_hint",
];

impl HttpRequest {
    pub(crate) fn get(url: Url, limit: usize) -> Self {
        Self { url, form: None, headers: Vec::new(), known: Sent::default(), limit }
    }

    pub(crate) fn post(url: Url, form: Zeroizing<String>, limit: usize) -> Self {
        Self { form: Some(form), ..Self::get(url, limit) }
    }

    /// Adds a secret that the server has from an earlier request, and may repeat in its answer to this one.
    pub(crate) fn after_sending(mut self, secret: &str) -> Self {
        self.known.add(secret);
        self
    }

    /// Every secret that the server has with this request: all of its form but names, and the credentials in its head.
    pub(crate) fn sent(&self) -> Sent {
        let mut sent = self.known.clone();
        let form = self.form.as_deref().map(String::as_bytes).unwrap_or_default();
        for (name, value) in form_urlencoded::parse(form) {
            if !OPEN.contains(&&*name) {
                sent.add(&Zeroizing::new(value.into_owned()));
            }
        }
        for (_, value) in self.headers.iter().filter(|(name, _)| *name == "authorization") {
            // The scheme before it is no secret.
            sent.add(value.split_once(' ').map_or(value, |(_, credentials)| credentials));
        }
        sent
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
    content_encoding: Option<String>,
    retry_after: Option<Duration>,
    date: Option<Timestamp>,
    body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// Takes a status and a body of at most the request's limit, as it came: a transport decodes nothing.
    ///
    /// ```
    /// let answer = u2m_core::Answer::new(200, b"{}".to_vec()).with_content_type("application/json");
    /// assert!(answer.is_success());
    /// ```
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            content_type: None,
            content_encoding: None,
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

    /// Adds the value of `Content-Encoding`, all of them with commas between where there are several.
    ///
    /// ```
    /// let answer = u2m_core::Answer::new(200, vec![0x1f, 0x8b]).with_content_encoding("gzip");
    /// assert!(answer.is_success());
    /// ```
    #[must_use]
    pub fn with_content_encoding(mut self, value: impl Into<String>) -> Self {
        self.content_encoding = Some(value.into());
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

    /// The body as it came, and the codings that it was said to be in.
    pub(crate) fn into_body(self) -> (Zeroizing<Vec<u8>>, Option<String>) {
        (self.body, self.content_encoding)
    }

    /// The media type without parameters, in lower case.
    pub(crate) fn media_type(&self) -> String {
        let value = self.content_type.as_deref().unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The encoding of its characters, if that was said.
    pub(crate) fn charset(&self) -> Option<String> {
        let parameters = self.content_type.as_deref()?.split(';').skip(1);
        parameters.filter_map(|one| one.split_once('=')).find_map(|(name, value)| {
            let value = value.trim().trim_matches('"').trim();
            name.trim().eq_ignore_ascii_case("charset").then(|| value.to_owned())
        })
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {:?}, {} bytes)", self.status, self.media_type(), self.body.len())
    }
}

/// Why no answer arrived.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind}{}", at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default())]
pub struct TransportFailure {
    kind: TransportFailureKind,
    /// Where the request was to go: the origin of its URL, and no more of it.
    at: Option<String>,
    #[source]
    source: Option<Arc<dyn Error + Send + Sync>>,
    partial: Option<Arc<Answer>>,
    begun: Option<Arc<Reply>>,
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
        Self { kind, at: None, source: None, partial: None, begun: None }
    }

    /// Adds what had arrived of the answer: its head, and the beginning of its body. Where something was spent, that may be
    /// all that is left of a login.
    ///
    /// ```
    /// use u2m_core::{Answer, TransportFailure, TransportFailureKind};
    /// let begun = Answer::new(200, b"{\"refresh_token\":\"r\"".to_vec());
    /// let failure = TransportFailure::new(TransportFailureKind::Broken).with_partial(begun);
    /// assert_eq!(failure.partial().map(Answer::status), Some(200));
    /// ```
    #[must_use]
    pub fn with_partial(mut self, answer: Answer) -> Self {
        self.partial = Some(Arc::new(answer));
        self
    }

    /// What had arrived of the answer, if its head had.
    pub fn partial(&self) -> Option<&Answer> {
        self.partial.as_deref()
    }

    /// What had arrived of the answer, as the flows read it. It goes no further: an error has no use for it.
    pub(crate) fn take_begun(&mut self) -> Option<Arc<Reply>> {
        self.partial = None;
        self.begun.take()
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
    /// Only while it certainly has not reached the server, or what answered says that it was not served (429, 502, 503, 504)
    /// and brings no tokens: a refresh token may be good for one use.
    ///
    /// A gateway that says so may have passed the request on all the same. If it has, the new refresh token is lost with the
    /// server's answer, whether the old one is sent again now or by the next call: there is nothing else to send. Now is
    /// better: servers that expect lost answers give the same one out again for some seconds. If it has not, which is the
    /// usual case, nobody has to be told of a failure.
    Unless,
    /// Only while it certainly has not reached the server: an authorization code dies with its first use.
    Unsafe,
}

impl Replay {
    /// Whether the same request may be sent again after what happened to the last one.
    pub fn may_follow(self, last: &Result<Answer, TransportFailure>) -> bool {
        match last {
            Ok(answer) if !answer.asks_for_patience() => false,
            Ok(answer) => match self {
                Self::Safe => true,
                Self::Unless => !crate::wire::brings_tokens(answer),
                Self::Unsafe => false,
            },
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
        outcome: Result<Reply, TransportFailure>,
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
        let reply = outcome.map(|answer| Reply::of(answer, &self.request)).map_err(|failure| {
            let begun = failure.partial.as_deref().cloned();
            let begun = begun.map(|begun| Arc::new(Reply::of(begun, &self.request)));
            let at = self.request.url.origin();
            // An opaque one says nothing.
            let at = at.is_tuple().then(|| at.ascii_serialization());
            TransportFailure { at, begun, ..failure }
        });
        self.state.accept(reply, sent_at)
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
        let failure =
            TransportFailure::new(TransportFailureKind::Broken).with_partial(answer.clone());
        assert!(!format!("{request:?} {answer:?} {failure:?} {failure}").contains("canary"));
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
