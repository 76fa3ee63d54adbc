//! Proxies that do not let a request through, and certificates that are not accepted: each has its own sentence, and names the
//! variable that it is about. In processes of their own, whose environment is a story's.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
#![cfg(all(unix, feature = "reqwest"))]

mod transport_support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use transport_support::raw::Raw;
use transport_support::tls::{self, End, Sealed};
use transport_support::{BASE, asks, lookup};
use u2m_core::TransportFailureKind;
use u2m_http::{ReqwestTransport, Transport};

const NOTHING: &str = "HTTP/1.1 204 Nothing\r\n\r\n";

/// What the other process does, if this is one: asks, and says what came of it.
#[test]
fn worker() {
    let Ok(base) = std::env::var(BASE) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut transport = ReqwestTransport::new();
    if let Ok(file) = std::env::var("U2M_TEST_CA_FILE") {
        transport = transport.with_ca_file(file);
    }
    match runtime.block_on(transport.send(lookup(&base).request())) {
        Ok(answer) => println!("came {}", answer.status()),
        Err(failure) => {
            assert_eq!(failure.kind(), TransportFailureKind::NotSent);
            let cause = std::error::Error::source(&failure).unwrap();
            println!("came {cause}");
        }
    }
}

fn pem(name: &str) -> String {
    tls::file(name).to_str().unwrap().to_owned()
}

/// A SOCKS proxy that lets everyone through to `port`; where each wanted to go.
fn socks(port: Option<u16>) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let (sender, wanted) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = pass(stream.unwrap(), port, &sender);
        }
    });
    (place, wanted)
}

fn pass(
    mut stream: TcpStream,
    port: Option<u16>,
    wanted: &std::sync::mpsc::Sender<String>,
) -> std::io::Result<()> {
    let mut two = [0; 2];
    stream.read_exact(&mut two)?;
    stream.read_exact(&mut vec![0; usize::from(two[1])])?;
    stream.write_all(&[5, 0])?;
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    // A name, that the proxy is to look up.
    assert_eq!(head[..4], [5, 1, 0, 3]);
    let mut name = vec![0; usize::from(head[4])];
    stream.read_exact(&mut name)?;
    let mut at = [0; 2];
    stream.read_exact(&mut at)?;
    let name = String::from_utf8(name).unwrap();
    wanted.send(format!("{name}:{}", u16::from_be_bytes(at))).unwrap();
    let Some(port) = port else {
        // "Host unreachable".
        return stream.write_all(&[5, 4, 0, 1, 0, 0, 0, 0, 0, 0]);
    };
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    let (mut back, mut forth) = (server.try_clone()?, stream.try_clone()?);
    std::thread::spawn(move || std::io::copy(&mut forth, &mut server));
    std::io::copy(&mut back, &mut stream).map(drop)
}

#[test]
fn a_socks_proxy_looks_the_name_up_and_tunnels() {
    let server = Sealed::saying(NOTHING, End::Told);
    let (place, wanted) = socks(Some(server.port));
    let file = pem("ca.pem");
    for (variable, scheme) in
        [("ALL_PROXY", "socks5h"), ("all_proxy", "socks5"), ("HTTPS_PROXY", "socks")]
    {
        let proxy = format!("{scheme}://{place}");
        let vars = [(variable, proxy.as_str()), ("SSL_CERT_FILE", &file)];
        assert_eq!(asks("https://a.example", &vars), "204", "{variable}");
        assert_eq!(wanted.recv().unwrap(), "a.example:443");
    }
}

#[test]
fn a_socks_proxy_that_does_not_connect_is_named() {
    let (place, wanted) = socks(None);
    let said = asks("https://a.invalid", &[("ALL_PROXY", &format!("socks5h://{place}"))]);
    assert_eq!(wanted.recv().unwrap(), "a.invalid:443");
    let start = format!("the proxy {place} (ALL_PROXY) did not connect to the host: ");
    assert!(said.starts_with(&start), "{said}");
    // And one that is not there.
    let vacant = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = asks("https://a.invalid", &[("ALL_PROXY", &format!("socks5h://{vacant}"))]);
    let start = format!("the proxy {vacant} (ALL_PROXY) could not be reached: ");
    assert!(said.starts_with(&start), "{said}");
}

#[test]
fn what_a_proxy_does_instead_is_told_with_the_variable_that_names_it() {
    for (answer, user, trouble) in [
        ("HTTP/1.1 407 Who\r\n\r\n", "", "wants a user name and a password"),
        (
            "HTTP/1.1 407 Who\r\n\r\n",
            "me:canary@",
            "does not accept the user name and the password",
        ),
        ("HTTP/1.1 403 No\r\n\r\n", "", "refused to connect to the host"),
        ("", "", "closed the connection instead of connecting to the host"),
    ] {
        let proxy = Raw::saying(answer);
        let place = proxy.base.strip_prefix("http://").unwrap();
        let value = format!("http://{user}{place}");
        let said = asks("https://a.invalid", &[("https_proxy", &value)]);
        assert_eq!(said, format!("the proxy {place} (https_proxy) {trouble}"));
    }
    let vacant = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = asks("https://a.invalid", &[("HTTPS_PROXY", &vacant.to_string())]);
    let start =
        format!("the proxy {vacant} (HTTPS_PROXY) could not be reached: Connection refused");
    assert!(said.starts_with(&start), "{said}");
    let said = asks("https://a.invalid", &[("HTTPS_PROXY", "p.invalid:3128")]);
    // "is not found", where this machine's name service says so.
    assert!(said.starts_with("the proxy p.invalid:3128 (HTTPS_PROXY) "), "{said}");
}

#[test]
fn where_nobody_listens_the_systems_word_for_it_is_told() {
    let vacant = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = asks(&format!("http://{vacant}"), &[]);
    assert!(said.starts_with("Connection refused"), "{said}");
}

#[test]
fn a_variable_that_names_no_proxy_is_an_error_and_nothing_goes_directly() {
    let server = Raw::saying(NOTHING);
    for (value, why) in [
        ("http://", "is not the address of a proxy"),
        ("ftp://p.example", "names a proxy of a kind that is not known: ftp"),
    ] {
        let said = asks("https://a.invalid", &[("ALL_PROXY", value)]);
        assert_eq!(said, format!("ALL_PROXY {why}"));
        // This machine is reached all the same.
        assert_eq!(asks(&server.base, &[("ALL_PROXY", value)]), "204");
    }
}

#[test]
fn what_the_list_of_exceptions_names_goes_directly() {
    let proxy = Raw::saying("HTTP/1.1 403 No\r\n\r\n");
    for list in ["*.invalid", ".invalid", "a.invalid:443", "x,a.invalid", "*"] {
        let vars = [("HTTPS_PROXY", proxy.base.as_str()), ("NO_PROXY", list)];
        let said = asks("https://a.invalid", &vars);
        assert!(!said.contains("proxy"), "{list}: {said}");
    }
    assert!(proxy.requests().is_empty(), "whoever goes directly tells the proxy nothing");
    for list in ["*.a.invalid", "b.invalid", "a.invalid:8443", ""] {
        let vars = [("HTTPS_PROXY", proxy.base.as_str()), ("NO_PROXY", list)];
        let said = asks("https://a.invalid", &vars);
        assert!(said.contains("refused to connect"), "{list}: {said}");
    }
}

/// What is said of a server with this certificate, where `root.pem` is trusted.
fn with(certificate: &str) -> String {
    let server = Sealed::with(certificate, NOTHING, End::Told);
    let (file, base) = (pem("root.pem"), format!("https://localhost:{}", server.port));
    let said = asks(&base, &[("SSL_CERT_FILE", &file)]);
    assert_eq!(
        asks(&base, &[("U2M_TEST_CA_FILE", &file)]),
        said,
        "a file counts as the variable does"
    );
    said
}

#[test]
fn each_kind_of_certificate_has_its_own_sentence() {
    // With the intermediate one that the server sends along.
    assert_eq!(with("chain.pem"), "204");
    let said = with("expired.pem");
    assert!(said.starts_with("its certificate has expired, "), "{said}");
    assert!(said.ends_with(" days ago, by the clock of this machine"), "{said}");
    let said = with("future.pem");
    assert!(said.starts_with("its certificate is not valid yet, "), "{said}");
    assert!(said.ends_with(" days to go, by the clock of this machine"), "{said}");
    assert_eq!(with("other.pem"), "its certificate is for another name: b.example");
    assert_eq!(
        with("server.pem"),
        "its certificate is not from an authority that is trusted here: it was issued by u2m tests"
    );
    assert_eq!(
        with("rsa.pem"),
        "its certificate is signed by itself, and by nobody who is trusted here"
    );
}

/// As tools make them by default: signed by itself, and called an authority's.
#[test]
fn a_certificate_that_has_signed_itself_is_trusted_where_it_is_named() {
    let server = Sealed::with("self.pem", NOTHING, End::Told);
    let (file, base) = (pem("self.pem"), format!("https://localhost:{}", server.port));
    let untrusted = "its certificate is signed by itself, and by nobody who is trusted here";
    assert_eq!(asks(&base, &[("SSL_CERT_FILE", &pem("root.pem"))]), untrusted);
    assert_eq!(asks(&base, &[("U2M_TEST_CA_FILE", &pem("root.pem"))]), untrusted);
    for variable in ["U2M_TEST_CA_FILE", "SSL_CERT_FILE"] {
        assert_eq!(asks(&base, &[(variable, &file)]), "204");
        // For its own name alone.
        let other = base.replace("localhost", "127.0.0.1");
        let said = asks(&other, &[(variable, &file)]);
        assert_eq!(said, "its certificate is for another name: localhost");
    }
}

#[test]
fn a_ca_file_that_cannot_be_used_is_named_and_so_is_a_variable() {
    let server = Sealed::saying(NOTHING, End::Told);
    let base = format!("https://localhost:{}", server.port);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("empty.pem"), "").unwrap();
    std::fs::write(at("text.pem"), "no certificate").unwrap();
    for (name, why) in [
        ("missing.pem", "is not there"),
        ("empty.pem", "is empty"),
        ("text.pem", "holds no certificate in PEM form"),
    ] {
        let file = at(name);
        let said = asks(&base, &[("U2M_TEST_CA_FILE", &file)]);
        assert_eq!(said, format!("the CA file {file} {why}"));
        // As Go's programs do, what the system has is trusted then; where that is not enough, the variable is named.
        let said = asks(&base, &[("SSL_CERT_FILE", &file)]);
        assert!(said.contains(&format!("SSL_CERT_FILE names {file}, which {why}")), "{said}");
        let nowhere = at("nowhere");
        let said = asks(&base, &[("SSL_CERT_FILE", &file), ("SSL_CERT_DIR", &nowhere)]);
        let told = format!(
            "there are no CA certificates on this machine; SSL_CERT_FILE names {file}, which {why}; SSL_CERT_DIR names \
             {nowhere}, which is not there"
        );
        assert_eq!(said, told);
    }
    assert!(server.requests().is_empty());
    // Where nothing is sealed, nobody has to be trusted.
    let plain = Raw::saying(NOTHING);
    assert_eq!(asks(&plain.base, &[("U2M_TEST_CA_FILE", &at("missing.pem"))]), "204");
}

#[test]
fn what_does_not_speak_tls_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1 << 12]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad\r\n\r\n");
        }
    });
    let said = asks(&base, &[("SSL_CERT_FILE", &pem("root.pem"))]);
    assert_eq!(said, "what answers there does not speak TLS");
}
