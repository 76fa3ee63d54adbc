//! A program that goes by a clock of its own: its tests let hours pass at once.
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, name, runtime};
use u2m::source::Lifetime;
use u2m::{PersistentAuth, Token};

const HOUR: Lifetime = Lifetime::from_seconds(3600);

/// A login with an hour left, of a program that goes by the server's clock.
fn login(world: &World) -> (PersistentAuth, Token) {
    let seeded = world.seed(3600);
    let auth = world.builder().with_clock(world.server.clock()).build().unwrap();
    assert_eq!(name(&auth.blocking().token().unwrap()), name(&seeded));
    (auth, seeded)
}

#[test]
fn when_the_servers_clock_moves_the_programs_token_runs_out_and_is_renewed_once() {
    let world = World::new();
    let (auth, first) = login(&world);
    let mut last = name(&first);
    for refreshes in 1..=3 {
        world.server.advance(HOUR);
        assert!(auth.peek().is_none(), "it has ended");
        let token = runtime().block_on(auth.token()).unwrap();
        assert_eq!(name(&auth.blocking().token().unwrap()), name(&token));
        assert_ne!(name(&token), last);
        // It is good for an hour by the clock that both go by.
        let left = world.server.now().until(token.expiry().unwrap()).seconds();
        assert!((3500..=3600).contains(&left), "{left}");
        world.assert_refreshed(refreshes);
        last = name(&token);
    }
    world.assert_alive();
}

#[test]
fn a_token_is_renewed_ahead_of_its_end_and_good_to_the_end_by_that_clock() {
    let world = World::new();
    let (auth, first) = login(&world);
    world.server.advance(Lifetime::from_seconds(3540));
    assert_eq!(auth.peek().as_ref().map(name), Some(name(&first)), "it has a minute left");
    let token = auth.blocking().token().unwrap();
    assert_ne!(name(&token), name(&first), "and the next one is due");
    world.assert_refreshed(1);
}

#[test]
fn another_login_of_the_same_process_goes_by_its_own_clock() {
    let (world, other) = (World::new(), World::new());
    let (auth, _) = login(&world);
    let seeded = other.seed(3600);
    let usual = other.auth();
    world.server.advance(HOUR);
    auth.blocking().token().unwrap();
    assert_eq!(name(&usual.blocking().token().unwrap()), name(&seeded));
    world.assert_refreshed(1);
    other.assert_refreshed(0);
}
