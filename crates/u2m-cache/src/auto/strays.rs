//! Copies of a login that do not count. The side file records each of them before it can exist, or in the same write that
//! makes another copy count. Whoever takes the login's lock removes what a dead process left.

use super::AutoStore;
use crate::error::StoreError;
use crate::mode::StorageMode;
use crate::sidecar::record_file::Sidecar;
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint};

impl AutoStore {
    /// Removes the copies of a login that do not count. The caller holds its locks in the stores `held`. A copy whose own
    /// lock is held by someone else is left for the next caller.
    ///
    /// # Errors
    /// Fails if one of them could not be removed.
    pub(super) fn clear_strays(
        &self,
        key: &CacheKey,
        held: &[StorageMode],
    ) -> Result<(), StoreError> {
        for (at, of) in self.0.file.sidecar()?.strays(key.as_str()) {
            // A kind of store that only a later version knows is not ours to clean up.
            let Some(mode) = StorageMode::parse(&at) else { continue };
            let lock = match self.is_held(mode, held) {
                true => None,
                false => match self.part(mode)?.lock(key, Duration::ZERO)? {
                    Some(lock) => Some(lock),
                    None => continue,
                },
            };
            self.clear_stray(key, mode, &of)?;
            drop(lock);
        }
        Ok(())
    }

    /// Removes one copy. The caller holds that store's lock, so nobody moves the login there or from there.
    pub(super) fn clear_stray(
        &self,
        key: &CacheKey,
        mode: StorageMode,
        of: &Fingerprint,
    ) -> Result<(), StoreError> {
        let (name, at) = (key.as_str(), mode.as_str());
        let now = self.0.file.sidecar()?;
        if !now.is_stray(name, at, of) {
            return Ok(());
        }
        // A copy that counts by now must stay, whatever was recorded. A copy in another state is someone else's login.
        if now.home(name) != Some(at) {
            self.delete_state(mode, key, of)?;
        }
        self.0.file.note(|sidecar| drop_stray(sidecar, name, mode, of))
    }

    /// Removes a login that is still in this state. Returns whether that state is gone.
    pub(super) fn delete_state(
        &self,
        mode: StorageMode,
        key: &CacheKey,
        of: &Fingerprint,
    ) -> Result<bool, StoreError> {
        self.part(mode)?.delete_states(&[(key.clone(), of.clone())]).pop().unwrap_or(Ok(true))
    }

    /// If the copy in `mode` does not count, returns words that name the other store that holds the login. If the other store
    /// holds nothing any more, the copy in `mode` is all there is, and this returns `None`; a store that cannot be read is
    /// assumed to hold the login. `known` is the side file if it was read under the login's lock.
    pub(super) fn counts_elsewhere(
        &self,
        key: &CacheKey,
        mode: StorageMode,
        known: Option<&Sidecar>,
    ) -> Result<Option<String>, StoreError> {
        let read = if known.is_none() { Some(self.0.file.sidecar()?) } else { None };
        let Some(sidecar) = known.or(read.as_ref()) else { return Ok(None) };
        let home = sidecar.home(key.as_str()).and_then(StorageMode::parse);
        let Some(home) = home.filter(|home| *home != mode) else { return Ok(None) };
        match self.part(home).and_then(|part| part.load(key)) {
            Ok(None) => Ok(None),
            _ => Ok(Some(format!(
                "'{key}' is kept in {home} storage; what {mode} storage holds is a copy that does not count"
            ))),
        }
    }
}

/// Removes the record of a copy that is gone or that counts. Returns whether there was one.
pub(super) fn drop_stray(
    sidecar: &mut Sidecar,
    name: &str,
    mode: StorageMode,
    of: &Fingerprint,
) -> bool {
    sidecar.is_stray(name, mode.as_str(), of) && sidecar.drop_stray(name, mode.as_str())
}
