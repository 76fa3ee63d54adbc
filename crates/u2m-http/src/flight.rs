//! Work that nobody can cancel: it runs on a thread of its own, and whoever wants its result waits for it, as future or
//! as thread. Dropping a waiter, a runtime or every waiter leaves the work alone.

use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// A result on its way, shared by all who wait for it.
///
/// ```
/// let flight = u2m_http::Flight::start("example", || 6 * 7)?;
/// assert_eq!(flight.wait_blocking(), Some(42));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Flight<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    landed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// `Some(None)` when the work broke instead of giving a result.
    result: Option<Option<T>>,
    wakers: Vec<Waker>,
}

impl<T> Clone for Flight<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone + Send + 'static> Flight<T> {
    /// Starts `work` on a thread called `name`.
    ///
    /// # Errors
    /// The system has no thread to give.
    ///
    /// ```
    /// let flight = u2m_http::Flight::start("example", || "done")?;
    /// assert_eq!(flight.wait_blocking(), Some("done"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start(name: &str, work: impl FnOnce() -> T + Send + 'static) -> std::io::Result<Self> {
        let state = Mutex::new(State { result: None, wakers: Vec::new() });
        let flight = Self(Arc::new(Shared { state, landed: Condvar::new() }));
        let landing = Landing(flight.clone());
        let body = move || {
            let result = work();
            landing.0.land(Some(result));
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(body)?;
        Ok(flight)
    }

    /// Whether the result is there.
    pub fn is_over(&self) -> bool {
        self.state().result.is_some()
    }

    /// Waits for the result, on any runtime or none; `None` if the work broke.
    pub async fn wait(&self) -> Option<T> {
        poll_fn(|context| {
            let mut state = self.state();
            match &state.result {
                Some(result) => Poll::Ready(result.clone()),
                None => {
                    if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                        state.wakers.push(context.waker().clone());
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Waits for the result on this thread; `None` if the work broke.
    pub fn wait_blocking(&self) -> Option<T> {
        let mut state = self.state();
        loop {
            if let Some(result) = &state.result {
                return result.clone();
            }
            state = self.0.landed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn land(&self, result: Option<T>) {
        let mut state = self.state();
        if state.result.is_none() {
            state.result = Some(result);
        }
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.0.landed.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// A panic elsewhere leaves the state whole: each change is one assignment.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lands a flight whose work panicked, so that nobody waits for ever.
struct Landing<T: Clone + Send + 'static>(Flight<T>);

impl<T: Clone + Send + 'static> Drop for Landing<T> {
    fn drop(&mut self) {
        self.0.land(None);
    }
}

/// How many secrets of one use are out, spent and not yet saved.
static SPENT: Mutex<usize> = Mutex::new(0);
static SAVED: Condvar = Condvar::new();

/// Held while a refresh token or an authorization code is spent and what it bought is not saved yet. A program that
/// wants to end looks at [`settle`] first.
#[derive(Debug)]
#[must_use]
pub struct Spending(());

impl Spending {
    /// Says that a request is about to leave which must not be left alone.
    ///
    /// ```
    /// let spending = u2m_http::Spending::begin();
    /// drop(spending);
    /// assert!(u2m_http::settle(std::time::Duration::ZERO));
    /// ```
    pub fn begin() -> Self {
        *spent() += 1;
        Self(())
    }
}

impl Drop for Spending {
    fn drop(&mut self) {
        *spent() -= 1;
        SAVED.notify_all();
    }
}

/// Waits until nothing is spent and unsaved in this process, for at most `patience`; whether that is so. Call it before
/// a process ends of its own will or on a signal.
///
/// ```
/// assert!(u2m_http::settle(std::time::Duration::from_secs(1)), "nothing is under way here");
/// ```
pub fn settle(patience: Duration) -> bool {
    let start = Instant::now();
    let mut count = spent();
    while *count > 0 {
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            return false;
        }
        (count, _) = SAVED.wait_timeout(count, left).unwrap_or_else(PoisonError::into_inner);
    }
    true
}

fn spent() -> MutexGuard<'static, usize> {
    SPENT.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn work_goes_on_when_nobody_waits_any_more() {
        let (send, receive) = mpsc::channel();
        drop(Flight::start("test", move || send.send(7)).unwrap());
        assert_eq!(receive.recv().unwrap(), 7);
    }

    #[test]
    fn all_who_wait_share_one_result() {
        let (open, gate) = mpsc::channel::<()>();
        let flight = Flight::start("test", move || gate.recv().is_ok()).unwrap();
        let threads: Vec<_> = (0..8)
            .map(|_| flight.clone())
            .map(|f| std::thread::spawn(move || f.wait_blocking()))
            .collect();
        open.send(()).unwrap();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap() == Some(true)));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(flight.wait()), Some(true));
    }

    #[test]
    fn work_that_breaks_keeps_nobody_waiting() {
        let flight: Flight<u8> = Flight::start("test", || panic!("on purpose")).unwrap();
        assert_eq!(flight.wait_blocking(), None);
    }
}
