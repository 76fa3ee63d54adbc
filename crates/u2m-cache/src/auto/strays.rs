//! Copies of a login that do not count. The side file says of each before it can exist, or in the very write that makes
//! another one count; whoever takes the login's lock removes what a dead process left.

use super::AutoStore;
use crate::error::StoreError;
use crate::mode::StorageMode;
use crate::sidecar::record_file::Sidecar;
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint};

impl AutoStore {
    /// Removes the copies of a login that do not count, by whoever holds its locks in the stores `held`. One whose own lock
    /// somebody else has at this moment stays for the next.
    ///
    /// # Errors
    /// One of them is still there.
    pub(super) fn clear_strays(
        &self,
        key: &CacheKey,
        held: &[StorageMode],
    ) -> Result<(), StoreError> {
        for (at, of) in self.0.file.sidecar()?.strays(key.as_str()) {
            // One that only a later version knows is not ours to remove.
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

    /// Removes one copy. Its store's lock is held, so that nobody is moving the login there or from there.
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
        // What counts by now is no stray, whatever was written down of it. What stands there in another state is somebody
        // else's login.
        if now.home(name) != Some(at) {
            self.delete_state(mode, key, of)?;
        }
        self.0.file.note(|sidecar| drop_stray(sidecar, name, mode, of))
    }

    /// Removes a login that is still in this state; whether that state is gone.
    pub(super) fn delete_state(
        &self,
        mode: StorageMode,
        key: &CacheKey,
        of: &Fingerprint,
    ) -> Result<bool, StoreError> {
        self.part(mode)?.delete_states(&[(key.clone(), of.clone())]).pop().unwrap_or(Ok(true))
    }

    /// In which other store a login is that stands in `mode` too, where the copy there does not count: words that name the
    /// place. Where the other one holds nothing any more, this one is all that there is; where it cannot be asked, it may. `known`: what was
    /// read of the side file under the login's lock.
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

/// Forgets a copy that is gone, or that counts; whether it was known.
pub(super) fn drop_stray(
    sidecar: &mut Sidecar,
    name: &str,
    mode: StorageMode,
    of: &Fingerprint,
) -> bool {
    sidecar.is_stray(name, mode.as_str(), of) && sidecar.drop_stray(name, mode.as_str())
}
