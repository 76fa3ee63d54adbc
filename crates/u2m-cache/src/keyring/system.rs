//! The keyring of the operating system that the program runs on.

use super::api::{Keyring, check_account, check_size};
use super::encoding::Encoding;
use super::error::KeyringError;
use std::time::Duration;
use zeroize::Zeroizing;

#[cfg(target_os = "macos")]
use super::apple as backend;
#[cfg(not(any(target_os = "macos", windows, all(unix, not(target_vendor = "apple")))))]
use super::nowhere as backend;
#[cfg(all(unix, not(target_vendor = "apple")))]
use super::secret_service as backend;
#[cfg(windows)]
use super::windows as backend;

/// The operating system's keyring: the Secret Service on Linux and the BSDs, the login keychain on macOS, the Credential
/// Manager on Windows. Its items are the same as those of Databricks' CLI.
///
/// Nothing is opened or started before the first call, and a session bus is never started. Calls may wait for a prompt: wrap
/// this in [`TimeoutKeyring`](super::TimeoutKeyring).
///
/// ```
/// use u2m_cache::{Keyring, SystemKeyring};
/// assert_eq!(SystemKeyring::new("databricks-cli").service(), "databricks-cli");
/// ```
#[derive(Clone, Debug)]
pub struct SystemKeyring {
    service: String,
    backend: backend::Backend,
}

impl SystemKeyring {
    /// Uses the items of `service`. Databricks' CLI uses `databricks-cli`.
    ///
    /// ```
    /// let keyring = u2m_cache::SystemKeyring::new("databricks-cli");
    /// # let _ = keyring;
    /// ```
    pub fn new(service: impl Into<String>) -> Self {
        let service = service.into();
        Self { backend: backend::Backend::new(service.clone()), service }
    }

    /// Encrypts secrets in transit over the session bus (`dh-ietf1024-sha256-aes128-cbc-pkcs7`, KEY-11). Has no effect on
    /// systems other than Linux and the BSDs. Requires the feature `keyring-encrypted-transport`.
    ///
    /// It is not the default, because a session bus is a socket of the same user, who can ask the keyring for the secret
    /// anyway, and because the key exchange adds about 5 ms to every read.
    ///
    /// ```
    /// let keyring = u2m_cache::SystemKeyring::new("databricks-cli").with_encrypted_transport();
    /// # let _ = keyring;
    /// ```
    #[cfg(feature = "keyring-encrypted-transport")]
    #[must_use]
    pub fn with_encrypted_transport(mut self) -> Self {
        self.backend.encrypt();
        self
    }
}

impl Keyring for SystemKeyring {
    fn service(&self) -> &str {
        &self.service
    }

    fn describe(&self) -> &'static str {
        backend::NAME
    }

    fn get(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        check_account(account)?;
        let Some(value) = self.backend.get(account)? else { return Ok(None) };
        match Encoding::HERE {
            Encoding::Plain => Ok(Some(value)),
            encoding => encoding
                .decode(&value)
                .map(Some)
                .ok_or_else(|| KeyringError::broken("the item's encoding is damaged")),
        }
    }

    fn get_within(
        &self,
        account: &str,
        limit: Duration,
    ) -> Option<Result<Option<Zeroizing<Vec<u8>>>, KeyringError>> {
        match check_account(account) {
            Ok(()) => self.backend.get_within(account, limit),
            Err(error) => Some(Err(error)),
        }
    }

    fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringError> {
        check_account(account)?;
        check_size(secret.len(), backend::LIMIT)?;
        self.backend.set(account, &Encoding::HERE.encode(secret))
    }

    fn delete(&self, account: &str) -> Result<(), KeyringError> {
        check_account(account)?;
        self.backend.delete(account)
    }

    fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
        self.backend.accounts()
    }

    fn age(&self, account: &str) -> Result<Option<Duration>, KeyringError> {
        check_account(account)?;
        self.backend.age(account)
    }

    fn limit(&self) -> Option<usize> {
        backend::LIMIT
    }

    fn guards_items(&self) -> bool {
        cfg!(target_os = "macos")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_the_keyring_of_this_system_is_like() {
        let keyring = SystemKeyring::new("u2m");
        assert_eq!((keyring.service(), keyring.describe()), ("u2m", backend::NAME));
        assert_eq!(keyring.limit(), backend::LIMIT);
        // Only macOS asks a person for each item that another program has made.
        assert_eq!(keyring.guards_items(), cfg!(target_os = "macos"));
    }
}
