//! How requests leave, and when they leave again.
#![allow(clippy::unwrap_used)]

mod common;

use async_trait::async_trait;
use common::{World, chain, runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use u2m::databricks::HostMetadata;
use u2m::oauth::{MetadataError, ServerMetadata};
use u2m::store::TokenStore;
use u2m::transport::{
    BasicEndpoints, EndpointSupplier, ReqwestTransport, RetryPolicy, Transport, TransportFailure,
};
use u2m::{Host, PersistentAuth, Target, TokenError};
use u2m_core::{HttpRequest, HttpResponse, TransportFailureKind};

const METADATA: &str = "/oidc/.well-known/oauth-authorization-server";

fn document(base: &str) -> String {
    format!(
        r#"{{"issuer":"{base}/oidc","authorization_endpoint":"{base}/a","token_endpoint":"{base}/t"}}"#
    )
}

/// Asks for the endpoints of the workspace at `base`.
fn look_up(base: &str) -> Result<ServerMetadata, MetadataError> {
    let endpoints = BasicEndpoints::new(Arc::new(ReqwestTransport::new()));
    runtime().block_on(endpoints.workspace(&Host::parse(base).unwrap()))
}

#[test]
fn a_workspace_is_looked_up_once_and_its_token_endpoint_is_asked() {
    let mut server = mockito::Server::new();
    let base = server.url();
    let metadata = server
        .mock("GET", METADATA)
        .match_header("accept", "application/json")
        .match_header("user-agent", mockito::Matcher::Regex("^u2m/".into()))
        .match_header("authorization", mockito::Matcher::Missing)
        .with_body(document(&base))
        .expect(1)
        .create();
    let token = server
        .mock("POST", "/t")
        .match_header("content-type", "application/x-www-form-urlencoded")
        .match_body(mockito::Matcher::Regex(
            "^client_id=databricks-cli&grant_type=refresh_token&refresh_token=".into(),
        ))
        .with_header("content-type", "application/json; charset=utf-8")
        .with_body(r#"{"access_token":"a","refresh_token":"r","expires_in":3600}"#)
        .expect(2)
        .create();
    let world = World::new();
    let target = Target::workspace(Host::parse(&base).unwrap());
    world.store().save(&target.cache_key(), &world.bare_session(-5)).unwrap();
    let auth = PersistentAuth::builder(target.clone()).with_store(world.store()).build().unwrap();
    assert_eq!(auth.blocking().token().unwrap().access_token().expose(), "a");
    auth.blocking().force_refresh().unwrap();
    let stored = world.store().load(&target.cache_key()).unwrap().unwrap();
    assert_eq!(stored.refresh_token.unwrap().expose(), "r");
    metadata.assert();
    token.assert();
}

#[test]
fn a_form_encoded_answer_is_read_and_an_absent_refresh_token_keeps_the_old_one() {
    for kind in ["application/x-www-form-urlencoded", "text/plain; charset=utf-8"] {
        let mut server = mockito::Server::new();
        let base = server.url();
        server.mock("GET", METADATA).with_body(document(&base)).create();
        let body = "access_token=form&expires_in=3600&token_type=bearer";
        server.mock("POST", "/t").with_header("content-type", kind).with_body(body).create();
        let world = World::new();
        let target = Target::workspace(Host::parse(&base).unwrap());
        let session = world.bare_session(-5);
        world.store().save(&target.cache_key(), &session).unwrap();
        let builder = PersistentAuth::builder(target.clone()).with_store(world.store());
        let token = builder.build().unwrap().blocking().token().unwrap();
        assert_eq!(token.access_token().expose(), "form");
        let stored = world.store().load(&target.cache_key()).unwrap().unwrap();
        assert_eq!(stored.refresh_token, session.refresh_token); // A8
    }
}

#[test]
fn http_3_metadata_is_asked_for_again_when_the_server_is_in_trouble() {
    for status in [429, 502, 503, 504] {
        let mut server = mockito::Server::new();
        let mock = server.mock("GET", METADATA).with_status(status).expect(3).create();
        assert!(look_up(&server.url()).unwrap_err().is_transient());
        mock.assert();
    }
    for (status, transient) in [(500, true), (403, true), (404, false)] {
        let mut server = mockito::Server::new();
        let mock = server.mock("GET", METADATA).with_status(status).expect(1).create();
        assert_eq!(look_up(&server.url()).unwrap_err().is_transient(), transient, "{status}");
        mock.assert();
    }
}

#[test]
fn endp_1_a_host_without_metadata_is_told_in_the_words_that_sdks_look_for() {
    let mut server = mockito::Server::new();
    server.mock("GET", METADATA).with_status(404).with_body("nothing").create();
    let error = look_up(&server.url()).unwrap_err();
    assert_eq!(error.to_string(), "databricks OAuth is not supported for this host");
}

#[test]
fn endp_2_what_was_looked_up_is_kept() {
    let mut server = mockito::Server::new();
    let base = server.url();
    let mock = server.mock("GET", METADATA).with_body(document(&base)).expect(1).create();
    let endpoints = BasicEndpoints::new(Arc::new(ReqwestTransport::new()));
    let host = Host::parse(&base).unwrap();
    let runtime = runtime();
    let first = runtime.block_on(endpoints.workspace(&host)).unwrap();
    assert_eq!(runtime.block_on(endpoints.workspace(&host)).unwrap(), first);
    mock.assert();
}

#[test]
fn wire_4_metadata_follows_a_redirect_on_its_own_origin_and_no_other() {
    let (mut server, mut elsewhere) = (mockito::Server::new(), mockito::Server::new());
    let base = server.url();
    let redirect = |server: &mut mockito::ServerGuard, from: &str, to: &str| {
        server.mock("GET", from).with_status(302).with_header("location", to).create()
    };
    let first = redirect(&mut server, METADATA, "/moved");
    server.mock("GET", "/moved").with_body(document(&base)).create();
    assert_eq!(look_up(&base).unwrap().token_endpoint.path(), "/t");
    first.remove();
    let untouched = elsewhere.mock("GET", mockito::Matcher::Any).expect(0).create();
    let second = redirect(&mut server, METADATA, &format!("{}{METADATA}", elsewhere.url()));
    assert!(matches!(look_up(&base), Err(MetadataError::Status(302))));
    untouched.assert();
    second.remove();
    let endless = redirect(&mut server, METADATA, METADATA).expect(4);
    assert!(matches!(look_up(&base), Err(MetadataError::Status(302))));
    endless.assert();
}

#[test]
fn http_5_t9_a_metadata_document_of_more_than_1_mib_is_refused() {
    let mut server = mockito::Server::new();
    let mock = server.mock("GET", METADATA).with_body(" ".repeat((1 << 20) + 1)).expect(1).create();
    let error = look_up(&server.url()).unwrap_err();
    assert!(chain(&error).contains("too large"), "{}", chain(&error));
    mock.assert();
}

/// Fails in one way, and counts.
#[derive(Debug)]
struct Failing {
    kind: TransportFailureKind,
    sent: Arc<AtomicUsize>,
}

#[async_trait]
impl Transport for Failing {
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
        assert!(!format!("{request:?}").contains("refresh_token")); // A49
        self.sent.fetch_add(1, Ordering::SeqCst);
        Err(TransportFailure::new(self.kind))
    }
}

#[test]
fn http_1_http_4_what_is_sent_again_goes_by_kind_and_by_what_it_spends() {
    use TransportFailureKind::{Broken, NotSent, TimedOut, TooLarge};
    for (kind, metadata, refresh) in
        [(NotSent, 3, 3), (Broken, 3, 1), (TimedOut, 1, 1), (TooLarge, 1, 1)]
    {
        let world = World::new();
        for (session, expected) in
            [(world.bare_session(-5), metadata), (world.session(-5), refresh)]
        {
            world.store().save(&world.key(), &session).unwrap();
            let sent = Arc::new(AtomicUsize::new(0));
            let transport = Failing { kind, sent: Arc::clone(&sent) };
            let auth = world.builder().with_transport(transport).build().unwrap();
            let error = auth.blocking().token().unwrap_err();
            assert!(error.is_transient() && !error.needs_login(), "{error:?}");
            assert_eq!(sent.load(Ordering::SeqCst), expected, "{kind:?}");
            assert_eq!(world.stored().refresh_token, session.refresh_token);
        }
    }
}

#[test]
fn a_server_that_is_not_there_is_told_so_and_nothing_is_lost() {
    let world = World::new();
    let vacant = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let target = Target::workspace(Host::parse(&format!("http://{vacant}")).unwrap());
    let session = world.bare_session(-5);
    world.store().save(&target.cache_key(), &session).unwrap();
    let builder = PersistentAuth::builder(target.clone()).with_store(world.store());
    let error = builder.build().unwrap().blocking().token().unwrap_err();
    assert!(chain(&error).contains("could not be reached"), "{}", chain(&error));
    assert!(error.is_transient());
    assert_eq!(world.store().load(&target.cache_key()).unwrap(), Some(session));
}

/// Looks up a name, which takes its time and cannot be stopped.
#[derive(Debug)]
struct SlowName;

#[async_trait]
impl Transport for SlowName {
    async fn send(&self, _: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
        let looked_up = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_secs(20)));
        let _ = looked_up.await;
        Err(TransportFailure::new(TransportFailureKind::NotSent))
    }
}

#[test]
fn async_4_a_name_that_is_looked_up_for_long_holds_nobody_beyond_the_budget() {
    let world = World::expired();
    let auth = common::hasty(world.builder().with_transport(SlowName)).blocking();
    let start = Instant::now();
    let error = auth.token().unwrap_err();
    assert!(matches!(error, TokenError::Refresh(_)), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn async_4_a_host_that_is_looked_up_for_long_holds_nobody_who_asks_what_it_is() {
    let host = Host::parse("https://a.example").unwrap();
    let start = Instant::now();
    assert_eq!(u2m::blocking::ask_host(&SlowName, &host), HostMetadata::default());
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[test]
fn a_patience_without_end_is_as_good_as_any() {
    let world = World::expired();
    let patience = RetryPolicy::default().with_budget(Duration::MAX / 2);
    let builder = world.builder().with_retry_policy(patience).with_lock_wait(Duration::MAX);
    let auth = builder.build().unwrap();
    auth.blocking().token().unwrap();
    assert!(auth.blocking().close(Duration::MAX));
    world.assert_refreshed(1);
}
