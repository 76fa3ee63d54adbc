//! What stands beside a token cache, wherever the tokens themselves are: the writers' lock `<name>.lock`, a lock for each
//! entry in `<name>.locks`, what is known of the logins in `<name>.u2m.json`, and writers' temporary files.

pub(crate) mod disk;
pub(crate) mod elsewhere;
pub(crate) mod lock;
pub(crate) mod locks;
pub(crate) mod room;
pub(crate) mod sidecar;

use crate::error::{Shown, StoreError};
use crate::store::Notice;
use room::Reserve;
use sidecar::Sidecar;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Writing takes milliseconds; a holder that has the lock for longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// The files beside the cache at `path`, which need not exist itself, and what a person should hear of.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) path: PathBuf,
    notices: Mutex<Vec<Notice>>,
    /// Whether it was said that there are no locks here.
    is_said: AtomicBool,
}

impl Beside {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, notices: Mutex::default(), is_said: AtomicBool::new(false) }
    }

    pub(crate) fn notice(&self, text: String) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push(Notice { text });
    }

    pub(crate) fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// A sibling of the cache with `suffix` in the place of `.json`.
    pub(crate) fn sibling(&self, suffix: &str) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.folder().join(format!("{}{suffix}", name.strip_suffix(".json").unwrap_or(&name)))
    }

    /// How the names of temporary files begin.
    pub(crate) fn prefix(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!(".{}-u2m-", name.strip_suffix(".json").unwrap_or(&name))
    }

    /// The writers' lock.
    pub(crate) fn writer(&self) -> Result<locks::Held, StoreError> {
        let path = self.sibling(".lock");
        let held = locks::take(&path, PATIENCE)?
            .ok_or_else(|| StoreError::LockTimeout { path: path.as_path().into() })?;
        self.say_where(&held);
        Ok(held)
    }

    /// Says once that a lock does not reach beyond this machine.
    pub(crate) fn say_where(&self, held: &locks::Held) {
        if held.is_elsewhere() && !self.is_said.swap(true, Ordering::Relaxed) {
            self.notice(format!(
                "{} is on a file system without locks; programs on other machines are not coordinated",
                Shown::from(self.path.as_path())
            ));
        }
    }

    /// What is known of the logins; nothing, if it cannot be read.
    pub(crate) fn sidecar(&self) -> Sidecar {
        let found = disk::read(&self.sibling(".u2m.json")).ok().flatten();
        Sidecar::parse(
            &found.and_then(|found| String::from_utf8(found.bytes).ok()).unwrap_or_default(),
        )
    }

    /// What is known of the logins, to be changed and written again. What is damaged is as good as none; what cannot be
    /// read at this moment is not, or all that it says of other logins would be lost.
    fn sidecar_to_change(&self) -> Result<Sidecar, StoreError> {
        match disk::read(&self.sibling(".u2m.json")) {
            Err(error @ StoreError::Io { .. }) => Err(error),
            found => {
                let found =
                    found.ok().flatten().and_then(|found| String::from_utf8(found.bytes).ok());
                Ok(Sidecar::parse(&found.unwrap_or_default()))
            }
        }
    }

    /// Changes what is known of the logins, under the writers' lock; `change` says whether it changed anything.
    pub(crate) fn change_sidecar(
        &self,
        change: impl FnOnce(&mut Sidecar) -> bool,
    ) -> Result<(), StoreError> {
        disk::create_folder(self.folder())?;
        let _writer = self.writer()?;
        self.change_sidecar_locked(&mut Reserve::default(), change)
    }

    /// As [`Beside::change_sidecar`], by whoever holds the writers' lock already.
    pub(crate) fn change_sidecar_locked(
        &self,
        reserve: &mut Reserve,
        change: impl FnOnce(&mut Sidecar) -> bool,
    ) -> Result<(), StoreError> {
        let mut sidecar = self.sidecar_to_change()?;
        match change(&mut sidecar) {
            true => self.write_sidecar(&sidecar, reserve),
            false => Ok(()),
        }
    }

    /// Not synced: without it a login still works, it only has to find its endpoints again. The writers' lock is held.
    pub(crate) fn write_sidecar(
        &self,
        sidecar: &Sidecar,
        reserve: &mut Reserve,
    ) -> Result<(), StoreError> {
        let path = self.sibling(".u2m.json");
        let mut temporary = reserve.side(&path, self.prefix())?;
        temporary.fill(&sidecar.text(), false)?;
        temporary.put(&path, false)
    }
}
