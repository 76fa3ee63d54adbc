//! A store tells whoever saves that somebody else came first: theirs is taken, and what was bought for the login before it
//! is dropped.
#![allow(clippy::unwrap_used)]

mod common;

use common::World;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use u2m::login::browser_fn;
use u2m::store::{CacheKey, Claim, EntryLock, MemoryStore, Session, StoreError, TokenStore};
use u2m::{PersistentAuth, TokenError};
use u2m_core::{Fingerprint, RefreshFailure};
use u2m_testkit::http::StatusCode;
use u2m_testkit::{Endpoint, Fault, Settings, Times};

/// What others do to an entry just before what was bought for it is saved.
type Deed = fn(&MemoryStore, &CacheKey, &Session) -> Result<(), StoreError>;

/// What is said to whoever claims a refresh token, and what others have saved by then.
type TargetArgs = (Word, Option<Session>);
type Word = fn(&CacheKey) -> Result<Claim, StoreError>;

/// A store in which others save, each just before somebody who holds the lock does.
#[derive(Clone, Debug, Default)]
struct Crowded {
    store: MemoryStore,
    others: Arc<Mutex<VecDeque<Session>>>,
    deed: Arc<Mutex<Option<Deed>>>,
    words: Arc<Mutex<VecDeque<TargetArgs>>>,
    claims: Arc<AtomicUsize>,
}

struct CrowdedLock {
    all: Crowded,
    lock: Box<dyn EntryLock>,
    key: CacheKey,
}

impl TokenStore for Crowded {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        self.store.load(key)
    }

    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        self.store.save(key, session)
    }

    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.store.delete(key)
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        self.store.keys()
    }

    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        let (all, key) = (self.clone(), key.clone());
        let lock = self.store.lock(&key, patience)?;
        Ok(lock.map(|lock| Box::new(CrowdedLock { all, lock, key }) as Box<dyn EntryLock>))
    }
}

impl EntryLock for CrowdedLock {
    fn refresh_failure(&mut self) -> Option<RefreshFailure> {
        self.lock.refresh_failure()
    }

    fn note(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        self.lock.note(refresh_failure)
    }

    fn prove_writable(&mut self) -> Result<(), StoreError> {
        self.lock.prove_writable()
    }

    fn claim(&mut self, of: &Fingerprint, patience: Duration) -> Result<Claim, StoreError> {
        self.all.claims.fetch_add(1, Ordering::SeqCst);
        let Some((word, other)) = self.all.words.lock().unwrap().pop_front() else {
            return self.lock.claim(of, patience);
        };
        if let Some(other) = other {
            self.all.store.save(&self.key, &other)?;
        }
        word(&self.key)
    }

    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        if let Some(deed) = self.all.deed.lock().unwrap().take() {
            deed(&self.all.store, &self.key, session)?;
            return Err(StoreError::Superseded { key: self.key.clone() });
        }
        let Some(other) = self.all.others.lock().unwrap().pop_front() else {
            return self.lock.save(session);
        };
        self.all.store.save(&self.key, &other)?;
        Err(StoreError::Superseded { key: self.key.clone() })
    }
}

/// A login that has run out, and others that will come first.
fn crowded(world: &World, others: impl IntoIterator<Item = Session>) -> (Crowded, PersistentAuth) {
    let store = Crowded::default();
    store.save(&world.key(), &world.session(-5)).unwrap();
    store.others.lock().unwrap().extend(others);
    let browser = browser_fn(|url: url::Url| async move {
        drop(u2m_testkit::follow_login_in_background(url.as_str()));
        Ok(())
    });
    let builder = PersistentAuth::builder(world.target()).with_store(store.clone());
    (store, builder.with_browser(browser).with_port(0).build().unwrap())
}

#[test]
fn a_refresh_that_was_overtaken_hands_out_what_is_stored_and_keeps_nothing() {
    let world = World::new();
    let other = world.session(3600);
    let (store, auth) = crowded(&world, [other.clone()]);
    assert_eq!(auth.blocking().token().unwrap(), other.token());
    assert_eq!(store.load(&world.key()).unwrap().unwrap(), other);
    assert!(auth.blocking().close(common::LONG), "nothing is left to be saved");
    assert_eq!(store.load(&world.key()).unwrap().unwrap(), other);
    assert!(auth.take_notices().is_empty());
    world.assert_refreshed(1);
}

#[test]
fn a_refresh_that_is_overtaken_by_a_login_that_has_run_out_too_refreshes_that_one() {
    let world = World::new();
    let (store, auth) = crowded(&world, [world.session(-5)]);
    let token = auth.blocking().token().unwrap();
    assert_eq!(store.load(&world.key()).unwrap().unwrap().token(), token);
    world.assert_refreshed(2);
}

#[test]
fn a_refresh_that_is_overtaken_again_and_again_ends() {
    let world = World::new();
    let others: Vec<Session> = (0..100).map(|_| world.session(-5)).collect();
    let (store, auth) = crowded(&world, others);
    let blocking = auth.blocking();
    common::within(common::LONG, move || blocking.token()).unwrap();
    assert_eq!(world.refreshes(), 4, "each for another refresh token");
    assert!(auth.blocking().close(common::LONG));
    assert_eq!(store.others.lock().unwrap().len(), 96, "and what others saved is left alone");
}

#[test]
fn refr_3_after_a_rejection_another_program_has_a_moment_to_save_what_it_won() {
    let world = World::expired();
    let words = r#"{"error":"invalid_grant","error_description":"Refresh token is invalid"}"#;
    let refusal = Fault::status(StatusCode::UNAUTHORIZED, "application/json", words);
    for pause in [5, 600] {
        world.seed(-5);
        let before = world.refreshes();
        world.server.inject(Endpoint::Token, Times::Once, refusal.clone());
        let auth = world.auth();
        let caller = std::thread::spawn(move || auth.blocking().token());
        common::eventually("the refusal", || world.refreshes() == before + 1);
        std::thread::sleep(Duration::from_millis(pause));
        let theirs = world.seed(3600);
        assert_eq!(common::name(&caller.join().unwrap().unwrap()), common::name(&theirs));
        assert_eq!(world.refreshes(), before + 1);
    }
    // Where nobody has won, the end is said, and soon.
    world.seed(-5);
    world.server.inject(Endpoint::Token, Times::Once, refusal);
    let auth = world.auth().blocking();
    let error = common::within(common::LONG, move || auth.token()).unwrap_err();
    assert!(matches!(error, TokenError::Rejected(_)), "{error:?}");
}

#[test]
fn a_login_that_was_overtaken_is_saved_all_the_same() {
    let world = World::new();
    let (store, auth) = crowded(&world, [world.session(3600)]);
    let signed_in = auth.blocking().challenge().unwrap();
    assert!(signed_in.unsaved().is_none());
    let stored = store.load(&world.key()).unwrap().unwrap();
    assert_eq!(stored.token(), signed_in.token(), "the last login counts");
}

const OVERTAKEN: Word = |key| Err(StoreError::Superseded { key: key.clone() });
const WAITED: Word = |_| Ok(Claim::Waited);
const SPENT: Word = |_| Ok(Claim::Spent("it was renewed elsewhere".to_owned()));

#[test]
fn whoever_claims_a_token_too_late_takes_what_others_have_saved_by_then() {
    for word in [OVERTAKEN, WAITED, SPENT] {
        let world = World::new();
        let (store, auth) = crowded(&world, []);
        let other = world.session(3600);
        store.words.lock().unwrap().push_back((word, Some(other.clone())));
        assert_eq!(auth.blocking().token().unwrap(), other.token());
        assert_eq!((store.claims.load(Ordering::SeqCst), world.refreshes()), (1, 0));
    }
}

#[test]
fn whoever_comes_too_late_again_and_again_gives_up_and_a_spent_token_is_not_claimed_again() {
    for (word, claims) in [(OVERTAKEN, 4), (WAITED, 4), (SPENT, 1)] {
        let world = World::new();
        let (store, auth) = crowded(&world, []);
        store.words.lock().unwrap().extend((0..100).map(|_| (word, None)));
        let blocking = auth.blocking();
        common::within(common::LONG, move || blocking.token()).unwrap_err();
        assert_eq!((store.claims.load(Ordering::SeqCst), world.refreshes()), (claims, 0));
    }
}

#[test]
fn what_was_bought_for_a_login_that_is_gone_is_ended_where_nobody_holds_it() {
    let gone: Deed = |store, key, _| store.delete(key);
    let bought_is_kept: Deed = |store, key, bought| {
        store.save(&CacheKey::new("copy"), bought)?;
        store.delete(key)
    };
    let old_is_kept: Deed = |store, key, _| {
        let old = store.load(key)?.unwrap();
        store.save(&CacheKey::new("copy"), &old)?;
        store.delete(key)
    };
    let is_as_before: Deed = |store, key, _| store.load(key).map(drop);
    for (deed, revoked) in [(gone, 1), (bought_is_kept, 0), (old_is_kept, 0), (is_as_before, 0)] {
        let world = World::with(Settings::new().with_revocation());
        let (store, auth) = crowded(&world, []);
        store.save(&CacheKey::new("a-neighbour"), &world.session(3600)).unwrap();
        *store.deed.lock().unwrap() = Some(deed);
        let outcome = auth.blocking().token();
        assert_eq!(world.server.counts().revocations, revoked);
        if store.load(&world.key()).unwrap().is_none() {
            assert!(matches!(outcome, Err(TokenError::NotFound)), "{outcome:?}");
        }
    }
}
