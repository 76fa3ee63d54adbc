//! The shared store goes away while a login is used, or somebody logs in or out elsewhere.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/redis.rs"]
mod redis;
#[path = "../../u2m-cache/tests/common/redis_server.rs"]
mod redis_server;

use common::{LONG, chain, eventually, restless, within};
use redis::{LEASE_OF_OLD, SharedToken};
use std::thread::JoinHandle;
use std::time::Duration;
use u2m::source::Lifetime;
use u2m::store::TokenStore;
use u2m::{Token, TokenError};
use u2m_testkit::{Endpoint, Fault, Settings, Times, http::StatusCode};

const SLOW: Duration = Duration::from_millis(500);

fn shared(left: i64) -> Option<SharedToken> {
    SharedToken::with(Settings::new(), LEASE_OF_OLD, left)
}

/// A refresh under way: its refresh token is spent, and its answer comes soon.
fn under_way(shared: &SharedToken) -> JoinHandle<Result<Token, TokenError>> {
    shared.world.server.inject(Endpoint::Token, Times::Once, Fault::delay(SLOW));
    let auth = shared.auth().blocking();
    let refresh = std::thread::spawn(move || auth.token());
    eventually("the request", || shared.world.refreshes() == 1);
    refresh
}

#[test]
fn a_logout_elsewhere_during_a_refresh_stays_a_logout() {
    let Some(shared) = shared(-5) else { return };
    let refresh = under_way(&shared);
    shared.abroad().delete(&shared.world.key()).unwrap();
    let error = refresh.join().unwrap().unwrap_err();
    assert!(matches!(error, TokenError::NotFound), "{}", chain(&error));
    assert_eq!(shared.stored(), None);
    assert_eq!(shared.world.refreshes(), 1);
}

#[test]
fn a_login_elsewhere_during_a_refresh_wins_and_its_token_is_handed_out() {
    let Some(shared) = shared(-5) else { return };
    let refresh = under_way(&shared);
    let login = shared.world.session(3600);
    shared.abroad().save(&shared.world.key(), &login).unwrap();
    assert_eq!(refresh.join().unwrap().unwrap(), login.token());
    assert_eq!(shared.stored().unwrap(), login);
    assert_eq!(shared.world.refreshes(), 1);
    shared.assert_alive();
}

#[test]
fn while_the_store_is_down_a_good_token_in_hand_is_served_and_no_refresh_token_is_spent() {
    let Some(mut shared) = shared(3600) else { return };
    // Every token is one to be renewed ahead of time, so that each call asks the store.
    let mut rules = restless();
    rules.lead = Lifetime::from_seconds(7200);
    let auth = shared.builder().with_rules(rules).build().unwrap();
    let unwell = Fault::status(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "later");
    shared.world.server.inject(Endpoint::Token, Times::Always, unwell);
    let token = auth.blocking().token().unwrap();
    let refreshes = shared.world.refreshes();
    shared.redis.kill();
    for _ in 0..3 {
        assert_eq!(auth.blocking().token().unwrap(), token);
        assert_eq!(common::runtime().block_on(auth.token()).unwrap(), token);
    }
    let error = auth.blocking().force_refresh().unwrap_err();
    assert!(error.is_transient(), "an old token is not a new one: {}", chain(&error));
    assert_eq!(shared.world.refreshes(), refreshes);
}

#[test]
fn while_the_store_is_down_and_nothing_good_is_in_hand_the_failure_is_transient() {
    let Some(mut shared) = shared(-5) else { return };
    shared.redis.kill();
    let auth = shared.auth();
    let error = within(LONG, move || auth.blocking().token()).unwrap_err();
    assert!(error.is_transient() && !error.needs_login(), "{}", chain(&error));
    assert!(chain(&error).contains("Redis at 127.0.0.1"), "{}", chain(&error));
    assert_eq!(shared.world.refreshes(), 0);
}

#[test]
fn a_store_that_came_back_empty_says_to_log_in() {
    let Some(mut shared) = shared(-5) else { return };
    shared.redis.revive_empty();
    let error = shared.auth().blocking().token().unwrap_err();
    assert!(matches!(error, TokenError::NotFound) && error.needs_login());
    assert_eq!(shared.world.refreshes(), 0);
}

#[test]
fn refr_4_a_store_that_goes_away_during_a_refresh_has_the_new_token_when_it_is_back() {
    let Some(mut shared) = shared(-5) else { return };
    shared.world.server.inject(Endpoint::Token, Times::Once, Fault::delay(SLOW));
    let auth = shared.auth();
    let refresh = {
        let auth = auth.blocking();
        std::thread::spawn(move || auth.token())
    };
    eventually("the request", || shared.world.refreshes() == 1);
    shared.redis.kill();
    let token = refresh.join().unwrap().unwrap();
    let notices = auth.take_notices();
    assert!(notices[0].text.contains("could not be saved"), "{notices:?}");
    shared.redis.revive();
    let other = shared.abroad();
    let is_there = || {
        assert_eq!(auth.blocking().token().unwrap(), token, "it is served meanwhile");
        let stored = other.load(&shared.world.key()).unwrap().unwrap();
        stored.token() == token
    };
    eventually("saved", is_there);
    assert!(auth.blocking().close(LONG));
    shared.world.assert_refreshed(1);
    shared.assert_alive();
}

#[test]
fn store_3_an_async_caller_is_not_kept_by_a_store_that_takes_long() {
    let Some(shared) = shared(3600) else { return };
    let auth = shared.auth();
    shared.redis.pause(true);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (outcome, ()) = runtime.block_on(async {
        tokio::join!(auth.token(), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            // Not before this, on the same thread, does the store answer.
            shared.redis.pause(false);
        })
    });
    outcome.unwrap();
}

#[test]
fn redis_4_one_login_by_two_names_on_two_machines_is_refreshed_once() {
    let Some(shared) = shared(-5) else { return };
    let shared = shared.late(Duration::from_millis(50));
    let dev = shared.world.target().with_profile(u2m::ProfileName::parse("dev").unwrap());
    let session = shared.stored().unwrap();
    shared.store().save(&dev.cache_key(), &session).unwrap();
    let tokens = common::together(16, |at| {
        let target = if at % 2 == 0 { shared.world.target() } else { dev.clone() };
        let store = if at % 4 < 2 { shared.store() } else { shared.abroad() };
        let auth = u2m::PersistentAuth::builder(target).with_store(store).build().unwrap();
        auth.blocking().token().unwrap()
    });
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    shared.world.assert_refreshed(1);
    shared.assert_alive();
    let twin = shared.store().load(&dev.cache_key()).unwrap().unwrap();
    assert_eq!(twin.refresh_token, shared.stored().unwrap().refresh_token);
}

#[test]
fn redis_2_a_store_that_is_away_for_a_while_at_any_moment_of_a_refresh_loses_no_login() {
    let Some(mut shared) = shared(3600) else { return };
    for at in 0..12 {
        shared.sign_in(-5);
        shared.world.server.inject(Endpoint::Token, Times::Once, Fault::delay(SLOW / 2));
        let auth = shared.auth();
        let refresh = {
            let auth = auth.blocking();
            std::thread::spawn(move || auth.token())
        };
        // From before the first question to after the last.
        std::thread::sleep(SLOW / 8 * at);
        shared.redis.kill();
        std::thread::sleep(SLOW / 4 * (at % 3));
        shared.redis.revive();
        let outcome = refresh.join().unwrap();
        if let Err(error) = &outcome {
            assert!(error.is_transient(), "{at}: {}", chain(error));
        }
        assert!(auth.blocking().close(LONG), "{at}");
        let stored = shared.stored().unwrap();
        if let Ok(token) = outcome {
            assert_eq!(stored.token(), token, "{at}");
        }
        let refresh_token = stored.refresh_token.unwrap();
        assert!(shared.world.server.is_refreshable(refresh_token.expose()), "{at}");
    }
}
