//! oauth2, openidconnect and the url crate, doing the same work.

use crate::{AUTHORIZE, CLIENT, REDIRECT, SCOPES, answer, callback_with};
use measure::Contest;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreTokenResponse};
use openidconnect::{IssuerUrl, JsonWebKeySet, Nonce};
use std::error::Error;
use std::hint::black_box;
use url::Url;

/// Begins a login: the state, and what must be kept until the browser comes back.
trait Start: Sync + 'static {
    type Kept;
    fn start(&self) -> (String, Self::Kept);
}

impl<K, F: Fn() -> (String, K) + Sync + 'static> Start for F {
    type Kept = K;
    fn start(&self) -> (String, K) {
        self()
    }
}

fn oauth2() -> Result<impl Start, Box<dyn Error>> {
    use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
    let client = oauth2::basic::BasicClient::new(ClientId::new(CLIENT.into()))
        .set_auth_uri(AuthUrl::new(AUTHORIZE.into())?)
        .set_redirect_uri(RedirectUrl::new(REDIRECT.into())?);
    Ok(move || {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state) = client
            .authorize_url(CsrfToken::new_random)
            .add_scopes(SCOPES.map(|scope| Scope::new(scope.into())))
            .set_pkce_challenge(challenge)
            .url();
        (state.into_secret(), (url, verifier))
    })
}

fn openidconnect() -> Result<impl Start, Box<dyn Error>> {
    use openidconnect::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
    let issuer = IssuerUrl::new("https://workspace.example.com/oidc".into())?;
    let client = CoreClient::new(ClientId::new(CLIENT.into()), issuer, JsonWebKeySet::default())
        .set_auth_uri(AuthUrl::new(AUTHORIZE.into())?)
        .set_redirect_uri(RedirectUrl::new(REDIRECT.into())?);
    Ok(move || {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let (url, state, nonce) = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(SCOPES.map(|scope| Scope::new(scope.into())))
            .set_pkce_challenge(challenge)
            .url();
        (state.into_secret(), (url, verifier, nonce))
    })
}

/// Code and state of a callback, by the url crate: neither library parses it.
fn callback(target: &str) -> Option<(String, String)> {
    let url = Url::parse(REDIRECT).and_then(|base| base.join(target)).ok()?;
    let (mut code, mut state) = (None, None);
    for (name, value) in url.query_pairs() {
        match &*name {
            "code" => code = Some(value.into_owned()),
            "state" => state = Some(value.into_owned()),
            _ => (),
        }
    }
    code.zip(state)
}

pub(crate) fn enter_start(contest: &mut Contest) -> Result<(), Box<dyn Error>> {
    let (oauth2, openidconnect) = (oauth2()?, openidconnect()?);
    contest.call("oauth2", move || oauth2.start());
    contest.call("openidconnect, with a nonce", move || openidconnect.start());
    Ok(())
}

pub(crate) fn enter_callback(contest: &mut Contest, target: String) {
    contest.call("url", move || callback(black_box(&target)));
}

pub(crate) fn enter_whole(contest: &mut Contest) -> Result<(), Box<dyn Error>> {
    let (start, body) = (oauth2()?, answer());
    contest.call("oauth2 and url", move || {
        let (state, kept) = start.start();
        let answer: oauth2::basic::BasicTokenResponse =
            serde_json::from_str(&body).expect("a good answer");
        (callback(&callback_with(&state)), kept, answer)
    });
    let (start, body) = (openidconnect()?, answer());
    contest.call("openidconnect and url", move || {
        let (state, kept) = start.start();
        let answer: CoreTokenResponse = serde_json::from_str(&body).expect("a good answer");
        (callback(&callback_with(&state)), kept, answer)
    });
    Ok(())
}
