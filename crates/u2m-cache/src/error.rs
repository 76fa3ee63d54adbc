//! How a store can fail.

use std::io;
use std::path::{Path, PathBuf};
use u2m_core::{CacheKey, Foreign};

/// How a store can fail. Each text names the file and what to do about it; none holds a token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// This entry cannot be read; the others can.
    #[error("the stored login '{key}' cannot be read: {why}; log in again to replace it")]
    BadEntry {
        /// Which entry.
        key: CacheKey,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A store was described in a way that cannot be used.
    #[error("the store cannot be opened: {why}")]
    CannotOpen {
        /// What is wrong with its address or its settings.
        why: &'static str,
    },
    /// The file is not a token cache; it is left as it is until a login sets it aside.
    #[error(
        "{path} is not a readable token cache ({why}); log in again, which sets the file aside and keeps what can be read of it"
    )]
    Corrupt {
        /// Which file.
        path: Shown,
        /// Where reading ended.
        why: String,
    },
    /// Somebody else owns it.
    #[error("{path} belongs to another user (uid {owner}); move it away, or run as its owner")]
    ForeignOwner {
        /// Which file or folder.
        path: Shown,
        /// Whose it is.
        owner: u32,
    },
    /// The server that keeps the logins has no room.
    #[error(
        "{server} is full, and nothing was changed in it; give it more memory (maxmemory), or remove other data from it"
    )]
    Full {
        /// Which server, without credentials.
        server: String,
    },
    /// The system refused.
    #[error("cannot {what} {path}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or folder.
        path: Shown,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another process has been writing for too long.
    #[error(
        "another process has been writing {path} for too long; if it hangs, end it (its number stands in the lock file)"
    )]
    LockTimeout {
        /// Which lock.
        path: Shown,
    },
    /// Neither a home folder nor a path was given.
    #[error(
        "the home folder is not known; set HOME, or U2M_TOKEN_CACHE to the path of the token cache"
    )]
    NoHome,
    /// A folder, a pipe or a device stands where the file should be.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// Which file.
        path: Shown,
    },
    /// This store's locks stay in the process that took them.
    #[error("a lock of this store cannot be handed to another process")]
    NotHandedOver,
    /// Everybody may replace files in the folder.
    #[error("the folder {path} can be written by everybody; run: chmod 700 '{path}'")]
    OpenFolder {
        /// Which folder.
        path: Shown,
    },
    /// The server that keeps the logins does not do what it is asked.
    #[error("{server} refuses: {why}")]
    Refused {
        /// Which server, without credentials.
        server: String,
        /// Why, and what to do about it.
        why: &'static str,
    },
    /// The entry was replaced or removed while its lock was thought to be held; what was to be saved was not.
    #[error("the login '{key}' was replaced by another program in the meantime; theirs is kept")]
    Superseded {
        /// Which entry.
        key: CacheKey,
    },
    /// Larger than any honest cache.
    #[error("{path} is larger than 16 MiB and is not read; log in again, which sets it aside")]
    TooLarge {
        /// Which file.
        path: Shown,
    },
    /// The server that keeps the logins cannot be asked now.
    #[error("{server} cannot be asked now ({why}); try again")]
    Unavailable {
        /// Which server, without credentials.
        server: String,
        /// Why not.
        why: String,
    },
    /// A newer program wrote the file; it is neither read nor overwritten.
    #[error(
        "{path} needs version 1, got version {version}; it was written by another version of the software and is left untouched"
    )]
    Version {
        /// Which file.
        path: Shown,
        /// What it says.
        version: String,
    },
    /// The stored login can be renewed and the new one cannot.
    #[error(
        "the login '{key}' can be refreshed and the new one cannot, so the new one was not stored; use another profile, or ask for offline access"
    )]
    WouldLoseRefreshToken {
        /// Which entry.
        key: CacheKey,
    },
}

/// A path that is fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown(PathBuf);

impl Shown {
    /// The path itself.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl From<&Path> for Shown {
    fn from(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Foreign::new(&self.0.to_string_lossy()).fmt(f)
    }
}

impl StoreError {
    /// Whether a later try may succeed, without anything being changed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::LockTimeout { .. } | Self::Unavailable { .. })
    }

    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.into(), source }
    }
}
