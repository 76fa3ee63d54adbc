//! What the stories share: a fake server with a login in a file beside it, other processes, and a way to count.
#![allow(dead_code, reason = "each story uses its part")]
#![allow(clippy::print_stdout, clippy::unwrap_used)]

pub(crate) mod raw;
pub(crate) mod store;

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};
use u2m::oauth::RefreshToken;
use u2m::source::{FreshnessRules, Lifetime};
use u2m::store::{Binding, CacheKey, FileStore, Session, TokenStore};
use u2m::transport::RetryPolicy;
use u2m::{AccessToken, Builder, Host, PersistentAuth, Target, Timestamp, Token, TokenError};
use u2m_core::Fingerprint;
use u2m_testkit::{Endpoint, IssuedTokens, RunningServer, Seen, Settings};
use url::Url;

/// Longer than anything honest takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A fake server, and a token file for its logins.
pub(crate) struct World {
    pub(crate) server: RunningServer,
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Settings::new())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let server = RunningServer::start_with(settings).unwrap();
        Self { server, folder: tempfile::tempdir().unwrap() }
    }

    /// A world whose login has run out.
    pub(crate) fn expired() -> Self {
        let world = Self::new();
        world.seed(-5);
        world
    }

    pub(crate) fn host(&self) -> Host {
        Host::parse(self.server.base_url()).unwrap()
    }

    pub(crate) fn target(&self) -> Target {
        Target::workspace(self.host())
    }

    pub(crate) fn key(&self) -> CacheKey {
        self.target().cache_key()
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

    /// Signs in, and saves a login whose access token has `left` seconds left of an hour.
    pub(crate) fn seed(&self, left: i64) -> Token {
        self.seed_as(&self.key(), left)
    }

    /// The same under another key.
    pub(crate) fn seed_as(&self, key: &CacheKey, left: i64) -> Token {
        let session = self.session(left);
        self.store().save(key, &session).unwrap();
        session.token()
    }

    /// A new login at the server, as u2m would keep it.
    pub(crate) fn session(&self, left: i64) -> Session {
        let endpoint = Url::parse(&format!("{}/oidc/v1/token", self.server.base_url())).unwrap();
        let issuer = format!("{}/oidc", self.server.base_url());
        let issued_at = now().plus(Lifetime::from_seconds(left - 3600));
        self.bare_session(left)
            .with_lifetime(Lifetime::from_seconds(3600))
            .with_issued_at(issued_at)
            .with_binding(Binding::new(issuer, endpoint, "databricks-cli", self.host()))
    }

    /// A new login at the server, as another program would keep it: nobody knows where it is renewed.
    pub(crate) fn bare_session(&self, left: i64) -> Session {
        let tokens = self.sign_in();
        Session::new(AccessToken::new(tokens.access_token()))
            .with_refresh_token(RefreshToken::new(tokens.refresh_token().unwrap()))
            .with_expiry(now().plus(Lifetime::from_seconds(left)))
    }

    pub(crate) fn sign_in(&self) -> IssuedTokens {
        self.server.sign_in("databricks-cli", "offline_access all-apis")
    }

    pub(crate) fn builder(&self) -> Builder {
        PersistentAuth::builder(self.target()).with_store(self.store())
    }

    /// A `PersistentAuth` of its own, with a store of its own.
    pub(crate) fn auth(&self) -> PersistentAuth {
        self.builder().build().unwrap()
    }

    pub(crate) fn stored(&self) -> Session {
        self.store().load(&self.key()).unwrap().unwrap()
    }

    pub(crate) fn refreshes(&self) -> u64 {
        self.server.counts().refreshes
    }

    /// The login can still be renewed, with what the file holds.
    pub(crate) fn assert_alive(&self) {
        let stored = self.stored().refresh_token.unwrap();
        assert!(self.server.is_refreshable(stored.expose()), "{:?}", self.server.counts());
        assert!(self.server.is_login_alive());
    }

    /// The token endpoint was asked this often, and never for something spent.
    pub(crate) fn assert_refreshed(&self, times: u64) {
        let counts = self.server.counts();
        assert_eq!((counts.refreshes, counts.rejected), (times, 0), "{counts:?}");
    }

    pub(crate) fn token_requests(&self) -> Vec<Seen> {
        let seen = self.server.seen().into_iter();
        seen.filter(|seen| seen.endpoint() == Endpoint::Token).collect()
    }

    /// Names of temporary files that somebody left.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let names =
            std::fs::read_dir(self.folder()).unwrap().map(|entry| entry.unwrap().file_name());
        names
            .map(|name| name.into_string().unwrap())
            .filter(|name| name.ends_with(".tmp"))
            .collect()
    }

    /// This test binary in another process, ready to do `job`.
    pub(crate) fn command(&self, job: &str) -> Command {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "worker", "--nocapture"]);
        command.env(JOB, job).env(FILE, self.file()).env(HOST, self.server.base_url());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    pub(crate) fn child(&self, job: &str) -> Child {
        Child::of(self.command(job))
    }

    /// Starts children, lets them do their job all at once, and gathers what they say.
    pub(crate) fn at_once<'j>(&self, jobs: impl IntoIterator<Item = &'j str>) -> Vec<String> {
        let mut children: Vec<Child> = jobs.into_iter().map(|job| self.child(job)).collect();
        children.iter_mut().for_each(|child| child.until("ready"));
        children.iter_mut().for_each(Child::go_on);
        children.into_iter().flat_map(Child::done).collect()
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

/// Little time for a request, a bit more for somebody else's.
pub(crate) fn hasty(builder: Builder) -> PersistentAuth {
    let short = Duration::from_millis(400);
    let patience = RetryPolicy::default().with_budget(short).with_answer(short);
    builder.with_retry_policy(patience).with_lock_wait(Duration::from_millis(600)).build().unwrap()
}

/// A name for a token that is fit to be shown.
pub(crate) fn name(token: &Token) -> String {
    Fingerprint::of_access(token.access_token()).as_str().to_owned()
}

/// The texts of an error and of all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Rules under which a renewal ahead of time is not left alone after a failure.
pub(crate) fn restless() -> FreshnessRules {
    let mut rules = FreshnessRules::default();
    rules.pause = Lifetime::ZERO;
    rules
}

/// A runtime of several threads.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Asks again and again until it is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs `work` in a thread, and fails if it takes longer than `limit`.
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(work()));
    receive.recv_timeout(limit).expect("in time, and without a panic")
}

/// Starts `count` threads that do `work` at the same moment, and gathers what they bring.
pub(crate) fn together<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = std::sync::Barrier::new(count);
    std::thread::scope(|scope| {
        let (barrier, work) = (&barrier, &work);
        let start = |at| {
            scope.spawn(move || {
                barrier.wait();
                work(at)
            })
        };
        let threads: Vec<_> = (0..count).map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

const JOB: &str = "U2M_STORY_JOB";
const FILE: &str = "U2M_STORY_FILE";
const HOST: &str = "U2M_STORY_HOST";

/// The world as another process sees it.
pub(crate) struct Abroad {
    pub(crate) store: FileStore,
    pub(crate) target: Target,
}

impl Abroad {
    pub(crate) fn builder(&self) -> Builder {
        PersistentAuth::builder(self.target.clone()).with_store(FileStore::at(self.store.path()))
    }
}

/// What a test binary does when it runs as a child: `job`, once the parent says so. In an ordinary run, nothing.
pub(crate) fn work(job: impl FnOnce(&str, Abroad)) {
    let (Ok(name), Some(file), Ok(host)) = (env::var(JOB), env::var_os(FILE), env::var(HOST))
    else {
        return;
    };
    let target = Target::workspace(Host::parse(&host).unwrap());
    let abroad = Abroad { store: FileStore::at(PathBuf::from(file)), target };
    say("ready");
    hear();
    job(&name, abroad);
}

/// Tells the parent what became of a call: the token's name or the error, and how long it took.
pub(crate) fn report(outcome: &Result<Token, TokenError>, took: Duration) {
    let took = took.as_millis();
    match outcome {
        Ok(token) => say(&format!("token {took} {}", name(token))),
        Err(error) => {
            let kind = if error.needs_login() { "login" } else { "later" };
            say(&format!("{kind} {took} {}", chain(error)));
        }
    }
}

/// The kind of a report, its milliseconds, and the token's name or the error.
pub(crate) fn parse(report: &str) -> (&str, u64, &str) {
    let mut words = report.splitn(3, ' ');
    let (kind, took, rest) = (words.next(), words.next(), words.next());
    (kind.unwrap(), took.unwrap().parse().unwrap(), rest.unwrap())
}

/// What the parent hears.
pub(crate) fn say(line: &str) {
    println!("\n@{line}");
}

/// Waits until the parent says so, or is gone.
pub(crate) fn hear() {
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// Another process of this test binary.
pub(crate) struct Child {
    process: std::process::Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Child {
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

    pub(crate) fn until(&mut self, line: &str) {
        assert_eq!(self.hears().as_deref(), Some(line));
    }

    pub(crate) fn go_on(&mut self) {
        self.input.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Waits for its good end; what it still says.
    pub(crate) fn done(mut self) -> Vec<String> {
        self.input = None;
        let said = std::iter::from_fn(|| self.hears()).collect();
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}");
        said
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
