//! u2m asks before the program has used TLS at all.

use u2m_beside::{reqwest_asks, rustls_asks, serve, u2m_asks, wait};

#[test]
fn what_u2m_does_decides_nothing_for_the_program() {
    // The server has a thread of its own, but rustls' choice is the process's: so it starts in another process.
    if let Ok(port) = std::env::var("U2M_BESIDE_PORT") {
        let port = port.parse().unwrap();
        assert_eq!(
            wait(u2m_asks(port, u2m::transport::ReqwestTransport::new())).as_deref(),
            Some("AWS")
        );
        assert!(rustls::crypto::CryptoProvider::get_default().is_none(), "nothing is installed");
        // Both find the provider that they would have found without us.
        assert_eq!(wait(reqwest_asks(port)), 200);
        assert_eq!(rustls_asks(port), "HTTP/1.1 200 OK");
        let chosen = rustls::crypto::CryptoProvider::get_default().unwrap();
        let own = rustls::crypto::aws_lc_rs::default_provider();
        assert_eq!(chosen.kx_groups[0].name(), own.kx_groups[0].name());
        assert_eq!(
            wait(u2m_asks(port, u2m::transport::ReqwestTransport::new())).as_deref(),
            Some("AWS")
        );
        return;
    }
    let port = serve().to_string();
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    let ended = again.arg("--nocapture").env("U2M_BESIDE_PORT", port).status().unwrap();
    assert!(ended.success());
}
