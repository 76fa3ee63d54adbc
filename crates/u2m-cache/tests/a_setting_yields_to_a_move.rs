//! A setting that names a store is older than a move that was killed before the setting followed: where the login was recorded
//! to be goes before it, at every moment.
#![cfg(all(feature = "encrypted", feature = "keyring"))]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/fakes.rs"]
mod fakes;

use common::{LONG, Place, bound, key};
use fakes::{Fake, Mood};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use u2m_cache::{
    AutoStore, Claim, EncryptedFileStore, EntryLock, KeyringStore, NamedStore, SealKey,
    SealKeySource, StorageMode, StoreError, TokenStore,
};
use u2m_core::{CacheKey, Fingerprint, Session};

use NamedStore::{Alone, First, Nothing};
use StorageMode::{Encrypted, Plaintext, Secure};

/// What happens whenever a store is asked, and when it has answered.
type Moment = Arc<Mutex<dyn FnMut() + Send>>;

/// A store whose every call is a moment of its own.
struct Watched {
    part: Arc<dyn TokenStore>,
    moment: Moment,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.part.fmt(f)
    }
}

impl Watched {
    fn around<T>(&self, call: impl FnOnce(&dyn TokenStore) -> T) -> T {
        let moment = || match self.moment.lock() {
            Ok(mut moment) => moment(),
            Err(_) => unreachable!("nothing is asked after the end"),
        };
        moment();
        let answer = call(&*self.part);
        moment();
        answer
    }
}

impl TokenStore for Watched {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        self.around(|part| part.load(key))
    }
    fn load_all(&self, keys: &[CacheKey]) -> Vec<Result<Option<Session>, StoreError>> {
        self.around(|part| part.load_all(keys))
    }
    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        self.around(|part| part.save(key, session))
    }
    fn save_all(&self, logins: &[(CacheKey, Session)]) -> Vec<Result<(), StoreError>> {
        self.around(|part| part.save_all(logins))
    }
    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.around(|part| part.delete(key))
    }
    fn delete_states(&self, states: &[(CacheKey, Fingerprint)]) -> Vec<Result<bool, StoreError>> {
        self.around(|part| part.delete_states(states))
    }
    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        self.around(|part| part.keys())
    }
    fn locks_beside(&self) -> Option<&Path> {
        self.part.locks_beside()
    }
    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        self.around(|part| part.lock(key, patience))
    }
    fn prepare_login(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.around(|part| part.prepare_login(key))
    }
}

struct Desk {
    place: Place,
    keyring: Fake,
}

impl Desk {
    fn new() -> Self {
        Self { place: Place::fast(), keyring: Fake::new() }
    }

    fn parts(&self) -> [Arc<dyn TokenStore>; 2] {
        let source = SealKeySource::Bytes(SealKey::from_bytes([7; 32]));
        let sealed = self.place.folder().join("token-cache.sealed.json");
        [
            Arc::new(KeyringStore::new(self.keyring.arc(), self.place.file())),
            Arc::new(EncryptedFileStore::at(sealed, source)),
        ]
    }

    /// The three stores, as one process has them.
    fn store(&self, naming: NamedStore) -> AutoStore {
        let [keyring, sealed] = self.parts();
        let store = AutoStore::new(self.place.store());
        store.with_keyring(keyring).with_encrypted(sealed).with_naming(naming)
    }

    /// The stores of a process of which something is to happen at each moment.
    fn watched(&self, moment: Moment) -> AutoStore {
        let watched =
            |part| -> Arc<dyn TokenStore> { Arc::new(Watched { part, moment: moment.clone() }) };
        let [keyring, sealed] = self.parts().map(watched);
        AutoStore::new(self.place.store()).with_keyring(keyring).with_encrypted(sealed)
    }

    fn put(&self, mode: StorageMode, name: &str) {
        self.store(Nothing).part(mode).unwrap().save(&key("dev"), &bound(name)).unwrap();
    }

    fn log_in(&self, naming: NamedStore, name: &str) {
        let store = self.store(naming);
        store.prepare_login(&key("dev")).unwrap();
        store.lock(&key("dev"), LONG).unwrap().unwrap().save(&bound(name)).unwrap();
    }

    fn read(&self, naming: NamedStore) -> Option<String> {
        access(self.store(naming).load(&key("dev")).unwrap())
    }

    /// What stands in each store.
    fn stand(&self) -> [Option<String>; 3] {
        let store = self.store(Nothing);
        StorageMode::ALL.map(|mode| access(store.part(mode).unwrap().load(&key("dev")).unwrap()))
    }

    /// Every reader finds the login, and everybody's list has it.
    fn assert_found(&self, name: &str, at: &str) {
        for naming in StorageMode::ALL.map(First).into_iter().chain([Nothing]) {
            assert_eq!(self.read(naming), Some(format!("at-{name}")), "{naming:?} {at}");
            let store = self.store(naming);
            assert_eq!(store.keys().unwrap(), [key("dev")], "{naming:?} {at}");
            let place = store.place(&key("dev")).unwrap();
            assert!(store.holders(&key("dev")).contains(&place), "{naming:?} {at} {place}");
        }
    }
}

fn access(found: Option<Session>) -> Option<String> {
    found.map(|found| found.access_token.expose().to_owned())
}

fn only(mode: StorageMode, name: &str) -> [Option<String>; 3] {
    StorageMode::ALL.map(|at| (at == mode).then(|| format!("at-{name}")))
}

fn pairs() -> impl Iterator<Item = (StorageMode, StorageMode)> {
    let to = |from| StorageMode::ALL.into_iter().map(move |to| (from, to));
    StorageMode::ALL.into_iter().flat_map(to).filter(|(from, to)| from != to)
}

#[test]
fn whatever_store_a_setting_names_the_login_is_found_at_every_moment_of_a_move() {
    for (from, to) in pairs() {
        let desk = Arc::new(Desk::new());
        desk.log_in(Alone(from), "a");
        let (twin, count) = (Arc::clone(&desk), Arc::new(Mutex::new(0)));
        let counted = Arc::clone(&count);
        let store = desk.watched(Arc::new(Mutex::new(move || {
            *counted.lock().unwrap() += 1;
            twin.assert_found("a", &format!("from {from} to {to}"));
        })));
        assert!(store.migrate(&key("dev"), from, to, LONG).unwrap());
        assert!(*count.lock().unwrap() > 4, "{from} {to}");
        desk.assert_found("a", "afterwards");
        assert_eq!(desk.stand(), only(to, "a"));
    }
}

#[test]
fn a_login_of_another_program_is_found_at_every_moment_by_whoever_found_it_before() {
    for (from, to) in pairs() {
        let desk = Arc::new(Desk::new());
        desk.put(from, "a");
        desk.store(Nothing).set_home(&key("dev"), None).unwrap();
        let twin = Arc::clone(&desk);
        let store = desk.watched(Arc::new(Mutex::new(move || {
            for naming in [Nothing, First(from)] {
                assert_eq!(twin.read(naming).as_deref(), Some("at-a"), "{naming:?} {from} {to}");
            }
        })));
        assert!(store.migrate(&key("dev"), from, to, LONG).unwrap());
        desk.assert_found("a", "afterwards");
    }
}

#[test]
fn a_move_that_is_killed_at_any_moment_leaves_a_login_that_works_and_can_be_moved() {
    for (from, to) in pairs() {
        let mut is_done = false;
        for die_at in 1.. {
            let desk = Desk::new();
            let name =
                |count| format!("killed-{}-{from}-{to}-{die_at}-{count}", std::process::id());
            desk.log_in(Alone(from), &name(0));
            let mut left = die_at;
            let store = desk.watched(Arc::new(Mutex::new(move || {
                left -= 1;
                if left == 0 {
                    // Locks go with whoever held them, as the operating system sees to it.
                    resume_unwind(Box::new(()));
                }
            })));
            let moved =
                catch_unwind(AssertUnwindSafe(|| store.migrate(&key("dev"), from, to, LONG)));
            is_done = moved.is_ok();
            let at = format!("{from} {to}, killed at {die_at}");
            desk.assert_found(&name(0), &at);
            // Whoever refreshes it, by whatever setting.
            for (count, mode) in (1..).zip(StorageMode::ALL) {
                let store = desk.store(First(mode));
                let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
                let old = store.load(&key("dev")).unwrap().unwrap();
                let claim = lock.claim(&old.fingerprint(), LONG).unwrap();
                assert!(matches!(claim, Claim::Taken | Claim::Waited), "{at} {mode} {claim:?}");
                lock.prove_writable().unwrap();
                lock.save(&bound(&name(count))).unwrap();
                drop(lock);
                desk.assert_found(&name(count), &at);
            }
            let store = desk.store(First(from));
            let home = store.home(&key("dev")).unwrap();
            assert_eq!(desk.stand(), only(home, &name(3)), "{at}: no copy is left");
            if home != to {
                assert!(store.migrate(&key("dev"), home, to, LONG).unwrap(), "{at}");
            }
            assert_eq!(desk.stand(), only(to, &name(3)), "{at}");
            if is_done {
                break;
            }
        }
        assert!(is_done);
    }
}

#[test]
fn a_recorded_login_is_used_and_renewed_whatever_stands_where_a_setting_says() {
    for (at, (home, named)) in pairs().enumerate() {
        let desk = Desk::new();
        let name = |what| format!("{what}-{}-{at}", std::process::id());
        let (recorded, renewed) = (name("recorded"), name("renewed"));
        desk.log_in(Alone(home), &recorded);
        // As a program without our locks, which writes what it read before a move.
        desk.put(named, "put back");
        desk.store(Nothing).set_home(&key("dev"), Some(home)).unwrap();
        let store = desk.store(First(named));
        desk.assert_found(&recorded, &format!("{home} {named}"));
        assert_eq!(store.place(&key("dev")), Some(home));
        let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
        let found = store.load(&key("dev")).unwrap().unwrap();
        let claim = lock.claim(&found.fingerprint(), LONG).unwrap();
        assert!(matches!(claim, Claim::Taken | Claim::Waited), "{home} {named} {claim:?}");
        lock.save(&bound(&renewed)).unwrap();
        drop(lock);
        desk.assert_found(&renewed, "afterwards");
        assert_eq!(
            access(store.part(named).unwrap().load(&key("dev")).unwrap()).as_deref(),
            Some("at-put back")
        );
        // Where the recorded one is gone, this is all that there is.
        store.part(home).unwrap().delete(&key("dev")).unwrap();
        desk.store(Nothing).set_home(&key("dev"), Some(home)).unwrap();
        assert_eq!(desk.read(First(named)).as_deref(), Some("at-put back"));
        assert_eq!(store.place(&key("dev")), Some(named));
    }
}

#[test]
fn a_recorded_login_that_cannot_be_asked_for_is_an_error_whatever_stands_where_a_setting_says() {
    let desk = Desk::new();
    desk.log_in(Alone(Secure), "recorded");
    desk.put(Plaintext, "put back");
    let store = desk.store(First(Plaintext));
    for mood in [Mood::Locked, Mood::Dies] {
        desk.keyring.be(mood);
        assert!(store.load(&key("dev")).is_err(), "{mood:?}");
        assert_eq!(store.place(&key("dev")), Some(Secure), "its error is told");
    }
    // On a machine without a keyring the file is used, and what may be an old copy is not spent.
    desk.keyring.be(Mood::Absent);
    assert_eq!(desk.read(First(Plaintext)).as_deref(), Some("at-put back"));
    assert_eq!(store.place(&key("dev")), Some(Plaintext));
    let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
    let claim = lock.claim(&bound("put back").fingerprint(), LONG).unwrap();
    assert!(matches!(claim, Claim::Spent(_)), "{claim:?}");
}

#[test]
fn a_store_for_this_once_is_used_alone_whatever_is_recorded() {
    let desk = Desk::new();
    desk.log_in(Alone(Secure), "a");
    for (mode, found) in [(Plaintext, None), (Encrypted, None), (Secure, Some("at-a"))] {
        assert_eq!(desk.read(Alone(mode)).as_deref(), found);
        let store = desk.store(Alone(mode));
        assert_eq!(store.keys().unwrap().len(), usize::from(found.is_some()));
        assert_eq!(store.place(&key("dev")), Some(mode));
    }
}

#[test]
fn of_a_login_that_nothing_is_recorded_of_a_setting_decides_alone() {
    let desk = Desk::new();
    desk.put(Plaintext, "a");
    assert_eq!(desk.read(First(Encrypted)), None, "as other programs that go by the setting");
    assert_eq!(desk.read(First(Plaintext)).as_deref(), Some("at-a"));
    for mood in [Mood::Absent, Mood::Locked] {
        desk.keyring.be(mood);
        assert!(desk.store(First(Secure)).load(&key("dev")).is_err(), "{mood:?}");
        assert!(desk.store(First(Secure)).keys().is_err(), "{mood:?}");
    }
}

#[test]
fn a_keyring_that_is_named_and_not_there_hides_no_login_that_is_recorded_elsewhere() {
    let desk = Desk::new();
    desk.log_in(Alone(Plaintext), "a");
    desk.keyring.be(Mood::Absent);
    assert_eq!(desk.read(First(Secure)).as_deref(), Some("at-a"));
    assert_eq!(desk.store(First(Secure)).keys().unwrap(), [key("dev")]);
    assert_eq!(desk.store(First(Secure)).place(&key("dev")), Some(Plaintext));
    // Nor does one that is locked: whatever it holds, the recorded one counts.
    desk.keyring.be(Mood::Locked);
    assert_eq!(desk.read(First(Secure)).as_deref(), Some("at-a"));
    assert_eq!(desk.store(First(Secure)).place(&key("dev")), Some(Plaintext));
    // Where the recorded one is gone, it may hold another.
    desk.store(Nothing).part(Plaintext).unwrap().delete(&key("dev")).unwrap();
    desk.store(Nothing).set_home(&key("dev"), Some(Plaintext)).unwrap();
    assert!(desk.store(First(Secure)).load(&key("dev")).is_err());
    assert_eq!(desk.store(First(Secure)).place(&key("dev")), Some(Plaintext));
}

#[test]
fn a_new_login_goes_where_the_setting_says_and_leaves_no_older_one() {
    for (home, named) in pairs() {
        let desk = Desk::new();
        desk.log_in(Alone(home), "older");
        desk.log_in(First(named), "newer");
        assert_eq!(desk.stand(), only(named, "newer"), "{home} {named}");
        desk.assert_found("newer", "afterwards");
    }
}

#[test]
fn what_a_refresh_bought_is_put_back_where_the_login_is_recorded_to_be() {
    let desk = Desk::new();
    desk.log_in(Alone(Plaintext), "old");
    let store = desk.store(First(Encrypted));
    let old = bound("old").fingerprint();
    assert!(store.put_back(&key("dev"), &bound("new"), &[old]).unwrap());
    assert_eq!(desk.stand(), only(Plaintext, "new"));
}
