//! oauth2, openidconnect and the url crate, doing the same work.

use crate::{AUTHORIZE, CALLBACK, CLIENT, REDIRECT, SCOPES};
use measure::Contest;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreTokenResponse};
use openidconnect::{IssuerUrl, JsonWebKeySet, Nonce};
use std::error::Error;
use std::hint::black_box;
use url::Url;

pub(crate) fn enter_start(contest: &mut Contest) -> Result<(), Box<dyn Error>> {
    start_oauth2(contest)?;
    start_openidconnect(contest)
}

fn start_oauth2(contest: &mut Contest) -> Result<(), Box<dyn Error>> {
    use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
    let client = oauth2::basic::BasicClient::new(ClientId::new(CLIENT.into()))
        .set_auth_uri(AuthUrl::new(AUTHORIZE.into())?)
        .set_redirect_uri(RedirectUrl::new(REDIRECT.into())?);
    contest.call("oauth2", move || {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request = client
            .authorize_url(CsrfToken::new_random)
            .add_scopes(SCOPES.map(|scope| Scope::new(scope.into())))
            .set_pkce_challenge(challenge);
        (request.url(), verifier)
    });
    Ok(())
}

fn start_openidconnect(contest: &mut Contest) -> Result<(), Box<dyn Error>> {
    use openidconnect::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
    let issuer = IssuerUrl::new("https://workspace.example.com/oidc".into())?;
    let client = CoreClient::new(ClientId::new(CLIENT.into()), issuer, JsonWebKeySet::default())
        .set_auth_uri(AuthUrl::new(AUTHORIZE.into())?)
        .set_redirect_uri(RedirectUrl::new(REDIRECT.into())?);
    contest.call("openidconnect, with a nonce", move || {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let request = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(SCOPES.map(|scope| Scope::new(scope.into())))
            .set_pkce_challenge(challenge);
        (request.url(), verifier)
    });
    Ok(())
}

pub(crate) fn enter_callback(contest: &mut Contest) {
    contest.call("url", || {
        let url = Url::parse(REDIRECT).and_then(|base| base.join(black_box(CALLBACK))).ok()?;
        let (mut code, mut state) = (None, None);
        for (name, value) in url.query_pairs() {
            match &*name {
                "code" => code = Some(value.into_owned()),
                "state" => state = Some(value.into_owned()),
                _ => (),
            }
        }
        code.zip(state)
    });
}

pub(crate) fn enter_answer(contest: &mut Contest, body: &str) {
    let text = body.to_owned();
    contest.call("oauth2", move || {
        serde_json::from_str::<oauth2::basic::BasicTokenResponse>(&text).expect("an answer")
    });
    let text = body.to_owned();
    contest.call("openidconnect, without id_token", move || {
        serde_json::from_str::<CoreTokenResponse>(&text).expect("an answer")
    });
}
