//! A program with TLS of its own: a server and two clients, all with the provider that rustls and reqwest choose where nobody
//! says otherwise.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/u2m-http/tests/tls").join(name)
}

/// The certificate of the authority that vouches for the server.
pub fn authority() -> Vec<u8> {
    std::fs::read(file("ca.pem")).unwrap()
}

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{\"cloud\":\"AWS\"}";

/// A server of the program's own; the port at which it is.
pub fn serve() -> u16 {
    let certificate = CertificateDer::from_pem_file(file("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    // This is what panics where a build has two providers and nobody has chosen one.
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                match stream.read(&mut byte) {
                    Ok(1) => head.push(byte[0]),
                    _ => break,
                }
            }
            let _ = stream.write_all(ANSWER);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    port
}

/// The program's own use of rustls: what the server answers.
pub fn rustls_asks(port: u16) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&authority()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, socket);
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.lines().next().unwrap().to_owned()
}

/// The program's own use of reqwest.
pub async fn reqwest_asks(port: u16) -> u16 {
    let authority = reqwest::Certificate::from_pem(&authority()).unwrap();
    let client =
        reqwest::Client::builder().no_proxy().tls_certs_merge([authority]).build().unwrap();
    client.get(format!("https://localhost:{port}/")).send().await.unwrap().status().as_u16()
}

/// What u2m learns of the server, over `transport`.
pub async fn u2m_asks(port: u16, transport: u2m::transport::ReqwestTransport) -> Option<String> {
    let transport = transport.with_extra_ca(&authority()).unwrap();
    let host = u2m::Host::parse(&format!("https://localhost:{port}")).unwrap();
    u2m::databricks::ask_host(&transport, &host).await.cloud
}

/// A runtime for one story.
pub fn wait<T>(story: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(story)
}
