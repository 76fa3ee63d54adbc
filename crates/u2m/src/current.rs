//! The token that this process has in hand. A fresh one is read without a lock and without writing to memory that other
//! threads read: each thread keeps a copy of its own, and a shared generation says whether it is the latest.

use crate::clock::coarse_unix;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use u2m_core::{AccessToken, Token};

/// How many logins a thread keeps copies for; a further one takes the place of the oldest.
const COPIES: usize = 8;

/// A clock that is set back by more makes it unknown how long a token is fresh for, in seconds: the store knows more of it.
const SET_BACK: i64 = 300;

/// The latest token of one login in this process.
#[derive(Debug)]
pub(crate) struct Current {
    /// Raised with each change; 0 while there is no token.
    generation: AtomicU64,
    latest: Mutex<Option<Held>>,
    /// Tells the copies of one login from those of others, and ends with it.
    identity: Arc<()>,
}

#[derive(Clone, Debug)]
struct Held {
    token: Token,
    /// The first and the last second in which the token is handed out without asking further.
    fresh_from: i64,
    fresh_until: i64,
}

impl Held {
    fn is_fresh(&self, now: i64) -> bool {
        self.fresh_from <= now && now <= self.fresh_until
    }
}

struct Copy {
    of: Weak<()>,
    generation: u64,
    held: Held,
}

thread_local! {
    static COPIES_HERE: RefCell<Vec<Copy>> = const { RefCell::new(Vec::new()) };
}

impl Current {
    pub(crate) fn new() -> Self {
        Self { generation: AtomicU64::new(0), latest: Mutex::new(None), identity: Arc::new(()) }
    }

    /// The token, if it is fresh.
    pub(crate) fn fresh(&self) -> Option<Token> {
        let generation = self.generation.load(Ordering::Acquire);
        if generation == 0 {
            return None;
        }
        let now = coarse_unix();
        COPIES_HERE.with_borrow_mut(|copies| {
            let mine = copies
                .iter()
                .find(|copy| copy.generation == generation && copy.of.as_ptr() == self.address());
            if let Some(copy) = mine {
                return copy.held.is_fresh(now).then(|| copy.held.token.clone());
            }
            let held = self.latest().clone().filter(|held| held.is_fresh(now))?;
            // A deep copy, so that its count of owners is this thread's alone.
            let token = Token::new(
                AccessToken::new(held.token.access_token().expose()),
                held.token.expiry(),
            );
            let copy = Copy {
                of: Arc::downgrade(&self.identity),
                generation,
                held: Held { token, ..held },
            };
            copies.retain(|copy| copy.of.strong_count() > 0 && copy.of.as_ptr() != self.address());
            if copies.len() == COPIES {
                copies.remove(0);
            }
            let token = copy.held.token.clone();
            copies.push(copy);
            Some(token)
        })
    }

    /// The latest token, fresh or not.
    pub(crate) fn latest_token(&self) -> Option<Token> {
        self.latest().as_ref().map(|held| held.token.clone())
    }

    /// Names the state of this slot, for [`Current::set`].
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Puts a token in hand; it is given out until `fresh_until`, in unix seconds. With a generation, only if nothing was
    /// put in hand since.
    pub(crate) fn set(&self, token: Token, fresh_until: i64, since: Option<u64>) {
        let mut latest = self.latest();
        if since.is_some_and(|since| since != self.generation()) {
            return;
        }
        *latest = Some(Held { token, fresh_from: coarse_unix() - SET_BACK, fresh_until });
        self.generation.fetch_add(1, Ordering::Release);
    }

    fn address(&self) -> *const () {
        Arc::as_ptr(&self.identity)
    }

    /// A panic elsewhere leaves the slot whole: each change is one assignment.
    fn latest(&self) -> MutexGuard<'_, Option<Held>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        Token::new(AccessToken::new(text), None)
    }

    #[test]
    fn a_token_in_hand_is_looked_up_again_when_it_ends_and_when_the_clock_is_set_back() {
        let held = Held { token: token("a"), fresh_from: 100, fresh_until: 200 };
        let fresh: Vec<_> =
            [99, 100, 200, 201].into_iter().filter(|now| held.is_fresh(*now)).collect();
        assert_eq!(fresh, [100, 200]);
        let current = Current::new();
        current.set(token("a"), i64::MAX, None);
        let from = current.latest().as_ref().unwrap().fresh_from;
        assert!((SET_BACK..SET_BACK + 60).contains(&(coarse_unix() - from)), "{from}");
    }

    #[test]
    fn a_fresh_token_is_handed_out_to_every_thread_and_a_new_one_replaces_it_everywhere() {
        let current = Arc::new(Current::new());
        assert_eq!(current.fresh(), None);
        current.set(token("one"), i64::MAX, None);
        assert_eq!(current.fresh(), Some(token("one")));
        let there = Arc::clone(&current);
        let seen =
            std::thread::spawn(move || (there.fresh(), there.set(token("two"), i64::MAX, None)).0);
        assert_eq!(seen.join().unwrap(), Some(token("one")));
        assert_eq!(current.fresh(), Some(token("two")));
    }

    #[test]
    fn a_token_past_its_time_is_not_fresh_but_still_the_latest() {
        let current = Current::new();
        current.set(token("old"), 0, None);
        assert_eq!(current.fresh(), None);
        assert_eq!(current.latest_token(), Some(token("old")));
    }

    #[test]
    fn what_was_found_earlier_does_not_replace_what_was_put_in_hand_since() {
        let current = Current::new();
        let since = Some(current.generation());
        current.set(token("new"), i64::MAX, None);
        current.set(token("old"), i64::MAX, since);
        assert_eq!(current.fresh(), Some(token("new")));
    }

    #[test]
    fn logins_do_not_see_each_others_tokens_however_many_there_are() {
        let all: Vec<_> = (0..COPIES + 3).map(|_| Current::new()).collect();
        for round in 0..3 {
            for (at, current) in all.iter().enumerate() {
                let name = format!("{round}-{at}");
                current.set(token(&name), i64::MAX, None);
                assert_eq!(current.fresh(), Some(token(&name)));
            }
            for (at, current) in all.iter().enumerate() {
                assert_eq!(current.fresh(), Some(token(&format!("{round}-{at}"))));
            }
        }
    }

    #[test]
    fn copies_of_a_login_that_is_gone_are_dropped_by_the_next_miss() {
        let gone = Current::new();
        gone.set(token("gone"), i64::MAX, None);
        assert!(gone.fresh().is_some());
        drop(gone);
        let next = Current::new();
        next.set(token("next"), i64::MAX, None);
        assert!(next.fresh().is_some());
        COPIES_HERE
            .with_borrow(|copies| assert!(copies.iter().all(|copy| copy.of.strong_count() > 0)));
    }
}
