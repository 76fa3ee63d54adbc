//! The login keychain of macOS. Its items are those of Databricks' CLI, by service and account. Only error codes are
//! evaluated, never error texts.

use super::{KeyringError, status};
use apple_native_keyring_store::keychain::Store;
use keyring_core::api::CredentialStoreApi;
use keyring_core::{Entry, Error};
use security_framework::base::Error as StatusError;
use std::collections::HashMap;
use std::time::Duration;
use zeroize::Zeroizing;

/// The items of one service.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    service: String,
}

pub(super) const NAME: &str = "macOS keychain";

/// Databricks' CLI has a limit of about 3 kB because it uses a command line, which is not used here.
pub(super) const LIMIT: Option<usize> = None;

impl Backend {
    pub(super) fn new(service: String) -> Self {
        Self { service }
    }

    /// No bus is used here.
    #[cfg(feature = "keyring-encrypted-transport")]
    pub(super) fn encrypt(&mut self) {}

    pub(super) fn get(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        or_absent(self.entry(account)?.get_secret().map(|secret| Some(Zeroizing::new(secret))))
    }

    /// Calls here cannot enforce a time limit.
    pub(super) fn get_within(
        &self,
        _: &str,
        _: Duration,
    ) -> Option<Result<Option<Zeroizing<Vec<u8>>>, KeyringError>> {
        None
    }

    pub(super) fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringError> {
        self.entry(account)?.set_secret(secret).map_err(failed)
    }

    pub(super) fn delete(&self, account: &str) -> Result<(), KeyringError> {
        or_absent(self.entry(account)?.delete_credential().map(Some)).map(|_| ())
    }

    pub(super) fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
        let store = Store::new().map_err(failed)?;
        let found = store.search(&HashMap::from([("service", self.service.as_str())]));
        let entries = found.map_err(failed)?;
        let names = entries.iter().filter_map(|entry| Some(entry.get_specifiers()?.1));
        Ok(Some(names.collect()))
    }

    /// The library does not report this.
    pub(super) fn age(&self, _: &str) -> Result<Option<Duration>, KeyringError> {
        Ok(None)
    }

    fn entry(&self, account: &str) -> Result<Entry, KeyringError> {
        Store::new().and_then(|store| store.build(&self.service, account, None)).map_err(failed)
    }
}

fn or_absent<T>(result: keyring_core::Result<Option<T>>) -> Result<Option<T>, KeyringError> {
    match result {
        Err(Error::NoEntry) => Ok(None),
        other => other.map_err(failed),
    }
}

fn failed(error: Error) -> KeyringError {
    match error {
        Error::PlatformFailure(cause) | Error::NoStorageAccess(cause) => {
            let code = cause.downcast_ref::<StatusError>().map(|error| error.code());
            code.and_then(status::of_apple)
                .unwrap_or_else(|| KeyringError::broken("the keychain gave no status"))
        }
        Error::Invalid(..) => KeyringError::InvalidAccount,
        other => KeyringError::broken(&other.to_string()),
    }
}
