//! A store that somebody else makes, of a codec, a lock helper and four functions.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, Place, bare, key, session};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use u2m_cache::{
    Claim, CustomStore, EntryLocks, RecordStore, ReplaceCheck, StoreError, TokenStore,
};
use u2m_core::{CacheKey, Session, SessionRecord, SessionText};
use u2m_testkit::conformance;

/// Texts in a map, which all openers share as other processes share a database.
#[derive(Clone, Debug, Default)]
struct Texts(Arc<Mutex<BTreeMap<CacheKey, SessionText>>>);

/// The same shelf, as often as it is opened.
fn open(texts: &Texts, path: impl Into<PathBuf>) -> CustomStore<Texts> {
    CustomStore::new(texts.clone(), EntryLocks::beside("drawer", path))
}

impl Texts {
    fn all(&self) -> MutexGuard<'_, BTreeMap<CacheKey, SessionText>> {
        self.0.lock().unwrap()
    }

    fn put(&self, name: &str, text: &str) {
        self.all().insert(key(name), SessionText::new(text));
    }
}

fn read(
    texts: &BTreeMap<CacheKey, SessionText>,
    key: &CacheKey,
) -> Result<Option<Session>, StoreError> {
    let Some(text) = texts.get(key) else { return Ok(None) };
    let record =
        SessionRecord::parse(text.expose()).map_err(|why| StoreError::unreadable(key, why))?;
    Ok(Some(record.session()))
}

impl RecordStore for Texts {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        read(&self.all(), key)
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        Ok(self.all().keys().cloned().collect())
    }

    fn replace(
        &self,
        key: &CacheKey,
        login: Option<&Session>,
        check: ReplaceCheck<'_>,
    ) -> Result<(), StoreError> {
        let mut all = self.all();
        check(read(&all, key))?;
        match login {
            Some(new) => all.insert(key.clone(), SessionRecord::of(new).text()),
            None => all.remove(key),
        };
        Ok(())
    }
}

#[test]
fn it_keeps_to_the_rules() {
    let place = Place::fast();
    let path = place.folder().join("own.db");
    let texts = Texts::default();
    conformance::check(move || open(&texts, path.clone())).unwrap();
}

#[cfg(unix)]
#[test]
fn one_without_a_file_has_its_locks_in_the_users_runtime_folder() {
    let name = format!("conformance-{}", std::process::id());
    let locks = || EntryLocks::for_user("vault", &name).unwrap();
    let [store, other] = [(); 2].map(|()| CustomStore::new(Texts::default(), locks()));
    let held = store.lock(&key("dev"), Duration::ZERO).unwrap();
    assert!(held.is_some());
    assert!(other.lock(&key("dev"), Duration::ZERO).unwrap().is_none());
    drop(held);
    assert!(other.lock(&key("dev"), LONG).unwrap().is_some());
    for odd in ["", ".", "..", "a/b", "../a", ".hidden", "a\0b"] {
        let error = EntryLocks::for_user("vault", odd).unwrap_err();
        assert!(matches!(error, StoreError::CannotOpen { .. }), "{odd:?}: {error}");
    }
    // Nothing of it is left behind.
    let debug = format!("{:?}", locks());
    let path = debug.trim_start_matches("EntryLocks(\"").trim_end_matches("\")");
    fs::remove_dir_all(format!("{path}.locks")).unwrap();
}

#[test]
fn one_token_in_it_and_in_the_shared_file_is_spent_once() {
    let place = Place::new();
    let own = open(&Texts::default(), place.folder().join("own.db"));
    let file = place.store();
    let login = session(&format!("own-and-file-{}", std::process::id()));
    own.save(&key("dev"), &login).unwrap();
    file.save(&key("dev"), &login).unwrap();
    let mut lock = own.lock(&key("dev"), LONG).unwrap().unwrap();
    let mut there = file.lock(&key("dev"), LONG).unwrap().unwrap();
    assert_eq!(lock.claim(&login.fingerprint(), LONG).unwrap(), Claim::Taken);
    #[cfg(unix)]
    assert_eq!(there.claim(&login.fingerprint(), Duration::ZERO).unwrap(), Claim::Busy);
    lock.prove_writable().unwrap();
    lock.save(&session("bought")).unwrap();
    drop(lock);
    let claim = there.claim(&login.fingerprint(), LONG).unwrap();
    #[cfg(unix)]
    {
        let Claim::Spent(words) = claim else { panic!("{claim:?}") };
        assert!(words.starts_with("it was spent for 'dev' in the drawer ("), "{words}");
    }
    #[cfg(not(unix))]
    drop(claim);
}

#[test]
fn a_damaged_entry_gives_way_to_a_login_and_one_of_a_newer_version_does_not() {
    let place = Place::new();
    let store = open(&Texts::default(), place.folder().join("own.db"));
    store.shelf().put("damaged", r#"{"form":1,"access_"#);
    store.shelf().put("newer", r#"{"form":2,"access_token":"at"}"#);
    let load = |name| store.load(&key(name));
    assert!(matches!(load("damaged"), Err(StoreError::BadEntry { .. })));
    assert!(matches!(load("newer"), Err(StoreError::NewerEntry { form: 2, .. })));
    store.prepare_login(&key("damaged")).unwrap();
    assert!(matches!(store.prepare_login(&key("newer")), Err(StoreError::NewerEntry { .. })));
    store.save(&key("damaged"), &session("a")).unwrap();
    assert_eq!(load("damaged").unwrap(), Some(session("a")));
    for login in [session("a"), bare("b")] {
        let error = store.save(&key("newer"), &login).unwrap_err();
        assert!(matches!(error, StoreError::NewerEntry { .. }), "{error}");
    }
    let states = [(key("newer"), session("a").fingerprint())];
    assert!(matches!(store.delete_states(&states)[..], [Ok(false)]));
    store.delete(&key("newer")).unwrap();
    assert_eq!(load("newer").unwrap(), None);
}

#[test]
fn what_was_bought_replaces_an_entry_that_was_damaged_meanwhile() {
    let place = Place::new();
    let store = open(&Texts::default(), place.folder().join("own.db"));
    let login = session(&format!("damaged-meanwhile-{}", std::process::id()));
    store.save(&key("dev"), &login).unwrap();
    let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
    assert_eq!(lock.claim(&login.fingerprint(), LONG).unwrap(), Claim::Taken);
    store.shelf().put("dev", "damaged");
    lock.save(&session("b")).unwrap();
    assert_eq!(store.load(&key("dev")).unwrap(), Some(session("b")));
}

/// Reads, and writes no more.
#[derive(Clone, Debug)]
struct Full(Texts);

impl RecordStore for Full {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        self.0.load(key)
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        self.0.keys()
    }

    fn replace(
        &self,
        key: &CacheKey,
        _: Option<&Session>,
        check: ReplaceCheck<'_>,
    ) -> Result<(), StoreError> {
        check(self.load(key))?;
        Err(StoreError::other("database or disk is full"))
    }
}

#[test]
fn one_that_takes_nothing_any_more_says_so_before_a_token_is_spent_or_a_person_is_asked() {
    let (place, texts) = (Place::new(), Texts::default());
    let path = place.folder().join("own.db");
    let login = session(&format!("full-{}", std::process::id()));
    open(&texts, path.clone()).save(&key("dev"), &login).unwrap();
    let store = CustomStore::new(Full(texts), EntryLocks::beside("drawer", path));
    for name in ["dev", "new"] {
        let error = store.prepare_login(&key(name)).unwrap_err();
        assert!(u2m_core::chain(&error).ends_with("disk is full"), "{name}: {error:?}");
    }
    let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
    assert_eq!(lock.claim(&login.fingerprint(), LONG).unwrap(), Claim::Taken);
    assert!(matches!(lock.prove_writable(), Err(StoreError::Other { .. })));
    assert_eq!(store.load(&key("dev")).unwrap(), Some(login));
}

#[test]
fn an_error_of_its_own_keeps_its_cause_and_passes_if_it_says_so() {
    use std::error::Error;
    let lasting = StoreError::other(std::io::Error::other("no such table"));
    assert!(!lasting.is_transient() && !lasting.is_absent_store());
    let cause = lasting.source().unwrap();
    assert_eq!(cause.downcast_ref::<std::io::Error>().unwrap().to_string(), "no such table");
    assert!(StoreError::transient("database is locked").is_transient());
}
