//! Holds the locks of one login in several stores at once.

use super::AutoStore;
use crate::error::StoreError;
use crate::mode::StorageMode;
use crate::named_mutex::end_of;
use crate::store::EntryLock;
use std::fmt;
use std::time::{Duration, Instant};
use u2m_core::CacheKey;

/// The order in which locks are always taken, so that two callers that take several cannot deadlock.
const ORDER: [StorageMode; 3] =
    [StorageMode::Secure, StorageMode::Plaintext, StorageMode::Encrypted];

/// A login that is locked in several stores at once ([`AutoStore::hold_all`]). Nobody can refresh or move it. Dropping this
/// releases the locks.
#[derive(Default)]
pub struct HeldLogin {
    modes: Vec<StorageMode>,
    locks: Vec<Box<dyn EntryLock>>,
}

impl fmt::Debug for HeldLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldLogin").field("modes", &self.modes).finish_non_exhaustive()
    }
}

impl HeldLogin {
    /// Returns the stores in which it is locked.
    pub(super) fn modes(&self) -> &[StorageMode] {
        &self.modes
    }
}

impl AutoStore {
    /// Locks a login in every store of this program, so that it can be removed from all of them without being moved
    /// meanwhile. Returns `None` if another holder keeps one of the locks for as long as `patience`.
    ///
    /// # Errors
    /// Fails if a lock cannot be created.
    ///
    /// ```
    /// use std::time::Duration;
    /// use u2m_cache::{AutoStore, FileStore, TokenStore};
    /// let folder = tempfile::tempdir().unwrap();
    /// let store = AutoStore::new(FileStore::at(folder.path().join("token-cache.json")));
    /// let key = u2m_core::CacheKey::new("dev");
    /// let held = store.hold_all(&key, Duration::ZERO)?.expect("nobody else has it");
    /// assert!(store.hold_all(&key, Duration::ZERO)?.is_none());
    /// drop(held);
    /// # Ok::<(), u2m_cache::StoreError>(())
    /// ```
    pub fn hold_all(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<HeldLogin>, StoreError> {
        let modes: Vec<_> =
            StorageMode::ALL.into_iter().filter(|mode| self.part(*mode).is_ok()).collect();
        self.hold(key, &modes, patience)
    }

    /// Locks a login in these stores, one after another. Stores that share a lock take it once.
    pub(super) fn hold(
        &self,
        key: &CacheKey,
        modes: &[StorageMode],
        patience: Duration,
    ) -> Result<Option<HeldLogin>, StoreError> {
        let end = end_of(patience);
        let mut held = HeldLogin::default();
        for mode in ORDER.into_iter().filter(|mode| modes.contains(mode)) {
            if !self.is_held(mode, &held.modes) {
                let left = end.saturating_duration_since(Instant::now());
                let Some(lock) = self.part(mode)?.lock(key, left)? else { return Ok(None) };
                held.locks.push(lock);
            }
            held.modes.push(mode);
        }
        Ok(Some(held))
    }

    /// Returns whether holding a login's locks in the stores `held` includes the lock of `mode`.
    pub(super) fn is_held(&self, mode: StorageMode, held: &[StorageMode]) -> bool {
        let place = |mode| self.part(mode).ok().and_then(|part| part.locks_beside());
        let here = place(mode);
        held.iter().any(|other| *other == mode || here.is_some() && place(*other) == here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileStore;

    #[test]
    fn what_is_held_is_shown_by_the_stores_that_it_is_held_in() {
        let folder = tempfile::tempdir().unwrap();
        let store = AutoStore::new(FileStore::at(folder.path().join("cache.json")));
        let held = store.hold_all(&CacheKey::new("dev"), Duration::ZERO).unwrap().unwrap();
        assert_eq!(held.modes(), [StorageMode::Plaintext]);
        assert_eq!(format!("{held:?}"), "HeldLogin { modes: [Plaintext], .. }");
    }
}
