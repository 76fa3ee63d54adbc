//! Errors of finding, reading and changing the profile file.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::{SyntaxError, Unwritable};

/// Why the profile file could not be found, read or changed.
///
/// No message repeats a value from the file, because any value may be a secret. The cause is in
/// [`source`](std::error::Error::source), not in the message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Programs that do not take the lock kept changing the file while it was edited.
    #[error("another program keeps changing the configuration file {}; nothing was written to it", path.display())]
    ChangedMeanwhile {
        /// The configuration file.
        path: PathBuf,
    },
    /// The folder of the file does not exist. Folders are not created.
    #[error("the directory of the configuration file {} does not exist", path.display())]
    DirectoryMissing {
        /// The configuration file.
        path: PathBuf,
    },
    /// The path depends on the home directory, which is unknown.
    #[error(
        "no home directory is known: set HOME (USERPROFILE on Windows) or DATABRICKS_CONFIG_FILE"
    )]
    HomeUnknown,
    /// The operating system refused an operation.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was attempted, as a verb phrase.
        action: &'static str,
        /// The path that the operation was attempted on.
        path: PathBuf,
        /// The error that the operating system returned.
        #[source]
        source: io::Error,
    },
    /// Another program held the lock for the whole time that the editor was willing to wait.
    #[error("another program has been editing the configuration file for {} s; the lock is {}", waited.as_secs(), path.display())]
    LockTimeout {
        /// The lock file.
        path: PathBuf,
        /// How long the editor waited.
        waited: Duration,
    },
    /// The file does not follow the INI dialect, so none of its content can be relied on.
    #[error("the configuration file {} is malformed", path.display())]
    Malformed {
        /// The configuration file.
        path: PathBuf,
        /// The malformed line, and what is wrong with it.
        #[source]
        source: SyntaxError,
    },
    /// The path does not name a regular file but a pipe, a socket, a device or a folder.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The offending path.
        path: PathBuf,
    },
    /// The file has no profile with that name.
    #[error("there is no profile named {name:?}")]
    ProfileUnknown {
        /// The name that was looked for.
        name: String,
    },
    /// A key that must not be written, because it is reserved or because readers would interpret it differently.
    #[error("the key {key:?} cannot be stored in the configuration file")]
    RefusedKey {
        /// The refused key.
        key: String,
        /// What is wrong with it.
        #[source]
        reason: Unwritable,
    },
    /// A profile name that is reserved, or that readers of the file would interpret differently.
    #[error("the profile name {name:?} cannot be stored in the configuration file")]
    RefusedName {
        /// The refused name.
        name: String,
        /// What is wrong with it.
        #[source]
        reason: Unwritable,
    },
    /// A value that readers of the file would interpret differently. The message does not repeat it.
    #[error("the value given for {key} cannot be stored in the configuration file")]
    RefusedValue {
        /// The key the value was meant for.
        key: String,
        /// What is wrong with the value.
        #[source]
        reason: Unwritable,
    },
    /// The path starts with the home directory of another user, as in `~name`.
    #[error("{} names another user's home: write the path out in full, or use ~/ for your own", path.display())]
    TildeUser {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The file is much larger than any profile file, so it is probably something else.
    #[error("the configuration file {} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The configuration file.
        path: PathBuf,
        /// The maximum size in bytes.
        limit: usize,
    },
}

impl ConfigError {
    /// Returns whether the same call may succeed later without any change by the user.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::ChangedMeanwhile { .. } | Self::LockTimeout { .. })
    }

    pub(crate) fn io(
        action: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn a_cause_is_the_source_and_not_part_of_the_text() {
        let error = ConfigError::io("read", "/x".as_ref())(io::Error::other("disk on fire"));
        assert_eq!(error.to_string(), "cannot read /x");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("disk on fire"));
    }

    #[test]
    fn only_what_others_do_is_worth_another_try() {
        let busy =
            ConfigError::LockTimeout { path: "/x.lock".into(), waited: Duration::from_secs(3) };
        assert!(busy.is_transient());
        assert!(ConfigError::ChangedMeanwhile { path: "/x".into() }.is_transient());
        assert!(!ConfigError::HomeUnknown.is_transient());
    }
}
