//! Where a login is: where the side file says, else wherever it is found.

use super::AutoStore;
use crate::beside::sidecar::Sidecar;
use crate::error::StoreError;
use crate::mode::StorageMode;
use u2m_core::{CacheKey, Session};

/// How often a login may be moved while it is looked for.
pub(super) const ROUNDS: usize = 4;

impl AutoStore {
    /// Where a login is, and what was read on the way.
    pub(super) fn find(
        &self,
        key: &CacheKey,
    ) -> Result<(StorageMode, Option<Session>), StoreError> {
        if let Some(mode) = self.0.fixed {
            return Ok((mode, self.part(mode)?.load(key)?));
        }
        let mut sidecar = self.0.file.sidecar();
        for _ in 1..ROUNDS {
            let home = sidecar.home(key.as_str()).and_then(StorageMode::parse);
            let found = self.find_at(key, home, &sidecar)?;
            if found.1.is_some() {
                return Ok(found);
            }
            // It may have been moved in between.
            sidecar = self.0.file.sidecar();
            if sidecar.home(key.as_str()).and_then(StorageMode::parse) == home {
                return Ok(found);
            }
        }
        self.find_at(key, sidecar.home(key.as_str()).and_then(StorageMode::parse), &sidecar)
    }

    fn find_at(
        &self,
        key: &CacheKey,
        home: Option<StorageMode>,
        sidecar: &Sidecar,
    ) -> Result<(StorageMode, Option<Session>), StoreError> {
        match home {
            Some(StorageMode::Plaintext) => {
                Ok((StorageMode::Plaintext, self.0.file.load_with(key, sidecar)?))
            }
            Some(mode) => Ok((mode, self.part(mode)?.load(key)?)),
            None => self.look_around(key),
        }
    }

    /// Looks for a login that u2m has not saved: the keyring is where Databricks' own command line keeps it by default.
    fn look_around(&self, key: &CacheKey) -> Result<(StorageMode, Option<Session>), StoreError> {
        for mode in StorageMode::ALL {
            let Ok(store) = self.part(mode) else { continue };
            match store.load(key) {
                Ok(Some(session)) => return Ok((mode, Some(session))),
                Ok(None) => {}
                Err(error) if error.is_absent_store() => {}
                Err(error) => return Err(error),
            }
        }
        Ok((StorageMode::Plaintext, None))
    }
}
