//! Ending a login: what may hold its tokens is removed or named, and nothing is forgotten that is still there.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use u2m::AccessToken;
use u2m::login::log_out;
use u2m::oauth::RefreshToken;
use u2m::store::{
    AutoStore, CacheKey, EntryLock, FileStore, MemoryStore, Session, StorageMode, StoreError,
    TokenStore,
};

const LONG: Duration = Duration::from_secs(60);

fn key() -> CacheKey {
    CacheKey::new("dev")
}

fn session(name: &str) -> Session {
    Session::new(AccessToken::new(format!("at-{name}")))
        .with_refresh_token(RefreshToken::new(format!("rt-{name}")))
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self) -> FileStore {
        FileStore::at(self.path("token-cache.json"))
    }
}

const FINE: u8 = 0;
const LOCKED: u8 = 1;
const ABSENT: u8 = 2;

/// A keyring in a mood.
#[derive(Clone, Debug, Default)]
struct Keyring {
    held: Arc<MemoryStore>,
    mood: Arc<AtomicU8>,
}

impl Keyring {
    fn check(&self) -> Result<(), StoreError> {
        match self.mood.load(Ordering::Relaxed) {
            FINE => Ok(()),
            LOCKED => Err(StoreError::NoHome),
            _ => Err(StoreError::NoStore { why: "there is no keyring" }),
        }
    }

    fn is_now(&self, mood: u8) {
        self.mood.store(mood, Ordering::Relaxed);
    }
}

impl TokenStore for Keyring {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        self.check().and_then(|()| self.held.load(key))
    }
    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        self.check().and_then(|()| self.held.save(key, session))
    }
    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.check().and_then(|()| self.held.delete(key))
    }
    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        self.check().and_then(|()| self.held.keys())
    }
    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        self.held.lock(key, patience)
    }
}

#[test]
fn out_2_a_keyring_that_is_not_there_now_still_holds_the_login_that_was_saved_in_it() {
    for mood in [LOCKED, ABSENT] {
        let (place, keyring) = (Place::new(), Keyring::default());
        let store = AutoStore::new(place.file()).with_keyring(Arc::new(keyring.clone()));
        store.save(&key(), &session("a")).unwrap();
        keyring.is_now(mood);
        let out = log_out(&store, &[key()], LONG);
        assert!(out.removed.is_empty() && out.failed.len() == 1, "{mood}: {out:?}");
        assert_eq!(store.home(&key()), Some(StorageMode::Secure), "{mood}: it is still there");
        keyring.is_now(FINE);
        let out = log_out(&store, &[key()], LONG);
        assert_eq!(out.removed, [(key(), StorageMode::Secure)]);
        assert_eq!((store.home(&key()), keyring.load(&key()).unwrap()), (None, None));
    }
}

#[test]
fn a_keyring_that_was_never_there_is_no_reason_to_fail() {
    let (place, keyring) = (Place::new(), Keyring::default());
    keyring.is_now(ABSENT);
    let store = AutoStore::new(place.file()).with_keyring(Arc::new(keyring));
    place.file().save(&key(), &session("a")).unwrap();
    let out = log_out(&store, &[key()], LONG);
    assert_eq!(out.removed, [(key(), StorageMode::Plaintext)]);
    assert!(out.failed.is_empty(), "{out:?}");
}

#[cfg(feature = "encrypted")]
#[test]
fn a_sealed_login_is_ended_without_the_key_that_was_lost() {
    let place = Place::new();
    let file = place.path("key");
    let sealed = || {
        let source = u2m::store::SealKeySource::File(file.clone());
        u2m::store::EncryptedFileStore::at(place.path("token-cache.sealed.json"), source)
    };
    sealed().save(&key(), &session("a")).unwrap();
    fs::remove_file(&file).unwrap();
    let store = AutoStore::new(place.file()).with_encrypted(Arc::new(sealed()));
    assert!(store.part(StorageMode::Encrypted).unwrap().load(&key()).is_err());
    let out = log_out(&store, &[key()], LONG);
    assert_eq!(out.removed, [(key(), StorageMode::Encrypted)], "{out:?}");
    assert!(out.failed.is_empty() && sealed().keys().unwrap().is_empty());
}

#[test]
fn a_damaged_file_is_named_and_left_because_the_logins_of_others_may_be_in_it() {
    let place = Place::new();
    let store = AutoStore::new(place.file());
    place.file().save(&key(), &session("canary")).unwrap();
    place.file().save(&CacheKey::new("a-other"), &session("other")).unwrap();
    let path = place.path("token-cache.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() - 3]).unwrap();
    assert!(store.load(&key()).is_err());
    let out = log_out(&store, &[key()], LONG);
    assert!(matches!(out.failed.first(), Some((_, StoreError::Corrupt { .. }))), "{out:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text[..text.len() - 3]);
}

#[test]
fn what_cannot_be_removed_either_is_named_as_it_is() {
    let place = Place::new();
    fs::create_dir(place.path("token-cache.json")).unwrap();
    let out = log_out(&AutoStore::new(place.file()), &[key()], LONG);
    assert!(matches!(out.failed.first(), Some((_, StoreError::NotAFile { .. }))), "{out:?}");
}

#[test]
fn a_login_that_is_being_moved_is_ended_all_the_same() {
    let (place, keyring) = (Place::new(), MemoryStore::new());
    let over = || AutoStore::new(place.file()).with_keyring(Arc::new(keyring.clone()));
    for at in 0..30 {
        over().save(&key(), &session(&format!("a{at}"))).unwrap();
        let is_over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    for (from, to) in [
                        (StorageMode::Secure, StorageMode::Plaintext),
                        (StorageMode::Plaintext, StorageMode::Secure),
                    ] {
                        over().migrate(&key(), from, to, LONG).unwrap();
                    }
                }
            });
            let out = log_out(&over(), &[key()], LONG);
            is_over.store(true, Ordering::Relaxed);
            assert!(out.failed.is_empty() && out.removed.len() == 1, "{out:?}");
        });
        assert!(over().holders(&key()).is_empty());
        assert_eq!(over().home(&key()), None);
    }
}
