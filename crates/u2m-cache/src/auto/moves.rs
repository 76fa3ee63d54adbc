//! Moving a login from one store to another.

use super::AutoStore;
use crate::error::StoreError;
use crate::mode::StorageMode;
use crate::store::TokenStore;
use std::time::Duration;
use u2m_core::{CacheKey, Session};

impl AutoStore {
    /// The stores that hold a login under `key`, wherever it is looked for otherwise. One that cannot be asked is left out.
    pub fn holders(&self, key: &CacheKey) -> Vec<StorageMode> {
        let holds = |mode: &StorageMode| match self.part(*mode).map(|store| store.load(key)) {
            Ok(Ok(found)) => found.is_some(),
            // It is there, and cannot be read.
            Ok(Err(StoreError::BadEntry { .. })) => true,
            _ => false,
        };
        StorageMode::ALL.into_iter().filter(holds).collect()
    }

    /// Moves a login to another store: copies it under its lock, reads it back, and only then removes it where it was
    /// (KEY-8). Whether there was anything to move.
    ///
    /// # Errors
    /// It is still where it was then.
    pub fn migrate(
        &self,
        key: &CacheKey,
        from: StorageMode,
        to: StorageMode,
        patience: Duration,
    ) -> Result<bool, StoreError> {
        if from == to {
            return Ok(false);
        }
        let (source, target) = (self.part(from)?, self.part(to)?);
        target.prepare_login(key)?;
        // A refresh that is under way ends first, and none begins before the login is in its new place.
        let _lock =
            source.lock(key, patience)?.ok_or_else(|| StoreError::Busy { key: key.clone() })?;
        let Some(session) = source.load(key)? else { return Ok(false) };
        let home = self.home(key);
        let moved = copy(key, &session, target).and_then(|()| self.set_home(key, Some(to)));
        if let Err(error) = moved {
            // A copy that is not sure must not be what is found from now on.
            if self.home(key) != home {
                let _ = self.set_home(key, home.or(Some(from)));
            }
            return Err(error);
        }
        source.delete(key)?;
        Ok(true)
    }
}

/// Saves a login in another store, and reads it back.
fn copy(key: &CacheKey, session: &Session, target: &dyn TokenStore) -> Result<(), StoreError> {
    target.save(key, session)?;
    match target.load(key)?.map(|copy| copy.fingerprint()) {
        Some(copy) if copy == session.fingerprint() => Ok(()),
        _ => Err(StoreError::NotKept { key: key.clone() }),
    }
}
