//! Signing in: each kind of host, each thing that can go wrong, and what is left behind. The browser is the test itself, or
//! a stub that is named by `BROWSER`.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/login.rs"]
mod sign_in;

use common::{LONG, Ran, Running, World, eventually, free_port, is_free, printed_token};
use sign_in::{assert_failed, assert_signed_in, sign_in_by};
use std::net::TcpListener;
use std::time::Duration;
use u2m_testkit::{
    Consent, Endpoint, Fault, HostMetadata, Page, Settings, Times, follow_login, http::StatusCode,
};

/// Signs in by following the address that is shown.
fn sign_in(world: &World, line: &str) -> (Page, Ran) {
    sign_in_by(world, world.command(line))
}

#[test]
fn a_workspace() {
    let world = World::new();
    let (page, ran) = sign_in(&world, "login --host {URL}/browse?o=123#x --profile dev");
    assert_signed_in(&world, &ran, "dev");
    assert_eq!(page.status(), StatusCode::OK);
    let expected = format!(
        "; The DEFAULT section is used when no profile is named.\n[DEFAULT]\n\n[dev]\nhost         = {}\nworkspace_id = 123\n\
         auth_type    = databricks-cli\n\n[__settings__]\ndefault_profile = dev\n",
        world.url()
    );
    assert_eq!(world.read(".databrickscfg"), expected);
    let plain = world.run("token");
    assert_eq!(plain.code, Some(0), "the first profile is the default: {}", plain.stderr);
}

#[test]
fn dual_2_that_two_profiles_ask_for_the_hosts_one_copy_is_said_at_the_login_that_moves_it() {
    let world = World::new();
    let profile =
        |name: &str| format!("[{name}]\nhost = {}\nmirror_host_key = true\n", world.url());
    world.write(".databrickscfg", &(profile("dev") + &profile("prod")));
    let told = "The copy of it for programs that know no profiles is that of";
    for name in ["dev", "prod"] {
        let (_, ran) = sign_in(&world, &format!("login {name}"));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let other = if name == "dev" { "prod" } else { "dev" };
        let line = format!("{told} {name} now. mirror_host_key = true stands in {other} too:");
        assert!(ran.stderr.contains(&line), "{}", ran.stderr);
    }
    let copy = || world.stored(world.url()).access_token;
    assert_eq!(copy(), world.stored("prod").access_token);
    let ran = world.run("token dev --force-refresh");
    assert!(!ran.stderr.contains("copy"), "a refresh moves nothing: {}", ran.stderr);
    assert_eq!(copy(), world.stored("prod").access_token);
}

#[test]
fn the_address_stands_alone_on_a_line_where_no_browser_can_be_opened() {
    let world = World::new();
    let mut command = world.command("login --host {URL} --profile dev");
    command.args(["--port", &free_port().to_string()]);
    let mut running = Running::start(command);
    let url = running.url();
    assert!(url.starts_with(&format!("{}/oidc/v1/authorize?", world.url())), "{url}");
    follow_login(&url).unwrap();
    let ran = running.done();
    assert_signed_in(&world, &ran, "dev");
    assert!(
        ran.stderr.contains("No browser was opened: this session has no display.\n"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("paste"), "there is no terminal: {}", ran.stderr);
}

#[test]
fn a_profile_keeps_what_is_not_the_logins_and_loses_other_credentials() {
    let world = World::new();
    let before = format!(
        "# mine\n[other]\nhost = https://other.example\ntoken = dapi1\n\n; about dev\n[dev]\nhost = {}\ntoken = dapi2 ; old\n\
         cluster_id = 0123\ncustom_key = v # kept\nscopes = jobs, sql\n",
        world.url()
    );
    world.write(".databrickscfg", &before);
    let (_, ran) = sign_in(&world, "login dev");
    assert_signed_in(&world, &ran, "dev");
    let after = world.read(".databrickscfg");
    for kept in [
        "# mine\n[other]\nhost = https://other.example\ntoken = dapi1\n",
        "; about dev\n[dev]\n",
        "cluster_id = 0123\n",
        "custom_key = v # kept\n",
    ] {
        assert!(after.contains(kept), "{kept} in {after}");
    }
    assert!(
        !after.contains("dapi2") && after.contains("auth_type") && after.contains("jobs,sql"),
        "{after}"
    );
    assert!(!world.read(".databrickscfg.bak").contains("dapi2"));
    let seen = world.server.seen();
    let scopes = seen.iter().find_map(|seen| seen.parameter("scope")).unwrap();
    assert_eq!(scopes, "offline_access jobs sql", "the profile's own");

    let (_, again) = sign_in(&world, "login --profile dev --scopes all-apis");
    assert_signed_in(&world, &again, "dev");
    assert!(world.read(".databrickscfg").contains("all-apis"));
}

#[test]
fn a_unified_host() {
    let world = World::with(Settings::new().with_host_metadata(HostMetadata::unified("acc-1")));
    let (_, ran) = sign_in(&world, "login --host {URL} --account-id acc-1 --profile uni");
    assert_signed_in(&world, &ran, "uni");
    assert!(world.server.seen().iter().any(|seen| seen.path() == "/oidc/accounts/acc-1/v1/token"));
    let config = world.read(".databrickscfg");
    assert!(config.contains("account_id = acc-1\n"), "{config}");
    let by_host = world.run("token --host {URL} --account-id acc-1");
    assert_eq!(by_host.code, Some(0), "{}", by_host.stderr);
}

#[test]
fn a_taken_name_is_not_taken_again() {
    let world = World::new();
    world.write(".databrickscfg", "[DEFAULT]\nhost = https://other.example\n");
    let (_, ran) = sign_in(&world, "login {URL}");
    assert_signed_in(&world, &ran, "DEFAULT-2");
    assert!(world.read(".databrickscfg").contains("https://other.example"));
}

#[test]
fn t16_t19_the_browser_is_started_without_a_shell_with_one_address_and_no_secrets() {
    let world = World::new();
    world.script(
        "my browsers/stub",
        "#!/bin/sh\necho noise\necho noise >&2\nprintf '%s\\n' \"$@\" > \"$HOME/args\"\nenv > \"$HOME/env\"\nmv \"$HOME/args\" \"$HOME/started\"\nsleep 30\n",
    );
    let mut command = world.command("login --host {URL} --profile dev");
    command.args(["--port", &free_port().to_string()]);
    command.env(
        "BROWSER",
        format!("'{}' --new-window '$(id)' %s", world.path("my browsers/stub").display()),
    );
    command
        .env("DATABRICKS_TOKEN", "canary")
        .env("AWS_SECRET_ACCESS_KEY", "canary")
        .env("LANG", "C.UTF-8");
    let running = Running::start(command);
    eventually("the browser starts", || world.path("started").exists());
    let args = world.read("started");
    let args: Vec<&str> = args.lines().collect();
    assert_eq!(args[..2], ["--new-window", "$(id)"]);
    assert_eq!(args.len(), 3, "{args:?}");
    follow_login(args[2]).unwrap();
    let ran = running.done();
    assert_signed_in(&world, &ran, "dev");
    assert!(!ran.stderr.contains("noise") && !ran.stderr.contains(args[2]), "{}", ran.stderr);
    let env = world.read("env");
    assert!(!env.contains("canary") && env.contains("LANG=C.UTF-8"), "{env}");
}

#[test]
fn a_browser_that_cannot_be_started_leaves_the_address() {
    let world = World::new();
    let mut command = world.command("login --host {URL} --profile dev");
    command.env("BROWSER", "/no/such/browser").args(["--port", &free_port().to_string()]);
    let mut running = Running::start(command);
    follow_login(&running.url()).unwrap();
    let ran = running.done();
    assert_signed_in(&world, &ran, "dev");
    assert!(ran.stderr.contains("No browser was opened: "), "{}", ran.stderr);
}

#[test]
fn browser_none_says_nothing_of_a_browser_that_is_not_opened() {
    let world = World::new();
    let mut command = world.command("login --host {URL} --profile dev");
    command.env("BROWSER", "none").args(["--port", &free_port().to_string()]);
    let mut running = Running::start(command);
    follow_login(&running.url()).unwrap();
    let ran = running.done();
    assert!(
        ran.stderr.starts_with("To sign in, open this address in a browser:\n\nhttp"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_person_who_says_no() {
    let (error, description) = ("access_denied".into(), "not \u{1b}[31mtoday".into());
    let world = World::with(Settings::new().with_consent(Consent::Deny { error, description }));
    let (page, ran) = sign_in(&world, "login --host {URL}");
    assert_failed(
        &world,
        &ran,
        1,
        &[
            "you were not signed in: access to ",
            "was refused in the browser (access_denied: not today)",
        ],
    );
    assert!(!page.body().contains("[31m"), "{}", page.body());
}

#[test]
fn nobody_comes_and_the_port_is_free_again() {
    let (world, port) = (World::new(), free_port());
    let ran = world.run(&format!("login --host {{URL}} --timeout 1s --no-browser --port {port}"));
    assert_failed(&world, &ran, 6, &["nobody signed in within 1 second", "--timeout", "--paste"]);
    assert!(is_free(port));
}

#[test]
fn a_port_that_is_taken() {
    let world = World::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let ran = world.run(&format!("login --host {{URL}} --no-browser --port {port}"));
    assert_failed(
        &world,
        &ran,
        1,
        &["no port available to listen on", &port.to_string(), "--port"],
    );
    let mut by_env = world.command("login --host {URL} --no-browser");
    by_env.env("DATABRICKS_OAUTH_CALLBACK_PORT", port.to_string());
    assert_failed(&world, &common::ran(by_env), 1, &[&port.to_string()]);
}

#[test]
fn settings_of_sdks_are_heeded_in_the_environment_and_in_the_profile() {
    let world = World::new();
    let port = free_port();
    world.write(
        ".databrickscfg",
        &format!(
            "[dev]\nhost = {}\noauth_callback_port = {port}\ndisable_oauth_refresh_token = true\n",
            world.url()
        ),
    );
    let mut running = Running::start(world.command("login dev --no-browser"));
    let url = running.url();
    assert!(url.contains(&format!("localhost%3A{port}")), "{url}");
    assert!(!url.contains("offline_access"), "{url}");
    follow_login(&url).unwrap();
    assert_eq!(running.done().code, Some(0));
    assert!(world.stored("dev").refresh_token.is_none());

    let mut by_env = world.command("login dev --no-browser");
    by_env.env("DATABRICKS_OAUTH_CALLBACK_PORT", "many");
    let ran = common::ran(by_env);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("DATABRICKS_OAUTH_CALLBACK_PORT is not a port"), "{}", ran.stderr);
}

#[test]
fn two_logins_at_once_and_a_range_that_is_all_taken() {
    let world = World::new();
    let start = |profile: &str| {
        let line = format!("login --host {{URL}} --no-browser --profile {profile}");
        Running::start(world.command(&line))
    };
    let (mut one, mut two) = (start("one"), start("two"));
    let (first, second) = (one.url(), two.url());
    follow_login(&second).unwrap();
    follow_login(&first).unwrap();
    assert_eq!((one.done().code, two.done().code), (Some(0), Some(0)));
    world.assert_alive("one");
    world.assert_alive("two");

    let world = World::new();
    // Those that cannot be had belong to somebody else, which serves as well.
    let taken: Vec<_> =
        (8020..=8040).filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()).collect();
    let ran = world.run("login --host {URL} --no-browser");
    drop(taken);
    assert_failed(
        &world,
        &ran,
        1,
        &[
            "no port available to listen on (localhost:8020 to 8040 are all in use)",
            "--port",
            "--paste",
        ],
    );
}

#[test]
fn a_captive_portal_in_place_of_the_host() {
    let world = World::new();
    let portal =
        || Fault::status(StatusCode::OK, "text/html", "<!doctype html><title>Hotel</title>");
    world.server.inject(Endpoint::Metadata, Times::Always, portal());
    let ran = world.run("login --host {URL} --no-browser");
    assert_failed(&world, &ran, 6, &["HTML response", "proxy or a captive portal", "Check"]);
}

#[test]
fn a_host_without_oauth_makes_sdks_step_aside() {
    let world = World::new();
    world.server.inject(
        Endpoint::Metadata,
        Times::Always,
        Fault::status(StatusCode::NOT_FOUND, "text/plain", "no"),
    );
    let ran = world.run("login --host {URL} --no-browser");
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("databricks OAuth is not supported for this host"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_exchange_fails() {
    for (fault, code, part) in [
        (
            Fault::status(
                StatusCode::BAD_REQUEST,
                "application/json",
                r#"{"error":"invalid_grant","error_description":"used"}"#,
            ),
            1,
            "used (error code: invalid_grant)",
        ),
        (Fault::junk(r#"{"token_type":"Bearer"}"#), 1, "missing access_token"),
        (Fault::status(StatusCode::BAD_GATEWAY, "text/html", "<h1>502</h1>"), 6, "502"),
    ] {
        let world = World::new();
        world.server.inject(Endpoint::Token, Times::Always, fault);
        let (_, ran) = sign_in(&world, "login --host {URL}");
        assert_failed(&world, &ran, code, &[part]);
    }
}

#[test]
fn a_profile_that_cannot_be_saved_is_said_to_be_so_and_the_login_is_kept() {
    let world = World::new();
    let mut running =
        Running::start(world.command("login --host {URL} --profile dev --no-browser"));
    let url = running.url();
    // It could be saved when the person was sent to the browser.
    std::fs::create_dir(world.path(".databrickscfg.lock")).unwrap();
    follow_login(&url).unwrap();
    let ran = running.done();
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("the login is stored under 'dev', but the profile could not be saved: "),
        "{}",
        ran.stderr
    );
    world.assert_alive("dev");
    let token = world.run("token --host {URL} --profile dev");
    assert!(world.server.is_active(&printed_token(&token.stdout)));
}

#[test]
fn a_login_whose_profile_cannot_be_saved_is_not_begun() {
    let world = World::new();
    std::fs::create_dir(world.path(".databrickscfg.lock")).unwrap();
    let ran = world.run("login --host {URL} --profile dev --no-browser");
    assert_eq!((ran.code, world.server.counts().requests), (Some(1), 0), "{}", ran.stderr);
    assert!(ran.stderr.contains("databrickscfg.lock"), "{}", ran.stderr);
}

#[test]
fn a_login_that_cannot_be_saved_is_not_begun() {
    let world = World::new();
    world.write(".databricks/token-cache.json/in-the-way", "x");
    let ran = world.run("login --host {URL} --profile dev --no-browser");
    assert_eq!(world.server.counts().authorizations, 0, "nobody was sent to sign in");
    assert_eq!(ran.code, Some(7), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("Error: ") && ran.stderr.contains("token-cache.json"),
        "{}",
        ran.stderr
    );
    assert!(!world.config().exists(), "no profile for a login that is not stored");
}

#[test]
fn junk_at_the_port_before_the_browser_comes_is_passed_over() {
    let (world, port) = (World::new(), free_port());
    let mut running = Running::start(
        world.command(&format!("login --host {{URL}} --profile dev --no-browser --port {port}")),
    );
    let url = running.url();
    for path in ["favicon.ico", "?state=wrong&code=x", "?error=access_denied", ""] {
        let page = follow_login(&format!("http://localhost:{port}/{path}")).unwrap();
        assert!(page.status().is_client_error(), "{path}: {}", page.status());
    }
    follow_login(&url).unwrap();
    assert_signed_in(&world, &running.end(LONG).1, "dev");
}

#[test]
fn a_long_wait_is_no_reason_to_overflow() {
    let world = World::new();
    let mut command =
        world.command("login --host {URL} --profile dev --timeout 100000000h --no-browser");
    command.args(["--port", &free_port().to_string()]);
    let mut running = Running::start(command);
    follow_login(&running.url()).unwrap();
    assert_eq!(running.end(Duration::from_secs(20)).1.code, Some(0));
}
