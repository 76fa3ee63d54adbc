//! A login at an issuer that has its token endpoint on another host, allowed by name when signing in, and kept in Redis: a
//! program that is told of no such permission uses it, because it stands in the login's own record.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "../../u2m-cache/tests/common/redis_server.rs"]
mod redis_server;

use common::{LONG, World, runtime};
use redis_server::RedisServer;
use std::sync::Arc;
use u2m::login::browser_fn;
use u2m::oauth::{IssuerTrust, Revocation};
use u2m::source::Lifetime;
use u2m::store::{RedisStore, SealKey, TokenStore};
use u2m::transport::ReqwestTransport;
use u2m::{Host, PersistentAuth, Target};
use u2m_testkit::{Client, Endpoint, Iss, Settings, WellKnown};

#[test]
fn a_login_with_its_endpoint_on_another_allowed_host_lives_in_redis() {
    let Some(redis) = RedisServer::start(&["--appendonly", "yes"]) else { return };
    let settings = Settings::new()
        .with_client(Client::public("my-cli"))
        .with_well_known(WellKnown::OpenId)
        .with_iss(Iss::Present)
        .with_revocation()
        .with_lifetime(Lifetime::from_seconds(9));
    let world = World::with(settings);
    let tokens = world.server.base_url().replace("127.0.0.1", "localhost");
    world.server.reconfigure(|settings| settings.with_tokens_on(tokens.clone()));
    let open = || RedisStore::open(&redis.url(), &SealKey::from_bytes([7; 32])).unwrap();
    let target = Target::issuer(format!("{}/oidc", world.server.base_url())).unwrap();
    let builder =
        || PersistentAuth::builder(target.clone()).with_client_id("my-cli").with_store(open());

    let browser = browser_fn(|url: url::Url| {
        u2m_testkit::follow_login_in_background(url.as_str());
        async { Ok(()) }
    });
    let trust = IssuerTrust::databricks().with_host(Host::parse(&tokens).unwrap());
    let auth = builder().with_trust(trust).with_browser(browser).with_port(0).build().unwrap();
    let signed_in = runtime().block_on(auth.challenge()).unwrap();

    let other = builder().build().unwrap();
    let token = other.blocking().token().unwrap();
    assert_ne!(token, signed_in.token());
    let third = builder().build().unwrap().blocking().refresh_rejected(&token).unwrap();
    assert_ne!(third, token);
    let stored = open().load(&target.cache_key()).unwrap().unwrap();
    assert_eq!(stored.binding.as_ref().unwrap().allowed, [Host::parse(&tokens).unwrap()]);
    let revoked = u2m::blocking::revoke(Arc::new(ReqwestTransport::new()), vec![stored], LONG);
    assert!(matches!(revoked[0].outcome, Ok(Revocation::Revoked)), "{revoked:?}");
    let counts = world.server.counts();
    assert_eq!((counts.refreshes, counts.rejected, counts.revocations), (2, 0, 1), "{counts:?}");
    let seen = world.server.seen();
    let asked = seen.iter().filter(|seen| {
        seen.endpoint() == Endpoint::Token || seen.endpoint() == Endpoint::Revocation
    });
    let hosts: Vec<_> =
        asked.map(|seen| format!("http://{}", seen.header("host").unwrap())).collect();
    assert_eq!(hosts, [tokens.as_str(); 4]);
}
