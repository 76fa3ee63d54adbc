//! Tests this provider against the one of rustls for *ring*, which only tests use: every suite,
//! every group, and modified records.

use super::provider;
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, Connection, ProtocolVersion, RootCertStore,
    ServerConfig, ServerConnection,
};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

/// How an attacker changes a record.
type Change<'a> = &'a dyn Fn(&mut Vec<u8>);

fn theirs() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

fn certificate(name: &str) -> CertificateDer<'static> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
    CertificateDer::from_pem_file(folder.join(name)).unwrap()
}

fn key(name: &str) -> PrivateKeyDer<'static> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
    PrivateKeyDer::from_pem_file(folder.join(name)).unwrap()
}

/// Creates a client with this provider and a server with that of rustls. RSA is for suites that require it.
fn pair(client: CryptoProvider, with_rsa: bool) -> (Connection, Connection) {
    let (root, name) = if with_rsa { ("rsa.pem", "rsa") } else { ("ca.pem", "server") };
    let mut roots = RootCertStore::empty();
    roots.add(certificate(root)).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(client))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerConfig::builder_with_provider(Arc::new(theirs()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate(&format!("{name}.pem"))], key(&format!("{name}.key")))
        .unwrap();
    let localhost = ServerName::try_from("localhost").unwrap();
    (
        ClientConnection::new(Arc::new(client), localhost).unwrap().into(),
        ServerConnection::new(Arc::new(server)).unwrap().into(),
    )
}

/// Delivers the output of one side to the other. Returns the number of bytes.
fn deliver(
    from: &mut Connection,
    to: &mut Connection,
    change: impl Fn(&mut Vec<u8>),
) -> Result<usize, rustls::Error> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    change(&mut bytes);
    let (mut rest, length) = (bytes.as_slice(), bytes.len());
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    Ok(length)
}

fn shake(client: &mut Connection, server: &mut Connection) {
    while client.is_handshaking() || server.is_handshaking() {
        let sent = deliver(client, server, |_| ()).unwrap();
        let answered = deliver(server, client, |_| ()).unwrap();
        assert!(sent + answered > 0, "nobody has anything to say");
    }
    deliver(server, client, |_| ()).unwrap();
}

/// Sends `text` in as many records as necessary, and returns what the other side reads.
fn say(from: &mut Connection, to: &mut Connection, text: &[u8]) -> Vec<u8> {
    let mut heard = Vec::new();
    for part in text.chunks(20_000) {
        from.writer().write_all(part).unwrap();
        deliver(from, to, |_| ()).unwrap();
        let mut buffer = vec![0; part.len()];
        to.reader().read_exact(&mut buffer).unwrap();
        heard.extend(buffer);
    }
    heard
}

fn is_rsa(suite: CipherSuite) -> bool {
    format!("{suite:?}").contains("RSA_WITH") && !format!("{suite:?}").contains("ECDSA")
}

#[test]
fn it_offers_what_rustls_own_provider_offers_in_the_same_order() {
    let (ours, theirs) = (provider(), theirs());
    let suites =
        |of: &CryptoProvider| of.cipher_suites.iter().map(|one| one.suite()).collect::<Vec<_>>();
    assert_eq!(suites(&ours), suites(&theirs));
    let groups =
        |of: &CryptoProvider| of.kx_groups.iter().map(|one| one.name()).collect::<Vec<_>>();
    assert_eq!(groups(&ours), groups(&theirs));
    // Both verify signatures with the same list of the same crate.
    let algorithms = |of: &CryptoProvider| format!("{:?}", of.signature_verification_algorithms);
    assert_eq!(algorithms(&ours), algorithms(&theirs));
}

#[test]
fn each_suite_speaks_with_rustls_own_in_both_directions() {
    let texts = [b"ping".to_vec(), Vec::new(), vec![7; 100_000]];
    for suite in provider().cipher_suites {
        let only = CryptoProvider { cipher_suites: vec![suite], ..provider() };
        let (mut client, mut server) = pair(only, is_rsa(suite.suite()));
        shake(&mut client, &mut server);
        assert_eq!(client.negotiated_cipher_suite().unwrap().suite(), suite.suite());
        let tls13 = client.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        assert_eq!(tls13, format!("{:?}", suite.suite()).starts_with("TLS13"));
        for text in &texts {
            assert_eq!(say(&mut client, &mut server, text), *text, "{suite:?}");
            assert_eq!(say(&mut server, &mut client, text), *text, "{suite:?}");
        }
    }
}

#[test]
fn each_group_agrees_with_rustls_own() {
    for group in provider().kx_groups {
        let only = CryptoProvider { kx_groups: vec![group], ..provider() };
        let (mut client, mut server) = pair(only, false);
        shake(&mut client, &mut server);
        assert_eq!(client.negotiated_key_exchange_group().unwrap().name(), group.name());
        assert_eq!(say(&mut client, &mut server, b"ping"), b"ping");
    }
}

#[test]
fn a_record_that_was_tampered_with_or_cut_is_refused() {
    for suite in provider().cipher_suites {
        // The header of a record is five bytes, and its end is the tag.
        //
        let flip_first = |bytes: &mut Vec<u8>| bytes[5] ^= 1;
        let flip_last = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
        let cut = |bytes: &mut Vec<u8>| {
            bytes.truncate(8);
            bytes[3..5].copy_from_slice(&[0, 3]);
        };
        let changes: [Change<'_>; 3] = [&flip_first, &flip_last, &cut];
        for change in changes {
            let only = CryptoProvider { cipher_suites: vec![suite], ..provider() };
            let (mut client, mut server) = pair(only, is_rsa(suite.suite()));
            shake(&mut client, &mut server);
            server.writer().write_all(b"a secret").unwrap();
            let refused = deliver(&mut server, &mut client, change).unwrap_err();
            assert_eq!(refused, rustls::Error::DecryptError, "{suite:?}");
        }
    }
}

#[test]
fn a_key_share_that_is_none_is_refused() {
    for group in provider().kx_groups {
        let complete = |peer: &[u8]| group.start().unwrap().complete(peer).map(|_| ());
        let share: &dyn SupportedKxGroup = group;
        let good = share.start().unwrap().pub_key().to_vec();
        assert_eq!(complete(&good), Ok(()), "{group:?}");
        let short = &good[..good.len() - 1];
        let mut compressed = good.clone();
        compressed[0] = 2;
        compressed.truncate(good.len() / 2 + 1);
        for odd in [&[] as &[u8], short, &compressed, &vec![0; good.len()]] {
            assert!(complete(odd).is_err(), "{group:?} {odd:?}");
        }
    }
}

#[test]
fn chance_is_the_systems_and_no_key_of_ours_is_loaded() {
    let ours = provider();
    let (mut one, mut other) = ([0; 32], [0; 32]);
    ours.secure_random.fill(&mut one).unwrap();
    ours.secure_random.fill(&mut other).unwrap();
    assert_ne!(one, other);
    assert!(ours.key_provider.load_private_key(key("server.key")).is_err());
}
