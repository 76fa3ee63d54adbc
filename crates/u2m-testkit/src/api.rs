//! What access tokens are for: a small API behind them.

use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Value, json};
use u2m_core::Timestamp;

use crate::{
    host::Issuer,
    reply::{api_error, json as json_answer},
    server::FakeServer,
};

impl FakeServer {
    /// Answers every path below `/api/`, given an access token that is good.
    pub(crate) fn api(&self, request: &Request<Vec<u8>>, now: Timestamp) -> Response<Vec<u8>> {
        let Some(grant) = bearer(request).and_then(|token| self.ledger.active(token, now)) else {
            let why = "the access token is missing, expired or revoked";
            let mut response = api_error(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", why);
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            return response;
        };
        let body = match request.uri().path() {
            "/api/2.0/tokens/introspect" => self.introspection(&grant.issuer),
            "/api/2.0/preview/scim/v2/Me" => {
                json!({"active": true, "id": "1", "userName": "fake.user@example.com"})
            }
            path if path.starts_with("/api/2.0/accounts/") && path.ends_with("/workspaces") => {
                json!([])
            }
            _ => json!({}),
        };
        json_answer(StatusCode::OK, &body)
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
