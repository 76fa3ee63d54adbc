//! `u2m exec`: the program that it becomes has its streams, its signals and its end to itself, and the token in its
//! environment alone.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Running, World};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

fn world() -> World {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world
}

/// `u2m exec` with a script for the shell.
fn exec(world: &World, script: &str) -> Command {
    let mut command = world.command("exec --profile dev -- /bin/sh -c");
    command.arg(script);
    command
}

#[test]
fn the_programs_end_is_the_end() {
    let world = world();
    world.seed("dev", 1800);
    for code in [0, 1, 3, 42, 255] {
        let ran = common::ran(exec(&world, &format!("exit {code}")));
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(code), "", ""));
    }
    let (status, _) = Running::start(exec(&world, "kill -KILL $$")).end(common::LONG);
    assert_eq!(status.signal(), Some(9));
    // As every shell shows it.
    let ran = common::ran({
        let mut command = Command::new("/bin/sh");
        world.surround(&mut command);
        let line = format!("'{}' exec -p dev -- /bin/sh -c 'kill -TERM $$'; exit $?", common::U2M);
        command.args(["-c", &line]);
        command
    });
    assert_eq!(ran.code, Some(128 + 15));
}

#[test]
fn a_signal_reaches_the_program_itself_also_after_a_refresh() {
    for left in [1800, -5] {
        let world = world();
        world.seed("dev", left);
        let script =
            "trap 'echo caught >&2; exit 7' TERM; echo up >&2; while :; do sleep 0.01; done";
        let mut running = Running::start(exec(&world, script));
        running.line(|line| line == "up");
        running.signal("TERM");
        running.line(|line| line == "caught");
        assert_eq!(running.done().code, Some(7));
        assert_eq!(world.server.counts().refreshes, u64::from(left < 0));
    }
}

#[test]
fn standard_input_and_output_are_the_programs_own_byte_for_byte() {
    let world = world();
    world.seed("dev", 1800);
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let mut command = world.command("exec --profile dev -- /bin/cat");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let sent = bytes.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&sent).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success() && output.stdout == bytes);
}

/// Whoever may list processes sees their arguments.
#[cfg(target_os = "linux")]
#[test]
fn the_token_is_in_the_environment_and_in_no_argument() {
    let world = world();
    let tokens = world.seed("dev", 1800);
    let ran = common::ran(exec(&world, "cat /proc/$$/cmdline /proc/$PPID/cmdline; env"));
    let token = format!("DATABRICKS_TOKEN={}", tokens.access_token());
    assert_eq!(ran.stdout.matches(tokens.access_token()).count(), 1, "{}", ran.stdout);
    assert!(ran.stdout.lines().any(|line| line == token));
    assert!(!ran.stdout.contains(tokens.refresh_token().unwrap()));
}

/// Rust programs ignore it, and what they become would inherit that.
#[test]
fn a_reader_that_goes_away_ends_the_program_as_without_u2m() {
    let world = world();
    world.seed("dev", 1800);
    let line = format!("'{}' exec -p dev -- yes | head -n 1", common::U2M);
    let mut command = Command::new("/bin/sh");
    world.surround(&mut command);
    command.args(["-c", &line]);
    let ran = common::ran(command);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "y\n", ""));
}

#[test]
fn twenty_programs_on_an_expired_login_are_served_by_one_refresh() {
    let world = world();
    world.seed("dev", -5);
    let script = "echo $DATABRICKS_TOKEN";
    let all: Vec<Running> = (0..20).map(|_| Running::start(exec(&world, script))).collect();
    for ran in all.into_iter().map(Running::done) {
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(world.server.is_active(ran.stdout.trim()));
    }
    assert_eq!(world.server.counts().refreshes, 1);
    world.assert_alive("dev");
}

/// A person is told how long the program stays signed in, on the terminal and not in its output.
#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_it_says_how_long_the_token_lives() {
    if !std::path::Path::new("/usr/bin/script").exists() {
        return;
    }
    let world = world();
    world.seed("dev", 1800);
    let mut command = Command::new("/usr/bin/script");
    world.surround(&mut command);
    let line = format!("exec '{}' exec -p dev -- /bin/echo done > out", common::U2M);
    command.args(["-qec", &line, "/dev/null"]).env("SHELL", "/bin/sh").stdin(Stdio::null());
    let ran = common::ran(command);
    assert_eq!(world.read("out"), "done\n");
    let says = |minutes| format!("The command's token lives for {minutes} minutes.");
    assert!([29, 30].into_iter().any(|left| ran.stdout.contains(&says(left))), "{}", ran.stdout);
}
