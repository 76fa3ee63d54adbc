//! Looks up the endpoints of authorization servers: the counterpart of `OAuthEndpointSupplier` in
//! Databricks' Go package.

use crate::transport::{RetryPolicy, Transport, drive};
use async_trait::async_trait;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use u2m_core::{AccountId, Host, MetadataError, Sanitized, ServerMetadata, well_known_urls};
use url::Url;

/// Looks up the authorization and token endpoints for a login target. The endpoints must be on the
/// host of the target, or on a host that is trusted by name
/// ([`IssuerTrust::with_host`](u2m_core::IssuerTrust::with_host)); others are refused.
///
/// For a login, it is called on the caller's runtime, and dropped together with the caller's
/// future. For a refresh, it is called on a thread of its own, on a small runtime that ends with
/// the refresh and cannot be cancelled, like that of a [`Transport`]. What a supplier keeps between calls
/// must not depend on a runtime. A panic is reported as a panic.
#[async_trait]
pub trait EndpointSupplier: fmt::Debug + Send + Sync {
    /// Returns the endpoints of a workspace.
    ///
    /// # Errors
    /// Fails if the endpoints cannot be determined.
    async fn workspace(&self, host: &Host) -> Result<ServerMetadata, MetadataError>;

    /// Returns the endpoints of an account, on the host of its account console.
    ///
    /// # Errors
    /// Fails if the endpoints cannot be determined.
    async fn account(
        &self,
        host: &Host,
        account: &AccountId,
    ) -> Result<ServerMetadata, MetadataError>;

    /// Returns the endpoints of an account, on a host that also serves workspaces.
    ///
    /// # Errors
    /// Fails if the endpoints cannot be determined.
    async fn unified(
        &self,
        host: &Host,
        account: &AccountId,
    ) -> Result<ServerMetadata, MetadataError>;

    /// Returns the endpoints of an issuer that the user named
    /// ([`Target::issuer`](u2m_core::Target::issuer)), together with the name of the issuer.
    ///
    /// By default, it reads the metadata document at the OAuth location, or else at the OpenID
    /// Connect location ([`well_known_urls`]).
    ///
    /// # Errors
    /// Fails if the endpoints cannot be determined.
    async fn issuer(&self, issuer: &str) -> Result<ServerMetadata, MetadataError> {
        let wrong = |_| MetadataError::WrongIssuer(Sanitized::new(issuer));
        let [oauth, openid] = well_known_urls(issuer).map_err(wrong)?;
        match self.at_url(&oauth).await {
            Err(MetadataError::NotSupported | MetadataError::NoDocument) => {
                self.at_url(&openid).await
            }
            found => found,
        }
    }

    /// Returns the endpoints in the metadata document at `url`, wherever that is.
    ///
    /// # Errors
    /// Fails if the endpoints cannot be determined.
    async fn at_url(&self, url: &Url) -> Result<ServerMetadata, MetadataError>;
}

macro_rules! pass_on {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<E: EndpointSupplier + ?Sized> EndpointSupplier for $pointer {
            async fn workspace(&self, host: &Host) -> Result<ServerMetadata, MetadataError> {
                (**self).workspace(host).await
            }

            async fn account(
                &self,
                host: &Host,
                account: &AccountId,
            ) -> Result<ServerMetadata, MetadataError> {
                (**self).account(host, account).await
            }

            async fn unified(
                &self,
                host: &Host,
                account: &AccountId,
            ) -> Result<ServerMetadata, MetadataError> {
                (**self).unified(host, account).await
            }

            async fn issuer(&self, issuer: &str) -> Result<ServerMetadata, MetadataError> {
                (**self).issuer(issuer).await
            }

            async fn at_url(&self, url: &Url) -> Result<ServerMetadata, MetadataError> {
                (**self).at_url(url).await
            }
        }
    )*};
}

pass_on!(Arc<E>, Box<E>);

/// The default [`EndpointSupplier`], which knows where Databricks' endpoints are.
///
/// The endpoints of an account console are fixed. All others are fetched over a transport, checked
/// against their issuer, and kept for an hour.
#[derive(Debug)]
pub struct BasicEndpoints {
    transport: Arc<dyn Transport>,
    patience: RetryPolicy,
    known: Mutex<HashMap<Url, (ServerMetadata, Instant)>>,
}

/// How long a document is used before it is fetched again.
const KEPT: Duration = Duration::from_secs(3600);

impl BasicEndpoints {
    /// Creates a supplier that fetches over `transport`.
    ///
    /// ```
    /// # #[cfg(feature = "reqwest")] {
    /// use std::sync::Arc;
    /// use u2m_http::{BasicEndpoints, ReqwestTransport};
    /// let endpoints = BasicEndpoints::new(Arc::new(ReqwestTransport::new()));
    /// # drop(endpoints);
    /// # }
    /// ```
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport, patience: RetryPolicy::default(), known: Mutex::default() }
    }

    async fn fetch(
        &self,
        call: Result<u2m_core::HttpCall<u2m_core::Lookup>, MetadataError>,
    ) -> Result<ServerMetadata, MetadataError> {
        let call = call?;
        let url = call.request().url().clone();
        let kept = self
            .known()
            .get(&url)
            .filter(|(_, at)| at.elapsed() < KEPT)
            .map(|(server, _)| server.clone());
        if let Some(server) = kept {
            return Ok(server);
        }
        let server = drive(self.transport.as_ref(), call, &self.patience).await?;
        self.known().insert(url, (server.clone(), Instant::now()));
        Ok(server)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Url, (ServerMetadata, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl EndpointSupplier for BasicEndpoints {
    async fn workspace(&self, host: &Host) -> Result<ServerMetadata, MetadataError> {
        self.fetch(ServerMetadata::lookup(host, "/oidc")).await
    }

    async fn account(
        &self,
        host: &Host,
        account: &AccountId,
    ) -> Result<ServerMetadata, MetadataError> {
        ServerMetadata::at(host, &format!("/oidc/accounts/{account}"))
    }

    async fn unified(
        &self,
        host: &Host,
        account: &AccountId,
    ) -> Result<ServerMetadata, MetadataError> {
        self.fetch(ServerMetadata::lookup(host, &format!("/oidc/accounts/{account}"))).await
    }

    async fn at_url(&self, url: &Url) -> Result<ServerMetadata, MetadataError> {
        self.fetch(ServerMetadata::lookup_at(url.clone())).await
    }
}
