//! The store fails while the server does not: no token is lost that was paid for, and none is paid for in vain.
#![allow(clippy::unwrap_used)]

mod common;

use common::store::{Locked, Stored, Twist, Twisted};
use common::{World, name, restless};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use u2m::login::{Browser, browser_fn};
use u2m::oauth::Revocation;
use u2m::process::LateSave;
use u2m::store::{CacheKey, EntryLock, FileStore, Session, StoreError, TokenStore};
use u2m::{PersistentAuth, TokenError};
use u2m_core::RefreshFailure;
use u2m_testkit::http::StatusCode;
use u2m_testkit::{Endpoint, Fault, Settings, Times};

/// How many more times each operation fails.
#[derive(Debug, Default)]
struct Faults {
    lock: AtomicUsize,
    prove: AtomicUsize,
    save: AtomicUsize,
}

struct FickleLock {
    lock: Box<dyn EntryLock>,
    faults: Arc<Faults>,
}

fn strike(left: &AtomicUsize) -> Result<(), StoreError> {
    match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
        Ok(_) => Err(StoreError::NoHome),
        Err(_) => Ok(()),
    }
}

/// Something fails.
impl Twist for Arc<Faults> {
    fn save(&self, file: &FileStore, key: &CacheKey, session: &Session) -> Stored<()> {
        strike(&self.save)?;
        file.save(key, session)
    }

    fn lock(&self, file: &FileStore, key: &CacheKey, patience: Duration) -> Locked {
        strike(&self.lock)?;
        let faults = Arc::clone(self);
        let lock = file.lock(key, patience)?;
        Ok(lock.map(|lock| Box::new(FickleLock { lock, faults }) as Box<dyn EntryLock>))
    }
}

impl EntryLock for FickleLock {
    fn refresh_failure(&mut self) -> Option<RefreshFailure> {
        self.lock.refresh_failure()
    }

    fn note(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        self.lock.note(refresh_failure)
    }

    fn prove_writable(&mut self) -> Result<(), StoreError> {
        strike(&self.faults.prove)?;
        self.lock.prove_writable()
    }

    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        strike(&self.faults.save)?;
        self.lock.save(session)
    }
}

/// A browser that goes where it is sent.
fn browser() -> impl Browser {
    browser_fn(|url: url::Url| async move {
        drop(u2m_testkit::follow_login_in_background(url.as_str()));
        Ok(())
    })
}

fn fickle(world: &World) -> (PersistentAuth, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let store = Twisted(world.store(), Arc::clone(&faults));
    let builder = PersistentAuth::builder(world.target()).with_store(store);
    let auth = builder.with_browser(browser()).with_port(0).with_rules(restless()).build().unwrap();
    (auth, faults)
}

const ALWAYS: usize = usize::MAX;

fn fails(left: &AtomicUsize, times: usize) {
    left.store(times, Ordering::SeqCst);
}

#[test]
fn refr_4_a_save_that_fails_once_is_repeated() {
    let world = World::expired();
    let (auth, faults) = fickle(&world);
    fails(&faults.save, 2);
    let token = auth.blocking().token().unwrap();
    assert_eq!(name(&world.stored().token()), name(&token));
    assert!(auth.take_notices().is_empty());
    world.assert_alive();
}

#[test]
fn refr_4_a_token_that_cannot_be_saved_is_handed_out_and_saved_by_a_later_call() {
    let world = World::expired();
    let old = world.stored();
    let (auth, faults) = fickle(&world);
    fails(&faults.save, ALWAYS);
    let token = auth.blocking().token().unwrap();
    assert_eq!(world.stored(), old);
    let notices = auth.take_notices();
    assert!(notices[0].text.contains("could not be saved"), "{notices:?}");
    // While it still fails, it is still handed out, and the spent refresh token stays out of it.
    std::thread::sleep(Duration::from_millis(1_100));
    assert_eq!(name(&auth.blocking().token().unwrap()), name(&token));
    fails(&faults.save, 0);
    common::eventually("a save", || {
        assert_eq!(name(&auth.blocking().token().unwrap()), name(&token));
        world.stored() != old
    });
    assert_eq!(name(&world.stored().token()), name(&token));
    world.assert_refreshed(1);
    world.assert_alive();
}

#[test]
fn refr_4_a_token_that_cannot_be_saved_is_saved_later_though_nobody_asks_again() {
    let world = World::expired();
    let old = world.stored();
    let (auth, faults) = fickle(&world);
    fails(&faults.save, ALWAYS);
    let token = auth.blocking().token().unwrap();
    assert_eq!(world.stored(), old);
    fails(&faults.save, 0);
    common::eventually("a save", || world.stored() != old);
    assert_eq!(name(&world.stored().token()), name(&token));
    world.assert_alive();
}

#[test]
fn refr_4_the_next_refresh_spends_the_token_that_could_not_be_saved() {
    let world = World::expired();
    let (auth, faults) = fickle(&world);
    fails(&faults.save, ALWAYS);
    let first = auth.blocking().token().unwrap();
    fails(&faults.save, 0);
    let second = auth.blocking().force_refresh().unwrap();
    assert_ne!(name(&first), name(&second));
    world.assert_refreshed(2);
    world.assert_alive();
}

#[test]
fn refr_4_what_could_not_be_saved_does_not_replace_a_newer_login() {
    let world = World::expired();
    let (auth, faults) = fickle(&world);
    fails(&faults.save, ALWAYS);
    auth.blocking().token().unwrap();
    // It is there before the next try can succeed.
    let newer = world.seed(3600);
    fails(&faults.save, 0);
    common::eventually("the newer login", || {
        name(&auth.blocking().token().unwrap()) == name(&newer)
    });
    assert_eq!(name(&world.stored().token()), name(&newer));
    world.assert_alive();
}

#[test]
fn refr_4_no_refresh_token_is_spent_on_a_store_that_cannot_be_written() {
    let world = World::expired();
    let (auth, faults) = fickle(&world);
    fails(&faults.prove, 1);
    let error = auth.blocking().token().unwrap_err();
    assert!(matches!(error, TokenError::Store(_)), "{error:?}");
    assert_eq!(world.server.counts().requests, 0);
    fails(&faults.lock, 1);
    assert!(matches!(auth.blocking().token(), Err(TokenError::Store(_))));
    assert_eq!(world.server.counts().requests, 0);
    auth.blocking().token().unwrap();
    world.assert_refreshed(1);
}

#[test]
fn refr_6_an_old_token_is_handed_out_while_the_store_cannot_be_written() {
    let world = World::new();
    let old = world.seed(240);
    let (auth, faults) = fickle(&world);
    for fault in [&faults.prove, &faults.lock] {
        fails(fault, ALWAYS);
        assert_eq!(name(&auth.blocking().token().unwrap()), name(&old));
        assert!(matches!(auth.blocking().force_refresh(), Err(TokenError::Store(_))));
        fails(fault, 0);
    }
    assert_eq!(world.server.counts().requests, 0);
}

#[test]
fn refr_6_a_folder_of_locks_that_cannot_be_made_is_such_a_store() {
    let world = World::new();
    let old = world.seed(240);
    // For root too, to whom no mode is an obstacle.
    std::fs::write(world.folder().join("token-cache.locks"), "").unwrap();
    assert_eq!(name(&world.auth().blocking().token().unwrap()), name(&old));
    assert!(world.auth().blocking().force_refresh().is_err());
    assert_eq!(world.server.counts().requests, 0);
}

#[test]
fn flow_8_a_login_that_cannot_be_saved_is_good_for_this_process_and_is_saved_later() {
    let world = World::new();
    let (auth, faults) = fickle(&world);
    fails(&faults.save, ALWAYS);
    let signed_in = common::runtime().block_on(auth.challenge()).unwrap();
    assert!(signed_in.unsaved().is_some());
    assert!(world.store().load(&world.key()).unwrap().is_none());
    assert_eq!(name(&auth.blocking().token().unwrap()), name(&signed_in.token()));
    assert!(!auth.blocking().close(Duration::ZERO), "it would be lost");
    // Its refresh token is not lost either.
    fails(&faults.save, 0);
    let next = auth.blocking().force_refresh().unwrap();
    assert_ne!(name(&next), name(&signed_in.token()));
    assert_eq!(name(&world.stored().token()), name(&next));
    assert!(auth.blocking().close(common::LONG));
    world.assert_alive();
}

#[test]
fn who_signs_in_to_what_cannot_be_saved_is_not_told_that_it_went_well() {
    let (world, faults) = (World::new(), Arc::new(Faults::default()));
    fails(&faults.save, ALWAYS);
    let shown = Arc::new(std::sync::Mutex::new(None));
    let kept = Arc::clone(&shown);
    let browser = browser_fn(move |url: url::Url| {
        let showing = u2m_testkit::follow_login_in_background(url.as_str());
        *kept.lock().unwrap() = Some(showing);
        async { Ok(()) }
    });
    let builder = PersistentAuth::builder(world.target()).with_browser(browser).with_port(0);
    let auth = builder.with_store(Twisted(world.store(), faults)).build().unwrap();
    assert!(auth.blocking().challenge().unwrap().unsaved().is_some());
    let page = shown.lock().unwrap().take().unwrap().join().unwrap().unwrap();
    assert!(page.body().contains("The sign-in did not finish"), "{}", page.body());
}

/// A login that cannot be saved, at a server that offers revocation.
fn signed_in_for_nothing() -> (World, PersistentAuth, Arc<Faults>) {
    let world = World::with(Settings::new().with_revocation());
    let (auth, faults) = fickle(&world);
    fails(&faults.save, ALWAYS);
    let signed_in = common::runtime().block_on(auth.challenge()).unwrap();
    assert!(signed_in.unsaved().is_some());
    (world, auth, faults)
}

#[test]
fn a_login_that_is_given_up_is_ended_at_its_server_and_is_nobodys_any_more() {
    let (world, auth, faults) = signed_in_for_nothing();
    let late = auth.blocking().save_or_give_up(|| true);
    let LateSave::GivenUp { why, revoked } = late else { panic!("it was saved") };
    assert!(common::chain(&why).contains("home folder"), "{why:?}");
    assert!(matches!(revoked, Some(Ok(Revocation::Revoked))), "{revoked:?}");
    let counts = world.server.counts();
    assert_eq!((counts.revocations, counts.revoked_families), (1, 1), "{counts:?}");
    // Neither is it handed out, nor saved when it could be.
    fails(&faults.save, 0);
    assert!(auth.peek().is_none() && auth.blocking().close(common::LONG));
    assert!(matches!(auth.blocking().token(), Err(TokenError::NotFound)));
    assert!(world.store().load(&world.key()).unwrap().is_none());
}

#[test]
fn a_login_that_can_be_saved_after_all_is_and_stays_a_login() {
    let (world, auth, faults) = signed_in_for_nothing();
    fails(&faults.save, 0);
    let late = common::runtime().block_on(auth.save_or_give_up(|| true));
    assert!(matches!(late, LateSave::Saved), "{late:?}");
    world.assert_alive();
    assert_eq!(world.server.counts().revocations, 0);
    // And of one that is saved there is nothing to give up.
    assert!(matches!(auth.blocking().save_or_give_up(|| true), LateSave::Saved));
    world.assert_alive();
}

#[test]
fn a_login_that_cannot_be_saved_is_tried_again_until_it_is_enough_and_then_once_more() {
    let (_, auth, faults) = signed_in_for_nothing();
    let before = faults.save.load(Ordering::SeqCst);
    let late = auth.blocking().save_or_give_up(|| true);
    assert!(matches!(late, LateSave::GivenUp { .. }), "{late:?}");
    // Beside this one, the thread that goes on trying may have been at it.
    let tried = before - faults.save.load(Ordering::SeqCst);
    assert!((1..8).contains(&tried), "{tried} times, and it was enough");
    let (world, auth, faults) = signed_in_for_nothing();
    fails(&faults.save, 3);
    let late = auth.blocking().save_or_give_up(|| false);
    assert!(matches!(late, LateSave::Saved), "{late:?}");
    world.assert_alive();
}

#[test]
fn a_login_that_somebody_has_replaced_meanwhile_is_ended_and_theirs_stays() {
    let (world, auth, _) = signed_in_for_nothing();
    world.seed(1800);
    let late = auth.blocking().save_or_give_up(|| false);
    let LateSave::GivenUp { revoked, .. } = late else { panic!("theirs was replaced") };
    assert!(matches!(revoked, Some(Ok(Revocation::Revoked))), "{revoked:?}");
    world.assert_alive();
}

#[test]
fn t29_closing_saves_what_could_not_be_saved() {
    let world = World::expired();
    let (auth, faults) = fickle(&world);
    fails(&faults.save, ALWAYS);
    let token = auth.blocking().token().unwrap();
    assert!(!auth.blocking().close(Duration::ZERO));
    fails(&faults.save, 0);
    assert!(auth.blocking().close(common::LONG));
    assert_eq!(name(&world.stored().token()), name(&token));
    world.assert_alive();
}

/// The first reading takes its time.
#[derive(Debug)]
struct Slow(Arc<AtomicBool>);

impl Twist for Slow {
    fn load(&self, file: &FileStore, key: &CacheKey) -> Stored<Option<Session>> {
        let read = file.load(key);
        if !self.0.swap(true, Ordering::SeqCst) {
            std::thread::sleep(Duration::from_secs(1));
        }
        read
    }
}

#[test]
fn what_was_read_before_a_login_does_not_take_its_place_in_hand() {
    let world = World::new();
    let old = world.seed(3000);
    let reads = Arc::new(AtomicBool::new(false));
    let builder = PersistentAuth::builder(world.target());
    let builder = builder.with_store(Twisted(world.store(), Slow(Arc::clone(&reads))));
    let auth = builder.with_browser(browser()).with_port(0).build().unwrap();
    let reading = auth.clone();
    let reading = std::thread::spawn(move || common::runtime().block_on(reading.token()).unwrap());
    common::eventually("a read", || reads.load(Ordering::SeqCst));
    let signed_in = common::runtime().block_on(auth.challenge()).unwrap();
    assert_eq!(name(&reading.join().unwrap()), name(&old), "it was asked for before");
    assert_eq!(name(&auth.blocking().token().unwrap()), name(&signed_in.token()));
}

/// The store does not answer while that is said.
#[derive(Debug)]
struct Away(Arc<AtomicBool>);

impl Twist for Away {
    fn load(&self, file: &FileStore, key: &CacheKey) -> Stored<Option<Session>> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(StoreError::LockTimeout { path: file.path().into() }),
            false => file.load(key),
        }
    }
}

#[test]
fn while_the_store_is_away_a_token_in_hand_is_used_for_as_long_as_it_is_good() {
    let world = World::new();
    let away = Arc::new(AtomicBool::new(false));
    let trouble = Fault::status(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "");
    world.server.inject(Endpoint::Token, Times::Always, trouble);
    for (left, is_good) in [(240, true), (14, false)] {
        let old = world.seed(left);
        let store = Twisted(world.store(), Away(Arc::clone(&away)));
        let builder = PersistentAuth::builder(world.target()).with_store(store);
        let auth = builder.with_rules(restless()).build().unwrap();
        assert_eq!(name(&auth.blocking().token().unwrap()), name(&old));
        away.store(true, Ordering::SeqCst);
        if !is_good {
            // Less than is held back of its end.
            std::thread::sleep(Duration::from_secs(6));
        }
        for _ in 0..2 {
            std::thread::sleep(Duration::from_millis(1_100));
            let outcomes = [auth.blocking().token(), common::runtime().block_on(auth.token())];
            for outcome in outcomes {
                match outcome {
                    Ok(token) => assert!(is_good && name(&token) == name(&old), "{left}"),
                    Err(error) => {
                        assert!(!is_good && matches!(error, TokenError::Store(_)), "{error:?}");
                    }
                }
            }
        }
        assert!(auth.blocking().force_refresh().is_err(), "an old one is no answer to that");
        away.store(false, Ordering::SeqCst);
    }
}
