//! A small API that accepts the access tokens.

use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Value, json};
use u2m_core::Timestamp;
use url::form_urlencoded;

use crate::{
    host::Issuer,
    reply::{api_error, json as json_answer},
    server::FakeServer,
    settings::Settings,
};

/// Settings for the API's answers.
impl Settings {
    /// Adds a cluster with these JSON members to the API's list. Pages have the size that the client asks for.
    ///
    /// ```
    /// let cluster = serde_json::json!({"cluster_id": "c-1", "cluster_name": "small"});
    /// let settings = u2m_testkit::Settings::new().with_cluster(cluster);
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_cluster(mut self, cluster: impl Into<Value>) -> Self {
        self.clusters.push(cluster.into());
        self
    }

    /// Refuses the "current user" request with this status, as an account does, which has no workspace users.
    #[must_use]
    pub const fn with_me_refused(mut self, status: StatusCode) -> Self {
        self.me_refusal = Some(status);
        self
    }

    /// Also accepts this token, as a personal access token that no login issued.
    #[must_use]
    pub fn with_personal_token(mut self, token: impl Into<String>) -> Self {
        self.personal_tokens.push(token.into());
        self
    }

    /// Adds a workspace to the list of every account.
    ///
    /// ```
    /// let settings = u2m_testkit::Settings::new().with_workspace(7, "one");
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn with_workspace(mut self, id: u64, name: impl Into<String>) -> Self {
        let (name, status) = (name.into(), "RUNNING");
        self.workspaces.push(json!({
            "workspace_id": id,
            "workspace_name": name,
            "workspace_status": status,
        }));
        self
    }

    /// Refuses to list an account's workspaces with this status, as for a user who is not an administrator.
    #[must_use]
    pub const fn with_workspaces_refused(mut self, status: StatusCode) -> Self {
        self.workspaces_refusal = Some(status);
        self
    }
}

impl FakeServer {
    /// Answers every path below `/api/` for a valid access token.
    pub(crate) fn api(&self, request: &Request<Vec<u8>>, now: Timestamp) -> Response<Vec<u8>> {
        let token = bearer(request);
        let is_personal = token
            .is_some_and(|token| self.settings.personal_tokens.iter().any(|known| known == token));
        let grant = token.and_then(|token| self.ledger.active(token, now));
        let issuer = grant.map(|grant| &grant.issuer);
        let Some(issuer) = issuer.or(is_personal.then_some(&Issuer::Workspace)) else {
            let why = "the access token is missing, expired or revoked";
            let mut response = api_error(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", why);
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            return response;
        };
        let body = match request.uri().path() {
            "/api/2.0/tokens/introspect" => self.introspection(issuer),
            "/api/2.0/preview/scim/v2/Me" => {
                if let Some(status) = self.settings.me_refusal {
                    return api_error(status, "BAD_REQUEST", "this is not a workspace");
                }
                json!({"active": true, "id": "1", "userName": "fake.user@example.com"})
            }
            path if path.starts_with("/api/2.0/accounts/") && path.ends_with("/workspaces") => {
                if let Some(status) = self.settings.workspaces_refusal {
                    let why = "only administrators of the account may do this";
                    return api_error(status, "PERMISSION_DENIED", why);
                }
                Value::from(self.settings.workspaces.clone())
            }
            "/api/2.1/clusters/list" => self.clusters(request),
            _ => json!({}),
        };
        json_answer(StatusCode::OK, &body)
    }

    /// Returns one page. The page token of the next one is the number of clusters before it.
    fn clusters(&self, request: &Request<Vec<u8>>) -> Value {
        let query = request.uri().query().unwrap_or_default();
        let number = |name: &str| {
            let found = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name)?;
            found.1.parse::<usize>().ok()
        };
        let (start, size) = (number("page_token").unwrap_or(0), number("page_size").unwrap_or(20));
        let mut page = json!({});
        let listed: Vec<_> = self.settings.clusters.iter().skip(start).take(size).collect();
        if !listed.is_empty() {
            page["clusters"] = json!(listed);
        }
        if start + size < self.settings.clusters.len() {
            page["next_page_token"] = Value::from((start + size).to_string());
        }
        page
    }

    fn introspection(&self, issuer: &Issuer) -> Value {
        let mut scope = json!({"account_id": self.settings.account_id});
        match issuer {
            Issuer::Account(id) => scope["account_id"] = Value::from(id.as_str()),
            Issuer::Workspace => {
                if let Some(workspace_id) = self.settings.workspace_id {
                    scope["workspace_id"] = Value::from(workspace_id);
                }
            }
        }
        json!({"principal_context": {"authentication_scope": scope}})
    }
}

fn bearer(request: &Request<Vec<u8>>) -> Option<&str> {
    let (scheme, token) =
        request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
