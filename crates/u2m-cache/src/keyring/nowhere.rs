//! Systems without a keyring that is known here.

use super::KeyringError;
use std::time::Duration;
use zeroize::Zeroizing;

/// Nothing.
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

    /// Nothing here ends by itself.
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
