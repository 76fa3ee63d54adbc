//! What the store in front of several says of all of them: which keys there are, whether asking takes long, how another process
//! opens it, and what it leaves alone.
#![cfg(all(feature = "encrypted", feature = "keyring"))]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/fakes.rs"]
mod fakes;

use common::{LONG, Place, bound, key};
use fakes::{Fake, Mood};
use std::sync::Arc;
use std::time::Duration;
use u2m_cache::{
    AutoStore, EncryptedFileStore, KeyringError, KeyringStore, MemoryStore, NamedStore, SealKey,
    SealKeySource, StorageMode, StoreAddress, StoreError, TokenStore,
};
use u2m_core::{
    AccessToken, Host, ProfileName, RefreshFailure, RefreshFailureKind, Session, Target, Timestamp,
    TokenRequest,
};

use StorageMode::{Encrypted, Plaintext, Secure};

fn sealed(place: &Place) -> EncryptedFileStore {
    let source = SealKeySource::Bytes(SealKey::from_bytes([7; 32]));
    EncryptedFileStore::at(place.folder().join("token-cache.sealed.json"), source)
}

fn over(place: &Place, keyring: &Fake) -> AutoStore {
    AutoStore::new(place.store())
        .with_keyring(Arc::new(KeyringStore::new(keyring.arc(), place.file())))
        .with_encrypted(Arc::new(sealed(place)))
}

#[test]
fn its_keys_are_those_of_all_stores_each_once_and_sorted() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    for (mode, name) in [(Secure, "b"), (Plaintext, "c"), (Encrypted, "a"), (Plaintext, "b")] {
        store.part(mode).unwrap().save(&key(name), &bound(name)).unwrap();
    }
    assert_eq!(store.keys().unwrap(), [key("a"), key("b"), key("c")]);
    assert_eq!(store.clone().with_mode(Plaintext).keys().unwrap(), [key("b"), key("c")]);
    // Where there is none there are none; of one that is locked nobody knows.
    keyring.be(Mood::Absent);
    assert_eq!(store.keys().unwrap(), [key("a"), key("b"), key("c")]);
    keyring.be(Mood::Locked);
    assert!(store.keys().is_err());
}

#[test]
fn asking_takes_long_where_a_store_is_asked_that_takes_long() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    assert!(store.is_slow() && store.clone().with_mode(Secure).is_slow());
    assert!(!store.clone().with_mode(Plaintext).is_slow());
    // A setting yields to what is recorded, which may be in a slow one.
    assert!(store.with_naming(NamedStore::First(Plaintext)).is_slow());
    assert!(!AutoStore::new(place.store()).is_slow());
}

#[test]
fn another_process_opens_it_where_it_can_open_all_of_it() {
    let (place, keyring) = (Place::new(), Fake::new());
    let named = over(&place, &keyring).with_mode(Encrypted);
    let Some(StoreAddress::Auto { keyring, encrypted, naming, .. }) = named.address() else {
        panic!()
    };
    assert!(keyring.is_some() && encrypted.is_some());
    assert_eq!(naming, NamedStore::Alone(Encrypted));
    let own = AutoStore::new(place.store()).with_keyring(Arc::new(MemoryStore::new()));
    assert!(own.address().is_none(), "what only this process has");
}

#[test]
fn a_store_that_is_named_is_shown_to_work_before_anybody_signs_in() {
    let (place, keyring) = (Place::new(), Fake::new());
    for mood in [Mood::Absent, Mood::Denied, Mood::Forgets] {
        keyring.be(mood);
        let named = over(&place, &keyring).with_mode(Secure);
        assert!(named.prepare_login(&key("dev")).is_err(), "{mood:?}");
        assert_eq!(named.landing(&key("dev")), None);
    }
    let named = over(&place, &keyring).with_mode(Plaintext);
    named.prepare_login(&key("dev")).unwrap();
    assert_eq!(named.landing(&key("dev")), Some(Plaintext));
}

#[test]
fn why_a_login_is_kept_unencrypted_is_said_without_advice_for_another_case() {
    let (place, keyring) = (Place::new(), Fake::new());
    keyring.be(Mood::Absent);
    let store = over(&place, &keyring);
    store.prepare_login(&key("dev")).unwrap();
    let told = store.take_notices();
    let why = KeyringError::NoService.to_string();
    let (why, advice) = why.split_once(';').unwrap();
    assert!(told[0].text.contains(why) && !told[0].text.contains(advice), "{told:?}");
    assert!(store.take_notices().is_empty(), "once");
}

#[test]
fn a_store_that_this_program_does_not_have_is_not_its_business_when_a_login_goes_elsewhere() {
    let (place, keyring) = (Place::new(), Fake::new());
    let whole = over(&place, &keyring);
    whole.part(Encrypted).unwrap().save(&key("dev"), &bound("older")).unwrap();
    whole.set_home(&key("dev"), Some(Encrypted)).unwrap();
    let store = AutoStore::new(place.store())
        .with_keyring(Arc::new(KeyringStore::new(keyring.arc(), place.file())));
    store.prepare_login(&key("dev")).unwrap();
    store.lock(&key("dev"), LONG).unwrap().unwrap().save(&bound("newer")).unwrap();
    assert!(store.take_notices().is_empty());
    assert_eq!(whole.home(&key("dev")), Some(Secure));
    assert_eq!(whole.load(&key("dev")).unwrap().unwrap().access_token.expose(), "at-newer");
}

#[test]
fn deleting_forgets_everything_that_was_known() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    store.part(Plaintext).unwrap().save(&key("dev"), &bound("a")).unwrap();
    store.migrate(&key("dev"), Plaintext, Encrypted, LONG).unwrap();
    store.delete(&key("dev")).unwrap();
    let side = std::fs::read_to_string(place.folder().join("token-cache.u2m.json")).unwrap();
    assert!(!side.contains("dev") && !side.contains("a.example"), "{side}");
    assert_eq!(store.homes_of_all(&[key("dev")]), [None]);
}

#[test]
fn where_a_login_is_stays_known_while_it_cannot_be_deleted() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    store.part(Secure).unwrap().save(&key("dev"), &bound("a")).unwrap();
    store.set_home(&key("dev"), Some(Secure)).unwrap();
    keyring.be(Mood::Locked);
    assert!(store.delete(&key("dev")).is_err());
    assert_eq!(store.home(&key("dev")), Some(Secure));
    keyring.be(Mood::Good);
    store.delete(&key("dev")).unwrap();
    assert_eq!((store.home(&key("dev")), store.load(&key("dev")).unwrap()), (None, None));
}

/// A login that was moved out of a keyring, which died before it could give its copy up, and lives again.
fn moved_with_a_copy_left(place: &Place) -> AutoStore {
    let keyring = Fake::new();
    let store = over(place, &keyring);
    store.part(Secure).unwrap().save(&key("dev"), &bound("a")).unwrap();
    keyring.on_set("dev", || {});
    keyring.die_after(0);
    let error = store.migrate(&key("dev"), Secure, Encrypted, LONG).unwrap_err();
    assert!(matches!(error, StoreError::CopyLeft { mode: Secure, .. }), "{error}");
    keyring.live();
    store
}

#[test]
fn a_copy_whose_own_lock_is_held_keeps_nobody_waiting_and_goes_with_the_next() {
    let place = Place::new();
    let store = moved_with_a_copy_left(&place);
    // The keyring's lock is the file's too.
    let held = place.store().lock(&key("dev"), Duration::ZERO).unwrap().unwrap();
    drop(store.lock(&key("dev"), Duration::ZERO).unwrap().unwrap());
    assert_eq!(store.holders(&key("dev")), [Secure, Encrypted]);
    drop(held);
    drop(store.lock(&key("dev"), Duration::ZERO).unwrap().unwrap());
    assert_eq!(store.holders(&key("dev")), [Encrypted]);
}

#[test]
fn a_copy_that_did_not_count_counts_when_it_becomes_the_login() {
    let place = Place::new();
    let store = moved_with_a_copy_left(&place);
    assert_eq!(store.home(&key("dev")), Some(Encrypted));
    store.set_home(&key("dev"), Some(Secure)).unwrap();
    assert_eq!(store.home(&key("dev")), Some(Secure));
    drop(store.lock(&key("dev"), LONG).unwrap().unwrap());
    assert!(store.holders(&key("dev")).contains(&Secure), "it is no copy to be cleared any more");
}

#[test]
fn whose_login_a_name_was_used_for_is_known_until_it_is_untied() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    let target = Target::workspace(Host::parse("https://a.example").unwrap());
    let request = TokenRequest::new(target.with_profile(ProfileName::parse("dev").unwrap()));
    let first = request.first_use(&Session::new(AccessToken::new("another program's"))).unwrap();
    let ties = || store.tie(&key("dev"), &first, None, LONG).unwrap();
    assert!(ties() && !ties(), "once");
    store.untie(&key("dev")).unwrap();
    assert!(ties(), "as if for the first time");
    // A deletion ends that too, though there is nothing to delete.
    store.delete(&key("dev")).unwrap();
    assert!(ties());
}

#[test]
fn the_lock_of_a_login_is_that_of_the_store_that_it_is_in() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    store.part(Plaintext).unwrap().save(&key("dev"), &bound("a")).unwrap();
    let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
    assert!(lock.refresh_failure().is_none());
    let passing = RefreshFailureKind::transient("away");
    let refresh_failure =
        RefreshFailure::new(bound("a").fingerprint(), Timestamp::from_unix(7), passing);
    lock.note(&refresh_failure).unwrap();
    assert_eq!(lock.refresh_failure(), Some(refresh_failure.clone()));
    lock.prove_writable().unwrap();
    drop(lock);
    let mut there = place.store().lock(&key("dev"), LONG).unwrap().unwrap();
    assert_eq!(there.refresh_failure(), Some(refresh_failure));
    drop(there);
    #[cfg(unix)]
    assert!(store.lock(&key("dev"), LONG).unwrap().unwrap().hand_over().is_some());
    // What its store cannot do, it cannot either.
    store.part(Secure).unwrap().save(&key("kept"), &bound("a")).unwrap();
    store.set_home(&key("kept"), Some(Secure)).unwrap();
    let mut lock = store.lock(&key("kept"), LONG).unwrap().unwrap();
    keyring.be(Mood::Locked);
    assert!(lock.prove_writable().is_err());
}

#[test]
fn where_several_logins_are_is_told_in_their_order() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring);
    store.set_home(&key("a"), Some(Secure)).unwrap();
    store.set_home(&key("b"), Some(Encrypted)).unwrap();
    let homes = store.homes_of_all(&[key("b"), key("gone"), key("a")]);
    assert_eq!(homes, [Some(Encrypted), None, Some(Secure)]);
}

#[test]
fn a_sealed_login_of_another_program_is_of_the_host_that_its_name_is_tied_to() {
    let (place, keyring) = (Place::new(), Fake::new());
    let store = over(&place, &keyring).with_mode(Encrypted);
    let theirs = Session::new(AccessToken::new("another program's"));
    store.save(&key("dev"), &theirs).unwrap();
    let target = Target::workspace(Host::parse("https://a.example").unwrap());
    let request = TokenRequest::new(target.with_profile(ProfileName::parse("dev").unwrap()));
    let untied = store.load(&key("dev")).unwrap().unwrap();
    let first = request.first_use(&theirs).unwrap();
    assert!(store.tie(&key("dev"), &first, None, LONG).unwrap());
    let tied = store.load(&key("dev")).unwrap().unwrap();
    assert_ne!(untied, tied);
    let snapshot = store.snapshot([key("dev")]);
    assert!(!snapshot.is_at_hand(&key("dev"), store.naming()), "nothing is read yet");
    assert_eq!(snapshot.load(&key("dev"), store.naming()).unwrap(), Some(tied));
    assert!(snapshot.is_at_hand(&key("dev"), store.naming()));
    // One that u2m saved says it itself.
    store.save(&key("own"), &bound("a")).unwrap();
    let snapshot = store.snapshot([key("own")]);
    assert_eq!(
        snapshot.load(&key("own"), store.naming()).unwrap(),
        store.load(&key("own")).unwrap()
    );
}
