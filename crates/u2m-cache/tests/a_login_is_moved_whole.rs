//! Moving logins between stores while others look for them, refresh them, sign in anew or sign out (KEY-8, MODE-1).
#![cfg(all(feature = "encrypted", feature = "keyring"))]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/fakes.rs"]
mod fakes;

use common::{LONG, Place, bound, key, session};
use fakes::{Fake, Mood};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use u2m_cache::{
    AutoStore, Claim, EncryptedFileStore, KeyringStore, SealKey, SealKeySource, StorageMode,
    StoreError, TokenStore,
};
use u2m_core::{CacheKey, Session};

use StorageMode::{Encrypted, Plaintext, Secure};

fn sealed(place: &Place) -> EncryptedFileStore {
    let source = SealKeySource::Bytes(SealKey::from_bytes([7; 32]));
    EncryptedFileStore::at(place.folder().join("token-cache.sealed.json"), source)
}

/// The three stores, as one process has them.
fn over(place: &Place, keyring: &Fake) -> AutoStore {
    AutoStore::new(place.store())
        .with_keyring(Arc::new(KeyringStore::new(keyring.arc(), place.file())))
        .with_encrypted(Arc::new(sealed(place)))
}

fn put(store: &AutoStore, mode: StorageMode, name: &str) {
    store.part(mode).unwrap().save(&key("dev"), &bound(name)).unwrap();
}

fn access(found: Option<Session>) -> Option<String> {
    found.map(|found| found.access_token.expose().to_owned())
}

/// What stands in each store, in the order of [`StorageMode::ALL`].
fn stand(store: &AutoStore) -> [Option<String>; 3] {
    StorageMode::ALL.map(|mode| access(store.part(mode).unwrap().load(&key("dev")).unwrap()))
}

fn only(mode: StorageMode, name: &str) -> [Option<String>; 3] {
    StorageMode::ALL.map(|at| (at == mode).then(|| format!("at-{name}")))
}

/// Signs in, in the store that is asked for by name.
fn log_in(store: &AutoStore, mode: StorageMode, name: &str) {
    let store = store.clone().with_mode(mode);
    store.prepare_login(&key("dev")).unwrap();
    store.lock(&key("dev"), LONG).unwrap().unwrap().save(&bound(name)).unwrap();
}

#[test]
fn callers_beside_moves_find_the_login_at_every_moment_and_refreshes_are_never_lost() {
    let (place, keyring) = (Place::fast(), Fake::new());
    let store = over(&place, &keyring);
    // Of this story alone: what was spent is remembered by the token.
    let name = |count: u32| format!("moved-{}-{count}", std::process::id());
    log_in(&store, Plaintext, &name(0));
    let is_over = Arc::new(AtomicBool::new(false));
    let readers = (0..2).map(|_| {
        let (store, is_over) = (over(&place, &keyring), Arc::clone(&is_over));
        thread::spawn(move || {
            let mut looks = 0;
            while !is_over.load(Ordering::Relaxed) {
                let found = store.load(&key("dev")).unwrap().expect("it is told to log in");
                // Of tokens that were replaced twice while they were read nothing is known any more.
                let is_latest = || {
                    let now = store.load(&key("dev")).unwrap().unwrap();
                    now.access_token == found.access_token
                };
                assert!(found.binding == bound("x").binding || !is_latest(), "it is nobody's");
                looks += 1;
            }
            looks
        })
    });
    let readers: Vec<_> = readers.collect();
    let refresher = {
        let (store, is_over) = (over(&place, &keyring), Arc::clone(&is_over));
        thread::spawn(move || {
            let mut count = 0_u32;
            while !is_over.load(Ordering::Relaxed) {
                let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
                let old = store.load(&key("dev")).unwrap().unwrap();
                assert_eq!(
                    access(Some(old.clone())),
                    Some(format!("at-{}", name(count))),
                    "the latest"
                );
                let claim = lock.claim(&old.fingerprint(), LONG).unwrap();
                assert!(matches!(claim, Claim::Taken | Claim::Waited), "{claim:?}");
                lock.prove_writable().unwrap();
                count += 1;
                lock.save(&bound(&name(count))).unwrap();
            }
            count
        })
    };
    let moves = [(Plaintext, Secure), (Secure, Encrypted), (Encrypted, Plaintext)];
    let back = [(Plaintext, Encrypted), (Encrypted, Secure), (Secure, Plaintext)];
    for (from, to) in moves.into_iter().chain(back).cycle().take(60) {
        assert!(store.migrate(&key("dev"), from, to, LONG).unwrap(), "{from} {to}");
    }
    is_over.store(true, Ordering::Relaxed);
    let count = refresher.join().unwrap();
    assert_eq!(stand(&store), only(Plaintext, &name(count)));
    for reader in readers {
        assert!(reader.join().unwrap() > 0);
    }
}

#[test]
fn of_several_movers_at_once_each_finds_it_whole_and_one_place_counts() {
    let (place, keyring) = (Place::fast(), Fake::new());
    log_in(&over(&place, &keyring), Plaintext, "a");
    let movers = StorageMode::ALL.into_iter().map(|to| {
        let store = over(&place, &keyring);
        thread::spawn(move || {
            for _ in 0..20 {
                for from in StorageMode::ALL.into_iter().filter(|from| *from != to) {
                    match store.migrate(&key("dev"), from, to, LONG) {
                        Ok(_) | Err(StoreError::KeptElsewhere { .. }) => {}
                        // Another mover was between looking and beginning.
                        Err(StoreError::Superseded { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                    assert_eq!(access(store.load(&key("dev")).unwrap()).as_deref(), Some("at-a"));
                }
            }
        })
    });
    movers.collect::<Vec<_>>().into_iter().for_each(|mover| mover.join().unwrap());
    let store = over(&place, &keyring);
    let home = store.home(&key("dev")).unwrap();
    assert_eq!(stand(&store), only(home, "a"));
}

#[test]
fn a_stale_copy_is_never_moved_over_the_login_that_counts() {
    for (home, stale, to) in [
        (Secure, Plaintext, Secure),
        (Plaintext, Secure, Encrypted),
        (Encrypted, Plaintext, Encrypted),
        (Plaintext, Secure, Plaintext),
    ] {
        let (place, keyring) = (Place::new(), Fake::new());
        let store = over(&place, &keyring);
        log_in(&store, home, "living");
        put(&store, stale, "spent");
        let error = store.migrate(&key("dev"), stale, to, LONG).unwrap_err();
        assert!(matches!(error, StoreError::KeptElsewhere { mode, .. } if mode == home), "{error}");
        assert_eq!(access(store.load(&key("dev")).unwrap()).as_deref(), Some("at-living"));
        assert_eq!(store.home(&key("dev")), Some(home));
    }
}

#[test]
fn a_home_that_holds_nothing_any_more_keeps_no_other_copy_from_being_moved() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    log_in(&store, Secure, "gone");
    keyring.delete_behind("dev");
    put(&store, Plaintext, "left");
    assert!(store.migrate(&key("dev"), Plaintext, Encrypted, LONG).unwrap());
    assert_eq!(stand(&store), only(Encrypted, "left"));
}

#[test]
fn a_copy_that_an_older_version_left_goes_when_the_move_is_made_again() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    log_in(&store, Secure, "a");
    put(&store, Plaintext, "a");
    assert!(!store.migrate(&key("dev"), Plaintext, Secure, LONG).unwrap(), "it is there already");
    assert_eq!(stand(&store), only(Secure, "a"));
}

#[test]
fn a_stale_copy_that_is_named_by_hand_is_not_spent_and_the_words_name_the_place() {
    for (home, stale) in [(Secure, Plaintext), (Plaintext, Secure), (Encrypted, Plaintext)] {
        let (place, keyring) = (Place::new(), Fake::new());
        let store = over(&place, &keyring);
        log_in(&store, home, "living");
        put(&store, stale, "spent");
        let named = store.clone().with_mode(stale);
        let mut lock = named.lock(&key("dev"), LONG).unwrap().unwrap();
        let claim = lock.claim(&session("spent").fingerprint(), LONG).unwrap();
        let Claim::Spent(words) = claim else { panic!("{claim:?}") };
        assert!(words.starts_with(&format!("'dev' is kept in {home} storage")), "{words}");
        drop(lock);
        // Where it counts it is claimed, by name or not.
        for store in [store.clone(), store.clone().with_mode(home)] {
            let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
            let claim = lock.claim(&session("living").fingerprint(), LONG).unwrap();
            assert!(matches!(claim, Claim::Taken | Claim::Waited), "{claim:?}");
        }
    }
}

#[test]
fn a_login_of_other_programs_is_spent_in_the_store_that_is_named() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    put(&store, Plaintext, "theirs");
    let named = store.clone().with_mode(Plaintext);
    let mut lock = named.lock(&key("dev"), LONG).unwrap().unwrap();
    let claim = lock.claim(&session("theirs").fingerprint(), LONG).unwrap();
    assert_eq!(claim, Claim::Taken);
    drop(lock);
    // Nor does a record of a login that is gone keep anybody from what is there.
    store.set_home(&key("dev"), Some(Secure)).unwrap();
    let mut lock = named.lock(&key("dev"), LONG).unwrap().unwrap();
    let claim = lock.claim(&session("theirs").fingerprint(), LONG).unwrap();
    assert!(matches!(claim, Claim::Taken | Claim::Waited), "{claim:?}");
}

#[test]
fn where_the_recorded_keyring_cannot_be_asked_a_copy_elsewhere_is_not_spent() {
    for mood in [Mood::Absent, Mood::Locked, Mood::Dies] {
        let (place, keyring) = (Place::new(), Fake::new());
        let store = over(&place, &keyring);
        log_in(&store, Secure, "living");
        put(&store, Plaintext, "spent");
        keyring.be(mood);
        let named = store.clone().with_mode(Plaintext);
        let mut lock = named.lock(&key("dev"), LONG).unwrap().unwrap();
        let claim = lock.claim(&session("spent").fingerprint(), LONG).unwrap();
        assert!(matches!(claim, Claim::Spent(_)), "{mood:?} {claim:?}");
    }
}

#[test]
fn a_program_without_our_locks_that_renews_a_login_on_its_way_keeps_it_where_it_is() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    log_in(&store, Plaintext, "old");
    // While the copy is being made.
    let file = place.store();
    keyring.on_set("dev", move || file.save(&key("dev"), &bound("renewed")).unwrap());
    let error = store.migrate(&key("dev"), Plaintext, Secure, LONG).unwrap_err();
    assert!(matches!(error, StoreError::Superseded { .. }), "{error}");
    assert_eq!(stand(&store), only(Plaintext, "renewed"), "no copy is left");
    assert_eq!(store.home(&key("dev")), Some(Plaintext));
}

#[test]
fn a_keyring_that_hangs_or_goes_in_the_middle_of_a_move_leaves_the_login_where_it_was() {
    for mood in [Mood::Dies, Mood::Absent, Mood::Locked, Mood::Denied] {
        let (place, keyring) = (Place::new(), Fake::new());
        let store = over(&place, &keyring);
        log_in(&store, Plaintext, "a");
        let (twin, mooded) = (keyring.clone(), mood);
        keyring.on_set("dev", move || {
            twin.be(mooded);
        });
        let error = store.migrate(&key("dev"), Plaintext, Secure, LONG).unwrap_err();
        assert!(!matches!(error, StoreError::CopyLeft { .. }), "{mood:?} {error}");
        let found = access(store.load(&key("dev")).unwrap());
        assert_eq!(found.as_deref(), Some("at-a"), "{mood:?}");
        // It is back, with the copy that could not be removed: the next who takes the lock does.
        keyring.be(Mood::Good);
        drop(store.lock(&key("dev"), LONG).unwrap().unwrap());
        assert_eq!(stand(&store), only(Plaintext, "a"), "{mood:?}");
        assert!(store.migrate(&key("dev"), Plaintext, Secure, LONG).unwrap());
        assert_eq!(stand(&store), only(Secure, "a"), "{mood:?}");
    }
}

#[test]
fn a_copy_that_cannot_be_removed_is_told_and_goes_with_the_next_lock() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    log_in(&store, Secure, "a");
    keyring.die_after(0);
    let error = store.migrate(&key("dev"), Secure, Plaintext, LONG).unwrap_err();
    assert!(matches!(error, StoreError::CopyLeft { mode: Secure, .. }), "{error}");
    assert_eq!(store.home(&key("dev")), Some(Plaintext), "it is moved all the same");
    keyring.live();
    // By whatever name it is asked for.
    drop(store.clone().with_mode(Plaintext).lock(&key("dev"), LONG).unwrap().unwrap());
    assert_eq!(stand(&store), only(Plaintext, "a"));
}

#[test]
fn what_others_have_made_of_a_copy_is_theirs_and_stays() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    log_in(&store, Secure, "a");
    keyring.die_after(0);
    assert!(store.migrate(&key("dev"), Secure, Plaintext, LONG).is_err());
    keyring.live();
    put(&store, Secure, "of another program");
    drop(store.lock(&key("dev"), LONG).unwrap().unwrap());
    let [in_keyring, _, in_file] = stand(&store);
    assert_eq!(in_keyring.as_deref(), Some("at-of another program"));
    assert_eq!(in_file.as_deref(), Some("at-a"));
}

#[test]
fn a_new_login_elsewhere_lets_the_older_one_go_even_if_that_fails_at_first() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    log_in(&store, Secure, "older");
    keyring.die_after(0);
    log_in(&store, Encrypted, "newer");
    assert_eq!(access(store.load(&key("dev")).unwrap()).as_deref(), Some("at-newer"));
    let told = store.take_notices();
    keyring.live();
    drop(store.lock(&key("dev"), LONG).unwrap().unwrap());
    assert_eq!(stand(&store), only(Encrypted, "newer"), "{told:?}");
}

#[test]
fn many_are_moved_together_and_each_has_its_own_outcome() {
    let (place, keyring) = (Place::fast(), Fake::new());
    let store = over(&place, &keyring);
    let names: Vec<CacheKey> = (0..250).map(|at| key(&format!("p{at}"))).collect();
    let logins: Vec<_> = names.iter().map(|name| (name.clone(), bound(name.as_str()))).collect();
    assert!(place.store().save_all(&logins).iter().all(Result::is_ok));
    // One is being refreshed, one is not there, one counts elsewhere.
    let busy = place.store().lock(&names[7], LONG).unwrap().unwrap();
    place.store().delete(&names[8]).unwrap();
    store.part(Secure).unwrap().save(&names[9], &bound("living")).unwrap();
    store.set_home(&names[9], Some(Secure)).unwrap();
    let moved = store.migrate_all(Plaintext, Encrypted, &names, Duration::from_millis(10));
    let moved = moved.unwrap();
    assert!(matches!(moved[7], Err(StoreError::Busy { .. })), "{:?}", moved[7]);
    assert!(matches!(moved[8], Ok(false)), "{:?}", moved[8]);
    assert!(matches!(moved[9], Err(StoreError::KeptElsewhere { .. })), "{:?}", moved[9]);
    assert_eq!(moved.iter().filter(|moved| matches!(moved, Ok(true))).count(), 247);
    drop(busy);
    let left: Vec<_> = place.store().keys().unwrap();
    assert_eq!(left, [key("p7"), key("p9")]);
    for (at, found) in sealed(&place).load_all(&names).into_iter().enumerate() {
        let wanted = ![7, 8, 9].contains(&at);
        assert_eq!(found.unwrap().is_some_and(|found| found == bound(&format!("p{at}"))), wanted);
    }
    // And back, where they belong to somebody by the side file.
    let moved = store.migrate_all(Encrypted, Plaintext, &names, LONG).unwrap();
    assert_eq!(moved.iter().filter(|moved| matches!(moved, Ok(true))).count(), 247);
    assert_eq!(place.store().load(&names[0]).unwrap(), Some(bound("p0")));
    assert!(sealed(&place).keys().unwrap().is_empty());
}

#[test]
fn a_login_that_is_held_everywhere_is_neither_moved_nor_refreshed() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    log_in(&store, Encrypted, "a");
    let held = store.hold_all(&key("dev"), LONG).unwrap().unwrap();
    for mode in StorageMode::ALL {
        assert!(store.part(mode).unwrap().lock(&key("dev"), Duration::ZERO).unwrap().is_none());
    }
    let error = store.migrate(&key("dev"), Encrypted, Secure, Duration::ZERO).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    drop(held);
    assert!(store.migrate(&key("dev"), Encrypted, Secure, Duration::ZERO).unwrap());
}

#[test]
fn holders_are_the_stores_that_hold_it_readable_or_not() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    assert!(store.holders(&key("dev")).is_empty());
    put(&store, Plaintext, "a");
    put(&store, Secure, "b");
    assert_eq!(store.holders(&key("dev")), [Secure, Plaintext]);
    keyring.put("dev", "no login");
    assert_eq!(store.holders(&key("dev")), [Secure, Plaintext], "it is there, and damaged");
    keyring.be(Mood::Locked);
    assert_eq!(store.holders(&key("dev")), [Plaintext], "one that cannot be asked is left out");
    keyring.be(Mood::Good);
    put(&store, Encrypted, "c");
    assert_eq!(
        store.holders_of_all(&[key("none"), key("dev")]),
        [vec![], StorageMode::ALL.to_vec()]
    );
}
