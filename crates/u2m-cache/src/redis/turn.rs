//! Waits for the lease of an entry, and renews it.

use super::entry::{Read, RedisStoreInner, is_ok, pause, random};
use super::entry_queues::EntryTurn;
use super::record::Revision;
use super::script::{Part, ScriptCall};
use super::sealer::EntryKeys;
use super::settings::millis;
use crate::error::StoreError;
use std::time::{Duration, Instant};
use u2m_core::{CacheKey, RefreshFailure};

/// A lease that was held at the last check.
pub(super) struct HeldLease {
    pub(super) owner: String,
    pub(super) fence: String,
    pub(super) turn: EntryTurn,
}

/// The result of waiting for the lease.
pub(super) enum QueueOutcome {
    Taken(HeldLease, Box<Read>),
    /// Another holder has changed the entry meanwhile.
    News(Option<RefreshFailure>),
    /// Another holder still has the lease.
    Busy,
}

/// The name under which the threads of this process that want the same entry meet.
pub(super) fn wave(store: &RedisStoreInner, place: &EntryKeys) -> String {
    format!("{} {}", store.pool.server(), place.record)
}

/// Requests the lease until `end`, or until the entry changes.
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
            turn.remember(read.refresh_failure.clone());
            let hold = HeldLease { owner, fence: answer.pop().unwrap_or_default(), turn };
            return Ok(QueueOutcome::Taken(hold, Box::new(read)));
        }
        if before.replace(state.clone()).is_some_and(|before| before != state) {
            turn.remember(read.refresh_failure.clone());
            return Ok(QueueOutcome::News(read.refresh_failure));
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

/// Returns the call that takes the lease, or takes it again.
pub(super) fn lease(store: &RedisStoreInner, place: &EntryKeys, owner: &str) -> ScriptCall {
    let settings = &store.settings;
    let call = RedisStoreInner::call(Part::Lock, place).arg(owner).arg(millis(settings.lease));
    call.arg(millis(settings.tombstone))
}

/// Returns the call that renews a lease and tells whether the entry is unchanged.
pub(super) fn renewal(
    place: &EntryKeys,
    hold: &HeldLease,
    of: &Revision,
    lease: Duration,
) -> ScriptCall {
    let call = RedisStoreInner::call(Part::Renew, place).arg(&hold.owner).arg(&hold.fence);
    call.arg(of.generation).arg(&of.grant).arg(millis(lease))
}
