//! What an access token says about itself, if it happens to be a JWT. Clients should not inspect access tokens (RFC 9068
//! section 6, A44), and nothing here is verified. So it may be shown, or cause an earlier refresh, but decides nothing about
//! trust. A token that is not a JWT works just as well.

use crate::text::Sanitized;
use crate::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use url::Url;
use zeroize::Zeroizing;

/// Real tokens are shorter; a longer one is not examined.
const LONGEST_TOKEN: usize = 64 << 10;

/// Real issuers and accounts are shorter.
const LONGEST_NAME: usize = 2 << 10;

/// The unverified claims of a token that looks like a JWT: hints for when to refresh and for what to show a person, never a
/// reason to trust anything.
///
/// ```
/// use u2m_core::UnverifiedClaims;
/// // {"iss":"https://a.example/oidc","exp":1800000000}
/// let token = "e30.eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZS9vaWRjIiwiZXhwIjoxODAwMDAwMDAwfQ.c2ln";
/// let claims = UnverifiedClaims::read(token).unwrap();
/// assert_eq!(claims.iss.as_deref(), Some("https://a.example/oidc"));
/// assert_eq!(claims.exp.unwrap().unix(), 1_800_000_000);
/// assert!(UnverifiedClaims::read("an opaque token").is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnverifiedClaims {
    /// When the token expires, in whole seconds (RFC 7519 section 4.1.4).
    pub exp: Option<Timestamp>,
    /// When it was issued (RFC 7519 section 4.1.6).
    pub iat: Option<Timestamp>,
    /// Who issued it (RFC 7519 section 4.1.1). Untrusted text: pass it through [`Sanitized`] before showing it.
    pub iss: Option<String>,
    /// Who its subject is (RFC 7519 section 4.1.2). Untrusted text, too.
    pub sub: Option<String>,
    /// The scopes (RFC 8693 section 4.2), from a space-separated text or a list. Untrusted text, too.
    pub scopes: Vec<String>,
    /// The Databricks account, if the token names one.
    account_id: Option<String>,
}

impl UnverifiedClaims {
    /// Reads the claims of `token`. Returns `None` unless it has three parts of which the second is a JSON object in base64url,
    /// padded or not. A claim of the wrong type is left out.
    pub fn read(token: &str) -> Option<Self> {
        if token.len() > LONGEST_TOKEN {
            return None;
        }
        let mut parts = token.split('.');
        let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?);
        let claims: Map<String, Value> = serde_json::from_slice(&bytes).ok()?;
        Some(Self {
            exp: time(claims.get("exp")),
            iat: time(claims.get("iat")),
            iss: name(claims.get("iss")),
            sub: name(claims.get("sub")),
            scopes: words(claims.get("scope").or_else(|| claims.get("scp"))),
            account_id: name(claims.get("account_id")),
        })
    }

    /// The Databricks account: the `account_id` claim, else the account in the issuer's path (`…/oidc/accounts/<id>`).
    ///
    /// ```
    /// use u2m_core::UnverifiedClaims;
    /// // {"iss":"https://a.example/oidc/accounts/abc"}
    /// let token = "e30.eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZS9vaWRjL2FjY291bnRzL2FiYyJ9.c2ln";
    /// assert_eq!(UnverifiedClaims::read(token).unwrap().account_id().as_deref(), Some("abc"));
    /// ```
    pub fn account_id(&self) -> Option<String> {
        let from_issuer = || {
            let issuer = Url::parse(self.iss.as_deref()?).ok()?;
            let rest = issuer.path().strip_prefix("/oidc/accounts/")?;
            rest.split('/').next().filter(|id| !id.is_empty()).map(str::to_owned)
        };
        self.account_id.clone().or_else(from_issuer)
    }

    /// The issuer, sanitized for display.
    pub fn shown_issuer(&self) -> Option<Sanitized> {
        self.iss.as_deref().map(Sanitized::new)
    }
}

/// A NumericDate (RFC 7519 section 2). A fraction is dropped.
fn time(claim: Option<&Value>) -> Option<Timestamp> {
    let seconds = claim?.as_f64().filter(|time| (0.0..1e11).contains(time))?;
    Some(Timestamp::from_unix(seconds as i64))
}

fn name(claim: Option<&Value>) -> Option<String> {
    let text = claim?.as_str()?;
    (!text.is_empty() && text.len() <= LONGEST_NAME).then(|| text.to_owned())
}

fn words(claim: Option<&Value>) -> Vec<String> {
    match claim {
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(listed)) => listed.iter().filter_map(|word| name(Some(word))).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::URL_SAFE;
    use proptest::prelude::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims))
    }

    fn read(claims: &str) -> UnverifiedClaims {
        UnverifiedClaims::read(&token(claims)).unwrap()
    }

    #[test]
    fn a44_a_jwt_gives_hints_whether_it_is_padded_or_not() {
        let text =
            r#"{"exp":1800000000.9,"iat":1799996400,"iss":"https://a.example/oidc","x":[1]}"#;
        let claims = read(text);
        assert_eq!(claims.exp, Some(Timestamp::from_unix(1_800_000_000)));
        assert_eq!(claims.iat, Some(Timestamp::from_unix(1_799_996_400)));
        assert_eq!(claims.iss.as_deref(), Some("https://a.example/oidc"));
        assert_eq!(claims.account_id(), None);
        assert_eq!(read(r#"{"sub":"me","scope":"a  b"}"#).scopes, ["a", "b"]);
        assert_eq!(read(r#"{"sub":"me","scp":["a",3]}"#).scopes, ["a"]);
        assert_eq!(read(r#"{"sub":"me","scope":7}"#).sub.as_deref(), Some("me"));
        let padded = format!("e30.{}.sig", URL_SAFE.encode(text));
        assert!(padded.contains('='));
        assert_eq!(UnverifiedClaims::read(&padded), Some(claims));
        assert_eq!(read("{}"), UnverifiedClaims::default());
    }

    #[test]
    fn a44_what_is_no_jwt_is_opaque_and_no_error() {
        let huge = token(&format!(r#"{{"x":"{}"}}"#, "y".repeat(LONGEST_TOKEN)));
        for opaque in ["", "dapi123", "a.b", "a.b.c", "..", "e30.e30.e30.e30", &token("[]"), &huge]
        {
            assert_eq!(UnverifiedClaims::read(opaque), None, "{:.40}", opaque);
        }
    }

    #[test]
    fn a44_claims_of_a_wrong_form_are_left_out() {
        let long = "x".repeat(LONGEST_NAME + 1);
        for claims in [
            r#"{"exp":"1800000000","iss":7,"account_id":{}}"#.to_owned(),
            r#"{"exp":-1,"iat":1e300,"iss":"","account_id":null}"#.to_owned(),
            format!(r#"{{"iss":"{long}","account_id":"{long}"}}"#),
        ] {
            assert_eq!(read(&claims), UnverifiedClaims::default(), "{claims:.60}");
        }
    }

    #[test]
    fn the_account_is_the_claim_else_what_the_issuer_says() {
        let account = |claims: &str| read(claims).account_id();
        assert_eq!(
            account(r#"{"account_id":"a","iss":"https://h/oidc/accounts/b"}"#).as_deref(),
            Some("a")
        );
        assert_eq!(account(r#"{"iss":"https://h/oidc/accounts/b/"}"#).as_deref(), Some("b"));
        for none in ["https://h/oidc", "https://h/oidc/accounts/", "accounts", "https://["] {
            assert_eq!(account(&format!(r#"{{"iss":"{none}"}}"#)), None, "{none}");
        }
    }

    #[test]
    fn t17_a_shown_issuer_is_one_printable_line() {
        let claims = read(r#"{"iss":"https://a\u001b[31m.example\n"}"#);
        assert_eq!(claims.shown_issuer().unwrap().as_str(), "https://a.example");
    }

    proptest! {
        #[test]
        fn any_text_is_claims_or_none(text in "(?s).{0,300}|[A-Za-z0-9_=-]{0,80}(\\.[A-Za-z0-9_=-]{0,80}){2}") {
            let _ = UnverifiedClaims::read(&text).map(|claims| claims.account_id());
        }

        #[test]
        fn any_object_is_read(json in "\\{(\"(exp|iat|iss|account_id|x)\":(-?[0-9]{1,30}|[0-9]e[0-9]{1,3}|\"[a-z:/]{0,20}\"|null),?)*\\}") {
            let _ = UnverifiedClaims::read(&token(&json)).map(|claims| claims.account_id());
        }
    }

    #[test]
    fn a_token_is_read_up_to_its_limit() {
        let of_length = |length: usize| {
            let token = token(r#"{"sub":"me"}"#);
            format!("{token}{}", "x".repeat(length - token.len()))
        };
        let read = UnverifiedClaims::read(&of_length(LONGEST_TOKEN)).unwrap();
        assert_eq!(read.sub.as_deref(), Some("me"));
        assert!(UnverifiedClaims::read(&of_length(LONGEST_TOKEN + 1)).is_none());
    }
}
