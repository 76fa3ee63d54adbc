//! Decides where a login goes, and records it.

use super::{AutoStore, NamedStore};
use crate::error::StoreError;
use crate::mode::StorageMode;
use std::error::Error;
use u2m_core::CacheKey;

impl AutoStore {
    /// Returns where to save a login: where it was decided, else where it is, else where new ones go.
    pub(super) fn keep(&self, key: &CacheKey) -> Result<StorageMode, StoreError> {
        if let NamedStore::Alone(mode) = self.0.naming {
            return Ok(mode);
        }
        if let Some(mode) = self.open_landing(key) {
            return Ok(mode);
        }
        match (self.find(key)?, self.0.naming.mode()) {
            ((mode, Some(_)), _) | (_, Some(mode)) => Ok(mode),
            ((_, None), None) => self.decide(key),
        }
    }

    /// Decides where a new login goes. Tests the keyring with a write.
    pub(super) fn decide(&self, key: &CacheKey) -> Result<StorageMode, StoreError> {
        if let Some(mode) = self.0.naming.mode() {
            self.part(mode)?.prepare_login(key)?;
            return Ok(mode);
        }
        let keyring = self.part(StorageMode::Secure);
        match keyring.and_then(|keyring| keyring.prepare_login(key)) {
            Ok(()) => Ok(StorageMode::Secure),
            Err(error) if error.is_absent_store() => {
                self.notice(format!(
                    "the login is kept unencrypted in {}, because {}",
                    crate::DisplayPath::from(self.0.file.path()),
                    cause(&error)
                ));
                self.part(StorageMode::Plaintext)?.prepare_login(key)?;
                Ok(StorageMode::Plaintext)
            }
            // A keyring that is silent or waits for its prompt is no reason to store the login where every backup finds it.
            // And the user is not asked to sign in for a login that cannot be stored.
            Err(error) => Err(error),
        }
    }

    /// Records where a login is now: for a new login always, for another one only if nothing was recorded. Removes what a new
    /// login has replaced elsewhere; if that fails there is a notice, but no error.
    ///
    /// # Errors
    /// Fails if it cannot be recorded. All programs then continue to use the older login.
    pub(super) fn record(&self, key: &CacheKey, mode: StorageMode) -> Result<(), StoreError> {
        let (before, is_new) = (self.home(key), self.open_landing(key) == Some(mode));
        match before.filter(|before| *before != mode) {
            Some(before) if is_new => self.leave(key, before, mode)?,
            None if before.is_none() => {
                if let Err(error) = self.set_home(key, Some(mode)) {
                    // It is still found by searching the stores.
                    self.notice(format!(
                        "where the login '{key}' is kept could not be noted: {error}"
                    ));
                }
            }
            _ => {}
        }
        if is_new && let Some(landing) = self.landings().get_mut(key) {
            landing.is_open = false;
        }
        Ok(())
    }

    /// Makes a new login replace an older one in another store, which is removed.
    fn leave(
        &self,
        key: &CacheKey,
        before: StorageMode,
        mode: StorageMode,
    ) -> Result<(), StoreError> {
        let name = key.as_str();
        let old = self.part(before).and_then(|part| part.load(key));
        let state = old.ok().flatten().map(|old| old.fingerprint());
        self.0.file.note(|sidecar| {
            if let Some(state) = &state {
                sidecar.add_stray(name, before.as_str(), state);
            }
            sidecar.drop_stray(name, mode.as_str());
            sidecar.set_home(name, Some(mode.as_str()))
        })?;
        match self.part(before).and_then(|part| part.delete(key)) {
            Ok(()) => {
                let _ = self.0.file.note(|sidecar| sidecar.drop_stray(name, before.as_str()));
            }
            // A store that this program does not have is ignored.
            Err(StoreError::NoStore { .. } | StoreError::NotBuilt { .. })
                if self.part(before).is_err() => {}
            Err(error) => {
                self.notice(format!("an older login '{key}' could not be removed: {error}"));
            }
        }
        Ok(())
    }
}

/// Returns why there is no such store, without the advice in the message.
fn cause(error: &StoreError) -> String {
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    text.split(';').next().unwrap_or_default().to_owned()
}
