//! Why a request got no response.

use super::{HttpRequest, HttpResponse};
use crate::reply::Reply;
use std::error::Error;
use std::sync::Arc;

/// Why a request got no response.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind}{}", at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default())]
pub struct TransportFailure {
    kind: TransportFailureKind,
    /// The origin of the request's URL, and no more of it.
    at: Option<String>,
    #[source]
    source: Option<Arc<dyn Error + Send + Sync>>,
    partial: Option<Arc<HttpResponse>>,
    begun: Option<Arc<Reply>>,
}

/// What is known about a request that got no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportFailureKind {
    /// The connection broke after sending had begun.
    #[error("the connection broke before an answer arrived")]
    Broken,
    /// The request was not sent: the name did not resolve, there was no route, the connection was refused, or the
    /// certificate was not trusted.
    #[error("the server could not be reached")]
    NotSent,
    /// The deadline passed. The request may have reached the server.
    #[error("the server did not answer in time")]
    TimedOut,
    /// The response is larger than the limit.
    #[error("the answer is too large")]
    TooLarge,
}

impl TransportFailure {
    /// Makes a failure without a cause.
    ///
    /// ```
    /// use u2m_core::{TransportFailure, TransportFailureKind};
    /// let failure = TransportFailure::new(TransportFailureKind::NotSent);
    /// assert_eq!(failure.to_string(), "the server could not be reached");
    /// ```
    pub fn new(kind: TransportFailureKind) -> Self {
        Self { kind, at: None, source: None, partial: None, begun: None }
    }

    /// Adds the part of the response that had arrived: its headers and the beginning of its body. If the request
    /// spent a refresh token, this part may be all that is left of the login.
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

    /// The part of the response that had arrived, if its headers had.
    pub fn partial(&self) -> Option<&HttpResponse> {
        self.partial.as_deref()
    }

    /// Takes the part of the response that had arrived, as the flows read it. It does not stay in the error, which
    /// has no use for it.
    pub(crate) fn take_begun(&mut self) -> Option<Arc<Reply>> {
        self.partial = None;
        self.begun.take()
    }

    /// Adds what is known from the request: its origin, and the part of the response that had arrived, as the flows
    /// read it.
    pub(super) fn of(self, request: &HttpRequest) -> Self {
        let begun = self.partial.as_deref().cloned();
        let begun = begun.map(|begun| Arc::new(Reply::of(begun, request)));
        let at = request.url().origin();
        // An opaque origin says nothing.
        let at = at.is_tuple().then(|| at.ascii_serialization());
        Self { at, begun, ..self }
    }

    /// Adds the cause. Its text must not contain a URL's query or a body.
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
