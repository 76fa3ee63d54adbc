//! API calls about an access token: whose it is, where it belongs, and which workspaces and clusters it can see.
//!
//! All of them are GETs with a bearer token. They spend nothing and may be repeated.

mod error;
mod read;

pub use error::{ApiError, ApiErrorResponse};
pub use read::{AccountWorkspace, Cluster, ClusterPage, CurrentUser, Principal};

use crate::call::{
    AwaitsResponse, HttpCall, HttpRequest, Replay, TransportFailure, TransportFailureKind, sealed,
};
use crate::databricks::Host;
use crate::names::AccountId;
use crate::reply::Reply;
use crate::secret::AccessToken;
use crate::time::Timestamp;
use std::fmt;
use url::Url;

/// One person with all their groups, or one token.
const SMALL: usize = 1 << 20;
/// An account has thousands of workspaces, of a kilobyte each; a page of clusters may have long settings.
const LARGE: usize = 16 << 20;

/// The header that names the workspace on a unified host.
const WORKSPACE: &str = "x-databricks-workspace-id";

/// The host and the access token for API calls.
///
/// ```
/// use u2m_core::{AccessToken, ApiAccess, Host};
/// let host = Host::parse("https://a.example")?;
/// let call = ApiAccess::new(host, AccessToken::new("secret")).me();
/// assert_eq!(call.request().url().as_str(), "https://a.example/api/2.0/preview/scim/v2/Me");
/// assert!(call.request().headers().any(|(name, _)| name == "authorization"));
/// # Ok::<(), u2m_core::HostError>(())
/// ```
#[derive(Clone)]
pub struct ApiAccess {
    host: Host,
    token: AccessToken,
    workspace_id: Option<String>,
}

impl ApiAccess {
    /// Makes API calls to `host` with `token`, which is sent nowhere else.
    ///
    /// ```
    /// use u2m_core::{AccessToken, ApiAccess, Host};
    /// let access = ApiAccess::new(Host::parse("https://a.example")?, AccessToken::new("secret"));
    /// assert!(!format!("{access:?}").contains("secret"));
    /// # Ok::<(), u2m_core::HostError>(())
    /// ```
    pub fn new(host: Host, token: AccessToken) -> Self {
        Self { host, token, workspace_id: None }
    }

    /// Sets the workspace, for a host that serves several (`X-Databricks-Workspace-Id`). Every host accepts the header. The
    /// placeholder `none` and an empty id are not sent.
    #[must_use]
    pub fn with_workspace_id(mut self, id: Option<&str>) -> Self {
        self.workspace_id = id.filter(|id| !id.is_empty() && *id != "none").map(str::to_owned);
        self
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Fetches the user that the token belongs to, in the workspace.
    pub fn me(&self) -> HttpCall<AwaitingApiResponse<CurrentUser>> {
        self.get("/api/2.0/preview/scim/v2/Me", SMALL, read::me)
    }

    /// Fetches the workspaces of an account. Only an account's administrators are allowed to do this. The request goes to the
    /// account, whatever workspace was set.
    pub fn account_workspaces(
        &self,
        account: &AccountId,
    ) -> HttpCall<AwaitingApiResponse<Vec<AccountWorkspace>>> {
        let access = self.clone().with_workspace_id(None);
        access.get(&format!("/api/2.0/accounts/{account}/workspaces"), LARGE, read::workspaces)
    }

    /// Fetches the account and the workspace that the token belongs to.
    pub fn introspect(&self) -> HttpCall<AwaitingApiResponse<Principal>> {
        self.get("/api/2.0/tokens/introspect", SMALL, read::principal)
    }

    /// Fetches one page, of at most 100, of the clusters that were created in the UI or by API. `page` is the
    /// [`ClusterPage::next`] of the page before. Clusters that jobs created for themselves are left out.
    pub fn clusters(&self, page: Option<&str>) -> HttpCall<AwaitingApiResponse<ClusterPage>> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("filter_by.cluster_sources", "API")
            .append_pair("filter_by.cluster_sources", "UI")
            .append_pair("page_size", "100");
        if let Some(page) = page {
            query.append_pair("page_token", page);
        }
        let path = format!("/api/2.1/clusters/list?{}", query.finish());
        self.get(&path, LARGE, read::clusters)
    }

    fn get<T>(
        &self,
        path: &str,
        limit: usize,
        read: JsonReader<T>,
    ) -> HttpCall<AwaitingApiResponse<T>> {
        // A host is a parsed origin. Of the paths, only an account's id is not a literal, and it is one plain segment.
        let url = Url::parse(&self.host.join(path)).expect("an origin with a path is a URL");
        // Allocated at full length, so that growing leaves no part of it behind.
        let bearer = ["Bearer ", self.token.expose()].concat();
        let request = HttpRequest::get(url).with_limit(limit);
        let mut request = request.with_header("authorization", bearer);
        if let Some(id) = &self.workspace_id {
            request = request.with_header(WORKSPACE, id.clone());
        }
        HttpCall::new(request, Replay::Safe, AwaitingApiResponse { read })
    }
}

impl fmt::Debug for ApiAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiAccess")
            .field("host", &self.host)
            .field("workspace_id", &self.workspace_id)
            .finish_non_exhaustive()
    }
}

/// Reads a body; `None` if it is not what was asked for.
type JsonReader<T> = fn(&Reply) -> Option<T>;

/// Waits for the API's response.
pub struct AwaitingApiResponse<T> {
    read: JsonReader<T>,
}

impl<T> fmt::Debug for AwaitingApiResponse<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwaitingApiResponse")
    }
}

impl<T> sealed::Sealed for AwaitingApiResponse<T> {}

impl<T> AwaitsResponse for AwaitingApiResponse<T> {
    type Next = T;
    type Error = ApiError;

    fn accept(self, outcome: Result<Reply, TransportFailure>, _: Timestamp) -> Result<T, ApiError> {
        let answer = match outcome {
            Ok(answer) => answer,
            Err(failure) if failure.kind() == TransportFailureKind::TooLarge => {
                return Err(ApiError::BadAnswer(200));
            }
            Err(failure) => return Err(ApiError::Network(failure)),
        };
        if !answer.is_success() {
            return Err(ApiError::Refused(ApiErrorResponse::of(&answer)));
        }
        let bad = || ApiError::BadAnswer(answer.status());
        if crate::oauth::is_too_deep(answer.body()) {
            return Err(bad());
        }
        (self.read)(&answer).ok_or_else(bad)
    }
}

#[cfg(test)]
mod tests;
