//! The block `token`: whole processes that print a token which is already there.

use super::Measured;
use super::programs::Programs;
use crate::run::{Failure, found, output};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The rows that bars speak of.
pub(super) const FLOOR: &str = "floor";
pub(super) const U2M: &str = "`u2m token`";

pub(super) const VERSION: &str = "`u2m version`";
pub(super) const HELP: &str = "`u2m --help`";
const LEAN: &str = "`u2m token`, built with `lean-start`";
const GH: &str = "`gh auth token`";
const ROUNDS: &str = "200";
const ROUNDS_OF_PEERS: &str = "40";
const ROUNDS_OF_PEAKS: &str = "10";
pub(super) const PROFILE: &str = "bench";
const LOGINS: [&str; 5] = ["DEFAULT", "account", PROFILE, "https://ws.example.com", "staging"];

/// What is measured, its table, its rounds, and the rows that belong to it.
type Run<'a> = (&'a str, &'a str, &'a str, &'a dyn Fn(&str) -> bool);

pub(super) fn measure(programs: &Programs) -> Result<Measured, Failure> {
    let home = Home::new()?;
    let mut measured = Measured::default();
    let rows = rows(programs, &home, &mut measured.notes)?;
    // A command that loads the caches heavily slows whatever runs after it, the floor least of all: the peers have a
    // table, and a floor, of their own.
    let small = |name: &str| name != GH;
    let peers = |name: &str| [FLOOR, U2M, GH].contains(&name);
    let runs: [Run<'_>; 3] = [
        ("time", "token", ROUNDS, &small),
        ("time", "token-peers", ROUNDS_OF_PEERS, &peers),
        ("peak", "token-peak", ROUNDS_OF_PEAKS, &|_| true),
    ];
    for (kind, table, rounds, belongs) in runs {
        let chosen = rows.iter().filter(|(name, _)| belongs(name));
        let mut spawn = programs.peer("spawn");
        spawn.args([kind, table, rounds]);
        spawn.args(chosen.map(|(name, words)| format!("{name}={}", words.join("\t"))));
        measured.samples.take(&output(home.for_command(&mut spawn))?)?;
    }
    for (name, words) in rows.iter().filter(|(name, _)| [FLOOR, U2M, VERSION].contains(name)) {
        let surround = |command: &mut Command| {
            home.for_command(command);
        };
        match counted(&home, words, &surround) {
            Ok(counted) => measured.samples.take(&counted.lines("token-calls", name))?,
            Err(why) => measured.notes.push(format!("System calls of {name}: {why}.")),
        }
    }
    Ok(measured)
}

type Row = (&'static str, Vec<String>);

/// The commands that print what they should; a note about each of the others.
fn rows(programs: &Programs, home: &Home, notes: &mut Vec<String>) -> Result<Vec<Row>, Failure> {
    let floor = |path: &Path| vec![text(path), text(&home.cache()), PROFILE.into()];
    let mut rows = vec![(FLOOR, floor(&programs.floor()))];
    match programs.static_floor() {
        Some(path) => rows.push(("floor, C library linked in", floor(path))),
        None => notes.push("The floor with the C library linked in cannot be built here.".into()),
    }
    let token =
        |program: &Path| vec![text(program), "token".into(), "--profile".into(), PROFILE.into()];
    rows.push((U2M, token(programs.product())));
    rows.push((LEAN, token(programs.lean())));
    match install_gh() {
        Ok(()) => rows.push((GH, ["gh", "auth", "token"].map(String::from).into())),
        Err(why) => notes.push(format!("{GH}: {why}.")),
    }
    let mut good = Vec::new();
    for (name, words) in rows {
        let output = home.for_command(Command::new(&words[0]).args(&words[1..])).output()?;
        if String::from_utf8_lossy(&output.stdout).contains(&access_token(PROFILE)) {
            good.push((name, words));
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().next().unwrap_or("nothing");
            notes.push(format!(
                "{name} is not measured: it does not print the token. It says: {said}"
            ));
        }
    }
    good.push((VERSION, vec![text(programs.product()), "version".into()]));
    good.push((HELP, vec![text(programs.product()), "--help".into()]));
    good.push(("`/bin/true`", vec!["/bin/true".into()]));
    Ok(good)
}

/// Each login has its own: two entries with one refresh token are one login to u2m, whatever they are called.
fn refresh_token(name: &str) -> String {
    let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("doau{digits:0>64}")
}

/// A home folder of its own, gone when dropped.
pub(super) struct Home(PathBuf);

impl Home {
    pub(super) fn new() -> Result<Self, Failure> {
        let home = Self(std::env::temp_dir().join(format!("u2m-bench-{}", std::process::id())));
        for folder in ["", ".databricks", "gh"] {
            fs::DirBuilder::new().mode(0o700).create(home.0.join(folder))?;
        }
        let entries = LOGINS.map(|name| {
            format!(
                "    \"{name}\": {{\n      \"access_token\": \"{}\",\n      \"token_type\": \"Bearer\",\n      \
                 \"refresh_token\": \"{}\",\n      \"expiry\": \"2099-01-01T00:00:00.000001Z\"\n    }}",
                access_token(name),
                refresh_token(name),
            )
        });
        let cache =
            format!("{{\n  \"version\": 1,\n  \"tokens\": {{\n{}\n  }}\n}}", entries.join(",\n"));
        private(&home.cache(), &cache)?;
        let profiles = LOGINS.map(|name| {
            let name = name.trim_start_matches("https://");
            format!("[{name}]\nhost = https://{PROFILE}.example.com\nauth_type = databricks-cli\n")
        });
        private(&home.0.join(".databrickscfg"), &profiles.join("\n"))?;
        let hosts =
            format!("github.com:\n    oauth_token: {}\n    user: bench\n", access_token(PROFILE));
        private(&home.0.join("gh/hosts.yml"), &hosts)?;
        Ok(home)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn cache(&self) -> PathBuf {
        self.0.join(".databricks/token-cache.json")
    }

    /// As a login leaves it that went to the keyring.
    pub(super) fn keep_in_keyring(&self) -> Result<(), Failure> {
        use std::io::Write;
        let mut config = fs::OpenOptions::new().append(true).open(self.0.join(".databrickscfg"))?;
        config.write_all(b"\n[__settings__]\nauth_storage = secure\n")?;
        let side = format!(r#"{{"version":1,"sessions":{{}},"homes":{{"{PROFILE}":"secure"}}}}"#);
        Ok(private(&self.0.join(".databricks/token-cache.u2m.json"), &side)?)
    }

    /// Gives `command` an environment that knows this home and nothing else.
    pub(super) fn for_command<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", &self.0)
            .env("GH_CONFIG_DIR", self.0.join("gh"))
            .env("DATABRICKS_AUTH_STORAGE", "plaintext")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What is left behind is in the system's folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// As long as a usual access token, and different for each login.
pub(super) fn access_token(login: &str) -> String {
    let length = login.len();
    format!("eyJ{}{length}", "aZ9-_".repeat(180))
}

pub(super) fn private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Makes sure that there is a `gh`, with apt-get where this process may use it.
fn install_gh() -> Result<(), String> {
    if found("gh").is_some() {
        return Ok(());
    }
    if !fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        return Err("not installed, and only root can install it".into());
    }
    for args in [&["update"][..], &["install", "--yes", "--no-install-recommends", "gh"]] {
        let apt = Command::new("apt-get").args(args).stdout(Stdio::null()).status();
        if !apt.is_ok_and(|status| status.success()) {
            return Err(format!("not installed, and `apt-get {}` failed", args.join(" ")));
        }
    }
    found("gh").map(|_| ()).ok_or_else(|| "installed, but not in `PATH`".into())
}

/// What one process asked of the system.
pub(super) struct SystemCalls {
    all: usize,
    sockets: usize,
    threads: usize,
}

impl SystemCalls {
    pub(super) fn lines(&self, table: &str, name: &str) -> String {
        let Self { all, sockets, threads } = self;
        format!(
            "{table}\t{name}\tsystem calls\t{all}\n{table}\t{name}\tsockets\t{sockets}\n\
             {table}\t{name}\tthreads\t{threads}\n"
        )
    }

    /// Counts the lines of `strace -f`: `PID NAME(…) = …`.
    fn count(trace: &str) -> Self {
        let calls: Vec<&str> = trace
            .lines()
            .filter_map(|line| line.split_once(' ')?.1.trim_start().split_once('('))
            .map(|(name, _)| name)
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
            .collect();
        let some = |names: &[&str]| calls.iter().filter(|name| names.contains(name)).count();
        Self { all: calls.len(), sockets: some(&["socket"]), threads: some(&["clone", "clone3"]) }
    }
}

/// Runs a command once under strace, in the environment that `surround` gives it.
pub(super) fn counted(
    home: &Home,
    words: &[String],
    surround: &dyn Fn(&mut Command),
) -> Result<SystemCalls, String> {
    let trace = home.0.join("trace");
    let mut strace = Command::new("strace");
    strace.arg("-f").arg("-o").arg(&trace).args(words).stdout(Stdio::null());
    surround(&mut strace);
    let status = strace.status().map_err(|_| "no `strace` here")?;
    if !status.success() {
        return Err(format!("`strace` ended with {status}"));
    }
    let trace = fs::read_to_string(trace).map_err(|error| error.to_string())?;
    Ok(SystemCalls::count(&trace))
}

#[cfg(test)]
mod tests {
    use super::SystemCalls;

    #[test]
    fn a_trace_is_counted_by_its_calls() {
        let trace = "7  execve(\"u2m\", [\"u2m\"], 0x7ff /* 3 vars */) = 0\n\
                     7  socket(AF_INET, SOCK_STREAM, 0) = 3\n\
                     7  clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 8\n\
                     8  +++ exited with 0 +++\n7  exit_group(0) = ?\n";
        let SystemCalls { all, sockets, threads } = SystemCalls::count(trace);
        assert_eq!((all, sockets, threads), (4, 1, 1));
    }
}
