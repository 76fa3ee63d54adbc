//! Programs of other projects that the tests start. Root gets what is missing installed, where there is apt-get; everybody
//! else is told in one line.

use crate::run::{self, Failure};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A program, Debian's package that has it, and what it is for.
pub(crate) struct Program {
    name: &'static str,
    package: &'static str,
    purpose: &'static str,
}

/// What the tests of `cargo xtask test` start, besides what every machine has.
pub(crate) const OF_TESTS: &[Program] = &[
    Program::new("dbus-daemon", "dbus-daemon", "a private session bus"),
    Program::new("dbus-run-session", "dbus-bin", "a private session bus"),
    Program::new("gnome-keyring-daemon", "gnome-keyring", "the keyring"),
    Program::new("secret-tool", "libsecret-tools", "another reader of the keyring"),
    Program::new("redis-server", "redis-server", "logins that machines share"),
    Program::new("python3", "python3", "Databricks' SDK for Python"),
    Program::new("strace", "strace", "counting system calls"),
    Program::new("cc", "gcc", "looking into freed memory"),
    Program::new("addr2line", "binutils", "telling who has freed it"),
    Program::new("zsh", "zsh", "completion in it"),
    Program::new("fish", "fish", "completion in it"),
    Program::new("groff", "groff", "reading the manual"),
];

/// What compiles libFuzzer.
pub(crate) const OF_FUZZING: &[Program] =
    &[Program::new("c++", "g++", "compiling libFuzzer (or another compiler, named by CXX)")];

impl Program {
    pub(crate) const fn new(
        name: &'static str,
        package: &'static str,
        purpose: &'static str,
    ) -> Self {
        Self { name, package, purpose }
    }

    fn is_missing(&self) -> bool {
        run::found(self.name).is_none()
    }
}

/// Installs what is missing, if that can be done without a question; the programs that are still missing after that, in one
/// line.
pub(crate) fn provide(programs: &[Program]) -> Result<(), String> {
    let missing: Vec<_> = programs.iter().filter(|program| program.is_missing()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|program| program.package).collect();
    let installed = install(&packages);
    let missing: Vec<_> = missing.into_iter().filter(|program| program.is_missing()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = |program: &&Program| {
        let Program { name, package, purpose } = program;
        format!("{name} ({purpose}; Debian's package {package})")
    };
    let why = installed.err().map(|error| format!("; {error}")).unwrap_or_default();
    Err(format!("missing: {}{why}", missing.iter().map(names).collect::<Vec<_>>().join(", ")))
}

/// Installs packages of Debian.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failure> {
    let apt = run::found("apt-get").filter(|_| is_root());
    let apt = apt.ok_or("only root can install them, and only with apt-get")?;
    apt_get(&apt, &["update", "--quiet"])?;
    let mut words = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    words.extend(packages);
    apt_get(&apt, &words)
}

fn apt_get(apt: &PathBuf, words: &[&str]) -> Result<(), Failure> {
    let mut command = Command::new(apt);
    command.args(words).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    run::must(&mut command)
}

fn is_root() -> bool {
    run::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_left_alone() {
        assert_eq!(provide(&[Program::new("cargo", "no-such-package", "this test")]), Ok(()));
    }

    #[test]
    fn every_program_says_what_it_is_for() {
        for program in OF_TESTS.iter().chain(OF_FUZZING) {
            assert!(!program.purpose.is_empty() && !program.package.is_empty(), "{}", program.name);
        }
    }
}
