//! TLS in front of a fake server, with a certificate for `localhost` that an intermediate authority has signed; whoever trusts
//! [`root`] accepts it.
#![allow(clippy::unwrap_used)]

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../u2m-http/tests/tls").join(name)
}

/// The certificate of the authority at the root.
pub(crate) fn root() -> String {
    std::fs::read_to_string(file("root.pem")).unwrap()
}

/// A port that is taken, and not served yet.
pub(crate) struct Front(TcpListener);

impl Front {
    pub(crate) fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.0.local_addr().unwrap().port())
    }

    /// Passes everything on to the server at `port` from now on.
    pub(crate) fn before(self, port: u16) {
        let chain = CertificateDer::pem_file_iter(file("chain.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.map(Result::unwrap).collect(), key)
            .unwrap();
        let config = Arc::new(config);
        std::thread::spawn(move || {
            for stream in self.0.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut tls = StreamOwned::new(connection, stream.unwrap());
                std::thread::spawn(move || {
                    // Whoever does not trust the certificate goes away.
                    let _ = pass(&mut tls, port);
                    tls.conn.send_close_notify();
                    let _ = tls.flush();
                });
            }
        });
    }
}

fn pass(tls: &mut impl ReadWrite, port: u16) -> std::io::Result<()> {
    let request = message(tls)?;
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    server.write_all(&request)?;
    let answer = message(&mut server)?;
    tls.write_all(&answer)
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

/// A head, and as much of a body as it says.
fn message(stream: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    bytes.extend(body);
    Ok(bytes)
}
