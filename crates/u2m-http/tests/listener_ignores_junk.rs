//! Whatever else arrives at the port is answered and ignored, and the sign-in goes on (T3, T4, CB-1, CB-2, CB-10).
#![allow(clippy::unwrap_used)]

mod listener_support;

use listener_support::*;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use u2m_http::SignInOutcome;

/// After the junk, the real callback still signs in.
async fn still_signs_in(junk: &[(String, u16)]) {
    let (listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let waiting = waiting(listener, browse);
    for (bytes, status) in junk {
        let bytes = bytes.replace("PORT", &port.to_string());
        let response = send(port, &bytes).await;
        assert_eq!(response.status, *status, "{bytes:?}");
        assert!(!response.body.contains("signed in"), "{bytes:?}");
    }
    assert!(!waiting.is_finished());
    let browser = tokio::spawn(async move { visit(port, &query).await });
    let (callback, visitor, _listener, browse) = waiting.await.unwrap();
    let _step = browse.called_back(callback).unwrap();
    visitor.finish(SignInOutcome::SignedIn { host: None }).await;
    assert!(browser.await.unwrap().1.body.contains("You are signed in"));
}

fn to_us(line: &str, status: u16) -> (String, u16) {
    (format!("{line} HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n"), status)
}

fn with_header(header: &str, status: u16) -> (String, u16) {
    (format!("GET /?code=c HTTP/1.1\r\n{header}\r\n\r\n"), status)
}

#[tokio::test]
async fn cb_1_a_favicon_first_and_then_the_real_callback() {
    still_signs_in(&[to_us("GET /favicon.ico", 404), to_us("GET /apple-touch-icon.png", 404)])
        .await;
}

#[tokio::test]
async fn t3_a_wrong_state_first_and_then_the_real_callback() {
    still_signs_in(&[to_us("GET /?code=c&state=wrong", 400), to_us("GET /?code=c&state=", 400)])
        .await;
}

#[tokio::test]
async fn cb_2_an_error_without_the_state_is_ignored() {
    still_signs_in(&[
        to_us("GET /?error=access_denied", 400),
        to_us("GET /?error=access_denied&error_description=Call+0900+1234&state=guess", 400),
        to_us("GET /", 400),
        to_us("GET /?", 400),
    ])
    .await;
}

#[tokio::test]
async fn t4_a_foreign_host_is_refused() {
    still_signs_in(&[
        with_header("Host: evil.test:PORT", 403),
        with_header("Host: localhost:1", 403),
        with_header("Host: localhost", 403),
        with_header("Host: localhost:PORT\r\nHost: localhost:PORT", 400),
        with_header("Accept: */*", 400),
    ])
    .await;
}

#[tokio::test]
async fn t4_a_page_of_another_site_cannot_fetch_or_frame_us() {
    let ours = "Host: localhost:PORT\r\nSec-Fetch-Site: cross-site\r\n";
    still_signs_in(&[
        with_header(&format!("{ours}Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image"), 403),
        with_header(&format!("{ours}Sec-Fetch-Mode: cors\r\nOrigin: https://evil.test"), 403),
        with_header(&format!("{ours}Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe"), 403),
    ])
    .await;
}

#[tokio::test]
async fn cb_10_other_methods_and_paths_are_refused() {
    still_signs_in(&[
        to_us("HEAD /", 405),
        to_us("POST /?code=c&state=s", 405),
        to_us("OPTIONS /", 405),
        to_us("BREW /", 405),
        to_us("GET /done", 404),
        to_us("GET /%2e", 404),
        to_us("GET /index.html?code=c", 404),
    ])
    .await;
}

#[tokio::test]
async fn cb_10_what_is_not_http_is_refused() {
    let junk = |text: &str, status| (text.to_owned(), status);
    still_signs_in(&[
        junk("\u{16}\u{3}\u{1}\u{2}", 400),
        junk("GET /\r\n\r\n", 400),
        junk("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        junk("GET http://localhost:PORT/ HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n", 400),
        junk(
            &format!("GET / HTTP/1.1\r\nHost: localhost:PORT\r\nX: {}\r\n\r\n", "x".repeat(9000)),
            431,
        ),
        junk(&format!("GET /?{}", "x".repeat(9000)), 431),
    ])
    .await;
}

#[tokio::test]
async fn cb_10_a_body_is_neither_read_nor_in_the_way_of_the_answer() {
    let (listener, _browse) = start();
    let port = listener.port();
    let head =
        format!("POST / HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 1000000\r\n\r\n");
    let mut request = head.into_bytes();
    request.extend(b"code=c&state=s".repeat(500));
    let response = send(port, &request).await;
    assert_eq!((response.status, response.header("allow")), (405, Some("GET")));
}

#[tokio::test]
async fn a_real_callback_that_comes_byte_by_byte_is_one() {
    let (listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let waiting = waiting(listener, browse);
    let mut stream = connect(port).await;
    stream.set_nodelay(true).unwrap();
    for byte in request(port, &format!("/?{query}")).bytes() {
        stream.write_all(&[byte]).await.unwrap();
        stream.flush().await.unwrap();
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    assert_eq!(read(&mut stream).await.status, 303);
    let _kept = waiting.await.unwrap();
}

#[tokio::test]
async fn a_callback_with_the_cookies_of_every_other_program_on_localhost_is_one() {
    let (listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let waiting = waiting(listener, browse);
    let cookies = "session=0123456789abcdef; ".repeat(1500);
    let text =
        format!("GET /?{query} HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {cookies}\r\n\r\n");
    assert_eq!(send(port, text).await.status, 303);
    let _kept = waiting.await.unwrap();
}
