//! What a long-lived program sets: a proxy, a certificate of its own, connections that are kept.
#![allow(clippy::unwrap_used)]
#![cfg(all(unix, feature = "reqwest"))]

mod transport_support;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, ServerConnection,
    SignatureScheme, Stream,
};
use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use transport_support::raw::{Raw, read_request};
use transport_support::tls::{authority, file};
use transport_support::{GRANT, lookup, refresh, saved};
use u2m_core::{HttpRequest, TransportFailureKind};
use u2m_http::{Obstacle, ReqwestTransport, RetryPolicy, Transport, drive};
use url::Url;

#[tokio::test]
async fn a_proxy_that_a_program_names_is_gone_by_whatever_the_environment_says() {
    let raw = Raw::saying("HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n");
    let transport = ReqwestTransport::new().with_proxy(&raw.base).unwrap();
    let failure = transport.send(refresh("https://a.example").request()).await.unwrap_err();
    assert_eq!(failure.kind(), TransportFailureKind::NotSent);
    let obstacle = Obstacle::among(&failure).unwrap().to_string();
    assert!(obstacle.contains("(the proxy setting) refused to connect"), "{obstacle}");
    assert!(raw.requests()[0].starts_with("CONNECT a.example:443 HTTP/1.1\r\n"));
    let wrong = ReqwestTransport::new().with_proxy("http://me:canary@p.example:70000").unwrap_err();
    assert_eq!(wrong.to_string(), "the proxy setting is not the address of a proxy");
}

/// Takes any certificate, and knows whether who shows it has its key.
#[derive(Debug)]
struct RequestingDeviceCode(Arc<CryptoProvider>);

impl ClientCertVerifier for RequestingDeviceCode {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A server that serves nobody without a certificate; the first certificate of everybody whom it has served.
fn demanding(
    version: &'static rustls::SupportedProtocolVersion,
) -> (u16, Arc<Mutex<Vec<Vec<u8>>>>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = CertificateDer::pem_file_iter(file("server.pem")).unwrap();
    let chain: Vec<_> = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(Arc::new(RequestingDeviceCode(provider)))
        .with_single_cert(chain, key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    let served = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&served);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, config, seen) =
                (stream.unwrap(), Arc::clone(&config), Arc::clone(&seen));
            thread::spawn(move || {
                let mut connection = ServerConnection::new(config).unwrap();
                while connection.is_handshaking() {
                    if connection.complete_io(&mut stream).is_err() {
                        return;
                    }
                }
                let shown = connection.peer_certificates().unwrap()[0].to_vec();
                let mut tls = Stream::new(&mut connection, &mut stream);
                read_request(&mut tls);
                seen.lock().unwrap().push(shown);
                let head = "HTTP/1.1 200 OK\r\ncontent-length:";
                let _ = write!(tls, "{head} {}\r\n\r\n{GRANT}", GRANT.len());
                tls.conn.send_close_notify();
                let _ = tls.flush();
            });
        }
    });
    (port, served)
}

#[tokio::test]
async fn a_client_shows_its_certificate_and_has_its_key() {
    for (certificate, key) in [("server.pem", "server.key"), ("rsa.pem", "rsa.key")] {
        let mut pem = std::fs::read(file(certificate)).unwrap();
        let own = CertificateDer::pem_slice_iter(&pem).next().unwrap().unwrap().to_vec();
        pem.extend(std::fs::read(file(key)).unwrap());
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let (port, served) = demanding(version);
            let base = format!("https://localhost:{port}");
            let plain = ReqwestTransport::new().with_extra_ca(&authority()).unwrap();
            let (patience, call) = (RetryPolicy::default().with_repeats(0), lookup(&base));
            assert!(drive(&plain, call, &patience).await.is_err());
            let with = ReqwestTransport::new().with_extra_ca(&authority()).unwrap();
            let with = with.with_client_certificate(&pem).unwrap();
            let step = drive(&with, refresh(&base), &RetryPolicy::default()).await.unwrap();
            assert_eq!(saved(step), "next");
            assert_eq!(*served.lock().unwrap(), std::slice::from_ref(&own), "{certificate}");
        }
    }
}

#[test]
fn a_certificate_without_a_key_and_a_key_without_a_certificate_are_told_when_they_are_given() {
    let read = |name| std::fs::read(file(name)).unwrap();
    for (pem, why) in [
        (read("server.pem"), "there is no private key without a passphrase in it"),
        (read("server.key"), "there is no certificate in it"),
    ] {
        let failure = ReqwestTransport::new().with_client_certificate(&pem).unwrap_err();
        let obstacle = Obstacle::among(&failure).unwrap().to_string();
        assert_eq!(obstacle, format!("the certificate of this client cannot be used: {why}"));
    }
}

/// A server that keeps its connections: how many requests came on each.
fn keeping() -> (Url, Arc<Mutex<Vec<usize>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let counts = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&counts);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, seen) = (stream.unwrap(), Arc::clone(&seen));
            thread::spawn(move || {
                let at = {
                    let mut counts = seen.lock().unwrap();
                    counts.push(0);
                    counts.len() - 1
                };
                while !read_request(&mut stream).is_empty() {
                    seen.lock().unwrap()[at] += 1;
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
                }
            });
        }
    });
    (url, counts)
}

#[test]
fn kept_connections_serve_their_own_runtime_and_no_form() {
    let (url, counts) = keeping();
    let transport = ReqwestTransport::new().with_kept_connections();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let get = |on: &tokio::runtime::Runtime| {
        let answer = on.block_on(async {
            let answer = transport.send(&HttpRequest::get(url.clone())).await;
            // The connection comes back when its task has seen the end.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            answer
        });
        assert_eq!(answer.unwrap().body(), b"{}");
    };
    for _ in 0..3 {
        get(&first);
    }
    assert_eq!(*counts.lock().unwrap(), [3]);
    get(&second);
    get(&first);
    assert_eq!(*counts.lock().unwrap(), [4, 1], "each by its own");
    let form = HttpRequest::post_form(url.clone(), &[("refresh_token", "spend-me")]);
    first.block_on(transport.send(&form)).unwrap();
    first.block_on(transport.send(&form)).unwrap();
    assert_eq!(*counts.lock().unwrap(), [4, 1, 1, 1], "what may be spent stays alone");
    drop(first);
    get(&second);
    get(&runtime());
    assert_eq!(*counts.lock().unwrap(), [4, 2, 1, 1, 1], "what has ended serves nobody");
}
