//! Several stores behind one: which of them a login is read from, and where a new one goes (MODE-1, FALL-1 to FALL-4).
#![allow(clippy::unwrap_used)]

mod common;

use common::Place;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use u2m_cache::{AutoStore, EntryLock, MemoryStore, StorageMode, StoreError, TokenStore};
use u2m_core::{AccessToken, CacheKey, RefreshToken, Session};

fn key() -> CacheKey {
    CacheKey::new("dev")
}

fn session(name: &str) -> Session {
    Session::new(AccessToken::new(name)).with_refresh_token(RefreshToken::new(name))
}

fn token(store: &dyn TokenStore) -> Option<String> {
    store.load(&key()).unwrap().map(|session| session.access_token.expose().to_owned())
}

/// How a keyring is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Absent,
    Fine,
    Refusing,
    Silent,
}

/// A keyring in a mood, that counts how often it is asked.
#[derive(Clone, Debug)]
struct Keyring {
    held: MemoryStore,
    mood: Mood,
    asked: Arc<AtomicUsize>,
}

impl Keyring {
    fn new(mood: Mood) -> Self {
        Self { held: MemoryStore::new(), mood, asked: Arc::default() }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn check(&self) -> Result<(), StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.mood {
            Mood::Fine => Ok(()),
            Mood::Absent => Err(StoreError::NoStore { why: "there is no keyring" }),
            Mood::Refusing => Err(StoreError::NoHome),
            Mood::Silent => {
                let path = std::path::Path::new("keyring");
                Err(StoreError::LockTimeout { path: path.into() })
            }
        }
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
        self.check().and_then(|()| self.held.lock(key, patience))
    }
    fn prepare_login(&self, _: &CacheKey) -> Result<(), StoreError> {
        self.check()
    }
}

fn over(place: &Place, keyring: &Keyring) -> AutoStore {
    AutoStore::new(place.store()).with_keyring(Arc::new(keyring.clone()))
}

/// Saves as a login does.
fn log_in(store: &AutoStore, name: &str) -> Result<(), StoreError> {
    store.prepare_login(&key())?;
    store.lock(&key(), common::LONG)?.unwrap().save(&session(name))
}

#[test]
fn a_new_login_goes_to_the_keyring_where_there_is_one() {
    let (place, keyring) = (Place::new(), Keyring::new(Mood::Fine));
    let store = over(&place, &keyring);
    log_in(&store, "a").unwrap();
    assert_eq!(token(&keyring).as_deref(), Some("a"));
    assert_eq!(token(&place.store()), None);
    assert_eq!(store.home(&key()), Some(StorageMode::Secure));
    assert!(store.take_notices().is_empty());
}

#[test]
fn fall_2_without_any_keyring_it_goes_to_the_file_and_that_is_said() {
    let (place, keyring) = (Place::new(), Keyring::new(Mood::Absent));
    let store = over(&place, &keyring);
    log_in(&store, "a").unwrap();
    assert_eq!(token(&place.store()).as_deref(), Some("a"));
    let notices = store.take_notices();
    assert!(notices.len() == 1 && notices[0].text.contains("unencrypted"), "{notices:?}");
    assert_eq!(token(&over(&place, &keyring)).as_deref(), Some("a"));
}

#[test]
fn fall_4_a_keyring_that_refuses_is_an_error_and_nothing_is_kept_elsewhere() {
    let (place, keyring) = (Place::new(), Keyring::new(Mood::Refusing));
    assert!(log_in(&over(&place, &keyring), "a").is_err());
    assert!(!place.file().exists());
}

#[test]
fn a_keyring_that_is_silent_is_said_before_anybody_signs_in_and_nothing_falls_into_the_file() {
    let (place, keyring) = (Place::new(), Keyring::new(Mood::Silent));
    let store = over(&place, &keyring);
    assert!(store.prepare_login(&key()).unwrap_err().is_transient());
    assert_eq!(store.landing(&key()), None);
    assert!(store.save(&key(), &session("a")).is_err());
    assert!(!place.file().exists(), "nothing fell into the file in silence");
}

#[test]
fn fall_3_a_login_of_the_keyring_is_never_looked_for_in_the_file() {
    let (place, keyring) = (Place::new(), Keyring::new(Mood::Fine));
    place.store().save(&key(), &session("older")).unwrap();
    log_in(&over(&place, &keyring), "newer").unwrap();
    for mood in [Mood::Absent, Mood::Refusing, Mood::Silent] {
        let broken = Keyring { mood, ..keyring.clone() };
        assert!(over(&place, &broken).load(&key()).is_err(), "{mood:?}");
    }
    assert_eq!(token(&over(&place, &keyring)).as_deref(), Some("newer"));
}

#[test]
fn a_login_of_the_file_never_wakes_the_keyring() {
    let (place, keyring) = (Place::new(), Keyring::new(Mood::Absent));
    log_in(&over(&place, &keyring), "a").unwrap();
    let keyring = Keyring::new(Mood::Fine);
    let store = over(&place, &keyring);
    assert_eq!(token(&store).as_deref(), Some("a"));
    store.lock(&key(), common::LONG).unwrap().unwrap().save(&session("b")).unwrap();
    assert_eq!((token(&store).as_deref(), keyring.asked()), (Some("b"), 0));
}

#[test]
fn what_other_programs_saved_is_looked_for_in_the_keyring_first() {
    let (place, keyring) = (Place::new(), Keyring::new(Mood::Fine));
    place.store().save(&key(), &session("in the file")).unwrap();
    assert_eq!(token(&over(&place, &keyring)).as_deref(), Some("in the file"));
    keyring.save(&key(), &session("in the keyring")).unwrap();
    assert_eq!(token(&over(&place, &keyring)).as_deref(), Some("in the keyring"));
    let absent = Keyring::new(Mood::Absent);
    assert_eq!(token(&over(&place, &absent)).as_deref(), Some("in the file"));
    for mood in [Mood::Refusing, Mood::Silent] {
        assert!(
            over(&place, &Keyring::new(mood)).load(&key()).is_err(),
            "{mood:?} hides it, perhaps"
        );
    }
}

#[test]
fn a_refresh_is_saved_where_the_login_was_found() {
    let (place, keyring) = (Place::new(), Keyring::new(Mood::Fine));
    place.store().save(&key(), &session("a")).unwrap();
    let store = over(&place, &keyring);
    store.lock(&key(), common::LONG).unwrap().unwrap().save(&session("b")).unwrap();
    assert_eq!(token(&place.store()).as_deref(), Some("b"));
    assert_eq!(store.home(&key()), Some(StorageMode::Plaintext));
}

#[test]
fn mode_1_a_new_login_elsewhere_leaves_no_older_one_behind() {
    let (place, keyring) = (Place::new(), Keyring::new(Mood::Absent));
    log_in(&over(&place, &keyring), "older").unwrap();
    let keyring = Keyring::new(Mood::Fine);
    log_in(&over(&place, &keyring), "newer").unwrap();
    assert_eq!(token(&place.store()), None);
    assert_eq!(token(&over(&place, &keyring)).as_deref(), Some("newer"));
}

#[test]
fn a_mode_asked_for_by_name_is_used_alone_and_does_not_stay() {
    let (place, keyring) = (Place::new(), Keyring::new(Mood::Fine));
    log_in(&over(&place, &keyring), "in the keyring").unwrap();
    place.store().save(&key(), &session("in the file")).unwrap();
    let plain = over(&place, &keyring).with_mode(StorageMode::Plaintext);
    assert_eq!(token(&plain).as_deref(), Some("in the file"));
    plain.lock(&key(), common::LONG).unwrap().unwrap().save(&session("refreshed")).unwrap();
    assert_eq!(token(&over(&place, &keyring)).as_deref(), Some("in the keyring"));
}

#[test]
fn deleting_removes_it_everywhere() {
    let (place, keyring) = (Place::new(), Keyring::new(Mood::Fine));
    let store = over(&place, &keyring);
    log_in(&store, "a").unwrap();
    place.store().save(&key(), &session("b")).unwrap();
    store.delete(&key()).unwrap();
    assert_eq!((token(&keyring), token(&place.store())), (None, None));
    assert_eq!(store.home(&key()), None);
}

#[test]
fn a_login_that_is_moved_while_its_lock_is_waited_for_is_refreshed_where_it_is() {
    let (place, keyring) = (Place::new(), Keyring::new(Mood::Absent));
    log_in(&over(&place, &keyring), "a").unwrap();
    let keyring = Keyring::new(Mood::Fine);
    let store = over(&place, &keyring);
    let mover = place.store().lock(&key(), common::LONG).unwrap().unwrap();
    let waiter = {
        let (store, (send, ready)) = (store.clone(), std::sync::mpsc::channel());
        let waiter = std::thread::spawn(move || {
            send.send(()).unwrap();
            store.lock(&key(), common::LONG).unwrap().unwrap().save(&session("b")).unwrap();
        });
        ready.recv().unwrap();
        waiter
    };
    // Time to get in line; without it the test shows less, and does not fail.
    std::thread::sleep(Duration::from_millis(300));
    keyring.save(&key(), &session("a")).unwrap();
    store.set_home(&key(), Some(StorageMode::Secure)).unwrap();
    place.store().delete(&key()).unwrap();
    drop(mover);
    waiter.join().unwrap();
    assert_eq!(token(&over(&place, &keyring)).as_deref(), Some("b"), "what was bought is found");
    assert_eq!(token(&place.store()), None);
}

#[test]
fn where_a_login_went_says_nothing_of_where_it_is_after_it_was_moved() {
    let (place, keyring) = (Place::new(), Keyring::new(Mood::Fine));
    let store = over(&place, &keyring);
    log_in(&store, "a").unwrap();
    let elsewhere = over(&place, &keyring);
    let (from, to) = (StorageMode::Secure, StorageMode::Plaintext);
    assert!(elsewhere.migrate(&key(), from, to, common::LONG).unwrap());
    store.lock(&key(), common::LONG).unwrap().unwrap().save(&session("b")).unwrap();
    assert_eq!((token(&place.store()).as_deref(), token(&keyring)), (Some("b"), None));
    assert_eq!(store.home(&key()), Some(StorageMode::Plaintext));
    assert_eq!(store.landing(&key()), Some(StorageMode::Secure), "it is known where it went");
}

#[test]
fn a_new_login_that_nobody_would_find_is_no_login_that_was_kept() {
    let (place, keyring) = (Place::new(), Keyring::new(Mood::Absent));
    log_in(&over(&place, &keyring), "older").unwrap();
    let side = place.folder().join("token-cache.u2m.json");
    let known = std::fs::read(&side).unwrap();
    let keyring = Keyring::new(Mood::Fine);
    let store = over(&place, &keyring);
    store.prepare_login(&key()).unwrap();
    let mut lock = store.lock(&key(), common::LONG).unwrap().unwrap();
    // The side file cannot be replaced, and says what it said when it was read.
    let spoiled = spoil(&side);
    let saved = lock.save(&session("newer"));
    drop(spoiled);
    assert!(saved.is_err(), "everybody goes on to look in the file");
    drop(lock);
    common::put(&side, known);
    assert_eq!(token(&over(&place, &keyring)).as_deref(), Some("older"), "nothing was removed");
}

/// Lets nobody write the side file until it is dropped: its writers' lock is held.
fn spoil(side: &std::path::Path) -> std::fs::File {
    let path = side.with_file_name("token-cache.lock");
    let file = std::fs::File::options().write(true).open(path).unwrap();
    let mut lock = fd_lock::RwLock::new(file);
    // A lock that is forgotten stays on the open file.
    std::mem::forget(lock.try_write().unwrap());
    lock.into_inner()
}

#[test]
fn a_mode_asked_for_by_name_that_is_not_there_is_an_error_and_no_empty_list() {
    let store = AutoStore::new(Place::new().store()).with_mode(StorageMode::Secure);
    assert!(store.load(&key()).is_err());
    assert!(store.keys().is_err(), "there may be logins");
}

/// A store that forgets what it is given.
#[derive(Debug)]
struct Sieve(u2m_cache::FileStore);

impl TokenStore for Sieve {
    fn load(&self, _: &CacheKey) -> Result<Option<Session>, StoreError> {
        Ok(None)
    }
    fn save(&self, key: &CacheKey, _: &Session) -> Result<(), StoreError> {
        // As the store over a keyring does where nothing was recorded.
        let beside = AutoStore::new(self.0.clone());
        match beside.home(key) {
            None => beside.set_home(key, Some(StorageMode::Secure)),
            Some(_) => Ok(()),
        }
    }
    fn delete(&self, _: &CacheKey) -> Result<(), StoreError> {
        Ok(())
    }
    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        Ok(Vec::new())
    }
    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        self.0.lock(key, patience)
    }
    fn locks_beside(&self) -> Option<&std::path::Path> {
        Some(self.0.path())
    }
}

#[test]
fn key_8_a_move_that_fails_leaves_the_login_where_it_is_looked_for() {
    let place = Place::new();
    place.store().save(&key(), &session("a")).unwrap();
    let store = AutoStore::new(place.store()).with_keyring(Arc::new(Sieve(place.store())));
    let moved = store.migrate(&key(), StorageMode::Plaintext, StorageMode::Secure, common::LONG);
    assert!(matches!(moved, Err(StoreError::NotKept { .. })), "{moved:?}");
    assert_eq!(token(&store).as_deref(), Some("a"));
}

#[test]
fn deleting_forgets_no_login_whose_keyring_is_gone_for_now() {
    let (place, keyring) = (Place::new(), Keyring::new(Mood::Fine));
    log_in(&over(&place, &keyring), "a").unwrap();
    let absent = Keyring { mood: Mood::Absent, ..keyring.clone() };
    assert!(over(&place, &absent).delete(&key()).is_err(), "it is still there");
    assert_eq!(over(&place, &keyring).home(&key()), Some(StorageMode::Secure));
    over(&place, &keyring).delete(&key()).unwrap();
    assert_eq!(token(&keyring), None);
}
