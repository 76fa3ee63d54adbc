//! The threads of a process that want the same entry: one of them asks the server, and the others wait for its result. Once
//! there is a change they all go on together, each reading the entry itself, instead of one after the other.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;
use u2m_core::RefreshFailure;

/// The entries in use in this process, by name.
#[derive(Default)]
pub(super) struct EntryQueues {
    entries: Mutex<HashMap<String, EntryQueue>>,
    moved: Condvar,
}

#[derive(Default)]
struct EntryQueue {
    is_taken: bool,
    waiting: usize,
    /// Grows with each change.
    number: u64,
    /// What was remembered of the last failed refresh at the last change.
    refresh_failure: Option<RefreshFailure>,
}

/// The result of waiting.
pub(super) enum WaitOutcome {
    /// It is this thread's turn.
    Turn(EntryTurn),
    /// Another thread was there. Contains what is remembered of the last failed refresh.
    News(Option<RefreshFailure>),
    /// Nothing happened within the caller's patience.
    Nothing,
}

/// The right to use an entry. Dropping it counts as a change.
pub(super) struct EntryTurn {
    waves: Arc<EntryQueues>,
    name: String,
    refresh_failure: Option<RefreshFailure>,
}

impl EntryQueues {
    /// Returns the queues of this process, which all stores on one server share.
    pub(super) fn of_process() -> &'static Arc<Self> {
        static WAVES: OnceLock<Arc<EntryQueues>> = OnceLock::new();
        WAVES.get_or_init(Arc::default)
    }

    pub(super) fn meet(self: &Arc<Self>, name: &str, end: Instant) -> WaitOutcome {
        let mut entries = self.entries();
        let wave = entries.entry(name.to_owned()).or_default();
        if !wave.is_taken {
            wave.is_taken = true;
            let refresh_failure = None;
            return WaitOutcome::Turn(EntryTurn {
                waves: Arc::clone(self),
                name: name.to_owned(),
                refresh_failure,
            });
        }
        let came = wave.number;
        wave.waiting += 1;
        let left = end.saturating_duration_since(Instant::now());
        let is_same = |entries: &mut HashMap<String, EntryQueue>| {
            entries.get(name).is_some_and(|wave| wave.number == came)
        };
        (entries, _) = self
            .moved
            .wait_timeout_while(entries, left, is_same)
            .unwrap_or_else(PoisonError::into_inner);
        let Some(wave) = entries.get_mut(name) else { return WaitOutcome::News(None) };
        wave.waiting -= 1;
        let met = if wave.number == came {
            WaitOutcome::Nothing
        } else {
            WaitOutcome::News(wave.refresh_failure.clone())
        };
        Self::tidy(&mut entries, name);
        met
    }

    fn tidy(entries: &mut HashMap<String, EntryQueue>, name: &str) {
        if entries.get(name).is_some_and(|wave| !wave.is_taken && wave.waiting == 0) {
            entries.remove(name);
        }
    }

    /// Lock poisoning is ignored: each change is one step, so a panic cannot leave it half changed.
    fn entries(&self) -> MutexGuard<'_, HashMap<String, EntryQueue>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EntryTurn {
    /// Wakes the waiting threads because something has changed.
    pub(super) fn tell(&mut self, refresh_failure: Option<RefreshFailure>) {
        self.refresh_failure = refresh_failure;
        if let Some(wave) = self.waves.entries().get_mut(&self.name) {
            wave.number += 1;
            wave.refresh_failure.clone_from(&self.refresh_failure);
        }
        self.waves.moved.notify_all();
    }

    /// Sets what the waiting threads are told about the last refresh when this is dropped.
    pub(super) fn remember(&mut self, refresh_failure: Option<RefreshFailure>) {
        self.refresh_failure = refresh_failure;
    }
}

impl Drop for EntryTurn {
    fn drop(&mut self) {
        let mut entries = self.waves.entries();
        if let Some(wave) = entries.get_mut(&self.name) {
            wave.is_taken = false;
            wave.number += 1;
            wave.refresh_failure = self.refresh_failure.take();
        }
        EntryQueues::tidy(&mut entries, &self.name);
        drop(entries);
        self.waves.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn turn(waves: &Arc<EntryQueues>, name: &str) -> Option<EntryTurn> {
        match waves.meet(name, Instant::now()) {
            WaitOutcome::Turn(turn) => Some(turn),
            WaitOutcome::News(_) | WaitOutcome::Nothing => None,
        }
    }

    #[test]
    fn one_has_the_turn_and_other_entries_are_free() {
        let waves = Arc::new(EntryQueues::default());
        let first = turn(&waves, "a").unwrap();
        assert!(turn(&waves, "a").is_none());
        assert!(turn(&waves, "a").is_none(), "whoever gave up has made no room");
        assert!(turn(&waves, "b").is_some());
        drop(first);
        assert!(turn(&waves, "a").is_some());
        assert!(waves.entries().is_empty(), "nothing is left");
    }

    #[test]
    fn redis_5_all_who_wait_go_on_together_when_there_is_news() {
        let waves = Arc::new(EntryQueues::default());
        let mut first = turn(&waves, "a").unwrap();
        std::thread::scope(|scope| {
            let waiters: Vec<_> = (0..50)
                .map(|_| {
                    scope.spawn(|| matches!(waves.meet("a", later()), WaitOutcome::News(None)))
                })
                .collect();
            while waves.entries()["a"].waiting < 50 {
                std::thread::yield_now();
            }
            // The turn is still taken.
            first.tell(None);
            assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
        });
        drop(first);
        assert!(waves.entries().is_empty(), "nothing is left");
    }
}
