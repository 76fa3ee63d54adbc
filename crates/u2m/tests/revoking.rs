//! Ending logins at their servers: each at its own issuer, once, and within the time that there is.
#![allow(clippy::unwrap_used)]

mod common;

use common::World;
use std::sync::Arc;
use std::time::{Duration, Instant};
use u2m::oauth::{Revocation, RevokeError, Revoked};
use u2m::store::Session;
use u2m::transport::{ReqwestTransport, Transport};
use u2m::{AccessToken, blocking};
use u2m_testkit::http::StatusCode;
use u2m_testkit::{Endpoint, Fault, Settings, Times};

fn world() -> World {
    World::with(Settings::new().with_revocation())
}

fn revoke(logins: Vec<Session>, limit: Duration) -> Vec<Revoked> {
    let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new());
    blocking::revoke(transport, logins, limit)
}

fn is_alive(world: &World, login: &Session) -> bool {
    world.server.is_refreshable(login.refresh_token.as_ref().unwrap().expose())
}

#[test]
fn a_login_is_ended_at_its_issuer() {
    let world = world();
    let login = world.session(3000);
    assert!(is_alive(&world, &login));
    let [one] = revoke(vec![login.clone()], common::LONG).try_into().unwrap();
    assert!(matches!(one.outcome, Ok(Revocation::Revoked)), "{one:?}");
    assert_eq!(one.host, Some(world.host()));
    assert!(!is_alive(&world, &login));
    assert!(!world.server.is_active(login.access_token.expose()), "its tokens end with it");
}

#[test]
fn a_token_that_several_logins_hold_is_sent_once() {
    let (one, other) = (world(), world());
    let (mine, yours) = (one.session(3000), other.session(3000));
    let all = revoke(vec![mine.clone(), yours, mine], common::LONG);
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!((one.server.counts().revocations, other.server.counts().revocations), (1, 1));
    let names: Vec<_> = all.iter().map(|one| one.host.as_ref().unwrap().as_str()).collect();
    assert!(names.is_sorted(), "{names:?}");
}

#[test]
fn a_login_that_says_nothing_of_its_issuer_is_left_alone() {
    let world = world();
    let login = world.bare_session(3000);
    let [one] = revoke(vec![login.clone()], common::LONG).try_into().unwrap();
    assert!(matches!(one.outcome, Ok(Revocation::NotOffered)) && one.host.is_none(), "{one:?}");
    assert_eq!(world.server.counts().requests, 0);
    assert!(is_alive(&world, &login));
}

#[test]
fn a_server_that_offers_no_revocation_is_sent_no_token() {
    let world = World::new();
    let [one] = revoke(vec![world.session(3000)], common::LONG).try_into().unwrap();
    assert!(matches!(one.outcome, Ok(Revocation::NotOffered)), "{one:?}");
    assert_eq!(world.server.counts().revocations, 0);
}

/// From now on the revocation endpoint says `status`, so often.
fn trouble(world: &World, status: StatusCode, times: Times) {
    world.server.clear_faults();
    world.server.inject(Endpoint::Revocation, times, Fault::status(status, "text/plain", "oops"));
}

#[test]
fn a39_a_server_in_trouble_has_not_revoked_and_that_is_said() {
    for (status, asked) in
        [(StatusCode::INTERNAL_SERVER_ERROR, 1), (StatusCode::SERVICE_UNAVAILABLE, 2)]
    {
        let world = world();
        let login = world.session(3000);
        trouble(&world, status, Times::Always);
        let [one] = revoke(vec![login.clone()], common::LONG).try_into().unwrap();
        let Err(error @ RevokeError::Status { .. }) = one.outcome else { panic!("{one:?}") };
        assert!(error.is_transient());
        let words = format!("the revocation endpoint answered http {}", status.as_u16());
        assert_eq!(error.to_string(), words);
        assert_eq!(world.server.counts().faults, asked, "{status}");
        assert!(is_alive(&world, &login));
    }
}

#[test]
fn a_server_that_is_busy_for_a_moment_is_asked_once_more() {
    let world = world();
    let login = world.session(3000);
    trouble(&world, StatusCode::SERVICE_UNAVAILABLE, Times::Once);
    let [one] = revoke(vec![login.clone()], common::LONG).try_into().unwrap();
    assert!(matches!(one.outcome, Ok(Revocation::Revoked)), "{one:?}");
    assert!(!is_alive(&world, &login));
}

#[test]
fn a_server_that_never_answers_holds_up_nobody() {
    let (silent, quick) = (world(), world());
    silent.server.inject(Endpoint::Any, Times::Always, Fault::never_answer());
    let (hung, mine) = (silent.session(3000), quick.session(3000));
    let start = Instant::now();
    let all = revoke(vec![hung, mine], Duration::from_secs(2));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let of = |world: &World| all.iter().find(|one| one.host == Some(world.host())).unwrap();
    assert!(matches!(
        of(&silent).outcome,
        Err(RevokeError::Unreachable(_) | RevokeError::Endpoints(_))
    ));
    assert!(matches!(of(&quick).outcome, Ok(Revocation::Revoked)), "{all:?}");
}

#[test]
fn nothing_to_end_is_nothing_to_do() {
    assert!(revoke(Vec::new(), Duration::ZERO).is_empty());
    let odd = Session::new(AccessToken::new("t"));
    assert_eq!(revoke(vec![odd], common::LONG).len(), 1);
}
