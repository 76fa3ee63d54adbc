//! Changing the file on disk: lock, read, change, back up, replace.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::rules::check_profile;
use crate::{ConfigError, ConfigFile, Draft, SIZE_LIMIT, disk, in_place, lock};

/// How often an edit begins again because a program without our lock has changed the file.
const ATTEMPTS: usize = 5;

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
pub enum EditOutcome {
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
    /// use u2m_config::{Editor, EditOutcome};
    /// assert_eq!(Editor::new(&path).edit(|_| Ok(()))?, EditOutcome::Unchanged);
    /// assert!(!path.exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), patience: PATIENCE, tighten: true }
    }

    /// Waits this long for another editor to finish, instead of ten seconds.
    #[must_use]
    pub fn with_retry_policy(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Leaves the rights of group and others as they are. Normally a write takes them away if the file holds a secret.
    #[must_use]
    pub fn with_mode_kept(self) -> Self {
        Self { tighten: false, ..self }
    }

    /// Reads the file under the lock, lets `change` work on it, and writes the result.
    ///
    /// If `change` fails, or changes nothing, nothing is written. It is called again, with the new
    /// content, if a program that does not take the lock has changed the file meanwhile. Do not edit
    /// the same file inside `change`: that edit would wait for this one. `change` should not ask the
    /// user anything either, since others wait meanwhile.
    ///
    /// # Errors
    ///
    /// What `change` returned, [`ConfigError::LockTimeout`], [`ConfigError::Malformed`] for a
    /// file that cannot be read, [`ConfigError::ChangedMeanwhile`], [`ConfigError::DirectoryMissing`],
    /// [`ConfigError::NotAFile`], [`ConfigError::TooLarge`] also for a file that would become so, or
    /// [`ConfigError::Io`].
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

    /// Shows that an edit would be written, as far as it can be told: before a person is asked for what is to be written then.
    ///
    /// # Errors
    ///
    /// Those of [`edit`](Self::edit) but for the text itself.
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
        // Asked and not tried: an edit that is never made leaves no lock file behind.
        disk::check_folder(&target)?;
        disk::check_folder(&self.path)?;
        let lock = disk::beside(&target, ".lock");
        if lock.exists() {
            lock::open(&lock)?;
        }
        if in_place::is_expected(&target) { in_place::prove(&target) } else { Ok(()) }
    }

    /// As [`prove`](Self::prove), for a profile of which the name and some values are known by then: that readers of the file would
    /// agree about them.
    ///
    /// # Errors
    ///
    /// Those of [`prove`](Self::prove), and of [`Draft::merge_profile`] for these words.
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

    /// One edit; `None` if somebody else has changed the file meanwhile, whose change then stands.
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
        // Hosts and names are for whoever the owner shares them with.
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
