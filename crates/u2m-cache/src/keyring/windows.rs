//! The Credential Manager of Windows. Its items are those of Databricks' CLI: generic credentials for this machine, with the
//! target `<service>:<key>` and the key as user.

use super::{KeyringError, status};
use keyring_core::api::CredentialStoreApi;
use keyring_core::{Entry, Error};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use windows_native_keyring_store::Store;
use zeroize::Zeroizing;

/// The items of one service.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    /// The prefix of targets.
    prefix: String,
}

pub(super) const NAME: &str = "Windows Credential Manager";

/// `CRED_MAX_CREDENTIAL_BLOB_SIZE`, in bytes.
pub(super) const LIMIT: Option<usize> = Some(2560);

impl Backend {
    pub(super) fn new(service: String) -> Self {
        Self { prefix: format!("{service}:") }
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
        let entries = self.store()?.search(&HashMap::new()).map_err(failed)?;
        // For the credentials of other programs the library returns no user.
        let names = entries.iter().filter_map(|entry| Some(entry.get_specifiers()?.1));
        Ok(Some(names.collect()))
    }

    /// The library does not report this.
    pub(super) fn age(&self, _: &str) -> Result<Option<Duration>, KeyringError> {
        Ok(None)
    }

    /// With an empty service, the library appends only the user to the prefix.
    fn store(&self) -> Result<Arc<Store>, KeyringError> {
        let form =
            HashMap::from([("prefix", self.prefix.as_str()), ("divider", ""), ("suffix", "")]);
        Store::new_with_configuration(&form).map_err(failed)
    }

    fn entry(&self, account: &str) -> Result<Entry, KeyringError> {
        let local = HashMap::from([("persistence", "Local")]);
        self.store()?.build("", account, Some(&local)).map_err(failed)
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
        // ERROR_NO_SUCH_LOGON_SESSION is the only error that the library reports this way.
        Error::NoStorageAccess(_) => KeyringError::NoService,
        Error::PlatformFailure(cause) => status::of_windows_text(&cause.to_string()),
        Error::TooLong(..) | Error::Invalid(..) => KeyringError::InvalidAccount,
        other => KeyringError::broken(&other.to_string()),
    }
}
