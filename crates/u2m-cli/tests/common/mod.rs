//! What the tests share: the built program in a world of its own, with a home, a fake server and nothing else around it.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use u2m::oauth::RefreshToken;
use u2m::source::Lifetime;
use u2m::store::{
    Binding, CacheKey, EncryptedFileStore, FileStore, SealKeySource, Session, TokenStore,
};
use u2m::{AccessToken, Host, Timestamp};
use u2m_testkit::{Endpoint, Fault, IssuedTokens, RunningServer, Settings, Times};

/// The program under test.
pub(crate) const U2M: &str = env!("CARGO_BIN_EXE_u2m");

/// Longer than anything honest takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A user that may do nothing here, for tests that run as root.
const NOBODY: u32 = 65_534;

/// A home, and a fake server.
pub(crate) struct World {
    pub(crate) server: RunningServer,
    home: tempfile::TempDir,
}

/// What a program left behind when it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Settings::new())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o700)).unwrap();
        Self { server: RunningServer::start_with(settings).unwrap(), home }
    }

    /// With something in front of the server, which is what programs are told of.
    pub(crate) fn behind(url: &str, settings: Settings) -> Self {
        let world = Self::with(Settings::new());
        Self { server: RunningServer::start_behind(url, settings).unwrap(), ..world }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn url(&self) -> &str {
        self.server.base_url()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home().join(name.trim_start_matches("~/"))
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.path(".databricks/token-cache.json")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path(".databrickscfg")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        let folder = path.parent().unwrap();
        if !folder.exists() {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).unwrap();
        }
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// A file that can be run.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        self.write(name, text);
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o700)).unwrap();
        self.path(name)
    }

    /// The program, with the arguments of `line` split at blanks, an empty environment and no terminal.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(U2M);
        command.args(line.split_whitespace().map(|word| word.replace("{URL}", self.url())));
        self.surround(&mut command);
        command
    }

    pub(crate) fn surround(&self, command: &mut Command) {
        command.env_clear().env("HOME", self.home()).env("DATABRICKS_AUTH_STORAGE", "plaintext");
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").current_dir(self.home());
        command.stdin(Stdio::null());
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        ran(self.command(line))
    }

    /// Signs in at the server without any browser.
    pub(crate) fn sign_in(&self) -> IssuedTokens {
        self.server.sign_in("databricks-cli", "offline_access all-apis")
    }

    pub(crate) fn store(&self) -> FileStore {
        FileStore::at(self.cache())
    }

    /// Saves a new login of the workspace as this program would, with `left` seconds left of an hour.
    pub(crate) fn seed(&self, key: &str, left: i64) -> IssuedTokens {
        let tokens = self.sign_in();
        self.keep(key, left, &tokens);
        tokens
    }

    /// Saves a login of the workspace with these tokens.
    pub(crate) fn keep(&self, key: &str, left: i64, tokens: &IssuedTokens) {
        self.store().save(&CacheKey::new(key), &self.session(tokens, left)).unwrap();
    }

    /// The same in the encrypted file, whose key is in `~/key`.
    pub(crate) fn seal(&self, key: &str, left: i64, tokens: &IssuedTokens) {
        let session = self.session(tokens, left);
        let source = SealKeySource::File(self.path("key"));
        let store =
            EncryptedFileStore::at(self.path(".databricks/token-cache.sealed.json"), source);
        store.save(&CacheKey::new(key), &session).unwrap();
    }

    fn session(&self, tokens: &IssuedTokens, left: i64) -> Session {
        Session::new(AccessToken::new(tokens.access_token()))
            .with_refresh_token(RefreshToken::new(tokens.refresh_token().unwrap()))
            .with_expiry(now().plus(Lifetime::from_seconds(left)))
            .with_lifetime(Lifetime::from_seconds(3600))
            .with_issued_at(now().plus(Lifetime::from_seconds(left - 3600)))
            .with_binding(self.binding())
    }

    pub(crate) fn binding(&self) -> Binding {
        let endpoint = url::Url::parse(&format!("{}/oidc/v1/token", self.url())).unwrap();
        let host = Host::parse(self.url()).unwrap();
        Binding::new(format!("{}/oidc", self.url()), endpoint, "databricks-cli", host)
    }

    pub(crate) fn stored(&self, key: &str) -> Session {
        self.store().load(&CacheKey::new(key)).unwrap().unwrap()
    }

    /// The login under `key` can still be renewed.
    pub(crate) fn assert_alive(&self, key: &str) {
        let refresh = self.stored(key).refresh_token.unwrap();
        assert!(self.server.is_refreshable(refresh.expose()), "{:?}", self.server.counts());
    }

    /// Every file below the home, with its mode and content.
    pub(crate) fn tree(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        walk(self.home(), self.home(), &mut found);
        found
    }

    /// Lets another user than root run the program: root may do what the test says is forbidden.
    pub(crate) fn unprivileged(&self, command: &mut Command) -> bool {
        use std::os::unix::process::CommandExt;
        if std::fs::metadata(self.home()).unwrap().uid() != 0 {
            return true;
        }
        own(self.home(), NOBODY);
        command.uid(NOBODY).gid(NOBODY);
        // Where the program itself cannot be reached by others, there is nothing to test.
        Path::new(U2M).ancestors().skip(1).all(|folder| {
            folder.as_os_str().is_empty()
                || std::fs::metadata(folder).is_ok_and(|meta| meta.mode() & 0o001 != 0)
        })
    }
}

fn own(path: &Path, user: u32) {
    std::os::unix::fs::lchown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        std::fs::read_dir(path).unwrap().for_each(|entry| own(&entry.unwrap().path(), user));
    }
}

fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("~/{}", path.strip_prefix(root).unwrap().display());
        let meta = std::fs::symlink_metadata(&path).unwrap();
        let mode = meta.mode() & 0o7777;
        if meta.is_dir() {
            found.insert(name, format!("folder {mode:o}"));
            walk(root, &path, found);
        } else if meta.is_symlink() {
            found.insert(name, format!("link to {}", std::fs::read_link(&path).unwrap().display()));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.insert(name, format!("file {mode:o}\n{}", String::from_utf8_lossy(&bytes)));
        }
    }
}

/// Runs to the end, which must come in time.
pub(crate) fn ran(command: Command) -> Ran {
    Running::start(command).done()
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Whether a port is free in both address families.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("::1", port)).is_ok()
}

/// The access token that was printed; fails if anything else was.
pub(crate) fn printed_token(stdout: &str) -> String {
    let json: serde_json::Value =
        serde_json::from_str(stdout).expect("one JSON object and nothing else");
    for key in ["access_token", "token_type", "expiry"] {
        assert!(json[key].is_string(), "{key} in {stdout}");
    }
    json["access_token"].as_str().unwrap().to_owned()
}

/// A program that runs, whose standard error is read line by line.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
    stdout: Option<JoinHandle<String>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let (stderr, mut stdout) = (child.stderr.take().unwrap(), child.stdout.take().unwrap());
        std::thread::spawn(move || {
            BufReader::new(stderr)
                .lines()
                .try_for_each(|line| sender.send(line.unwrap_or_default()))
        });
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        Self { child, lines, heard: Vec::new(), stdout: Some(stdout) }
    }

    /// The next line for which it is so.
    pub(crate) fn line(&mut self, is_it: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.lines.recv_timeout(LONG);
            let line = line.unwrap_or_else(|_| panic!("not said, but: {:?}", self.heard));
            self.heard.push(line.clone());
            if is_it(&line) {
                return line;
            }
        }
    }

    /// The address to open, if it comes to that before the end.
    pub(crate) fn url_before_the_end(&mut self) -> Option<String> {
        while let Ok(line) = self.lines.recv_timeout(LONG) {
            self.heard.push(line.clone());
            if line.starts_with("http") && !line.contains(' ') {
                return Some(line);
            }
        }
        None
    }

    /// The address to open.
    pub(crate) fn url(&mut self) -> String {
        self.line(|line| line.starts_with("http") && !line.contains(' '))
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Its end, within `limit`; killed and failed otherwise.
    pub(crate) fn end(mut self, limit: Duration) -> (ExitStatus, Ran) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < limit, "still running; it said {:?}", self.heard);
            std::thread::sleep(Duration::from_millis(5));
        };
        self.heard.extend(self.lines.iter());
        let stderr = self.heard.iter().map(|line| format!("{line}\n")).collect();
        let stdout = self.stdout.take().unwrap().join().unwrap();
        (status, Ran { code: status.code(), stdout, stderr })
    }

    pub(crate) fn done(self) -> Ran {
        self.end(LONG).1
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The end of a token that another program was just given, as it writes it.
pub(crate) fn in_an_hour() -> String {
    u2m::text::format_local(Timestamp::from(SystemTime::now()).plus(Lifetime::from_seconds(3600)))
}

/// Asks again and again until it is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A world with a profile `dev`.
pub(crate) fn world_of_dev() -> World {
    let world = World::new();
    world.write(".databrickscfg", &format!("[dev]\nhost = {}\n", world.url()));
    world
}

/// Lets every answer of the token endpoint take `delay`.
pub(crate) fn slow(world: &World, delay: Duration) {
    world.server.inject(Endpoint::Token, Times::Always, Fault::delay(delay));
}

/// The processes that refresh for callers of this home.
pub(crate) fn workers(home: &Path) -> Vec<PathBuf> {
    let home = format!("HOME={}\0", home.display());
    let of_home = |process: &PathBuf| {
        let read = |name| std::fs::read(process.join(name)).unwrap_or_default();
        let words = read("cmdline");
        String::from_utf8_lossy(&words).contains("__u2m-refresh")
            && String::from_utf8_lossy(&read("environ")).contains(&home)
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    processes.filter(of_home).collect()
}

/// Puts a folder in the place of the cache while a refresh of `caller` is under way, and brings the cache back `after`.
pub(crate) fn without_room<T: Send>(
    world: &World,
    caller: impl FnOnce() -> T + Send,
    after: impl FnOnce(),
) -> T {
    slow(world, Duration::from_secs(1));
    let (cache, aside) = (world.cache(), world.path("aside"));
    std::thread::scope(|scope| {
        let caller = scope.spawn(caller);
        eventually("the refresh is sent", || world.server.counts().refreshes == 1);
        std::fs::rename(&cache, &aside).unwrap();
        std::fs::create_dir(&cache).unwrap();
        after();
        if !caller.is_finished() {
            std::fs::remove_dir(&cache).unwrap();
            std::fs::rename(&aside, &cache).unwrap();
        }
        caller.join().unwrap()
    })
}
