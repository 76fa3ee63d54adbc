//! The threads of a process that want the same entry: one of them asks the server, and the others wait for what it brings.
//! Once there is news they all go on together, each to see for itself, and not one after the other.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;
use u2m_core::RefreshFailure;

/// The entries that somebody in this process deals with, by name.
#[derive(Default)]
pub(super) struct EntryQueues {
    entries: Mutex<HashMap<String, EntryQueue>>,
    moved: Condvar,
}

#[derive(Default)]
struct EntryQueue {
    is_taken: bool,
    waiting: usize,
    /// Grows with each piece of news.
    number: u64,
    /// What was remembered of the last refresh when the last news came.
    verdict: Option<RefreshFailure>,
}

/// What came of waiting.
pub(super) enum WaitOutcome {
    /// It is this thread's turn.
    Turn(EntryTurn),
    /// Somebody has been there. What is remembered of the last refresh that failed comes with it.
    News(Option<RefreshFailure>),
    /// Nothing, and patience is over.
    Nothing,
}

/// The right to deal with an entry. Dropping it is news.
pub(super) struct EntryTurn {
    waves: Arc<EntryQueues>,
    name: String,
    verdict: Option<RefreshFailure>,
}

impl EntryQueues {
    /// Those of this process, even where several stores are open on one server.
    pub(super) fn of_process() -> &'static Arc<Self> {
        static WAVES: OnceLock<Arc<EntryQueues>> = OnceLock::new();
        WAVES.get_or_init(Arc::default)
    }

    pub(super) fn meet(self: &Arc<Self>, name: &str, end: Instant) -> WaitOutcome {
        let mut entries = self.entries();
        let wave = entries.entry(name.to_owned()).or_default();
        if !wave.is_taken {
            wave.is_taken = true;
            let verdict = None;
            return WaitOutcome::Turn(EntryTurn {
                waves: Arc::clone(self),
                name: name.to_owned(),
                verdict,
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
            WaitOutcome::News(wave.verdict.clone())
        };
        Self::tidy(&mut entries, name);
        met
    }

    fn tidy(entries: &mut HashMap<String, EntryQueue>, name: &str) {
        if entries.get(name).is_some_and(|wave| !wave.is_taken && wave.waiting == 0) {
            entries.remove(name);
        }
    }

    /// A panic elsewhere leaves it whole: each change is one step.
    fn entries(&self) -> MutexGuard<'_, HashMap<String, EntryQueue>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EntryTurn {
    /// Tells those who wait that something has changed.
    pub(super) fn tell(&mut self, verdict: Option<RefreshFailure>) {
        self.verdict = verdict;
        if let Some(wave) = self.waves.entries().get_mut(&self.name) {
            wave.number += 1;
            wave.verdict.clone_from(&self.verdict);
        }
        self.waves.moved.notify_all();
    }

    /// What those who wait are told of the last refresh when this ends.
    pub(super) fn remember(&mut self, verdict: Option<RefreshFailure>) {
        self.verdict = verdict;
    }
}

impl Drop for EntryTurn {
    fn drop(&mut self) {
        let mut entries = self.waves.entries();
        if let Some(wave) = entries.get_mut(&self.name) {
            wave.is_taken = false;
            wave.number += 1;
            wave.verdict = self.verdict.take();
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
