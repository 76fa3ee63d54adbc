//! What the stories share: a place with a cache in it, other processes, and a reader that is as strict as Go's.
#![allow(dead_code, reason = "each story uses its part")]
#![allow(clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use u2m_cache::{EntryLock, FileStore, TokenStore};
use u2m_core::{AccessToken, Binding, CacheKey, Host, RefreshToken, Session, Timestamp};

/// Longer than anything honest takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A moment in 2099, in a session of [`session`].
pub(crate) const LATER: i64 = 4_070_908_800;

/// A folder of its own with a cache in it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A place in memory, where there is one: many writes, each made to last, are slow on a disk.
    pub(crate) fn fast() -> Self {
        tempfile::tempdir_in("/dev/shm").map_or_else(|_| Self::new(), |folder| Self { folder })
    }

    /// A place whose cache already holds `text`.
    pub(crate) fn with(text: impl AsRef<[u8]>) -> Self {
        let place = Self::new();
        put(&place.file(), text);
        place
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder().join("token-cache.json")
    }

    pub(crate) fn store(&self) -> FileStore {
        FileStore::at(self.file())
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    /// The names in the folder, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        names(self.folder())
    }

    /// The files that were set aside.
    pub(crate) fn aside(&self) -> Vec<PathBuf> {
        let names = self.names().into_iter().filter(|name| name.contains(".corrupt-"));
        names.map(|name| self.folder().join(name)).collect()
    }
}

/// Writes a private file.
pub(crate) fn put(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::write(path, bytes).unwrap();
    if path.extension().is_none_or(|kind| kind != "tmp") {
        // Long ago: nobody is writing it any more.
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    #[cfg(unix)]
    chmod(path, 0o600);
}

#[cfg(unix)]
pub(crate) fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[cfg(unix)]
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every byte of every file below a folder, one after another.
pub(crate) fn everything(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            all.extend(everything(&entry.path()));
        } else if kind.is_file() {
            all.extend(fs::read(entry.path()).unwrap());
        }
    }
    all
}

pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

pub(crate) fn key(name: &str) -> CacheKey {
    CacheKey::new(name)
}

/// A login named `name`, with both tokens.
pub(crate) fn session(name: &str) -> Session {
    bare(name).with_refresh_token(RefreshToken::new(format!("rt-{name}")))
}

/// A login that cannot be renewed.
pub(crate) fn bare(name: &str) -> Session {
    Session::new(AccessToken::new(format!("at-{name}"))).with_expiry(Timestamp::from_unix(LATER))
}

pub(crate) fn bound(name: &str) -> Session {
    let host = Host::parse("https://a.example").unwrap();
    let endpoint = url::Url::parse("https://a.example/oidc/v1/token").unwrap();
    session(name)
        .with_binding(Binding::new("https://a.example/oidc", endpoint, "databricks-cli", host))
        .with_issued_at(Timestamp::from_unix(7))
}

/// The access token under `name`.
pub(crate) fn access(store: &FileStore, name: &str) -> Option<String> {
    store.load(&key(name)).unwrap().map(|session| session.access_token.expose().to_owned())
}

pub(crate) fn locked(store: &FileStore, name: &str) -> Box<dyn EntryLock> {
    store.lock(&key(name), LONG).unwrap().unwrap()
}

/// What `text` says, read as strictly as Go's reader does: each entry's tokens and its end.
pub(crate) fn go_reads(text: &str) -> BTreeMap<String, (String, String, i64)> {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(value["version"].as_i64(), Some(1), "{text}");
    let mut found = BTreeMap::new();
    for (key, entry) in value["tokens"].as_object().unwrap() {
        let member = |name: &str| entry.get(name).map(|text| text.as_str().unwrap().to_owned());
        let expiry = member("expiry").unwrap();
        let expiry = chrono::DateTime::parse_from_rfc3339(&expiry).unwrap().timestamp();
        assert!(entry.get("expires_in").is_none_or(serde_json::Value::is_i64), "{entry}");
        let tokens =
            (member("access_token").unwrap(), member("refresh_token").unwrap_or_default(), expiry);
        found.insert(key.clone(), tokens);
    }
    found
}

/// Runs `work` in a thread and fails if it takes longer than anything honest.
pub(crate) fn promptly<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(work()));
    receive.recv_timeout(LONG).expect("it hangs")
}

/// Says why a story was not told.
pub(crate) fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

const JOB: &str = "U2M_STORY_JOB";
const FILE: &str = "U2M_STORY_FILE";

/// What a test binary does when it runs as a child: `job` with the store it was given. In an ordinary run, nothing.
pub(crate) fn work(job: impl FnOnce(&str, FileStore)) {
    let (Ok(name), Some(path)) = (env::var(JOB), env::var_os(FILE)) else { return };
    job(&name, FileStore::at(PathBuf::from(path)));
}

/// What the parent hears.
pub(crate) fn say(line: &str) {
    println!("\n@{line}");
}

/// Waits until the parent says so, or is gone.
pub(crate) fn hear() {
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// This test binary, ready to do `job` on the cache at `file`.
pub(crate) fn command(job: &str, file: &Path) -> Command {
    wrapped(&[], job, file)
}

/// As [`command`], started by a program such as `unshare`: `wrapper` ends where the command to run is expected.
pub(crate) fn wrapped(wrapper: &[&str], job: &str, file: &Path) -> Command {
    let me = env::current_exe().unwrap();
    let mut command = match wrapper {
        [] => Command::new(me),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(me);
            command
        }
    };
    command.args(["--exact", "worker", "--nocapture"]).env(JOB, job).env(FILE, file);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// As [`command`], started by a shell that first does `before`.
pub(crate) fn shell(before: &str, job: &str, file: &Path) -> Command {
    let script = format!("{before}; exec \"$0\" \"$@\"");
    wrapped(&["sh", "-c", &script], job, file)
}

/// Whether this machine can do what `command` does, such as making a namespace.
pub(crate) fn can(command: &[&str]) -> bool {
    let run = Command::new(command[0])
        .args(&command[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    run.is_ok_and(|status| status.success())
}

/// Whether this user can mount things in a namespace of its own.
pub(crate) fn can_mount() -> bool {
    can(&["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/tmp"])
}

/// Another process of this test binary.
pub(crate) struct Child {
    process: std::process::Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Child {
    pub(crate) fn start(job: &str, file: &Path) -> Self {
        Self::of(command(job, file))
    }

    pub(crate) fn of(mut command: Command) -> Self {
        let mut process = command.spawn().unwrap();
        let (input, output) = (process.stdin.take(), process.stdout.take().unwrap());
        Self { process, input, output: BufReader::new(output) }
    }

    /// The next thing it says.
    pub(crate) fn hears(&mut self) -> Option<String> {
        for line in BufRead::lines(&mut self.output) {
            if let Some(said) = line.unwrap().strip_prefix('@') {
                return Some(said.to_owned());
            }
        }
        None
    }

    pub(crate) fn until(&mut self, line: &str) -> &mut Self {
        assert_eq!(self.hears().as_deref(), Some(line));
        self
    }

    pub(crate) fn go_on(&mut self) -> &mut Self {
        self.input.as_mut().unwrap().write_all(b"\n").unwrap();
        self
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Ends it as `kill -9` does; what it had said until then.
    pub(crate) fn kill_and_hear(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        let said = std::iter::from_fn(|| self.hears()).collect();
        self.process.wait().unwrap();
        said
    }

    /// Waits for its good end; what it still says.
    pub(crate) fn done(mut self) -> Vec<String> {
        self.input = None;
        let said = std::iter::from_fn(|| self.hears()).collect();
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}");
        said
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks again and again until it is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
