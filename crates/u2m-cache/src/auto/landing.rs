//! Where a login goes, and what is written down of it.

use super::AutoStore;
use crate::error::StoreError;
use crate::mode::StorageMode;
use std::error::Error;
use u2m_core::CacheKey;

impl AutoStore {
    /// Where a login is to be saved: where it was decided, else where it is, else where new ones go.
    pub(super) fn keep(&self, key: &CacheKey) -> Result<StorageMode, StoreError> {
        if let Some(mode) = self.0.fixed.or_else(|| self.open_landing(key)) {
            return Ok(mode);
        }
        match self.find(key)? {
            (mode, Some(_)) => Ok(mode),
            (_, None) => self.decide(key),
        }
    }

    /// Decides where a new login goes, by asking the keyring for a sign of life (a write).
    pub(super) fn decide(&self, key: &CacheKey) -> Result<StorageMode, StoreError> {
        if let Some(mode) = self.0.fixed {
            self.part(mode)?.prepare_login(key)?;
            return Ok(mode);
        }
        let keyring = self.part(StorageMode::Secure);
        match keyring.and_then(|keyring| keyring.prepare_login(key)) {
            Ok(()) => Ok(StorageMode::Secure),
            Err(error) if error.is_absent_store() => {
                self.notice(format!(
                    "the login is kept unencrypted in {}, because {}",
                    crate::Shown::from(self.0.file.path()),
                    cause(&error)
                ));
                Ok(StorageMode::Plaintext)
            }
            // It is only slow, or waits for its prompt: what cannot be saved later is an error then, and no reason to
            // keep the login where everybody's backup finds it.
            Err(error) if error.is_transient() => Ok(StorageMode::Secure),
            Err(error) => Err(error),
        }
    }

    /// Records where a login is now: a new one wherever it went, another one if nothing was recorded. What a new login has
    /// replaced elsewhere is removed there; that this does not work is told and is no failure.
    ///
    /// # Errors
    /// Everybody goes on to look for it where an older one is.
    pub(super) fn record(&self, key: &CacheKey, mode: StorageMode) -> Result<(), StoreError> {
        let (before, is_new) = (self.home(key), self.open_landing(key) == Some(mode));
        if before != Some(mode) && (before.is_none() || is_new) {
            if let Err(error) = self.set_home(key, Some(mode)) {
                if before.is_some() {
                    return Err(error);
                }
                // It is found all the same, by looking around.
                self.notice(format!("where the login '{key}' is kept could not be noted: {error}"));
            }
            let old = before.and_then(|before| self.part(before).ok());
            if let Some(Err(error)) = old.map(|old| old.delete(key)) {
                self.notice(format!("an older login '{key}' could not be removed: {error}"));
            }
        }
        if is_new && let Some(landing) = self.landings().get_mut(key) {
            landing.is_open = false;
        }
        Ok(())
    }
}

/// Why there is no such store, without what could be done about it.
fn cause(error: &StoreError) -> String {
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    text.split(';').next().unwrap_or_default().to_owned()
}
