//! A time limit for keyring calls: no keyring can block a caller for longer, whatever it is waiting for.

use super::api::Keyring;
use super::awake::SlicedWait;
use super::error::KeyringError;
use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use u2m_core::Sanitized;
use zeroize::Zeroizing;

/// How long Databricks' CLI waits for a keyring.
const LIMIT: Duration = Duration::from_secs(3);

/// The time limit of a read that opens no prompt. Even if the user gets more time for a prompt, a keyring that has not
/// answered such a read by then hangs or never starts. This is longer than Databricks' CLI waits, but short for a user who
/// wants to sign in.
const SILENCE: Duration = Duration::from_secs(5);

/// Wraps a keyring so that every call ends within a time limit. Each call runs on its own thread, except for reads that can
/// enforce the limit themselves ([`Keyring::get_within`]). A call that takes too long fails with [`KeyringError::Timeout`]
/// and continues on its thread, because it cannot be cancelled. Until it ends, further calls fail at once.
///
/// The default of 3 seconds is that of Databricks' CLI, and too short for a user who must type a password into the keyring's
/// prompt. If a user is known to be present, as in a login, allow a minute. Reads that open no prompt are limited to at most
/// 5 seconds in any case.
///
/// ```
/// use std::time::Duration;
/// use u2m_cache::{TimeoutKeyring, Keyring, SystemKeyring};
/// let keyring = TimeoutKeyring::new(SystemKeyring::new("databricks-cli")).with_limit(Duration::from_secs(10));
/// assert_eq!(keyring.service(), "databricks-cli");
/// ```
pub struct TimeoutKeyring<K> {
    keyring: Arc<K>,
    limit: Duration,
    overdue: Arc<Mutex<OverdueCalls>>,
}

/// The operations that callers gave up on.
#[derive(Default)]
struct OverdueCalls {
    count: usize,
    operation: &'static str,
    /// How many of them are writes.
    writes: usize,
    /// What to drop when those writes have ended.
    kept: Vec<Box<dyn Any + Send>>,
}

impl<K: Keyring + 'static> TimeoutKeyring<K> {
    /// Limits each call to 3 seconds.
    ///
    /// ```
    /// use u2m_cache::{TimeoutKeyring, SystemKeyring};
    /// let keyring = TimeoutKeyring::new(SystemKeyring::new("databricks-cli"));
    /// # let _ = keyring;
    /// ```
    pub fn new(keyring: K) -> Self {
        Self { keyring: Arc::new(keyring), limit: LIMIT, overdue: Arc::default() }
    }

    /// Limits each call to `limit`.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&K) -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, KeyringError> {
        self.check_idle()?;
        let is_late = Arc::new(AtomicBool::new(false));
        let (send, receive) = mpsc::sync_channel(1);
        let is_write = matches!(operation, "set" | "delete");
        let overdue = Arc::clone(&self.overdue);
        let end = CallEnd { is_late: Arc::clone(&is_late), is_write, overdue };
        let keyring = Arc::clone(&self.keyring);
        let body = move || {
            // Dropped last, even in a panic.
            let _end = end;
            let _ = send.send(work(&keyring));
        };
        let spawned = thread::Builder::new().name("u2m-keyring".into()).spawn(body);
        spawned.map_err(|error| KeyringError::Other(Sanitized::new(&error.to_string())))?;
        let mut left = SlicedWait::new(self.limit);
        let heard = loop {
            let start = Instant::now();
            let heard = receive.recv_timeout(left.slice());
            left.took(start.elapsed());
            if !matches!(heard, Err(RecvTimeoutError::Timeout)) || left.is_over() {
                break heard;
            }
        };
        match heard {
            Ok(Err(KeyringError::Timeout { .. })) => Err(KeyringError::Timeout { operation }),
            Ok(result) => result,
            Err(RecvTimeoutError::Disconnected) => Err(KeyringError::broken("it broke off")),
            Err(RecvTimeoutError::Timeout) => {
                let mut overdue = self.overdue();
                // The call may have ended at this very moment.
                if let Ok(result) = receive.try_recv() {
                    return result;
                }
                is_late.store(true, Ordering::Relaxed);
                overdue.count += 1;
                overdue.writes += usize::from(is_write);
                overdue.operation = operation;
                Err(KeyringError::Timeout { operation })
            }
        }
    }

    fn check_idle(&self) -> Result<(), KeyringError> {
        match *self.overdue() {
            OverdueCalls { count: 0, .. } => Ok(()),
            OverdueCalls { operation, .. } => Err(KeyringError::Busy { operation }),
        }
    }

    fn overdue(&self) -> MutexGuard<'_, OverdueCalls> {
        lock(&self.overdue)
    }
}

/// Lock poisoning is ignored: each change is a few assignments, so a panic cannot leave it half changed.
fn lock(overdue: &Mutex<OverdueCalls>) -> MutexGuard<'_, OverdueCalls> {
    overdue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs at the end of an operation's thread.
struct CallEnd {
    /// Accessed only under the lock of `overdue`.
    is_late: Arc<AtomicBool>,
    is_write: bool,
    overdue: Arc<Mutex<OverdueCalls>>,
}

impl Drop for CallEnd {
    fn drop(&mut self) {
        let mut overdue = lock(&self.overdue);
        if !self.is_late.load(Ordering::Relaxed) {
            return;
        }
        overdue.count -= 1;
        overdue.writes -= usize::from(self.is_write);
        let done = if overdue.writes == 0 { std::mem::take(&mut overdue.kept) } else { Vec::new() };
        // Release the kept locks after this one.
        drop(overdue);
        drop(done);
    }
}

impl<K: Keyring + 'static> Keyring for TimeoutKeyring<K> {
    fn service(&self) -> &str {
        self.keyring.service()
    }

    fn describe(&self) -> &'static str {
        self.keyring.describe()
    }

    fn get(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        self.check_idle()?;
        if let Some(result) = self.keyring.get_within(account, self.limit.min(SILENCE)) {
            return result;
        }
        let account = account.to_owned();
        self.run("get", move |keyring| keyring.get(&account))
    }

    fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringError> {
        let (account, secret) = (account.to_owned(), Zeroizing::new(secret.to_vec()));
        self.run("set", move |keyring| keyring.set(&account, &secret))
    }

    fn delete(&self, account: &str) -> Result<(), KeyringError> {
        let account = account.to_owned();
        self.run("delete", move |keyring| keyring.delete(&account))
    }

    fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
        self.run("list", |keyring| keyring.accounts())
    }

    fn age(&self, account: &str) -> Result<Option<Duration>, KeyringError> {
        let account = account.to_owned();
        self.run("list", move |keyring| keyring.age(&account))
    }

    fn limit(&self) -> Option<usize> {
        self.keyring.limit()
    }

    fn guards_items(&self) -> bool {
        self.keyring.guards_items()
    }

    fn keep_until_idle(&self, what: Box<dyn Any + Send>) {
        let mut overdue = self.overdue();
        if overdue.writes > 0 {
            overdue.kept.push(what);
        } else {
            drop(overdue);
            drop(what);
        }
    }
}

impl<K: fmt::Debug> fmt::Debug for TimeoutKeyring<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeoutKeyring")
            .field("keyring", &self.keyring)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says how long it may take.
    #[derive(Debug, Default)]
    struct Asked(Mutex<Vec<Duration>>);

    impl Keyring for Asked {
        fn service(&self) -> &str {
            "u2m"
        }
        fn describe(&self) -> &'static str {
            "keyring that says how long it may take"
        }
        fn get(&self, _: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
            Err(KeyringError::Locked)
        }
        fn get_within(
            &self,
            _: &str,
            limit: Duration,
        ) -> Option<Result<Option<Zeroizing<Vec<u8>>>, KeyringError>> {
            self.0.lock().unwrap().push(limit);
            Some(Err(KeyringError::Timeout { operation: "get" }))
        }
        fn set(&self, _: &str, _: &[u8]) -> Result<(), KeyringError> {
            Ok(())
        }
        fn delete(&self, _: &str) -> Result<(), KeyringError> {
            Ok(())
        }
        fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
            Ok(None)
        }
        fn limit(&self) -> Option<usize> {
            Some(2560)
        }
        fn guards_items(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_bounded_keyring_is_all_else_that_the_keyring_is() {
        let keyring = TimeoutKeyring::new(Asked::default());
        assert_eq!((keyring.service(), keyring.describe()), ("u2m", Asked::default().describe()));
        assert_eq!((keyring.limit(), keyring.guards_items()), (Some(2560), true));
        let shown = format!("{:?}", keyring.with_limit(Duration::from_secs(7)));
        assert!(shown.contains("Asked") && shown.contains("limit: 7s"), "{shown}");
    }

    #[test]
    fn what_asks_nobody_has_seconds_whatever_time_a_person_is_given() {
        for (given, has) in [(1, 1), (30, 5), (600, 5)] {
            let keyring =
                TimeoutKeyring::new(Asked::default()).with_limit(Duration::from_secs(given));
            assert!(keyring.get("a").is_err());
            let asked = keyring.keyring.0.lock().unwrap().clone();
            assert_eq!(asked, [Duration::from_secs(has)]);
        }
    }
}
