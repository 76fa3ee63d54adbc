//! By which of our clients a request leaves.

use super::{ReqwestTransport, blocked};
use crate::proxy::Proxy;
use u2m_core::{Host, HttpRequest, Route, TransportFailure, TransportFailureKind};
use url::Url;

/// The way of one request.
pub(super) enum RequestPath {
    LoopbackPlain,
    LoopbackTls,
    Metadata,
    Over(Proxy),
    World,
}

impl RequestPath {
    /// How many ways there are.
    pub(super) const COUNT: usize = 5;

    /// Which one it is. There is one proxy for all that leave by one.
    pub(super) fn number(&self) -> usize {
        match self {
            Self::LoopbackPlain => 0,
            Self::LoopbackTls => 1,
            Self::Metadata => 2,
            Self::Over(_) => 3,
            Self::World => 4,
        }
    }

    /// Whether no certificate is ever looked at on it.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::LoopbackPlain | Self::Metadata)
    }
}

impl ReqwestTransport {
    /// Codes and tokens leave in clear text to loopback alone, and what is for a metadata service to such a service alone; every
    /// other URL is refused before a socket is opened.
    pub(super) fn way_of(
        &self,
        url: &Url,
        request: &HttpRequest,
    ) -> Result<RequestPath, TransportFailure> {
        if request.route() == Route::Metadata {
            return self.metadata.check(url).map(|()| RequestPath::Metadata).map_err(blocked);
        }
        let host = Host::of(url)
            .map_err(|error| TransportFailure::new(TransportFailureKind::NotSent).because(error))?;
        Ok(match (host.is_loopback(), url.scheme()) {
            (true, "http") => RequestPath::LoopbackPlain,
            (true, _) => RequestPath::LoopbackTls,
            (false, _) if self.over.is_some() => RequestPath::World,
            (false, _) => match self.proxies().of(url) {
                Ok(Some(proxy)) => RequestPath::Over(proxy),
                Ok(None) => RequestPath::World,
                Err(error) => return Err(blocked(error.into())),
            },
        })
    }
}
