//! Other systems and the oldest compiler, as far as rustup can bring what they need.

use super::CheckResult;
use crate::run::{self, Failure};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Systems on which the tests do not run here.
const TARGETS: &[&str] = &["x86_64-pc-windows-gnu", "x86_64-apple-darwin", "aarch64-apple-darwin"];

/// What needs no C compiler of those systems: everything except *ring*, which comes with `u2m-http/reqwest`.
const WITHOUT_C: &[(&str, &[&str])] = &[
    ("u2m-core", &[]),
    ("u2m-cache", &["encrypted", "keyring", "redis"]),
    ("u2m-http", &[]),
    ("u2m-config", &[]),
    ("u2m", &["encrypted", "keyring", "redis"]),
    ("u2m-testkit", &["stores"]),
];

/// How long a toolchain or a standard library may take to arrive.
const PATIENCE: Duration = Duration::from_secs(300);

/// Compiles the library crates for Windows and macOS, without linking.
pub(super) fn targets() -> CheckResult {
    let mut seen = Vec::new();
    for target in TARGETS {
        if let Some(why) = not_provided(&["target", "add", target])? {
            seen.push(format!("NOT CHECKED: {target}: {why}"));
            continue;
        }
        let mut check = run::cargo(&["check", "--quiet", "--locked", "--lib", "--target", target]);
        check.args(selection());
        run::must(check.stdin(Stdio::null()))?;
        seen.push((*target).to_owned());
    }
    Ok(seen.join(", "))
}

/// The arguments that choose the crates and their features.
fn selection() -> Vec<String> {
    let mut args = vec!["--no-default-features".to_owned()];
    for (name, features) in WITHOUT_C {
        args.extend(["--package".to_owned(), (*name).to_owned()]);
        for feature in *features {
            args.extend(["--features".to_owned(), format!("{name}/{feature}")]);
        }
    }
    args
}

/// Compiles all crates by the oldest compiler that they promise to work with.
pub(super) fn msrv() -> CheckResult {
    let oldest = env!("CARGO_PKG_RUST_VERSION");
    if let Some(why) = not_provided(&["toolchain", "install", oldest, "--profile", "minimal"])? {
        return Ok(format!("NOT CHECKED: Rust {oldest}: {why}"));
    }
    let mut check = Command::new("rustup");
    check.current_dir(run::root()).args(["run", oldest, "cargo", "check", "--quiet", "--locked"]);
    check.args(["--workspace", "--all-features"]);
    // They name the compiler that runs this very program.
    check.env_remove("CARGO").env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
    run::must(check.stdin(Stdio::null()))?;
    Ok(format!("Rust {oldest}"))
}

/// Asks rustup for a part, and says in a few words why there is none.
fn not_provided(args: &[&str]) -> Result<Option<String>, Failure> {
    if run::found(&format!("rustup{}", std::env::consts::EXE_SUFFIX)).is_none() {
        return Ok(Some("there is no rustup".into()));
    }
    let mut rustup = Command::new("rustup");
    rustup.current_dir(run::root()).args(args).stdin(Stdio::null());
    let (status, said) = run::bounded(&mut rustup, PATIENCE)?;
    Ok(match status {
        Some(status) if status.success() => None,
        Some(_) => Some(last_error(&said)),
        None => Some(format!("rustup took longer than {} s", PATIENCE.as_secs())),
    })
}

/// The line with which rustup explains itself.
fn last_error(said: &str) -> String {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines().find(|line| line.starts_with("error:")).or(lines().next_back());
    error.unwrap_or("rustup failed without a word").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_rustup_failed_is_one_line() {
        let said = "info: downloading component 'rust-std'\nerror: could not download file\nCaused by:\n  no route\n";
        assert_eq!(last_error(said), "error: could not download file");
        assert_eq!(last_error("info: a\n\n  b\n"), "b");
        assert_eq!(last_error(" \n"), "rustup failed without a word");
    }

    #[test]
    fn crates_are_chosen_with_their_features_and_without_the_default_ones() {
        let args = selection().join(" ");
        assert!(args.starts_with("--no-default-features --package u2m-core "), "{args}");
        assert!(args.contains("--package u2m-cache --features u2m-cache/encrypted "), "{args}");
        assert!(!args.contains("reqwest"), "{args}");
    }
}
