//! What cargo-deny says of the dependencies: their licences, sources and known vulnerabilities, as deny.toml allows.

use super::CheckResult;
use crate::run::{self, Failure};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Installed where there is none. Another version that is there already serves, too.
const CARGO_DENY: &str = "cargo-deny@0.20.2";
/// How long fetching the advisory database and looking through it may take.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn licences() -> CheckResult {
    let mut command = deny()?;
    run::must(command.args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    Ok("as deny.toml allows".into())
}

/// The database of advisories is on the network: not reaching it is said, and is no failure.
pub(super) fn advisories() -> CheckResult {
    let mut command = deny()?;
    command.args(["check", "advisories"]).env("GIT_TERMINAL_PROMPT", "0");
    let (status, said) = run::bounded(&mut command, PATIENCE)?;
    match status {
        Some(status) if status.success() => Ok("none known".into()),
        None => Ok(format!("NOT CHECKED: no advisory database within {} s", PATIENCE.as_secs())),
        Some(_) if unreachable(&said) => {
            Ok("NOT CHECKED: the advisory database could not be reached".into())
        }
        Some(status) => Err(format!("{status}\n{said}").into()),
    }
}

fn unreachable(said: &str) -> bool {
    said.contains("failed to fetch advisory database")
        || said.contains("failed to load advisory database")
}

/// A cargo-deny command for this workspace, after installing it where it is missing.
fn deny() -> Result<Command, Failure> {
    let there =
        run::cargo(&["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if !there.success() {
        println!("   cargo-deny is missing; installing it takes about 3 minutes");
        run::must(
            run::cargo(&["install", CARGO_DENY, "--locked", "--no-default-features"])
                .stdin(Stdio::null()),
        )?;
    }
    let mut command = run::cargo(&["deny", "--locked", "--color", "never"]);
    command.stdin(Stdio::null());
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_database_is_told_from_a_vulnerability() {
        assert!(unreachable(
            "[ERROR] failed to fetch advisory database https://example.com with cli: …"
        ));
        assert!(!unreachable("error[vulnerability]: use after free"));
    }
}
