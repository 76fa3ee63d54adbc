//! The bodies of token requests by a public client (RFC 6749 sections 4.1.3 and 6): with the client id and without a secret.

use crate::secret::{AuthorizationCode, CodeVerifier, RefreshToken};
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

/// Redeems an authorization code. `redirect_uri` must be the exact string of the authorization request.
pub(crate) fn exchange_form(
    client_id: &str,
    code: &AuthorizationCode,
    verifier: &CodeVerifier,
    redirect_uri: &str,
) -> Zeroizing<String> {
    form(&[
        ("client_id", client_id),
        ("code", code.expose()),
        ("code_verifier", verifier.expose()),
        ("grant_type", "authorization_code"),
        ("redirect_uri", redirect_uri),
    ])
}

/// Redeems a refresh token. No scope is sent, so the scopes stay the same and are never widened (A7).
pub(crate) fn refresh_form(client_id: &str, token: &RefreshToken) -> Zeroizing<String> {
    form(&[
        ("client_id", client_id),
        ("grant_type", "refresh_token"),
        ("refresh_token", token.expose()),
    ])
}

pub(crate) fn form(pairs: &[(&str, &str)]) -> Zeroizing<String> {
    // Room for every byte percent-encoded, so that growing leaves no buffer with a secret behind.
    let room = pairs.iter().map(|(key, value)| 2 + 3 * (key.len() + value.len())).sum();
    let mut form = Serializer::new(String::with_capacity(room));
    form.extend_pairs(pairs);
    Zeroizing::new(form.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a11_a_public_client_names_itself_in_the_body_and_nowhere_else() {
        let exchange = exchange_form(
            "databricks-cli",
            &AuthorizationCode::new("c+d"),
            &CodeVerifier::new("ver"),
            "http://localhost:8020",
        );
        assert_eq!(
            exchange.as_str(),
            "client_id=databricks-cli&code=c%2Bd&code_verifier=ver&grant_type=authorization_code\
             &redirect_uri=http%3A%2F%2Flocalhost%3A8020"
        );
        let refresh = refresh_form("databricks-cli", &RefreshToken::new("r"));
        assert_eq!(
            refresh.as_str(),
            "client_id=databricks-cli&grant_type=refresh_token&refresh_token=r"
        );
    }
}
