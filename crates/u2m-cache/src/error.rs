//! How a store can fail.

use crate::mode::StorageMode;
use std::io;
use std::path::{Path, PathBuf};
use u2m_core::{CacheKey, RecordError, Sanitized};

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
    /// Another process holds the entry's lock.
    #[error("the login '{key}' is being refreshed by another process; try again when it is done")]
    Busy {
        /// Which entry.
        key: CacheKey,
    },
    /// What should be the key is none.
    #[error(
        "what {from} gave is not a key: 32 random bytes in base64, or 64 hexadecimal digits, are expected"
    )]
    BadKey {
        /// The key file, or the program.
        from: DisplayPath,
    },
    /// A login file of another program cannot be used; it is left as it is.
    #[error("{path} is not a usable login of another program: {why}; it is left as it is")]
    BadForeign {
        /// Which file.
        path: DisplayPath,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A store was described in a way that cannot be used.
    #[error("the store cannot be opened: {why}")]
    CannotOpen {
        /// What is wrong with its address or its settings.
        why: &'static str,
    },
    /// A login was moved, or a new one was saved elsewhere, and what it leaves behind could not be removed. It does not count
    /// any more, and whoever uses or moves the login next removes it.
    #[error(
        "the login '{key}' is in its new place, and its copy in {mode} storage could not be removed"
    )]
    CopyLeft {
        /// Which entry.
        key: CacheKey,
        /// Where the copy is.
        mode: StorageMode,
        /// Why it is still there.
        #[source]
        source: Box<StoreError>,
    },
    /// The file is not a token cache; it is left as it is until a login sets it aside.
    #[error(
        "{path} is not a readable token cache ({why}); log in again, which sets the file aside and keeps what can be read of it"
    )]
    Corrupt {
        /// Which file.
        path: DisplayPath,
        /// Where reading ended.
        why: String,
    },
    /// Somebody else owns it.
    #[error("{path} belongs to another user (uid {owner}); move it away, or run as its owner")]
    ForeignOwner {
        /// Which file or folder.
        path: DisplayPath,
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
        path: DisplayPath,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The keyring did not give the key of the sealed file, or did not keep it.
    #[cfg(all(feature = "encrypted", feature = "keyring"))]
    #[error(
        "the key of the encrypted file could not be had from the {keyring} (it can also come from a file, U2M_STORAGE_KEY_FILE, or from a program, U2M_STORAGE_KEY_COMMAND)"
    )]
    KeyInKeyring {
        /// Which keyring, in words.
        keyring: &'static str,
        /// Why not.
        #[source]
        source: crate::keyring::KeyringError,
    },
    /// What this store holds is a copy that does not count: the login was saved in another one.
    #[error(
        "the login '{key}' is kept in {mode} storage; what stands elsewhere under its name is not used"
    )]
    KeptElsewhere {
        /// Which entry.
        key: CacheKey,
        /// Where the login is.
        mode: StorageMode,
    },
    /// The program that prints the key did not.
    #[error("the key could not be had from '{program}': {why}")]
    KeyProgram {
        /// The program, without its arguments.
        program: DisplayPath,
        /// What it did.
        why: String,
    },
    /// The keyring did not do what it was asked.
    #[cfg(feature = "keyring")]
    #[error("cannot {what} {} in the {keyring}", which(key))]
    Keyring {
        /// What was tried.
        what: &'static str,
        /// Which entry.
        key: CacheKey,
        /// Which keyring, in words.
        keyring: &'static str,
        /// Why not.
        #[source]
        source: crate::keyring::KeyringError,
    },
    /// Another process has been writing for too long.
    #[error(
        "another process has been writing {path} for too long; if it hangs, end it (its number stands in the lock file)"
    )]
    LockTimeout {
        /// Which lock.
        path: DisplayPath,
    },
    /// Others can read the key file, so that it may be no secret any more.
    #[error(
        "the key file {path} can be read by other users; run: chmod 600 '{path}' (if others may have seen it, move it and the token file away, and log in again)"
    )]
    LooseKey {
        /// The key file.
        path: DisplayPath,
    },
    /// Another login is already copied to that host's key.
    #[error("the copy for '{host}' is that of the login '{by}'; there can be one for each host")]
    MirrorTaken {
        /// The host's key.
        host: CacheKey,
        /// The login.
        by: CacheKey,
    },
    /// The key file is gone, and the sealed file is not.
    #[error(
        "the key file {key} is missing, and {path} does not open without it; put the key back, or move {path} away and log in again"
    )]
    MissingKey {
        /// The key file.
        key: DisplayPath,
        /// The sealed file.
        path: DisplayPath,
    },
    /// A newer program stored this entry; it is neither read nor overwritten.
    #[error(
        "the stored login '{key}' has form {form}, which a newer version of u2m wrote; update u2m, or log out to remove it"
    )]
    NewerEntry {
        /// Which entry.
        key: CacheKey,
        /// The number of its form.
        form: u64,
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
        path: DisplayPath,
    },
    /// There is no such store for this program.
    #[error("{why}")]
    NoStore {
        /// Which one, in words.
        why: &'static str,
    },
    /// A store said that it saved, and holds something else.
    #[error("the login '{key}' was saved and could not be read back; it is still where it was")]
    NotKept {
        /// Which entry.
        key: CacheKey,
    },
    /// This program was built without the kind of store that a login is in, or that was named.
    #[error("{mode} storage needs u2m's feature `{feature}`, which this program was built without")]
    NotBuilt {
        /// Which kind.
        mode: StorageMode,
        /// The feature of `u2m` and of `u2m-cache` that brings it.
        feature: &'static str,
    },
    /// This store's locks stay in the process that took them.
    #[error("a lock of this store cannot be handed to another process")]
    NotHandedOver,
    /// Everybody may replace files in the folder.
    #[error("the folder {path} can be written by everybody; run: chmod 700 '{path}'")]
    OpenFolder {
        /// Which folder.
        path: DisplayPath,
    },
    /// The file has a form that this store does not read; it is left as it is.
    #[error(
        "{path} is no {wanted} of a form that this version knows; it is left untouched; use another path, or move the file away and log in again"
    )]
    OtherForm {
        /// Which file.
        path: DisplayPath,
        /// What it should be.
        wanted: &'static str,
    },
    /// A login could not be sealed.
    #[cfg(any(feature = "encrypted", feature = "redis"))]
    #[error("the login '{key}' cannot be sealed")]
    Seal {
        /// Which entry.
        key: CacheKey,
        /// Why not.
        #[source]
        source: crate::seal::SealError,
    },
    /// A store of somebody else's did not do what it was asked.
    #[error("the store of the logins failed")]
    Other {
        /// Whether a later try may succeed, without anything being changed.
        is_passing: bool,
        /// What it says itself. That is shown, and must hold no token.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
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
    #[error(
        "{path} is larger than 32 MiB and is not read; log in again, which sets it aside and keeps what can be read of it"
    )]
    TooLarge {
        /// Which file.
        path: DisplayPath,
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
        path: DisplayPath,
        /// What it says.
        version: String,
    },
    /// What was to be written would not be read again, or leaves no room for the logins that are there; nothing was changed.
    #[error("{path} would be larger than {limit} MiB; log out of what is not used any more")]
    WouldBeTooLarge {
        /// Which file.
        path: DisplayPath,
        /// How large it may be, in MiB.
        limit: u64,
    },
    /// The sealed file was sealed with another key; it is left as it is.
    #[error(
        "the key does not fit {path}; use the key that it was sealed with, or move the file away and log in again"
    )]
    WrongKey {
        /// Which file.
        path: DisplayPath,
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

/// One login, or all of them.
#[cfg(feature = "keyring")]
fn which(key: &CacheKey) -> String {
    match key.as_str() {
        "*" => "the logins".to_owned(),
        _ => format!("the login '{key}'"),
    }
}

/// A path that is fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayPath(PathBuf);

impl DisplayPath {
    /// The path itself.
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
    /// What a store of one's own says when what it is made of failed, and will again until something is changed. The text of
    /// `source` is shown, and must hold no token.
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

    /// As [`StoreError::other`], where a later try may succeed by itself: somebody else was writing, or a server was away.
    ///
    /// ```
    /// use u2m_cache::StoreError;
    /// assert!(StoreError::passing("database is locked").is_transient());
    /// ```
    pub fn passing(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other { is_passing: true, source: source.into() }
    }

    /// What a store of one's own says of an entry whose text is no login that it can use.
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

    /// Whether a later try may succeed, without anything being changed.
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

    /// Whether there is no such store here at all, as opposed to one that does not work now.
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
