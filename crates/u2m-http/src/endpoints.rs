//! Where authorization endpoints come from: the counterpart of `OAuthEndpointSupplier` of Databricks' Go package.

use crate::transport::{RetryPolicy, Transport, drive};
use async_trait::async_trait;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use u2m_core::{AccountId, Host, MetadataError, Sanitized, ServerMetadata, well_known_urls};
use url::Url;

/// Resolves the authorization and token endpoints of what is signed in to. They are on its host, or on one that is trusted
/// by name ([`IssuerTrust::with_host`](u2m_core::IssuerTrust::with_host)); others are refused.
///
/// Where it is called: for a login on the runtime of whoever called for that, and dropped with that future; for a refresh on
/// a thread of its own, within a small runtime that ends with the refresh and is cancelled by nobody, as a [`Transport`] is. What a
/// supplier keeps between calls must not belong to a runtime. A panic is told as one.
#[async_trait]
pub trait EndpointSupplier: fmt::Debug + Send + Sync {
    /// The endpoints of a workspace.
    ///
    /// # Errors
    /// They are not to be had.
    async fn workspace(&self, host: &Host) -> Result<ServerMetadata, MetadataError>;

    /// The endpoints of an account on its console's host.
    ///
    /// # Errors
    /// They are not to be had.
    async fn account(
        &self,
        host: &Host,
        account: &AccountId,
    ) -> Result<ServerMetadata, MetadataError>;

    /// The endpoints of an account on a host that serves workspaces too.
    ///
    /// # Errors
    /// They are not to be had.
    async fn unified(
        &self,
        host: &Host,
        account: &AccountId,
    ) -> Result<ServerMetadata, MetadataError>;

    /// The endpoints of an issuer that a person named ([`Target::issuer`](u2m_core::Target::issuer)), whose name comes with them:
    /// unless a supplier knows better, those that its document names where OAuth has it, else where OpenID Connect does
    /// ([`well_known_urls`]).
    ///
    /// # Errors
    /// They are not to be had.
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

    /// The endpoints that the document at `url` names, whatever stands there.
    ///
    /// # Errors
    /// They are not to be had.
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

/// Databricks' layout over a transport: accounts are fixed, all else is fetched, held against its issuer, and kept for an
/// hour.
#[derive(Debug)]
pub struct BasicEndpoints {
    transport: Arc<dyn Transport>,
    patience: RetryPolicy,
    known: Mutex<HashMap<Url, (ServerMetadata, Instant)>>,
}

/// For how long a document is believed without being fetched again.
const KEPT: Duration = Duration::from_secs(3600);

impl BasicEndpoints {
    /// Fetches over `transport`.
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
