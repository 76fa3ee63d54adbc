//! A caller that does not wait for its token: the refresh that it began is finished and saved all the same.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, World, name, runtime};
use std::time::Duration;
use u2m::process::wait_for_saves;
use u2m::store::TokenStore;
use u2m::{PersistentAuth, TokenError};
use u2m_testkit::{Endpoint, Fault, Times};

const ANSWER: Duration = Duration::from_millis(20);

fn world() -> World {
    let world = World::new();
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(ANSWER));
    world
}

/// Between the arrival of the request at the server and some time after its answer.
fn moment(round: u64) -> Duration {
    Duration::from_micros(round * 7_919 % 30_000)
}

/// Waits until the server has got one request more than `before`, and then a little longer.
async fn sent(world: &World, before: u64, round: u64) {
    while world.refreshes() == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(moment(round)).await;
}

async fn cancel(world: &World, auth: &PersistentAuth, round: u64) {
    let before = world.refreshes();
    let call = async {
        if round.is_multiple_of(2) { auth.token().await } else { auth.force_refresh().await }
    };
    tokio::select! {
        biased;
        () = sent(world, before, round) => {}
        outcome = call => drop(outcome.unwrap()),
    }
}

#[test]
fn async_3_200_futures_dropped_after_their_request_was_sent_lose_no_login() {
    let world = world();
    let runtime = runtime();
    for round in 0..200 {
        world.seed(-5);
        let before = world.refreshes();
        let auth = world.auth();
        runtime.block_on(cancel(&world, &auth, round));
        // At once, while the refresh may still be under way.
        let token = runtime.block_on(auth.token()).unwrap();
        assert_eq!(world.refreshes(), before + 1, "round {round}");
        assert!(wait_for_saves(LONG));
        world.assert_alive();
        assert_eq!(name(&token), name(&world.stored().token()), "round {round}");
    }
    assert_eq!(world.server.counts().rejected, 0);
}

#[test]
fn async_3_a_runtime_dropped_meanwhile_loses_no_login() {
    let world = world();
    for round in 0..30 {
        world.seed(-5);
        let before = world.refreshes();
        let auth = world.auth();
        let runtime = runtime();
        let caller = auth.clone();
        runtime.spawn(async move { caller.token().await });
        runtime.block_on(sent(&world, before, round));
        runtime.shutdown_background();
        auth.blocking().token().unwrap();
        assert_eq!(world.refreshes(), before + 1, "round {round}");
        assert!(auth.blocking().close(LONG));
        world.assert_alive();
    }
}

#[test]
fn refr_2_a_waiter_that_leaves_takes_nothing_from_the_others() {
    let world = World::expired();
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(Duration::from_millis(300)));
    let auth = world.auth();
    runtime().block_on(async {
        let stays = tokio::spawn({
            let auth = auth.clone();
            async move { auth.token().await }
        });
        for _ in 0..20 {
            let hasty = tokio::time::timeout(Duration::from_millis(5), auth.token()).await;
            assert!(hasty.is_err());
        }
        stays.await.unwrap().unwrap();
    });
    world.assert_refreshed(1);
    world.assert_alive();
}

#[test]
fn t29_close_says_whether_everything_bought_is_saved() {
    let world = World::expired();
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(Duration::from_millis(400)));
    let auth = world.auth();
    let caller = auth.clone().blocking();
    let thread = std::thread::spawn(move || caller.token());
    common::eventually("a request", || world.refreshes() == 1);
    assert!(
        !auth.blocking().close(Duration::ZERO),
        "the refresh token is spent, and nothing saved yet"
    );
    assert!(auth.blocking().close(LONG));
    world.assert_alive();
    thread.join().unwrap().unwrap();
}

#[test]
fn a_runtime_of_one_thread_goes_on_while_it_waits_for_what_is_to_be_saved() {
    let world = World::expired();
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(Duration::from_millis(400)));
    let auth = world.auth();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let caller = auth.clone();
        let asked = tokio::spawn(async move { caller.token().await });
        while world.refreshes() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(!auth.close(Duration::ZERO).await, "it is spent, and nothing saved yet");
        let (mut ticks, closing) = (0, auth.close(LONG));
        let ticking = async {
            loop {
                ticks += 1;
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            closed = closing => assert!(closed),
            () = ticking => {}
        }
        assert!(ticks > 0, "others have their turn");
        asked.await.unwrap().unwrap();
    });
    world.assert_alive();
}

#[test]
fn a_callers_limit_ends_its_wait_and_not_the_refresh() {
    let world = World::new();
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(Duration::from_secs(3)));
    for is_async in [true, false] {
        world.seed(-5);
        let before = world.refreshes();
        let auth = world.builder().with_wait(Duration::from_secs(1)).build().unwrap();
        let outcome = match is_async {
            true => runtime().block_on(auth.token()),
            false => auth.blocking().token(),
        };
        let error = outcome.unwrap_err();
        assert!(matches!(error, TokenError::StillWaiting) && error.is_transient(), "{error:?}");
        assert!(!error.needs_login());
        common::eventually("the refresh is sent", || world.refreshes() == before + 1);
        assert!(auth.blocking().close(LONG), "what was sent is saved");
        let token = world.auth().blocking().token().unwrap();
        assert_eq!(name(&token), name(&world.stored().token()));
        assert_eq!(world.refreshes(), before + 1);
        world.assert_alive();
    }
}

#[test]
fn a_callers_limit_of_nothing_is_over_before_anything_is_sent() {
    let world = World::expired();
    let auth = world.builder().with_wait(Duration::ZERO).build().unwrap();
    let error = auth.blocking().force_refresh().unwrap_err();
    assert!(matches!(error, TokenError::OutOfTime) && error.is_transient(), "{error:?}");
    // The program lives on, and so does the refresh.
    common::eventually("it is refreshed", || world.refreshes() == 1);
    assert!(auth.blocking().close(LONG), "what was sent is saved");
    world.assert_alive();
}

#[test]
fn a_caller_whose_time_is_over_while_another_process_refreshes_is_told_that_it_goes_on() {
    let world = World::expired();
    let store = world.store();
    let lock = store.lock(&world.key(), Duration::ZERO).unwrap().unwrap();
    let auth = world.builder().with_wait(Duration::from_secs(2)).build().unwrap();
    let error = auth.blocking().token().unwrap_err();
    assert!(matches!(error, TokenError::StillWaiting), "{error:?}");
    drop(lock);
    common::eventually("it is refreshed", || world.refreshes() == 1);
    assert!(auth.blocking().close(LONG), "what was sent is saved");
}
