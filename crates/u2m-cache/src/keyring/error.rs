//! The errors of a keyring, by cause. Only some of them may make u2m use another store.

use u2m_core::Sanitized;

/// An error from the operating system's keyring. Each message says what to do. None contains a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// There is no session bus. u2m does not start one.
    #[error(
        "there is no session bus to reach a keyring on; run inside a desktop session, or keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    NoBus,
    /// There is a session bus, but no keyring service on it.
    #[error(
        "no keyring answers on the session bus; start one (GNOME Keyring, KWallet, KeePassXC), or keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    NoService,
    /// u2m supports no keyring on this operating system.
    #[error(
        "this operating system has no keyring that can be used; keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    Unsupported,
    /// The keyring has no collection to put an item in.
    #[error(
        "the keyring has no collection yet; create one in the desktop's password program, or keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    NoCollection,
    /// The keyring is locked and the user could not be asked to unlock it, for example over SSH.
    #[error(
        "it is locked; unlock it and try again, or keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    Locked,
    /// The user or a policy denied access.
    #[error(
        "access was refused: its prompt was dismissed, or there was nobody to show it to; unlock the keyring and try again, or keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    Denied,
    /// The keyring did not answer in time. The operation continues in the background.
    #[error(
        "keyring {operation} timed out; it may be locked and waiting for its prompt: unlock it and try again, or keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    Timeout {
        /// `get`, `set`, `delete` or `list`.
        operation: &'static str,
    },
    /// An earlier operation of this process timed out and is still running.
    #[error(
        "keyring {operation} timed out before and is still under way; unlock the keyring and try again"
    )]
    Busy {
        /// `get`, `set`, `delete` or `list`.
        operation: &'static str,
    },
    /// A write timed out and may still take effect (KEY-7).
    #[error(
        "keyring {operation} timed out and its outcome is unknown: it may still be done later; unlock the keyring and try again"
    )]
    Unknown {
        /// `set` or `delete`.
        operation: &'static str,
    },
    /// The keyring reported success but did not store the value (KEY-4).
    #[error(
        "it did not keep what it was given; it may be a stand-in without storage: use another keyring, or keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    NotKept,
    /// The keyring closed the connection or gave an invalid answer.
    #[error("it gave no sound answer: {0}; restart it and try again")]
    Broken(Sanitized),
    /// The value is longer than the keyring can store, even in several parts.
    #[error(
        "{len} bytes are too big for this keyring, which takes {limit}; keep this login in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    TooBig {
        /// The size of the value in bytes.
        len: usize,
        /// The maximum size in bytes.
        limit: usize,
    },
    /// The account name is empty or reserved, or has control characters, which line-oriented tools would misread (KEY-13).
    #[error(
        "this name cannot stand in a keyring: it is empty, reserved, or has control characters"
    )]
    InvalidAccount,
    /// Any other error.
    #[error("{0}")]
    Other(Sanitized),
}

impl KeyringError {
    /// Returns whether there is no keyring here at all. Only then may u2m choose another store if none was requested by name
    /// (FALL-4): a locked or silent keyring may hold the login.
    ///
    /// ```
    /// use u2m_cache::KeyringError;
    /// assert!(KeyringError::NoBus.is_absent_service());
    /// assert!(!KeyringError::Locked.is_absent_service());
    /// ```
    pub fn is_absent_service(&self) -> bool {
        matches!(self, Self::NoBus | Self::NoService | Self::Unsupported)
    }

    /// Returns whether retrying later may succeed without any change.
    ///
    /// ```
    /// use u2m_cache::KeyringError;
    /// assert!(KeyringError::Timeout { operation: "get" }.is_transient());
    /// assert!(!KeyringError::Denied.is_transient());
    /// ```
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Busy { .. } | Self::Unknown { .. })
    }

    /// Returns whether the keyring itself cannot be reached at the moment, as opposed to a problem with the requested item.
    pub(crate) fn is_out_of_reach(&self) -> bool {
        match self {
            Self::NoBus
            | Self::NoService
            | Self::NoCollection
            | Self::Locked
            | Self::Denied
            | Self::Timeout { .. }
            | Self::Busy { .. }
            | Self::Unknown { .. }
            | Self::Broken(_) => true,
            Self::Unsupported
            | Self::NotKept
            | Self::TooBig { .. }
            | Self::InvalidAccount
            | Self::Other(_) => false,
        }
    }

    pub(crate) fn broken(why: &str) -> Self {
        Self::Broken(Sanitized::new(why))
    }
}
