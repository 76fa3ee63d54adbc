//! The authorization request (RFC 6749 section 4.1.1, RFC 7636 section 4.3), byte for byte as the Go SDK writes it.

use crate::oauth::Pkce;
use crate::secret::CsrfState;
use url::Url;
use url::form_urlencoded::Serializer;

/// Form-encodes the parameters in alphabetical order: seven of them, or six if no scope is requested.
pub(crate) fn authorize_query(
    client_id: &str,
    pkce: &Pkce,
    redirect_uri: &str,
    scope: &str,
    state: &CsrfState,
) -> String {
    let mut query = Serializer::new(String::with_capacity(320));
    query
        .append_pair("client_id", client_id)
        .append_pair("code_challenge", pkce.challenge())
        .append_pair("code_challenge_method", Pkce::METHOD)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("response_type", "code");
    if !scope.is_empty() {
        query.append_pair("scope", scope);
    }
    query.append_pair("state", state.expose()).finish()
}

/// Adds the query to an authorization endpoint, and keeps the endpoint's own query (RFC 6749 section 3.1).
pub(crate) fn authorize_url(endpoint: &Url, query: &str) -> Url {
    let mut url = endpoint.clone();
    let both = match endpoint.query().filter(|own| !own.is_empty()) {
        Some(own) => format!("{own}&{query}"),
        None => query.to_owned(),
    };
    url.set_query(Some(&both));
    url
}

/// The URL that starts a discovery login: the person picks a workspace or an account at `discovery_host`, which redirects the
/// browser to the authorization endpoint there. `to_account` shows the account picker.
///
/// The same input gives the same bytes as `BuildDiscoveryAuthorizeURL` of Databricks' Go package.
///
/// ```
/// use u2m_core::{CodeVerifier, CsrfState, Pkce, Scopes, build_discovery_authorize_url};
/// let host = url::Url::parse("https://login.databricks.com").unwrap();
/// let pkce = Pkce::from_verifier(CodeVerifier::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
/// let scope = Scopes::default().requested(true);
/// let state = CsrfState::new("ST");
/// let redirect = "http://localhost:8020";
/// let url = build_discovery_authorize_url(&host, "databricks-cli", &pkce, redirect, &scope, &state, true);
/// assert!(url.as_str().starts_with("https://login.databricks.com/?destination_url=%2Foidc%2Fv1%2Fauthorize%3F"));
/// assert!(url.as_str().ends_with("&target=ACCOUNT"));
/// ```
pub fn build_discovery_authorize_url(
    discovery_host: &Url,
    client_id: &str,
    pkce: &Pkce,
    redirect_uri: &str,
    scope: &str,
    state: &CsrfState,
    to_account: bool,
) -> Url {
    let inner = authorize_query(client_id, pkce, redirect_uri, scope, state);
    let mut query = Serializer::new(String::with_capacity(512));
    query.append_pair("destination_url", &format!("/oidc/v1/authorize?{inner}"));
    if to_account {
        query.append_pair("target", "ACCOUNT");
    }
    let mut url = discovery_host.clone();
    url.set_path("/");
    url.set_query(Some(&query.finish()));
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Scopes;
    use crate::secret::CodeVerifier;

    /// Puts the test vectors' placeholder in place of the real challenge.
    fn with_ch(text: &str, pkce: &Pkce) -> String {
        text.replace(pkce.challenge(), "CH")
    }

    #[test]
    fn the_authorization_url_is_that_of_the_reference_byte_for_byte() {
        let pkce = Pkce::from_verifier(CodeVerifier::new("v"));
        let scope = Scopes::split("all-apis mlflow:read").requested(true);
        let state = CsrfState::new("ST");
        let query =
            authorize_query("databricks-cli", &pkce, "http://localhost:8020", &scope, &state);
        let url =
            authorize_url(&Url::parse("https://w.example.com/oidc/v1/authorize").unwrap(), &query);
        assert_eq!(
            with_ch(url.as_str(), &pkce),
            "https://w.example.com/oidc/v1/authorize?client_id=databricks-cli&code_challenge=CH&code_challenge_method=S256\
             &redirect_uri=http%3A%2F%2Flocalhost%3A8020&response_type=code&scope=offline_access+all-apis+mlflow%3Aread&state=ST"
        );
    }

    #[test]
    fn the_discovery_url_is_that_of_the_reference_byte_for_byte() {
        let pkce = Pkce::from_verifier(CodeVerifier::new("v"));
        let host = Url::parse("https://login.databricks.com").unwrap();
        let scope = Scopes::default().requested(true);
        let state = CsrfState::new("ST");
        let make = |to_account| {
            let redirect = "http://localhost:8020";
            build_discovery_authorize_url(
                &host,
                "databricks-cli",
                &pkce,
                redirect,
                &scope,
                &state,
                to_account,
            )
        };
        let expected = "https://login.databricks.com/?destination_url=%2Foidc%2Fv1%2Fauthorize%3Fclient_id%3Ddatabricks-cli\
            %26code_challenge%3DCH%26code_challenge_method%3DS256%26redirect_uri%3Dhttp%253A%252F%252Flocalhost%253A8020\
            %26response_type%3Dcode%26scope%3Doffline_access%2Ball-apis%26state%3DST";
        assert_eq!(with_ch(make(true).as_str(), &pkce), format!("{expected}&target=ACCOUNT"));
        assert_eq!(with_ch(make(false).as_str(), &pkce), expected);
    }

    #[test]
    fn a1_an_endpoint_keeps_its_own_query() {
        let url =
            authorize_url(&Url::parse("https://a.example/authorize?tenant=1").unwrap(), "state=x");
        assert_eq!(url.as_str(), "https://a.example/authorize?tenant=1&state=x");
    }
}
