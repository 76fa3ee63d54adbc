//! The fake server on a loopback port, with threads of the standard library and the system's clock.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::{
    collections::HashMap,
    fmt,
    io::{self, ErrorKind},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
        mpsc::{self, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use u2m_core::{Lifetime, Timestamp};

use crate::{
    connection,
    fault::{Endpoint, Fault, Times},
    journal::{Counts, Seen},
    server::{FakeServer, IssuedTokens},
    settings::Settings,
};

/// Enough for one connection, and a thousand of them stay small.
const STACK: usize = 256 * 1024;

/// A [`FakeServer`] that listens on `127.0.0.1` until it is dropped.
///
/// Each connection has a thread of its own, so a delay never holds up another request. A request takes effect when it is
/// received, before its delay, unless [`RotateOn`](crate::RotateOn) says otherwise.
///
/// The standard library's listener queues 128 connections. If more arrive at once while the machine is busy, some clients
/// connect a second late; none is refused.
pub struct RunningServer {
    address: SocketAddr,
    base_url: String,
    shared: Arc<ServerShared>,
    /// The acceptor, then the attendant, which ends after it.
    threads: Vec<JoinHandle<()>>,
}

/// What all threads of a server share.
pub(crate) struct ServerShared {
    state: Mutex<FakeServer>,
    /// How many seconds the server's clock is ahead of the system's.
    ahead: AtomicI64,
    stopped: Mutex<bool>,
    stopping: Condvar,
    open: Mutex<HashMap<u64, Arc<TcpStream>>>,
}

impl RunningServer {
    /// Starts a server with default settings on a free port.
    ///
    /// ```
    /// let server = u2m_testkit::RunningServer::start()?;
    /// assert!(server.base_url().starts_with("http://127.0.0.1:"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start() -> io::Result<Self> {
        Self::start_with(Settings::new())
    }

    /// Starts a server with these settings on a free port.
    ///
    /// ```
    /// use u2m_testkit::{Lifetime, RunningServer, Settings};
    /// let settings = Settings::new().with_lifetime(Lifetime::from_seconds(60));
    /// let server = RunningServer::start_with(settings)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start_with(settings: Settings) -> io::Result<Self> {
        Self::start_on(0, settings)
    }

    /// Starts a server on this port; 0 means any free port.
    ///
    /// ```
    /// use u2m_testkit::{RunningServer, Settings};
    /// let port = RunningServer::start()?.port(); // free again: that server is gone
    /// let server = RunningServer::start_on(port, Settings::new())?;
    /// assert_eq!(server.port(), port);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// Unless the settings name a seed, its tokens differ from those of every other server. Otherwise a program that remembers
    /// spent tokens by digest could confuse them with those of an earlier server on the same port.
    pub fn start_on(port: u16, settings: Settings) -> io::Result<Self> {
        Self::started(port, None, settings)
    }

    /// Starts a server on a free port that publishes another address, for callers that put TLS or a proxy in front of it.
    ///
    /// ```
    /// use u2m_testkit::{RunningServer, Settings};
    /// let server = RunningServer::start_behind("https://localhost:8443", Settings::new())?;
    /// assert_eq!(server.base_url(), "https://localhost:8443");
    /// assert_ne!(server.port(), 8443);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns the system's error if no port is available.
    pub fn start_behind(base_url: &str, settings: Settings) -> io::Result<Self> {
        Self::started(0, Some(base_url), settings)
    }

    fn started(port: u16, front: Option<&str>, mut settings: Settings) -> io::Result<Self> {
        if settings.seed == 0 {
            settings.seed = RandomState::new().build_hasher().finish();
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let base_url = front.map_or_else(|| format!("http://{address}"), str::to_owned);
        let shared = Arc::new(ServerShared {
            state: Mutex::new(FakeServer::new(&base_url, settings)),
            ahead: AtomicI64::new(0),
            stopped: Mutex::new(false),
            stopping: Condvar::new(),
            open: Mutex::new(HashMap::new()),
        });
        let (sender, accepted) = mpsc::channel();
        let attendant = thread::Builder::new().name("fake-server".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || (0..).zip(accepted).for_each(|(number, stream)| attend(number, stream, &shared))
        })?;
        let acceptor = thread::Builder::new().name("fake-server-accept".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &sender, &shared)
        })?;
        Ok(Self { address, base_url, shared, threads: vec![acceptor, attendant] })
    }

    /// Returns scheme, host and port without a trailing slash: the URL to give to a program as its host.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Returns host and port, as in a `Host` header.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Returns the port.
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the time by the server's clock.
    pub fn now(&self) -> Timestamp {
        self.shared.time()
    }

    /// Returns the server's clock for a program under test. If the program uses it, [`advance`](Self::advance) moves both
    /// clocks, and the program's tokens expire by its own clock, too. `Builder::with_clock` of the crate `u2m` accepts it.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use u2m_testkit::{Lifetime, RunningServer};
    /// let server = RunningServer::start()?;
    /// let clock = server.clock();
    /// server.advance(Lifetime::from_seconds(3600));
    /// assert!(clock().duration_since(SystemTime::now()).unwrap().as_secs() >= 3590);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn clock(&self) -> impl Fn() -> SystemTime + Clone + Send + Sync + use<> {
        let shared = Arc::clone(&self.shared);
        move || {
            let ahead = shared.ahead.load(Ordering::SeqCst);
            let by = Duration::from_secs(ahead.unsigned_abs());
            let now = SystemTime::now();
            if ahead < 0 { now - by } else { now + by }
        }
    }

    /// Moves the server's clock, so that tokens expire without waiting. A program under test keeps its own clock unless it uses
    /// [this one](Self::clock). A negative duration moves the clock back.
    ///
    /// ```
    /// use u2m_testkit::{Lifetime, RunningServer};
    /// let server = RunningServer::start()?;
    /// let tokens = server.sign_in("databricks-cli", "all-apis");
    /// assert!(server.is_active(tokens.access_token()));
    /// server.advance(Lifetime::from_seconds(3600));
    /// assert!(!server.is_active(tokens.access_token()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn advance(&self, by: Lifetime) {
        self.shared.ahead.fetch_add(by.seconds(), Ordering::SeqCst);
    }

    /// Gives direct access to the state, with the time by the server's clock. Requests wait meanwhile.
    ///
    /// ```
    /// let server = u2m_testkit::RunningServer::start()?;
    /// let paths: Vec<String> =
    ///     server.with(|state, _now| state.seen().map(|seen| seen.path().to_owned()).collect());
    /// assert!(paths.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn with<R>(&self, work: impl FnOnce(&mut FakeServer, Timestamp) -> R) -> R {
        self.shared.with(work)
    }

    /// See [`FakeServer::inject`].
    pub fn inject(&self, endpoint: Endpoint, times: Times, fault: Fault) {
        self.with(|state, _| state.inject(endpoint, times, fault));
    }

    /// See [`FakeServer::clear_faults`].
    pub fn clear_faults(&self) {
        self.with(|state, _| state.clear_faults());
    }

    /// See [`FakeServer::reconfigure`].
    pub fn reconfigure(&self, change: impl FnOnce(Settings) -> Settings) {
        self.with(|state, _| state.reconfigure(change));
    }

    /// See [`FakeServer::revoke_all`].
    pub fn revoke_all(&self) {
        self.with(|state, _| state.revoke_all());
    }

    /// See [`FakeServer::sign_in`].
    pub fn sign_in(&self, client_id: &str, scope: &str) -> IssuedTokens {
        self.with(|state, now| state.sign_in(client_id, scope, now))
    }

    /// See [`FakeServer::counts`].
    pub fn counts(&self) -> Counts {
        self.with(|state, _| state.counts())
    }

    /// See [`FakeServer::seen`].
    pub fn seen(&self) -> Vec<Seen> {
        self.with(|state, _| state.seen().cloned().collect())
    }

    /// See [`FakeServer::is_active`].
    pub fn is_active(&self, access_token: &str) -> bool {
        self.with(|state, now| state.is_active(access_token, now))
    }

    /// See [`FakeServer::is_refreshable`].
    pub fn is_refreshable(&self, refresh_token: &str) -> bool {
        self.with(|state, now| state.is_refreshable(refresh_token, now))
    }

    /// See [`FakeServer::is_login_alive`].
    pub fn is_login_alive(&self) -> bool {
        self.with(|state, now| state.is_login_alive(now))
    }
}

/// Frees the port and closes every connection.
impl Drop for RunningServer {
    fn drop(&mut self) {
        *lock(&self.shared.stopped) = true;
        self.shared.stopping.notify_all();
        // The acceptor checks for the end only when somebody connects. If nobody can, it is left running.
        if TcpStream::connect(self.address).is_ok() {
            for thread in self.threads.drain(..) {
                let _ = thread.join();
            }
        }
        for stream in lock(&self.shared.open).values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Shows the address and the counters.
impl fmt::Debug for RunningServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningServer")
            .field("base_url", &self.base_url)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl ServerShared {
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut FakeServer, Timestamp) -> R) -> R {
        let mut state = lock(&self.state);
        work(&mut state, self.time())
    }

    /// Waits, and returns whether the server still runs.
    pub(crate) fn sleep(&self, delay: Duration) -> bool {
        let stopped = lock(&self.stopped);
        let waited = self.stopping.wait_timeout_while(stopped, delay, |stopped| !*stopped);
        let (stopped, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !*stopped
    }

    pub(crate) fn time(&self) -> Timestamp {
        let ahead = Lifetime::from_seconds(self.ahead.load(Ordering::SeqCst));
        Timestamp::from(SystemTime::now()).plus(ahead)
    }
}

/// Accepts connections as fast as they arrive: the operating system's queue is short, and a client that finds it full tries
/// again a second later. The attendant starts their threads.
fn accept(listener: &TcpListener, sender: &Sender<TcpStream>, shared: &ServerShared) {
    for accepted in listener.incoming() {
        if *lock(&shared.stopped) {
            return;
        }
        match accepted {
            // The attendant lives longer than this thread.
            Ok(stream) => drop(sender.send(stream)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Probably out of sockets: wait for some to close.
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Starts a thread for a connection. If that fails, the connection closes.
fn attend(number: u64, stream: TcpStream, shared: &Arc<ServerShared>) {
    let stream = Arc::new(stream);
    // A failure only costs speed.
    let _ = stream.set_nodelay(true);
    lock(&shared.open).insert(number, Arc::clone(&stream));
    let spawned = thread::Builder::new().stack_size(STACK).spawn({
        let shared = Arc::clone(shared);
        move || {
            connection::serve(&stream, &shared);
            lock(&shared.open).remove(&number);
        }
    });
    if spawned.is_err() {
        lock(&shared.open).remove(&number);
    }
}

/// Keeps the state usable after a test's closure has panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
