//! Signing in to issuers that are not Databricks', and what is made of their tokens.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Ran, Running, World, free_port, now, printed_token};
use std::time::Duration;
use u2m::source::Lifetime;
use u2m::store::{CacheKey, TokenStore};
use u2m_testkit::{
    Client, Device, DeviceAnswer, Endpoint, Fault, Iss, Settings, Times, WellKnown, follow_login,
    http::StatusCode,
};

const LOGIN: &str = "login --issuer {URL}/oidc --client-id my-cli --profile corp";

fn issuer() -> Settings {
    Settings::new()
        .with_client(Client::public("my-cli"))
        .with_well_known(WellKnown::OpenId)
        .with_iss(Iss::Present)
        .with_revocation()
}

fn sign_in(world: &World, line: &str) -> Ran {
    let mut command = world.command(line);
    command.args(["--no-browser", "--port", &free_port().to_string()]);
    let mut running = Running::start(command);
    let _ = follow_login(&running.url());
    running.done()
}

fn assert_signed_in(world: &World, ran: &Ran) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    let end = format!(
        "Signed in to {}/oidc as fake.user@example.com.\nProfile corp was successfully saved in ~/.databrickscfg.\n",
        world.url()
    );
    assert!(ran.stderr.ends_with(&end), "{}", ran.stderr);
    world.assert_alive("corp");
}

/// Lets a minute pass since the login: a token that is seconds old counts as new.
fn wait_a_minute(world: &World) {
    let login = world.stored("corp").with_issued_at(now().plus(Lifetime::from_seconds(-60)));
    world.store().save(&CacheKey::new("corp"), &login).unwrap();
}

/// The value of a parameter of the latest request to an endpoint.
fn sent(world: &World, endpoint: Endpoint, name: &str) -> Option<String> {
    let seen = world.server.seen();
    let last = seen.iter().rev().find(|seen| seen.endpoint() == endpoint)?;
    last.parameter(name).map(str::to_owned)
}

#[test]
fn an_openid_issuer_is_signed_in_to_refreshed_and_logged_out_of_like_any_other() {
    let world = World::with(issuer());
    let ran = sign_in(&world, LOGIN);
    assert_signed_in(&world, &ran);
    let profile = format!("[corp]\nu2m_issuer    = {}/oidc\nu2m_client_id = my-cli\n", world.url());
    let config = world.read(".databrickscfg");
    assert!(config.contains(&profile), "{config}");
    assert!(!config.contains("host") && !config.contains("auth_type"), "{config}");
    assert_eq!(sent(&world, Endpoint::Authorize, "scope").unwrap(), "offline_access");
    assert_eq!(sent(&world, Endpoint::Token, "client_id").unwrap(), "my-cli");

    let before = world.server.counts().requests;
    let fresh = world.run("token corp");
    assert!(world.server.is_active(&printed_token(&fresh.stdout)), "{}", fresh.stderr);
    assert_eq!(world.server.counts().requests, before, "it is fresh");

    wait_a_minute(&world);
    let metadata = world.server.counts().metadata;
    let forced = world.run("token --profile corp --force-refresh");
    assert_eq!(forced.code, Some(0), "{}", forced.stderr);
    assert_ne!(printed_token(&forced.stdout), printed_token(&fresh.stdout));
    assert_eq!(world.server.counts().metadata, metadata, "the endpoint was recorded at login");
    assert_eq!(sent(&world, Endpoint::Token, "client_id").unwrap(), "my-cli");
    world.assert_alive("corp");

    let out = world.run("logout corp --delete --auto-approve");
    assert_eq!(out.code, Some(0), "{}", out.stderr);
    let counts = world.server.counts();
    assert_eq!((counts.revocations, counts.revoked_families), (1, 1));
    assert!(!world.read(".databrickscfg").contains("corp"));
    assert_eq!(world.run("token corp").code, Some(5));
}

#[test]
fn a30_metadata_is_found_where_oauth_puts_it_too() {
    let world = World::with(issuer().with_well_known(WellKnown::OAuth));
    assert_signed_in(&world, &sign_in(&world, LOGIN));
    assert_eq!(world.server.counts().metadata, 1);
}

#[test]
fn a_token_endpoint_that_has_moved_is_looked_for_at_the_issuer() {
    let world = World::with(issuer());
    assert_signed_in(&world, &sign_in(&world, LOGIN));
    let gone = Fault::status(StatusCode::NOT_FOUND, "text/plain", "gone");
    world.server.inject(Endpoint::Token, Times::Once, gone);
    wait_a_minute(&world);
    let metadata = world.server.counts().metadata;
    let ran = world.run("token corp --force-refresh");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(world.server.counts().metadata, metadata + 2, "OAuth's place, then OpenID's");
    world.assert_alive("corp");
}

#[test]
fn a27_an_answer_of_another_issuer_ends_the_login_before_the_code_is_sent() {
    let world = World::with(issuer().with_iss(Iss::Forged("https://evil.example".into())));
    let ran = sign_in(&world, LOGIN);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("another issuer than the one signed in to"), "{}", ran.stderr);
    assert_eq!(world.server.counts().exchanges, 0);
    assert!(!world.config().exists());
}

#[test]
fn scopes_that_are_named_are_asked_for_as_they_are_and_stay_with_the_profile() {
    let world = World::with(issuer());
    let mut command = world.command(LOGIN);
    command.args(["--scopes", "openid offline_access reports"]);
    command.args(["--no-browser", "--port", &free_port().to_string()]);
    let mut running = Running::start(command);
    follow_login(&running.url()).unwrap();
    assert_signed_in(&world, &running.done());
    assert_eq!(
        sent(&world, Endpoint::Authorize, "scope").unwrap(),
        "openid offline_access reports"
    );
    assert!(world.read(".databrickscfg").contains("= openid,offline_access,reports\n"));
    // Signing in anew needs no more than the profile's name.
    assert_signed_in(&world, &sign_in(&world, "login --profile corp"));
    assert_eq!(
        sent(&world, Endpoint::Authorize, "scope").unwrap(),
        "openid offline_access reports"
    );
    assert_eq!(world.server.counts().login_pages, 0, "Databricks was not asked");
    assert_eq!(world.run("token corp").code, Some(0));
}

#[test]
fn an_issuer_that_lists_its_scopes_is_asked_for_no_other_and_what_it_grants_is_told() {
    let listing = issuer()
        .with_metadata_member("scopes_supported", vec!["openid", "reports"])
        .with_scopes_limited_to(["reports"]);
    let world = World::with(listing);
    let ran = sign_in(&world, &format!("{LOGIN} --output json"));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(sent(&world, Endpoint::Authorize, "scope"), None, "nothing in particular");
    assert!(!ran.stderr.contains("ranted"), "it was left to the issuer: {}", ran.stderr);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["asked_scopes"], serde_json::json!([]));
    assert_eq!(report["granted_scopes"], serde_json::json!(["reports"]));
    assert!(world.stored("corp").refresh_token.is_none());
}

#[test]
fn a_grant_that_is_not_what_was_asked_for_is_told_with_both() {
    let world = World::with(issuer().with_scopes_limited_to(["reports"]));
    let ran = sign_in(&world, &format!("{LOGIN} --scopes offline_access,reports,ledgers"));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let told = "Warning: these scopes were not granted: ledgers\n\
                Warning: a refresh token was asked for (offline_access), and none was granted: this login ends with its \
                access token.\n\
                Scopes asked for: offline_access reports ledgers. Granted: reports.\n";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    let described = world.run("describe corp --offline --output json");
    let described: serde_json::Value = serde_json::from_str(&described.stdout).unwrap();
    assert_eq!(described["token"]["scopes"], serde_json::json!(["reports"]));
    assert_eq!(described["token"]["scopes_not_granted"], serde_json::json!(["ledgers"]));
    let described = world.run("describe corp --offline").stdout;
    assert!(described.contains("Scopes: reports\nScopes not granted: ledgers\n"), "{described}");
}

#[test]
fn a_profile_is_named_after_the_issuers_host_where_no_name_is_given() {
    let world = World::with(issuer());
    let ran = sign_in(&world, "login --issuer {URL}/oidc --client-id my-cli");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(world.read(".databrickscfg").contains("[127.0.0.1]\n"));
    assert_eq!(world.run("token 127.0.0.1").code, Some(0));
}

#[test]
fn t20_the_login_of_a_host_is_not_given_for_an_issuer_on_it() {
    let world = World::with(issuer());
    let profile = format!("[corp]\nu2m_issuer = {}/other\nu2m_client_id = my-cli\n", world.url());
    assert_signed_in(&world, &sign_in(&world, LOGIN));
    world.write(".databrickscfg", &profile);
    let ran = world.run("token corp");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("(issuer)"), "{}", ran.stderr);
}

/// The code that was shown is a line of its own, and so is the address.
fn shown_code(stderr: &str) -> String {
    let lines: Vec<_> = stderr.lines().collect();
    let at = lines.iter().position(|line| *line == "and enter this code:").unwrap();
    assert!(lines[at - 2].ends_with("/device"), "{stderr}");
    lines[at + 2].to_owned()
}

#[test]
fn a42_a43_a_device_login_shows_host_address_and_code_and_is_a_login_like_any_other() {
    let device = Device::new([DeviceAnswer::Approved]);
    let world = World::with(issuer().with_device(device));
    let ran = world.run(&format!("{LOGIN} --device"));
    assert_signed_in(&world, &ran);
    let code = shown_code(&ran.stderr);
    let url = world.url();
    let golden = format!(
        "To sign in to {url}/oidc, open this address in a browser on any device:\n\n{url}/device\n\nand enter this code:\n\n\
         {code}\n\nOr open this one, and compare the code that it shows:\n\n{url}/device?user_code={code}\n\nEnter the \
         code only if you began this sign-in yourself, just now: whoever else asks you to wants your login. It is good for 10 \
         minutes. Waiting...\n"
    );
    assert!(ran.stderr.starts_with(&golden), "{}", ran.stderr);
    let device_code = sent(&world, Endpoint::Token, "device_code").unwrap();
    assert!(!ran.stderr.contains(&device_code), "the device's code is a secret");
    let counts = world.server.counts();
    assert_eq!((counts.device_polls, counts.early_polls, counts.authorizations), (1, 0, 0));
    assert_eq!(world.run("token corp").code, Some(0));
    assert_eq!(world.run("logout corp --auto-approve").code, Some(0));
    assert_eq!(world.server.counts().revoked_families, 1);
}

#[test]
fn a41_a_person_who_says_no_ends_the_device_login() {
    let world = World::with(issuer().with_device(Device::new([DeviceAnswer::Denied])));
    let ran = world.run(&format!("{LOGIN} --device"));
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains(" was refused in the browser (access_denied"), "{}", ran.stderr);
    assert_eq!(world.server.counts().device_polls, 1);
    assert!(!world.config().exists());
}

#[test]
fn a41_a_code_that_runs_out_is_polled_for_no_more() {
    let device = Device::new([DeviceAnswer::Pending]).with_expires_in(3).without_complete_uri();
    let world = World::with(issuer().with_device(device));
    let ran = world.run(&format!("{LOGIN} --device"));
    assert_eq!(ran.code, Some(6), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("Error: you were not signed in: the code was not confirmed in time."),
        "{}",
        ran.stderr
    );
    let counts = world.server.counts();
    assert_eq!((counts.device_polls, counts.early_polls, counts.rejected), (1, 0, 1));
}

#[test]
fn a_databricks_host_that_offers_device_logins_has_them_too() {
    let world = World::with(Settings::new().with_device(Device::new([DeviceAnswer::Approved])));
    let ran = world.run("login --device --host {URL} --profile dev");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let config = world.read(".databrickscfg");
    assert!(config.contains("[dev]\n") && config.contains("= databricks-cli\n"), "{config}");
    let scope = sent(&world, Endpoint::Device, "scope").unwrap();
    assert_eq!(scope, "offline_access all-apis");
    world.assert_alive("dev");
    assert_eq!(world.run("token dev").code, Some(0));
}

#[test]
fn ctrl_c_ends_a_device_login_that_waits() {
    let world = World::with(issuer().with_device(Device::new([DeviceAnswer::Pending])));
    let mut running = Running::start(world.command(&format!("{LOGIN} --device")));
    running.line(|line| line.ends_with("Waiting..."));
    running.signal("INT");
    let (status, ran) = running.end(Duration::from_secs(20));
    assert_eq!((status.code(), ran.stdout.as_str()), (Some(130), ""), "{}", ran.stderr);
    assert!(!world.config().exists() && !world.cache().exists());
}

#[test]
fn an_issuer_that_grants_scopes_under_other_names_is_believed_after_a_word() {
    let world = World::with(issuer().with_scopes_limited_to(["offline_access", "api.read"]));
    let mut command = world.command(LOGIN);
    command.args(["--scopes", "openid offline_access api.default api.read"]);
    command.args(["--no-browser", "--port", &free_port().to_string()]);
    let mut running = Running::start(command);
    follow_login(&running.url()).unwrap();
    let ran = running.done();
    assert_signed_in(&world, &ran);
    let warning = "Warning: these scopes were not granted: api.default\n";
    assert!(ran.stderr.contains(warning), "{}", ran.stderr);
    assert_eq!(world.run("token corp").code, Some(0));
}
