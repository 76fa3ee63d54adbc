//! Being asked, at a terminal: lists, names, hosts, ids. Each question is answered, and each is broken off.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/session.rs"]
mod session;

use common::World;
use session::{Look, Session, login, signs_in, three};

const DOWN: &str = "\u{1b}[B";
const UP: &str = "\u{1b}[A";
const CTRL_C: &str = "\u{3}";

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
    assert!(
        ended.shown.contains("Error: the input ended before an answer came"),
        "{}",
        ended.shown
    );
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
    session.until_seen("to search");
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
