//! Being asked, at a terminal: lists, names, hosts, ids. Each question is answered, and each is broken off.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/session.rs"]
mod session;

use common::{World, free_port, printed_token};
use session::{Look, Session};
use u2m_testkit::{HostMetadata, Settings, follow_login};

const DOWN: &str = "\u{1b}[B";
const UP: &str = "\u{1b}[A";
const CTRL_C: &str = "\u{3}";

/// A world with three profiles on its server, of which the second is the default.
fn three() -> World {
    let world = World::new();
    let url = world.url();
    world.write(
        ".databrickscfg",
        &format!(
            "[alpha]\nhost = {url}\n\n[beta]\nhost = {url}\n\n[gamma]\nhost = {url}\naccount_id = acc-9\n\n[__settings__]\n\
             default_profile = beta\n"
        ),
    );
    world
}

fn unified() -> World {
    let settings = Settings::new()
        .with_host_metadata(HostMetadata::unified("acc-1"))
        .with_workspace(7, "one")
        .with_workspace(8, "two");
    World::with(settings)
}

fn login(rest: &str) -> String {
    format!("login {rest} --no-browser --port {}", free_port())
}

/// Signs in by the address that is shown, and expects it to go well.
fn signs_in(mut session: Session) -> String {
    follow_login(&session.url()).unwrap();
    let ended = session.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.shown);
    assert!(ended.is_sane(), "{}", ended.shown);
    ended.shown
}

#[test]
fn a_login_without_a_word_shows_the_profiles_and_more_and_takes_what_is_searched_for() {
    let world = three();
    let Some(mut session) = Session::open(&world, &login(""), &[], Look::FULL) else { return };
    session.until_seen("→ Enter a host URL manually");
    let screen = session.screen();
    let rows: Vec<_> =
        screen.lines().map(|line| line.trim_start_matches(['>', '?', ' '])).collect();
    let place = |part: &str| rows.iter().position(|row| row.starts_with(part)).expect(part);
    assert!(place("beta [default] (http") < place("alpha (http"), "{screen}");
    assert!(place("alpha (http") < place("gamma (account: acc-9)"), "{screen}");
    assert!(place("gamma") < place("+ Create a new profile"), "{screen}");
    session.types("ALP");
    session.until_seen("Sign in to ALP");
    let screen = session.screen();
    assert!(!screen.contains("gamma") && screen.contains("+ Create a new profile"), "{screen}");
    session.types("\r");
    signs_in(session);
    world.assert_alive("alpha");
}

#[test]
fn a_profile_is_found_by_its_account_too() {
    let world = three();
    let Some(mut session) = Session::open(&world, &login(""), &[], Look::FULL) else { return };
    session.until_seen("gamma");
    session.types("acc-9");
    session.until_seen("Sign in to acc-9");
    session.types("\r");
    signs_in(session);
    world.assert_alive("gamma");
}

#[test]
fn a_host_is_typed_again_until_it_is_one_and_the_profile_is_named() {
    let world = three();
    let Some(mut session) = Session::open(&world, &login(""), &[], Look::FULL) else { return };
    session.until_seen("→ Enter a host");
    session.types(&format!("{UP}\r"));
    session.until_seen("Databricks host:");
    session.types("not a host\r");
    session.until_seen("not a host'");
    session.types(&format!("{}{}\r", "\u{7f}".repeat(10), world.url()));
    session.until_seen("Databricks profile name [DEFAULT]:");
    session.types("mine\r");
    signs_in(session);
    world.assert_alive("mine");
    assert!(world.read(".databrickscfg").contains("[mine]\n"));
}

#[test]
fn a_new_profile_is_named_and_finds_its_host_by_signing_in() {
    let world = three();
    let env = [("DATABRICKS_DISCOVERY_HOST", world.url())];
    let Some(mut session) = Session::open(&world, &login(""), &env, Look::FULL) else { return };
    session.until_seen("+ Create");
    session.types("create");
    session.until_seen("Sign in to create");
    session.types("\r");
    session.until_seen("Databricks profile name [DEFAULT]:");
    session.types("\r");
    signs_in(session);
    world.assert_alive("DEFAULT");
}

#[test]
fn a_suggested_name_that_is_anothers_is_refused_and_asked_for_again() {
    let world = World::new();
    world.write(".databrickscfg", "[other]\nhost = https://other.example\n");
    let Some(mut session) = Session::open(&world, &login("{URL}"), &[], Look::FULL) else { return };
    session.until_seen("Databricks profile name [DEFAULT]:");
    session.types("other\r");
    session.until_seen("other is for https://other.example");
    session.types("fresh\r");
    signs_in(session);
    world.assert_alive("fresh");
    assert!(world.read(".databrickscfg").contains("https://other.example"));
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
#[test]
fn a_workspace_that_is_not_chosen_costs_nothing_but_the_workspace() {
    let world = unified();
    let line = login("--host {URL} --profile uni");
    let Some(mut session) = Session::open(&world, &line, &[], Look::FULL) else { return };
    follow_login(&session.url()).unwrap();
    session.until_seen("→ No workspace");
    session.types(CTRL_C);
    let ended = session.ended();
    assert_eq!(ended.code, Some(130), "{}", ended.shown);
    assert!(ended.is_sane(), "{}", ended.shown);
    world.assert_alive("uni");
    let config = world.read(".databrickscfg");
    assert!(
        config.contains("account_id = acc-1\n") && !config.contains("workspace_id"),
        "{config}"
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

/// Breaks off what `part` asks.
fn broken_off(world: &World, line: &str, keys: &[(&str, &str)], part: &str, look: Look) -> bool {
    let before = world.tree();
    let Some(mut session) = Session::open(world, line, &[], look) else { return false };
    for (seen, typed) in keys {
        session.until_seen(seen);
        session.types(typed);
    }
    session.until_seen(part);
    session.types(CTRL_C);
    let ended = session.ended();
    assert_eq!(ended.code, Some(130), "{line}: {}", ended.shown);
    assert!(ended.is_sane(), "{line}: {}", ended.shown);
    assert!(!ended.shown.contains("Error"), "{line}: {}", ended.shown);
    assert_eq!(world.tree(), before, "{line}");
    true
}

#[test]
fn ctrl_c_in_any_question_ends_it_with_130_and_changes_nothing() {
    for look in [Look::FULL, Look::DUMB] {
        let world = three();
        world.seed("alpha", 1800);
        let manual: &[(&str, &str)] = match look.term {
            "dumb" => &[("part of a name: ", "5\n")],
            _ => &[("Enter a host", "\u{1b}[A\r")],
        };
        let list = "Enter a host";
        let _ = broken_off(&world, &login(""), &[], list, look)
            && broken_off(&world, &login(""), manual, "Databricks host:", look)
            && broken_off(&world, &login("{URL}"), &[], "profile name [DEFAULT]:", look)
            && broken_off(
                &world,
                &login("--host https://accounts.cloud.databricks.com"),
                &[],
                "account ID:",
                look,
            );
        let world = three();
        world.seed("alpha", 1800);
        let _ = broken_off(&world, "switch", &[], "alpha", look)
            && broken_off(&world, "logout", &[], "alpha", look)
            && broken_off(&world, "logout alpha", &[], "[y/N]", look);
    }
}

#[test]
fn a_signal_in_a_question_leaves_the_terminal_as_it_was() {
    let world = three();
    let before = world.tree();
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let Some(mut session) = Session::open(&world, &login(""), &[], Look::FULL) else { return };
        session.until_seen("Enter a host");
        session.signal(signal);
        let ended = session.ended();
        assert_eq!(ended.code, Some(code), "{}", ended.shown);
        assert!(ended.is_sane(), "{signal}: {}", ended.shown);
        assert_eq!(world.tree(), before);
    }
}

#[test]
fn the_end_of_the_input_is_no_answer() {
    let world = three();
    let Some(mut session) = Session::open(&world, &login(""), &[], Look::DUMB) else { return };
    session.until("part of a name: ");
    session.types("\u{4}");
    let ended = session.ended();
    assert_eq!(ended.code, Some(1), "{}", ended.shown);
    assert!(ended.shown.contains("Error: the input ended before an answer came"), "{}", ended.shown);
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

/// Without colours everything is there but the colours.
#[test]
fn no_color_takes_the_colours_and_nothing_else() {
    let world = three();
    let is_coloured = |env: &[(&str, &str)]| {
        let mut session = Session::open(&world, &login(""), env, Look::FULL)?;
        session.until_seen("→ Enter a host URL manually");
        session.types("alp");
        session.until_seen("Sign in to alp");
        session.types("\r");
        let shown = signs_in(session);
        let mut rest = shown.as_str();
        while let Some(at) = rest.find("\u{1b}[") {
            rest = &rest[at + 2..];
            let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
            if rest[end..].starts_with('m') {
                return Some(true);
            }
        }
        Some(false)
    };
    let Some(plain) = is_coloured(&[("NO_COLOR", "1")]) else { return };
    assert!(!plain);
    assert_eq!(is_coloured(&[]), Some(true), "there are some to be taken");
}

#[test]
fn forty_columns_are_enough() {
    let world = World::new();
    let url = world.url();
    let profile = |n: usize| format!("[a-name-that-is-not-short-at-all-{n}]\nhost = {url}\n\n");
    world.write(".databrickscfg", &(0..12).map(profile).collect::<String>());
    let look = Look { columns: 40, ..Look::FULL };
    let Some(mut session) = Session::open(&world, &login(""), &[], look) else { return };
    session.until_seen("→ Enter a host URL manually");
    let screen = session.screen();
    for row in ["+ Create a new profile", "short-at-all-0", "short-at-all-4", "to search"] {
        assert!(screen.contains(row), "{row} in {screen}");
    }
    let height = screen.trim().lines().count();
    assert!(height <= 9, "one line a row: {screen}");
    for _ in 0..9 {
        session.types(DOWN);
    }
    session.until_seen("short-at-all-7");
    assert_eq!(session.screen().trim().lines().count(), height, "{}", session.screen());
    session.types("all-11");
    session.until_seen("Sign in to all-11");
    session.until_seen("short-at-all-11");
    session.types("\r");
    signs_in(session);
    world.assert_alive("a-name-that-is-not-short-at-all-11");
}

#[test]
fn a_plain_terminal_is_asked_in_plain_lines() {
    for env in [&[][..], &[("TERM", "xterm"), ("MSYSTEM", "MINGW64")][..]] {
        let world = three();
        let Some(mut session) = Session::open(&world, &login(""), env, Look::DUMB) else { return };
        session.until("  1  beta [default]");
        session.until("  4  + Create a new profile");
        session.until("part of a name: ");
        session.types("a\n");
        session.until("  3  gamma");
        session.types("nothing\n");
        session.until("Nothing is called that.");
        session.types("alph\n");
        let shown = signs_in(session);
        assert!(!shown.contains('\u{1b}'), "{shown}");
        world.assert_alive("alpha");
    }
}

#[test]
fn nobody_is_asked_where_that_is_not_wished() {
    for (line, env) in [
        ("token --no-input", &[][..]),
        ("token", &[("U2M_NO_INPUT", "1")][..]),
        ("token 2> said", &[][..]),
    ] {
        let world = three();
        let config = world.read(".databrickscfg").replace("default_profile = beta\n", "");
        world.write(".databrickscfg", &config);
        let Some(session) = Session::open(&world, line, env, Look::FULL) else { return };
        assert_eq!(session.ended().code, Some(5), "{line}");
    }
}

#[test]
fn names_of_profiles_cannot_play_with_the_terminal() {
    let world = World::new();
    let url = world.url();
    world.write(".databrickscfg", &format!("[a\u{1b}[31mb]\nhost = {url}\n\n[c]\nhost = {url}\n"));
    for look in [Look::FULL, Look::DUMB] {
        let env = [("NO_COLOR", "1")];
        let Some(mut session) = Session::open(&world, &login(""), &env, look) else { return };
        session.until_seen("→ Enter a host");
        session.types(CTRL_C);
        assert!(!session.ended().shown.contains("\u{1b}[31m"));
    }
}
