//! Which store a user requested for their logins.

use crate::mode::StorageMode;

/// Which store was requested by name, and how binding that is.
///
/// ```
/// use u2m_cache::{NamedStore, StorageMode};
/// assert_eq!(NamedStore::default(), NamedStore::Nothing);
/// assert_eq!(NamedStore::First(StorageMode::Secure).mode(), Some(StorageMode::Secure));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamedStore {
    /// No store was requested.
    #[default]
    Nothing,
    /// Requested for this run only: no other store is used, whatever is recorded.
    Alone(StorageMode),
    /// Requested by a permanent setting, which may be older than a move. An existing login is read from the store in which it
    /// is recorded, else from this one. A new login goes to this one.
    First(StorageMode),
}

impl NamedStore {
    /// Returns the requested store.
    pub const fn mode(self) -> Option<StorageMode> {
        match self {
            Self::Nothing => None,
            Self::Alone(mode) | Self::First(mode) => Some(mode),
        }
    }
}
