//! `cargo xtask check [NAME…]`: what must be true of the repository, each as a named function.
//!
//! Without a name all of them run, in the order of the table, and every failure is reported. A check returns one line on
//! what it saw; what it could not see on this machine it says there, too.

mod beside;
mod deny;
mod graph;
mod ids;
mod lean;
mod lint;
mod lock;
mod package;
mod release;
mod rust;
mod sources;
mod sqlite;
mod systems;
mod warm;

use crate::Outcome;
use crate::run::Failure;
use std::time::Instant;

/// What a check saw, in one line, or everything that is wrong.
type CheckResult = Result<String, Failure>;

/// A check: its name, what it makes sure of, and the function that does it.
type Check = (&'static str, &'static str, fn() -> CheckResult);

const CHECKS: &[Check] = &[
    ("fmt", "rustfmt has nothing to change", lint::fmt),
    ("clippy", "no lint fires in any target", lint::clippy),
    (
        "features",
        "each crate compiles alone: without features, with each one, with all",
        lint::features,
    ),
    ("targets", "what needs no C compiler of Windows or macOS compiles for them", systems::targets),
    ("msrv", "the oldest Rust that is promised compiles every crate", systems::msrv),
    ("docs", "the documentation builds without a warning", lint::docs),
    ("arrows", "crates depend only on the crates below them", graph::arrows),
    (
        "lean",
        "a program with a transport of its own gets u2m without TLS, without C and in few crates",
        lean::lean,
    ),
    ("purity", "u2m-core has no runtime, client, clock, randomness or I/O", sources::purity),
    ("size", "no file has more than 500 lines before its tests", sources::size),
    ("secrets", "no client secret in the sources (RFC 8252 8.5)", sources::secrets),
    ("pkce", "no `plain` method in u2m-core (RFC 7636 4.2)", sources::pkce),
    ("ids", "each id of a threat has a line in docs/THREATS.md and a test", ids::ids),
    ("lock", "Cargo.lock is committed and names only crates.io", lock::sources),
    ("webview", "no web view among the dependencies (RFC 8252 8.12)", lock::web_views),
    ("paths", "no tracked file names a folder of a developer's machine", lock::paths),
    ("package", "each published crate says what it is, and can be packed", package::package),
    ("licences", "licences, bans and sources as deny.toml allows", deny::licences),
    ("advisories", "no dependency has a known vulnerability", deny::advisories),
    ("beside", "a program with its own TLS runs with u2m in it", beside::beside),
    ("sqlite", "a store of one's own in SQLite is short and keeps to the rules", sqlite::sqlite),
    ("binary", "the release binary is as large as the SDKs expect", release::binary),
    ("warm", "a fresh token costs no socket, thread, lock or write", warm::warm),
];

pub(crate) fn run(args: &[String]) -> Outcome {
    let chosen = chosen(args)?;
    let mut failed = Vec::new();
    for (name, what, check) in chosen {
        println!("-- {name}: {what}");
        let start = Instant::now();
        let verdict = check();
        let seconds = start.elapsed().as_secs_f64();
        match verdict {
            Ok(seen) => println!("   ok ({seconds:.1} s): {seen}"),
            Err(error) => {
                println!("   FAILED ({seconds:.1} s): {error}");
                failed.push(*name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

/// The checks that `names` chooses; all of them where it is empty.
fn chosen(names: &[String]) -> Result<Vec<&'static Check>, Failure> {
    if names.is_empty() {
        return Ok(CHECKS.iter().collect());
    }
    let mut chosen = Vec::new();
    for name in names {
        let known = CHECKS.iter().find(|check| check.0 == name);
        chosen.push(
            known.ok_or_else(|| format!("no check is called {name:?}; there are\n{}", table()))?,
        );
    }
    Ok(chosen)
}

fn table() -> String {
    CHECKS.iter().map(|(name, what, _)| format!("  {name:<10} {what}\n")).collect()
}

/// A verdict from the list of everything that is wrong.
fn verdict(wrong: Vec<String>, seen: String) -> CheckResult {
    if wrong.is_empty() {
        Ok(seen)
    } else {
        Err(format!("\n     {}", wrong.join("\n     ")).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = chosen(&["arows".into()]).unwrap_err().to_string();
        assert!(error.contains("\"arows\"") && error.contains("  arrows "), "{error}");
    }

    #[test]
    fn without_a_name_every_check_runs() {
        assert_eq!(chosen(&[]).unwrap().len(), CHECKS.len());
    }
}
