//! What was said about which store a user's logins are in.

use crate::mode::StorageMode;

/// Which store was named for a user's logins, and how much that says.
///
/// ```
/// use u2m_cache::{NamedStore, StorageMode};
/// assert_eq!(NamedStore::default(), NamedStore::Nothing);
/// assert_eq!(NamedStore::First(StorageMode::Secure).mode(), Some(StorageMode::Secure));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamedStore {
    /// No store was named.
    #[default]
    Nothing,
    /// For this once: it is used alone, whatever is recorded.
    Alone(StorageMode),
    /// By a setting that stays, and that may be older than a move: a login is used from where it is recorded to be, else from
    /// there, and a new one goes there.
    First(StorageMode),
}

impl NamedStore {
    /// The store that was named.
    pub const fn mode(self) -> Option<StorageMode> {
        match self {
            Self::Nothing => None,
            Self::Alone(mode) | Self::First(mode) => Some(mode),
        }
    }
}
