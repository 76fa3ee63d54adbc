//! How a keyring can fail, split by cause: only some causes may lead to another store.

use u2m_core::Sanitized;

/// Why the keyring of the operating system did not do what it was asked. Each text says what to do; none holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// There is no session bus, and none is started for this.
    #[error(
        "there is no session bus to reach a keyring on; run inside a desktop session, or keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    NoBus,
    /// There is a bus, and nobody on it keeps secrets.
    #[error(
        "no keyring answers on the session bus; start one (GNOME Keyring, KWallet, KeePassXC), or keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    NoService,
    /// This operating system has no keyring that is known here.
    #[error(
        "this operating system has no keyring that can be used; keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    Unsupported,
    /// The keyring has nowhere to put an item.
    #[error(
        "the keyring has no collection yet; create one in the desktop's password program, or keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    NoCollection,
    /// It is locked, and nobody could be asked to unlock it: over SSH, say.
    #[error(
        "it is locked; unlock it and try again, or keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    Locked,
    /// A person, or a rule, said no.
    #[error(
        "access was refused: its prompt was dismissed, or there was nobody to show it to; unlock the keyring and try again, or keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    Denied,
    /// It did not answer in time. The operation goes on behind the scenes.
    #[error(
        "keyring {operation} timed out; it may be locked and waiting for its prompt: unlock it and try again, or keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    Timeout {
        /// `get`, `set`, `delete` or `list`.
        operation: &'static str,
    },
    /// An earlier operation of this process timed out and is still under way.
    #[error(
        "keyring {operation} timed out before and is still under way; unlock the keyring and try again"
    )]
    Busy {
        /// `get`, `set`, `delete` or `list`.
        operation: &'static str,
    },
    /// A write timed out and may still land (KEY-7).
    #[error(
        "keyring {operation} timed out and its outcome is unknown: it may still be done later; unlock the keyring and try again"
    )]
    Unknown {
        /// `set` or `delete`.
        operation: &'static str,
    },
    /// It said that it had stored something, and does not hold it (KEY-4).
    #[error(
        "it did not keep what it was given; it may be a stand-in without storage: use another keyring, or keep logins in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    NotKept,
    /// It broke off, or answered what makes no sense.
    #[error("it gave no sound answer: {0}; restart it and try again")]
    Broken(Sanitized),
    /// More than one secret, or all its parts together, can be.
    #[error(
        "{len} bytes are too big for this keyring, which takes {limit}; keep this login in the file (DATABRICKS_AUTH_STORAGE=plaintext)"
    )]
    TooBig {
        /// How much was to be stored, in bytes.
        len: usize,
        /// How much can be, in bytes.
        limit: usize,
    },
    /// A name with control characters, which line-oriented tools would misread (KEY-13), or one that is reserved.
    #[error(
        "this name cannot stand in a keyring: it is empty, reserved, or has control characters"
    )]
    InvalidAccount,
    /// Anything else.
    #[error("{0}")]
    Other(Sanitized),
}

impl KeyringError {
    /// Whether there is no keyring here at all. Only then may a store that was not asked for by name be another one
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

    /// Whether a later try may succeed, without anything being changed.
    ///
    /// ```
    /// use u2m_cache::KeyringError;
    /// assert!(KeyringError::Timeout { operation: "get" }.is_transient());
    /// assert!(!KeyringError::Denied.is_transient());
    /// ```
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Busy { .. } | Self::Unknown { .. })
    }

    /// Whether it is the keyring that cannot be reached at this moment, as opposed to what it is asked for.
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
