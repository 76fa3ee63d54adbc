//! The loopback listener, which receives the redirect from the browser (RFC 8252 sections 7.3 and 8.3).
//!
//! | request from a browser | response |
//! |---|---|
//! | `GET /` with the state of this sign-in | 303 to `/done`, so that the address bar does not show the code; the wait ends |
//! | the same again | 410, "already been answered" |
//! | `GET /` with anything else | 400, and the wait goes on |
//! | `GET /done` | the last page, once the sign-in is over; after a few seconds a page that refers to the terminal |
//! | another path, method or Host, or no navigation | 404, 405 or 403, and the wait goes on |
//!
//! Everything is one future. The sockets and all connections are dropped together: with the last of
//! [`Listener`] and [`PendingBrowser`], or at the end of [`PendingBrowser::finish`]. A task of the
//! runtime drives the future, so that browsers get responses while the caller redeems the code.

mod answer;
#[cfg(fuzzing)]
pub mod fuzzing;
mod head;
mod ports;
mod rules;
mod serve;

pub use ports::Ports;

use crate::page::CallbackPage;
use serve::{CallbackCandidate, ListenerState, SignInPhase, serve};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use u2m_core::{Browse, Callback, CallbackMatch, Host, UnmatchedCallback};

/// How long to wait for the browser to request the last page.
const DRAIN: Duration = Duration::from_millis(900);

/// Listens for the redirect of a sign-in on a loopback port, over both IPv4 and IPv6.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use u2m_core::{AccountId, BeforeCallback, Entropy, Host, LoginRequest, Target};
/// use u2m_http::{SignInOutcome, Listener, Ports};
///
/// let host = Host::parse("https://accounts.cloud.databricks.com").unwrap();
/// let target = Target::account(host, AccountId::parse("abc").unwrap());
/// let BeforeCallback::Listen(listen) = LoginRequest::new(target).start(Entropy::new([7; 64])) else { unreachable!() };
///
/// let mut listener = Listener::bind(&Ports::fixed(0))?;
/// let browse = listen.bound(listener.port());
/// // Show `browse.url()`, then:
/// # if false {
/// let (callback, visitor) = listener.wait(&browse).await?;
/// let step = browse.called_back(callback);
/// // Redeem the code, save the session, and say how it went:
/// visitor.finish(SignInOutcome::SignedIn { host: None }).await;
/// # let _ = step;
/// # }
/// # Ok::<(), u2m_http::ListenError>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Listener {
    server: Arc<ListenerServer>,
    shared: Arc<ListenerState>,
    candidates: mpsc::Receiver<CallbackCandidate>,
}

impl Listener {
    /// Binds the first free port and starts to answer requests. Call it just before the URL is
    /// shown, and inside a Tokio runtime.
    ///
    /// # Errors
    /// Fails if all ports are in use, if the operating system refuses, or if there is no runtime.
    ///
    /// ```
    /// use u2m_http::{ListenError, Listener, Ports};
    /// assert!(matches!(Listener::bind(&Ports::default()), Err(ListenError::NoRuntime)));
    /// ```
    pub fn bind(ports: &Ports) -> Result<Self, ListenError> {
        let runtime = Handle::try_current().map_err(|_| ListenError::NoRuntime)?;
        let (port, sockets) = ports.take()?;
        let sockets = sockets.into_iter().map(TcpListener::from_std).collect::<io::Result<_>>();
        let sockets = sockets.map_err(|error| ListenError::Bind(port, error))?;
        let (sender, candidates) = mpsc::channel(1);
        let phase = watch::Sender::new(SignInPhase::Waiting);
        let shared =
            Arc::new(ListenerState { port, phase, candidates: sender, seen: Notify::new() });
        let server = Arc::new(ListenerServer::open(&runtime, serve(sockets, shared.clone())));
        Ok(Self { server, shared, candidates })
    }

    /// Returns the port that it listens on.
    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// Waits for the callback of this sign-in, without a time limit. All other requests are answered and ignored.
    /// If the future is dropped, nothing is lost, and `wait` can be called again.
    ///
    /// # Errors
    /// Fails if the callback has already been received.
    pub async fn wait(
        &mut self,
        browse: &Browse,
    ) -> Result<(Callback, PendingBrowser), ListenError> {
        self.wait_telling(browse, |_| ()).await
    }

    /// Like [`wait`](Self::wait), but also calls `tell` for each request that would be a callback
    /// if its state were right. Such a request is ignored, but the user may have caused it, by
    /// denying the login at a server that omits the state. Anyone who can reach the port can send
    /// any number of them.
    ///
    /// # Errors
    /// Fails if the callback has already been received.
    pub async fn wait_telling(
        &mut self,
        browse: &Browse,
        mut tell: impl FnMut(UnmatchedCallback),
    ) -> Result<(Callback, PendingBrowser), ListenError> {
        while let Some(candidate) = self.candidates.recv().await {
            let heard = browse.hear(&candidate.query);
            if let CallbackMatch::Callback(callback) = heard {
                // From here on, every other callback, including queued ones, is one too many (T5).
                self.shared.phase.send_replace(SignInPhase::Answered);
                self.candidates.close();
                while self.candidates.try_recv().is_ok() {}
                // The browser may be gone by now. The callback is valid anyway.
                let _ = candidate.refresh_failure.send(true);
                return Ok((
                    callback,
                    PendingBrowser { server: self.server.clone(), shared: self.shared.clone() },
                ));
            }
            let _ = candidate.refresh_failure.send(false);
            if let Some(stray) = browse.stray(&candidate.query) {
                tell(stray);
            }
        }
        Err(ListenError::Answered)
    }
}

/// The browser that delivered the callback and waits for its last page.
#[derive(Debug)]
#[must_use = "the browser waits until it is told how the sign-in ended"]
pub struct PendingBrowser {
    server: Arc<ListenerServer>,
    shared: Arc<ListenerState>,
}

impl PendingBrowser {
    /// Shows the last page and frees the port. Takes at most about a second: a browser that has not
    /// requested its page by then does not get it.
    pub async fn finish(self, ending: SignInOutcome) {
        let page = match ending {
            SignInOutcome::Denied => CallbackPage::Denied,
            SignInOutcome::Failed => CallbackPage::Failed,
            SignInOutcome::SignedIn { host } => CallbackPage::SignedIn(host),
        };
        self.shared.phase.send_replace(SignInPhase::Over(page));
        let _ = timeout(DRAIN, self.shared.seen.notified()).await;
        self.server.close();
    }
}

/// How a sign-in ended. Selects the last page in the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignInOutcome {
    /// The user, or the server for them, denied the request.
    Denied,
    /// Anything else failed; the terminal shows what.
    Failed,
    /// The user is signed in.
    SignedIn {
        /// The host that the user signed in to, if it should be shown.
        host: Option<Host>,
    },
}

/// Why the listener could not start or receive a callback.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Every port to try is used by another program, for IPv4 or IPv6.
    #[error("no port available to listen on ({} in use)", taken(*.first, *.last))]
    AllTaken {
        /// The first port tried.
        first: u16,
        /// The last port tried.
        last: u16,
    },
    /// The callback of this sign-in has already been received.
    #[error("this sign-in has already been answered")]
    Answered,
    /// The operating system refuses to listen, for a reason other than a port in use.
    #[error("failed to listen on localhost:{0}")]
    Bind(u16, #[source] io::Error),
    /// There is no runtime to drive the listener.
    #[error("the listener needs a Tokio runtime with I/O and time")]
    NoRuntime,
}

fn taken(first: u16, last: u16) -> String {
    if first == last {
        format!("localhost:{first} is")
    } else {
        format!("localhost:{first} to {last} are all")
    }
}

/// Owns all open sockets and connections. The task only drives them: closing takes effect at once,
/// even if the runtime never runs again.
struct ListenerServer {
    serving: Arc<Mutex<Option<Serving>>>,
    task: AbortHandle,
}

type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

impl ListenerServer {
    fn open(runtime: &Handle, serving: impl Future<Output = ()> + Send + 'static) -> Self {
        let serving: Serving = Box::pin(serving);
        let serving = Arc::new(Mutex::new(Some(serving)));
        let task = runtime.spawn(ServerTask(serving.clone())).abort_handle();
        Self { serving, task }
    }

    fn close(&self) {
        let serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(serving);
        self.task.abort();
    }
}

impl Drop for ListenerServer {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for ListenerServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerServer").finish_non_exhaustive()
    }
}

struct ServerTask(Arc<Mutex<Option<Serving>>>);

impl Future for ServerTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(serving) => serving.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }
}
