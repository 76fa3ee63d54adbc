//! A holder that waits for the authorization server, and lives, keeps what it holds.

use super::entry::{RedisStoreInner, is_ok};
use super::pool::PoolAnswer;
use super::script::ScriptCall;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A thread that renews a lease and a claim; dropping this ends it, after the question that it is asking.
pub(super) struct LeaseRenewer(Arc<SharedLease>);

#[derive(Default)]
struct SharedLease {
    /// Held while a question is asked.
    is_over: Mutex<bool>,
    ended: Condvar,
}

impl LeaseRenewer {
    /// Without a thread the lease is no longer than it is.
    pub(super) fn start(store: &Arc<RedisStoreInner>, calls: Vec<ScriptCall>) -> Option<Self> {
        let shared = Arc::new(SharedLease::default());
        let (other, store) = (Arc::clone(&shared), Arc::clone(store));
        let body = move || other.run(&store, &calls);
        std::thread::Builder::new().name("u2m-lease".into()).spawn(body).ok()?;
        Some(Self(shared))
    }
}

impl Drop for LeaseRenewer {
    fn drop(&mut self) {
        *self.0.is_over() = true;
        self.0.ended.notify_all();
    }
}

impl SharedLease {
    fn run(&self, store: &RedisStoreInner, calls: &[ScriptCall]) {
        let lease = store.settings.lease;
        // A program that hangs does not keep the others out for ever.
        let end = Instant::now() + store.settings.answer + lease * 2;
        let mut pause = lease / 3;
        let mut is_over = self.is_over();
        while !*is_over && Instant::now() < end {
            (is_over, _) =
                self.ended.wait_timeout(is_over, pause).unwrap_or_else(PoisonError::into_inner);
            if *is_over {
                return;
            }
            pause = match store.pool.run(calls) {
                // Somebody else has it.
                Ok(answers) if answers.first().is_some_and(is_lost) => return,
                Ok(_) => lease / 3,
                Err(_) => (lease / 12).min(Duration::from_secs(1)),
            };
        }
    }

    /// A panic elsewhere leaves it whole: it is one word.
    fn is_over(&self) -> MutexGuard<'_, bool> {
        self.is_over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_lost(answer: &PoolAnswer) -> bool {
    answer.as_ref().is_ok_and(|words| !is_ok(words))
}
