//! A complete login as one text, which is then sealed. Unlike the shared file it includes the owner of the tokens, so that
//! nobody with write access can redirect a refresh token. Times are seconds since 1970, UTC.

use u2m_core::{Session, SessionRecord, secret_json};
use zeroize::Zeroizing;

pub(crate) fn write(session: &Session) -> Zeroizing<Vec<u8>> {
    // This fails only for maps with keys that are not strings.
    secret_json(&SessionRecord::of(session)).unwrap_or_default().into_bytes()
}

/// Returns `None` if it is not a login.
pub(crate) fn read(bytes: &[u8]) -> Option<Session> {
    serde_json::from_slice::<SessionRecord>(bytes).ok().map(|record| record.session())
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::{AccessToken, Binding, Host, Lifetime, RefreshToken, Scopes, Timestamp};

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
