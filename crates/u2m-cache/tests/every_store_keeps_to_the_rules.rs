//! Every store of this crate, and one of somebody's own, held against the rules that u2m relies on.
#![allow(clippy::unwrap_used)]

mod common;
#[cfg(feature = "keyring")]
#[path = "common/fakes.rs"]
mod fakes;
#[cfg(feature = "redis")]
#[path = "common/redis_server.rs"]
mod redis_server;

use common::Place;
use u2m_cache::{AutoStore, FileStore, MemoryStore};
use u2m_testkit::conformance;

#[test]
fn a_store_in_memory_does() {
    let store = MemoryStore::new();
    conformance::check(move || store.clone()).unwrap();
}

#[test]
fn the_shared_file_does() {
    let place = Place::fast();
    let file = place.file();
    conformance::check(move || FileStore::at(file.clone())).unwrap();
}

#[test]
fn a_choice_of_the_file_alone_does() {
    let place = Place::fast();
    let file = place.file();
    conformance::check(move || AutoStore::new(FileStore::at(file.clone()))).unwrap();
}

#[cfg(feature = "encrypted")]
#[test]
fn the_sealed_file_does() {
    use u2m_cache::{EncryptedFileStore, SealKey, SealKeySource};
    let place = Place::fast();
    let (file, key) =
        (place.folder().join("token-cache.sealed.json"), SealKey::from_bytes([7; 32]));
    let source = SealKeySource::Bytes(key);
    conformance::check(move || EncryptedFileStore::at(file.clone(), source.clone())).unwrap();
}

#[cfg(feature = "keyring")]
#[test]
fn a_keyring_does() {
    use u2m_cache::KeyringStore;
    let (place, keyring) = (Place::fast(), fakes::Fake::new());
    let file = place.file();
    conformance::check(move || KeyringStore::new(keyring.arc(), file.clone())).unwrap();
}

#[cfg(feature = "redis")]
#[test]
fn redis_does() {
    use u2m_cache::{RedisStore, SealKey};
    let Some(server) = redis_server::RedisServer::start(&[]) else { return };
    let (url, key) = (server.url(), SealKey::from_bytes([7; 32]));
    conformance::check(move || RedisStore::open(&url, &key).unwrap()).unwrap();
}
