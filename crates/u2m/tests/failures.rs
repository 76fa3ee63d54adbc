//! The server says no, or something else answers in its place. What may pass is tried again; what will not is not.
#![allow(clippy::unwrap_used)]

mod common;

use common::raw::Raw;
use common::{World, chain, hasty, parse, report, together};
use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use u2m::store::{Binding, TokenStore};
use u2m::{PersistentAuth, Target, TokenError};
use u2m_testkit::{Endpoint, Fault, RunningServer, Settings, Times, http::StatusCode};

#[test]
fn worker() {
    common::work(|_, abroad| {
        let start = Instant::now();
        report(&abroad.builder().build().unwrap().blocking().token(), start.elapsed());
    });
}

#[test]
fn err_1_20_waiters_share_one_rejection_and_nobody_asks_again() {
    let world = World::expired();
    world.server.revoke_all();
    let shared = world.auth();
    let errors = together(20, |at| {
        let auth = if at % 2 == 0 { shared.clone() } else { world.auth() };
        auth.blocking().token().unwrap_err()
    });
    assert!(errors.iter().all(TokenError::needs_login), "{errors:?}");
    assert!(errors.iter().all(|error| !error.is_transient()));
    assert_eq!(world.refreshes(), 1);
    // Later callers, here and elsewhere, learn it from the file; forcing does not help.
    assert!(shared.blocking().force_refresh().unwrap_err().needs_login());
    assert!(world.auth().blocking().token().unwrap_err().needs_login());
    for report in world.at_once(["token"; 3]) {
        assert_eq!(parse(&report).0, "login", "{report}");
    }
    assert_eq!(world.refreshes(), 1);
    // A new login makes it forgotten at once.
    world.seed(-5);
    shared.blocking().token().unwrap();
    assert_eq!(world.refreshes(), 2);
    world.assert_alive();
}

#[test]
fn err_1_a_rejection_in_any_of_the_known_words_needs_a_login() {
    for (status, error) in
        [(400, "invalid_grant"), (401, "invalid_grant"), (400, "invalid_request")]
    {
        let status = StatusCode::from_u16(status).unwrap();
        let world = World::with(Settings::new().with_refresh_refusal(status, error));
        world.seed(-5);
        world.server.revoke_all();
        let failed = world.auth().blocking().token().unwrap_err();
        assert!(matches!(failed, TokenError::Rejected(_)), "{failed:?}");
        assert!(chain(&failed).contains("Refresh token is invalid"), "{}", chain(&failed));
    }
}

#[test]
fn err_1_another_refusal_is_told_in_the_words_of_the_reference() {
    let world = World::expired();
    let body = r#"{"error":"invalid_client","error_description":"Invalid Client"}"#;
    let fault = Fault::status(StatusCode::UNAUTHORIZED, "application/json", body);
    world.server.inject(Endpoint::Token, Times::Once, fault);
    let error = world.auth().blocking().token().unwrap_err();
    assert!(chain(&error).ends_with("Invalid Client (error code: invalid_client)"));
    assert!(!error.needs_login());
}

/// What a fault makes of a refresh, and how many requests are spent on it. The old refresh token must survive.
fn with_fault(times: Times, fault: Fault) -> (Result<(), TokenError>, u64) {
    let world = World::expired();
    let before = world.stored();
    world.server.inject(Endpoint::Token, times, fault);
    let auth = world.auth().blocking();
    let outcome = auth.token().map(drop);
    if outcome.is_err() {
        assert_eq!(world.stored().refresh_token, before.refresh_token, "nothing is lost");
    }
    let requests = world.refreshes();
    world.server.clear_faults();
    if matches!(&outcome, Err(TokenError::SpentInVain(_))) {
        // What was sent may be spent: it is sent again for whoever says so, and for nobody else.
        assert!(matches!(auth.token(), Err(TokenError::SpentInVain(_))));
        assert_eq!(world.refreshes(), requests);
        auth.force_refresh().unwrap();
    }
    common::eventually("a token", || auth.token().is_ok());
    world.assert_alive();
    (outcome, requests)
}

#[test]
fn http_1_what_passes_is_tried_again_within_the_budget() {
    for status in [502, 503, 504] {
        let status = StatusCode::from_u16(status).unwrap();
        let fault = Fault::status(status, "text/html", "<h1>in trouble</h1>");
        let (outcome, requests) = with_fault(Times::Exactly(2), fault.clone());
        assert!(outcome.is_ok() && requests == 3, "{status} {outcome:?} {requests}");
        let (outcome, requests) = with_fault(Times::Always, fault);
        assert!(outcome.is_err_and(|error| error.is_transient()) && requests == 3);
    }
}

#[test]
fn http_1_retry_after_is_respected() {
    let start = Instant::now();
    let (outcome, requests) = with_fault(Times::Once, Fault::too_many_requests(Some(1)));
    assert!(outcome.is_ok() && requests == 2, "{outcome:?} {requests}");
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[test]
fn http_1_a_retry_after_beyond_the_budget_is_not_waited_for() {
    let world = World::expired();
    let busy = Fault::too_many_requests(Some(3600));
    world.server.inject(Endpoint::Token, Times::Always, busy);
    let error = world.auth().blocking().token().unwrap_err();
    assert!(error.is_transient() && matches!(error, TokenError::Refresh(_)), "{error:?}");
    assert_eq!(world.refreshes(), 1);
    // Whoever comes meanwhile sends nothing, and is told why, and for how long.
    world.server.clear_faults();
    for _ in 0..3 {
        let auth = world.auth().blocking();
        for outcome in [auth.token(), auth.force_refresh()] {
            let error = outcome.unwrap_err();
            let TokenError::Postponed { left, .. } = &error else { panic!("{error:?}") };
            assert!((3_000..=3_601).contains(&left.seconds()), "{error}");
            assert!(error.to_string().contains("slow down"), "{error}");
        }
    }
    assert_eq!(world.refreshes(), 1);
    world.assert_alive();
}

#[test]
fn a_caller_that_comes_after_a_failure_sends_its_own_request() {
    let world = World::expired();
    let fault = Fault::status(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "");
    world.server.inject(Endpoint::Token, Times::Exactly(3), fault);
    let same = world.auth().blocking();
    for requests in 1..=3 {
        let error = same.token().unwrap_err();
        assert!(matches!(error, TokenError::Refresh(_)), "{error:?}");
        assert_eq!(world.refreshes(), requests);
    }
    assert!(world.auth().blocking().token().is_ok(), "at once");
    world.assert_alive();
}

#[test]
fn http_1_what_may_have_been_spent_is_not_sent_again() {
    let (outcome, requests) = with_fault(Times::Always, Fault::drop_connection());
    assert!(outcome.is_err_and(|error| error.is_transient()));
    assert_eq!(requests, 1);
    let (outcome, requests) = with_fault(
        Times::Always,
        Fault::status(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", ""),
    );
    assert!(outcome.is_err_and(|error| error.is_transient()));
    assert_eq!(requests, 1);
}

#[test]
fn t8_a37_a_redirect_of_the_token_endpoint_carries_nothing_away() {
    let elsewhere = RunningServer::start().unwrap();
    for status in [301, 302, 303, 307, 308] {
        let status = StatusCode::from_u16(status).unwrap();
        let to = format!("{}/oidc/v1/token", elsewhere.base_url());
        let (outcome, requests) = with_fault(Times::Always, Fault::redirect(status, to));
        let error = outcome.unwrap_err();
        assert!(!error.needs_login() && requests == 1, "{status} {error:?}");
    }
    assert_eq!(elsewhere.counts().requests, 0);
}

#[test]
fn http_2_an_answer_that_is_no_token_response_is_told_without_its_body() {
    let canary = "canary-canary";
    let token = |members: &str| format!(r#"{{"access_token":"{canary}",{members}}}"#);
    let big = format!(r#"{{"access_token":"{}","expires_in":3600}}"#, canary.repeat(30_000));
    for (body, expected) in [
        (format!("<html>{canary}</html>"), "an HTML page"),
        (String::new(), "nothing"),
        (format!("{canary} {{"), "unreadable text"),
        ("[".repeat(100_000), "unreadable text"),
        (format!(r#"{{"access_token":"{canary}","expires_in":36"#), "half of an answer"),
        (r#"{"token_type":"Bearer","expires_in":3600}"#.to_owned(), "missing access_token"),
        (r#"{"access_token":"","expires_in":3600}"#.to_owned(), "missing access_token"),
        (token(r#""expires_in":-1"#), "expires_in"),
        (token(r#""expires_in":"-1""#), "expires_in"),
        (
            format!(r#"{{"access_token":"{canary}\u0007","expires_in":3600}}"#),
            "no request can carry",
        ),
        (token(r#""token_type":"mac""#), "not a bearer token"),
        (token(r#""token_type":"DPoP""#), "not a bearer token"),
        (big, "too large"),
    ] {
        let fault = Fault::junk(body);
        let (outcome, requests) = with_fault(Times::Always, fault);
        let text = chain(&outcome.unwrap_err());
        assert!(text.contains(expected) && !text.contains(canary), "{expected}: {text}");
        assert_eq!(requests, 1, "{expected}");
    }
}

#[test]
fn wire_3_a_lifetime_in_any_sensible_form_is_taken() {
    for (raw, at_most) in
        [("\"3600\"", 3600), ("3600.9", 3600), ("1e3", 1000), ("1e18", i64::from(i32::MAX))]
    {
        let expires_in = u2m_testkit::ExpiresIn::Raw(raw.to_owned());
        let world = World::with(Settings::new().with_expires_in(expires_in));
        world.seed(-5);
        let token = world.auth().blocking().token().unwrap();
        let left = common::now().until(token.expiry().unwrap()).seconds();
        assert!(left <= at_most && left > at_most - 60, "{raw}: {left}");
    }
}

/// A login whose token endpoint is at `raw`.
fn at(raw: &Raw, world: &World) -> PersistentAuth {
    let host = u2m::Host::parse(&raw.base).unwrap();
    let endpoint = url::Url::parse(&format!("{}/token", raw.base)).unwrap();
    let target = Target::workspace(host.clone());
    let binding = Binding::new(raw.base.as_str(), endpoint, "databricks-cli", host);
    let session = world.session(-5).with_binding(binding);
    world.store().save(&target.cache_key(), &session).unwrap();
    hasty(PersistentAuth::builder(target).with_store(world.store()))
}

fn failure_at(raw: &Raw) -> String {
    let (world, start) = (World::new(), Instant::now());
    let error = at(raw, &world).blocking().token().unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(5), "within its budget");
    assert_eq!(raw.requests(), 1);
    chain(&error)
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

/// `text` in gzip, without being any smaller.
fn gzip(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1];
    bytes.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
    bytes.extend(text.as_bytes());
    bytes.extend([0; 8]);
    bytes
}

#[test]
fn an_answer_in_gzip_is_read_whether_its_head_says_so_or_not() {
    for said in ["content-encoding: gzip\r\n", "content-encoding: br\r\n", ""] {
        let raw = Raw::start(move |stream| {
            let body =
                gzip(r#"{"access_token":"the-new-access","refresh_token":"the-new-refresh"}"#);
            let head = format!("{HEAD}{said}content-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        });
        let world = World::new();
        let token = at(&raw, &world).blocking().token().unwrap();
        assert_eq!(token.access_token().expose(), "the-new-access", "{said}");
        let stored = world
            .store()
            .load(&Target::workspace(u2m::Host::parse(&raw.base).unwrap()).cache_key());
        let stored = stored.unwrap().unwrap().refresh_token.unwrap();
        assert_eq!(stored.expose(), "the-new-refresh", "{said}");
    }
    let raw = Raw::start(|stream| {
        let body = gzip(r#"{"error":"invalid_grant","error_description":"gone"}"#);
        let head = "HTTP/1.1 400 Bad Request\r\ncontent-encoding: gzip\r\n";
        let head = format!("{head}content-length: {}\r\n\r\n", body.len());
        let _ = stream.write_all(&[head.as_bytes(), &body].concat());
    });
    let error = at(&raw, &World::new()).blocking().token().unwrap_err();
    assert!(matches!(error, TokenError::Rejected(_)), "{error:?}");
}

#[test]
fn t9_an_endless_body_is_left_alone() {
    let raw = Raw::start(|stream| {
        let _ = stream.write_all(format!("{HEAD}connection: close\r\n\r\n").as_bytes());
        while stream.write_all(&[b' '; 4096]).is_ok() {}
    });
    let text = failure_at(&raw);
    assert!(text.contains("too large") || text.contains("in time"), "{text}");
}

#[test]
fn t9_a_body_that_drips_ends_with_the_budget() {
    let raw = Raw::start(|stream| {
        let _ = stream.write_all(format!("{HEAD}content-length: 100000\r\n\r\n{{").as_bytes());
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert!(failure_at(&raw).contains("in time"));
}

#[test]
fn t9_a_compressed_body_that_breaks_off_or_is_in_a_coding_of_its_own_is_told_as_unreadable() {
    // What `gzip` makes of `{"access_token":"a"}`, less its end.
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x56\x4a\x4c\x4e\x4e\x2d\x2e\x8e\x2f";
    for (coding, body, expected) in
        [("gzip", &gzip[..], "unreadable text"), ("br", b"\x8b\x02\x80\x7b", "not asked for")]
    {
        let length = body.len();
        let head = format!("{HEAD}content-encoding: {coding}\r\ncontent-length: {length}\r\n");
        let head = format!("{head}connection: close\r\n\r\n");
        let text = failure_at(&Raw::saying([head.as_bytes(), body].concat()));
        assert!(text.contains(expected), "{coding}: {text}");
    }
}

#[test]
fn http_1_an_absurd_retry_after_is_not_waited_for() {
    let raw = Raw::saying(format!(
        "HTTP/1.1 503 Busy\r\nretry-after: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        u64::MAX
    ));
    assert!(failure_at(&raw).contains("503"));
}

#[test]
fn a10_a32_metadata_that_points_elsewhere_is_refused_before_anything_is_sent() {
    for (endpoint, expected) in [
        ("http://other.example/token", "not an https URL"),
        ("https://other.example/token", "on another host"),
    ] {
        let world = World::new();
        world.store().save(&world.key(), &world.bare_session(-5)).unwrap();
        let base = world.server.base_url();
        let document = format!(
            r#"{{"issuer":"{base}/oidc","authorization_endpoint":"{base}/a","token_endpoint":"{endpoint}"}}"#
        );
        world.server.inject(Endpoint::Metadata, Times::Once, Fault::junk(document));
        let error = world.auth().blocking().token().unwrap_err();
        assert!(chain(&error).contains(expected), "{}", chain(&error));
        assert_eq!(world.refreshes(), 0);
        world.auth().blocking().token().unwrap();
    }
}

#[test]
fn t26_loopback_is_reached_past_every_proxy() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let world = World::expired();
    let mut command = world.command("token");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, &address).env(name.to_lowercase(), &address);
    }
    command.env_remove("NO_PROXY").env_remove("no_proxy");
    let mut child = common::Child::of(command);
    child.until("ready");
    child.go_on();
    let said = child.done();
    assert_eq!(parse(&said[0]).0, "token", "{said:?}");
    assert!(proxy.accept().is_err(), "nobody has called the proxy");
    world.assert_refreshed(1);
}

#[test]
fn a11_a12_the_refresh_token_travels_in_the_body_alone() {
    let world = World::expired();
    world.auth().blocking().token().unwrap();
    let seen = &world.token_requests()[0];
    assert_eq!(seen.path(), "/oidc/v1/token");
    let names: Vec<&str> = seen.parameter_names().collect();
    assert_eq!(names, ["client_id", "grant_type", "refresh_token"]);
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!((seen.header("authorization"), seen.header("cookie")), (None, None));
}
