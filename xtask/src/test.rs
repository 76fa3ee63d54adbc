//! `cargo xtask test`: every test that needs nothing but this machine and cargo.
//!
//! The real parts that tests start (a keyring, Redis, Python) are installed for root where they are missing; for others, the
//! tests that need them say so and are skipped. With `U2M_REQUIRE_ALL=1`, as on the CI machine, that is a failure.
//!
//! Further arguments go to `cargo test`, as in `cargo xtask test -p u2m-core -- rotates`. The last thing printed is the
//! summary of the test runner itself.

use crate::{Outcome, programs, run};
use std::process::Stdio;

/// Where the properties begin their search. It is the same number each time, so that a test fails for what was changed and not
/// by luck; whoever searches further sets it to another.
const PROPERTY_SEED: &str = "PROPTEST_RNG_SEED";

pub(crate) fn run(args: &[String]) -> Outcome {
    if let Err(missing) = programs::provide(programs::OF_TESTS) {
        eprintln!("{missing}");
    }
    if !chooses_packages(args) {
        // Tests of other crates than `u2m-cli` start the program too, and cargo builds it only for that crate's own.
        run::must(
            run::cargo(&["build", "--workspace", "--all-features", "--bins", "--locked"])
                .stdin(Stdio::null()),
        )?;
    }
    let mut test = run::cargo(&["test", "--locked", "--no-fail-fast"]);
    if !chooses_packages(args) {
        test.args(["--workspace", "--all-features"]);
    }
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        test.env("RUST_TEST_THREADS", threads().to_string());
    }
    if std::env::var_os(PROPERTY_SEED).is_none() {
        test.env(PROPERTY_SEED, "1");
    }
    run::must(test.args(args).stdin(Stdio::null()))
}

/// Says whether `args` name the packages to test, which `--workspace` would override.
fn chooses_packages(args: &[String]) -> bool {
    let ours = args.iter().take_while(|arg| *arg != "--");
    ours.into_iter().any(|arg| {
        arg.starts_with("-p") || arg.starts_with("--package") || arg == "--manifest-path"
    })
}

/// How many tests run at once: most of them wait, so two for each core; many of them start dozens of processes or threads, so
/// never as many as a big machine would have.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| (2 * cores.get()).clamp(2, 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_package_is_tested_alone() {
        let args = |line: &str| line.split(' ').map(String::from).collect::<Vec<_>>();
        for line in ["-p u2m-core", "-pu2m", "--package u2m", "--package=u2m"] {
            assert!(chooses_packages(&args(line)), "{line}");
        }
        for line in ["", "rotates", "-- -p", "--no-run -- --package"] {
            assert!(!chooses_packages(&args(line)), "{line}");
        }
    }
}
