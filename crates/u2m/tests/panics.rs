//! A part of the program's own that panics: whoever asked is told so, nobody waits for ever, and the login is left whole.
#![allow(clippy::unwrap_used)]

mod common;

use async_trait::async_trait;
use common::store::{Stored, Twist, Twisted};
use common::{World, runtime};
use u2m::login::browser_fn;
use u2m::oauth::{MetadataError, ServerMetadata};
use u2m::store::{CacheKey, FileStore, Session, TokenStore};
use u2m::transport::{EndpointSupplier, ReqwestTransport, Transport, TransportFailure};
use u2m::{AccountId, Builder, ChallengeError, Host, TokenError};
use u2m_core::{HttpRequest, HttpResponse};
use url::Url;

/// Panics instead of sending what spends something.
#[derive(Debug, Default)]
struct Broken(ReqwestTransport);

#[async_trait]
impl Transport for Broken {
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
        assert!(request.form().is_none(), "on purpose");
        self.0.send(request).await
    }
}

#[async_trait]
impl EndpointSupplier for Broken {
    async fn workspace(&self, _: &Host) -> Result<ServerMetadata, MetadataError> {
        panic!("on purpose")
    }

    async fn account(&self, _: &Host, _: &AccountId) -> Result<ServerMetadata, MetadataError> {
        panic!("on purpose")
    }

    async fn unified(&self, _: &Host, _: &AccountId) -> Result<ServerMetadata, MetadataError> {
        panic!("on purpose")
    }

    async fn at_url(&self, _: &Url) -> Result<ServerMetadata, MetadataError> {
        panic!("on purpose")
    }
}

impl Twist for Broken {
    fn load(&self, _: &FileStore, _: &CacheKey) -> Stored<Option<Session>> {
        panic!("on purpose")
    }
}

#[test]
fn a_panic_in_a_part_of_the_programs_own_is_told_as_one_and_is_not_worth_a_second_try() {
    let world = World::new();
    let parts: [fn(Builder, FileStore) -> Builder; 3] = [
        |builder, _| builder.with_transport(Broken::default()),
        |builder, _| builder.with_endpoints(Broken::default()),
        |builder, store| builder.with_store(Twisted(store, Broken::default())),
    ];
    for part in parts {
        // One that another program saved: the endpoints are asked for.
        world.store().save(&world.key(), &world.bare_session(-5)).unwrap();
        let auth = part(world.builder(), world.store()).build().unwrap();
        let tasks = runtime().block_on(auth.token()).unwrap_err();
        let threads = auth.blocking().force_refresh().unwrap_err();
        for error in [tasks, threads] {
            assert!(matches!(error, TokenError::Panicked), "{error:?}");
            assert!(!error.is_transient() && !error.needs_login());
        }
        // Locks and claims are given back, and nothing of the login is lost.
        world.auth().blocking().token().unwrap();
        world.assert_alive();
    }
}

#[test]
fn a_sign_in_whose_code_cannot_be_redeemed_for_a_panic_says_so() {
    let world = World::new();
    let browser = browser_fn(|url: Url| async move {
        drop(u2m_testkit::follow_login_in_background(url.as_str()));
        Ok(())
    });
    let builder = world.builder().with_browser(browser).with_port(0);
    let auth = builder.with_transport(Broken::default()).build().unwrap();
    let error = runtime().block_on(auth.challenge()).unwrap_err();
    assert!(matches!(error, ChallengeError::Panicked) && !error.is_transient(), "{error:?}");
}
