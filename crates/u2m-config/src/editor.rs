//! Changing the file on disk: lock, read, change, back up, replace.

use std::path::PathBuf;
use std::time::Duration;

use crate::{ConfigError, ConfigFile, Draft, disk, lock};

/// How long to wait for another editor unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// Changes the profile file at one path. One editor makes one write, so make all the changes of a
/// command in one [`edit`](Self::edit): the backup then holds the state before the command.
#[derive(Clone, Debug)]
pub struct Editor {
    path: PathBuf,
    patience: Duration,
    tighten: bool,
}

/// What an edit did to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The change was none, so nothing was written.
    Unchanged,
    /// The file was replaced.
    Written {
        /// Whether group or others could use the old file and cannot use the new one.
        tightened: bool,
    },
}

impl Editor {
    /// Takes the path that [`locate`](crate::locate) finds. Nothing is opened yet.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("cfg");
    /// use u2m_config::{Editor, Outcome};
    /// assert_eq!(Editor::new(&path).edit(|_| Ok(()))?, Outcome::Unchanged);
    /// assert!(!path.exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), patience: PATIENCE, tighten: true }
    }

    /// Waits this long for another editor to finish, instead of ten seconds.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Leaves the rights of group and others as they are. Normally a write takes them away,
    /// because the file may hold credentials.
    #[must_use]
    pub fn with_mode_kept(self) -> Self {
        Self { tighten: false, ..self }
    }

    /// Reads the file under the lock, lets `change` work on it, and writes the result.
    ///
    /// If `change` fails, or changes nothing, nothing is written. Do not edit the same file again
    /// inside `change`: that edit would wait for this one. `change` should not ask the user
    /// anything either, since others wait meanwhile.
    ///
    /// # Errors
    ///
    /// What `change` returned, [`ConfigError::LockTimeout`], [`ConfigError::Malformed`] for a
    /// file that cannot be read, [`ConfigError::DirectoryMissing`], [`ConfigError::NotAFile`],
    /// [`ConfigError::TooLarge`], or [`ConfigError::Io`].
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("cfg");
    /// # std::fs::write(&path, "[dev]\nhost = https://a.example\n")?;
    /// use u2m_config::{Editor, Outcome};
    /// let outcome = Editor::new(&path).edit(|draft| draft.set_default_profile("dev"))?;
    /// assert!(matches!(outcome, Outcome::Written { .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn edit(
        &self,
        change: impl FnOnce(&mut Draft) -> Result<(), ConfigError>,
    ) -> Result<Outcome, ConfigError> {
        let target = disk::resolve(&self.path)?;
        lock::holding(&disk::beside(&target, ".lock"), self.patience, || {
            let (bytes, old) =
                disk::read(&target)?.map(|found| (found.bytes, found.metadata)).unzip();
            let file = ConfigFile::of_bytes(bytes.unwrap_or_default(), &self.path)?;
            let mut draft = Draft::of(file)
                .map_err(|source| ConfigError::Malformed { path: self.path.clone(), source })?;
            change(&mut draft)?;
            if draft.text() == draft.before().text() {
                return Ok(Outcome::Unchanged);
            }
            if !draft.before().text().is_empty() {
                let backup = disk::beside(&self.path, ".bak");
                disk::replace(&backup, draft.backup().as_bytes(), None, true)?;
            }
            disk::replace(&target, draft.text().as_bytes(), old.as_ref(), self.tighten)?;
            Ok(Outcome::Written { tightened: self.tighten && old.as_ref().is_some_and(is_open) })
        })
    }
}

/// Whether anybody but the owner may do anything with the file.
#[cfg(unix)]
fn is_open(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open(_: &std::fs::Metadata) -> bool {
    false
}
