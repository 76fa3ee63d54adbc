//! Combines reads of the same entry at the same moment: one request is sent for all of them, and its answer is decrypted
//! once. A new reader joins a request that is not sent yet, so that every answer is from after its call. The name of an entry
//! is a keyed hash: whoever knows it has the key that decrypts the entry.

use super::fault::same;
use crate::error::StoreError;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The maximum number of simultaneous requests for one entry.
const MOST: usize = 8;

/// How long a reader other than the first waits for others to join. The time doubles with each request that is running. With
/// that many, an answer takes longer anyway.
const GATHERING: Duration = Duration::from_millis(1);

pub(super) struct RequestQueue<T> {
    entries: Mutex<HashMap<String, QueuedEntry<T>>>,
    landed: Condvar,
}

struct QueuedEntry<T> {
    under_way: usize,
    /// A request that is not sent yet, and whose answer others may wait for.
    next: Option<Arc<QueuedRequest<T>>>,
}

impl<T> Default for QueuedEntry<T> {
    fn default() -> Self {
        Self { under_way: 0, next: None }
    }
}

type SharedQueue<T> = Result<Arc<T>, StoreError>;

/// A request, and its answer once it arrives. Only its own waiters are woken, once.
struct QueuedRequest<T> {
    answer: Mutex<Option<SharedQueue<T>>>,
    is_there: Condvar,
}

impl<T> RequestQueue<T> {
    pub(super) fn new() -> Self {
        Self { entries: Mutex::default(), landed: Condvar::new() }
    }

    /// Returns the result of `ask` for `record`: of this call, or of another caller's request that was sent after this call
    /// began.
    pub(super) fn read(
        &self,
        record: &str,
        longest: Duration,
        ask: impl FnOnce() -> Result<T, StoreError>,
    ) -> SharedQueue<T> {
        let mut entries = self.entries();
        let entry = entries.entry(record.to_owned()).or_default();
        if let Some(question) = entry.next.clone() {
            drop(entries);
            return question.wait(longest * 2);
        }
        let question = Arc::new(QueuedRequest::new());
        if entry.under_way > 0 {
            entry.next = Some(Arc::clone(&question));
            let gathering = GATHERING * (1 << entry.under_way.min(MOST).saturating_sub(1));
            drop(entries);
            std::thread::sleep(gathering);
            entries = self.entries();
            let is_full = |entries: &mut HashMap<String, QueuedEntry<T>>| {
                entries.get(record).is_some_and(|entry| entry.under_way >= MOST)
            };
            (entries, _) = self
                .landed
                .wait_timeout_while(entries, longest, is_full)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let entry = entries.entry(record.to_owned()).or_default();
        entry.next = None;
        entry.under_way += 1;
        drop(entries);
        let landing = AnswerGuard { room: self, record, question: &question };
        let answer = ask().map(Arc::new);
        landing.with(&answer);
        answer
    }

    /// Lock poisoning is ignored: each change is one step, so a panic cannot leave it half changed.
    fn entries(&self) -> MutexGuard<'_, HashMap<String, QueuedEntry<T>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> QueuedRequest<T> {
    fn new() -> Self {
        Self { answer: Mutex::new(None), is_there: Condvar::new() }
    }

    fn wait(&self, longest: Duration) -> SharedQueue<T> {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, _) = self
            .is_there
            .wait_timeout_while(answer, longest, |answer| answer.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        answer.as_ref().map_or_else(
            || {
                let why = "no answer in time".to_owned();
                Err(StoreError::Unavailable { server: "Redis".to_owned(), why })
            },
            copy,
        )
    }
}

fn copy<T>(answer: &SharedQueue<T>) -> SharedQueue<T> {
    answer.as_ref().map(Arc::clone).map_err(same)
}

/// A running request. Dropping this marks it as ended, whatever its outcome.
struct AnswerGuard<'r, T> {
    room: &'r RequestQueue<T>,
    record: &'r str,
    question: &'r QueuedRequest<T>,
}

impl<T> AnswerGuard<'_, T> {
    fn with(&self, answer: &SharedQueue<T>) {
        let mut there = self.question.answer.lock().unwrap_or_else(PoisonError::into_inner);
        *there = Some(copy(answer));
        drop(there);
        self.question.is_there.notify_all();
    }
}

impl<T> Drop for AnswerGuard<'_, T> {
    fn drop(&mut self) {
        let mut entries = self.room.entries();
        if let Some(entry) = entries.get_mut(self.record) {
            entry.under_way -= 1;
            if entry.under_way == 0 && entry.next.is_none() {
                entries.remove(self.record);
            }
        }
        drop(entries);
        self.room.landed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn redis_5_a_crowd_that_reads_one_entry_asks_a_few_times_and_nobody_gets_an_answer_from_before()
    {
        let (room, clock, asked) = (RequestQueue::new(), AtomicU64::new(0), AtomicU64::new(0));
        let read = || {
            let came = clock.load(Ordering::SeqCst);
            let answer = room.read("dev", LONG, || {
                asked.fetch_add(1, Ordering::SeqCst);
                let at = clock.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(20));
                Ok(at)
            });
            assert!(*answer.unwrap() >= came);
        };
        std::thread::scope(|scope| (0..200).for_each(|_| drop(scope.spawn(read))));
        assert!(asked.load(Ordering::SeqCst) < 100, "{asked:?}");
        assert!(room.entries().is_empty(), "nothing is left");
    }

    #[test]
    fn all_who_waited_for_a_question_that_failed_are_told() {
        let room = RequestQueue::<()>::new();
        let fail = || Err(StoreError::Full { server: "here".to_owned() });
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    let read = room.read("dev", LONG, || {
                        std::thread::sleep(Duration::from_millis(10));
                        fail()
                    });
                    assert!(matches!(read, Err(StoreError::Full { .. })));
                });
            }
        });
    }
}
