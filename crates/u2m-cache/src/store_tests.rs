//! What a store has that says nothing more than it must.

use super::*;
use std::collections::BTreeMap;
use std::sync::Mutex;
use u2m_core::{AccessToken, Host, ProfileName, RefreshToken, Target, TokenRequest};

/// A store that has what every store must have, and nothing else.
#[derive(Debug, Default)]
struct Bare(Mutex<BTreeMap<CacheKey, Session>>);

impl TokenStore for Bare {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        Ok(self.0.lock().unwrap().get(key).cloned())
    }

    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        self.0.lock().unwrap().insert(key.clone(), session.clone());
        Ok(())
    }

    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.0.lock().unwrap().remove(key);
        Ok(())
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        Ok(self.0.lock().unwrap().keys().cloned().collect())
    }

    fn lock(&self, key: &CacheKey, _: Duration) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        Err(StoreError::Busy { key: key.clone() })
    }
}

fn key(name: &str) -> CacheKey {
    CacheKey::new(name)
}

fn session(name: &str) -> Session {
    Session::new(AccessToken::new(name)).with_refresh_token(RefreshToken::new(name))
}

#[test]
fn a_store_that_says_nothing_more_puts_nothing_back_and_is_nowhere_else() {
    let store = Bare::default();
    let spent = [session("old").fingerprint()];
    store.save(&key("dev"), &session("old")).unwrap();
    assert!(!store.put_back(&key("dev"), &session("new"), &spent).unwrap());
    assert_eq!(store.load(&key("dev")).unwrap(), Some(session("old")));
    store.prepare_login(&key("dev")).unwrap();
    assert!(!store.is_slow() && store.take_notices().is_empty());
    assert!(store.address().is_none() && store.locks_beside().is_none());
    let handed_over = store.lock_to_hand_over(&key("dev"), Duration::ZERO);
    assert!(matches!(handed_over, Err(StoreError::Busy { .. })), "it is locked as ever");
    let target = Target::workspace(Host::parse("https://a.example").unwrap());
    let target = target.with_profile(ProfileName::parse("dev").unwrap());
    let first = TokenRequest::new(target).first_use(&session("old")).unwrap();
    assert!(!store.tie(&key("dev"), &first, None, Duration::ZERO).unwrap(), "nothing is recorded");
}

#[test]
fn several_logins_are_saved_read_and_removed_one_by_one_in_their_order() {
    let store = Bare::default();
    let logins = ["a", "b"].map(|name| (key(name), session(name)));
    assert!(store.save_all(&logins).iter().all(Result::is_ok));
    let found = store.load_all(&[key("b"), key("c"), key("a")]);
    let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
    assert_eq!(found, [Some(session("b")), None, Some(session("a"))]);
    // One that is another by now stays.
    let states = [
        (key("a"), session("a").fingerprint()),
        (key("b"), session("old").fingerprint()),
        (key("c"), session("c").fingerprint()),
    ];
    let gone: Vec<_> = store.delete_states(&states).into_iter().map(Result::unwrap).collect();
    assert_eq!(gone, [true, false, true]);
    assert_eq!(store.keys().unwrap(), [key("b")]);
}
