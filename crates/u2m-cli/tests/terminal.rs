//! A person at a terminal: pasting, and being asked. The terminal is one of `script`; without that program nothing is tested.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/session.rs"]
mod session;

use common::{World, free_port};
use session::{Look, Session, address_after};
use u2m_testkit::{Iss, Settings, follow_login};

#[test]
fn an_address_is_pasted_after_some_that_are_not_the_one() {
    let world = World::new();
    let line = format!("login --host {{URL}} --profile dev --paste --port {}", free_port());
    let Some(mut session) = Session::start(&world, &line, &[]) else { return };
    let address = address_after(&session.url());
    session.until("paste that address here");
    session.types("\nwhat?\n");
    session.until("That is not the answer to this sign-in.");
    session.types(&format!("{}\n", address.replace("code=", "x=")));
    session.until("That address is not complete.");
    session.types(&format!("  {address}\n"));
    let (code, shown) = session.done();
    assert_eq!(code, Some(0), "{shown}");
    world.assert_alive("dev");
}

#[test]
fn a_terminal_takes_pastes_beside_the_listener_without_being_told() {
    let world = World::new();
    let line = format!("login --host {{URL}} --profile dev --port {}", free_port());
    let Some(mut session) = Session::start(&world, &line, &[]) else { return };
    let url = session.url();
    session.until("paste that address here");
    follow_login(&url).unwrap();
    let (code, shown) = session.done();
    assert_eq!(code, Some(0), "{shown}");
    world.assert_alive("dev");
}

/// A discovery login that leads to a host in the zone that needs a yes. No way leads out of this machine.
fn asked(answer: &str) -> Option<(Option<i32>, String)> {
    let issuer = "https://nike.databricks.com/oidc";
    let world = World::with(Settings::new().with_iss(Iss::Forged(issuer.into())));
    let proxy = format!("http://127.0.0.1:{}", free_port());
    let env = [
        ("DATABRICKS_DISCOVERY_HOST", world.url()),
        ("HTTPS_PROXY", &proxy),
        ("https_proxy", &proxy),
    ];
    let line = format!("login --profile DEFAULT --no-browser --port {}", free_port());
    let mut session = Session::start(&world, &line, &env)?;
    let url = session.url();
    session.until("paste that address here");
    let browser = std::thread::spawn(move || follow_login(&url));
    session.until("Sign in to https://nike.databricks.com? [y/N] ");
    session.types(answer);
    let ended = session.done();
    browser.join().unwrap().unwrap();
    assert_eq!(world.server.counts().exchanges, 0);
    assert!(!world.cache().exists());
    Some(ended)
}

#[test]
fn a_no_and_an_empty_line_are_a_no() {
    for answer in ["n\n", "\n", "maybe\n", "\u{4}"] {
        let Some((code, shown)) = asked(answer) else { return };
        assert_eq!(code, Some(1), "{shown}");
        assert!(shown.contains("was not confirmed. If it is yours, sign in to it by name: u2m login --host https://nike.databricks.com"), "{shown}");
    }
}

#[test]
fn a_yes_goes_on_to_the_host_itself() {
    let Some((code, shown)) = asked("y\n") else { return };
    assert_eq!(code, Some(6), "{shown}");
    assert!(!shown.contains("was not confirmed"), "{shown}");
}

#[test]
fn ctrl_c_at_the_terminal_ends_it() {
    let world = World::new();
    let line = format!("login --host {{URL}} --profile dev --port {}", free_port());
    let Some(mut session) = Session::start(&world, &line, &[]) else { return };
    session.url();
    session.until("paste that address here");
    session.types("\u{3}");
    let (code, shown) = session.done();
    assert_eq!(code, Some(130), "{shown}");
    assert!(!world.cache().exists() && !world.config().exists());
}

#[test]
fn ctrl_backslash_ends_it_too_and_leaves_a_terminal_that_shows_what_is_typed() {
    let world = World::new();
    let line = format!("login --host {{URL}} --profile dev --port {}", free_port());
    let Some(mut session) = Session::open(&world, &line, &[], Look::FULL) else { return };
    session.url();
    session.until("What you paste is not shown.");
    session.until_seen("Waiting for the browser");
    session.types("\u{1c}");
    let ended = session.ended();
    assert!(ended.is_sane(), "{}", ended.shown);
    assert_eq!(ended.code, Some(131), "{}", ended.shown);
}

/// On a terminal that can draw, the wait has a line of its own. What is pasted does not show: it would stand in that line,
/// and it holds a code.
#[test]
fn the_wait_is_shown_and_a_paste_beside_it_is_read_whole() {
    for columns in [80, 40] {
        let world = World::new();
        let line = format!("login --host {{URL}} --profile dev --port {}", free_port());
        let look = Look { columns, ..Look::FULL };
        let Some(mut session) = Session::open(&world, &line, &[], look) else { return };
        let address = address_after(&session.url());
        session.until("What you paste is not shown.");
        session.until_seen("Waiting for the browser (9:5");
        session.types("what?\n");
        session.until("That is not the answer to this sign-in.");
        // Two pieces, with the line drawn again in between.
        let (one, two) = address.split_at(address.len() / 2);
        session.types(one);
        let drawn = session.shown.matches("Waiting for").count();
        while session.shown.matches("Waiting for").count() == drawn {
            session.until_more();
        }
        session.types(&format!("{two}\n"));
        let ended = session.ended();
        assert_eq!(ended.code, Some(0), "{}", ended.shown);
        assert!(ended.is_sane(), "{}", ended.shown);
        assert!(!ended.shown.contains(&address[..40]) && !ended.shown.contains("what?"));
        assert!(!ended.seen.contains("Waiting for"), "{}", ended.seen);
        assert!(ended.seen.contains("was successfully saved"), "{}", ended.seen);
        world.assert_alive("dev");
    }
}

#[test]
fn ctrl_c_while_the_wait_is_shown_leaves_the_terminal_as_it_was() {
    let world = World::new();
    let line = format!("login --host {{URL}} --profile dev --port {}", free_port());
    let Some(mut session) = Session::open(&world, &line, &[], Look::FULL) else { return };
    session.until_seen("Waiting for the browser");
    session.types("\u{3}");
    let ended = session.ended();
    assert_eq!(ended.code, Some(130), "{}", ended.shown);
    assert!(ended.is_sane(), "{}", ended.shown);
    assert!(!ended.seen.contains("Waiting for"), "{}", ended.seen);
    assert!(!world.cache().exists() && !world.config().exists());
}

/// Half of the time is gone, and nobody has come.
#[test]
fn the_address_is_shown_and_after_a_while_there_is_a_hint_at_pasting() {
    for look in [Look::FULL, Look::DUMB] {
        let world = World::new();
        world.script("browser", "#!/bin/sh\nexit 0\n");
        let line =
            format!("login --host {{URL}} --profile dev --timeout 3s --port {}", free_port());
        let browser = world.path("browser").display().to_string();
        let Some(mut session) = Session::open(&world, &line, &[("BROWSER", &browser)], look) else {
            return;
        };
        session.until("in your browser...");
        assert!(session.url().contains("/oidc/v1/authorize?"));
        assert!(!session.shown.contains("Nobody has signed in yet"), "{}", session.shown);
        session.until("Nobody has signed in yet.");
        session.until("Then paste that address here.");
        let ended = session.ended();
        assert_eq!(ended.code, Some(6), "{}", ended.shown);
        assert!(ended.is_sane(), "{}", ended.shown);
        assert!(ended.shown.contains("nobody signed in within 3 seconds"), "{}", ended.shown);
    }
}

/// Nothing is asked by `token`, whoever sits there.
#[test]
fn a_token_is_one_json_object_at_a_terminal_too() {
    let world = World::new();
    world.seed(world.url(), 1800);
    let Some(session) = Session::start(&world, "token --host {URL}", &[("BROWSER", "/no/such")])
    else {
        return;
    };
    let (code, shown) = session.done();
    assert_eq!(code, Some(0), "{shown}");
    common::printed_token(&shown);
}

/// A logout of a signed-in profile, answered.
fn logged_out(line: &str, question: &str, answer: &str) -> Option<(World, Option<i32>, String)> {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world.seed("dev", 1800);
    let mut session = Session::start(&world, line, &[])?;
    session.until(question);
    session.types(answer);
    let (code, shown) = session.done();
    Some((world, code, shown))
}

#[test]
fn a_logout_asks_first_and_a_yes_is_taken() {
    for (line, question) in [
        ("logout dev", "Log out of profile \"dev\"? [y/N] "),
        (
            "logout dev --delete",
            "Log out of profile \"dev\" and remove it from ~/.databrickscfg? [y/N] ",
        ),
        ("logout --all", "Log out of every login (dev)? [y/N] "),
    ] {
        let Some((world, code, shown)) = logged_out(line, question, "yes\n") else { return };
        assert_eq!(code, Some(0), "{shown}");
        assert!(shown.contains("Logged out of"), "{shown}");
        assert_eq!(world.run("token dev").code, Some(if line.contains("delete") { 5 } else { 3 }));
    }
}

#[test]
fn a_logout_that_is_not_wanted_changes_nothing() {
    for answer in ["n\n", "\n", "\u{4}"] {
        let question = "Log out of profile \"dev\" and remove it";
        let Some((world, code, shown)) = logged_out("logout dev --delete", question, answer) else {
            return;
        };
        assert_eq!(code, Some(0), "{shown}");
        assert!(shown.ends_with("Nothing was changed.\n"), "{shown}");
        world.assert_alive("dev");
        assert!(world.read(".databrickscfg").contains("[dev]"));
    }
}
