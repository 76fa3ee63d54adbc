//! What cargo's own tools say: rustfmt, clippy, rustdoc, and each set of features by itself.

use super::CheckResult;
use super::graph::{self, Package};
use crate::{Outcome, run};
use std::process::Stdio;

/// The workspaces beside the main one.
const OTHERS: [&str; 4] = ["beside", "bench", "examples/sqlite-store", "fuzz"];

pub(super) fn fmt() -> CheckResult {
    cargo(&["fmt", "--all", "--check"])?;
    for other in OTHERS {
        let manifest = run::root().join(other).join("Cargo.toml");
        let mut fmt = run::cargo(&["fmt", "--all", "--check", "--manifest-path"]);
        run::must(fmt.arg(manifest).stdin(Stdio::null()))?;
    }
    Ok("formatted".into())
}

pub(super) fn clippy() -> CheckResult {
    let all = ["clippy", "--workspace", "--all-targets", "--all-features", "--locked"];
    cargo(&[&all[..], &["--", "-D", "warnings"]].concat())?;
    Ok("no lints".into())
}

pub(super) fn docs() -> CheckResult {
    let mut doc = run::cargo(&["doc", "--workspace", "--all-features", "--no-deps", "--locked"]);
    run::must(doc.env("RUSTDOCFLAGS", "-D warnings").stdin(Stdio::null()))?;
    Ok("no warnings".into())
}

/// Compiles each crate by itself, since in a workspace build the crates switch on each other's features.
pub(super) fn features() -> CheckResult {
    let mut wrong = Vec::new();
    let mut runs = 0;
    for package in graph::packages()?.iter().filter(|package| package.name != "xtask") {
        for features in selections(package) {
            let list = features.join(",");
            let clippy = [
                "clippy",
                "--locked",
                "--quiet",
                "--no-default-features",
                "--package",
                &package.name,
            ];
            runs += 1;
            if cargo(&[&clippy[..], &["--features", &list, "--", "-D", "warnings"]].concat())
                .is_err()
            {
                wrong.push(format!("{} with features [{list}]", package.name));
            }
        }
    }
    super::verdict(wrong, format!("{runs} combinations"))
}

/// No features, each by itself, and all together.
fn selections(package: &Package) -> Vec<Vec<&str>> {
    let all: Vec<&str> =
        package.features.iter().map(String::as_str).filter(|name| *name != "default").collect();
    let mut selections = vec![Vec::new()];
    selections.extend(all.iter().map(|feature| vec![*feature]));
    if all.len() > 1 {
        selections.push(all);
    }
    selections
}

fn cargo(args: &[&str]) -> Outcome {
    run::must(run::cargo(args).stdin(Stdio::null()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_tried_none_alone_and_together() {
        let with = |names: &[&str]| Package {
            name: "p".into(),
            features: names.iter().map(|name| name.to_string()).collect(),
            dependencies: Vec::new(),
        };
        assert_eq!(selections(&with(&[])), [&[] as &[&str]]);
        assert_eq!(selections(&with(&["default", "a"])), [&[] as &[&str], &["a"]]);
        assert_eq!(selections(&with(&["a", "b"])), [&[] as &[&str], &["a"], &["b"], &["a", "b"]]);
    }
}
