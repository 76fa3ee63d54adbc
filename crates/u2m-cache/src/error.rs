//! The errors of the token stores.

use crate::mode::StorageMode;
use std::io;
use std::path::{Path, PathBuf};
use u2m_core::{CacheKey, RecordError, Sanitized};

/// An error from a token store. Each message names the file and what to do about it. None contains a token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// This entry cannot be read. Other entries can.
    #[error("the stored login '{key}' cannot be read: {why}; log in again to replace it")]
    BadEntry {
        /// The name of the entry.
        key: CacheKey,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Another process holds the entry's lock.
    #[error("the login '{key}' is being refreshed by another process; try again when it is done")]
    Busy {
        /// The name of the entry.
        key: CacheKey,
    },
    /// The input is not a valid encryption key.
    #[error(
        "what {from} gave is not a key: 32 random bytes in base64, or 64 hexadecimal digits, are expected"
    )]
    BadKey {
        /// The key file or program that it came from.
        from: DisplayPath,
    },
    /// A login file of another program cannot be used. It was not changed.
    #[error("{path} is not a usable login of another program: {why}; it is left as it is")]
    BadForeign {
        /// The path of the file.
        path: DisplayPath,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The address or the settings given for a store are invalid.
    #[error("the store cannot be opened: {why}")]
    CannotOpen {
        /// What is wrong with the address or the settings.
        why: &'static str,
    },
    /// A login was moved or saved elsewhere, but its old copy could not be removed. The copy no longer counts; whoever uses
    /// or moves the login next removes it.
    #[error(
        "the login '{key}' is in its new place, and its copy in {mode} storage could not be removed"
    )]
    CopyLeft {
        /// The name of the entry.
        key: CacheKey,
        /// The storage that still holds the copy.
        mode: StorageMode,
        /// Why it could not be removed.
        #[source]
        source: Box<StoreError>,
    },
    /// The file is not a token cache. It stays as it is until a login sets it aside.
    #[error(
        "{path} is not a readable token cache ({why}); log in again, which sets the file aside and keeps what can be read of it"
    )]
    Corrupt {
        /// The path of the file.
        path: DisplayPath,
        /// Where and why parsing failed.
        why: String,
    },
    /// The file or folder belongs to another user.
    #[error("{path} belongs to another user (uid {owner}); move it away, or run as its owner")]
    ForeignOwner {
        /// The path of the file or folder.
        path: DisplayPath,
        /// The uid of its owner.
        owner: u32,
    },
    /// The server that stores the logins is out of memory.
    #[error(
        "{server} is full, and nothing was changed in it; give it more memory (maxmemory), or remove other data from it"
    )]
    Full {
        /// The server, without credentials.
        server: String,
    },
    /// The operating system refused an operation.
    #[error("cannot {what} {path}")]
    Io {
        /// The operation that failed.
        what: &'static str,
        /// The path of the file or folder.
        path: DisplayPath,
        /// The underlying error.
        #[source]
        source: io::Error,
    },
    /// The keyring did not return, or did not store, the key of the encrypted file.
    #[cfg(all(feature = "encrypted", feature = "keyring"))]
    #[error(
        "the key of the encrypted file could not be had from the {keyring} (it can also come from a file, U2M_STORAGE_KEY_FILE, or from a program, U2M_STORAGE_KEY_COMMAND)"
    )]
    KeyInKeyring {
        /// The name of the keyring.
        keyring: &'static str,
        /// The underlying error.
        #[source]
        source: crate::keyring::KeyringError,
    },
    /// This store holds only an unused copy, because the login was saved in another store.
    #[error(
        "the login '{key}' is kept in {mode} storage; what stands elsewhere under its name is not used"
    )]
    KeptElsewhere {
        /// The name of the entry.
        key: CacheKey,
        /// The storage that holds the login.
        mode: StorageMode,
    },
    /// The program that should print the key failed.
    #[error("the key could not be had from '{program}': {why}")]
    KeyProgram {
        /// The program, without its arguments.
        program: DisplayPath,
        /// How it failed.
        why: String,
    },
    /// The keyring did not carry out an operation.
    #[cfg(feature = "keyring")]
    #[error("cannot {what} {} in the {keyring}", which(key))]
    Keyring {
        /// The operation that failed.
        what: &'static str,
        /// The name of the entry.
        key: CacheKey,
        /// The name of the keyring.
        keyring: &'static str,
        /// The underlying error.
        #[source]
        source: crate::keyring::KeyringError,
    },
    /// Another process has been writing for too long, so its lock could not be taken.
    #[error(
        "another process has been writing {path} for too long; if it hangs, end it (its number stands in the lock file)"
    )]
    LockTimeout {
        /// The path of the lock file.
        path: DisplayPath,
    },
    /// Other users can read the key file, so it may no longer be secret.
    #[error(
        "the key file {path} can be read by other users; run: chmod 600 '{path}' (if others may have seen it, move it and the token file away, and log in again)"
    )]
    LooseKey {
        /// The path of the key file.
        path: DisplayPath,
    },
    /// Another login is already copied to that host's key. There can be only one copy for each host.
    #[error("the copy for '{host}' is that of the login '{by}'; there can be one for each host")]
    MirrorTaken {
        /// The cache key of the host.
        host: CacheKey,
        /// The login whose copy is already there.
        by: CacheKey,
    },
    /// The key file is missing, but the encrypted file exists.
    #[error(
        "the key file {key} is missing, and {path} does not open without it; put the key back, or move {path} away and log in again"
    )]
    MissingKey {
        /// The path of the key file.
        key: DisplayPath,
        /// The path of the encrypted file.
        path: DisplayPath,
    },
    /// A newer version of u2m stored this entry. It is neither read nor overwritten.
    #[error(
        "the stored login '{key}' has form {form}, which a newer version of u2m wrote; update u2m, or log out to remove it"
    )]
    NewerEntry {
        /// The name of the entry.
        key: CacheKey,
        /// The version number of its format.
        form: u64,
    },
    /// Neither a home folder nor a path was given.
    #[error(
        "the home folder is not known; set HOME, or U2M_TOKEN_CACHE to the path of the token cache"
    )]
    NoHome,
    /// The path is a folder, a pipe or a device instead of a regular file.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// The path of the file.
        path: DisplayPath,
    },
    /// This program has no such store.
    #[error("{why}")]
    NoStore {
        /// The message, which names the store.
        why: &'static str,
    },
    /// A store reported a successful save, but returned something else when the entry was read back.
    #[error("the login '{key}' was saved and could not be read back; it is still where it was")]
    NotKept {
        /// The name of the entry.
        key: CacheKey,
    },
    /// The program was built without the feature for this kind of store.
    #[error("{mode} storage needs u2m's feature `{feature}`, which this program was built without")]
    NotBuilt {
        /// The kind of store.
        mode: StorageMode,
        /// The Cargo feature of `u2m` and `u2m-cache` that adds it.
        feature: &'static str,
    },
    /// Locks of this store cannot be handed to another process.
    #[error("a lock of this store cannot be handed to another process")]
    NotHandedOver,
    /// Every user of the machine can write to the folder.
    #[error("the folder {path} can be written by everybody; run: chmod 700 '{path}'")]
    OpenFolder {
        /// The path of the folder.
        path: DisplayPath,
    },
    /// The file has a format that this store does not read. It was not changed.
    #[error(
        "{path} is no {wanted} of a form that this version knows; it is left untouched; use another path, or move the file away and log in again"
    )]
    OtherForm {
        /// The path of the file.
        path: DisplayPath,
        /// The expected kind of file.
        wanted: &'static str,
    },
    /// A login could not be encrypted.
    #[cfg(any(feature = "encrypted", feature = "redis"))]
    #[error("the login '{key}' cannot be sealed")]
    Seal {
        /// The name of the entry.
        key: CacheKey,
        /// The underlying error.
        #[source]
        source: crate::seal::SealError,
    },
    /// A store implemented outside u2m failed ([`StoreError::other`], [`StoreError::transient`]).
    #[error("the store of the logins failed")]
    Other {
        /// Whether retrying later may succeed without any change.
        is_passing: bool,
        /// The underlying error. Its text is shown to users and must not contain a token.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server that stores the logins refuses an operation.
    #[error("{server} refuses: {why}")]
    Refused {
        /// The server, without credentials.
        server: String,
        /// Why it refuses, and what to do about it.
        why: &'static str,
    },
    /// Another program replaced or removed the entry although its lock seemed to be held. The new value was not saved.
    #[error("the login '{key}' was replaced by another program in the meantime; theirs is kept")]
    Superseded {
        /// The name of the entry.
        key: CacheKey,
    },
    /// The file is larger than any valid token cache.
    #[error(
        "{path} is larger than 32 MiB and is not read; log in again, which sets it aside and keeps what can be read of it"
    )]
    TooLarge {
        /// The path of the file.
        path: DisplayPath,
    },
    /// The server that stores the logins cannot be reached at the moment.
    #[error("{server} cannot be asked now ({why}); try again")]
    Unavailable {
        /// The server, without credentials.
        server: String,
        /// The underlying error.
        why: String,
    },
    /// A newer program wrote the file. It is neither read nor overwritten.
    #[error(
        "{path} needs version 1, got version {version}; it was written by another version of the software and is left untouched"
    )]
    Version {
        /// The path of the file.
        path: DisplayPath,
        /// The version that the file names.
        version: String,
    },
    /// The file would become too large to be read again, or leave no room for its other logins. Nothing was changed.
    #[error("{path} would be larger than {limit} MiB; log out of what is not used any more")]
    WouldBeTooLarge {
        /// The path of the file.
        path: DisplayPath,
        /// The maximum size in MiB.
        limit: u64,
    },
    /// The file was encrypted with another key. It was not changed.
    #[error(
        "the key does not fit {path}; use the key that it was sealed with, or move the file away and log in again"
    )]
    WrongKey {
        /// The path of the file.
        path: DisplayPath,
    },
    /// The stored login has a refresh token, but the new one has none and was not saved.
    #[error(
        "the login '{key}' can be refreshed and the new one cannot, so the new one was not stored; use another profile, or ask for offline access"
    )]
    WouldLoseRefreshToken {
        /// The name of the entry.
        key: CacheKey,
    },
}

/// Names one login, or all of them for `*`.
#[cfg(feature = "keyring")]
fn which(key: &CacheKey) -> String {
    match key.as_str() {
        "*" => "the logins".to_owned(),
        _ => format!("the login '{key}'"),
    }
}

/// A file path whose `Display` output is safe to print: one line without control characters, at most 200 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayPath(PathBuf);

impl DisplayPath {
    /// Returns the path itself.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl From<&Path> for DisplayPath {
    fn from(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl std::fmt::Display for DisplayPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Sanitized::new(&self.0.to_string_lossy()).fmt(f)
    }
}

impl StoreError {
    /// Creates the error of a custom store for a failure that stays until something is changed. The text of `source` is shown
    /// to users and must not contain a token.
    ///
    /// ```
    /// use u2m_cache::StoreError;
    /// let error = StoreError::other("no such table: logins");
    /// assert!(!error.is_transient());
    /// assert_eq!(u2m_core::chain(&error), "the store of the logins failed: no such table: logins");
    /// ```
    pub fn other(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other { is_passing: false, source: source.into() }
    }

    /// Like [`StoreError::other`], for a failure that may go away by itself, such as a locked database or an unreachable
    /// server.
    ///
    /// ```
    /// use u2m_cache::StoreError;
    /// assert!(StoreError::transient("database is locked").is_transient());
    /// ```
    pub fn transient(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other { is_passing: true, source: source.into() }
    }

    /// Creates the error of a custom store for an entry whose text is not a usable login.
    ///
    /// ```
    /// use u2m_cache::StoreError;
    /// use u2m_core::{CacheKey, SessionRecord};
    /// let key = CacheKey::new("dev");
    /// let read = |text: &str| SessionRecord::parse(text).map_err(|why| StoreError::unreadable(&key, why));
    /// assert!(matches!(read("{}"), Err(StoreError::BadEntry { .. })));
    /// assert!(matches!(read(r#"{"form":2}"#), Err(StoreError::NewerEntry { form: 2, .. })));
    /// ```
    pub fn unreadable(key: &CacheKey, why: RecordError) -> Self {
        let key = key.clone();
        match why {
            RecordError::Newer { form } => Self::NewerEntry { key, form },
            RecordError::Damaged { why } => Self::BadEntry { key, why },
            _ => Self::BadEntry { key, why: "it is no login that was written down" },
        }
    }

    /// Returns whether retrying later may succeed without any change.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::LockTimeout { .. } | Self::Unavailable { .. } => true,
            Self::CopyLeft { source, .. } => source.is_transient(),
            Self::Other { is_passing, .. } => *is_passing,
            #[cfg(feature = "keyring")]
            Self::Keyring { source, .. } => source.is_transient(),
            #[cfg(all(feature = "encrypted", feature = "keyring"))]
            Self::KeyInKeyring { source, .. } => source.is_transient(),
            #[cfg(any(feature = "encrypted", feature = "redis"))]
            Self::Seal { .. } => false,
            Self::BadEntry { .. }
            | Self::BadForeign { .. }
            | Self::BadKey { .. }
            | Self::CannotOpen { .. }
            | Self::Corrupt { .. }
            | Self::ForeignOwner { .. }
            | Self::Full { .. }
            | Self::Io { .. }
            | Self::KeptElsewhere { .. }
            | Self::KeyProgram { .. }
            | Self::LooseKey { .. }
            | Self::MirrorTaken { .. }
            | Self::MissingKey { .. }
            | Self::NewerEntry { .. }
            | Self::NoHome
            | Self::NoStore { .. }
            | Self::NotAFile { .. }
            | Self::NotBuilt { .. }
            | Self::NotHandedOver
            | Self::NotKept { .. }
            | Self::OpenFolder { .. }
            | Self::OtherForm { .. }
            | Self::Refused { .. }
            | Self::Superseded { .. }
            | Self::TooLarge { .. }
            | Self::Version { .. }
            | Self::WouldBeTooLarge { .. }
            | Self::WouldLoseRefreshToken { .. }
            | Self::WrongKey { .. } => false,
        }
    }

    /// Returns whether this store does not exist here at all, as opposed to not working at the moment.
    pub fn is_absent_store(&self) -> bool {
        match self {
            Self::NoStore { .. } | Self::NotBuilt { .. } => true,
            #[cfg(feature = "keyring")]
            Self::Keyring { source, .. } => source.is_absent_service(),
            _ => false,
        }
    }

    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.into(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_stays_through_whatever_it_is_wrapped_in() {
        let key = || CacheKey::new("dev");
        let copy = |source| StoreError::CopyLeft {
            key: key(),
            mode: StorageMode::Plaintext,
            source: Box::new(source),
        };
        let busy = || StoreError::Busy { key: key() };
        for (error, passes) in [
            (busy(), true),
            (StoreError::LockTimeout { path: Path::new("/x.lock").into() }, true),
            (StoreError::NoHome, false),
            (copy(busy()), true),
            (copy(StoreError::NoHome), false),
        ] {
            assert_eq!(error.is_transient(), passes, "{error}");
        }
    }

    #[test]
    fn a_record_that_cannot_be_used_is_of_a_newer_version_or_damaged() {
        let told = |text: &str| {
            let why = u2m_core::SessionRecord::parse(text).unwrap_err();
            StoreError::unreadable(&CacheKey::new("dev"), why)
        };
        let newer = told(r#"{"form":2}"#);
        assert!(matches!(newer, StoreError::NewerEntry { form: 2, .. }), "{newer:?}");
        let damaged = told("{}");
        let StoreError::BadEntry { why, .. } = damaged else { panic!("{damaged:?}") };
        assert!(why != "it is no login that was written down", "it is said what is wrong: {why}");
    }

    #[cfg(feature = "keyring")]
    #[test]
    fn a_keyring_is_told_by_what_was_tried_and_on_which_login() {
        use crate::keyring::KeyringError;
        let error = |key: &str, source| StoreError::Keyring {
            what: "read",
            key: CacheKey::new(key),
            keyring: "keyring",
            source,
        };
        let one = error("dev", KeyringError::Busy { operation: "read" });
        assert_eq!(one.to_string(), "cannot read the login 'dev' in the keyring");
        let all = error("*", KeyringError::NoBus);
        assert_eq!(all.to_string(), "cannot read the logins in the keyring");
        assert!(one.is_transient() && !one.is_absent_store());
        assert!(!all.is_transient() && all.is_absent_store());
    }

    #[cfg(all(feature = "encrypted", feature = "keyring"))]
    #[test]
    fn a_key_that_the_keyring_does_not_give_now_may_come_later() {
        use crate::keyring::KeyringError;
        let error = |source| StoreError::KeyInKeyring { keyring: "keyring", source };
        assert!(error(KeyringError::Busy { operation: "read" }).is_transient());
        assert!(!error(KeyringError::Denied).is_transient());
    }
}
