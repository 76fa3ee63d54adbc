//! What a keyring can do, whatever the operating system.

use super::error::KeyringError;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Secrets by account, under one service. Every call may block for as long as the keyring likes;
/// [`TimeoutKeyring`](super::TimeoutKeyring) puts an end to that.
///
/// ```
/// use u2m_cache::{Keyring, SystemKeyring};
/// let keyring: Box<dyn Keyring> = Box::new(SystemKeyring::new("databricks-cli"));
/// println!("{}, service {}", keyring.describe(), keyring.service());
/// ```
pub trait Keyring: fmt::Debug + Send + Sync {
    /// The service under which the secrets stand.
    fn service(&self) -> &str;

    /// The keyring's name for messages, such as `GNOME keyring`.
    fn describe(&self) -> &'static str;

    /// The secret of an account; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be known.
    fn get(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError>;

    /// As [`Keyring::get`], where that is sure to end within `limit` by itself; `None` where it may not, and a thread has
    /// to be spent on it.
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
    /// It was not stored, or that cannot be known.
    fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringError>;

    /// Removes every secret of an account (KEY-9); absence is success.
    ///
    /// # Errors
    /// It was not removed, or that cannot be known.
    fn delete(&self, account: &str) -> Result<(), KeyringError>;

    /// The accounts of the service, in any order; `None` where the platform cannot tell.
    ///
    /// # Errors
    /// The keyring cannot be read.
    fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError>;

    /// How long ago an account's secret was created; `None` where that cannot be told.
    ///
    /// # Errors
    /// The keyring cannot be read.
    fn age(&self, account: &str) -> Result<Option<Duration>, KeyringError> {
        let _ = account;
        Ok(None)
    }

    /// The most bytes that one secret can have; `None` where there is no limit worth the name.
    fn limit(&self) -> Option<usize> {
        None
    }

    /// Whether each item has a guard of its own, so that a person may be asked before one is replaced, and not before another
    /// is: macOS, for items that another program made.
    fn guards_items(&self) -> bool {
        false
    }

    /// Keeps `what`, a lock, until no write is under way that a caller has given up on; drops it at once where callers
    /// never give up.
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

/// Names that a line-oriented tool would misread are refused (KEY-13), as is the empty one, which some platforms take
/// for any.
pub(crate) fn check_account(account: &str) -> Result<(), KeyringError> {
    if account.is_empty() || account.chars().any(char::is_control) {
        Err(KeyringError::InvalidAccount)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_shared_keyring_bounds_its_reads_as_it_does_alone() {
        let shared: Arc<dyn Keyring> = Arc::new(Bounding);
        let read = Arc::new(shared).get_within("dev", Duration::from_secs(3));
        let read = read.unwrap().unwrap().unwrap();
        assert_eq!(std::str::from_utf8(&read).unwrap(), "dev in 3s");
    }
}
