//! The crates of the workspace: which may depend on which, and what lies below `u2m-core`.

use super::CheckResult;
use crate::run::{self, Failure};
use serde_json::Value;

/// From the ground up: each crate, and the crates of the workspace that it may depend on.
///
/// Dependencies of tests are free, except that `u2m-core` has none on a crate of the workspace.
const ARROWS: &[(&str, &[&str])] = &[
    ("u2m-core", &[]),
    ("u2m-cache", &["u2m-core"]),
    ("u2m-http", &["u2m-core"]),
    ("u2m-federation", &["u2m-core", "u2m-http"]),
    ("u2m-config", &["u2m-core"]),
    ("u2m", &["u2m-core", "u2m-cache", "u2m-http", "u2m-federation", "u2m-config"]),
    ("u2m-account", &["u2m-core", "u2m-http"]),
    ("u2m-axum", &["u2m"]),
    ("u2m-ambient", &["u2m-http", "u2m-cache"]),
    ("u2m-testkit", &["u2m-core", "u2m-cache"]),
    ("u2m-cli", &["u2m", "u2m-ambient", "u2m-account"]),
];

/// Runtimes, clients, clocks and sources of randomness.
const IMPURE: &[&str] = &[
    "async-io",
    "async-net",
    "async-std",
    "async-trait",
    "chrono",
    "fastrand",
    "futures",
    "getrandom",
    "hyper",
    "isahc",
    "jiff",
    "mio",
    "native-tls",
    "oorandom",
    "polling",
    "rand",
    "reqwest",
    "ring",
    "rustix",
    "rustls",
    "smol",
    "socket2",
    "time",
    "tokio",
    "ureq",
    "web-time",
];
const IMPURE_FAMILIES: &[&str] = &["async-", "futures-", "hyper-", "rand_", "tokio-"];

/// A crate of the workspace.
pub(super) struct Package {
    pub(super) name: String,
    pub(super) features: Vec<String>,
    /// The crates it depends on, and whether only its tests do.
    pub(super) dependencies: Vec<(String, bool)>,
}

pub(super) fn packages() -> Result<Vec<Package>, Failure> {
    metadata()?.iter().map(package).collect()
}

/// What cargo says of each crate of the workspace.
pub(super) fn metadata() -> Result<Vec<Value>, Failure> {
    let json = run::output(&mut run::cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
        "--locked",
    ]))?;
    let metadata: Value = serde_json::from_str(&json)?;
    metadata["packages"]
        .as_array()
        .cloned()
        .ok_or_else(|| "cargo metadata lists no packages".into())
}

fn package(json: &Value) -> Result<Package, Failure> {
    let text = |value: &Value| value.as_str().map(String::from);
    let dependency = |json: &Value| Some((text(&json["name"])?, json["kind"] == "dev"));
    Ok(Package {
        name: text(&json["name"]).ok_or("a package without a name")?,
        features: json["features"]
            .as_object()
            .map(|all| all.keys().cloned().collect())
            .unwrap_or_default(),
        dependencies: json["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(dependency)
            .collect(),
    })
}

pub(super) fn arrows() -> CheckResult {
    let packages = packages()?;
    let wrong =
        packages.iter().filter(|package| package.name != "xtask").flat_map(upward).collect();
    super::verdict(wrong, format!("{} packages", packages.len()))
}

/// Each dependency of `package` that the table has no arrow for.
fn upward(package: &Package) -> Vec<String> {
    let name = package.name.as_str();
    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        return vec![format!("{name} is not in the table of crates")];
    };
    let mut wrong = Vec::new();
    for (to, test) in &package.dependencies {
        let ours = to == "xtask" || ARROWS.iter().any(|(known, _)| known == to);
        let free = *test && name != "u2m-core" && to != "xtask";
        if ours && !free && !allowed.contains(&to.as_str()) {
            wrong.push(format!("{name} must not depend on {to}"));
        }
    }
    wrong
}

/// The crates below `u2m-core` that have no place there, and how many crates there are.
pub(super) fn impure() -> Result<(Vec<String>, usize), Failure> {
    let below = below("u2m-core", &[])?;
    let wrong = below
        .iter()
        .filter(|name| is_impure(name))
        .map(|name| format!("u2m-core pulls in {name}"))
        .collect();
    Ok((wrong, below.len()))
}

/// The names of `package` and of all that is built into it on this system, with these `features`: each version of each once.
pub(super) fn below(package: &str, features: &[&str]) -> Result<Vec<String>, Failure> {
    let tree = ["tree", "-p", package, "-e", "normal", "--prefix", "none", "--format", "{p}"];
    let tree = run::output(&mut run::cargo(&[&tree[..], &["--locked"], features].concat()))?;
    // "NAME vVERSION (PATH) (*)": what was listed before has the last of them.
    let crate_of = |line: &str| line.trim_end_matches(" (*)").to_owned();
    let mut below: Vec<String> = tree.lines().map(crate_of).collect();
    below.sort_unstable();
    below.dedup();
    let name = |line: String| line.split(' ').next().unwrap_or_default().to_owned();
    Ok(below.into_iter().map(name).collect())
}

fn is_impure(name: &str) -> bool {
    IMPURE.contains(&name) || IMPURE_FAMILIES.iter().any(|family| name.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, bool)]) -> Package {
        let dependencies =
            dependencies.iter().map(|(name, test)| (name.to_string(), *test)).collect();
        Package { name: name.into(), features: Vec::new(), dependencies }
    }

    #[test]
    fn every_arrow_points_down_the_table() {
        for (row, (name, allowed)) in ARROWS.iter().enumerate() {
            for to in *allowed {
                assert!(ARROWS[..row].iter().any(|(below, _)| below == to), "{name} -> {to}");
            }
        }
    }

    #[test]
    fn an_upward_or_sideward_arrow_is_found() {
        assert_eq!(
            upward(&package("u2m-cache", &[("u2m-http", false)])),
            ["u2m-cache must not depend on u2m-http"]
        );
        assert_eq!(upward(&package("u2m", &[("u2m-testkit", false)])).len(), 1);
        assert_eq!(upward(&package("u2m-new", &[])), ["u2m-new is not in the table of crates"]);
    }

    #[test]
    fn tests_may_use_the_test_kit_but_not_in_the_core() {
        assert!(upward(&package("u2m-http", &[("u2m-testkit", true), ("tokio", true)])).is_empty());
        assert_eq!(upward(&package("u2m-core", &[("u2m-testkit", true)])).len(), 1);
    }

    #[test]
    fn a_family_of_impure_crates_is_known_by_its_first_word() {
        assert!(
            ["tokio", "tokio-util", "rand_core", "futures-core", "time"].into_iter().all(is_impure)
        );
        assert!(!["url", "timer", "http", "randomize"].into_iter().any(is_impure));
    }
}
