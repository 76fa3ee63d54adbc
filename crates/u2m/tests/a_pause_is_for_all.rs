//! A pause that the token endpoint asks of one login is kept by the others there: in other stores of the same cache, as other
//! processes have them, but for no longer than a minute, and by nobody who signs in.
#![allow(clippy::unwrap_used)]

mod common;

use common::World;
use u2m::store::{CacheKey, Session, TokenStore};
use u2m::{PersistentAuth, TokenError};
use u2m_testkit::{Endpoint, Fault, Times, http::StatusCode};

/// Another login at the same server, under a name of its own.
fn other(world: &World, client: &str) -> PersistentAuth {
    let target = world.target().with_key(CacheKey::new("other"));
    PersistentAuth::builder(target)
        .with_client_id(client)
        .with_store(world.store())
        .build()
        .unwrap()
}

/// A world in which a login has met this answer, and another login that has run out is there beside it.
fn met(status: StatusCode, seconds: u32, client: &str) -> World {
    let world = World::expired();
    let mut session: Session = world.session(-5);
    session.binding.as_mut().unwrap().client_id = client.to_owned();
    world.store().save(&CacheKey::new("other"), &session).unwrap();
    let busy = Fault::status(status, "application/json", r#"{"error":"too_many_requests"}"#)
        .with_header("retry-after", seconds.to_string());
    world.server.inject(Endpoint::Token, Times::Once, busy);
    let error = world.auth().blocking().token().unwrap_err();
    assert!(matches!(error, TokenError::Refresh(_)), "{error:?}");
    assert_eq!(world.token_requests().len(), 1);
    world
}

#[test]
fn a_pause_that_one_login_met_is_kept_by_another_at_the_endpoint() {
    for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
        let world = met(status, 3_600, "databricks-cli");
        for _ in 0..2 {
            let other = other(&world, "databricks-cli").blocking();
            for outcome in [other.token(), other.force_refresh()] {
                let error = outcome.unwrap_err();
                let TokenError::Postponed { left, .. } = &error else { panic!("{error:?}") };
                assert!((1..=61).contains(&left.seconds()), "an hour is for the one: {error}");
            }
        }
        assert_eq!(world.token_requests().len(), 1, "nothing was sent");
        // A new sign-in is used at once, were its token to run out the next moment.
        let anew = world.session(-5).with_issued_at(common::now());
        world.store().save(&CacheKey::new("other"), &anew).unwrap();
        other(&world, "databricks-cli").blocking().token().unwrap();
        // So is a token that is good.
        world.seed(3_000);
        world.auth().blocking().token().unwrap();
    }
}

#[test]
fn another_client_keeps_a_pause_of_the_service_and_not_one_of_too_many_requests() {
    let world = met(StatusCode::TOO_MANY_REQUESTS, 3_600, "another-client");
    let outcome = other(&world, "another-client").blocking().token();
    assert!(!matches!(outcome, Err(TokenError::Postponed { .. })), "{outcome:?}");
    assert_eq!(world.token_requests().len(), 2);
    let world = met(StatusCode::SERVICE_UNAVAILABLE, 3_600, "another-client");
    let outcome = other(&world, "another-client").blocking().token();
    assert!(matches!(outcome, Err(TokenError::Postponed { .. })), "{outcome:?}");
}
