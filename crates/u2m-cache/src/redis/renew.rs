//! Renews lease and claim for a holder that is running and waits for the authorization server.

use super::entry::{RedisStoreInner, is_ok};
use super::pool::PoolAnswer;
use super::script::ScriptCall;
use super::settings::RedisSettings;
use crate::error::StoreError;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A thread that renews a lease and a claim. Dropping this ends it after its current request.
pub(super) struct LeaseRenewer(Arc<SharedLease>);

#[derive(Default)]
struct SharedLease {
    /// Locked while a request is running.
    is_over: Mutex<bool>,
    ended: Condvar,
}

impl LeaseRenewer {
    /// Starts the thread. If that fails, the lease is just not extended.
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
        // A program that hangs must not lock out the others forever.
        let end = Instant::now() + longest(&store.settings);
        let mut pause = Some(lease / 3);
        let mut is_over = self.is_over();
        while let Some(left) = pause.filter(|_| Instant::now() < end) {
            let ended = self.ended.wait_timeout_while(is_over, left, |is_over| !*is_over);
            (is_over, _) = ended.unwrap_or_else(PoisonError::into_inner);
            if *is_over {
                return;
            }
            pause = pause_after(&store.pool.run(calls), lease);
        }
    }

    /// Lock poisoning is ignored: it is a single value.
    fn is_over(&self) -> MutexGuard<'_, bool> {
        self.is_over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns how long a holder may wait for the authorization server and save its response.
fn longest(settings: &RedisSettings) -> Duration {
    settings.answer + settings.lease * 2
}

/// Returns how long to wait after these answers, or after none. `None` means that another holder has the lease.
fn pause_after(answers: &Result<Vec<PoolAnswer>, StoreError>, lease: Duration) -> Option<Duration> {
    match answers.as_deref() {
        Ok([Ok(words), ..]) if !is_ok(words) => None,
        Ok(_) => Some(lease / 3),
        Err(_) => Some((lease / 12).min(Duration::from_secs(1))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::RedisStore;
    use super::*;
    use crate::redis::script::Part;
    use crate::seal::SealKey;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};

    const MOMENT: Duration = Duration::from_millis(30);

    /// A server that answers each question about a lease by the next of `words`, and by `ok` when there are no more. The
    /// second number is that of the questions.
    fn server(words: &'static [&'static str]) -> (String, Arc<Mutex<usize>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(&stream.unwrap(), words, &count);
            }
        });
        (url, asked)
    }

    fn answer(mut stream: &TcpStream, words: &[&str], asked: &Mutex<usize>) {
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let number = |lines: &mut BufReader<TcpStream>| {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            line.get(1..).and_then(|text| text.trim().parse::<usize>().ok())
        };
        while let Some(count) = number(&mut lines) {
            let mut question = Vec::new();
            for _ in 0..count {
                let mut word = vec![0; number(&mut lines).unwrap() + 2];
                lines.read_exact(&mut word).unwrap();
                question.push(word);
            }
            let text = if question[0].starts_with(b"EVALSHA") {
                let mut asked = asked.lock().unwrap();
                *asked += 1;
                let word = words.get(*asked - 1).unwrap_or(&"ok");
                format!("*1\r\n${}\r\n{word}\r\n", word.len())
            } else {
                "+name\r\n".to_owned()
            };
            stream.write_all(text.as_bytes()).unwrap();
        }
    }

    fn store(url: &str, lease: Duration, answer: Duration) -> Arc<RedisStoreInner> {
        let settings = RedisSettings::new().with_lease(lease).with_token_answer_limit(answer);
        RedisStore::open_with(url, &SealKey::generate().unwrap(), settings).unwrap().0
    }

    fn calls() -> Vec<ScriptCall> {
        vec![ScriptCall::new(Part::Renew, &["record", "lease"])]
    }

    #[test]
    fn a_lease_is_renewed_each_third_of_it_until_somebody_else_has_it() {
        let (url, asked) = server(&["ok", "lost"]);
        let store = store(&url, MOMENT, Duration::from_secs(3));
        let start = Instant::now();
        SharedLease::default().run(&store, &calls());
        assert_eq!(*asked.lock().unwrap(), 2);
        assert!(start.elapsed() >= MOMENT / 3 * 2);
    }

    #[test]
    fn a_program_that_hangs_does_not_keep_the_others_out_for_ever() {
        let (url, asked) = server(&[]);
        let store = store(&url, MOMENT, MOMENT * 10);
        assert_eq!(longest(&store.settings), MOMENT * 12, "an answer, and two leases");
        let start = Instant::now();
        SharedLease::default().run(&store, &calls());
        assert!(*asked.lock().unwrap() > 0);
        assert!(start.elapsed() >= MOMENT * 12);
    }

    #[test]
    fn what_is_given_back_is_renewed_no_more() {
        let hours = Duration::from_secs(36_000);
        let store = store("redis://127.0.0.1:1", hours, hours);
        let renewal = LeaseRenewer::start(&store, calls());
        assert_eq!((renewal.is_some(), Arc::strong_count(&store)), (true, 2));
        drop(renewal);
        let end = Instant::now() + Duration::from_secs(20);
        while Arc::strong_count(&store) > 1 {
            assert!(Instant::now() < end, "its thread has not ended");
            std::thread::yield_now();
        }
    }

    #[test]
    fn who_hears_nothing_asks_again_sooner() {
        let said = |word: &str| Ok(vec![Ok(vec![word.to_owned()])]);
        let away = || StoreError::CannotOpen { why: "away" };
        let minute = Duration::from_secs(60);
        assert_eq!(pause_after(&said("ok"), minute), Some(Duration::from_secs(20)));
        assert_eq!(pause_after(&said("lost"), minute), None);
        // The server has not said whose it is.
        assert_eq!(pause_after(&Ok(vec![Err(away())]), minute), Some(Duration::from_secs(20)));
        assert_eq!(pause_after(&Err(away()), minute), Some(Duration::from_secs(1)));
        assert_eq!(pause_after(&Err(away()), minute / 10), Some(Duration::from_millis(500)));
    }
}
