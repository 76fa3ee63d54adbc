//! An answer to something spent is worth as much as has arrived of it.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "reqwest")]

mod transport_support;

use std::io::Write;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;
use transport_support::raw::{Raw, hold};
use transport_support::{GRANT, refresh, saved};
use u2m_core::{
    HttpCall, HttpResponse, RefreshingToken, TokenStep, TransportFailure, TransportFailureKind,
};
use u2m_http::{AwakeClock, ReqwestTransport, RetryPolicy, Transport, drive};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

async fn ask(
    call: &HttpCall<RefreshingToken>,
    end: Duration,
) -> Result<HttpResponse, TransportFailure> {
    let transport = ReqwestTransport::new();
    transport.send_within(call.request(), &mut AwakeClock::default(), end).await
}

/// How an answer failed, and how much of its body had arrived.
async fn fails_at(raw: &Raw, end: Duration) -> (TransportFailureKind, Option<HttpResponse>) {
    let failure = ask(&refresh(&raw.base), end).await.unwrap_err();
    (failure.kind(), failure.partial().cloned())
}

fn length(answer: Option<&HttpResponse>) -> Option<(u16, usize)> {
    // Nobody but the core sees a body; its length is shown.
    let answer = answer?;
    let shown = format!("{answer:?}");
    let bytes = shown.rsplit(", ").next()?.strip_suffix(" bytes)")?.parse().ok()?;
    Some((answer.status(), bytes))
}

const AT_LEISURE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_answer_behind_notices_that_it_will_come_is_found() {
    let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let raw = Raw::start(move |stream| {
        stream.write_all(early.as_bytes()).unwrap();
        sleep(Duration::from_millis(50));
        let _ = write!(stream, "{HEAD}content-length: {}\r\n\r\n{GRANT}", GRANT.len());
        hold(stream);
    });
    let step = drive(&ReqwestTransport::new(), refresh(&raw.base), &RetryPolicy::default()).await;
    assert_eq!(saved(step.unwrap()), "next");
}

#[tokio::test]
async fn an_answer_that_comes_byte_by_byte_is_put_together() {
    let raw = Raw::start(|stream| {
        stream.set_nodelay(true).unwrap();
        let text = format!("{HEAD}content-length: {}\r\n\r\n{GRANT}", GRANT.len());
        for byte in text.as_bytes() {
            let _ = stream.write_all(&[*byte]);
            sleep(Duration::from_millis(1));
        }
    });
    let step = drive(&ReqwestTransport::new(), refresh(&raw.base), &RetryPolicy::default()).await;
    assert_eq!(saved(step.unwrap()), "next");
}

#[tokio::test]
async fn an_answer_with_an_odd_head_is_read_all_the_same() {
    for odd in ["x\u{1}y: z", "server : a", "x-long: a\r\n  b", "no colon at all", "x: \u{7f}"] {
        let length = GRANT.len();
        let raw = Raw::saying(format!("{HEAD}{odd}\r\ncontent-length: {length}\r\n\r\n{GRANT}"));
        let step =
            drive(&ReqwestTransport::new(), refresh(&raw.base), &RetryPolicy::default()).await;
        assert_eq!(saved(step.unwrap()), "next", "{odd:?}");
    }
}

#[tokio::test]
async fn an_answer_in_an_odd_frame_is_read_all_the_same() {
    let (length, chunk) =
        (GRANT.len(), format!("{:x};a=b\r\n{GRANT}\r\n0\r\nx: y\r\n\r\n", GRANT.len()));
    let many: String = (0..500).map(|at| format!("x-{at}: y\r\n")).collect();
    let long = "y".repeat(64 << 10);
    for text in [
        format!("HTTP/1.1 200 OK\r\n{many}content-length: {length}\r\n\r\n{GRANT}"),
        format!("HTTP/1.1 200 OK\r\nx: {long}\r\ncontent-length: {length}\r\n\r\n{GRANT}"),
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}, {length}\r\n\r\n{GRANT}"),
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\ncontent-length: {length}\r\n\r\n{GRANT}"
        ),
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n{chunk}"
        ),
        format!("HTTP/1.1 200\r\ncontent-length: {length}\r\n\r\n{GRANT}"),
        format!("HTTP/1.1 200 OK\ncontent-length: {length}\n\n{GRANT}"),
        format!("\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{GRANT}"),
        format!("HTTP/1.0 200 OK\r\n\r\n{GRANT}"),
        format!(
            "HTTP/1.1 200 OK\r\nconnection: upgrade\r\ncontent-length: {length}\r\n\r\n{GRANT}"
        ),
    ] {
        let shown: String = text.chars().take(120).collect();
        assert_eq!(kept(&Raw::saying(text)).await.as_deref(), Some("next"), "{shown:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_within_the_answer_leaves_what_arrived() {
    for (head, body) in [
        ("content-length: 1000\r\n\r\n", GRANT.to_owned()),
        ("transfer-encoding: chunked\r\n\r\n", format!("{:x}\r\n{GRANT}\r\n", GRANT.len())),
        ("transfer-encoding: chunked\r\n\r\n", format!("{:x}\r\n{GRANT}\r\nzz\r\n", GRANT.len())),
        ("transfer-encoding: chunked\r\n\r\n", format!("fff\r\n{GRANT}")),
    ] {
        let raw = Raw::saying(format!("{HEAD}{head}{body}"));
        let (kind, partial) = fails_at(&raw, AT_LEISURE).await;
        assert_eq!(kind, TransportFailureKind::Broken, "{body}");
        assert_eq!(length(partial.as_ref()), Some((200, GRANT.len())), "{body}");
        assert_eq!(raw.requests().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_end_leaves_what_arrived() {
    let raw = Raw::start(|stream| {
        let _ = write!(stream, "{HEAD}content-length: 1000\r\n\r\n{GRANT}");
        hold(stream);
    });
    let (kind, partial) = fails_at(&raw, Duration::from_secs(1)).await;
    assert_eq!(kind, TransportFailureKind::TimedOut);
    assert_eq!(length(partial.as_ref()), Some((200, GRANT.len())));
}

/// What a flow makes of an answer: the refresh token to save, if there is one.
async fn kept(raw: &Raw) -> Option<String> {
    let patience = RetryPolicy::default().with_answer(Duration::from_secs(2));
    match drive(&ReqwestTransport::new(), refresh(&raw.base), &patience).await.unwrap() {
        step @ TokenStep::Save(_) => Some(saved(step)),
        _ => None,
    }
}

#[tokio::test]
async fn a_refresh_token_that_arrived_is_saved_however_its_answer_ended() {
    let filler = "x".repeat(2 * LIMIT);
    let cut = r#"{"refresh_token":"next","access_token":"ne"#;
    for (head, body) in [
        // The whole of it, and a length that promises more.
        ("content-length: 1000\r\n\r\n", GRANT.to_owned()),
        ("content-length: 1000\r\n\r\n", cut.to_owned()),
        // A chunk that does not end, and one that is none.
        ("transfer-encoding: chunked\r\n\r\n", format!("fff\r\n{GRANT}")),
        ("transfer-encoding: chunked\r\n\r\n", format!("{:x}\r\n{GRANT}\r\nzz\r\n", GRANT.len())),
        // More than is read.
        ("\r\n", format!(r#"{{"refresh_token":"next","filler":"{filler}"}}"#)),
    ] {
        let text = format!("{HEAD}{head}{body}");
        let raw = Raw::start(move |stream| drop(stream.write_all(text.as_bytes())));
        let shown = &body[..body.len().min(80)];
        assert_eq!(kept(&raw).await.as_deref(), Some("next"), "{head}{shown}");
        assert_eq!(raw.requests().len(), 1, "{head}{shown}");
    }
    let unended = Raw::start(|stream| {
        let _ = write!(stream, "{HEAD}content-length: 1000\r\n\r\n{GRANT}");
        hold(stream);
    });
    assert_eq!(kept(&unended).await.as_deref(), Some("next"));
}

#[tokio::test]
async fn half_a_refresh_token_is_none() {
    for (kind, body) in [
        ("application/json", r#"{"access_token":"new","refresh_token":"ne"#),
        ("application/json", r#"{"access_token":"new","#),
        ("application/x-www-form-urlencoded", "access_token=new&refresh_token=ne"),
    ] {
        let raw = Raw::saying(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: 1000\r\n\r\n{body}"
        ));
        assert_eq!(kept(&raw).await, None, "{body}");
        assert_eq!(raw.requests().len(), 1, "it may be spent: {body}");
    }
}

#[tokio::test]
async fn before_the_head_there_is_nothing_to_keep() {
    for (text, kind) in [
        ("", TransportFailureKind::Broken),
        ("HTTP/1.1 200 OK\r\ncontent-le", TransportFailureKind::Broken),
        ("what?\r\n\r\n", TransportFailureKind::Broken),
    ] {
        let (was, partial) = fails_at(&Raw::saying(text), AT_LEISURE).await;
        assert_eq!((was, length(partial.as_ref())), (kind, None), "{text:?}");
    }
    let silent = Raw::start(hold);
    let (was, partial) = fails_at(&silent, Duration::from_millis(300)).await;
    assert_eq!((was, length(partial.as_ref())), (TransportFailureKind::TimedOut, None));
}

/// The core's limit for a token endpoint.
const LIMIT: usize = 256 << 10;

fn of_size(size: usize) -> Raw {
    Raw::start(move |stream| pour(stream, &format!("content-length: {size}\r\n\r\n"), size))
}

fn pour(stream: &mut TcpStream, head: &str, size: usize) {
    let _ = write!(stream, "{HEAD}{head}");
    let _ = stream.write_all(&vec![b' '; size]);
    hold(stream);
}

#[tokio::test]
async fn http_5_a_body_may_be_as_large_as_its_limit_and_no_larger() {
    let call = refresh("http://127.0.0.1:1");
    assert_eq!(call.request().limit(), LIMIT);
    let raw = of_size(LIMIT);
    let answer = ask(&refresh(&raw.base), AT_LEISURE).await.unwrap();
    assert_eq!(length(Some(&answer)), Some((200, LIMIT)));
    let (kind, partial) = fails_at(&of_size(LIMIT + 1), AT_LEISURE).await;
    assert_eq!(kind, TransportFailureKind::TooLarge);
    assert_eq!(length(partial.as_ref()), Some((200, LIMIT)), "all that may be read of it");
}

#[tokio::test]
async fn t9_a_body_without_end_is_left_at_its_limit() {
    let raw = Raw::start(|stream| {
        let _ = write!(stream, "{HEAD}connection: close\r\n\r\n");
        while stream.write_all(&[b' '; 4096]).is_ok() {}
    });
    let (kind, partial) = fails_at(&raw, AT_LEISURE).await;
    assert_eq!(kind, TransportFailureKind::TooLarge);
    assert_eq!(length(partial.as_ref()), Some((200, LIMIT)));
}
