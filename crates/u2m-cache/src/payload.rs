//! A whole login as one text: what is sealed. Unlike the shared file it holds whom the tokens belong to, so that nobody who
//! can write beside it can have a refresh token sent elsewhere. Times are seconds since 1970, UTC.

use crate::beside::sidecar::bind;
use serde::{Deserialize, Serialize};
use u2m_core::{AccessToken, Lifetime, RefreshToken, Scopes, Session, Timestamp};
use zeroize::{Zeroize, Zeroizing};

#[derive(Serialize, Deserialize)]
struct Payload {
    access_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifetime: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    binding: Option<Bound>,
}

/// Whom the tokens belong to.
#[derive(Serialize, Deserialize)]
struct Bound {
    issuer: String,
    token_endpoint: String,
    client_id: String,
    host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scopes: Option<String>,
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.access_token.zeroize();
        self.refresh_token.zeroize();
    }
}

pub(crate) fn write(session: &Session) -> Zeroizing<Vec<u8>> {
    let binding = session.binding.as_ref().map(|binding| Bound {
        issuer: binding.issuer.clone(),
        token_endpoint: binding.token_endpoint.to_string(),
        client_id: binding.client_id.clone(),
        host: binding.host.as_str().to_owned(),
        account_id: binding.account_id.clone(),
        scopes: binding.scopes.as_ref().map(ToString::to_string),
    });
    let payload = Payload {
        access_token: session.access_token.expose().to_owned(),
        refresh_token: session.refresh_token.as_ref().map(|token| token.expose().to_owned()),
        expiry: session.known_expiry().map(Timestamp::unix),
        lifetime: session.lifetime.map(Lifetime::seconds),
        issued_at: session.issued_at.map(Timestamp::unix),
        binding,
    };
    // It fails for maps with keys that are no strings only.
    Zeroizing::new(serde_json::to_vec(&payload).unwrap_or_default())
}

/// `None` if it is no login.
pub(crate) fn read(bytes: &[u8]) -> Option<Session> {
    let payload: Payload = serde_json::from_slice(bytes).ok()?;
    let mut session = Session::new(AccessToken::new(payload.access_token.as_str()));
    session.refresh_token = payload.refresh_token.as_deref().map(RefreshToken::new);
    session.expiry = payload.expiry.map(Timestamp::from_unix);
    session.lifetime = payload.lifetime.map(Lifetime::from_seconds);
    session.issued_at = payload.issued_at.map(Timestamp::from_unix);
    session.binding = payload.binding.as_ref().and_then(|bound| {
        let binding = bind(&bound.issuer, &bound.token_endpoint, &bound.client_id, &bound.host)?;
        let scopes = bound.scopes.as_deref().map(Scopes::split);
        Some(binding.with_account_id(bound.account_id.clone()).with_scopes(scopes))
    });
    Some(session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::{Binding, Host};

    #[test]
    fn a_login_comes_back_whole() {
        let host = Host::parse("https://a.example").unwrap();
        let endpoint = url::Url::parse("https://a.example/oidc/v1/token").unwrap();
        let binding = Binding::new("https://a.example/oidc", endpoint, "databricks-cli", host);
        let bare = Session::new(AccessToken::new("at-\"\u{e9}"));
        let full = bare
            .clone()
            .with_refresh_token(RefreshToken::new("rt"))
            .with_expiry(Timestamp::from_unix(7))
            .with_lifetime(Lifetime::from_seconds(3600))
            .with_issued_at(Timestamp::from_unix(6))
            .with_binding(
                binding.with_account_id(Some("1".into())).with_scopes(Some(Scopes::split("a b"))),
            );
        for session in [bare, full] {
            assert_eq!(read(&write(&session)), Some(session));
        }
    }

    #[test]
    fn t20_a_login_that_would_be_renewed_off_its_host_is_bound_to_nobody() {
        let text = br#"{"access_token":"a","binding":{"issuer":"https://a.example","client_id":"c","host":"https://a.example",
            "token_endpoint":"https://evil.example/t"}}"#;
        assert_eq!(read(text).unwrap().binding, None);
        for text in [&b""[..], b"null", b"{}", b"[]", b"{\"access_token\":7}", b"\xff"] {
            assert!(read(text).is_none());
        }
    }
}
