//! A store of one's own, as the documentation promises it: short, and keeping to every rule.

use super::CheckResult;
use crate::run;
use std::process::Stdio;

/// The example, a workspace of its own.
const EXAMPLE: &str = "examples/sqlite-store";

/// No store of a database needs more lines.
const LINES: usize = 60;

/// Counts the lines of the store's file, each one of them, and runs the tests of the example: the check for stores, and processes
/// that refresh a login at once. SQLite is built for it, which needs a C compiler.
pub(super) fn sqlite() -> CheckResult {
    let folder = run::root().join(EXAMPLE);
    let lines = std::fs::read_to_string(folder.join("src/lib.rs"))?.lines().count();
    if lines > LINES {
        return Err(
            format!("{EXAMPLE}/src/lib.rs has {lines} lines, and {LINES} are promised").into()
        );
    }
    let mut tests = run::cargo(&["test", "--locked", "--manifest-path"]);
    // What it has in common with the program that has TLS of its own is built once.
    tests.arg(folder.join("Cargo.toml")).arg("--target-dir").arg(run::target().join("beside"));
    run::must(tests.stdin(Stdio::null()))?;
    Ok(format!("a store of {lines} lines keeps to the rules, and its processes refresh once"))
}
