//! A program that has one client for all of its own requests lends it to its login.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, World};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use u2m::PersistentAuth;
use u2m::transport::ReqwestTransport;

/// The program's client: with connections that it keeps, and the cryptography that the program has chosen for itself.
fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().user_agent("theirs/1").build().unwrap()
}

fn single_threaded() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Asks something of the same server as the program itself does.
async fn ask(client: &reqwest::Client, world: &World) {
    let url = format!("{}/oidc/.well-known/oauth-authorization-server", world.server.base_url());
    client.get(url).send().await.unwrap().bytes().await.unwrap();
}

fn auth(world: &World, client: &reqwest::Client) -> PersistentAuth {
    let transport = ReqwestTransport::over(client.clone());
    let transport = transport.with_connect_timeout(Duration::from_millis(500));
    world.builder().with_transport(transport).build().unwrap()
}

#[test]
fn a_refresh_over_the_programs_client_is_fetched_and_saved_on_a_runtime_of_one_thread() {
    let (world, client) = (World::expired(), client());
    let auth = auth(&world, &client);
    single_threaded().block_on(async {
        ask(&client, &world).await;
        let token = auth.token().await.unwrap();
        assert_eq!(token.access_token(), world.stored().token().access_token());
        // At the same time as the program's own, and with an answer that nobody waits for any more.
        let (forced, ()) = tokio::join!(auth.force_refresh(), ask(&client, &world));
        assert_ne!(forced.unwrap().access_token(), token.access_token());
        let given_up = tokio::time::timeout(Duration::ZERO, auth.force_refresh()).await;
        assert!(given_up.is_err());
        // It waits as the rest of the program does, on its only thread.
        assert!(auth.close(LONG).await);
    });
    world.assert_refreshed(3);
    world.assert_alive();
}

#[test]
fn a_runtime_that_stands_still_or_has_ended_holds_no_refresh_up() {
    let (world, client) = (World::expired(), client());
    let auth = auth(&world, &client);
    let programs = single_threaded();
    programs.block_on(ask(&client, &world));
    let begun = Instant::now();
    auth.blocking().token().unwrap();
    drop(programs);
    auth.blocking().force_refresh().unwrap();
    assert!(begun.elapsed() < LONG);
    assert!(auth.blocking().close(LONG));
    world.assert_refreshed(2);
    world.assert_alive();
}
