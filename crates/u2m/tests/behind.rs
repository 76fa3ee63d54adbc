//! A renewal behind the callers of a program that lives long, and tokens that are to live for a while.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, World, eventually, name, restless, runtime};
use std::time::{Duration, Instant};
use u2m::source::{Bearer, HeaderSource, Lifetime, Need, Renewal, TokenSource};
use u2m::{PersistentAuth, Token};
use u2m_testkit::{Endpoint, Fault, Settings, Times, http::StatusCode};

/// A login with 4 minutes left, whose token is in hand and due.
fn due(world: &World) -> (PersistentAuth, Token) {
    let old = world.seed(240);
    let trouble = Fault::status(StatusCode::SERVICE_UNAVAILABLE, "text/html", "<h1>503</h1>");
    world.server.inject(Endpoint::Token, Times::Exactly(3), trouble);
    let builder = world.builder().with_rules(restless()).with_renewal(Renewal::Behind);
    let auth = builder.build().unwrap();
    assert_eq!(name(&auth.blocking().token().unwrap()), name(&old));
    world.server.clear_faults();
    // It was handed out for the rest of the second.
    eventually("it is due", || auth.fresh().is_none());
    // It is good to its end all the same.
    assert_eq!(auth.peek().as_ref().map(name), Some(name(&old)));
    (auth, old)
}

#[test]
fn refr_6_a_stale_token_is_handed_out_at_once_while_the_server_takes_2_seconds_and_is_asked_once() {
    let world = World::new();
    let (auth, old) = due(&world);
    let before = world.refreshes();
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(Duration::from_secs(2)));
    let (threads, runtime) = (auth.blocking(), runtime());
    let mut took = Vec::new();
    let mut timed = |ask: &dyn Fn() -> Token| {
        let start = Instant::now();
        let token = ask();
        took.push(start.elapsed());
        name(&token)
    };
    // The first of them begins the refresh.
    while world.refreshes() == before {
        assert_eq!(timed(&|| threads.token().unwrap()), name(&old));
        assert_eq!(timed(&|| runtime.block_on(auth.token()).unwrap()), name(&old));
    }
    for _ in 0..100 {
        assert_eq!(timed(&|| threads.token().unwrap()), name(&old));
        assert_eq!(timed(&|| runtime.block_on(auth.token()).unwrap()), name(&old));
    }
    took.sort();
    let usual = took[took.len() / 2];
    assert!(usual < Duration::from_millis(1), "{usual:?}");
    assert!(runtime.block_on(auth.close(LONG)), "what runs behind is waited for");
    eventually("the new token is in hand", || {
        auth.peek().is_some_and(|token| name(&token) != name(&old))
    });
    assert_eq!(world.refreshes(), before + 1);
    world.assert_alive();
}

#[test]
fn async_1_a_token_is_renewed_for_a_caller_who_needs_it_for_longer_and_serves_all_others() {
    let world = World::new();
    let old = world.seed(1_800);
    let (auth, runtime) = (world.auth(), runtime());
    let needing = |seconds| Need::at_least(Lifetime::from_seconds(seconds));
    let get = |need: &Need| runtime.block_on(auth.get(need)).unwrap();
    assert_eq!(name(&get(&needing(1_700))), name(&old));
    assert_eq!(name(&get(&Need::usable())), name(&old));
    assert_eq!(world.refreshes(), 0);
    let new = get(&needing(2_000));
    assert_ne!(name(&new), name(&old));
    // More than a token lives for: what there is.
    for need in [needing(2_000), needing(0), needing(86_400)] {
        assert_eq!(name(&get(&need)), name(&new));
        assert_eq!(name(&auth.blocking().get(&need).unwrap()), name(&new));
    }
    // By another process, so to speak.
    assert_eq!(name(&world.auth().blocking().get(&needing(86_400)).unwrap()), name(&new));
    world.assert_refreshed(1);
    world.assert_alive();
}

#[test]
fn async_1_whoever_needs_a_longer_life_than_is_left_is_told_when_there_is_none_to_be_had() {
    let world = World::new();
    let old = world.seed(1_800);
    let trouble = Fault::status(StatusCode::SERVICE_UNAVAILABLE, "text/html", "<h1>503</h1>");
    world.server.inject(Endpoint::Token, Times::Always, trouble);
    let (auth, need) = (world.auth(), Need::at_least(Lifetime::from_seconds(2_000)));
    let error = runtime().block_on(auth.get(&need)).unwrap_err();
    assert!(error.is_transient() && !error.needs_login(), "{error:?}");
    assert_eq!(name(&auth.blocking().token().unwrap()), name(&old));
}

#[test]
fn a_server_whose_tokens_are_short_is_not_asked_by_every_caller_who_needs_a_long_one() {
    let world = World::with(Settings::new().with_lifetime(Lifetime::from_seconds(600)));
    world.seed(-5);
    let need = Need::at_least(Lifetime::from_seconds(3_000));
    for _ in 0..5 {
        let auth = world.auth().blocking();
        assert_eq!(name(&auth.get(&need).unwrap()), name(&auth.get(&need).unwrap()));
    }
    world.assert_refreshed(1);
}

#[test]
fn a_login_is_a_source_of_tokens_and_of_headers_by_whatever_pointer_it_is_held() {
    let world = World::new();
    let old = world.seed(3_000);
    let (auth, runtime) = (world.auth(), runtime());
    let sources: [Box<dyn TokenSource>; 3] = [
        Box::new(auth.clone()),
        Box::new(std::sync::Arc::new(auth.clone())),
        Box::new(std::sync::Arc::new(auth.clone()) as std::sync::Arc<dyn TokenSource>),
    ];
    assert!(sources[0].fresh().is_none(), "nobody has asked yet");
    for source in &sources {
        assert_eq!(name(&runtime.block_on(source.token()).unwrap()), name(&old));
        assert_eq!(source.fresh().as_ref().map(name), Some(name(&old)));
        assert_eq!(source.describe(), auth.describe());
    }
    let headers = Bearer::new(&sources[1]);
    let sent = runtime.block_on(headers.headers(&Need::usable())).unwrap();
    assert_eq!(sent.authorization(), Some(&old.authorization()));
    // Answered with 401, it asks for another.
    let rejected = sent.token().unwrap();
    let sent = runtime.block_on(headers.headers(&Need::other(rejected))).unwrap();
    assert_ne!(sent.token().map(name), Some(name(&old)));
    let replaced = runtime.block_on(sources[2].replace(&old)).unwrap();
    assert_eq!(Some(name(&replaced)), sent.token().map(name), "the one that was fetched since");
    world.assert_refreshed(1);
}
