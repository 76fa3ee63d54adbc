//! The loopback listener: the one place where the browser's answer arrives (RFC 8252 sections 7.3 and 8.3).
//!
//! | a browser asks for | it gets |
//! |---|---|
//! | `GET /` with this sign-in's state | 303 to `/done`, so that the code is in no address bar; the wait is over |
//! | the same again | 410, "already been answered" |
//! | `GET /` with anything else | 400, and the wait goes on |
//! | `GET /done` | the last page, once the sign-in is over; after a few seconds a page that sends to the terminal |
//! | another path, method or Host, no navigation | 404, 405 or 403, and the wait goes on |
//!
//! Everything is one future: the sockets and all connections are dropped together, at once, with the last of
//! [`Listener`] and [`PendingBrowser`], or at the end of [`PendingBrowser::finish`]. It is driven by one task of the runtime, so that
//! browsers are answered while the caller redeems the code.

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

/// How long a browser may take to come for the last page.
const DRAIN: Duration = Duration::from_millis(900);

/// A loopback port, held in both address families, and answering.
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
    house: Arc<ListenerServer>,
    desk: Arc<ListenerState>,
    knocks: mpsc::Receiver<CallbackCandidate>,
}

impl Listener {
    /// Takes the first free port and begins to answer. Bind just before the URL is shown, and inside a Tokio runtime.
    ///
    /// # Errors
    /// All ports are taken, the system refuses, or there is no runtime.
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
        let (sender, knocks) = mpsc::channel(1);
        let phase = watch::Sender::new(SignInPhase::Waiting);
        let desk = Arc::new(ListenerState { port, phase, knocks: sender, seen: Notify::new() });
        let house = Arc::new(ListenerServer::open(&runtime, serve(sockets, desk.clone())));
        Ok(Self { house, desk, knocks })
    }

    /// The port that is held.
    pub fn port(&self) -> u16 {
        self.desk.port
    }

    /// Waits for the callback of this sign-in, for as long as it takes; deadlines are the caller's. Whatever else comes
    /// is answered and ignored. The future may be dropped and another one made; nothing is lost.
    ///
    /// # Errors
    /// The callback has been taken before.
    pub async fn wait(
        &mut self,
        browse: &Browse,
    ) -> Result<(Callback, PendingBrowser), ListenError> {
        self.wait_telling(browse, |_| ()).await
    }

    /// The same, and says what came that would be a callback with the right state: it is not obeyed, but the person may have
    /// caused it, by saying no at a server that drops the state. It may come as often as whoever sends it likes.
    ///
    /// # Errors
    /// The callback has been taken before.
    pub async fn wait_telling(
        &mut self,
        browse: &Browse,
        mut tell: impl FnMut(UnmatchedCallback),
    ) -> Result<(Callback, PendingBrowser), ListenError> {
        while let Some(knock) = self.knocks.recv().await {
            let heard = browse.hear(&knock.query);
            if let CallbackMatch::Callback(callback) = heard {
                // From here on every knock, those in the queue too, is one too many (T5).
                self.desk.phase.send_replace(SignInPhase::Answered);
                self.knocks.close();
                while self.knocks.try_recv().is_ok() {}
                // The browser may have gone away; its answer is good all the same.
                let _ = knock.verdict.send(true);
                return Ok((
                    callback,
                    PendingBrowser { house: self.house.clone(), desk: self.desk.clone() },
                ));
            }
            let _ = knock.verdict.send(false);
            if let Some(stray) = browse.stray(&knock.query) {
                tell(stray);
            }
        }
        Err(ListenError::Answered)
    }
}

/// The browser that brought the callback, waiting to be told how the sign-in ended.
#[derive(Debug)]
#[must_use = "the browser waits until it is told how the sign-in ended"]
pub struct PendingBrowser {
    house: Arc<ListenerServer>,
    desk: Arc<ListenerState>,
}

impl PendingBrowser {
    /// Shows the last page, and frees the port. Takes about a second at most: a browser that does not come for its page
    /// by then goes without.
    pub async fn finish(self, ending: SignInOutcome) {
        let page = match ending {
            SignInOutcome::Denied => CallbackPage::Denied,
            SignInOutcome::Failed => CallbackPage::Failed,
            SignInOutcome::SignedIn { host } => CallbackPage::SignedIn(host),
        };
        self.desk.phase.send_replace(SignInPhase::Over(page));
        let _ = timeout(DRAIN, self.desk.seen.notified()).await;
        self.house.close();
    }
}

/// How a sign-in ended, for the browser's last page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignInOutcome {
    /// The person, or the server for them, said no.
    Denied,
    /// Anything else went wrong; the terminal says what.
    Failed,
    /// It went well.
    SignedIn {
        /// The host that was signed in to, if it is to be shown.
        host: Option<Host>,
    },
}

/// Why there is nothing to listen on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Every port that was to be tried belongs to another program, in one address family at least.
    #[error("no port available to listen on ({} in use)", taken(*.first, *.last))]
    AllTaken {
        /// The first port tried.
        first: u16,
        /// The last port tried.
        last: u16,
    },
    /// The callback of this sign-in has been taken before.
    #[error("this sign-in has already been answered")]
    Answered,
    /// The system refuses, and not because the port is taken.
    #[error("failed to listen on localhost:{0}")]
    Bind(u16, #[source] io::Error),
    /// Nothing here could drive the listener.
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

/// Owns all that is open. The task only drives it: what is closed here is closed at once, whether or not the runtime
/// ever runs again.
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
        f.debug_struct("House").finish_non_exhaustive()
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
