//! The keyring interface that all operating systems have in common.

use super::error::KeyringError;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Stores secrets by account name, under one service name. Every call may block for as long as the keyring likes;
/// [`TimeoutKeyring`](super::TimeoutKeyring) limits that.
///
/// ```
/// use u2m_cache::{Keyring, SystemKeyring};
/// let keyring: Box<dyn Keyring> = Box::new(SystemKeyring::new("databricks-cli"));
/// println!("{}, service {}", keyring.describe(), keyring.service());
/// ```
pub trait Keyring: fmt::Debug + Send + Sync {
    /// Returns the service name of the secrets.
    fn service(&self) -> &str;

    /// Returns the keyring's name for messages, such as `GNOME keyring`.
    fn describe(&self) -> &'static str;

    /// Returns the secret of an account, or `None` if there is none.
    ///
    /// # Errors
    /// Fails if that cannot be found out.
    fn get(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError>;

    /// Like [`Keyring::get`], for keyrings whose reads can enforce `limit` themselves. Returns `None` if this one cannot, so
    /// that the caller must run [`Keyring::get`] on a separate thread.
    fn get_within(
        &self,
        account: &str,
        limit: Duration,
    ) -> Option<Result<Option<Zeroizing<Vec<u8>>>, KeyringError>> {
        let _ = (account, limit);
        None
    }

    /// Inserts or replaces the secret of an account.
    ///
    /// # Errors
    /// Fails if the secret was not stored, or if that cannot be found out.
    fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringError>;

    /// Removes every secret of an account (KEY-9). Succeeds if there is none.
    ///
    /// # Errors
    /// Fails if the secret was not removed, or if that cannot be found out.
    fn delete(&self, account: &str) -> Result<(), KeyringError>;

    /// Returns the accounts of the service, in any order, or `None` if the platform cannot list them.
    ///
    /// # Errors
    /// Fails if the keyring cannot be read.
    fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError>;

    /// Returns how long ago an account's secret was created, or `None` if that is not known.
    ///
    /// # Errors
    /// Fails if the keyring cannot be read.
    fn age(&self, account: &str) -> Result<Option<Duration>, KeyringError> {
        let _ = account;
        Ok(None)
    }

    /// Returns the maximum size of one secret in bytes, or `None` if there is no practical limit.
    fn limit(&self) -> Option<usize> {
        None
    }

    /// Returns whether access is granted for each item separately, so that the user may be asked before one item is replaced
    /// and not before another. This is so on macOS for items that another program made.
    fn guards_items(&self) -> bool {
        false
    }

    /// Keeps `what`, a lock, until no write that a caller gave up on is still running. If callers never give up, drops it at
    /// once.
    fn keep_until_idle(&self, what: Box<dyn Any + Send>) {
        drop(what);
    }
}

impl<K: Keyring + ?Sized> Keyring for Arc<K> {
    fn service(&self) -> &str {
        (**self).service()
    }

    fn describe(&self) -> &'static str {
        (**self).describe()
    }

    fn get(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        (**self).get(account)
    }

    fn get_within(
        &self,
        account: &str,
        limit: Duration,
    ) -> Option<Result<Option<Zeroizing<Vec<u8>>>, KeyringError>> {
        (**self).get_within(account, limit)
    }

    fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringError> {
        (**self).set(account, secret)
    }

    fn delete(&self, account: &str) -> Result<(), KeyringError> {
        (**self).delete(account)
    }

    fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
        (**self).accounts()
    }

    fn age(&self, account: &str) -> Result<Option<Duration>, KeyringError> {
        (**self).age(account)
    }

    fn limit(&self) -> Option<usize> {
        (**self).limit()
    }

    fn guards_items(&self) -> bool {
        (**self).guards_items()
    }

    fn keep_until_idle(&self, what: Box<dyn Any + Send>) {
        (**self).keep_until_idle(what);
    }
}

/// Refuses names that a line-oriented tool would misread (KEY-13), and the empty one, which some platforms treat as any name.
pub(crate) fn check_account(account: &str) -> Result<(), KeyringError> {
    if account.is_empty() || account.chars().any(char::is_control) {
        Err(KeyringError::InvalidAccount)
    } else {
        Ok(())
    }
}

/// Refuses a secret that is longer than the keyring's limit.
pub(crate) fn check_size(len: usize, limit: Option<usize>) -> Result<(), KeyringError> {
    match limit.filter(|limit| len > *limit) {
        Some(limit) => Err(KeyringError::TooBig { len, limit }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::Sanitized;

    /// Answers within a limit by itself, and not at all without one.
    #[derive(Debug)]
    struct Bounding;

    impl Keyring for Bounding {
        fn service(&self) -> &str {
            "a service"
        }

        fn describe(&self) -> &'static str {
            "a keyring"
        }

        fn get(&self, _: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
            Err(KeyringError::NoService)
        }

        fn get_within(
            &self,
            account: &str,
            limit: Duration,
        ) -> Option<Result<Option<Zeroizing<Vec<u8>>>, KeyringError>> {
            Some(Ok(Some(Zeroizing::new(format!("{account} in {limit:?}").into_bytes()))))
        }

        fn set(&self, _: &str, _: &[u8]) -> Result<(), KeyringError> {
            Err(KeyringError::NoService)
        }

        fn delete(&self, _: &str) -> Result<(), KeyringError> {
            Err(KeyringError::NoService)
        }

        fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
            Err(KeyringError::NoService)
        }
    }

    /// Says what was asked of it, by failing with it.
    #[derive(Debug)]
    struct Telling;

    fn told(what: &str, account: &str) -> KeyringError {
        KeyringError::Other(Sanitized::new(&format!("{what} {account}")))
    }

    impl Keyring for Telling {
        fn service(&self) -> &str {
            "a service"
        }
        fn describe(&self) -> &'static str {
            "a keyring"
        }
        fn get(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
            Err(told("get", account))
        }
        fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringError> {
            Err(told(std::str::from_utf8(secret).unwrap(), account))
        }
        fn delete(&self, account: &str) -> Result<(), KeyringError> {
            Err(told("delete", account))
        }
        fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
            Err(told("list", "all"))
        }
        fn age(&self, account: &str) -> Result<Option<Duration>, KeyringError> {
            Err(told("age", account))
        }
        fn limit(&self) -> Option<usize> {
            Some(7)
        }
        fn guards_items(&self) -> bool {
            true
        }
        fn keep_until_idle(&self, what: Box<dyn Any + Send>) {
            std::mem::forget(what);
        }
    }

    #[test]
    fn a_shared_keyring_is_asked_what_it_would_be_asked_alone() {
        let shared: Arc<dyn Keyring> = Arc::new(Telling);
        let shared = Arc::new(shared);
        assert_eq!((shared.service(), shared.describe()), ("a service", "a keyring"));
        assert_eq!((shared.limit(), shared.guards_items()), (Some(7), true));
        for (error, says) in [
            (shared.get("dev").unwrap_err(), "get dev"),
            (shared.set("dev", b"secret").unwrap_err(), "secret dev"),
            (shared.delete("dev").unwrap_err(), "delete dev"),
            (shared.accounts().unwrap_err(), "list all"),
            (shared.age("dev").unwrap_err(), "age dev"),
        ] {
            assert!(error.to_string().contains(says), "{error}");
        }
        let (kept, dropped) = (Arc::new(()), Arc::new(()));
        shared.keep_until_idle(Box::new(Arc::clone(&kept)));
        Bounding.keep_until_idle(Box::new(Arc::clone(&dropped)));
        assert_eq!((Arc::strong_count(&kept), Arc::strong_count(&dropped)), (2, 1));
    }

    #[test]
    fn a_keyring_that_says_nothing_of_itself_has_no_limit_guards_nothing_and_tells_no_age() {
        assert_eq!((Bounding.limit(), Bounding.guards_items()), (None, false));
        assert!(matches!(Bounding.age("dev"), Ok(None)));
        assert!(Telling.get_within("dev", Duration::ZERO).is_none());
    }

    #[test]
    fn a_secret_may_be_as_long_as_the_limit_and_no_longer() {
        assert!(check_size(7, None).is_ok() && check_size(7, Some(7)).is_ok());
        let refused = check_size(9, Some(7));
        assert!(matches!(refused, Err(KeyringError::TooBig { len: 9, limit: 7 })), "{refused:?}");
        assert!(check_size(8, Some(7)).is_err());
    }

    #[test]
    fn a_shared_keyring_bounds_its_reads_as_it_does_alone() {
        let shared: Arc<dyn Keyring> = Arc::new(Bounding);
        let read = Arc::new(shared).get_within("dev", Duration::from_secs(3));
        let read = read.unwrap().unwrap().unwrap();
        assert_eq!(std::str::from_utf8(&read).unwrap(), "dev in 3s");
    }
}
