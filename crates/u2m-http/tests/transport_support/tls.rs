//! A server behind a certificate for `localhost`, `127.0.0.1` and `a.example`, which the authority of `tests/tls/ca.pem` has
//! signed. Both are for tests alone; the authority's key is gone.

use super::raw::read_request;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// How a server ends what it says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As TLS wants it.
    Told,
    /// The connection is just gone.
    Cut,
}

pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)
}

pub(crate) fn authority() -> Vec<u8> {
    std::fs::read(file("ca.pem")).unwrap()
}

/// Shakes hands, reads a request and says `text`; what was read, if anything.
pub(crate) fn serve(stream: &mut TcpStream, text: &str, end: End) -> Option<String> {
    serve_with("server.pem", stream, text, end)
}

/// As `serve`, with another certificate, and those behind it.
pub(crate) fn serve_with(
    certificate: &str,
    stream: &mut TcpStream,
    text: &str,
    end: End,
) -> Option<String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = CertificateDer::pem_file_iter(file(certificate)).unwrap();
    let chain: Vec<_> = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(file(match certificate {
        "rsa.pem" => "rsa.key",
        "self.pem" => "self.key",
        _ => "server.key",
    }))
    .unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .ok()?;
    let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(stream).ok()?;
    }
    let mut tls = Stream::new(&mut connection, stream);
    let request = read_request(&mut tls);
    tls.write_all(text.as_bytes()).ok()?;
    if end == End::Told {
        tls.conn.send_close_notify();
    }
    let _ = tls.flush();
    Some(request)
}

pub(crate) struct Sealed {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Sealed {
    /// Says `text` to everyone.
    pub(crate) fn saying(text: impl Into<String>, end: End) -> Self {
        Self::with("server.pem", text, end)
    }

    /// The same, with this certificate.
    pub(crate) fn with(certificate: &str, text: impl Into<String>, end: End) -> Self {
        let certificate = certificate.to_owned();
        let (listener, text) = (TcpListener::bind("127.0.0.1:0").unwrap(), text.into());
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                seen.lock().unwrap().extend(serve_with(
                    &certificate,
                    &mut stream.unwrap(),
                    &text,
                    end,
                ));
            }
        });
        Self { port, requests }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}
