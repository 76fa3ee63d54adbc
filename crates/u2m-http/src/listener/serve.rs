//! Serves a few connections concurrently in one future, which owns all of them. Dropping the future
//! closes the port and ends all connections at once.

use super::answer::PageResponse;
use super::head::{HeadError, RequestHead, RequestHeadReader};
use super::rules::{RequestPurpose, errand};
use crate::awake::AwakeClock;
use crate::page::CallbackPage;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

/// The maximum number of open connections (T10).
const ROOMS: usize = 16;
/// How long a request head may take (T10).
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long sending a response may take.
const SEND_TIME: Duration = Duration::from_secs(5);
/// How long to wait for the browser to close a connection, so that a reset does not cut off the page.
const LINGER: Duration = Duration::from_millis(250);
/// How long a browser waits without a page before it is referred to the terminal.
const HOLD: Duration = Duration::from_secs(4);

/// How far the sign-in has come, as shown to browsers.
#[derive(Clone, Debug)]
pub(super) enum SignInPhase {
    Waiting,
    Answered,
    Over(CallbackPage),
}

/// A query that may be the callback, and where to send the verdict.
#[derive(Debug)]
pub(super) struct CallbackCandidate {
    pub(super) query: Zeroizing<String>,
    /// Whether it was. If nothing is sent, another query was the callback.
    pub(super) refresh_failure: oneshot::Sender<bool>,
}

/// The state that all connections share.
#[derive(Debug)]
pub(super) struct ListenerState {
    pub(super) port: u16,
    pub(super) phase: watch::Sender<SignInPhase>,
    pub(super) candidates: mpsc::Sender<CallbackCandidate>,
    /// Notified when a browser has received the last page.
    pub(super) seen: Notify,
}

/// Serves connections until it is dropped.
pub(super) async fn serve(sockets: Vec<TcpListener>, shared: Arc<ListenerState>) {
    let mut rooms = OpenConnections(Vec::with_capacity(ROOMS));
    for turn in 0.. {
        let arrived = poll_fn(|cx| {
            rooms.poll(cx);
            if rooms.are_taken() { Poll::Pending } else { accept(&sockets, turn, cx) }
        });
        match arrived.await {
            Ok(stream) => rooms.admit(stream, &shared),
            // The process may be out of file descriptors for the moment.
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
        // Lets the runtime process data that has arrived before a new connection may replace an existing one.
        tokio::task::yield_now().await;
    }
}

/// Alternates between the sockets, so that neither address family starves the other.
fn accept(
    sockets: &[TcpListener],
    turn: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<TcpStream>> {
    for at in 0..sockets.len() {
        if let Poll::Ready(arrived) = sockets[(turn + at) % sockets.len()].poll_accept(cx) {
            return Poll::Ready(arrived.map(|(stream, _)| stream));
        }
    }
    Poll::Pending
}

/// The open connections, oldest first.
struct OpenConnections(Vec<OpenConnection>);

struct OpenConnection {
    visit: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Whether the head is not complete yet.
    idle: Arc<AtomicBool>,
}

impl OpenConnection {
    fn is_idle(&self) -> bool {
        self.idle.load(Ordering::Relaxed)
    }
}

impl OpenConnections {
    fn poll(&mut self, cx: &mut Context<'_>) {
        self.0.retain_mut(|room| room.visit.as_mut().poll(cx).is_pending());
    }

    /// Returns whether all places are taken by connections with a complete head.
    fn are_taken(&self) -> bool {
        self.0.len() >= ROOMS && !self.0.iter().any(OpenConnection::is_idle)
    }

    /// Adds a connection. If all places are taken, the oldest one without a complete head is dropped.
    fn admit(&mut self, stream: TcpStream, shared: &Arc<ListenerState>) {
        if self.0.len() >= ROOMS
            && let Some(oldest) = self.0.iter().position(OpenConnection::is_idle)
        {
            self.0.remove(oldest);
        }
        let idle = Arc::new(AtomicBool::new(true));
        self.0.push(OpenConnection {
            visit: Box::pin(attend(stream, shared.clone(), idle.clone())),
            idle,
        });
    }
}

async fn attend(mut stream: TcpStream, shared: Arc<ListenerState>, idle: Arc<AtomicBool>) {
    let head = read_head(&mut stream).await;
    idle.store(false, Ordering::Relaxed);
    let answer = match head {
        Some(Ok(head)) => shared.answer(head).await,
        Some(Err(answer)) => answer,
        None => return,
    };
    if send(&mut stream, &answer).await.is_ok() && matches!(answer, PageResponse::Final(_)) {
        shared.seen.notify_one();
    }
}

/// Reads the head. Returns a response instead if it is invalid, and `None` for a preconnection that
/// was never used.
async fn read_head(stream: &mut TcpStream) -> Option<Result<RequestHead, PageResponse>> {
    let mut reader = RequestHeadReader::new();
    let mut begun = false;
    let mut clock = AwakeClock::default();
    let reading = clock.wait(HEAD_TIME, async {
        let mut piece = Zeroizing::new([0; 1024]);
        loop {
            match stream.read(&mut piece[..]).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => {
                    begun = true;
                    match reader.take(&piece[..count]) {
                        Ok(None) => {}
                        Ok(Some(head)) => return Some(Ok(head)),
                        Err(HeadError::Malformed) => return Some(Err(PageResponse::Bad)),
                        Err(HeadError::TooLarge) => return Some(Err(PageResponse::TooLarge)),
                    }
                }
            }
        }
    });
    match reading.await {
        Some(outcome) => outcome,
        None => begun.then_some(Err(PageResponse::TooLate)),
    }
}

async fn send(stream: &mut TcpStream, answer: &PageResponse) -> io::Result<()> {
    let sending = async {
        stream.write_all(&answer.bytes()).await?;
        stream.shutdown().await
    };
    timeout(SEND_TIME, sending).await.map_err(io::Error::from)??;
    // Closing a connection with unread data resets it, and the browser may lose the page.
    let mut rest = Zeroizing::new([0; 1024]);
    let _ = timeout(LINGER, async {
        while !matches!(stream.read(&mut rest[..]).await, Ok(0) | Err(_)) {}
    })
    .await;
    Ok(())
}

impl ListenerState {
    async fn answer(&self, head: RequestHead) -> PageResponse {
        match errand(head, self.port) {
            Ok(RequestPurpose::Callback(query)) => self.hear(query).await,
            Ok(RequestPurpose::Outcome) => self.outcome().await,
            Err(answer) => answer,
        }
    }

    /// Passes the query to the task that waits for the callback.
    async fn hear(&self, query: Zeroizing<String>) -> PageResponse {
        let (refresh_failure, word) = oneshot::channel();
        if self.candidates.send(CallbackCandidate { query, refresh_failure }).await.is_err() {
            return PageResponse::Again;
        }
        match word.await {
            Ok(true) => PageResponse::SendOn,
            Ok(false) => PageResponse::Bad,
            Err(_) => PageResponse::Again,
        }
    }

    /// Waits a limited time for the end of the sign-in.
    async fn outcome(&self) -> PageResponse {
        let mut phase = self.phase.subscribe();
        if matches!(*phase.borrow(), SignInPhase::Waiting) {
            return PageResponse::NotFound;
        }
        let over =
            timeout(HOLD, phase.wait_for(|phase| matches!(phase, SignInPhase::Over(_)))).await;
        match over {
            Ok(Ok(phase)) => match &*phase {
                SignInPhase::Over(page) => PageResponse::Final(page.clone()),
                SignInPhase::Waiting | SignInPhase::Answered => PageResponse::KeepLooking,
            },
            Ok(Err(_)) | Err(_) => PageResponse::KeepLooking,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_taken_when_all_their_visitors_have_said_what_they_want() {
        let room = |is_idle| OpenConnection {
            visit: Box::pin(std::future::pending()),
            idle: Arc::new(AtomicBool::new(is_idle)),
        };
        let are_taken = |busy: usize, idle: usize| {
            let busy = (0..busy).map(|_| room(false));
            OpenConnections(busy.chain((0..idle).map(|_| room(true))).collect()).are_taken()
        };
        assert!(are_taken(ROOMS, 0) && are_taken(ROOMS + 1, 0));
        assert!(!are_taken(ROOMS - 1, 0) && !are_taken(ROOMS - 1, 1) && !are_taken(0, 0));
    }
}
