//! What the last version wrote in each store is read whole, and what this one writes of the same login is the same.
//! (Redis' records are read beside their code, because a server is not needed to show it.)
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;
#[cfg(feature = "keyring")]
#[path = "common/fakes.rs"]
mod fakes;

use common::{Place, key, put};
use std::fs;
use std::path::Path;
use u2m_cache::{FileStore, PythonCache, PythonLogin, TokenStore};
use u2m_core::{AccessToken, Binding, Host, Lifetime, RefreshToken, Scopes, Session, Timestamp};
use url::Url;

/// The login that the last version saved under the name `own`.
fn own() -> Session {
    let host = Host::parse("https://id.example").unwrap();
    let endpoint = Url::parse("https://id.example/pool/token").unwrap();
    let binding = Binding::new("https://id.example/pool", endpoint, "my-cli", host)
        .with_account_id(Some("5f1e0a52".into()))
        .with_scopes(Some(Scopes::split("openid api.read")))
        .with_issuer_named(true);
    Session::new(AccessToken::new("at-own"))
        .with_refresh_token(RefreshToken::new("rt-own"))
        .with_expiry(Timestamp::from_unix(2_000_003_600))
        .with_lifetime(Lifetime::from_seconds(3600))
        .with_issued_at(Timestamp::from_unix(2_000_000_000))
        .with_binding(binding)
}

fn fixture(name: &str) -> Vec<u8> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/last_version");
    fs::read(here.join(name)).unwrap()
}

fn place_with(names: &[&str]) -> Place {
    let place = Place::new();
    for name in names {
        let to = place.folder().join(Path::new(name).file_name().unwrap());
        put(&to, String::from_utf8(fixture(name)).unwrap());
    }
    place
}

#[test]
fn the_side_file_of_the_shared_file() {
    let place = place_with(&["file/token-cache.json", "file/token-cache.u2m.json"]);
    let store = FileStore::at(place.file());
    assert_eq!(store.load(&key("own")).unwrap(), Some(own()));
    // The endpoint is on another host, and nothing in the record says that a person allowed it.
    let off = store.load(&key("off")).unwrap().unwrap();
    assert_eq!((off.access_token.expose(), off.binding), ("at-off", None));

    let anew = Place::new();
    let store = FileStore::at(anew.file());
    store.save(&key("own"), &own()).unwrap();
    let records = |text: &[u8]| -> serde_json::Value {
        let file: serde_json::Value = serde_json::from_slice(text).unwrap();
        file["sessions"]["own"].clone()
    };
    let written = fs::read(anew.folder().join("token-cache.u2m.json")).unwrap();
    assert_eq!(records(&written), records(&fixture("file/token-cache.u2m.json")));
}

#[test]
#[cfg(feature = "keyring")]
fn the_items_of_a_keyring() {
    use u2m_cache::{Keyring, KeyringStore};
    let place = place_with(&["keyring/token-cache.u2m.json"]);
    let fake = fakes::Fake::new();
    fake.set("own", &fixture("keyring/own.item")).unwrap();
    let store = KeyringStore::new(fake.arc(), place.file());
    assert_eq!(store.load(&key("own")).unwrap(), Some(own()));
    store.save(&key("own"), &own()).unwrap();
    assert_eq!(*fake.get("own").unwrap().unwrap(), fixture("keyring/own.item"));
}

#[test]
#[cfg(feature = "encrypted")]
fn the_entries_of_a_sealed_file() {
    use u2m_cache::{EncryptedFileStore, SealKey, SealKeySource};
    let place = place_with(&["sealed/token-cache.sealed.json"]);
    let source = SealKeySource::Bytes(SealKey::from_bytes([7; 32]));
    let store = EncryptedFileStore::at(place.folder().join("token-cache.sealed.json"), source);
    assert_eq!(store.load(&key("own")).unwrap(), Some(own()));
    let off = store.load(&key("off")).unwrap().unwrap();
    assert_eq!((off.access_token.expose(), off.binding), ("at-off", None));
}

#[test]
fn the_files_of_pythons_sdk() {
    let name = "613a3987093f8d947d695df9a851a1d355d34bad8ae8ab046be9e6b7f3e61765.json";
    let place = place_with(&[&format!("python/{name}")]);
    let login = PythonLogin::new("https://id.example").with_client_id("my-cli");
    let cache = PythonCache::at(place.folder());
    let found = cache.read(&login).unwrap().unwrap();
    // Python's file has no place for scopes, and is for Databricks' hosts.
    let mut own = own();
    own.binding = own.binding.map(|binding| binding.with_scopes(None).with_issuer_named(false));
    assert_eq!(found, own);
    let anew = Place::new();
    let path = PythonCache::at(anew.folder()).write(&login, &own).unwrap();
    assert_eq!(path.file_name().unwrap(), name);
    let about = |text: &[u8]| -> serde_json::Value {
        serde_json::from_slice::<serde_json::Value>(text).unwrap()["u2m"].clone()
    };
    assert_eq!(about(&fs::read(path).unwrap()), about(&fixture(&format!("python/{name}"))));
}
