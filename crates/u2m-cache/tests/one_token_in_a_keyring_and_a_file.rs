//! A login that is in a keyring and in a file is spent once.
#![cfg(all(unix, feature = "keyring"))]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/fakes.rs"]
mod fakes;

use common::{LONG, Place, key, session};
use fakes::Fake;
use std::sync::Arc;
use std::time::Duration;
use u2m_cache::{Claim, FileStore, KeyringStore, TokenStore};

#[test]
fn refr_1_a_token_that_a_keyring_and_a_file_hold_is_spent_once() {
    let place = Place::new();
    let keyring = KeyringStore::new(Arc::new(Fake::new()), place.file());
    let file = FileStore::at(place.folder().join("elsewhere.json"));
    let login = |name: &str| session(&format!("{name}-in-both-{}", std::process::id()));
    let (first, bought) = (login("first"), login("bought"));
    keyring.save(&key("dev"), &first).unwrap();
    file.save(&key("copy"), &first).unwrap();
    let mut theirs = keyring.lock(&key("dev"), LONG).unwrap().unwrap();
    let mut ours = file.lock(&key("copy"), LONG).unwrap().unwrap();
    let of = first.fingerprint();
    assert_eq!(theirs.claim(&of, LONG).unwrap(), Claim::Taken);
    assert_eq!(ours.claim(&of, Duration::ZERO).unwrap(), Claim::Busy);
    theirs.save(&bought).unwrap();
    drop(theirs);
    let Claim::Spent(words) = ours.claim(&of, LONG).unwrap() else { panic!("it is spent") };
    assert!(words.starts_with("it was spent for 'dev' in the "), "{words}");
    // Where it was bought, it is there.
    let mut theirs = keyring.lock(&key("dev"), LONG).unwrap().unwrap();
    drop(ours);
    assert_eq!(theirs.claim(&of, LONG).unwrap(), Claim::Waited);
    assert_eq!(theirs.claim(&bought.fingerprint(), LONG).unwrap(), Claim::Taken);
}
