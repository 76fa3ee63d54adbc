//! Holds the token of one source in memory. A fresh token is read without a lock, and without
//! writing to memory that other threads read: each thread keeps its own copy, and a shared
//! generation number tells whether it is the latest.

use super::clock::{ClockPair, ClockTick, since_boot};
use super::program_clock::Clock;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use u2m_core::{AccessToken, FreshnessRules, Lifetime, Token};

/// For how many sources a thread keeps copies. Another one replaces the oldest.
const COPIES: usize = 8;

/// In seconds. If the wall clock was set back by more, it is unknown how long a token is fresh, and
/// its source must be asked.
const SET_BACK: i64 = 300;

/// By how many seconds two clocks that are read one after the other may seem to disagree although
/// nothing happened.
const JITTER: i64 = 2;

/// The latest token of one source in this process.
#[derive(Debug)]
pub(super) struct TokenSlot {
    clock: Clock,
    /// Incremented with each change; 0 until there is a token.
    generation: AtomicU64,
    latest: Mutex<Option<HeldToken>>,
    /// Whether threads keep copies of the token.
    is_copied: bool,
    /// Distinguishes the copies of this source from those of others. The copies are invalid once it is dropped.
    identity: Arc<()>,
}

#[derive(Clone, Debug)]
struct HeldToken {
    token: Token,
    /// The lifetime of the token when it was issued, if known.
    lifetime: Option<Lifetime>,
    /// The first and the last second in which the token is returned without asking further.
    fresh_from: i64,
    fresh_until: i64,
    /// The same end, and the expiry of the token, in seconds since the system started. They hold
    /// even if the wall clock is set.
    fresh_until_boot: i64,
    ends_at_boot: i64,
    /// The difference between the two cheap clocks when the token was stored.
    offset: i64,
}

impl HeldToken {
    #[cfg(test)]
    fn new(
        token: Token,
        lifetime: Option<Lifetime>,
        fresh_until: i64,
        old: Option<&HeldToken>,
    ) -> Self {
        Self::by(&Clock::system(), token, lifetime, fresh_until, old)
    }

    fn by(
        clock: &Clock,
        token: Token,
        lifetime: Option<Lifetime>,
        fresh_until: i64,
        old: Option<&HeldToken>,
    ) -> Self {
        let (at, boot) = (clock.glance(), clock.since_boot());
        let since_boot = |unix: i64| unix.saturating_sub(at.wall).saturating_add(boot);
        let ends = token.expiry().map_or(i64::MAX, |expiry| expiry.unix());
        // Storing the same token again by another clock does not extend its life.
        let same = old.filter(|old| old.token.access_token() == token.access_token());
        Self {
            fresh_from: at.wall - SET_BACK,
            fresh_until,
            fresh_until_boot: since_boot(fresh_until),
            ends_at_boot: since_boot(ends).min(same.map_or(i64::MAX, |old| old.ends_at_boot)),
            offset: at.offset(),
            lifetime: lifetime.or(same.and_then(|old| old.lifetime)),
            token,
        }
    }

    fn is_fresh(&mut self, at: ClockPair) -> bool {
        let is_fresh = self.fresh_from <= at.wall && at.wall <= self.fresh_until;
        is_fresh && ((at.offset() - self.offset).abs() <= JITTER || self.is_fresh_by_boot(at))
    }

    /// Checks by the time since boot, because the wall clock was set or the system has slept.
    #[cold]
    fn is_fresh_by_boot(&mut self, at: ClockPair) -> bool {
        let boot = since_boot();
        self.offset = at.offset();
        boot <= self.fresh_until_boot && boot <= self.ends_at_boot
    }

    /// Returns whether the token lives long enough, by both clocks, to be valid for a caller that
    /// needs `at_least`.
    fn is_good(&self, clock: &Clock, rules: &FreshnessRules, at_least: Lifetime) -> bool {
        let ends = self.token.expiry().map_or(i64::MAX, |expiry| expiry.unix());
        let floor = rules.floor(at_least, self.lifetime).seconds();
        let has_left = |end: i64, now: i64| end.saturating_sub(now) >= floor;
        has_left(ends, clock.glance().wall) && has_left(self.ends_at_boot, clock.since_boot())
    }
}

struct ThreadCopy {
    of: Weak<()>,
    generation: u64,
    held: HeldToken,
    /// The reading of the clock at which this copy was last found fresh.
    seen: ClockTick,
}

impl ThreadCopy {
    /// A program reads the token many times within one tick, and then one clock is enough.
    fn is_fresh(&mut self, clock: &Clock, tick: ClockTick) -> bool {
        if self.seen != tick {
            if !self.held.is_fresh(clock.glance_after(tick)) {
                return false;
            }
            self.seen = tick;
        }
        true
    }
}

thread_local! {
    static COPIES_HERE: RefCell<Vec<ThreadCopy>> = const { RefCell::new(Vec::new()) };
}

impl TokenSlot {
    #[cfg(test)]
    pub(super) fn new(is_copied: bool) -> Self {
        Self::by(Clock::system(), is_copied)
    }

    pub(super) fn by(clock: Clock, is_copied: bool) -> Self {
        let (generation, latest) = (AtomicU64::new(0), Mutex::new(None));
        Self { clock, generation, latest, is_copied, identity: Arc::new(()) }
    }

    /// Returns the token if it is fresh.
    pub(super) fn fresh(&self) -> Option<Token> {
        let generation = self.generation.load(Ordering::Acquire);
        if generation == 0 {
            return None;
        }
        let tick = self.clock.tick();
        COPIES_HERE.with_borrow_mut(|copies| {
            let mine = copies
                .iter_mut()
                .find(|copy| copy.generation == generation && copy.of.as_ptr() == self.address());
            if let Some(copy) = mine {
                return copy.is_fresh(&self.clock, tick).then(|| copy.held.token.clone());
            }
            let mut held = self.latest().clone()?;
            if !held.is_fresh(self.clock.glance_after(tick)) {
                return None;
            }
            if !self.is_copied {
                return Some(held.token);
            }
            // A deep copy, so that only this thread uses its reference count.
            let token = Token::new(
                AccessToken::new(held.token.access_token().expose()),
                held.token.expiry(),
            );
            let copy = ThreadCopy {
                of: Arc::downgrade(&self.identity),
                generation,
                held: HeldToken { token, ..held },
                seen: tick,
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

    /// Returns the latest token, fresh or not.
    pub(super) fn latest_token(&self) -> Option<Token> {
        self.latest().as_ref().map(|held| held.token.clone())
    }

    /// Returns the latest token, if it is valid by `rules` for a caller that needs `at_least`, even
    /// if the wall clock was set meanwhile.
    pub(super) fn good(&self, rules: &FreshnessRules, at_least: Lifetime) -> Option<Token> {
        self.good_until(rules, at_least).map(|(token, _)| token)
    }

    /// Like [`TokenSlot::good`], and also returns the last second in which the token is valid for any caller.
    pub(super) fn good_until(
        &self,
        rules: &FreshnessRules,
        at_least: Lifetime,
    ) -> Option<(Token, i64)> {
        let latest = self.latest();
        let held = latest.as_ref().filter(|held| held.is_good(&self.clock, rules, at_least))?;
        let floor = rules.floor(Lifetime::ZERO, held.lifetime);
        let end = held.token.expiry().map_or(i64::MAX, |expiry| expiry.minus(floor).unix());
        Some((held.token.clone(), end))
    }

    /// Returns whether `token` is the one in memory, and no longer valid by the clock that cannot be set.
    pub(super) fn is_known_dead(&self, token: &Token, rules: &FreshnessRules) -> bool {
        self.latest().as_ref().is_some_and(|held| {
            let is_it = held.token.access_token() == token.access_token();
            is_it && !held.is_good(&self.clock, rules, Lifetime::ZERO)
        })
    }

    /// Returns the latest token if it is invalid by the clock that cannot be set, but valid by the
    /// wall clock, which was set back.
    pub(super) fn dead_unseen(&self, rules: &FreshnessRules) -> Option<AccessToken> {
        let latest = self.latest();
        let is_dead = |held: &&HeldToken| !held.is_good(&self.clock, rules, Lifetime::ZERO);
        let held = latest.as_ref().filter(is_dead)?;
        let floor = rules.floor(Lifetime::ZERO, held.lifetime);
        let wall = self.clock.glance().wall;
        let by_the_wall =
            held.token.expiry().is_none_or(|end| end.unix() - wall >= floor.seconds());
        by_the_wall.then(|| held.token.access_token().clone())
    }

    /// Simulates that so much time has passed and that the wall clock was set back by as much.
    #[cfg(test)]
    pub(super) fn set_back(&self, seconds: i64) {
        if let Some(held) = self.latest().as_mut() {
            held.fresh_until_boot = held.fresh_until_boot.saturating_sub(seconds);
            held.ends_at_boot = held.ends_at_boot.saturating_sub(seconds);
            held.offset += seconds;
        }
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Returns the number of the current state of this slot, for [`TokenSlot::set`].
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Stores a token that was issued for `lifetime`. It is returned until `fresh_until`, in Unix
    /// seconds. If a generation is given, does nothing if another token was stored since.
    pub(super) fn set(
        &self,
        token: Token,
        lifetime: Option<Lifetime>,
        fresh_until: i64,
        since: Option<u64>,
    ) {
        let mut latest = self.latest();
        if since.is_some_and(|since| since != self.generation()) {
            return;
        }
        *latest = Some(HeldToken::by(&self.clock, token, lifetime, fresh_until, latest.as_ref()));
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Removes the token, unless another one was stored `since`. The next caller asks the source.
    pub(super) fn clear(&self, since: u64) {
        let mut latest = self.latest();
        if since == self.generation() {
            *latest = None;
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    fn address(&self) -> *const () {
        Arc::as_ptr(&self.identity)
    }

    /// A panic elsewhere cannot leave the slot inconsistent, because each change is a single assignment.
    fn latest(&self) -> MutexGuard<'_, Option<HeldToken>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "slot_tests.rs"]
mod tests;
