//! What is for the metadata service of this machine goes there and nowhere else (MD-4).
#![allow(clippy::unwrap_used)]
#![cfg(feature = "reqwest")]

mod transport_support;

use transport_support::raw::Raw;
use u2m_core::{HttpRequest, RedirectPolicy, Route, TransportFailureKind};
use u2m_http::{Obstacle, ReqwestTransport, Transport};
use url::Url;

fn ask(url: &str) -> HttpRequest {
    HttpRequest::get(Url::parse(url).unwrap())
        .with_header("Metadata-Flavor", "Google")
        .with_redirects(RedirectPolicy::SameOrigin)
        .with_route(Route::Metadata)
}

#[tokio::test]
async fn md_4_the_service_is_asked_in_clear_text_and_by_no_proxy() {
    let raw =
        Raw::saying("HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\ncontent-length: 3\r\n\r\njwt");
    let vacant = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let transport = ReqwestTransport::new().with_proxy(&format!("http://{vacant}")).unwrap();
    let answer = transport.send(&ask(&format!("{}/identity?audience=x", raw.base))).await.unwrap();
    assert_eq!((answer.header("metadata-flavor"), answer.body()), (Some("Google"), &b"jwt"[..]));
    let request = raw.requests().remove(0);
    assert!(request.starts_with("GET /identity?audience=x HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("metadata-flavor: Google\r\n"), "{request}");
}

#[tokio::test]
async fn md_4_no_redirect_is_followed_not_even_on_its_own_origin() {
    let raw = Raw::saying("HTTP/1.1 302 Moved\r\nlocation: /there\r\ncontent-length: 0\r\n\r\n");
    let answer = ReqwestTransport::new().send(&ask(&raw.base)).await.unwrap();
    assert_eq!((answer.status(), raw.requests().len()), (302, 1));
}

#[tokio::test]
async fn everything_else_is_refused_before_anything_is_sent() {
    let raw = Raw::saying("HTTP/1.1 200 OK\r\n\r\n");
    let port = raw.base.rsplit(':').next().unwrap().to_owned();
    for url in [
        format!("http://0.0.0.0:{port}/canary"),
        format!("http://u@127.0.0.1:{port}/canary"),
        format!("https://127.0.0.1:{port}/canary"),
        "http://10.0.0.1/canary".to_owned(),
        "https://a.example/canary".to_owned(),
    ] {
        let failure = ReqwestTransport::new().send(&ask(&url)).await.unwrap_err();
        assert_eq!(failure.kind(), TransportFailureKind::NotSent, "{url}");
        let obstacle = Obstacle::among(&failure).unwrap().to_string();
        assert!(obstacle.ends_with("is not the metadata service of this machine"), "{obstacle}");
        assert!(!obstacle.contains("canary"), "{obstacle}");
    }
    assert!(raw.requests().is_empty());
}

#[tokio::test]
async fn a_host_that_was_named_is_asked_too() {
    let raw = Raw::saying("HTTP/1.1 204 Nothing\r\n\r\n");
    let port = raw.base.rsplit(':').next().unwrap().to_owned();
    let url = format!("http://0.0.0.0:{port}/");
    let transport = ReqwestTransport::new().with_metadata_host(&format!("0.0.0.0:{port}")).unwrap();
    assert_eq!(transport.send(&ask(&url)).await.unwrap().status(), 204);
    // It was named for this route, and for no other.
    let request = HttpRequest::get(Url::parse(&url).unwrap());
    assert!(transport.send(&request).await.is_err());
}
