//! A login stays with the endpoint that it was made at, whatever the host says of itself later (A33).
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, chain};
use u2m::TokenError;
use u2m::store::TokenStore;
use u2m_testkit::{Endpoint, Fault, Times, http::StatusCode};

/// From now on `world` names the endpoints of `evil` as its own.
fn swap_metadata(world: &World, evil: &World) {
    let (host, elsewhere) = (world.server.base_url(), evil.server.base_url());
    let text = format!(
        r#"{{"issuer":"{host}/oidc","authorization_endpoint":"{elsewhere}/oidc/v1/authorize","token_endpoint":"{elsewhere}/oidc/v1/token"}}"#
    );
    let fault = Fault::status(StatusCode::OK, "application/json", text.as_str());
    world.server.inject(Endpoint::Metadata, Times::Always, fault);
}

#[test]
fn a33_metadata_swapped_between_login_and_refresh_is_not_even_asked_for() {
    let (world, evil) = (World::expired(), World::new());
    swap_metadata(&world, &evil);
    world.auth().blocking().token().unwrap();
    world.assert_refreshed(1);
    world.assert_alive();
    assert_eq!((world.server.counts().metadata, evil.server.counts().requests), (0, 0));
}

#[test]
fn a33_where_the_pinned_endpoint_is_gone_and_the_new_one_is_elsewhere_a_person_has_to_log_in() {
    let (world, evil) = (World::expired(), World::new());
    swap_metadata(&world, &evil);
    let gone = Fault::status(StatusCode::NOT_FOUND, "text/plain", "gone");
    world.server.inject(Endpoint::Token, Times::Always, gone);
    let error = world.auth().blocking().token().unwrap_err();
    assert!(matches!(error, TokenError::Endpoints(_)), "{}", chain(&error));
    assert_eq!(evil.server.counts().requests, 0, "it never hears of the refresh token");
    assert!(world.stored().refresh_token.is_some(), "nothing is thrown away for it");
}

#[test]
fn a33_an_entry_without_endpoints_is_not_sent_where_swapped_metadata_points() {
    // As other programs write it.
    let (world, evil) = (World::new(), World::new());
    world.store().save(&world.key(), &world.bare_session(-5)).unwrap();
    swap_metadata(&world, &evil);
    let error = world.auth().blocking().token().unwrap_err();
    assert!(matches!(error, TokenError::Endpoints(_)), "{}", chain(&error));
    assert_eq!((world.refreshes(), evil.server.counts().requests), (0, 0));
}
