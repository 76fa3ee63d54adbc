//! Standing in line for the lease of an entry, and keeping it.

use super::entry::{Read, RedisStoreInner, is_ok, pause, random};
use super::entry_queues::EntryTurn;
use super::record::Revision;
use super::script::{Part, ScriptCall};
use super::sealer::EntryKeys;
use super::settings::millis;
use crate::error::StoreError;
use std::time::{Duration, Instant};
use u2m_core::{CacheKey, RefreshFailure};

/// A lease that was held when it was last heard of.
pub(super) struct HeldLease {
    pub(super) owner: String,
    pub(super) fence: String,
    pub(super) turn: EntryTurn,
}

/// What came of standing in line.
pub(super) enum QueueOutcome {
    Taken(HeldLease, Box<Read>),
    /// Somebody has been there meanwhile.
    News(Option<RefreshFailure>),
    /// Somebody else has the lease still.
    Busy,
}

/// What the threads of this process that want the same entry call it.
pub(super) fn wave(store: &RedisStoreInner, place: &EntryKeys) -> String {
    format!("{} {}", store.pool.server(), place.record)
}

/// Asks for the lease until `end`, or until the entry changes.
pub(super) fn stand(
    store: &RedisStoreInner,
    key: &CacheKey,
    place: &EntryKeys,
    mut turn: EntryTurn,
    end: Instant,
) -> Result<QueueOutcome, StoreError> {
    store.pay()?;
    let owner = random(&store.pool)?;
    let mut before: Option<Vec<String>> = None;
    for round in 0.. {
        let mut answer = store.run(lease(store, place, &owner))?;
        if answer.len() < 6 {
            return Err(store.unavailable("what it answers is not understood"));
        }
        let state = answer.split_off(2);
        let read = store.entry(key, place, &state);
        if is_ok(&answer) {
            turn.remember(read.verdict.clone());
            let hold = HeldLease { owner, fence: answer.pop().unwrap_or_default(), turn };
            return Ok(QueueOutcome::Taken(hold, Box::new(read)));
        }
        if before.replace(state.clone()).is_some_and(|before| before != state) {
            turn.remember(read.verdict.clone());
            return Ok(QueueOutcome::News(read.verdict));
        }
        let rest = end.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            break;
        }
        let lease = answer.pop().and_then(|left| left.parse().ok()).unwrap_or(0);
        let lease = Duration::from_millis(lease) + Duration::from_millis(1);
        std::thread::sleep(pause(round).min(lease).min(rest));
    }
    Ok(QueueOutcome::Busy)
}

/// Takes the lease, or takes it again.
pub(super) fn lease(store: &RedisStoreInner, place: &EntryKeys, owner: &str) -> ScriptCall {
    let settings = &store.settings;
    let call = RedisStoreInner::call(Part::Lock, place).arg(owner).arg(millis(settings.lease));
    call.arg(millis(settings.tombstone))
}

/// Makes a lease last, and says whether the entry is as it was.
pub(super) fn renewal(
    place: &EntryKeys,
    hold: &HeldLease,
    of: &Revision,
    lease: Duration,
) -> ScriptCall {
    let call = RedisStoreInner::call(Part::Renew, place).arg(&hold.owner).arg(&hold.fence);
    call.arg(of.generation).arg(&of.grant).arg(millis(lease))
}
