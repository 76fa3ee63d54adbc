//! Tells whether a connection has taken a request. Until then the request has certainly not been
//! sent, and can be stopped.
//!
//! A client that the program supplied passes a request to the task of a connection, which may be on
//! a blocked runtime. The first thing that this task does is to ask for the body. The gate notices
//! that, and supplies nothing once it is shut.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const SHUT: u8 = 2;

#[derive(Default)]
struct GateState {
    phase: AtomicU8,
    waiter: Mutex<Option<Waker>>,
}

impl GateState {
    /// Changes from `WAITING` to another phase. Returns whether that is the phase now.
    fn turn_to(&self, phase: u8) -> bool {
        let turned =
            self.phase.compare_exchange(WAITING, phase, Ordering::AcqRel, Ordering::Acquire);
        if turned.is_ok()
            && let Some(waiter) = self.waiter.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            waiter.wake();
        }
        turned.map_or_else(|now| now == phase, |_| true)
    }
}

/// The sender's side of the gate.
#[derive(Default)]
pub(super) struct BodyGate(Arc<GateState>);

impl BodyGate {
    /// Returns the body for the request that must pass this gate.
    pub(super) fn body(&self, body: Option<Bytes>) -> reqwest::Body {
        let is_empty = body.is_none();
        reqwest::Body::wrap(GatedBody { state: Arc::clone(&self.0), left: body, is_empty })
    }

    /// Returns whether a connection has taken the request. The calling task is woken when one does.
    pub(super) fn is_taken(&self, context: &Context<'_>) -> bool {
        let mut waiter = self.0.waiter.lock().unwrap_or_else(PoisonError::into_inner);
        *waiter = Some(context.waker().clone());
        self.0.phase.load(Ordering::Acquire) == TAKEN
    }

    /// Shuts the gate. Returns whether no part of the body has passed or will pass.
    pub(super) fn shut(&self) -> bool {
        self.0.turn_to(SHUT)
    }
}

/// The connection's side of the gate.
struct GatedBody {
    state: Arc<GateState>,
    left: Option<Bytes>,
    is_empty: bool,
}

/// The error for a connection that asks for the body too late.
#[derive(Debug)]
struct TooLate;

impl fmt::Display for TooLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was given up before it was sent")
    }
}

impl std::error::Error for TooLate {}

impl Body for GatedBody {
    type Data = Bytes;
    type Error = TooLate;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, TooLate>>> {
        if !self.state.turn_to(TAKEN) {
            return Poll::Ready(Some(Err(TooLate)));
        }
        Poll::Ready(self.left.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

impl Drop for GatedBody {
    fn drop(&mut self) {
        // An empty body is never polled, but a connection that has taken it drops it.
        if self.is_empty {
            self.state.turn_to(TAKEN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(passing: &mut GatedBody) -> Option<Result<Bytes, TooLate>> {
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(passing).poll_frame(&mut context) {
            Poll::Ready(frame) => frame.map(|frame| frame.map(|frame| frame.into_data().unwrap())),
            Poll::Pending => panic!("it is all there"),
        }
    }

    fn pair(body: Option<&'static [u8]>) -> (BodyGate, GatedBody) {
        let gate = BodyGate::default();
        let (state, left) = (Arc::clone(&gate.0), body.map(Bytes::from_static));
        (gate, GatedBody { state, is_empty: left.is_none(), left })
    }

    #[test]
    fn what_was_given_up_before_it_was_asked_for_is_never_given_out() {
        let (gate, mut passing) = pair(Some(b"canary"));
        assert!(gate.shut());
        assert!(asked(&mut passing).unwrap().is_err());
        assert!(!gate.is_taken(&Context::from_waker(Waker::noop())));
    }

    #[test]
    fn what_was_asked_for_cannot_be_given_up() {
        let (gate, mut passing) = pair(Some(b"body"));
        assert_eq!(asked(&mut passing).unwrap().unwrap().as_ref(), b"body");
        assert!(asked(&mut passing).is_none() && passing.is_end_stream());
        assert!(gate.is_taken(&Context::from_waker(Waker::noop())));
        assert!(!gate.shut());
    }

    #[test]
    fn an_empty_one_is_taken_when_the_connection_lets_go_of_it() {
        let (gate, passing) = pair(None);
        assert!(!gate.is_taken(&Context::from_waker(Waker::noop())));
        drop(passing);
        assert!(gate.is_taken(&Context::from_waker(Waker::noop())));
    }
}
