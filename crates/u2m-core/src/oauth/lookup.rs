//! Fetching metadata on its own, outside of a login or a refresh.

use super::expected_issuer::ExpectedIssuer;
use super::metadata::{MetadataError, ServerMetadata, parse_metadata};
use crate::call::{AwaitsResponse, HttpCall, HttpRequest, Replay, TransportFailure, sealed};
use crate::databricks::Host;
use crate::issuer::metadata_url;
use crate::reply::Reply;
use crate::text::Sanitized;
use crate::time::Timestamp;
use url::Url;

/// Waits for a metadata document.
#[derive(Debug)]
pub struct Lookup(ExpectedIssuer);

impl ServerMetadata {
    /// Fetches the endpoints below `path` on `host`: `/oidc` for a workspace, `/oidc/accounts/<id>` for an account.
    ///
    /// ```
    /// use u2m_core::{ServerMetadata, Host};
    /// let call = ServerMetadata::lookup(&Host::parse("https://a.example").unwrap(), "/oidc").unwrap();
    /// assert_eq!(call.request().url().as_str(), "https://a.example/oidc/.well-known/oauth-authorization-server");
    /// ```
    ///
    /// # Errors
    /// Fails if `path` does not begin with a slash, or is not a plain path.
    pub fn lookup(host: &Host, path: &str) -> Result<HttpCall<Lookup>, MetadataError> {
        host.at(path).ok_or_else(|| MetadataError::NoPath(Sanitized::new(path)))?;
        let issuer = host.join(path);
        let url = metadata_url(&issuer).map_err(|_| MetadataError::NoPath(Sanitized::new(path)))?;
        Ok(call(url, ExpectedIssuer::of_host(issuer, host.clone(), Vec::new())))
    }

    /// Fetches the document at `url` itself. Its issuer is not checked, because none was named.
    ///
    /// ```
    /// use u2m_core::ServerMetadata;
    /// let url = url::Url::parse("https://id.example/.well-known/oauth-authorization-server").unwrap();
    /// assert!(ServerMetadata::lookup_at(url).is_ok());
    /// ```
    ///
    /// # Errors
    /// Fails if the URL is not https (or loopback http).
    pub fn lookup_at(url: Url) -> Result<HttpCall<Lookup>, MetadataError> {
        let host = Host::of(&url).map_err(|_| MetadataError::UnusableEndpoint("url"))?;
        Ok(call(url, ExpectedIssuer::unnamed(host, Vec::new())))
    }
}

fn call(url: Url, expected: ExpectedIssuer) -> HttpCall<Lookup> {
    HttpCall::new(HttpRequest::get(url), Replay::Safe, Lookup(expected))
}

impl sealed::Sealed for Lookup {}

impl AwaitsResponse for Lookup {
    type Next = ServerMetadata;
    type Error = MetadataError;

    fn accept(
        self,
        outcome: Result<Reply, TransportFailure>,
        _: Timestamp,
    ) -> Result<ServerMetadata, MetadataError> {
        parse_metadata(outcome, &self.0)
    }
}
