//! Why no answer arrived.

use super::{HttpRequest, HttpResponse};
use crate::reply::Reply;
use std::error::Error;
use std::sync::Arc;

/// Why no answer arrived.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind}{}", at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default())]
pub struct TransportFailure {
    kind: TransportFailureKind,
    /// Where the request was to go: the origin of its URL, and no more of it.
    at: Option<String>,
    #[source]
    source: Option<Arc<dyn Error + Send + Sync>>,
    partial: Option<Arc<HttpResponse>>,
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
    /// use u2m_core::{HttpResponse, TransportFailure, TransportFailureKind};
    /// let begun = HttpResponse::new(200, b"{\"refresh_token\":\"r\"".to_vec());
    /// let failure = TransportFailure::new(TransportFailureKind::Broken).with_partial(begun);
    /// assert_eq!(failure.partial().map(HttpResponse::status), Some(200));
    /// ```
    #[must_use]
    pub fn with_partial(mut self, answer: HttpResponse) -> Self {
        self.partial = Some(Arc::new(answer));
        self
    }

    /// What had arrived of the answer, if its head had.
    pub fn partial(&self) -> Option<&HttpResponse> {
        self.partial.as_deref()
    }

    /// What had arrived of the answer, as the flows read it. It goes no further: an error has no use for it.
    pub(crate) fn take_begun(&mut self) -> Option<Arc<Reply>> {
        self.partial = None;
        self.begun.take()
    }

    /// The failure of this request: where it was to go, and what had arrived of its answer, as the flows read it.
    pub(super) fn of(self, request: &HttpRequest) -> Self {
        let begun = self.partial.as_deref().cloned();
        let begun = begun.map(|begun| Arc::new(Reply::of(begun, request)));
        let at = request.url().origin();
        // An opaque one says nothing.
        let at = at.is_tuple().then(|| at.ascii_serialization());
        Self { at, begun, ..self }
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
