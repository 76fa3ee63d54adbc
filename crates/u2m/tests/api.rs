//! What a program may rely on that holds a `PersistentAuth`: threads, tasks, traits, and no secrets in its logs.
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, chain, name};
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use u2m::login::browser_fn;
use u2m::oauth::RefreshToken;
use u2m::source::TokenSource;
use u2m::store::{Binding, CacheKey, EntryLock, MemoryStore, Session, StoreError, TokenStore};
use u2m::{AccessToken, PersistentAuth, SignedIn, Token, TokenError};

fn is_shareable<T: Clone + Debug + Send + Sync + 'static>(value: T) -> T {
    value
}

fn is_sendable<T: Send>(value: T) -> T {
    value
}

#[test]
fn it_is_send_and_sync_and_clone_and_debug_and_so_is_what_it_gives() {
    let world = World::new();
    world.seed(3600);
    let auth = is_shareable(world.auth());
    let shown = format!("{auth:?}");
    assert!(shown.contains(world.key().as_str()) && shown.contains("token-cache.json"), "{shown}");
    is_shareable(auth.blocking());
    fn all<T: Clone + Debug + Send + Sync + 'static>() {}
    all::<Token>();
    all::<SignedIn>();
    all::<TokenError>();
    all::<u2m::ChallengeError>();
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    error::<TokenError>();
    error::<u2m::ChallengeError>();
    error::<u2m::BuildError>();
}

#[test]
fn its_futures_may_go_from_thread_to_thread_and_its_trait_may_be_an_object() {
    let world = World::new();
    let seeded = world.seed(3000);
    let auth = world.auth();
    drop(is_sendable(auth.challenge()));
    drop(is_sendable(auth.force_refresh()));
    drop(is_sendable(auth.refresh_rejected(&seeded)));
    let source: Arc<dyn TokenSource> = Arc::new(auth);
    let there = Arc::clone(&source);
    let runtime = common::runtime();
    let token = runtime.block_on(async move {
        tokio::spawn(is_sendable(async move { there.token().await })).await.unwrap().unwrap()
    });
    assert_eq!(name(&token), name(&seeded));
    let replaced = runtime.block_on(source.replace(&token)).unwrap();
    assert_ne!(name(&replaced), name(&token));
}

#[test]
fn plain_code_finds_what_is_stored_and_what_is_in_hand() {
    let world = World::new();
    let seeded = world.seed(3000);
    let auth = world.auth();
    let auth = auth.blocking();
    assert!(auth.peek().is_none());
    assert_eq!(auth.stored().unwrap().as_ref().map(name), Some(name(&seeded)));
    assert_eq!(auth.peek().as_ref().map(name), Some(name(&seeded)));
    let world = World::expired();
    let expired = world.auth();
    assert!(expired.blocking().stored().unwrap().is_none());
    assert!(expired.blocking().peek().is_none());
}

/// Counts what is asked of it.
#[derive(Clone, Debug, Default)]
struct Counting {
    memory: MemoryStore,
    loads: Arc<AtomicUsize>,
    others: Arc<AtomicUsize>,
}

impl Counting {
    fn other(&self) -> &MemoryStore {
        self.others.fetch_add(1, Ordering::SeqCst);
        &self.memory
    }
}

impl TokenStore for Counting {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.memory.load(key)
    }

    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        self.other().save(key, session)
    }

    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.other().delete(key)
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        self.other().keys()
    }

    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        self.other().lock(key, patience)
    }
}

#[test]
fn a_fresh_token_is_read_once_and_then_handed_out_without_asking_anybody() {
    let world = World::new();
    let store = Counting::default();
    let session = world.session(3600);
    store.memory.save(&world.key(), &session).unwrap();
    let auth = PersistentAuth::builder(world.target()).with_store(store.clone()).build().unwrap();
    assert!(auth.peek().is_none(), "nothing is read before it is asked for");
    let token = auth.blocking().token().unwrap();
    assert_eq!(name(&token), name(&session.token()));
    let runtime = common::runtime();
    for _ in 0..100 {
        assert_eq!(runtime.block_on(auth.token()).unwrap(), token);
        assert_eq!(auth.blocking().token().unwrap(), token);
        assert_eq!(auth.peek().as_ref(), Some(&token));
    }
    // Clones share it, on other threads too.
    let clones = common::together(4, |_| auth.clone().blocking().token().unwrap());
    assert!(clones.iter().all(|clone| *clone == token));
    assert_eq!(store.loads.load(Ordering::SeqCst), 1);
    assert_eq!(store.others.load(Ordering::SeqCst), 0, "no lock, no write");
    assert_eq!(world.server.counts().requests, 0);
}

#[test]
fn building_reads_nothing_and_asks_nobody() {
    let world = World::new();
    let store = Counting::default();
    let auth = PersistentAuth::builder(world.target()).with_store(store.clone()).build().unwrap();
    assert_eq!(auth.cache_key(), &world.key());
    assert_eq!(auth.target().host(), Some(&world.host()));
    drop(auth);
    assert_eq!(store.loads.load(Ordering::SeqCst) + store.others.load(Ordering::SeqCst), 0);
}

const CANARY: &str = "canary-5f0e";

#[test]
fn t14_a49_no_debug_and_no_error_shows_a_secret() {
    let world = World::new();
    let store = MemoryStore::new();
    let host = world.host();
    let endpoint = url::Url::parse(&format!("{}/oidc/v1/token", host.as_str())).unwrap();
    let session = Session::new(AccessToken::new(CANARY))
        .with_refresh_token(RefreshToken::new(CANARY))
        .with_expiry(common::now())
        .with_binding(Binding::new("i", endpoint, "databricks-cli", host));
    store.save(&world.key(), &session).unwrap();
    let auth = PersistentAuth::builder(world.target()).with_store(store.clone()).build().unwrap();
    let blocking = auth.blocking();
    let error = blocking.token().unwrap_err();
    let shown = format!(
        "{auth:?} {blocking:?} {error:?} {} {session:?} {:?} {store:?} {:?}",
        chain(&error),
        session.token(),
        blocking.refresh_rejected(&session.token()),
    );
    assert!(!shown.contains(CANARY), "{shown}");
}

#[test]
fn t14_a_login_shows_neither_its_tokens_nor_its_code() {
    let world = World::new();
    let browser = browser_fn(|url: url::Url| async move {
        drop(u2m_testkit::follow_login_in_background(url.as_str()));
        Ok(())
    });
    let auth = world.builder().with_browser(browser).with_port(0).build().unwrap();
    let signed_in = common::runtime().block_on(auth.challenge()).unwrap();
    let stored = world.stored();
    let shown = format!("{signed_in:?} {auth:?} {:?}", auth.peek());
    for secret in [stored.access_token.expose(), stored.refresh_token.as_ref().unwrap().expose()] {
        assert!(!shown.contains(secret));
    }
}

#[test]
fn tokens_that_are_handed_out_never_carry_the_refresh_token() {
    let world = World::expired();
    let token = world.auth().blocking().token().unwrap();
    assert!(token.authorization().expose().starts_with("Bearer "));
    let refresh = world.stored().refresh_token.unwrap();
    assert!(!token.authorization().expose().contains(refresh.expose()));
}

#[test]
fn it_is_shown_by_its_key_and_its_store_and_without_tokens() {
    let world = World::new();
    world.seed(3000);
    let auth = world.auth();
    auth.blocking().token().unwrap();
    let shown = format!("{auth:?}");
    assert!(
        shown.starts_with("PersistentAuth {") && shown.contains(world.key().as_str()),
        "{shown}"
    );
    assert!(!shown.contains(world.stored().access_token.expose()), "{shown}");
}

#[test]
fn a_fresh_token_is_in_the_store_or_in_hand_and_one_that_has_run_out_in_neither() {
    let world = World::new();
    let seeded = world.seed(3000);
    let blocking = world.auth().blocking();
    assert!(blocking.peek().is_none(), "nobody has asked yet");
    assert_eq!(blocking.stored().unwrap(), Some(seeded.clone()));
    assert_eq!(blocking.token().unwrap(), seeded);
    assert_eq!(blocking.peek(), Some(seeded));
    world.seed(-5);
    assert_eq!(world.auth().blocking().stored().unwrap(), None);
    assert_eq!(world.server.counts().requests, 0);
}

#[test]
fn a_login_of_another_program_is_tied_to_its_first_use_and_that_is_said_once() {
    let world = World::new();
    let used = |profile: &str| {
        let target = world.target().with_profile(u2m::ProfileName::parse(profile).unwrap());
        let builder = PersistentAuth::builder(target).with_store(world.store());
        let auth = builder.with_profile_file("/home/me/cfg".into()).build().unwrap();
        auth.blocking().token().unwrap();
        auth.take_notices().into_iter().map(|notice| notice.text).collect::<Vec<_>>()
    };
    let shows = world.bare_session(3000);
    let mut opaque = shows.clone();
    opaque.access_token = AccessToken::new("opaque");
    world.store().save(&CacheKey::new("dev"), &opaque).unwrap();
    world.store().save(&CacheKey::new("plain"), &shows).unwrap();
    let words = format!(
        "another program saved the login 'dev' without its host; from now on it is for {} alone, \
         as /home/me/cfg says",
        world.host()
    );
    assert_eq!(used("dev"), [words]);
    assert!(used("dev").is_empty(), "that is known by now");
    assert!(used("plain").is_empty(), "its token shows whom it is for");
}
