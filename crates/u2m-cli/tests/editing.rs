//! Questions at a terminal are edited with the keys of a shell, stopped and continued, and drawn within the width.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/session.rs"]
mod session;

use common::{U2M, World};
use session::{Look, Session, login, signs_in, three};

const WIDTHS: [u16; 3] = [40, 80, 200];

fn look(columns: u16) -> Look {
    Look { columns, ..Look::FULL }
}

/// What is typed into an empty field, and what it holds then.
const KEYS: &[(&str, &str, &str)] = &[
    ("Ctrl-A", "ne\u{1}mi", "mine"),
    ("Ctrl-E", "in\u{1}m\u{5}e", "mine"),
    ("Ctrl-B and Ctrl-F", "me\u{2}in\u{2}\u{6}", "mine"),
    ("Ctrl-D in a text", "miXne\u{2}\u{2}\u{2}\u{4}", "mine"),
    ("Ctrl-H", "minex\u{8}", "mine"),
    ("Ctrl-K", "mine-not\u{1}\u{6}\u{6}\u{6}\u{6}\u{b}", "mine"),
    ("Ctrl-U", "wrong\u{15}mine", "mine"),
    ("Ctrl-W", "one two\u{17}\u{17}mine", "mine"),
    ("Ctrl-Y", "mine\u{15}\u{19}", "mine"),
    ("Alt-B", "in-x\u{1b}b\u{8}\u{b}\u{1}m\u{5}e", "mine"),
    ("Alt-F", "mi-x\u{1}\u{1b}f\u{b}ne", "mine"),
    ("Alt-D", "one-mine\u{1}\u{1b}d\u{4}", "mine"),
    ("Alt-Backspace", "mine-two\u{1b}\u{7f}\u{8}", "mine"),
    ("Left and Right", "mne\u{1b}[D\u{1b}[Di\u{1b}[C", "mine"),
    ("Home and End", "in\u{1b}[Hm\u{1b}[Fe", "mine"),
    ("Ctrl-Left and Ctrl-Right", "x-ine\u{1b}[1;5D\u{8}\u{8}m\u{1b}[1;5C", "mine"),
    ("Delete", "xmine\u{1}\u{1b}[3~", "mine"),
    ("Backspace", "minex\u{7f}", "mine"),
];

/// Whether a line is the one that is typed into: beside the question, or below it where that leaves no room.
fn holds(line: &str, asks: &str, typed: &str) -> bool {
    line == format!("> {typed}").trim_end() || line.ends_with(format!("{asks} {typed}").trim_end())
}

#[test]
fn every_key_of_a_shell_edits_a_text_at_each_width() {
    for columns in WIDTHS {
        let world = World::new();
        let Some(mut session) = Session::open(&world, &login("{URL}"), &[], look(columns)) else {
            return;
        };
        session.until_seen("Databricks profile name [DEFAULT]:");
        for (key, typed, expected) in KEYS {
            session.types(typed);
            session.until_seen_exactly(|line| holds(line, "[DEFAULT]:", expected), key);
            session.types("\u{5}\u{15}");
            session.until_seen_exactly(|line| holds(line, "[DEFAULT]:", ""), key);
        }
        session.types("mine\r");
        signs_in(session);
        world.assert_alive("mine");
    }
}

#[test]
fn what_is_searched_for_in_a_list_is_edited_too() {
    for columns in WIDTHS {
        let world = three();
        let Some(mut session) = Session::open(&world, &login(""), &[], look(columns)) else {
            return;
        };
        session.until_seen("3 in all");
        session.types("pha\u{1}al\u{5}\u{1}\u{5}");
        session.until_seen("Sign in to alpha");
        session.until_seen("1 of 3 match");
        session.types("\u{17}nobody");
        session.until_seen("no match among 3");
        session.types("\u{15}");
        session.until_seen("3 in all");
        session.types("\u{e}\r");
        signs_in(session);
        world.assert_alive("alpha");
    }
}

#[test]
fn a_paste_is_one_line_and_no_answer() {
    let world = World::new();
    let Some(mut session) = Session::open(&world, &login("{URL}"), &[], Look::FULL) else { return };
    session.until_seen("[DEFAULT]:");
    session.types("\u{1b}[200~mi\u{1b}[201~");
    session.until_seen("[DEFAULT]: mi");
    session.types("\u{1b}[200~ne\n\u{1b}[201~");
    session.until_seen("[DEFAULT]: mine");
    session.types("\r");
    signs_in(session);
    world.assert_alive("mine");
}

/// Stops the question that is asked by `line`, looks at the terminal, and goes on.
fn stopped_and_continued(world: &World, line: &str, asks: &str, typed: &str, columns: u16) -> bool {
    let Some(mut session) = Session::in_shell(world, look(columns)) else { return false };
    session.until_shell_asks(1);
    session.types(&format!("{U2M} {}\n", line.replace("{URL}", world.url())));
    session.until_seen(asks);
    session.types(typed);
    session.until_seen_exactly(|line| holds(line, asks, typed), typed);
    session.types("\u{1a}");
    session.until_shell_asks(2);
    session.types("stty -a\n");
    session.until(" icanon");
    session.until(" echo ");
    session.until_shell_asks(3);
    assert!(!session.shown.contains("-icanon"), "{}", session.shown);
    session.types("fg\n");
    session.until_seen_exactly(|line| holds(line, asks, typed), "fg");
    session.types("\u{3}");
    session.until_shell_asks(4);
    session.types("echo code $?\n");
    session.until("code 130");
    session.types("exit\n");
    true
}

#[test]
fn ctrl_z_stops_a_question_and_fg_asks_it_again_with_what_was_typed() {
    let world = three();
    world.seed("alpha", 1800);
    let before = world.tree();
    for columns in WIDTHS {
        let _ = stopped_and_continued(&world, &login(""), "? Sign in to", "al", columns)
            && stopped_and_continued(&world, "switch", "(now beta)", "al", columns)
            && stopped_and_continued(&world, "logout alpha", "[y/N]", "y", columns);
    }
    assert_eq!(world.tree(), before);
}

/// The styles of a question: none of them is a colour of a palette, which may be that of the ground.
#[test]
fn no_row_has_a_colour_that_a_light_or_a_dark_ground_may_have_too() {
    let world = three();
    let Some(mut session) = Session::open(&world, &login(""), &[], Look::FULL) else { return };
    session.until_seen("3 in all");
    session.types("a\u{1b}[B");
    session.until_seen("Sign in to a");
    for part in session.shown.split("\u{1b}[").skip(1) {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).unwrap();
        if part[end..].starts_with('m') {
            assert!(["", "0", "1", "7"].contains(&&part[..end]), "{part:?}");
        }
    }
    session.types("\u{3}");
    assert_eq!(session.ended().code, Some(130));
}

#[test]
fn wide_names_stay_in_their_rows() {
    let world = World::new();
    let url = world.url();
    let name = "日本語の名前はとても幅が広い日本語の名前";
    world.write(".databrickscfg", &format!("[{name}]\nhost = {url}\n\n[other]\nhost = {url}\n"));
    for columns in WIDTHS {
        let Some(mut session) = Session::open(&world, &login(""), &[], look(columns)) else {
            return;
        };
        session.until_seen("2 in all");
        let screen = session.screen();
        assert_eq!(screen.trim().lines().count(), 6, "{screen}");
        session.types("\u{1b}[B\u{1b}[B");
        session.until_seen("> + Create");
        assert_eq!(session.screen().trim().lines().count(), 6, "{}", session.screen());
        session.types("\u{3}");
        session.ended();
    }
}
