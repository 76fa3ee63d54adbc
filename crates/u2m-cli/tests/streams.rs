//! Standard output is exactly the result, whatever happens: every command, in every trouble, with and without `--debug`, on a
//! terminal and off it. A command that fails prints nothing there, unless its result is a report on what fails.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Ran, U2M, World, printed_token, ran};
use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use u2m_testkit::{Endpoint, Fault, Settings, Times, http::StatusCode};

/// What a command prints when it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Result {
    /// Nothing at all.
    Nothing,
    /// One token as JSON.
    Token,
    /// One JSON value.
    Json,
    /// These words.
    Words(&'static str),
    /// Some lines.
    Lines,
    /// A JSON report, also where it reports that something fails.
    Report,
}

/// Command lines and their results. The login is that of `dev`; `{URL}` is its host.
const LINES: &[(&str, Result)] = &[
    ("token dev", Result::Token),
    ("token --profile dev --force-refresh", Result::Token),
    ("token --host {URL} --output json", Result::Token),
    ("token dev -o text", Result::Lines),
    ("token", Result::Token),
    ("auth token --profile dev", Result::Token),
    ("token nope", Result::Token),
    ("token --host", Result::Token),
    ("token dev --host {URL}", Result::Token),
    ("exec -p dev -- /bin/echo out", Result::Words("out\n")),
    ("exec -p dev -- /no/such/program", Result::Nothing),
    ("exec", Result::Nothing),
    ("login --host {URL} --profile new --timeout 300ms", Result::Nothing),
    ("login --profile new --timeout 300ms", Result::Nothing),
    ("login nope --timeout 300ms", Result::Nothing),
    ("logout dev --auto-approve", Result::Nothing),
    ("logout dev --auto-approve --delete -o json", Result::Json),
    ("logout --all --auto-approve", Result::Nothing),
    ("logout dev", Result::Nothing),
    ("logout nope --auto-approve", Result::Nothing),
    ("switch --profile dev", Result::Nothing),
    ("switch --profile nope", Result::Nothing),
    ("profiles -o json", Result::Json),
    ("profiles --skip-validate", Result::Lines),
    ("describe -p dev -o json", Result::Report),
    ("describe -p nope -o json", Result::Report),
    ("env --profile dev", Result::Json),
    ("doctor -p dev -o json", Result::Report),
    ("doctor --offline -o json", Result::Report),
    ("storage show -o json", Result::Json),
    ("storage migrate --to plaintext --all", Result::Nothing),
    ("storage migrate --to nowhere --all", Result::Nothing),
    ("import -o json", Result::Json),
    ("version", Result::Words("Databricks CLI v1.14.0\n")),
    ("version --output json", Result::Json),
    ("completion bash", Result::Lines),
    ("help", Result::Lines),
    ("token --help", Result::Lines),
    ("tokken", Result::Nothing),
    ("token --no-such-flag", Result::Nothing),
];

/// What is wrong when the command is run.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Nothing,
    Expired,
    ExpiredAndDown,
    ExpiredAndRefused,
    ExpiredAndAPortal,
    Revoked,
    SignedOut,
    NothingThere,
    BadCache,
    BadConfig,
    BadStore,
    NoKeyring,
    NoisyBrowser,
}

const TROUBLES: [Trouble; 13] = [
    Trouble::Nothing,
    Trouble::Expired,
    Trouble::ExpiredAndDown,
    Trouble::ExpiredAndRefused,
    Trouble::ExpiredAndAPortal,
    Trouble::Revoked,
    Trouble::SignedOut,
    Trouble::NothingThere,
    Trouble::BadCache,
    Trouble::BadConfig,
    Trouble::BadStore,
    Trouble::NoKeyring,
    Trouble::NoisyBrowser,
];

impl Trouble {
    fn left(self) -> i64 {
        match self {
            Self::Nothing | Self::BadStore | Self::NoKeyring | Self::NoisyBrowser => 1800,
            _ => -5,
        }
    }

    /// Makes it so, with the variables that belong to it.
    fn make(self, world: &World) -> Vec<(&'static str, String)> {
        if matches!(self, Self::NothingThere) {
            return Vec::new();
        }
        world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
        if !matches!(self, Self::SignedOut) {
            world.seed("dev", self.left());
        }
        let inject = |fault| world.server.inject(Endpoint::Any, Times::Always, fault);
        match self {
            Self::ExpiredAndDown => inject(Fault::drop_connection()),
            Self::ExpiredAndRefused => inject(Fault::status(
                StatusCode::INTERNAL_SERVER_ERROR,
                "application/json",
                r#"{"access_token":"noise"}"#,
            )),
            Self::ExpiredAndAPortal => {
                inject(Fault::status(StatusCode::OK, "text/html", "<html>noise"));
            }
            Self::Revoked => world.server.revoke_all(),
            Self::BadCache => world.write(".databricks/token-cache.json", "noise"),
            Self::BadConfig => world.write(".databrickscfg", "[dev\nnoise"),
            Self::BadStore => return vec![("DATABRICKS_AUTH_STORAGE", "bogus".into())],
            Self::NoKeyring => return vec![("DATABRICKS_AUTH_STORAGE", "secure".into())],
            Self::NoisyBrowser => {
                let browser = world.script("browser", "#!/bin/sh\necho noise\necho noise >&2\n");
                return vec![("BROWSER", browser.display().to_string())];
            }
            _ => {}
        }
        Vec::new()
    }
}

/// The command's standard output alone in `stdout`. On a terminal, what was on the screen is in `stderr`.
fn run(world: &World, line: &str, env: &[(&str, String)], on_terminal: bool) -> Ran {
    let surround = |command: &mut Command| {
        world.surround(command);
        command.env("BROWSER", "none").env("DATABRICKS_DISCOVERY_HOST", world.url());
        command.envs(env.iter().map(|(name, value)| (name, value)));
    };
    if !on_terminal {
        let mut command = world.command(line);
        surround(&mut command);
        return ran(command);
    }
    let mut command = Command::new("/usr/bin/script");
    surround(&mut command);
    // Nobody is there to answer. Questions have stories of their own.
    command.env("U2M_NO_INPUT", "1");
    let line = format!("'{U2M}' {} > out; exit $?", line.replace("{URL}", world.url()));
    command.args(["-qec", &line, "/dev/null"]).env("SHELL", "/bin/sh").env("TERM", "xterm");
    let screen = ran({
        command.stdin(Stdio::null());
        command
    });
    Ran { code: screen.code, stdout: world.read("out"), stderr: screen.stdout }
}

/// What is wrong with the streams.
fn faults(ran: &Ran, result: Result) -> String {
    let mut out = String::new();
    let stdout = &ran.stdout;
    let is_json = || serde_json::from_str::<serde_json::Value>(stdout).is_ok();
    if stdout.contains("noise") {
        let _ = writeln!(out, "noise of others in the result");
    }
    let is_result = match (ran.code, result) {
        (Some(0), Result::Nothing) => stdout.is_empty(),
        (Some(0), Result::Token) => {
            std::panic::catch_unwind(|| printed_token(stdout)).is_ok_and(|token| token.len() > 99)
        }
        (Some(0), Result::Json | Result::Report) => is_json(),
        (Some(0), Result::Words(words)) => stdout == words,
        (Some(0), Result::Lines) => stdout.ends_with('\n') && !stdout.contains("Error: "),
        (Some(_), Result::Report) => stdout.is_empty() || is_json(),
        (Some(_), _) => stdout.is_empty(),
        (None, _) => false,
    };
    if !is_result {
        let _ = writeln!(out, "not exactly the result: {stdout}");
    }
    if ran.code != Some(0) && !ran.stderr.contains("Error: ") {
        let _ = writeln!(out, "fails without a word: {}", ran.stderr);
    }
    out
}

fn every_line_in_every_trouble(on_terminal: bool) {
    let jobs: Vec<_> = TROUBLES
        .iter()
        .flat_map(|trouble| LINES.iter().map(move |line| (*trouble, *line)))
        .flat_map(|(trouble, line)| [false, true].map(|debug| (trouble, line, debug)))
        .collect();
    let (next, failed, succeeded) =
        (AtomicUsize::new(0), Mutex::new(String::new()), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (trouble, (line, result), debug) = job;
                    let world = World::with(Settings::new());
                    let env = trouble.make(&world);
                    let line = match debug {
                        // Behind the first word, so that it is no argument of what `exec` runs.
                        true => line.replacen(' ', " --debug ", 1),
                        false => (*line).to_owned(),
                    };
                    let ran = run(&world, &line, &env, on_terminal);
                    succeeded.fetch_add(usize::from(ran.code == Some(0)), Ordering::Relaxed);
                    let faults = faults(&ran, *result);
                    if !faults.is_empty() {
                        let said = format!("=== {trouble:?}: u2m {line}: {:?}\n{faults}", ran.code);
                        failed.lock().unwrap().push_str(&said);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{failed}");
    // Both kinds of ends are among them.
    let succeeded = succeeded.into_inner();
    assert!(succeeded > jobs.len() / 8 && succeeded < jobs.len(), "{succeeded} of {}", jobs.len());
}

#[test]
fn off_a_terminal_standard_output_is_exactly_the_result() {
    every_line_in_every_trouble(false);
}

#[test]
fn on_a_terminal_standard_output_is_exactly_the_result() {
    if std::path::Path::new("/usr/bin/script").exists() {
        every_line_in_every_trouble(true);
    }
}

/// Whoever reads is gone, or the disk is full: that is said, what was fetched is kept, and nothing breaks.
#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_an_error_and_no_panic() {
    for line in [
        "token dev",
        "token dev -o text",
        "version",
        "help",
        "doctor --offline",
        "storage show",
        "storage show -o json",
    ] {
        for is_full in [true, false] {
            let world = World::new();
            Trouble::Expired.make(&world);
            let mut command = world.command(line);
            match is_full {
                true => command.stdout(std::fs::File::create("/dev/full").unwrap()),
                // The reader has gone before the first byte comes.
                false => command.stdout(std::io::pipe().unwrap().1),
            };
            let output = command.output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains("Error: cannot write to standard output"), "{line}: {said}");
            assert_eq!(output.status.code(), Some(1), "{line}");
            world.assert_alive("dev");
        }
    }
}
