//! Clients that show who they are: by a secret in the form or in the head, or by a statement signed for each request (LOGIN-5).
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, World, now, runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use u2m::login::browser_fn;
use u2m::oauth::{ClientAssertion, ClientAuth, ClientSecret, RefreshToken, Revocation};
use u2m::source::Lifetime;
use u2m::store::{Binding, MemoryStore, Session, TokenStore};
use u2m::text::chain;
use u2m::transport::ReqwestTransport;
use u2m::{AccessToken, Builder, Host, PersistentAuth, SignedIn, Target};
use u2m_testkit::{Client, Device, DeviceAnswer, Settings};
use url::Url;

/// With what has to be encoded before it stands in a form or in a head.
const ID: &str = "web app:1";
const SECRET: &str = "s+e c:ret%\u{e9}-7Qw3rT9";

fn secret() -> ClientSecret {
    ClientSecret::new(SECRET)
}

fn world() -> World {
    let settings = Settings::new().with_client(Client::confidential(ID, SECRET));
    let settings = settings.with_revocation().with_device(Device::new([DeviceAnswer::Approved]));
    World::with(settings)
}

fn builder(world: &World, auth: ClientAuth) -> Builder {
    let browser = browser_fn(|url: Url| async move {
        drop(u2m_testkit::follow_login_in_background(url.as_str()));
        Ok(())
    });
    let builder = world.builder().with_client_id(ID).with_client_auth(auth);
    builder.with_browser(browser).with_port(0)
}

fn signed_in(auth: &PersistentAuth) -> SignedIn {
    runtime().block_on(auth.challenge()).unwrap()
}

#[test]
fn login_5_a_client_with_a_secret_signs_in_renews_and_revokes() {
    for way in [ClientAuth::Post(secret()), ClientAuth::Basic(secret())] {
        let world = world();
        let auth = builder(&world, way.clone()).build().unwrap();
        signed_in(&auth);
        auth.blocking().force_refresh().unwrap();
        let counts = world.server.counts();
        assert_eq!((counts.exchanges, counts.refreshes, counts.rejected), (1, 1, 0), "{way:?}");
        assert!(world.server.is_login_alive());
        let transport = Arc::new(ReqwestTransport::new());
        let ended = u2m::oauth::revoke_as(way, transport, vec![world.stored()], LONG);
        let ended = runtime().block_on(ended);
        assert!(matches!(ended[0].outcome, Ok(Revocation::Revoked)), "{ended:?}");
        assert!(!world.server.is_login_alive());
    }
}

#[test]
fn login_5_a_client_with_a_secret_signs_in_on_another_device() {
    for way in [ClientAuth::Post(secret()), ClientAuth::Basic(secret())] {
        let world = world();
        let auth = builder(&world, way.clone()).build().unwrap();
        runtime().block_on(auth.challenge_device()).unwrap();
        let counts = world.server.counts();
        assert_eq!((counts.device_requests, counts.device_polls), (1, 1), "{way:?}");
    }
}

#[test]
fn a_client_that_shows_the_wrong_secret_or_none_is_told_so_and_nothing_of_it() {
    let wrong = "canary-8Kd2mQ4";
    for way in [
        ClientAuth::Post(ClientSecret::new(wrong)),
        ClientAuth::Basic(ClientSecret::new(wrong)),
        ClientAuth::None,
    ] {
        let world = world();
        let auth = builder(&world, way).build().unwrap();
        let error = runtime().block_on(auth.challenge()).unwrap_err();
        let text = format!("{} {error:?}", chain(&error));
        assert!(text.contains("invalid_client") && !text.contains(wrong), "{text}");
    }
}

/// A login at `base` whose access token has run out, and which was made by this client.
fn expired(base: &str, client: &str) -> (Target, MemoryStore) {
    let host = Host::parse(base).unwrap();
    let endpoint = Url::parse(&format!("{base}/t")).unwrap();
    let session = Session::new(AccessToken::new("old"))
        .with_refresh_token(RefreshToken::new("spend-me"))
        .with_expiry(now().plus(Lifetime::from_seconds(-5)))
        .with_binding(Binding::new(format!("{base}/oidc"), endpoint, client, host.clone()));
    let (target, store) = (Target::workspace(host), MemoryStore::new());
    store.save(&target.cache_key(), &session).unwrap();
    (target, store)
}

const GRANT: &str = r#"{"access_token":"a","refresh_token":"r","expires_in":3600}"#;

#[test]
fn each_way_leaves_in_its_own_form_and_that_of_a_public_client_as_ever() {
    let form = "grant_type=refresh_token&refresh_token=spend-me";
    let basic = "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW";
    let public = format!("client_id=s6BhdRkqt3&{form}");
    let statement = "client_assertion=e.y.J&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A\
                     client-assertion-type%3Ajwt-bearer";
    for (auth, head, body) in [
        (ClientAuth::None, None, public.clone()),
        (
            ClientAuth::Post(ClientSecret::new("gX1fBat3bV")),
            None,
            format!("{public}&client_secret=gX1fBat3bV"),
        ),
        (ClientAuth::Basic(ClientSecret::new("gX1fBat3bV")), Some(basic), form.to_owned()),
        (
            ClientAuth::Assertion(Some(ClientAssertion::new("e.y.J"))),
            None,
            format!("{public}&{statement}"),
        ),
    ] {
        let mut server = mockito::Server::new();
        let head = head.map_or(mockito::Matcher::Missing, mockito::Matcher::from);
        let token = server
            .mock("POST", "/t")
            .match_header("authorization", head)
            .match_body(mockito::Matcher::Exact(body))
            .with_body(GRANT)
            .expect(1)
            .create();
        let (target, store) = expired(&server.url(), "s6BhdRkqt3");
        let builder = PersistentAuth::builder(target).with_store(store);
        let builder = builder.with_client_id("s6BhdRkqt3").with_client_auth(auth);
        builder.build().unwrap().blocking().token().unwrap();
        token.assert();
    }
}

#[test]
fn a_statement_is_signed_anew_for_each_request_and_for_where_that_goes() {
    let mut server = mockito::Server::new();
    let (target, store) = expired(&server.url(), "my-app");
    let endpoint = format!("{}/t", server.url());
    let signed = Arc::new(AtomicUsize::new(0));
    let number = Arc::clone(&signed);
    let builder = PersistentAuth::builder(target).with_store(store).with_client_id("my-app");
    let auth = builder
        .with_client_assertions(move |audience| {
            assert_eq!(audience.as_str(), endpoint);
            let number = number.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(ClientAssertion::new(format!("statement.{number}")))
        })
        .build()
        .unwrap();
    for number in 0..2 {
        let statement = format!("&client_assertion=statement\\.{number}&client_assertion_type=urn");
        let body = mockito::Matcher::Regex(statement);
        let token = server.mock("POST", "/t").match_body(body).with_body(GRANT).expect(1).create();
        auth.blocking().force_refresh().unwrap();
        token.assert();
        token.remove();
    }
    assert_eq!(signed.load(Ordering::SeqCst), 2);
}

#[test]
fn what_could_not_be_signed_is_not_sent_and_spends_nothing() {
    let mut server = mockito::Server::new();
    let token = server.mock("POST", "/t").expect(0).create();
    let (target, store) = expired(&server.url(), "my-app");
    let builder = PersistentAuth::builder(target).with_store(store).with_client_id("my-app");
    let auth = builder
        .with_client_assertions(|_| Err::<ClientAssertion, _>("the key is locked"))
        .build()
        .unwrap();
    let error = auth.blocking().token().unwrap_err();
    let text = chain(&error);
    assert!(text.contains("could not sign for itself: the key is locked"), "{text}");
    assert_eq!(error.fate(), u2m::source::SpendState::Kept);
    assert!(auth.blocking().close(Duration::from_secs(30)));
    token.assert();
}
