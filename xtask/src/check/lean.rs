//! u2m without its features, for a program that brings its own transport.

use super::CheckResult;
use super::graph;
use crate::run;
use std::process::Stdio;

/// More crates than these are not worth it, u2m's own among them.
const MOST: usize = 85;

/// What a program with a transport of its own must not get from us: clients, TLS, C.
const HEAVY: &[&str] = &["dbus", "hyper", "libdbus-sys", "reqwest", "ring", "rustls", "webpki"];

/// Counts what `u2m` pulls in without features, and runs its tests that are about a build without them.
pub(super) fn lean() -> CheckResult {
    let below = graph::below("u2m", &["--no-default-features"])?;
    let mut wrong: Vec<String> = below
        .iter()
        .filter(|name| is_heavy(name))
        .map(|name| format!("u2m without features pulls in {name}"))
        .collect();
    if below.len() > MOST {
        wrong.push(format!("{} crates, more than {MOST}", below.len()));
    }
    let test = ["test", "--locked", "--quiet", "--package", "u2m", "--no-default-features"];
    let mut test = run::cargo(&[&test[..], &["--test", "without_features"]].concat());
    if let Err(error) = run::must(test.stdin(Stdio::null())) {
        wrong.push(error.to_string());
    }
    super::verdict(wrong, format!("{} crates, and it says what is missing", below.len()))
}

/// Also what belongs to one of them by its name: `rustls-webpki`, `dbus-secret-service`.
fn is_heavy(name: &str) -> bool {
    HEAVY.iter().any(|heavy| name == *heavy || name.starts_with(&format!("{heavy}-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_heavy_crate_is_heavy() {
        assert!(
            ["ring", "rustls", "rustls-webpki", "dbus-secret-service"].into_iter().all(is_heavy)
        );
        assert!(!["rustix", "string", "u2m-http", "ringbuffer"].into_iter().any(is_heavy));
    }
}
