//! How the client authenticates in requests that require it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use u2m_core::{
    AwaitsResponse, ClientAssertion, ClientAuth, HttpCall, TransportFailure, TransportFailureKind,
};
use u2m_http::{Clock, RetryPolicy, Transport, drive_by};
use url::Url;

/// Signs an assertion for an endpoint.
type Sign = dyn Fn(&Url) -> Result<ClientAssertion, Box<dyn Error + Send + Sync>> + Send + Sync;

/// How a client authenticates, and what signs for it.
#[derive(Clone, Default)]
pub(crate) struct ClientProver {
    pub(crate) auth: ClientAuth,
    sign: Option<Arc<Sign>>,
}

impl ClientProver {
    pub(crate) fn new(auth: ClientAuth) -> Self {
        Self { auth, sign: None }
    }

    /// A client for which `sign` signs an assertion for each request.
    pub(crate) fn signing<E>(
        sign: impl Fn(&Url) -> Result<ClientAssertion, E> + Send + Sync + 'static,
    ) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let sign = move |url: &Url| sign(url).map_err(Into::into);
        Self { auth: ClientAuth::Assertion(None), sign: Some(Arc::new(sign)) }
    }

    /// Whether the client does not authenticate, so that any process can act for it.
    pub(crate) fn is_public(&self) -> bool {
        self.auth == ClientAuth::None
    }

    /// Runs a call, with a new assertion in it if it has a place for one.
    pub(crate) async fn drive<S: AwaitsResponse>(
        &self,
        clock: &Clock,
        transport: &dyn Transport,
        call: HttpCall<S>,
        patience: &RetryPolicy,
    ) -> Result<S::Next, S::Error> {
        let signed = match (&self.sign, call.assertion_audience()) {
            (Some(sign), Some(audience)) => sign(audience),
            (None, _) | (_, None) => return drive_by(clock, transport, call, patience).await,
        };
        match signed {
            Ok(assertion) => {
                drive_by(clock, transport, call.with_client_assertion(&assertion), patience).await
            }
            Err(error) => {
                let failure = TransportFailure::new(TransportFailureKind::NotSent);
                let failure = failure.because(NotSigned(error));
                call.answered(Err(failure), clock.now())
            }
        }
    }
}

impl fmt::Debug for ClientProver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prover({:?})", self.auth)
    }
}

/// Signing failed, so nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("the client could not sign for itself")]
struct NotSigned(#[source] Box<dyn Error + Send + Sync>);
