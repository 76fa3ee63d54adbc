//! Keyrings that answer late, wrongly or never.
#![cfg(feature = "keyring")]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/fakes.rs"]
mod fakes;

use common::{LONG, Place, eventually, key, promptly, session};
use fakes::{Fake, Mood};
use std::sync::Arc;
use std::time::{Duration, Instant};
use u2m_cache::{
    EntryLock, Keyring, KeyringError, KeyringStore, StoreError, TimeoutKeyring, TokenStore,
};

const SHORT: Duration = Duration::from_millis(100);

fn store(place: &Place, fake: &Fake) -> KeyringStore {
    let keyring = TimeoutKeyring::new(fake.clone()).with_limit(SHORT);
    KeyringStore::new(Arc::new(keyring), place.file())
}

fn locked(store: &KeyringStore) -> Box<dyn EntryLock> {
    store.lock(&key("dev"), LONG).unwrap().unwrap()
}

fn cause(error: &StoreError) -> &KeyringError {
    let StoreError::Keyring { source, .. } = error else { panic!("{error}") };
    source
}

fn is_free(place: &Place, fake: &Fake) -> bool {
    // Another store on the same files, as another process has it.
    let other = KeyringStore::new(fake.arc(), place.file());
    other.lock(&key("dev"), Duration::ZERO).unwrap().is_some()
}

#[test]
fn t24_a_keyring_that_hangs_is_given_up_on_in_time_and_named() {
    let (place, fake) = (Place::new(), Fake::new());
    fake.hold(true, true);
    let store = store(&place, &fake);
    let loads = store.clone();
    let start = Instant::now();
    let error = promptly(move || loads.load(&key("dev")).unwrap_err());
    assert!(matches!(cause(&error), KeyringError::Timeout { operation: "get" }), "{error}");
    assert!(cause(&error).to_string().starts_with("keyring get timed out"), "{error:?}");
    assert!(error.is_transient());
    // A silent keyring may hold the login: it is never taken for an empty one, or for none.
    assert!(!cause(&error).is_absent_service());
    // The next calls do not wait at all.
    let busy =
        promptly(move || (0..50).map(|_| store.load(&key("dev")).unwrap_err()).collect::<Vec<_>>());
    assert!(
        busy.iter().all(|error| matches!(cause(error), KeyringError::Busy { operation: "get" }))
    );
    assert!(start.elapsed() < Duration::from_secs(30));
    fake.hold(false, false);
}

#[test]
fn a_keyring_that_was_slow_is_used_again_once_it_has_answered() {
    let (place, fake) = (Place::new(), Fake::new());
    let store = store(&place, &fake);
    store.save(&key("dev"), &session("dev")).unwrap();
    fake.hold(true, false);
    assert!(store.load(&key("dev")).is_err());
    fake.hold(false, false);
    eventually("it answers again", || store.load(&key("dev")).is_ok());
    assert_eq!(store.load(&key("dev")).unwrap().unwrap(), session("dev"));
}

#[test]
fn each_operation_that_times_out_is_called_by_its_name() {
    for (operation, run) in [
        (
            "get",
            (|keyring| keyring.get("a").map(drop))
                as fn(&TimeoutKeyring<Fake>) -> Result<(), KeyringError>,
        ),
        ("set", |keyring| keyring.set("a", b"b")),
        ("delete", |keyring| keyring.delete("a")),
        ("list", |keyring| keyring.accounts().map(drop)),
    ] {
        let fake = Fake::new();
        fake.hold(true, true);
        let keyring = TimeoutKeyring::new(fake.clone()).with_limit(SHORT);
        let (first, second) =
            promptly(move || (run(&keyring).unwrap_err(), keyring.get("a").unwrap_err()));
        assert_eq!(first.to_string(), KeyringError::Timeout { operation }.to_string());
        assert!(
            matches!(second, KeyringError::Busy { operation: of } if of == operation),
            "{second}"
        );
        fake.hold(false, false);
    }
}

#[test]
fn key_7_a_write_that_timed_out_is_unknown_and_keeps_its_locks_until_it_has_landed() {
    let (place, fake) = (Place::new(), Fake::new());
    let store = store(&place, &fake);
    store.save(&key("dev"), &session("old")).unwrap();
    fake.hold(false, true);
    let mut lock = locked(&store);
    let error = lock.save(&session("new")).unwrap_err();
    assert!(matches!(cause(&error), KeyringError::Unknown { operation: "set" }), "{error:?}");
    assert!(error.is_transient());
    drop(lock);
    assert!(!is_free(&place, &fake), "the write may still land");
    // Another writer of this process learns at once that it cannot.
    let error = store.load(&key("dev")).unwrap_err();
    assert!(matches!(cause(&error), KeyringError::Busy { operation: "set" }), "{error}");
    fake.hold(false, false);
    eventually("the locks are given back", || is_free(&place, &fake));
    assert_eq!(store.load(&key("dev")).unwrap().unwrap(), session("new"));
    promptly(move || store.save(&key("dev"), &session("third")).unwrap());
    assert!(fake.raw("dev").unwrap().contains("at-third"));
}

#[test]
fn a_read_that_timed_out_holds_no_lock_of_an_entry() {
    let (place, fake) = (Place::new(), Fake::new());
    let store = store(&place, &fake);
    let lock = locked(&store);
    fake.hold(true, false);
    assert!(store.load(&key("dev")).is_err());
    drop(lock);
    assert!(is_free(&place, &fake));
    fake.hold(false, false);
}

/// Stores, and then breaks off or is late.
#[derive(Debug)]
struct StoresAnd(Fake, fn() -> KeyringError);

impl Keyring for StoresAnd {
    fn service(&self) -> &str {
        self.0.service()
    }

    fn describe(&self) -> &'static str {
        self.0.describe()
    }

    fn get(&self, account: &str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, KeyringError> {
        self.0.get(account)
    }

    fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringError> {
        self.0.set(account, secret)?;
        Err(self.1())
    }

    fn delete(&self, account: &str) -> Result<(), KeyringError> {
        self.0.delete(account)?;
        Err(self.1())
    }

    fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
        self.0.accounts()
    }
}

#[test]
fn key_7_what_is_read_back_decides_after_a_timeout() {
    let late: fn() -> KeyringError = || KeyringError::Timeout { operation: "set" };
    let died: fn() -> KeyringError = || KeyringError::Broken(u2m_core::Sanitized::new("gone"));
    for fails in [late, died] {
        let (place, fake) = (Place::new(), Fake::new());
        let store = KeyringStore::new(Arc::new(StoresAnd(fake.clone(), fails)), place.file());
        store.save(&key("dev"), &session("new")).unwrap();
        assert!(fake.raw("dev").unwrap().contains("at-new"));
        store.delete(&key("dev")).unwrap();
        assert!(fake.names().is_empty());
        // Nothing was stored and nothing is there: that is no unknown outcome.
        fake.be(Mood::Forgets);
        let error = store.save(&key("dev"), &session("new")).unwrap_err();
        assert_eq!(cause(&error).to_string(), fails().to_string());
    }
}

#[test]
fn key_4_a_keyring_that_stores_nothing_is_found_out() {
    let (place, fake) = (Place::new(), Fake::new());
    let store = store(&place, &fake);
    fake.be(Mood::Forgets);
    assert!(matches!(store.probe(), Err(KeyringError::NotKept)));
    let error = store.save(&key("dev"), &session("dev")).unwrap_err();
    assert!(matches!(cause(&error), KeyringError::NotKept), "{error:?}");
    let side = std::fs::read_to_string(place.folder().join("token-cache.u2m.json")).unwrap();
    assert!(!side.contains("secure"), "it never lived there: {side}");
}

#[test]
fn t24_garbage_and_other_accounts_secrets_are_never_taken_for_what_was_stored() {
    let (place, fake) = (Place::new(), Fake::new());
    let store = store(&place, &fake);
    store.save(&key("dev"), &session("dev")).unwrap();
    store.save(&key("other"), &session("other")).unwrap();
    fake.be(Mood::Garbage);
    let error = store.load(&key("dev")).unwrap_err();
    assert!(matches!(error, StoreError::BadEntry { .. }), "{error}");
    assert!(matches!(store.probe(), Err(KeyringError::NotKept)));
    fake.be(Mood::Confuses);
    assert!(matches!(store.probe(), Err(KeyringError::NotKept)));
    let error = store.save(&key("dev"), &session("new")).unwrap_err();
    assert!(matches!(cause(&error), KeyringError::NotKept), "{error}");
}

#[test]
fn fall_4_a_locked_keyring_is_an_error_and_not_an_absence() {
    let (place, fake) = (Place::new(), Fake::new());
    let store = store(&place, &fake);
    store.save(&key("dev"), &session("dev")).unwrap();
    for (mood, is_absent) in
        [(Mood::Locked, false), (Mood::Denied, false), (Mood::Dies, false), (Mood::Absent, true)]
    {
        fake.be(mood);
        let (load, save) = (store.load(&key("dev")), store.save(&key("dev"), &session("new")));
        for error in [load.unwrap_err(), save.unwrap_err(), store.delete(&key("dev")).unwrap_err()]
        {
            assert_eq!(cause(&error).is_absent_service(), is_absent, "{mood:?} {error:?}");
        }
        assert_eq!(store.probe().unwrap_err().is_absent_service(), is_absent, "{mood:?}");
    }
    fake.be(Mood::Good);
    assert_eq!(store.load(&key("dev")).unwrap().unwrap(), session("dev"));
}

#[test]
fn key_5_a_probe_leaves_nothing_and_sweeps_what_killed_ones_left() {
    let (place, fake) = (Place::new(), Fake::new());
    let store = store(&place, &fake);
    let [left, running] =
        ["0", "1"].map(|id| format!("__probe_{id}1234567-89ab-4cde-8f01-23456789abcd"));
    fake.put_old(&left, "x", Duration::from_secs(61));
    fake.put_old(&running, "x", Duration::from_secs(5));
    fake.put_old("__probe_mine", "x", Duration::from_secs(3600));
    store.probe().unwrap();
    assert_eq!(fake.names(), [running.as_str(), "__probe_mine"]);
    // Also where what it read back was wrong.
    fake.be(Mood::Confuses);
    assert!(store.probe().is_err());
    assert_eq!(fake.names().len(), 2, "{:?}", fake.names());
}

#[test]
fn a_keyring_that_panics_breaks_off_and_takes_nobody_with_it() {
    #[derive(Debug)]
    struct Panics;
    impl Keyring for Panics {
        fn service(&self) -> &str {
            "s"
        }
        fn describe(&self) -> &'static str {
            "d"
        }
        fn get(&self, _: &str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, KeyringError> {
            panic!("of this test")
        }
        fn set(&self, _: &str, _: &[u8]) -> Result<(), KeyringError> {
            Ok(())
        }
        fn delete(&self, _: &str) -> Result<(), KeyringError> {
            Ok(())
        }
        fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
            Ok(None)
        }
    }
    let keyring = TimeoutKeyring::new(Panics).with_limit(LONG);
    assert!(matches!(keyring.get("a"), Err(KeyringError::Broken(_))));
    assert!(keyring.set("a", b"b").is_ok(), "it is not held against later calls");
}

/// Answers after some time in which this process runs.
#[cfg(unix)]
#[derive(Debug)]
struct Slow(Fake);

#[cfg(unix)]
impl Keyring for Slow {
    fn service(&self) -> &str {
        self.0.service()
    }

    fn describe(&self) -> &'static str {
        self.0.describe()
    }

    fn get(&self, account: &str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, KeyringError> {
        common::say("asked");
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.0.get(account)
    }

    fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringError> {
        self.0.set(account, secret)
    }

    fn delete(&self, account: &str) -> Result<(), KeyringError> {
        self.0.delete(account)
    }

    fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
        self.0.accounts()
    }
}

/// The child: asks a keyring that takes its time. In an ordinary run, nothing.
#[cfg(unix)]
#[test]
fn worker() {
    common::work(|_, _| {
        let fake = Fake::new();
        fake.put("dev", "secret");
        let keyring = TimeoutKeyring::new(Slow(fake)).with_limit(Duration::from_secs(3));
        assert!(keyring.get("dev").unwrap().is_some());
        common::say("answered");
    });
}

#[cfg(unix)]
#[test]
fn a_process_that_is_stopped_while_the_keyring_answers_has_its_answer_when_it_goes_on() {
    let place = Place::new();
    let mut child = common::Child::start("ask", &place.file());
    child.until("asked");
    let signal = |name: &str| {
        let process = child.id().to_string();
        assert!(
            std::process::Command::new("kill").args([name, &process]).status().unwrap().success()
        );
    };
    signal("-STOP");
    std::thread::sleep(Duration::from_secs(4));
    signal("-CONT");
    child.until("answered");
    child.done();
}
