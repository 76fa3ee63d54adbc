//! Revoking a login's tokens at the authorization server (RFC 7009).
//!
//! | step | the driver does | then |
//! |---|---|---|
//! | [`Discover`](RevokeStep::Discover) | fetches the metadata of the login's own issuer | `Revoke`, or `Done` if none is offered |
//! | [`Revoke`](RevokeStep::Revoke) | sends the token to the endpoint that was found | `Done` |

use crate::call::{AwaitsResponse, HttpCall, Replay, TransportFailure, sealed};
use crate::oauth::client_auth::ClientAuth;
use crate::oauth::{
    MetadataError, RevokeError, WellKnownFound, WellKnownSearch, parse_revocation, revocation_form,
};
use crate::reply::Reply;
use crate::session::Session;
use crate::text::Sanitized;
use crate::time::Timestamp;
use std::fmt;
use zeroize::Zeroizing;

/// The next step of a revocation, for the driver to carry out.
#[derive(Debug)]
#[must_use]
pub enum RevokeStep {
    /// Fetch the issuer's metadata.
    Discover(HttpCall<DiscoveringForRevocation>),
    /// The revocation has ended.
    Done(Revocation),
    /// Send the token to the revocation endpoint.
    Revoke(HttpCall<RevokingToken>),
}

/// The result of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revocation {
    /// The server offers no revocation, or the login has no binding that says whose it is. No token was sent anywhere.
    NotOffered,
    /// The token is no longer valid.
    Revoked,
}

impl Session {
    /// Starts to revoke this login: its refresh token, or its access token if there is none. Only the issuer that the login is
    /// bound to is asked for the endpoint, and its answer counts only for the login's host, the host of the login's token
    /// endpoint, and hosts that were allowed at the login. A login without a binding is left alone, because what it belongs to
    /// would be a guess.
    ///
    /// ```
    /// use u2m_core::{AccessToken, Revocation, RevokeStep, Session};
    /// let step = Session::new(AccessToken::new("of another program")).revoke();
    /// assert!(matches!(step, Ok(RevokeStep::Done(Revocation::NotOffered))));
    /// ```
    ///
    /// # Errors
    /// Fails if the issuer recorded in the login is not a valid issuer.
    pub fn revoke(&self) -> Result<RevokeStep, RevokeError> {
        self.revoke_as(&ClientAuth::None)
    }

    /// Like [`revoke`](Self::revoke), for the login of a client that authenticates (RFC 7009 section 2.1).
    ///
    /// ```
    /// use u2m_core::{AccessToken, ClientAuth, ClientSecret, Revocation, RevokeStep, Session};
    /// let auth = ClientAuth::Basic(ClientSecret::new("canary"));
    /// let step = Session::new(AccessToken::new("of another program")).revoke_as(&auth);
    /// assert!(matches!(step, Ok(RevokeStep::Done(Revocation::NotOffered))));
    /// ```
    ///
    /// # Errors
    /// Fails if the issuer recorded in the login is not a valid issuer.
    pub fn revoke_as(&self, auth: &ClientAuth) -> Result<RevokeStep, RevokeError> {
        let Some(binding) = &self.binding else {
            return Ok(RevokeStep::Done(Revocation::NotOffered));
        };
        let (url, search) = WellKnownSearch::again(binding)
            .map_err(|_| MetadataError::WrongIssuer(Sanitized::new(&binding.issuer)))
            .map_err(RevokeError::Endpoints)?;
        let form = revocation_form(&binding.client_id, self);
        let request =
            RevocationRequest { client_id: binding.client_id.clone(), auth: auth.clone(), form };
        Ok(RevokeStep::Discover(WellKnownSearch::call(
            url,
            DiscoveringForRevocation(Box::new((request, search))),
        )))
    }
}

/// Waits for the metadata of the login's issuer. `Debug` leaves out the request to send, because it is secret.
pub struct DiscoveringForRevocation(Box<(RevocationRequest, WellKnownSearch)>);

/// The request to send, and its client.
struct RevocationRequest {
    client_id: String,
    auth: ClientAuth,
    form: Zeroizing<String>,
}

impl fmt::Debug for DiscoveringForRevocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DiscoveringForRevocation").field(&self.0.1).finish()
    }
}

impl sealed::Sealed for DiscoveringForRevocation {}

impl AwaitsResponse for DiscoveringForRevocation {
    type Next = RevokeStep;
    type Error = RevokeError;

    fn accept(
        self,
        outcome: Result<Reply, TransportFailure>,
        _: Timestamp,
    ) -> Result<RevokeStep, RevokeError> {
        let (request, search) = *self.0;
        let server = match search.read(outcome) {
            Ok(WellKnownFound::Server(server)) => server,
            Ok(WellKnownFound::Elsewhere(url, search)) => {
                return Ok(RevokeStep::Discover(WellKnownSearch::call(
                    url,
                    Self(Box::new((request, search))),
                )));
            }
            // A server that publishes no metadata offers no revocation.
            Err(MetadataError::NoDocument | MetadataError::NotSupported) => {
                return Ok(RevokeStep::Done(Revocation::NotOffered));
            }
            Err(error) => return Err(RevokeError::Endpoints(error)),
        };
        let Some(endpoint) = server.revocation_endpoint else {
            return Ok(RevokeStep::Done(Revocation::NotOffered));
        };
        let RevocationRequest { client_id, auth, form } = request;
        let request = auth.request(&client_id, endpoint, form);
        // Revoking a token twice does no harm.
        Ok(RevokeStep::Revoke(HttpCall::new(request, Replay::Safe, RevokingToken(()))))
    }
}

/// Waits for the revocation endpoint's response.
#[derive(Debug)]
pub struct RevokingToken(());

impl sealed::Sealed for RevokingToken {}

impl AwaitsResponse for RevokingToken {
    type Next = RevokeStep;
    type Error = RevokeError;

    fn accept(
        self,
        outcome: Result<Reply, TransportFailure>,
        _: Timestamp,
    ) -> Result<RevokeStep, RevokeError> {
        parse_revocation(outcome).map(|()| RevokeStep::Done(Revocation::Revoked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::HttpResponse;
    use crate::secret::{AccessToken, RefreshToken};
    use crate::session::Binding;
    use url::Url;

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn login(issuer: &str, token_endpoint: &str) -> Session {
        let endpoint = Url::parse(token_endpoint).unwrap();
        let host = crate::derive_host_from_issuer(issuer).unwrap();
        Session::new(AccessToken::new("the-access"))
            .with_refresh_token(RefreshToken::new("the-refresh"))
            .with_binding(Binding::new(issuer, endpoint, "my-cli", host))
    }

    /// A login to an issuer that a person named.
    fn named(issuer: &str, token_endpoint: &str) -> Session {
        let mut login = login(issuer, token_endpoint);
        login.binding = login.binding.map(|binding| binding.with_issuer_named(true));
        login
    }

    fn document(issuer: &str, token: &str, revocation: &str) -> String {
        format!(
            r#"{{"issuer":"{issuer}","authorization_endpoint":"{issuer}/a","token_endpoint":"{token}",
            "revocation_endpoint":"{revocation}"}}"#
        )
    }

    fn discover(step: RevokeStep) -> HttpCall<DiscoveringForRevocation> {
        match step {
            RevokeStep::Discover(call) => call,
            step => panic!("not a question: {step:?}"),
        }
    }

    fn answer(status: u16, body: &str) -> Result<HttpResponse, TransportFailure> {
        Ok(HttpResponse::new(status, body.into()))
    }

    #[test]
    fn t20_the_token_goes_to_the_issuer_of_its_own_login() {
        let (issuer, token) = ("https://a.example/oidc", "https://a.example/oidc/v1/token");
        let call = discover(login(issuer, token).revoke().unwrap());
        assert_eq!(
            call.request().url().as_str(),
            "https://a.example/oidc/.well-known/oauth-authorization-server"
        );
        let body = document(issuer, token, "https://a.example/oidc/v1/revoke");
        let step = call.answered(answer(200, &body), NOW).unwrap();
        let RevokeStep::Revoke(call) = step else { panic!("{step:?}") };
        assert_eq!(call.request().url().as_str(), "https://a.example/oidc/v1/revoke");
        assert_eq!(
            call.request().form(),
            Some("client_id=my-cli&token=the-refresh&token_type_hint=refresh_token")
        );
        let step = call.answered(answer(200, ""), NOW).unwrap();
        assert!(matches!(step, RevokeStep::Done(Revocation::Revoked)));
    }

    #[test]
    fn a32_an_endpoint_elsewhere_is_no_offer_and_another_issuers_document_is_no_answer() {
        let (issuer, token) = ("https://a.example/oidc", "https://a.example/oidc/v1/token");
        let elsewhere = document(issuer, token, "https://evil.example/revoke");
        let call = discover(login(issuer, token).revoke().unwrap());
        let step = call.answered(answer(200, &elsewhere), NOW).unwrap();
        assert!(matches!(step, RevokeStep::Done(Revocation::NotOffered)), "{step:?}");
        let other = document("https://b.example/oidc", token, "https://a.example/revoke");
        let mut call = discover(login(issuer, token).revoke().unwrap());
        for _ in 0..2 {
            call = discover(call.answered(answer(200, &other), NOW).unwrap());
        }
        let error = call.answered(answer(404, ""), NOW).unwrap_err();
        assert!(
            matches!(error, RevokeError::Endpoints(MetadataError::WrongIssuer(_))),
            "{error:?}"
        );
    }

    #[test]
    fn a30_a_host_that_names_no_issuer_revokes_its_own_tokens() {
        let (issuer, token) = ("https://a.example/oidc", "https://a.example/oauth/token");
        let body = document(issuer, token, "https://a.example/revoke");
        for name in ["null", "\"https://a.example\""] {
            let body = body.replacen(&format!("\"{issuer}\""), name, 1);
            let call = discover(login(issuer, token).revoke().unwrap());
            let step = call.answered(answer(200, &body), NOW).unwrap();
            let RevokeStep::Revoke(call) = step else { panic!("{name}: {step:?}") };
            assert_eq!(call.request().url().as_str(), "https://a.example/revoke");
        }
        // A discovery login is treated like this wherever it found its issuer, whatever its client is.
        let found = login("https://a.example/pool", "https://a.example/oauth/token");
        let call = discover(found.revoke().unwrap());
        assert_eq!(call.request().url().path(), "/pool/.well-known/oauth-authorization-server");
        let step = call.answered(answer(200, &body), NOW).unwrap();
        assert!(matches!(step, RevokeStep::Revoke(_)), "{step:?}");
    }

    #[test]
    fn a30_of_several_issuers_on_one_host_the_one_that_a_person_named_is_asked_whatever_its_path() {
        for path in ["/realms/a", "/oidc", "/oidc/accounts/7"] {
            let (issuer, token) = (format!("https://id.example{path}"), "https://id.example/token");
            let other = document("https://id.example/oidc/b", token, "https://id.example/revoke");
            let call = discover(named(&issuer, token).revoke().unwrap());
            let place = format!("/.well-known/oauth-authorization-server{path}");
            assert_eq!(call.request().url().path(), place);
            let call = discover(call.answered(answer(200, &other), NOW).unwrap());
            let error = call.answered(answer(200, &other), NOW).unwrap_err();
            assert!(
                matches!(error, RevokeError::Endpoints(MetadataError::WrongIssuer(_))),
                "{path}: {error:?}"
            );
            // A document that names no issuer is not believed either.
            let unnamed = document("", token, "https://id.example/revoke").replace("\"\"", "null");
            let mut call = discover(named(&issuer, token).revoke().unwrap());
            call = discover(call.answered(answer(200, &unnamed), NOW).unwrap());
            let error = call.answered(answer(404, ""), NOW).unwrap_err();
            assert!(matches!(error, RevokeError::Endpoints(_)), "{path}: {error:?}");
        }
    }

    #[test]
    fn the_host_that_issued_the_tokens_may_revoke_them() {
        let (issuer, token) = ("https://id.example", "https://tokens.example/token");
        let call = discover(named(issuer, token).revoke().unwrap());
        let url = "https://id.example/.well-known/oauth-authorization-server";
        assert_eq!(call.request().url().as_str(), url);
        let call = discover(call.answered(answer(404, ""), NOW).unwrap());
        let url = "https://id.example/.well-known/openid-configuration";
        assert_eq!(call.request().url().as_str(), url);
        let body = document(issuer, token, "https://tokens.example/revoke");
        let step = call.answered(answer(200, &body), NOW).unwrap();
        assert!(matches!(step, RevokeStep::Revoke(_)), "{step:?}");
    }

    #[test]
    fn a_server_in_trouble_is_not_taken_for_one_without_the_offer() {
        let (issuer, token) = ("https://a.example/oidc", "https://a.example/oidc/v1/token");
        let call = discover(login(issuer, token).revoke().unwrap());
        let error = call.answered(answer(503, ""), NOW).unwrap_err();
        assert!(error.is_transient());
        let mut call = discover(login(issuer, token).revoke().unwrap());
        for _ in 0..2 {
            call = discover(call.answered(answer(404, ""), NOW).unwrap());
        }
        let step = call.answered(answer(404, ""), NOW).unwrap();
        assert!(matches!(step, RevokeStep::Done(Revocation::NotOffered)));
    }

    #[test]
    fn no_token_shows_in_a_step() {
        let call = login("https://a.example", "https://a.example/t").revoke().unwrap();
        assert!(!format!("{call:?}").contains("the-refresh"));
    }
}
