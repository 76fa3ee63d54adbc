//! Calls a host's API, with one deadline for all calls.

mod blocking;

pub use blocking::{Api as BlockingApi, Clusters as BlockingClusters};

use crate::clock::now;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use u2m_core::{
    AccountId, AccountWorkspace, ApiAccess, ApiError, AwaitingApiResponse, AwaitsResponse, Cluster,
    CurrentUser, HttpCall, Principal, TransportFailure, TransportFailureKind,
};
use u2m_http::{RetryPolicy, Transport, drive};

/// How long all calls together may take by default.
const PATIENCE: Duration = Duration::from_secs(10);

/// The few API calls that signing in needs: who a token belongs to, where it belongs, and which workspaces and clusters there
/// are to choose from. One deadline covers all calls; it starts when the value is created.
///
/// ```no_run
/// # async fn example(auth: u2m::PersistentAuth) -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use u2m::Host;
/// use u2m::databricks::{Api, ApiAccess};
/// use u2m::transport::ReqwestTransport;
/// let host = Host::parse("https://my-workspace.cloud.databricks.com")?;
/// let token = auth.token().await?;
/// let access = ApiAccess::new(host, token.access_token().clone());
/// let me = Api::new(Arc::new(ReqwestTransport::new()), access).me().await?;
/// println!("{}", me.user_name);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Api {
    transport: Arc<dyn Transport>,
    access: ApiAccess,
    end: Instant,
}

/// As good as forever, yet a time that a clock can represent.
const A_YEAR: Duration = Duration::from_secs(31_536_000);

impl Api {
    /// Creates a client over `transport`. All calls together must finish within 10 seconds from now.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use u2m::{AccessToken, Host};
    /// use u2m::databricks::{Api, ApiAccess};
    /// use u2m::transport::ReqwestTransport;
    /// let access = ApiAccess::new(Host::parse("https://a.example")?, AccessToken::new("secret"));
    /// let api = Api::new(Arc::new(ReqwestTransport::new()), access);
    /// # drop(api);
    /// # Ok::<(), u2m::HostError>(())
    /// ```
    pub fn new(transport: Arc<dyn Transport>, access: ApiAccess) -> Self {
        Self { transport, access, end: Instant::now() + PATIENCE }
    }

    /// Sets how long all calls together may take from now on.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        let now = Instant::now();
        let end = now.checked_add(timeout).unwrap_or(now + A_YEAR);
        self.until(end)
    }

    /// Sets the time by which all calls must have finished.
    #[must_use]
    pub fn until(mut self, end: Instant) -> Self {
        self.end = end;
        self
    }

    /// Returns the user that the token belongs to, in the workspace (`GET /api/2.0/preview/scim/v2/Me`).
    ///
    /// # Errors
    /// Fails if the host refuses the token or the user, if it cannot be reached in time, or if it is not a workspace.
    pub async fn me(&self) -> Result<CurrentUser, ApiError> {
        self.ask(self.access.me()).await
    }

    /// Lists the workspaces of `account` (`GET /api/2.0/accounts/<id>/workspaces`), which only its administrators may do.
    ///
    /// # Errors
    /// As [`Api::me`].
    pub async fn account_workspaces(
        &self,
        account: &AccountId,
    ) -> Result<Vec<AccountWorkspace>, ApiError> {
        self.ask(self.access.account_workspaces(account)).await
    }

    /// Returns the account and workspace that the token belongs to (`GET /api/2.0/tokens/introspect`).
    ///
    /// # Errors
    /// As [`Api::me`].
    pub async fn introspect(&self) -> Result<Principal, ApiError> {
        self.ask(self.access.introspect()).await
    }

    /// Lists the clusters that people created, fetching pages as they are needed.
    pub fn clusters(&self) -> Clusters {
        Clusters { api: self.clone(), ready: VecDeque::new(), next: Next::First }
    }

    async fn ask<T>(&self, call: HttpCall<AwaitingApiResponse<T>>) -> Result<T, ApiError>
    where
        AwaitingApiResponse<T>: AwaitsResponse<Next = T, Error = ApiError>,
    {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return call
                .answered(Err(TransportFailure::new(TransportFailureKind::TimedOut)), now());
        }
        drive(self.transport.as_ref(), call, &RetryPolicy::default().with_budget(left)).await
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("access", &self.access).finish_non_exhaustive()
    }
}

/// A list of clusters, read one at a time with `next`. It fetches a page of 100 when the previous one is used up.
#[derive(Debug)]
pub struct Clusters {
    api: Api,
    ready: VecDeque<Cluster>,
    next: Next,
}

#[derive(Debug)]
enum Next {
    First,
    Page(String),
    Nothing,
}

impl Clusters {
    /// Returns the next cluster, or `None` after the last.
    ///
    /// # Errors
    /// As [`Api::me`]. Clusters that were already returned stay valid, and calling again retries the same page.
    pub async fn next(&mut self) -> Result<Option<Cluster>, ApiError> {
        loop {
            if let Some(cluster) = self.ready.pop_front() {
                return Ok(Some(cluster));
            }
            let page = match &self.next {
                Next::Nothing => return Ok(None),
                Next::First => None,
                Next::Page(token) => Some(token.as_str()),
            };
            let fetched = self.api.ask(self.api.access.clusters(page)).await?;
            // Stop if the server names the same page again; otherwise the loop would never end.
            let is_new = |token: &String| Some(token.as_str()) != page;
            let next = fetched.next.filter(is_new).map_or(Next::Nothing, Next::Page);
            self.ready.extend(fetched.clusters);
            self.next = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::{AccessToken, Host};
    use u2m_http::ReqwestTransport;

    #[test]
    fn a_time_that_no_clock_can_show_is_a_year_and_no_token_is_shown() {
        let host = Host::parse("https://a.example").unwrap();
        let access = ApiAccess::new(host, AccessToken::new("canary"));
        let api = Api::new(Arc::new(ReqwestTransport::new()), access).with_timeout(Duration::MAX);
        let left = api.end.duration_since(Instant::now()).as_secs() / 86_400;
        assert!((364..=366).contains(&left), "{left} days");
        let shown = format!("{api:?}");
        assert!(shown.contains("https://a.example") && !shown.contains("canary"), "{shown}");
    }
}
