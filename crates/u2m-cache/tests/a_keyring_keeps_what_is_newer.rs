//! Other programs write to the keyring without our locks: what they store or remove while a login is being refreshed stays so
//! (REFR-1), and that a login can be replaced is shown before its token is spent (KEY-1, KEY-4).
#![cfg(feature = "keyring")]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/fakes.rs"]
mod fakes;

use common::{LONG, Place, bound, key, session};
use fakes::{Fake, Mood};
use std::sync::Arc;
use std::time::Duration;
use u2m_cache::{Claim, EntryLock, KeyringStore, StoreError, TimeoutKeyring, TokenStore};

fn store(place: &Place, keyring: &Fake) -> KeyringStore {
    KeyringStore::new(keyring.arc(), place.file())
}

/// A refresh of the login `old`, as far as its token is claimed.
fn claimed(store: &KeyringStore, old: &str) -> Box<dyn EntryLock> {
    let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
    let claim = lock.claim(&session(old).fingerprint(), LONG).unwrap();
    assert!(matches!(claim, Claim::Taken | Claim::Waited), "{claim:?}");
    lock
}

/// As Databricks' CLI stores a login.
fn stores(keyring: &Fake, name: &str) {
    let token = format!(
        r#"{{"token":{{"access_token":"at-{name}","refresh_token":"rt-{name}","expiry":"2099-01-01T00:00:00Z"}}}}"#
    );
    keyring.put("dev", token);
}

fn holds(keyring: &Fake, name: &str) -> bool {
    keyring.raw("dev").is_some_and(|item| item.contains(&format!("at-{name}")))
}

/// Names of this story alone: what was spent is remembered by the token.
fn names(of: &str) -> [String; 3] {
    ["old", "new", "theirs"].map(|name| format!("{of}-{name}-{}", std::process::id()))
}

#[test]
fn a_login_that_another_program_stored_during_a_refresh_stays() {
    let (place, keyring, [old, new, theirs]) = (Place::new(), Fake::new(), names("stored"));
    let store = store(&place, &keyring);
    store.save(&key("dev"), &bound(&old)).unwrap();
    let mut lock = claimed(&store, &old);
    stores(&keyring, &theirs);
    let error = lock.save(&bound(&new)).unwrap_err();
    assert!(matches!(error, StoreError::Superseded { .. }), "{error}");
    assert!(holds(&keyring, &theirs));
}

#[test]
fn a_login_that_another_program_removed_during_a_refresh_stays_removed() {
    let (place, keyring, [old, new, _]) = (Place::new(), Fake::new(), names("removed"));
    let store = store(&place, &keyring);
    store.save(&key("dev"), &bound(&old)).unwrap();
    let mut lock = claimed(&store, &old);
    keyring.delete_behind("dev");
    let error = lock.save(&bound(&new)).unwrap_err();
    assert!(matches!(error, StoreError::Superseded { .. }), "{error}");
    assert!(keyring.names().is_empty());
}

#[test]
fn a_login_that_another_program_stores_right_behind_the_write_stays() {
    let (place, keyring, [old, new, theirs]) = (Place::new(), Fake::new(), names("behind"));
    let store = store(&place, &keyring);
    store.save(&key("dev"), &bound(&old)).unwrap();
    let mut lock = claimed(&store, &old);
    let (twin, name) = (keyring.clone(), theirs.clone());
    keyring.on_set("dev", move || stores(&twin, &name));
    let error = lock.save(&bound(&new)).unwrap_err();
    assert!(matches!(error, StoreError::Superseded { .. }), "{error}");
    assert!(holds(&keyring, &theirs));
}

#[test]
fn a_save_that_was_done_already_and_one_over_a_spent_copy_are_done() {
    let (place, keyring, [old, new, _]) = (Place::new(), Fake::new(), names("again"));
    let store = store(&place, &keyring);
    store.save(&key("dev"), &bound(&old)).unwrap();
    let mut lock = claimed(&store, &old);
    lock.save(&bound(&new)).unwrap();
    // Its first answer may have been lost.
    lock.save(&bound(&new)).unwrap();
    // A program that has read the old one puts it back.
    stores(&keyring, &old);
    lock.save(&bound(&new)).unwrap();
    assert!(holds(&keyring, &new));
}

#[test]
fn without_a_claim_a_login_replaces_whatever_is_there() {
    let (place, keyring, [old, new, theirs]) = (Place::new(), Fake::new(), names("login"));
    let store = store(&place, &keyring);
    store.save(&key("dev"), &bound(&old)).unwrap();
    let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
    stores(&keyring, &theirs);
    lock.save(&bound(&new)).unwrap();
    assert!(holds(&keyring, &new));
    keyring.delete_behind("dev");
    lock.save(&bound(&new)).unwrap();
    assert!(holds(&keyring, &new));
}

#[test]
fn an_old_copy_that_another_program_put_back_is_replaced_again_and_a_newer_login_is_not() {
    let (place, keyring, [old, new, theirs]) = (Place::new(), Fake::new(), names("back"));
    let store = store(&place, &keyring);
    let spent = [session(&old).fingerprint()];
    let put_back = || store.put_back(&key("dev"), &bound(&new), &spent).unwrap();
    assert!(!put_back(), "what is gone stays gone");
    stores(&keyring, &old);
    assert!(put_back() && holds(&keyring, &new));
    assert!(!put_back(), "it is there already");
    stores(&keyring, &theirs);
    assert!(!put_back() && holds(&keyring, &theirs));
}

#[test]
fn what_cannot_be_read_is_replaced_by_what_was_bought() {
    let (place, keyring, [old, new, _]) = (Place::new(), Fake::new(), names("damaged"));
    let store = store(&place, &keyring);
    store.save(&key("dev"), &bound(&old)).unwrap();
    let mut lock = claimed(&store, &old);
    keyring.put("dev", "damaged");
    lock.save(&bound(&new)).unwrap();
    assert!(holds(&keyring, &new));
    assert!(!store.put_back(&key("dev"), &bound(&new), &[]).unwrap());
}

#[test]
fn a_keyring_that_goes_away_between_proof_and_save_may_come_back_and_is_no_absent_one() {
    for mood in [Mood::Absent, Mood::Locked, Mood::Denied, Mood::Dies] {
        let (place, keyring) = (Place::new(), Fake::new());
        let [old, new, _] = names(&format!("away-{mood:?}"));
        let store = store(&place, &keyring);
        store.save(&key("dev"), &bound(&old)).unwrap();
        let mut lock = claimed(&store, &old);
        lock.prove_writable().unwrap();
        keyring.be(mood);
        let error = lock.save(&bound(&new)).unwrap_err();
        assert!(error.is_transient() && !error.is_absent_store(), "{mood:?} {error:?}");
        keyring.be(Mood::Good);
        lock.save(&bound(&new)).unwrap();
        assert!(holds(&keyring, &new), "{mood:?}");
    }
}

#[test]
fn a_write_that_hangs_is_no_end_of_trying() {
    let (place, keyring, [old, new, _]) = (Place::new(), Fake::new(), names("hangs"));
    let bounded = TimeoutKeyring::new(keyring.clone()).with_limit(Duration::from_millis(100));
    let store = KeyringStore::new(Arc::new(bounded), place.file());
    store.save(&key("dev"), &bound(&old)).unwrap();
    let mut lock = claimed(&store, &old);
    keyring.hold(false, true);
    let error = lock.save(&bound(&new)).unwrap_err();
    assert!(error.is_transient() && !error.is_absent_store(), "{error:?}");
    let error = store.load(&key("dev")).unwrap_err();
    assert!(error.is_transient() && !error.is_absent_store(), "{error:?}");
    keyring.hold(false, false);
    common::eventually("it is saved", || lock.save(&bound(&new)).is_ok());
    assert!(holds(&keyring, &new));
}

#[test]
fn a_keyring_that_asks_somebody_before_it_replaces_an_item_is_found_out_by_the_proof() {
    let (place, keyring, [old, ..]) = (Place::new(), Fake::new(), names("asks"));
    let store = store(&place, &keyring);
    store.save(&key("dev"), &bound(&old)).unwrap();
    keyring.be(Mood::Asks);
    assert!(claimed(&store, &old).prove_writable().is_err());
    assert_eq!(keyring.names(), ["dev"], "and nothing is left of it");
    keyring.be(Mood::Good);
    claimed(&store, &old).prove_writable().unwrap();
    // One that asks about this very item alone.
    keyring.guard("dev");
    assert!(claimed(&store, &old).prove_writable().is_err());
    keyring.guard("another");
    claimed(&store, &old).prove_writable().unwrap();
    assert!(holds(&keyring, &old));
}

#[test]
fn another_login_of_the_name_is_never_replaced_though_its_token_is_spent_by_now() {
    let (ours, theirs_at, keyring) = (Place::new(), Place::new(), Fake::new());
    let [old, new, theirs] = names("another");
    let bought = format!("{theirs}-bought");
    let (mine, other) = (store(&ours, &keyring), store(&theirs_at, &keyring));
    mine.save(&key("dev"), &bound(&old)).unwrap();
    let mut lock = claimed(&mine, &old);
    // Of another home on the same keyring: signed in anew, and its refresh is under way.
    stores(&keyring, &theirs);
    let mut their_lock = claimed(&other, &theirs);
    their_lock.save(&bound(&bought)).unwrap();
    stores(&keyring, &theirs);
    assert!(matches!(lock.save(&bound(&new)), Err(StoreError::Superseded { .. })));
    let spent = [session(&old).fingerprint()];
    assert!(!mine.put_back(&key("dev"), &bound(&new), &spent).unwrap());
    assert!(holds(&keyring, &theirs));
    // Whose login it is puts its own back.
    assert!(other.put_back(&key("dev"), &bound(&bought), &[]).unwrap());
    assert!(holds(&keyring, &bought));
}
