//! The program has used TLS, and so rustls has settled on a provider for its process, before u2m asks.

use std::sync::Arc;
use u2m_beside::{reqwest_asks, rustls_asks, serve, u2m_asks, wait};

#[test]
fn what_the_program_has_settled_on_is_left_alone() {
    let port = serve();
    assert_eq!(rustls_asks(port), "HTTP/1.1 200 OK");
    assert_eq!(wait(reqwest_asks(port)), 200);
    let settled = rustls::crypto::CryptoProvider::get_default().unwrap();
    assert_eq!(
        wait(u2m_asks(port, u2m::transport::ReqwestTransport::new())).as_deref(),
        Some("AWS")
    );
    assert!(Arc::ptr_eq(settled, rustls::crypto::CryptoProvider::get_default().unwrap()));
    // And u2m takes it, where it is handed over.
    let transport =
        u2m::transport::ReqwestTransport::new().with_crypto_provider(Arc::clone(settled));
    assert_eq!(wait(u2m_asks(port, transport)).as_deref(), Some("AWS"));
    assert_eq!(wait(reqwest_asks(port)), 200);
}
