//! The API calls for blocking code.

use super::{Api as Async, Clusters as AsyncClusters};
use crate::runtime::OwnRuntime;
use std::sync::Arc;
use std::time::Duration;
use u2m_core::{
    AccountId, AccountWorkspace, ApiAccess, ApiError, Cluster, CurrentUser, Principal,
    TransportFailure, TransportFailureKind,
};
use u2m_http::Transport;

/// The API calls that signing in needs, for blocking code; see [`Api`](crate::databricks::Api). Must not be used within an async
/// runtime.
///
/// ```no_run
/// # fn example(token: u2m::AccessToken) -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use u2m::{Host, blocking};
/// use u2m::databricks::ApiAccess;
/// use u2m::transport::ReqwestTransport;
/// let access = ApiAccess::new(Host::parse("https://my-workspace.cloud.databricks.com")?, token);
/// let api = blocking::Api::new(Arc::new(ReqwestTransport::new()), access);
/// let mut clusters = api.clusters();
/// while let Some(cluster) = clusters.next()? {
///     println!("{}", cluster.name);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Api(Async);

/// A list of clusters for blocking code; see [`Clusters`](crate::databricks::Clusters).
#[derive(Debug)]
pub struct Clusters(AsyncClusters);

impl Api {
    /// As [`Api::new`](Async::new).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use u2m::{AccessToken, Host, blocking};
    /// use u2m::databricks::ApiAccess;
    /// use u2m::transport::ReqwestTransport;
    /// let access = ApiAccess::new(Host::parse("https://a.example")?, AccessToken::new("secret"));
    /// let api = blocking::Api::new(Arc::new(ReqwestTransport::new()), access);
    /// # drop(api);
    /// # Ok::<(), u2m::HostError>(())
    /// ```
    pub fn new(transport: Arc<dyn Transport>, access: ApiAccess) -> Self {
        Self(Async::new(transport, access))
    }

    /// As [`Api::with_timeout`](Async::with_timeout).
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self(self.0.with_timeout(timeout))
    }

    /// As [`Api::me`](Async::me).
    ///
    /// # Errors
    /// As there.
    pub fn me(&self) -> Result<CurrentUser, ApiError> {
        wait(self.0.me())
    }

    /// As [`Api::account_workspaces`](Async::account_workspaces).
    ///
    /// # Errors
    /// As there.
    pub fn account_workspaces(
        &self,
        account: &AccountId,
    ) -> Result<Vec<AccountWorkspace>, ApiError> {
        wait(self.0.account_workspaces(account))
    }

    /// As [`Api::introspect`](Async::introspect).
    ///
    /// # Errors
    /// As there.
    pub fn introspect(&self) -> Result<Principal, ApiError> {
        wait(self.0.introspect())
    }

    /// As [`Api::clusters`](Async::clusters).
    pub fn clusters(&self) -> Clusters {
        Clusters(self.0.clusters())
    }
}

impl Clusters {
    /// As [`Clusters::next`](AsyncClusters::next).
    ///
    /// # Errors
    /// As there.
    #[allow(clippy::should_implement_trait, reason = "an iterator would go on for ever on errors")]
    pub fn next(&mut self) -> Result<Option<Cluster>, ApiError> {
        wait(self.0.next())
    }
}

fn wait<T>(work: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    OwnRuntime::default().block_on(work).unwrap_or_else(|error| {
        let failure = TransportFailure::new(TransportFailureKind::NotSent).because(error);
        Err(ApiError::Network(failure))
    })
}
