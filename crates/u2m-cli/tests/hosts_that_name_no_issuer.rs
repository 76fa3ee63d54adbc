//! Hosts whose metadata names no issuer, or names it otherwise than it was asked for: signing in, renewing, and signing out.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/login.rs"]
mod sign_in;

use common::{Ran, World, now, printed_token};
use sign_in::{assert_failed, sign_in_by};
use u2m::source::Lifetime;
use u2m::store::{CacheKey, TokenStore};
use u2m_testkit::http::StatusCode;
use u2m_testkit::{Client, Endpoint, Fault, Iss, Settings, Times, WellKnown};

const HOST: &str = "login --host {URL} --profile dev";
const ISSUER: &str = "login --issuer {URL}/oidc --client-id my-cli --profile dev";

/// A server with everything, whose metadata is then changed.
fn world(change: impl FnOnce(Settings, &str) -> Settings) -> World {
    let world = World::new();
    let settings = Settings::new()
        .with_client(Client::public("my-cli"))
        .with_well_known(WellKnown::OpenId)
        .with_revocation();
    let settings = change(settings, world.url());
    world.server.reconfigure(|_| settings);
    world
}

/// The same server by another of its names: another host.
fn elsewhere(world: &World) -> String {
    world.url().replace("127.0.0.1", "localhost")
}

fn sign_in(world: &World, line: &str) -> Ran {
    sign_in_by(world, world.command(line)).1
}

/// Refused before anybody was asked to sign in.
fn assert_refused(world: &World, line: &str, parts: &[&str]) {
    let ran = world.run(&format!("{line} --no-browser"));
    assert_failed(world, &ran, 1, parts);
    assert_eq!(world.server.counts().exchanges, 0);
}

/// Uses the login, renews it, lets its endpoint move, shows it, and ends it at the server.
fn live(world: &World) {
    let server = &world.server;
    let token = world.run("token --profile dev");
    assert!(server.is_active(&printed_token(&token.stdout)), "{}", token.stderr);
    let gone = Fault::status(StatusCode::NOT_FOUND, "text/plain", "gone");
    for fault in [None, Some(gone)] {
        if let Some(fault) = fault {
            server.inject(Endpoint::Token, Times::Once, fault);
        }
        let login = world.stored("dev").with_issued_at(now().plus(Lifetime::from_seconds(-60)));
        world.store().save(&CacheKey::new("dev"), &login).unwrap();
        let forced = world.run("token --profile dev --force-refresh");
        assert_eq!(forced.code, Some(0), "{}", forced.stderr);
        world.assert_alive("dev");
    }
    let described = world.run("describe --profile dev");
    assert_eq!(described.code, Some(0), "{}{}", described.stdout, described.stderr);
    let out = world.run("logout --profile dev --auto-approve");
    assert_eq!(out.code, Some(0), "{}", out.stderr);
    let counts = server.counts();
    assert_eq!((counts.revocations, counts.revoked_families), (1, 1), "{}", out.stderr);
}

#[test]
fn a30_a_login_to_a_host_that_names_no_issuer_or_itself_otherwise_lives_like_any_other() {
    for name in [None, Some(""), Some("/"), Some("/oidc/"), Some("/oidc/accounts/7")] {
        let world = world(|settings, url| match name {
            None => settings.without_metadata_member("issuer"),
            Some(path) => settings.with_metadata_member("issuer", format!("{url}{path}")),
        });
        let ran = sign_in(&world, HOST);
        assert_eq!(ran.code, Some(0), "{name:?}: {}", ran.stderr);
        let binding = world.stored("dev").binding.unwrap();
        assert_eq!(binding.host.as_str(), world.url());
        assert_eq!(binding.issuer, format!("{}/oidc", world.url()), "{name:?}");
        live(&world);
    }
}

#[test]
fn a27_an_answer_in_the_name_of_another_host_ends_the_login_where_the_metadata_names_none() {
    for (iss, is_good) in [("{URL}", true), ("{URL}/oidc", true), ("https://evil.example", false)] {
        let world = world(|settings, url| {
            let iss = Iss::Forged(iss.replace("{URL}", url));
            settings.without_metadata_member("issuer").with_iss(iss)
        });
        let ran = sign_in(&world, HOST);
        if is_good {
            assert_eq!(ran.code, Some(0), "{iss}: {}", ran.stderr);
        } else {
            assert_failed(&world, &ran, 1, &["another issuer than the one signed in to"]);
            assert_eq!(world.server.counts().exchanges, 0);
        }
    }
}

#[test]
fn t20_a_login_that_another_program_saved_is_renewed_at_a_host_that_names_no_issuer() {
    let world = world(|settings, _| settings.without_metadata_member("issuer"));
    world.seed("dev", -60);
    let mut unbound = world.stored("dev");
    unbound.binding = None;
    world.store().delete(&CacheKey::new("dev")).unwrap();
    world.store().save(&CacheKey::new("dev"), &unbound).unwrap();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    let ran = world.run("token --profile dev");
    assert!(world.server.is_active(&printed_token(&ran.stdout)), "{}", ran.stderr);
    live(&world);
}

#[test]
fn a30_an_issuer_on_another_host_is_good_where_that_was_allowed_by_name() {
    for line in [HOST, ISSUER] {
        let world = world(|settings, url| {
            let elsewhere = url.replace("127.0.0.1", "localhost");
            settings.with_metadata_member("issuer", format!("{elsewhere}/oidc"))
        });
        assert_refused(&world, line, &["that of another issuer", "--allow-issuer HOST"]);
        let ran = sign_in(&world, &format!("{line} --allow-issuer {}", elsewhere(&world)));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let allowed = world.stored("dev").binding.unwrap().allowed;
        assert_eq!(allowed.len(), 1);
        assert_eq!(allowed[0].as_str(), elsewhere(&world));
        live(&world);
    }
}

#[test]
fn a32_a_hosts_endpoints_elsewhere_are_good_where_that_was_allowed_by_name() {
    let world = world(|settings, url| {
        let elsewhere = url.replace("127.0.0.1", "localhost");
        settings.without_metadata_member("issuer").with_tokens_on(elsewhere)
    });
    assert_refused(&world, HOST, &["token_endpoint is on another host", "--allow-issuer HOST"]);
    let wrong = elsewhere(&world).replace("localhost", "elsewhere.example");
    let wrong = wrong.replace("http:", "https:");
    assert_refused(&world, &format!("{HOST} --allow-issuer {wrong}"), &["on another host"]);
    let ran = sign_in(&world, &format!("{HOST} --allow-issuer {}", elsewhere(&world)));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    live(&world);
}

#[test]
fn a30_an_issuer_that_was_named_exactly_may_write_itself_otherwise_where_its_host_was_allowed() {
    for name in [None, Some("/oidc/")] {
        let world = world(|settings, url| match name {
            None => settings.without_metadata_member("issuer"),
            Some(path) => settings.with_metadata_member("issuer", format!("{url}{path}")),
        });
        assert_refused(&world, ISSUER, &["--allow-issuer HOST"]);
        let ran = sign_in(&world, &format!("{ISSUER} --allow-issuer {}", world.url()));
        assert_eq!(ran.code, Some(0), "{name:?}: {}", ran.stderr);
        live(&world);
    }
}

#[test]
fn a30_an_issuer_that_was_named_ends_the_login_under_its_very_name_or_not_at_all() {
    for name in [None, Some("/oidc/accounts/7")] {
        let world = world(|settings, _| settings);
        assert_eq!(sign_in(&world, ISSUER).code, Some(0));
        let url = world.url().to_owned();
        world.server.reconfigure(|settings| match name {
            None => settings.without_metadata_member("issuer"),
            Some(path) => settings.with_metadata_member("issuer", format!("{url}{path}")),
        });
        let out = world.run("logout --profile dev --auto-approve");
        assert_eq!(out.code, Some(0), "{}", out.stderr);
        assert_eq!(world.server.counts().revocations, 0, "{name:?}: {}", out.stderr);
        assert!(world.store().load(&CacheKey::new("dev")).unwrap().is_none());
    }
}

#[test]
fn t6_a_discovery_login_leads_to_a_host_that_was_allowed_by_name_and_to_no_other() {
    let world = world(|settings, url| {
        let elsewhere = url.replace("127.0.0.1", "localhost");
        settings
            .without_metadata_member("issuer")
            .with_iss(Iss::Forged(format!("{elsewhere}/oidc")))
            .with_tokens_on(elsewhere)
    });
    let discover = |more: &str| {
        let mut command = world.command(&format!("login --profile dev {more}"));
        command.env("DATABRICKS_DISCOVERY_HOST", world.url());
        sign_in_by(&world, command).1
    };
    let ran = discover("");
    assert_failed(&world, &ran, 1, &["which is not a trusted issuer; nothing was sent there"]);
    assert_eq!(world.server.counts().exchanges, 0);
    // One that is followed, and names itself elsewhere.
    let settings = |settings: Settings| {
        let renamed = settings.with_metadata_member("issuer", "https://evil.example/oidc");
        renamed.with_iss(Iss::Present)
    };
    world.server.reconfigure(settings);
    let ran = discover("");
    let parts = ["that of another issuer: https://evil.example/oidc", "--allow-issuer HOST"];
    assert_failed(&world, &ran, 1, &parts);
    assert_eq!(world.server.counts().exchanges, 0);
    let iss = Iss::Forged(format!("{}/oidc", elsewhere(&world)));
    let settings = |settings: Settings| settings.without_metadata_member("issuer").with_iss(iss);
    world.server.reconfigure(settings);
    let ran = discover(&format!("--allow-issuer {}", elsewhere(&world)));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let binding = world.stored("dev").binding.unwrap();
    assert_eq!(binding.host.as_str(), elsewhere(&world));
    live(&world);
}
