//! Runs work that cannot be cancelled, on a thread of its own. Callers can wait for the result, asynchronously or
//! on a thread. Dropping a waiter, all waiters or a runtime does not affect the work.

use crate::awake::AwakeClock;
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

/// The result of work in progress, shared by all callers that wait for it.
///
/// ```
/// let flight = u2m_http::Flight::start("example", || 6 * 7)?;
/// assert_eq!(flight.wait_blocking(), Some(42));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Flight<T>(Arc<FlightShared<T>>);

#[derive(Debug)]
struct FlightShared<T> {
    state: Mutex<FlightState<T>>,
    landed: Condvar,
}

#[derive(Debug)]
struct FlightState<T> {
    /// `Some(None)` if the work ended without a result.
    result: Option<Option<T>>,
    has_panicked: bool,
    wakers: Vec<Waker>,
}

impl<T> Clone for Flight<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone + Send + 'static> Flight<T> {
    /// Starts `work` on a new thread with this name.
    ///
    /// # Errors
    /// Fails if the operating system cannot start a thread.
    ///
    /// ```
    /// let flight = u2m_http::Flight::start("example", || "done")?;
    /// assert_eq!(flight.wait_blocking(), Some("done"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start(name: &str, work: impl FnOnce() -> T + Send + 'static) -> std::io::Result<Self> {
        let flight = Self::not_begun();
        let landing = LandingGuard(flight.clone());
        let body = move || {
            let result = work();
            landing.0.land(Some(result));
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(body)?;
        Ok(flight)
    }

    /// Starts `work` as a task of `runtime`. Use it for work that may be lost with the runtime: it
    /// ends when the runtime does. Dropping the waiters does not affect it.
    ///
    /// ```
    /// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// let flight = u2m_http::Flight::on(runtime.handle(), async { 6 * 7 });
    /// assert_eq!(runtime.block_on(flight.wait()), Some(42));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on(
        runtime: &tokio::runtime::Handle,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Self {
        let flight = Self::not_begun();
        let landing = LandingGuard(flight.clone());
        runtime.spawn(async move {
            let result = work.await;
            landing.0.land(Some(result));
        });
        flight
    }

    fn not_begun() -> Self {
        let state =
            Mutex::new(FlightState { result: None, has_panicked: false, wakers: Vec::new() });
        Self(Arc::new(FlightShared { state, landed: Condvar::new() }))
    }

    /// Returns whether the work panicked, which it would do again. Work without a result that did
    /// not panic was ended with its runtime.
    ///
    /// ```
    /// let flight: u2m_http::Flight<u8> = u2m_http::Flight::start("example", || panic!("on purpose"))?;
    /// assert_eq!(flight.wait_blocking(), None);
    /// assert!(flight.has_panicked());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn has_panicked(&self) -> bool {
        self.state().has_panicked
    }

    /// Returns whether the work has ended.
    pub fn is_over(&self) -> bool {
        self.state().result.is_some()
    }

    /// Waits for the result, on any runtime or none. Returns `None` if the work ended without a result.
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

    /// Waits for the result on this thread. Returns `None` if the work ended without a result.
    pub fn wait_blocking(&self) -> Option<T> {
        let mut state = self.state();
        loop {
            if let Some(result) = &state.result {
                return result.clone();
            }
            state = self.0.landed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits on this thread for at most `limit`. Returns `None` if the work has not ended by then.
    /// A result that has arrived is returned, however late this thread checks, and time during
    /// which the process was suspended does not count.
    ///
    /// ```
    /// use std::time::Duration;
    /// let flight = u2m_http::Flight::start("example", || 7)?;
    /// assert_eq!(flight.wait_blocking_for(Duration::from_secs(60)), Some(Some(7)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait_blocking_for(&self, limit: Duration) -> Option<Option<T>> {
        let look = |tick| {
            let (state, _) = self
                .0
                .landed
                .wait_timeout_while(self.state(), tick, |state| state.result.is_none())
                .unwrap_or_else(PoisonError::into_inner);
            state.result.clone()
        };
        AwakeClock::default().wait_blocking(limit, look)
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

    /// A panic elsewhere cannot leave the state inconsistent, because each change is a single assignment.
    fn state(&self) -> MutexGuard<'_, FlightState<T>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a flight whose work panicked, so that nobody waits forever.
struct LandingGuard<T: Clone + Send + 'static>(Flight<T>);

impl<T: Clone + Send + 'static> Drop for LandingGuard<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state().has_panicked = true;
        }
        self.0.land(None);
    }
}

/// Counts the single-use secrets that are spent but whose results are not saved yet. Also records
/// whether the process is ending.
static SPENT: Mutex<SpendingCount> = Mutex::new(SpendingCount { count: 0, is_ending: false });
static SAVED: Condvar = Condvar::new();

struct SpendingCount {
    count: usize,
    is_ending: bool,
}

/// A guard that is held while a refresh token or an authorization code is spent and its result is
/// not saved yet. A program that is about to exit calls [`wait_for_saves`] first.
#[derive(Debug)]
#[must_use]
pub struct Spending(());

impl Spending {
    /// Announces that a request is about to be sent whose result must be saved. Hold the guard until then.
    ///
    /// ```
    /// let spending = u2m_http::Spending::begin();
    /// drop(spending);
    /// assert!(u2m_http::wait_for_saves(std::time::Duration::ZERO));
    /// ```
    pub fn begin() -> Self {
        let still = |spent: &mut SpendingCount| spent.is_ending;
        // In a process that is ending, nothing may be sent any more, because nobody could wait for it.
        let waited = SAVED.wait_while(spent(), still);
        waited.unwrap_or_else(PoisonError::into_inner).count += 1;
        Self(())
    }
}

impl Drop for Spending {
    fn drop(&mut self) {
        spent().count -= 1;
        SAVED.notify_all();
    }
}

/// Waits until everything in this process that was spent has been saved, for at most `patience`.
/// Returns whether that is so. Time during which the process is suspended does not count. Call it
/// before the process exits, on its own or on a signal.
///
/// ```
/// assert!(u2m_http::wait_for_saves(std::time::Duration::from_secs(1)), "nothing is under way here");
/// ```
pub fn wait_for_saves(patience: Duration) -> bool {
    settled(patience).is_some()
}

/// Like [`wait_for_saves`], for a process that will certainly exit now. Afterwards nothing more is
/// spent: a thread that is about to spend something blocks until the process is gone.
///
/// ```no_run
/// u2m_http::wait_for_saves_and_refuse(std::time::Duration::from_secs(150));
/// std::process::exit(1);
/// ```
pub fn wait_for_saves_and_refuse(patience: Duration) -> bool {
    let settled = settled(patience);
    let is_settled = settled.is_some();
    settled.unwrap_or_else(spent).is_ending = true;
    is_settled
}

/// Waits until everything spent is saved. Nothing can be spent while the guard is held.
fn settled(patience: Duration) -> Option<MutexGuard<'static, SpendingCount>> {
    let look = |tick| {
        let (spent, waited) = SAVED
            .wait_timeout_while(spent(), tick, |spent| spent.count > 0)
            .unwrap_or_else(PoisonError::into_inner);
        (!waited.timed_out()).then_some(spent)
    };
    AwakeClock::default().wait_blocking(patience, look)
}

fn spent() -> MutexGuard<'static, SpendingCount> {
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
    fn a_wait_with_a_limit_ends_with_it_and_the_work_does_not() {
        let (open, gate) = mpsc::channel::<()>();
        let flight = Flight::start("test", move || gate.recv().is_ok()).unwrap();
        assert_eq!(flight.wait_blocking_for(Duration::from_millis(20)), None);
        assert_eq!(flight.wait_blocking_for(Duration::ZERO), None);
        open.send(()).unwrap();
        assert_eq!(flight.wait_blocking_for(Duration::from_secs(60)), Some(Some(true)));
        assert_eq!(flight.wait_blocking_for(Duration::ZERO), Some(Some(true)), "it has come");
    }

    #[test]
    fn tasks_that_wait_are_woken_on_whatever_runtime_they_are() {
        let (open, gate) = mpsc::channel::<()>();
        let flight = Flight::start("test", move || gate.recv().is_ok()).unwrap();
        assert!(!flight.is_over());
        let threads: Vec<_> = (0..3)
            .map(|_| flight.clone())
            .map(|flight| {
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    let both = async { tokio::join!(flight.wait(), flight.wait()) };
                    runtime.block_on(both)
                })
            })
            .collect();
        // Two waits within one task share one waker.
        while flight.state().wakers.len() < 3 {
            std::thread::sleep(Duration::from_millis(1));
        }
        open.send(()).unwrap();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), (Some(true), Some(true)));
        }
        assert!(flight.is_over());
    }

    #[test]
    fn a_result_stays_when_the_thread_that_brought_it_is_gone() {
        let name = || std::thread::current().name().map(str::to_owned);
        let flight = Flight::start("its name", name).unwrap();
        while Arc::strong_count(&flight.0) > 1 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(flight.wait_blocking(), Some(Some("its name".to_owned())));
    }

    #[test]
    fn work_that_breaks_keeps_nobody_waiting() {
        let flight: Flight<u8> = Flight::start("test", || panic!("on purpose")).unwrap();
        assert_eq!(flight.wait_blocking(), None);
    }

    #[test]
    fn a_task_that_panics_is_told_from_one_that_ended_with_its_runtime() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let broken: Flight<u8> = Flight::on(runtime.handle(), async { panic!("on purpose") });
        assert_eq!((broken.wait_blocking(), broken.has_panicked()), (None, true));
        let endless: Flight<u8> = Flight::on(runtime.handle(), std::future::pending());
        assert!(!endless.is_over());
        runtime.shutdown_background();
        assert_eq!((endless.wait_blocking(), endless.has_panicked()), (None, false));
    }
}
