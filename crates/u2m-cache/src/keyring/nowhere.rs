//! Operating systems for which u2m supports no keyring.

use super::KeyringError;
use std::time::Duration;
use zeroize::Zeroizing;

/// The backend without a keyring.
#[derive(Clone, Debug)]
pub(super) struct Backend;

pub(super) const NAME: &str = "keyring";
pub(super) const LIMIT: Option<usize> = None;

impl Backend {
    pub(super) fn new(_: String) -> Self {
        Self
    }

    #[cfg(feature = "keyring-encrypted-transport")]
    pub(super) fn encrypt(&mut self) {}

    pub(super) fn get(&self, _: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        Err(KeyringError::Unsupported)
    }

    /// Calls here cannot enforce a time limit.
    pub(super) fn get_within(
        &self,
        _: &str,
        _: Duration,
    ) -> Option<Result<Option<Zeroizing<Vec<u8>>>, KeyringError>> {
        None
    }

    pub(super) fn set(&self, _: &str, _: &[u8]) -> Result<(), KeyringError> {
        Err(KeyringError::Unsupported)
    }

    pub(super) fn delete(&self, _: &str) -> Result<(), KeyringError> {
        Err(KeyringError::Unsupported)
    }

    pub(super) fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
        Err(KeyringError::Unsupported)
    }

    pub(super) fn age(&self, _: &str) -> Result<Option<Duration>, KeyringError> {
        Err(KeyringError::Unsupported)
    }
}
