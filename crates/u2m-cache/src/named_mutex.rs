//! Queues the threads of a process, so that only the first of them waits for a file's lock.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Returns when `patience` ends. Longer times are cut to 30 years.
pub(crate) fn end_of(patience: Duration) -> Instant {
    const GENERATION: Duration = Duration::from_secs(946_080_000);
    Instant::now() + patience.min(GENERATION)
}

/// Mutexes by name, each held by one thread at a time.
#[derive(Debug)]
pub(crate) struct NamedMutexes<K> {
    taken: Mutex<HashMap<K, ()>>,
    freed: Condvar,
}

/// A held mutex. Dropping it lets the next thread in. It may be sent to another thread.
#[derive(Debug)]
pub(crate) struct NamedGuard<K: Clone + Eq + Hash> {
    gates: Arc<NamedMutexes<K>>,
    name: K,
}

impl<K: Clone + Eq + Hash> NamedMutexes<K> {
    pub(crate) fn new() -> Self {
        Self { taken: Mutex::new(HashMap::new()), freed: Condvar::new() }
    }

    /// Takes the mutex `name`, waiting for at most `patience`.
    pub(crate) fn pass(self: &Arc<Self>, name: K, patience: Duration) -> Option<NamedGuard<K>> {
        let end = end_of(patience);
        let mut taken = self.taken();
        while taken.contains_key(&name) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            (taken, _) =
                self.freed.wait_timeout(taken, left).unwrap_or_else(PoisonError::into_inner);
        }
        taken.insert(name.clone(), ());
        Some(NamedGuard { gates: Arc::clone(self), name })
    }

    /// Lock poisoning is ignored: the map is changed only by single inserts and removes, so a panic cannot leave it half
    /// changed.
    fn taken(&self) -> MutexGuard<'_, HashMap<K, ()>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> Drop for NamedGuard<K> {
    fn drop(&mut self) {
        self.gates.taken().remove(&self.name);
        self.gates.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_passed_by_one_at_a_time_and_other_doors_stay_open() {
        let gates = Arc::new(NamedMutexes::new());
        let first = gates.pass("a", Duration::ZERO).unwrap();
        assert!(gates.pass("a", Duration::ZERO).is_none());
        assert!(gates.pass("b", Duration::ZERO).is_some());
        drop(first);
        assert!(gates.pass("a", Duration::ZERO).is_some());
    }

    #[test]
    fn a_waiting_thread_is_woken_when_the_door_is_free() {
        let gates = Arc::new(NamedMutexes::new());
        let pass = gates.pass("a", Duration::ZERO).unwrap();
        let other = Arc::clone(&gates);
        let waiter = std::thread::spawn(move || other.pass("a", Duration::from_secs(60)).is_some());
        drop(pass);
        assert!(waiter.join().unwrap());
    }
}
