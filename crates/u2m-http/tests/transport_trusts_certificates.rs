//! Whom a request is sent to under TLS, and what of an answer counts there.
#![allow(clippy::unwrap_used)]
#![cfg(all(unix, feature = "reqwest"))]

mod transport_support;

use transport_support::tls::{End, Sealed, authority};
use transport_support::{GRANT, refresh, saved};
use u2m_core::{TokenStep, TransportFailureKind};
use u2m_http::{ReqwestTransport, RetryPolicy, Transport, drive};

fn grant() -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{GRANT}", GRANT.len())
}

async fn refreshed(transport: &ReqwestTransport, base: &str) -> TokenStep {
    drive(transport, refresh(base), &RetryPolicy::default()).await.unwrap()
}

#[tokio::test]
async fn a_certificate_of_an_authority_that_was_named_is_trusted() {
    let server = Sealed::saying(grant(), End::Told);
    let transport = ReqwestTransport::new().with_extra_ca(&authority()).unwrap();
    for name in ["localhost", "127.0.0.1"] {
        let base = format!("https://{name}:{}", server.port);
        assert_eq!(saved(refreshed(&transport, &base).await), "next", "{name}");
    }
    assert!(server.requests()[0].starts_with("POST /token HTTP/1.1\r\n"));
    assert_eq!(server.requests().len(), 2);
    assert!(format!("{transport:?}").contains('1'));
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_gets_no_request() {
    let server = Sealed::saying(grant(), End::Told);
    let base = format!("https://localhost:{}", server.port);
    let failure = ReqwestTransport::new().send(refresh(&base).request()).await.unwrap_err();
    assert_eq!(failure.kind(), TransportFailureKind::NotSent);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_certificate_of_another_name_gets_no_request() {
    let server = Sealed::saying(grant(), End::Told);
    let transport = ReqwestTransport::new().with_extra_ca(&authority()).unwrap();
    let base = format!("https://127.0.0.2:{}", server.port);
    // The server is at 127.0.0.1 alone on systems that have no such address, where nobody answers.
    let failure = transport.send(refresh(&base).request()).await.unwrap_err();
    assert_eq!(failure.kind(), TransportFailureKind::NotSent);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_cut_off_under_tls_leaves_what_arrived() {
    let transport = ReqwestTransport::new().with_extra_ca(&authority()).unwrap();
    // Without a length an answer ends with its connection, and nobody knows whether it was meant to.
    let server = Sealed::saying(format!("HTTP/1.1 200 OK\r\n\r\n{GRANT}"), End::Cut);
    let base = format!("https://localhost:{}", server.port);
    let failure = transport.send(refresh(&base).request()).await.unwrap_err();
    assert_eq!(failure.kind(), TransportFailureKind::Broken);
    let partial = format!("{:?}", failure.partial().unwrap());
    assert!(partial.contains(&format!("{} bytes", GRANT.len())), "{partial}");
    // With one, all is there.
    let server = Sealed::saying(grant(), End::Cut);
    let base = format!("https://localhost:{}", server.port);
    assert_eq!(saved(refreshed(&transport, &base).await), "next");
}

#[test]
fn what_is_no_certificate_is_refused_when_it_is_given() {
    let garbage = b"-----BEGIN CERTIFICATE-----\nnot base64\n-----END CERTIFICATE-----\n";
    assert!(ReqwestTransport::new().with_extra_ca(garbage).is_err());
    for none in [&b""[..], b"no certificate at all"] {
        assert!(ReqwestTransport::new().with_extra_ca(none).is_err());
    }
}
