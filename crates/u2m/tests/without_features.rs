//! u2m as a program builds it that brings its own transport and has no keyring: `cargo xtask check lean` runs this without features.
#![cfg(not(any(feature = "keyring", feature = "reqwest")))]
#![allow(clippy::unwrap_used)]

mod common;

use async_trait::async_trait;
use common::{World, chain};
use std::io::{Read, Write};
use std::net::TcpStream;
use u2m::store::{AutoStore, NamedStore, StorageMode, StoreError, TokenStore};
use u2m::transport::{
    HttpRequest, HttpResponse, Transport, TransportFailure, TransportFailureKind,
};
use u2m::{BuildError, PersistentAuth};

/// Speaks to a server on this machine, in clear text.
#[derive(Debug)]
struct Plain;

#[async_trait]
impl Transport for Plain {
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
        exchange(request)
            .map_err(|error| TransportFailure::new(TransportFailureKind::Broken).because(error))
    }
}

fn exchange(request: &HttpRequest) -> std::io::Result<HttpResponse> {
    let (url, body) = (request.url(), request.body().unwrap_or_default());
    let address = url.socket_addrs(|| None)?;
    let mut stream = TcpStream::connect(&*address)?;
    let (method, length) = (request.method().as_str(), body.len());
    write!(stream, "{method} {} HTTP/1.1\r\nhost: {}\r\n", url.path(), url.authority())?;
    write!(stream, "connection: close\r\ncontent-length: {length}\r\n")?;
    for (name, value) in request.headers() {
        write!(stream, "{name}: {value}\r\n")?;
    }
    if let Some(kind) = request.content_type() {
        write!(stream, "content-type: {kind}\r\n")?;
    }
    stream.write_all(b"\r\n")?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(HttpResponse::new(status, body.into()).with_content_type("application/json"))
}

#[test]
fn without_a_transport_there_is_no_login_and_what_is_missing_is_named() {
    let world = World::new();
    let error = world.builder().build().unwrap_err();
    assert!(matches!(error, BuildError::NoTransport), "{error:?}");
    assert!(error.to_string().contains("feature `reqwest`"), "{error}");
    // What is wrong with the description is told all the same.
    let discovery = u2m::Target::issuer(world.server.base_url()).unwrap();
    let error = PersistentAuth::builder(discovery).with_store(world.store()).build().unwrap_err();
    assert!(matches!(error, BuildError::NoClient), "{error:?}");
}

#[test]
fn a_program_with_a_transport_of_its_own_refreshes_over_it() {
    let world = World::expired();
    let auth = world.builder().with_transport(Plain).build().unwrap();
    let token = auth.blocking().token().unwrap();
    assert_eq!(token.access_token(), &world.stored().access_token);
    world.assert_refreshed(1);
    world.assert_alive();
}

#[test]
fn a_login_that_was_saved_in_the_keyring_is_an_error_that_names_the_feature_and_no_copy_elsewhere_is_used()
 {
    let world = World::new();
    // A copy stands in the file, and would do.
    world.seed(3000);
    let store = |naming| AutoStore::new(world.store()).with_naming(naming);
    store(NamedStore::Nothing).set_home(&world.key(), Some(StorageMode::Secure)).unwrap();
    for naming in [
        NamedStore::Nothing,
        NamedStore::First(StorageMode::Plaintext),
        NamedStore::First(StorageMode::Secure),
        NamedStore::Alone(StorageMode::Secure),
    ] {
        let builder = PersistentAuth::builder(world.target()).with_transport(Plain);
        let auth = builder.with_store(store(naming)).build().unwrap();
        let error = chain(&auth.blocking().token().unwrap_err());
        assert!(error.contains("u2m's feature `keyring`"), "{naming:?}: {error}");
        let saved = store(naming).save(&world.key(), &world.stored());
        assert!(matches!(saved, Err(StoreError::NotBuilt { .. })), "{naming:?}: {saved:?}");
    }
    world.assert_refreshed(0);
    // Whoever names the file for this once gets what is in it.
    let auth = world.builder().with_store(store(NamedStore::Alone(StorageMode::Plaintext)));
    assert!(auth.with_transport(Plain).build().unwrap().blocking().token().is_ok());
}
