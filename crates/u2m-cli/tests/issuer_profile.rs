//! What every command makes of a profile that signs in to an issuer that is not Databricks'.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Running, World, free_port, now, printed_token};
use u2m::source::Lifetime;
use u2m::store::{CacheKey, TokenStore};
use u2m_testkit::{Client, Endpoint, Iss, Settings, WellKnown, follow_login};

/// The variables of another login, which have no say in this one.
const OTHERS: [(&str, &str); 2] =
    [("DATABRICKS_HOST", "https://a.example"), ("DATABRICKS_WORKSPACE_ID", "7")];

fn signed_in() -> World {
    let settings = Settings::new()
        .with_client(Client::public("my-cli"))
        .with_well_known(WellKnown::OpenId)
        .with_iss(Iss::Present);
    let world = World::with(settings);
    let mut command = world.command("login --issuer {URL}/oidc --client-id my-cli --profile corp");
    command.args(["--no-browser", "--port", &free_port().to_string()]);
    let mut running = Running::start(command);
    let _ = follow_login(&running.url());
    let ran = running.done();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    world
}

/// Lets the access token run out.
fn expire(world: &World) {
    let login = world.stored("corp").with_expiry(now().plus(Lifetime::from_seconds(-60)));
    world.store().save(&CacheKey::new("corp"), &login).unwrap();
}

#[test]
fn describe_tells_what_is_known_of_the_login_and_renews_it_as_its_own_client() {
    let world = signed_in();
    expire(&world);
    let ran = world.run("describe corp");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
    assert!(ran.stdout.starts_with("Authenticated with: u2m-issuer\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains(&format!("Issuer: {}/oidc\n", world.url())), "{}", ran.stdout);
    assert!(ran.stdout.contains("min left)\nRefreshable: yes\n"), "{}", ran.stdout);
    let seen = world.server.seen();
    let refresh = seen.iter().rev().find(|seen| seen.endpoint() == Endpoint::Token).unwrap();
    assert_eq!(refresh.parameter("grant_type"), Some("refresh_token"));
    assert_eq!(refresh.parameter("client_id"), Some("my-cli"));
    world.assert_alive("corp");

    let json = world.run("describe -p corp --offline -o json").stdout;
    assert!(json.contains("\"auth_type\": \"u2m-issuer\""), "{json}");
    assert!(!json.contains("\"host\""), "{json}");
}

#[test]
fn describe_of_a_profile_that_nobody_has_signed_in_to_says_how_to() {
    let world = World::with(Settings::new());
    let profile = format!("[corp]\nu2m_issuer = {}/oidc\nu2m_client_id = my-cli\n", world.url());
    world.write(".databrickscfg", &profile);
    let ran = world.run("describe corp");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("profile corp is not signed in. Run: u2m login --profile corp"),
        "{}",
        ran.stderr
    );
    assert_eq!(world.server.counts().requests, 0);
}

#[test]
fn profiles_lists_it_and_whether_it_works() {
    let world = signed_in();
    let url = world.url();
    let ran = world.run("profiles");
    assert!(ran.stdout.ends_with(&format!("corp  {url}/oidc  YES\n")), "{}", ran.stdout);
    let json = world.run("profiles -o json").stdout;
    assert!(json.contains(&format!("\"issuer\": \"{url}/oidc\"")), "{json}");
    world.run("logout corp --auto-approve");
    let ran = world.run("profiles");
    assert!(ran.stdout.ends_with("NO     no cached credentials\n"), "{}", ran.stdout);
}

#[test]
fn a30_its_token_is_lent_to_programs_without_the_host_of_another_login() {
    let world = signed_in();
    let token = printed_token(&world.run("token corp").stdout);
    for line in ["exec -p corp -- env", "env corp --with-token --format shell"] {
        let mut command = world.command(line);
        command.envs(OTHERS);
        let ran = common::ran(command);
        assert_eq!(ran.code, Some(0), "{line}: {}", ran.stderr);
        assert!(ran.stdout.contains(&token), "{line}: {}", ran.stdout);
        assert!(!ran.stdout.contains("DATABRICKS_HOST"), "{line}: {}", ran.stdout);
        assert!(!ran.stdout.contains("DATABRICKS_WORKSPACE_ID"), "{line}: {}", ran.stdout);
    }
}

#[test]
fn switch_and_doctor_know_it_by_its_name_alone() {
    let world = signed_in();
    let ran = world.run("switch corp");
    let said = format!("The default profile is now \"corp\" ({}/oidc).\n", world.url());
    assert_eq!((ran.code, ran.stderr), (Some(0), said));
    assert_eq!(world.run("token").code, Some(0));
    let ran = world.run("doctor corp");
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    assert!(ran.stdout.contains("login: \"corp\" is good for 60 minutes"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("says what it is"), "{}", ran.stdout);
}
