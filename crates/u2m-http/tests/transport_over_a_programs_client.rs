//! A client of the program's own: what is its business, what stays ours, and connections of runtimes that stand still.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "reqwest")]

mod transport_support;

use reqwest::{Client, ClientBuilder, redirect};
use rustls::{ClientConfig, RootCertStore};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use transport_support::raw::{Raw, read_request};
use transport_support::{GRANT, lookup, refresh, saved};
use u2m_core::{HttpRequest, Route, TransportFailureKind};
use u2m_http::{ReqwestTransport, RetryPolicy, Transport, drive};
use url::Url;

/// A client as a program might have one, which trusts nobody: all of this is in clear text.
fn client() -> ClientBuilder {
    let tls =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
    Client::builder().tls_backend_preconfigured(tls).no_proxy().user_agent("theirs/1")
}

fn grant() -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{GRANT}", GRANT.len())
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[tokio::test]
async fn requests_leave_by_the_programs_client_and_say_what_they_always_do() {
    // It says that it hangs up: else the client may send the next request on a connection that is just being closed.
    let raw = Raw::saying(grant().replacen("\r\n", "\r\nconnection: close\r\n", 1));
    let transport = ReqwestTransport::over(client().build().unwrap());
    let step = drive(&transport, refresh(&raw.base), &RetryPolicy::default()).await.unwrap();
    assert_eq!(saved(step), "next");
    transport.send(lookup(&raw.base).request()).await.unwrap();
    let requests = raw.requests();
    assert!(requests[0].starts_with("POST /token HTTP/1.1\r\n"), "{requests:?}");
    assert!(requests[0].contains("user-agent: theirs/1\r\n"), "{requests:?}");
    assert!(requests[0].ends_with("refresh_token=spend-me"), "{requests:?}");
    assert!(requests[0].contains("content-length: 7"), "no body in pieces: {requests:?}");
    assert!(!requests[1].contains("content-length") && !requests[1].contains("chunked"));
    let named = ReqwestTransport::over(client().build().unwrap()).with_user_agent("ours/2");
    named.send(lookup(&raw.base).request()).await.unwrap();
    assert!(raw.requests()[2].contains("user-agent: ours/2\r\n"));
    assert!(!raw.requests()[2].contains("theirs"));
}

#[tokio::test]
async fn wire_3_without_tls_nothing_leaves_but_to_this_machine_whosever_the_client_is() {
    let transport = ReqwestTransport::over(client().build().unwrap());
    let request = HttpRequest::post_form(Url::parse("http://10.0.0.1/token").unwrap(), &[]);
    let failure = transport.send(&request).await.unwrap_err();
    assert_eq!(failure.kind(), TransportFailureKind::NotSent);
}

#[tokio::test]
async fn t8_a_client_that_follows_redirects_by_itself_gives_no_body_away_and_brings_no_answer() {
    let elsewhere = Raw::saying(grant());
    let there = format!("{}/token", elsewhere.base);
    let transport = ReqwestTransport::over(client().build().unwrap());
    for (status, kind) in [(302, Some(TransportFailureKind::Broken)), (307, None), (308, None)] {
        let raw = Raw::saying(format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {there}\r\ncontent-length: 0\r\n\r\n"
        ));
        let answered = transport.send(refresh(&raw.base).request()).await;
        match kind {
            Some(kind) => assert_eq!(answered.unwrap_err().kind(), kind, "{status}"),
            None => assert_eq!(answered.unwrap().status(), status),
        }
    }
    assert!(!elsewhere.requests().concat().contains("spend-me"));
    let raw = Raw::saying(format!("HTTP/1.1 302 Moved\r\nlocation: {there}\r\n\r\n"));
    let failure = transport.send(lookup(&raw.base).request()).await.unwrap_err();
    let cause = std::error::Error::source(&failure).unwrap().to_string();
    assert!(cause.contains("followed a redirect, to http://127.0.0.1:"), "{cause}");
    // One that follows none leaves that to us, who stay on the origin.
    let calm = client().redirect(redirect::Policy::none()).build().unwrap();
    let answer = ReqwestTransport::over(calm).send(lookup(&raw.base).request()).await.unwrap();
    assert_eq!(answer.status(), 302);
}

/// A server that keeps its connections, and what came on them after the first request.
fn keeping() -> (Raw, Arc<Mutex<Vec<String>>>) {
    let later = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&later);
    let raw = Raw::serving(move |_, stream| {
        let _ = stream.write_all(grant().as_bytes());
        loop {
            let request = read_request(stream);
            if request.is_empty() {
                break;
            }
            seen.lock().unwrap().push(request);
            let _ = stream.write_all(grant().as_bytes());
        }
    });
    (raw, later)
}

#[test]
fn a_connection_of_a_runtime_that_stands_still_takes_no_refresh_token_and_holds_nobody_up() {
    let (raw, later) = keeping();
    let client = client().build().unwrap();
    // The program's own: outside of `block_on` nobody moves its connections.
    let programs = runtime();
    let url = format!("{}/api", raw.base);
    programs.block_on(async {
        let answer = client.get(&url).send().await.unwrap();
        answer.bytes().await.unwrap();
        // It comes back to the pool when its task is told that the answer is over.
        tokio::time::sleep(Duration::from_millis(100)).await;
    });
    let transport = ReqwestTransport::over(client).with_connect_timeout(Duration::from_millis(400));
    let begun = Instant::now();
    let step =
        runtime().block_on(drive(&transport, refresh(&raw.base), &RetryPolicy::default())).unwrap();
    assert_eq!(saved(step), "next");
    assert!(begun.elapsed() >= Duration::from_millis(400), "it was offered the idle connection");
    assert!(begun.elapsed() < Duration::from_secs(60));
    // What was given up is not sent when the program goes on.
    programs.block_on(async { tokio::time::sleep(Duration::from_millis(200)).await });
    assert_eq!(*later.lock().unwrap(), Vec::<String>::new());
    let sent = raw.requests().iter().filter(|request| request.contains("spend-me")).count();
    assert_eq!((raw.requests().len(), sent), (2, 1));
}

#[test]
fn the_connections_of_a_runtime_that_has_ended_are_not_used() {
    let (raw, later) = keeping();
    let client = client().build().unwrap();
    let transport = ReqwestTransport::over(client);
    let ask = || {
        runtime().block_on(drive(&transport, refresh(&raw.base), &RetryPolicy::default())).unwrap()
    };
    for _ in 0..3 {
        let begun = Instant::now();
        assert_eq!(saved(ask()), "next");
        assert!(begun.elapsed() < Duration::from_secs(4), "nothing was waited for");
    }
    assert_eq!((raw.requests().len(), later.lock().unwrap().len()), (3, 0));
}

#[test]
fn what_is_for_the_metadata_service_does_not_go_by_the_programs_proxy() {
    let raw = Raw::saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let vacant = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = reqwest::Proxy::all(format!("http://{vacant}")).unwrap();
    let transport = ReqwestTransport::over(client().proxy(proxy).build().unwrap());
    let request = HttpRequest::get(Url::parse(&raw.base).unwrap());
    runtime().block_on(async {
        assert!(transport.send(&request).await.is_err(), "its client goes by its proxy");
        let request = request.clone().with_route(Route::Metadata);
        assert_eq!(transport.send(&request).await.unwrap().status(), 200);
    });
    assert!(raw.requests()[0].contains("user-agent: u2m/"));
}
