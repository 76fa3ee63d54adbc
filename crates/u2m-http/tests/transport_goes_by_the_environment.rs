//! Proxies and certificates that the environment names. In processes of their own, whose environment is a story's.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
#![cfg(all(unix, feature = "reqwest"))]

mod transport_support;

use std::io::Write;
use transport_support::raw::Raw;
use transport_support::tls::{self, End, Sealed, authority};
use transport_support::{BASE, asks, lookup};
use u2m_http::{ReqwestTransport, Transport};

/// What the other process does, if this is one: asks, and says what came of it.
#[test]
fn worker() {
    let Ok(base) = std::env::var(BASE) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut transport = ReqwestTransport::new();
    if std::env::var_os("U2M_TEST_EXTRA").is_some() {
        transport = transport.with_extra_ca(&authority()).unwrap();
    }
    match runtime.block_on(transport.send(lookup(&base).request())) {
        Ok(answer) => println!("came {}", answer.status()),
        Err(failure) => println!("came {:?}", failure.kind()),
    }
}

/// Every variable by which a proxy is named.
fn proxied(proxy: &str) -> Vec<(&str, &str)> {
    let names =
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    names.into_iter().map(|name| (name, proxy)).collect()
}

const NOTHING: &str = "HTTP/1.1 204 Nothing\r\n\r\n";

#[test]
fn t8_this_machine_is_reached_past_every_proxy() {
    let (proxy, server) = (Raw::saying("HTTP/1.1 502 No\r\n\r\n"), Raw::saying(NOTHING));
    let sealed = Sealed::saying(NOTHING, End::Told);
    let mut vars = proxied(&proxy.base);
    assert_eq!(asks(&server.base, &vars), "204");
    assert_eq!(asks(&server.base.replace("127.0.0.1", "localhost"), &vars), "204");
    vars.push(("U2M_TEST_EXTRA", "1"));
    for name in ["localhost", "127.0.0.1"] {
        assert_eq!(asks(&format!("https://{name}:{}", sealed.port), &vars), "204");
    }
    assert_eq!(proxy.requests(), Vec::<String>::new());
}

#[test]
fn the_world_is_reached_over_the_proxy_that_the_environment_names() {
    let proxy = Raw::saying("HTTP/1.1 502 No\r\n\r\n");
    let vars = [("HTTPS_PROXY", proxy.base.as_str())];
    assert_eq!(asks("https://a.invalid", &vars), "NotSent");
    let requests = proxy.requests();
    assert!(requests[0].starts_with("CONNECT a.invalid:443 HTTP/1.1\r\n"), "{requests:?}");
    let vars = [("HTTPS_PROXY", proxy.base.as_str()), ("NO_PROXY", "a.invalid")];
    assert_eq!(asks("https://a.invalid", &vars), "NotSent");
    assert_eq!(proxy.requests().len(), requests.len());
}

#[test]
fn behind_a_proxy_the_server_has_to_prove_who_it_is() {
    let proxy = Raw::start(|stream| {
        stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
        let _ = tls::serve(stream, NOTHING, End::Told);
    });
    let mut vars = vec![("HTTPS_PROXY", proxy.base.as_str())];
    assert_eq!(asks("https://a.example", &vars), "NotSent", "nobody vouches for it");
    vars.push(("U2M_TEST_EXTRA", "1"));
    assert_eq!(asks("https://a.example", &vars), "204");
    assert_eq!(asks("https://other.example", &vars), "NotSent", "it is another's");
}

#[test]
fn authorities_of_a_file_that_the_environment_names_are_trusted() {
    let sealed = Sealed::saying(NOTHING, End::Told);
    let (base, file) = (format!("https://localhost:{}", sealed.port), tls::file("ca.pem"));
    assert_eq!(asks(&base, &[]), "NotSent");
    assert_eq!(asks(&base, &[("SSL_CERT_FILE", file.to_str().unwrap())]), "204");
}
