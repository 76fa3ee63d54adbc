//! What the page tells about the machine and the versions, and nothing that names the machine.

use crate::run::root;
use std::fmt::Write as _;
use std::process::Command;

/// The peers whose versions the page names.
const PEERS: [&str; 8] = [
    "arc-swap",
    "azure_identity",
    "dbx-tools-auth",
    "google-cloud-auth",
    "oauth2",
    "openidconnect",
    "url",
    "yup-oauth2",
];

/// The machine as the run found it.
pub(super) struct Machine {
    cores: usize,
    load: String,
}

impl Machine {
    /// Looks at the machine before anything is measured.
    pub(super) fn before() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { cores, load: load() }
    }

    /// A few sentences, to be asked for when all is measured.
    pub(super) fn described(&self) -> String {
        let (cores, before, after) = (self.cores, &self.load, load());
        let system = std::env::consts::OS;
        let mut text = format!(
            "{cores} cores, {system}; load average over a minute: {before} before the run and \
             {after} after it.\n\nu2m {}; ",
            env!("CARGO_PKG_VERSION"),
        );
        let lock = std::fs::read_to_string(root().join("bench/Cargo.lock")).unwrap_or_default();
        for peer in PEERS {
            // Writing to a String cannot fail.
            let _ = write!(text, "{peer} {}, ", locked(&lock, peer).join(" and "));
        }
        let _ = write!(text, "{}, {}.", first_line("gh"), first_line("rustc"));
        text
    }
}

/// The load average over the last minute.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown").to_owned()
}

/// The versions of a package in a lock file.
fn locked<'a>(lock: &'a str, name: &str) -> Vec<&'a str> {
    let head = format!("name = \"{name}\"");
    let version = |line: &'a str| line.strip_prefix("version = \"")?.strip_suffix('"');
    let pairs = lock.lines().zip(lock.lines().skip(1));
    pairs.filter(|(line, _)| **line == *head).filter_map(|(_, next)| version(next)).collect()
}

/// What the program says about its version, less dates and hashes.
fn first_line(program: &str) -> String {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    let named = text.lines().next().and_then(|line| line.split(" (").next());
    named
        .filter(|line| !line.is_empty())
        .map_or(format!("no {program}"), |line| line.replace(" version", ""))
}

#[cfg(test)]
mod tests {
    use super::locked;

    #[test]
    fn a_lock_file_may_hold_a_package_twice() {
        let lock = "[[package]]\nname = \"url\"\nversion = \"2.5.8\"\n\n[[package]]\nname = \"url\"\n\
                    version = \"1.7.0\"\n\n[[package]]\nname = \"urlx\"\nversion = \"1.0.0\"\n";
        assert_eq!(locked(lock, "url"), ["2.5.8", "1.7.0"]);
        assert!(locked(lock, "gone").is_empty());
    }
}
