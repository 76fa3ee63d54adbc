//! Signing in without a host: it is found by signing in, and who may be followed there.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/login.rs"]
mod sign_in;

use common::World;
use sign_in::{assert_failed, assert_signed_in, sign_in_by};
use u2m_testkit::{Endpoint, Fault, HostMetadata, Iss, Settings, Times, http::StatusCode};

#[test]
fn a_host_that_is_found_by_signing_in() {
    let world = World::new();
    world.write(
        ".databrickscfg",
        "[DEFAULT]\naccount_id = stale\nworkspace_id = 1\ncluster_id = stale\nwarehouse_id = kept\n",
    );
    let mut command = world.command("login --profile DEFAULT");
    command.env("DATABRICKS_DISCOVERY_HOST", world.url());
    let (_, ran) = sign_in_by(&world, command);
    assert_signed_in(&world, &ran, "DEFAULT");
    let config = world.read(".databrickscfg");
    assert!(config.contains(world.url()) && config.contains("warehouse_id"), "{config}");
    assert!(!config.contains("stale"), "{config}");
    assert!(config.contains("900800700600"), "the host's own word: {config}");
    assert!(config.contains("5f1e0a52"), "what the API adds: {config}");
    assert!(
        ran.stderr.contains("Warning: profile DEFAULT was for account stale"),
        "{}",
        ran.stderr
    );
}

/// The host's own word on the workspace goes first, the API adds the account; the API is asked once.
#[test]
fn the_ids_of_a_discovery_login_are_the_hosts_and_then_the_apis() {
    for (metadata, workspace) in [
        (HostMetadata::workspace("900800700600"), "900800700600"),
        (HostMetadata::absent(), "12345"),
    ] {
        let settings = Settings::new()
            .with_host_metadata(metadata)
            .with_principal_in("test-account-123", Some(12345));
        let world = World::with(settings);
        let mut command = world.command("login --profile discovery-test");
        command.env("DATABRICKS_DISCOVERY_HOST", world.url());
        let (_, ran) = sign_in_by(&world, command);
        assert_signed_in(&world, &ran, "discovery-test");
        let expected = format!(
            "[discovery-test]\nhost         = {}\naccount_id   = test-account-123\nworkspace_id = {workspace}\n\
             auth_type    = databricks-cli\n",
            world.url()
        );
        let config = world.read(".databrickscfg");
        assert!(config.contains(&expected), "{config}");
        let seen = world.server.seen();
        let asked = seen.iter().filter(|seen| seen.path() == "/api/2.0/tokens/introspect").count();
        assert_eq!(asked, 1);
    }
}

/// `--skip-workspace` without a host leads to the choice of an account.
#[test]
fn an_account_alone_is_found_by_signing_in() {
    let world = World::with(Settings::new().with_host_metadata(HostMetadata::unified("acc-1")));
    let mut command = world.command("login --profile acc --skip-workspace");
    command.env("DATABRICKS_DISCOVERY_HOST", world.url());
    let (_, ran) = sign_in_by(&world, command);
    assert_signed_in(&world, &ran, "acc");
    let config = world.read(".databrickscfg");
    assert!(config.contains("account_id") && !config.contains("workspace_id"), "{config}");
}

/// The API is asked, and its silence costs nothing but what it would have said.
#[test]
fn a_discovery_login_is_saved_though_the_api_does_not_answer() {
    let world = World::with(Settings::new().with_host_metadata(HostMetadata::absent()));
    world.server.inject(
        Endpoint::Api,
        Times::Always,
        Fault::status(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "no"),
    );
    let mut command = world.command("login --profile dev");
    command.env("DATABRICKS_DISCOVERY_HOST", world.url());
    let (_, ran) = sign_in_by(&world, command);
    assert_signed_in(&world, &ran, "dev");
    assert!(world.read(".databrickscfg").contains(world.url()));
}

#[test]
fn t6_an_issuer_that_nobody_trusts_gets_nothing() {
    let world =
        World::with(Settings::new().with_iss(Iss::Forged("https://evil.example/oidc".into())));
    let mut command = world.command("login --profile dev");
    command.env("DATABRICKS_DISCOVERY_HOST", world.url());
    let (page, ran) = sign_in_by(&world, command);
    assert_failed(
        &world,
        &ran,
        1,
        &[
            "https://evil.example, which is not a trusted issuer; nothing was sent there",
            "u2m login --host https://evil.example",
        ],
    );
    assert_eq!(world.server.counts().exchanges, 0);
    assert!(
        page.status().is_client_error()
            || page.status().is_server_error()
            || page.status() == StatusCode::OK
    );
}

#[test]
fn a_host_that_needs_a_yes_is_not_followed_where_nobody_can_be_asked() {
    let world = World::with(
        Settings::new().with_iss(Iss::Forged("https://nike.databricks.com/oidc".into())),
    );
    let mut command = world.command("login --profile dev");
    command.env("DATABRICKS_DISCOVERY_HOST", world.url());
    let (_, ran) = sign_in_by(&world, command);
    assert_failed(
        &world,
        &ran,
        1,
        &[
            "https://nike.databricks.com was not confirmed",
            "u2m login --host https://nike.databricks.com",
        ],
    );
}
