//! Changes the profile file on disk: lock, read, change, back up, replace.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::rules::check_profile;
use crate::{ConfigError, ConfigFile, Draft, SIZE_LIMIT, disk, in_place, lock};

/// How often an edit starts again after a program that does not take the lock has changed the file.
const ATTEMPTS: usize = 5;

/// How long to wait for another editor by default.
const PATIENCE: Duration = Duration::from_secs(10);

/// Changes the profile file at one path.
///
/// Each [`edit`](Self::edit) writes the file at most once. Make all changes of a command in one
/// edit, so that the backup holds the state before the command.
#[derive(Clone, Debug)]
pub struct Editor {
    path: PathBuf,
    patience: Duration,
    tighten: bool,
}

/// What an edit did to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EditOutcome {
    /// The edit changed nothing, so nothing was written.
    Unchanged,
    /// The new text was written.
    Written {
        /// Whether the old file was accessible to group or others and the new one is not.
        tightened: bool,
    },
}

impl Editor {
    /// Creates an editor for a path, which [`locate`](crate::locate) finds. Does not open the file yet.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("cfg");
    /// use u2m_config::{Editor, EditOutcome};
    /// assert_eq!(Editor::new(&path).edit(|_| Ok(()))?, EditOutcome::Unchanged);
    /// assert!(!path.exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), patience: PATIENCE, tighten: true }
    }

    /// Sets how long to wait for another editor to finish. The default is ten seconds.
    #[must_use]
    pub fn with_retry_policy(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Keeps the permissions of group and others. By default, a write removes them if the file
    /// holds a secret.
    #[must_use]
    pub fn with_mode_kept(self) -> Self {
        Self { tighten: false, ..self }
    }

    /// Reads the file under the lock, lets `change` modify it, and writes the result.
    ///
    /// Nothing is written if `change` fails or changes nothing. If a program that does not take the
    /// lock has changed the file in the meantime, `change` is called again with the new content. Do
    /// not edit the same file inside `change`: the inner edit would wait for the outer one. Do not
    /// ask the user anything inside `change` either, because other editors wait meanwhile.
    ///
    /// # Errors
    ///
    /// Fails with the error that `change` returned, [`ConfigError::LockTimeout`],
    /// [`ConfigError::Malformed`] for a file that cannot be parsed,
    /// [`ConfigError::ChangedMeanwhile`], [`ConfigError::DirectoryMissing`],
    /// [`ConfigError::NotAFile`], [`ConfigError::TooLarge`] if the file is or would become too
    /// large, or [`ConfigError::Io`].
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("cfg");
    /// # std::fs::write(&path, "[dev]\nhost = https://a.example\n")?;
    /// use u2m_config::{Editor, EditOutcome};
    /// let outcome = Editor::new(&path).edit(|draft| draft.set_default_profile("dev"))?;
    /// assert!(matches!(outcome, EditOutcome::Written { .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn edit(
        &self,
        mut change: impl FnMut(&mut Draft) -> Result<(), ConfigError>,
    ) -> Result<EditOutcome, ConfigError> {
        let target = disk::resolve(&self.path)?;
        lock::holding(&disk::beside(&target, ".lock"), self.patience, || {
            in_place::restore(&target)?;
            for _ in 0..ATTEMPTS {
                if let Some(outcome) = self.attempt(&target, &mut change)? {
                    return Ok(outcome);
                }
            }
            Err(ConfigError::ChangedMeanwhile { path: self.path.clone() })
        })
    }

    /// Checks, as far as possible without writing, that an edit could be written. Call it before
    /// you ask a user for input that will be written later.
    ///
    /// # Errors
    ///
    /// The errors of [`edit`](Self::edit) that do not depend on the content of the file or on
    /// waiting for the lock: [`ConfigError::DirectoryMissing`], [`ConfigError::NotAFile`] and
    /// [`ConfigError::Io`].
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("cfg");
    /// use u2m_config::Editor;
    /// Editor::new(&path).prove()?;
    /// assert!(!path.exists());
    /// assert!(Editor::new(folder.path().join("gone/cfg")).prove().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prove(&self) -> Result<(), ConfigError> {
        let target = disk::resolve(&self.path)?;
        // Permissions are checked without creating anything, so that an edit that is never made
        // leaves no lock file behind.
        disk::check_folder(&target)?;
        disk::check_folder(&self.path)?;
        let lock = disk::beside(&target, ".lock");
        if lock.exists() {
            lock::open(&lock)?;
        }
        if in_place::is_expected(&target) { in_place::prove(&target) } else { Ok(()) }
    }

    /// Like [`prove`](Self::prove), for a profile whose name and some values are already known:
    /// also checks that every reader of the file would read them alike.
    ///
    /// # Errors
    ///
    /// The errors of [`prove`](Self::prove), and those of [`Draft::merge_profile`] for this name
    /// and these values.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("cfg");
    /// use u2m_config::Editor;
    /// Editor::new(&path).prove_profile("dev", &[("u2m_ca_file", "/etc/corp.pem")])?;
    /// assert!(Editor::new(&path).prove_profile("dev", &[("u2m_ca_file", "/etc/corp #1.pem")]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prove_profile(&self, name: &str, values: &[(&str, &str)]) -> Result<(), ConfigError> {
        check_profile(name, values)?;
        self.prove()
    }

    /// Makes one attempt. Returns `None` if another program has changed the file in the meantime;
    /// that change is kept.
    fn attempt(
        &self,
        target: &Path,
        change: &mut impl FnMut(&mut Draft) -> Result<(), ConfigError>,
    ) -> Result<Option<EditOutcome>, ConfigError> {
        let (bytes, old) = disk::read(target)?.map(|found| (found.bytes, found.metadata)).unzip();
        let file = ConfigFile::of_bytes(bytes.clone().unwrap_or_default(), &self.path)?;
        let mut draft = Draft::of(file)
            .map_err(|source| ConfigError::Malformed { path: self.path.clone(), source })?;
        change(&mut draft)?;
        if draft.text() == draft.before().text() {
            return Ok(Some(EditOutcome::Unchanged));
        }
        if draft.text().len() > SIZE_LIMIT {
            return Err(ConfigError::TooLarge { path: self.path.clone(), limit: SIZE_LIMIT });
        }
        if !draft.before().text().is_empty() {
            let backup = disk::beside(&self.path, ".bak");
            disk::replace(&backup, draft.backup().as_bytes(), None, true, || Ok(true))?;
        }
        let is_as_read = || Ok(disk::read(target)?.map(|found| found.bytes) == bytes);
        let text = draft.text().as_bytes();
        // Without secrets, the owner may share hosts and profile names with anyone.
        let tightens = self.tighten && draft.holds_secret();
        match disk::replace(target, text, old.as_ref(), tightens, is_as_read) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) if in_place::is_needed(&error) => {
                let old = bytes.as_deref().unwrap_or_default();
                let is_written = in_place::write(target, old, text)?;
                return Ok(is_written.then_some(EditOutcome::Written { tightened: false }));
            }
            Err(error) => return Err(error),
        }
        let tightened = tightens && old.as_ref().is_some_and(is_open);
        Ok(Some(EditOutcome::Written { tightened }))
    }
}

/// Returns whether group or others have any permission on the file.
#[cfg(unix)]
fn is_open(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    metadata.mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open(_: &std::fs::Metadata) -> bool {
    false
}
