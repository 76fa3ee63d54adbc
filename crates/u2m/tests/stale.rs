//! A token that is good for a little longer; a token that an API has rejected; a token that is wanted anew.
#![allow(clippy::unwrap_used)]

mod common;

use async_trait::async_trait;
use common::store::{Locked, Twist, Twisted};
use common::{LONG, World, chain, eventually, name, report, restless, within};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use u2m::source::TokenSource;
use u2m::store::{CacheKey, FileStore, TokenStore};
use u2m::transport::{Transport, TransportFailure};
use u2m::{PersistentAuth, TokenError};
use u2m_core::{HttpRequest, HttpResponse};
use u2m_testkit::{Endpoint, Fault, Times, http::StatusCode};

#[test]
fn worker() {
    common::work(|_, abroad| {
        let start = Instant::now();
        report(&abroad.builder().build().unwrap().blocking().force_refresh(), start.elapsed());
    });
}

fn in_trouble() -> Fault {
    Fault::status(StatusCode::SERVICE_UNAVAILABLE, "text/html", "<h1>503</h1>")
}

/// A login with 4 minutes left, and a process that has its token in hand.
fn stale() -> (World, PersistentAuth, u2m::Token) {
    let world = World::new();
    let old = world.seed(240);
    world.server.inject(Endpoint::Token, Times::Exactly(3), in_trouble());
    let auth = world.builder().with_rules(restless()).build().unwrap();
    assert_eq!(name(&auth.blocking().token().unwrap()), name(&old));
    world.server.clear_faults();
    // A second later it is tried again.
    std::thread::sleep(Duration::from_millis(1_100));
    (world, auth, old)
}

#[test]
fn a_token_with_6_minutes_left_needs_nothing_and_one_with_4_is_renewed() {
    let world = World::new();
    let old = world.seed(360);
    assert_eq!(name(&world.auth().blocking().token().unwrap()), name(&old));
    assert_eq!(world.server.counts().requests, 0);
    let old = world.seed(240);
    assert_ne!(name(&world.auth().blocking().token().unwrap()), name(&old));
    world.assert_refreshed(1);
}

#[test]
fn refr_6_while_one_caller_renews_the_others_have_the_old_token_at_once() {
    let (world, auth, old) = stale();
    let (before, late) = (world.refreshes(), Duration::from_secs(2));
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(late));
    let first = auth.blocking();
    let first = std::thread::spawn(move || first.token().unwrap());
    eventually("a request", || world.refreshes() == before + 1);
    let start = Instant::now();
    for _ in 0..20 {
        // In this object, in another of this process, and without a runtime or with one.
        assert_eq!(name(&auth.blocking().token().unwrap()), name(&old));
        assert_eq!(name(&world.auth().blocking().token().unwrap()), name(&old));
    }
    let runtime = common::runtime();
    assert_eq!(name(&runtime.block_on(auth.token()).unwrap()), name(&old));
    assert!(start.elapsed() < late, "nobody waited for the answer");
    let new = within(LONG, move || first.join().unwrap());
    assert_ne!(name(&new), name(&old));
    assert_eq!(name(&auth.blocking().token().unwrap()), name(&new));
    assert_eq!(world.refreshes(), before + 1);
    world.assert_alive();
}

#[test]
fn refr_6_a_renewal_that_fails_is_left_alone_for_a_while() {
    let world = World::new();
    let old = world.seed(240);
    let before = world.stored();
    world.server.inject(Endpoint::Token, Times::Always, in_trouble());
    let auth = world.auth().blocking();
    assert_eq!(name(&auth.token().unwrap()), name(&old));
    let requests = world.refreshes();
    assert_eq!(requests, 3, "it is repeated twice, HTTP-1");
    // By nobody: not here, not by an object that knows nothing of it, not by async callers.
    for _ in 0..10 {
        assert_eq!(name(&auth.token().unwrap()), name(&old));
        assert_eq!(name(&world.auth().blocking().token().unwrap()), name(&old));
    }
    assert_eq!(name(&common::runtime().block_on(world.auth().token()).unwrap()), name(&old));
    assert_eq!(world.refreshes(), requests);
    assert_eq!(world.stored(), before, "the store is untouched");
}

#[test]
fn a_token_without_a_refresh_token_is_used_until_it_dies() {
    let world = World::new();
    let mut session = world.session(180);
    session.refresh_token = None;
    world.store().save(&world.key(), &session).unwrap();
    let auth = world.auth().blocking();
    assert_eq!(name(&auth.token().unwrap()), name(&session.token()));
    assert!(matches!(auth.force_refresh(), Err(TokenError::MissingRefreshToken)));
    session.expiry = Some(common::now());
    world.store().save(&world.key(), &session).unwrap();
    let error = world.auth().blocking().token().unwrap_err();
    assert_eq!(error.to_string(), "cached token has no refresh token");
    assert_eq!(world.server.counts().requests, 0);
}

#[test]
fn async_7_a_rejected_token_is_replaced_by_what_another_has_fetched_since() {
    let world = World::new();
    let rejected = world.seed(3600);
    let (here, there) = (world.auth(), world.auth());
    assert_eq!(name(&here.blocking().token().unwrap()), name(&rejected));
    let fetched = there.blocking().refresh_rejected(&rejected).unwrap();
    assert_ne!(name(&fetched), name(&rejected));
    assert_eq!(name(&here.blocking().refresh_rejected(&rejected).unwrap()), name(&fetched));
    let source: &dyn TokenSource = &here;
    let replaced = common::runtime().block_on(source.replace(&rejected)).unwrap();
    assert_eq!(name(&replaced), name(&fetched));
    world.assert_refreshed(1);
}

#[test]
fn a13_20_callers_with_the_same_401_cost_one_refresh() {
    let world = World::new();
    let rejected = world.seed(3600);
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(Duration::from_millis(50)));
    let shared = world.auth();
    let tokens = common::together(20, |at| {
        let auth = if at % 2 == 0 { shared.clone() } else { world.auth() };
        auth.blocking().refresh_rejected(&rejected).unwrap()
    });
    assert!(tokens.iter().all(|token| name(token) == name(&tokens[0])));
    assert_ne!(name(&tokens[0]), name(&rejected));
    world.assert_refreshed(1);
}

/// Issues one and the same access token whatever is asked.
#[derive(Debug)]
struct Stubborn {
    access: String,
    asked: Arc<AtomicUsize>,
}

#[async_trait]
impl Transport for Stubborn {
    async fn send(&self, _: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        // Late enough for others to join.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (access, refresh) = (&self.access, format!("next-{number}"));
        let body = format!(
            r#"{{"access_token":"{access}","refresh_token":"{refresh}","expires_in":3600}}"#
        );
        Ok(HttpResponse::new(200, body.into_bytes()).with_content_type("application/json"))
    }
}

#[test]
fn a_server_that_issues_the_rejected_token_again_is_told_so_and_nothing_is_lost() {
    let world = World::new();
    let rejected = world.seed(3600);
    let asked = Arc::new(AtomicUsize::new(0));
    let access = rejected.access_token().expose().to_owned();
    let transport = Stubborn { access, asked: Arc::clone(&asked) };
    let auth = world.builder().with_transport(transport).build().unwrap();
    let error = auth.blocking().refresh_rejected(&rejected).unwrap_err();
    assert!(matches!(error, TokenError::SameTokenAgain), "{}", chain(&error));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(world.stored().refresh_token.unwrap().expose(), "next-0", "what it bought is saved");
}

#[test]
fn a_caller_who_needs_any_token_does_not_share_the_failure_of_one_who_needs_another() {
    let world = World::new();
    let rejected = world.seed(3600);
    let asked = Arc::new(AtomicUsize::new(0));
    let access = rejected.access_token().expose().to_owned();
    let transport = Stubborn { access, asked: Arc::clone(&asked) };
    let auth = world.builder().with_transport(transport).build().unwrap();
    let (choosy, refused) = (auth.clone().blocking(), rejected.clone());
    let choosy = std::thread::spawn(move || choosy.refresh_rejected(&refused));
    eventually("a request", || asked.load(Ordering::SeqCst) == 1);
    let runtime = common::runtime();
    assert_eq!(name(&runtime.block_on(auth.token()).unwrap()), name(&rejected));
    assert_eq!(name(&auth.blocking().token().unwrap()), name(&rejected));
    assert!(matches!(choosy.join().unwrap(), Err(TokenError::SameTokenAgain)));
}

#[test]
fn a_fresh_token_in_the_store_is_not_lost_to_a_forced_refresh_that_fails() {
    let world = World::new();
    let fresh = world.seed(3000);
    let fault = Fault::drop_connection().after(Duration::from_millis(300));
    world.server.inject(Endpoint::Token, Times::Always, fault);
    let auth = world.auth();
    let forced = auth.clone().blocking();
    let forced = std::thread::spawn(move || forced.force_refresh());
    eventually("a request", || world.refreshes() == 1);
    assert_eq!(name(&auth.blocking().token().unwrap()), name(&fresh));
    assert!(forced.join().unwrap().is_err(), "it does not fall back to the old token");
}

/// Whoever only tries the lock learns slowly that it is taken.
#[derive(Debug)]
struct Busy;

impl Twist for Busy {
    fn lock(&self, file: &FileStore, key: &CacheKey, patience: Duration) -> Locked {
        if patience.is_zero() {
            std::thread::sleep(Duration::from_millis(500));
            return Ok(None);
        }
        file.lock(key, patience)
    }
}

#[test]
fn a_forced_refresh_does_not_share_the_impatience_of_a_renewal_ahead_of_time() {
    let world = World::new();
    let old = world.seed(240);
    let builder = PersistentAuth::builder(world.target()).with_store(Twisted(world.store(), Busy));
    let auth = builder.build().unwrap();
    let ahead = auth.clone().blocking();
    let ahead = std::thread::spawn(move || ahead.token().unwrap());
    std::thread::sleep(Duration::from_millis(200));
    let new = auth.blocking().force_refresh().unwrap();
    assert_ne!(name(&new), name(&old));
    assert_eq!(name(&ahead.join().unwrap()), name(&old));
    world.assert_refreshed(1);
    world.assert_alive();
}

#[test]
fn refr_5_two_processes_that_force_within_5_seconds_cost_one_refresh() {
    let world = World::new();
    let old = world.seed(3000);
    let first = world.at_once(["force"]);
    let second = world.at_once(["force"]);
    let names: Vec<&str> = [&first[0], &second[0]].map(|report| common::parse(report).2).into();
    assert_eq!(names[0], names[1]);
    assert_ne!(names[0], name(&old));
    world.assert_refreshed(1);
}

#[test]
fn refr_5_one_process_that_forces_twice_has_two_tokens() {
    let world = World::new();
    world.seed(3000);
    let auth = world.auth().blocking();
    let (first, second) = (auth.force_refresh().unwrap(), auth.force_refresh().unwrap());
    assert_ne!(name(&first), name(&second));
    world.assert_refreshed(2);
    world.assert_alive();
}
