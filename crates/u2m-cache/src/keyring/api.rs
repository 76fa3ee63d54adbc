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

/// Refuses a secret that is longer than a keyring takes.
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
