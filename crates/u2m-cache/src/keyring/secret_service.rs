//! The Secret Service of Linux and the BSDs: GNOME Keyring, KWallet, KeePassXC. Its items are those of Databricks' CLI
//! (go-keyring), attribute for attribute.

mod address;
#[cfg(test)]
mod conversations;
mod failures;
mod items;
mod message;
mod wire;

use super::KeyringError;
use dbus_secret_service::EncryptionType;
use std::time::Duration;
use zeroize::Zeroizing;

/// The items of one service.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    service: String,
    /// Always false without the feature for it.
    is_encrypted: bool,
}

pub(super) const NAME: &str = "Secret Service keyring";

/// Secrets of about 100 KiB and more are slow but possible.
pub(super) const LIMIT: Option<usize> = None;

/// The time limit of a read without one, as in D-Bus libraries.
const PATIENCE: Duration = Duration::from_secs(25);

impl Backend {
    pub(super) fn new(service: String) -> Self {
        Self { service, is_encrypted: false }
    }

    #[cfg(feature = "keyring-encrypted-transport")]
    pub(super) fn encrypt(&mut self) {
        self.is_encrypted = true;
    }

    pub(super) fn get(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        self.get_within(account, PATIENCE).unwrap_or_else(|| items::read(self, account))
    }

    /// Reads over the direct connection. Returns `None` if that does not work here.
    pub(super) fn get_within(
        &self,
        account: &str,
        limit: Duration,
    ) -> Option<Result<Option<Zeroizing<Vec<u8>>>, KeyringError>> {
        if self.is_encrypted {
            return None;
        }
        match wire::read(&self.attributes(account), limit) {
            Ok(wire::SearchResult::Nothing) => Some(Ok(None)),
            Ok(wire::SearchResult::Secret(secret)) => Some(Ok(Some(secret))),
            Ok(wire::SearchResult::Further) => None,
            Err(error) => Some(Err(error)),
        }
    }

    pub(super) fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringError> {
        items::write(self, account, secret)
    }

    pub(super) fn delete(&self, account: &str) -> Result<(), KeyringError> {
        items::delete(self, account)
    }

    pub(super) fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
        items::accounts(self).map(Some)
    }

    pub(super) fn age(&self, account: &str) -> Result<Option<Duration>, KeyringError> {
        items::age(self, account)
    }

    fn attributes<'a>(&'a self, account: &'a str) -> [(&'a str, &'a str); 2] {
        [("service", self.service.as_str()), ("username", account)]
    }

    #[cfg(feature = "keyring-encrypted-transport")]
    fn encryption(&self) -> EncryptionType {
        if self.is_encrypted { EncryptionType::Dh } else { EncryptionType::Plain }
    }

    #[cfg(not(feature = "keyring-encrypted-transport"))]
    fn encryption(&self) -> EncryptionType {
        EncryptionType::Plain
    }
}
