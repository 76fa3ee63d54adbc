//! Where what is committed comes from: the packages of every lock file, and the words of every tracked file.

use super::{CheckResult, verdict};
use crate::run::{self, Failure};
use std::fs;
use std::process::{Command, Stdio};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Parts of the names of crates that show web pages inside a program.
const WEB_VIEWS: &[&str] = &["webview", "web-view", "webkit", "tauri", "servo"];
const WEB_VIEW_NAMES: &[&str] = &["cef", "tao", "wry"];

pub(super) fn sources() -> CheckResult {
    let locks = locks()?;
    if !locks.iter().any(|(path, _)| path == "Cargo.lock") {
        return Err("Cargo.lock is not committed".into());
    }
    let mut wrong = Vec::new();
    let mut packages = 0;
    for (path, text) in &locks {
        packages += values(text, "name").count();
        let foreign = values(text, "source").filter(|source| *source != CRATES_IO);
        wrong.extend(foreign.map(|source| format!("{path} takes a package from {source}")));
    }
    verdict(wrong, format!("{packages} packages in {} lock files", locks.len()))
}

pub(super) fn web_views() -> CheckResult {
    let locks = locks()?;
    let names = locks.iter().flat_map(|(_, text)| values(text, "name"));
    let (shown, fine): (Vec<_>, Vec<_>) = names.partition(|name| is_web_view(name));
    let wrong =
        shown.iter().map(|name| format!("{name} shows web pages inside the program")).collect();
    verdict(wrong, format!("{} packages", fine.len()))
}

fn is_web_view(name: &str) -> bool {
    WEB_VIEW_NAMES.contains(&name) || WEB_VIEWS.iter().any(|part| name.contains(part))
}

/// Every tracked lock file, with its text.
fn locks() -> Result<Vec<(String, String)>, Failure> {
    let tracked = run::output(git().args(["ls-files", "--", "Cargo.lock", "*/Cargo.lock"]))?;
    let read = |path: &str| Ok((path.to_owned(), fs::read_to_string(run::root().join(path))?));
    tracked.lines().map(read).collect()
}

/// The values of the lines `key = "value"`.
fn values<'a>(lock: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    lock.lines()
        .filter_map(move |line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
}

pub(super) fn paths() -> CheckResult {
    // In two parts, so that this file does not match.
    let needle = ["/wo", "rk/"].concat();
    let grep =
        git().args(["grep", "-n", "-I", "-F", "-e", &needle]).stdin(Stdio::null()).output()?;
    // git grep: 0 is found, 1 is not found, all else is an error.
    match grep.status.code() {
        Some(0 | 1) => {}
        _ => {
            return Err(
                format!("git grep: {}", String::from_utf8_lossy(&grep.stderr).trim()).into()
            );
        }
    }
    let wrong: Vec<String> =
        String::from_utf8_lossy(&grep.stdout).lines().map(String::from).collect();
    verdict(wrong, "none named".into())
}

fn git() -> Command {
    let mut git = Command::new("git");
    git.current_dir(run::root());
    git
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_is_read_by_its_lines() {
        let lock =
            "[[package]]\nname = \"a\"\nsource = \"git+https://x\"\n\n[[package]]\nname = \"b\"\n";
        assert_eq!(values(lock, "name").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(values(lock, "source").collect::<Vec<_>>(), ["git+https://x"]);
    }

    #[test]
    fn web_views_are_known_by_name() {
        assert!(["wry", "webview2-com", "webkit2gtk"].into_iter().all(is_web_view));
        assert!(!["tokio", "webpki-root-certs", "cc"].into_iter().any(is_web_view));
    }
}
