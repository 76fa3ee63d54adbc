//! Determines which HTTP client sends a request.

use super::{ReqwestTransport, blocked};
use crate::proxy::Proxy;
use u2m_core::{Host, HttpRequest, Route, TransportFailure, TransportFailureKind};
use url::Url;

/// The route of a request.
pub(super) enum RequestPath {
    LoopbackPlain,
    LoopbackTls,
    Metadata,
    Over(Proxy),
    World,
}

impl RequestPath {
    /// The number of routes.
    pub(super) const COUNT: usize = 5;

    /// Returns the index of the route. All requests through a proxy share one.
    pub(super) fn number(&self) -> usize {
        match self {
            Self::LoopbackPlain => 0,
            Self::LoopbackTls => 1,
            Self::Metadata => 2,
            Self::Over(_) => 3,
            Self::World => 4,
        }
    }

    /// Returns whether no certificate is ever verified on this route.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::LoopbackPlain | Self::Metadata)
    }
}

impl ReqwestTransport {
    /// Returns the route for a URL. Requests without TLS go only to loopback addresses, and
    /// requests for a metadata service only to such a service. All other URLs are refused before a
    /// socket is opened.
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
