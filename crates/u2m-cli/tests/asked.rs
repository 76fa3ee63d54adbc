//! What each command asks a person for: the account, the workspace and the cluster of a login, a profile for a token, for a
//! logout and for the default.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/session.rs"]
mod session;

use common::{World, free_port, printed_token};
use session::{Look, Session, login, signs_in, three};
use u2m_testkit::{HostMetadata, Settings, follow_login};

const DOWN: &str = "\u{1b}[B";
const CTRL_C: &str = "\u{3}";

fn unified() -> World {
    let settings = Settings::new()
        .with_host_metadata(HostMetadata::unified("acc-1"))
        .with_workspace(7, "one")
        .with_workspace(8, "two");
    World::with(settings)
}

#[test]
fn an_account_is_asked_for_where_the_host_needs_one_and_says_none() {
    let metadata = HostMetadata::unified("x").without("account_id");
    let world = World::with(Settings::new().with_host_metadata(metadata));
    let line = login("--host {URL} --profile uni --skip-workspace");
    let Some(mut session) = Session::open(&world, &line, &[], Look::FULL) else { return };
    session.until_seen("Databricks account ID:");
    session.types("acc-7\r");
    signs_in(session);
    assert!(world.read(".databrickscfg").contains("account_id = acc-7\n"));
}

#[test]
fn a_workspace_is_chosen_from_those_of_the_account() {
    let world = unified();
    let line = login("--host {URL} --profile uni");
    let Some(mut session) = Session::open(&world, &line, &[], Look::FULL) else { return };
    follow_login(&session.url()).unwrap();
    session.until_seen("→ No workspace");
    session.types(&format!("{DOWN}\r"));
    let ended = session.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.shown);
    assert!(world.read(".databrickscfg").contains("workspace_id = 8\n"));
}

/// The login went well before it was asked, so it is saved.
fn broken_off(world: &World, line: &str, asked: &str) -> bool {
    let Some(mut session) = Session::open(world, &login(line), &[], Look::FULL) else {
        return false;
    };
    follow_login(&session.url()).unwrap();
    session.until_seen(asked);
    session.types(CTRL_C);
    let ended = session.ended();
    assert_eq!(ended.code, Some(130), "{}", ended.shown);
    assert!(ended.is_sane(), "{}", ended.shown);
    world.assert_alive("p");
    let config = world.read(".databrickscfg");
    assert!(config.contains("[p]\n") && config.contains(world.url()), "{config}");
    assert!(!config.contains("workspace_id = 7") && !config.contains("cluster_id"), "{config}");
    true
}

#[test]
fn what_is_not_chosen_after_a_login_costs_nothing_but_the_choice() {
    use u2m_testkit::{Endpoint, Fault, Times};
    let world = unified();
    if !broken_off(&world, "--host {URL} --profile p", "→ No workspace") {
        return;
    }
    let world = unified();
    world.server.inject(Endpoint::Api, Times::Always, Fault::drop_connection());
    broken_off(&world, "--host {URL} --profile p", "Databricks workspace ID");
    let cluster = |id: &str| {
        serde_json::json!({"cluster_id": id, "cluster_name": id, "spark_version": "15.4.x-scala2.12",
            "data_security_mode": "USER_ISOLATION"})
    };
    let settings = Settings::new().with_cluster(cluster("one")).with_cluster(cluster("two"));
    broken_off(
        &World::with(settings),
        "--host {URL} --profile p --configure-cluster",
        "Shared, 15.4.x-scala2.12, two",
    );
}

#[test]
fn a_cluster_is_chosen_from_those_that_can_be_used() {
    let cluster = |id: &str, mode: &str| {
        serde_json::json!({"cluster_id": id, "cluster_name": format!("{id} \u{1b}[31mred"), "state": "RUNNING",
            "spark_version": "15.4.x-scala2.12", "data_security_mode": mode})
    };
    let settings = Settings::new()
        .with_cluster(cluster("one", "USER_ISOLATION"))
        .with_cluster(cluster("never", "NONE"))
        .with_cluster(cluster("two", "USER_ISOLATION"));
    let world = World::with(settings);
    let line = login("--host {URL} --profile dev --configure-cluster");
    let Some(mut session) = Session::open(&world, &line, &[], Look::FULL) else { return };
    follow_login(&session.url()).unwrap();
    session.until_seen("two");
    assert!(!session.screen().contains("never"), "{}", session.screen());
    assert!(!session.shown.contains("\u{1b}[31mred"), "names cannot play with the terminal");
    session.types("two");
    session.until_seen("Cluster two");
    session.types("\r");
    assert_eq!(session.ended().code, Some(0));
    assert!(world.read(".databrickscfg").contains("= two\n"));
}

#[test]
fn a_logout_of_a_host_with_several_profiles_asks_which() {
    let world = three();
    let config = world.read(".databrickscfg").replace("default_profile = beta\n", "");
    world.write(".databrickscfg", &config);
    world.seed("beta", 1800);
    let line = "logout --host {URL} --auto-approve";
    let Some(mut session) = Session::open(&world, line, &[], Look::FULL) else { return };
    session.until_seen("gamma");
    session.types("bet");
    session.until_seen("as bet");
    session.types("\r");
    assert_eq!(session.ended().code, Some(0));
    assert_eq!(world.run("token beta").code, Some(3));
}

#[test]
fn a_workspace_is_typed_where_the_account_does_not_list_them() {
    use u2m_testkit::{Endpoint, Fault, Times, http::StatusCode};
    for (typed, expected) in [("\r", None), ("77\r", Some("77"))] {
        let world = unified();
        let no = r#"{"error_code":"PERMISSION_DENIED","message":"not an admin"}"#;
        let fault = Fault::status(StatusCode::FORBIDDEN, "application/json", no);
        world.server.inject(Endpoint::Api, Times::Always, fault);
        let line = login("--host {URL} --profile uni");
        let Some(mut session) = Session::open(&world, &line, &[], Look::FULL) else { return };
        follow_login(&session.url()).unwrap();
        session.until_seen("Databricks workspace ID [none]:");
        assert!(session.screen().contains("cannot be listed"), "{}", session.screen());
        session.types(typed);
        let ended = session.ended();
        assert_eq!(ended.code, Some(0), "{}", ended.shown);
        let config = world.read(".databrickscfg");
        let found = config.lines().find_map(|line| line.strip_prefix("workspace_id = "));
        assert_eq!(found, expected, "{config}");
    }
}

#[test]
fn the_only_workspace_is_taken_and_that_is_said() {
    let metadata = HostMetadata::unified("acc-1");
    let world = World::with(Settings::new().with_host_metadata(metadata).with_workspace(7, "one"));
    let line = login("--host {URL} --profile uni");
    let Some(session) = Session::open(&world, &line, &[], Look::FULL) else { return };
    let shown = signs_in(session);
    assert!(shown.contains("Workspace one (7) was chosen."), "{shown}");
    assert!(world.read(".databrickscfg").contains("workspace_id = 7\n"));
}

#[test]
fn a_token_is_asked_for_by_a_list_and_standard_output_stays_the_results() {
    let world = three();
    let config = world.read(".databrickscfg").replace("default_profile = beta\n", "");
    world.write(".databrickscfg", &config);
    world.seed("gamma", 1800);
    let Some(mut session) = Session::open(&world, "token > out", &[], Look::FULL) else { return };
    session.until_seen("+ Create a new profile");
    session.types("gam");
    session.until_seen("Token for gam");
    session.types("\r");
    let ended = session.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.shown);
    printed_token(&world.read("out"));
}

#[test]
fn a_host_with_several_profiles_is_asked_about() {
    let world = three();
    let config = world.read(".databrickscfg").replace("default_profile = beta\n", "");
    world.write(".databrickscfg", &config);
    world.seed("alpha", 1800);
    let line = "token --host {URL} > out";
    let Some(mut session) = Session::open(&world, line, &[], Look::FULL) else { return };
    session.until_seen("alpha");
    assert!(!session.screen().contains("+ Create"), "{}", session.screen());
    session.types("\r");
    assert_eq!(session.ended().code, Some(0));
    printed_token(&world.read("out"));
}

#[test]
fn a_token_where_nothing_is_signed_in_begins_with_a_login() {
    let world = World::new();
    // An inline login takes the usual ports; the environment names another.
    let port = free_port().to_string();
    let env = [("DATABRICKS_OAUTH_CALLBACK_PORT", port.as_str())];
    let Some(mut session) = Session::open(&world, "token > out", &env, Look::FULL) else { return };
    session.until_seen("+ Create");
    session.types("\r");
    session.until_seen("Databricks profile name [DEFAULT]:");
    session.types("\r");
    session.until_seen("Databricks host:");
    session.types(&format!("{}\r", world.url()));
    signs_in(session);
    printed_token(&world.read("out"));
    world.assert_alive("DEFAULT");
}

#[test]
fn a_default_profile_is_chosen_from_a_list_that_begins_with_the_present_one() {
    let world = three();
    let Some(mut session) = Session::open(&world, "switch", &[], Look::FULL) else { return };
    session.until_seen("gamma");
    let screen = session.screen();
    assert!(
        screen.contains("Default profile (now beta)") && !screen.contains("+ Create"),
        "{screen}"
    );
    session.types(&format!("{DOWN}{DOWN}\r"));
    let ended = session.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.shown);
    assert!(world.read(".databrickscfg").contains("default_profile = gamma\n"));
}

#[test]
fn a_logout_is_chosen_and_confirmed() {
    let world = three();
    world.seed("alpha", 1800);
    let Some(mut session) = Session::open(&world, "logout", &[], Look::FULL) else { return };
    session.until_seen("alpha");
    session.types("alpha");
    session.until_seen("Log out of alpha");
    session.types("\r");
    session.until_seen("Log out of profile \"alpha\"? [y/N]");
    session.types("y\n");
    let ended = session.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.shown);
    assert_eq!(world.run("token alpha").code, Some(3));
}
