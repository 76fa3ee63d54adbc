//! What `u2m token` does when the token is fresh: read two files, write one line, and nothing else.
//!
//! strace writes down each system call, GNU time the memory. A session bus that could be called stands beside: for a login
//! that is in the file nobody does.

use super::{CheckResult, release, verdict};
use crate::Outcome;
use crate::run::{self, Failure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const MOST_CALLS: usize = 100;
const MOST_KIB: u64 = 8 * 1024;

/// Calls that mean a socket, a thread or process, a lock, or a change to a file.
const FORBIDDEN: &[&str] = &[
    "bind",
    "clone",
    "clone3",
    "connect",
    "flock",
    "fork",
    "fsync",
    "ftruncate",
    "link",
    "linkat",
    "mkdir",
    "mkdirat",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sendto",
    "socket",
    "socketpair",
    "unlink",
    "unlinkat",
    "vfork",
];
/// Calls that write to the file named by their first argument.
const WRITES: &[&str] = &["pwrite64", "pwritev", "write", "writev"];
/// How it is known that the login is in the file.
#[derive(Clone, Copy)]
enum Known {
    /// `DATABRICKS_AUTH_STORAGE` says so.
    Name,
    /// `auth_storage` in the profile file says so.
    Setting,
    /// u2m has noted it when it saved the login.
    Record,
}

impl Known {
    const ALL: [Self; 3] = [Self::Name, Self::Setting, Self::Record];

    fn label(self) -> &'static str {
        match self {
            Self::Name => "by name",
            Self::Setting => "by setting",
            Self::Record => "by record",
        }
    }
}

/// Arguments of open and fcntl that mean writing or locking.
const FORBIDDEN_ARGUMENTS: &[&str] = &["O_CREAT", "O_RDWR", "O_WRONLY", "F_OFD_SETLK", "F_SETLK"];

pub(super) fn warm() -> CheckResult {
    if !cfg!(target_os = "linux") {
        return Ok("NOT CHECKED: strace is a program for Linux".into());
    }
    let binary = release::build()?;
    let strace = strace()?;
    let (mut wrong, mut counts) = (Vec::new(), Vec::new());
    for known in Known::ALL {
        let home = Home::new(known)?;
        // The login is another program's: its first use is recorded, once.
        token(&mut Command::new(&binary), &home)?;
        let calls = traced(&strace, &binary, &home)?;
        let label = known.label();
        wrong.extend(faults(&calls).into_iter().map(|fault| format!("{label}: {fault}")));
        counts.push(format!("{} {label}", calls.len()));
    }
    let home = Home::new(Known::Name)?;
    let memory = match resident(&binary, &home)? {
        Some(kib) if kib > MOST_KIB => {
            wrong.push(format!("{kib} KiB resident, more than {MOST_KIB}"));
            String::new()
        }
        Some(kib) => format!("{kib} KiB resident"),
        None => "memory NOT CHECKED: there is no GNU time".into(),
    };
    verdict(wrong, format!("system calls: {}; {memory}", counts.join(", ")))
}

/// The system calls of `u2m token`, one a line, without process ids.
fn traced(strace: &Path, binary: &Path, home: &Home) -> Result<Vec<String>, Failure> {
    let trace = home.path().join("trace");
    let mut command = Command::new(strace);
    command.args(["-f", "-qq", "-s", "64", "-e", "signal=none", "-o"]).arg(&trace).arg(binary);
    token(&mut command, home)?;
    let trace = fs::read_to_string(&trace)?;
    let without_id =
        |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').to_owned();
    Ok(trace.lines().map(without_id).filter(|line| !line.starts_with(['+', '<'])).collect())
}

/// Every call that a fresh token must not cost, and their number when it is too high.
fn faults(calls: &[String]) -> Vec<String> {
    let mut wrong: Vec<String> = calls.iter().filter(|call| is_forbidden(call)).cloned().collect();
    if calls.len() > MOST_CALLS {
        wrong.push(format!("{} system calls, more than {MOST_CALLS}", calls.len()));
    }
    wrong
}

fn is_forbidden(call: &str) -> bool {
    let (name, arguments) = call.split_once('(').unwrap_or((call, ""));
    let opens = matches!(name, "creat" | "open" | "openat" | "openat2" | "fcntl");
    FORBIDDEN.contains(&name)
        || WRITES.contains(&name) && !arguments.starts_with("1,")
        || opens && FORBIDDEN_ARGUMENTS.iter().any(|word| arguments.contains(word))
}

/// The memory that `u2m token` has at its peak, where GNU time is there to tell.
fn resident(binary: &Path, home: &Home) -> Result<Option<u64>, Failure> {
    let Some(time) = run::found("time") else { return Ok(None) };
    let report = home.path().join("time");
    let mut command = Command::new(time);
    command.args(["-f", "%M", "-o"]).arg(&report).arg(binary);
    token(&mut command, home)?;
    Ok(Some(fs::read_to_string(&report)?.trim().parse()?))
}

/// Lets `command`, which ends with the binary, run `token`, and makes sure that it prints the fixture's.
fn token(command: &mut Command, home: &Home) -> Outcome {
    command.args(["token", "--profile", "dev"]).env_clear();
    command.env("HOME", home.path()).env("XDG_RUNTIME_DIR", home.path());
    let bus = home.path().join("bus");
    command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", bus.display()));
    if matches!(home.known, Known::Name) {
        command.env("DATABRICKS_AUTH_STORAGE", "plaintext");
    }
    let printed = run::output(command)?;
    if printed.contains(&access_token()) {
        Ok(())
    } else {
        Err("it did not print the token of the cache".into())
    }
}

fn strace() -> Result<PathBuf, Failure> {
    if let Some(path) = run::found("strace") {
        return Ok(path);
    }
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if root && run::found("apt-get").is_some() {
        println!("   strace is missing; installing it");
        for arguments in [&["update", "--quiet"][..], &["install", "--yes", "--quiet", "strace"]] {
            run::must(Command::new("apt-get").args(arguments).stdin(Stdio::null()))?;
        }
    }
    run::found("strace")
        .ok_or_else(|| "strace is missing; install it (apt-get install strace)".into())
}

/// A home folder with a profile, five logins and a session bus that takes calls, removed at the end.
struct Home {
    folder: Folder,
    known: Known,
    /// Who calls it would be let in.
    _bus: bus::Listener,
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Home {
    fn new(known: Known) -> Result<Home, Failure> {
        let path = std::env::temp_dir().join(format!("u2m-warm-{}", std::process::id()));
        let folder = Folder(path.clone());
        private_folder(&path)?;
        private_folder(&path.join(".databricks"))?;
        let mut profile =
            "[dev]\nhost      = https://dev.cloud.databricks.com\nauth_type = databricks-cli\n"
                .to_owned();
        match known {
            Known::Name => {}
            Known::Setting => profile += "\n[__settings__]\nauth_storage = plaintext\n",
            Known::Record => {
                let side = r#"{"version":1,"sessions":{},"homes":{"dev":"plaintext"}}"#;
                private_file(&path.join(".databricks/token-cache.u2m.json"), side)?;
            }
        }
        private_file(&path.join(".databrickscfg"), &profile)?;
        private_file(&path.join(".databricks/token-cache.json"), &cache())?;
        Ok(Home { known, _bus: bus::listen(&path.join("bus"))?, folder })
    }

    fn path(&self) -> &Path {
        &self.folder.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind in the folder for temporary files is no reason to fail.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(unix)]
mod bus {
    pub(super) type Listener = std::os::unix::net::UnixListener;

    pub(super) fn listen(path: &std::path::Path) -> std::io::Result<Listener> {
        Listener::bind(path)
    }
}

#[cfg(not(unix))]
mod bus {
    pub(super) type Listener = ();

    pub(super) fn listen(_: &std::path::Path) -> std::io::Result<Listener> {
        Ok(())
    }
}

fn cache() -> String {
    let keys = ["dev", "https://dev.cloud.databricks.com", "prod", "stage", "test"];
    let entry = |key: &&str| {
        let access = access_token();
        let members = [
            ("access_token", access.as_str()),
            ("token_type", "Bearer"),
            ("refresh_token", "refresh"),
        ];
        let members =
            members.map(|(name, value)| format!("      \"{name}\": \"{value}\",\n")).concat();
        format!(
            "    \"{key}\": {{\n{members}      \"expiry\": \"2099-01-01T00:00:00.000001Z\"\n    }}"
        )
    };
    let entries = keys.iter().map(entry).collect::<Vec<_>>().join(",\n");
    format!("{{\n  \"version\": 1,\n  \"tokens\": {{\n{entries}\n  }}\n}}")
}

/// As long as a real one.
fn access_token() -> String {
    format!("header.{}.signature", "payload".repeat(120))
}

#[cfg(unix)]
fn private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(unix)]
fn private_file(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}

#[cfg(not(unix))]
fn private_folder(path: &Path) -> std::io::Result<()> {
    fs::create_dir(path)
}

#[cfg(not(unix))]
fn private_file(path: &Path, text: &str) -> std::io::Result<()> {
    fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_a_thread_a_lock_or_a_write_is_found() {
        for call in [
            "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 3",
            "clone3({flags=CLONE_VM|CLONE_FS, exit_signal=0}, 88) = 7",
            "flock(3, LOCK_EX) = 0",
            "fcntl(3, F_OFD_SETLKW, {l_type=F_WRLCK}) = 0",
            "openat(AT_FDCWD, \"/tmp/x\", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3",
            "write(2, \"x\", 1) = 1",
        ] {
            assert!(is_forbidden(call), "{call}");
        }
    }

    #[test]
    fn reading_files_and_writing_the_answer_are_allowed() {
        for call in [
            "openat(AT_FDCWD, \"/home/a/.databrickscfg\", O_RDONLY|O_CLOEXEC) = 3",
            "fcntl(3, F_GETFD) = 1",
            "write(1, \"{\", 1) = 1",
            "exit_group(0) = ?",
        ] {
            assert!(!is_forbidden(call), "{call}");
        }
    }

    #[test]
    fn too_many_calls_are_a_fault() {
        let calls = |n| vec![String::from("brk(NULL) = 0x1"); n];
        assert!(faults(&calls(MOST_CALLS)).is_empty());
        assert_eq!(faults(&calls(MOST_CALLS + 1)).len(), 1);
    }

    #[test]
    fn the_cache_is_json_with_five_entries() {
        let cache: serde_json::Value = serde_json::from_str(&cache()).unwrap();
        assert_eq!(cache["tokens"].as_object().unwrap().len(), 5);
    }
}
