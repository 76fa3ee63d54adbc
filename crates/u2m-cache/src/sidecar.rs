//! The files next to a token cache, wherever the tokens themselves are kept: the writers' lock `<name>.lock`, the folder
//! `<name>.locks` with a lock for each entry and each refresh token in use, the side file `<name>.u2m.json` with what is
//! known about the logins, and the writers' temporary files. If the cache is a link, the locks are next to its target.

pub(crate) mod claim;
pub(crate) mod disk;
pub(crate) mod in_place;
pub(crate) mod lock;
pub(crate) mod locks;
pub(crate) mod pause;
mod proof;
pub(crate) mod record_file;
pub(crate) mod runtime_lock;
mod sweep;
mod tail;
pub(crate) mod temp_file;

use crate::error::{DisplayPath, StoreError};
use crate::store::Notice;
use record_file::Sidecar;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use temp_file::UpdateReserve;
use u2m_core::{Binding, CacheKey, FirstUse, Session};

/// Writing takes milliseconds. A process that holds the lock for longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// The files next to the cache at `path`, which itself need not exist, and the notices for the user.
#[derive(Debug)]
pub(crate) struct SidecarFiles {
    pub(crate) path: PathBuf,
    notices: Mutex<Vec<Notice>>,
    /// What notices were given about.
    told: Mutex<BTreeSet<String>>,
    /// Whether the notice that there are no locks here was given.
    is_said: AtomicBool,
}

/// What must be synced to disk when a side file is rewritten, before anything else is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lasts {
    /// Nothing: if it is lost, it is found out again or no longer applies.
    Whatever,
    /// Its text. Used when the tokens that it describes are put in place next: the file system persists two renames in the
    /// order in which they were made.
    Text,
    /// Its text and the rename.
    Name,
}

impl Lasts {
    /// Returns what must be synced of a login's record. Without a record, tokens are never sent to an issuer that the user
    /// named or to a host that the user allowed, so such a login would be lost with its record. For any other login only the
    /// endpoints must be discovered again, and the write does not wait for the disk.
    pub(crate) fn of(session: &Session) -> Self {
        let is_needed = |it: &Binding| it.is_issuer_named || !it.allowed.is_empty();
        match session.binding.as_ref().is_some_and(is_needed) {
            true => Self::Text,
            false => Self::Whatever,
        }
    }
}

impl SidecarFiles {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            notices: Mutex::default(),
            told: Mutex::default(),
            is_said: AtomicBool::new(false),
        }
    }

    pub(crate) fn notice(&self, text: String) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push(Notice { text });
    }

    /// Gives a notice unless it was given already.
    pub(crate) fn notice_once(&self, text: String) {
        self.notice_about(&text.clone(), text);
    }

    /// Gives a notice unless one about the same thing was given: the wording may differ from attempt to attempt.
    pub(crate) fn notice_about(&self, what: &str, text: String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(what.to_owned()) {
            self.notice(text);
        }
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

    /// Returns the path of a sibling of the cache, with `suffix` in place of `.json`.
    pub(crate) fn sibling(&self, suffix: &str) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.folder().join(format!("{}{suffix}", name.strip_suffix(".json").unwrap_or(&name)))
    }

    /// Returns the target of the user's links, or the path itself if the target's folder does not exist yet.
    pub(crate) fn real(&self) -> PathBuf {
        let real = disk::resolve(&self.path).ok();
        let is_there = |real: &PathBuf| real.parent().is_some_and(Path::is_dir);
        real.filter(is_there).unwrap_or_else(|| self.path.clone())
    }

    /// Like [`SidecarFiles::sibling`], for files shared by all links to one cache: its locks.
    pub(crate) fn lock_at(&self, suffix: &str) -> PathBuf {
        Self::new(self.real()).sibling(suffix)
    }

    /// Returns the prefix of the names of temporary files.
    pub(crate) fn prefix(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!(".{}-u2m-", name.strip_suffix(".json").unwrap_or(&name))
    }

    /// Takes the writers' lock.
    pub(crate) fn writer(&self) -> Result<locks::HeldLock, StoreError> {
        self.writer_on(None)
    }

    /// Like `writer`, on a lock file that is already open.
    pub(crate) fn writer_on(&self, open: Option<File>) -> Result<locks::HeldLock, StoreError> {
        let path = self.lock_at(".lock");
        let held = locks::take_on(&path, open, PATIENCE)?
            .ok_or_else(|| StoreError::LockTimeout { path: path.as_path().into() })?;
        self.say_where(&held);
        Ok(held)
    }

    /// Gives a notice, once, that a lock does not reach beyond this machine.
    pub(crate) fn say_where(&self, held: &locks::HeldLock) {
        if held.is_elsewhere() && !self.is_said.swap(true, Ordering::Relaxed) {
            self.notice(format!(
                "{} is on a file system without locks; programs on other machines are not coordinated",
                DisplayPath::from(self.path.as_path())
            ));
        }
    }

    /// Reads the side file. Returns an empty one if it cannot be read.
    pub(crate) fn sidecar(&self) -> Sidecar {
        let found = disk::read(&self.sibling(".u2m.json")).ok().flatten();
        Sidecar::parse(&found.map(|found| found.bytes).unwrap_or_default())
    }

    /// Reads the side file in order to change and rewrite it. A damaged one counts as empty. One that cannot be read at the
    /// moment is an error, because rewriting it would lose what it says about other logins.
    pub(crate) fn sidecar_to_change(&self) -> Result<Sidecar, StoreError> {
        match disk::read(&self.sibling(".u2m.json")) {
            Err(error @ StoreError::Io { .. }) => Err(error),
            found => {
                let found = found.ok().flatten().map(|found| found.bytes);
                Ok(Sidecar::parse(&found.unwrap_or_default()))
            }
        }
    }

    /// Like `sidecar_to_change`, and also returns the file if a line can be appended to it.
    pub(crate) fn sidecar_to_add(&self) -> Result<(Sidecar, Option<File>), StoreError> {
        match disk::read_to_write(&self.sibling(".u2m.json")) {
            Ok(Some((found, file))) => Ok((Sidecar::parse(&found.bytes), Some(file))),
            // A read-only file can still be replaced.
            _ => self.sidecar_to_change().map(|sidecar| (sidecar, None)),
        }
    }

    /// Records what is new about these logins before their tokens are put in place, by appending to the side file or by
    /// rewriting it. An appended line that must be durable still has to be synced ([`UpdateReserve::settle_line`]). The
    /// caller holds the writers' lock.
    pub(crate) fn add_to_sidecar(
        &self,
        (sidecar, file): (&Sidecar, Option<File>),
        (names, lasts): (&[&str], Lasts),
        reserve: &mut UpdateReserve,
    ) -> Result<(), StoreError> {
        if let (Some(mut file), Some((len, line))) = (file, sidecar.line(names))
            && disk::check_len(&self.path, len + line.len() as u64, disk::READABLE).is_ok()
            && tail::add(&mut file, len, &line).is_ok()
        {
            reserve.line = (lasts != Lasts::Whatever).then_some(file);
            return Ok(());
        }
        self.put_sidecar(sidecar, reserve, lasts)
    }

    /// Decides whether a save continues if nothing could be recorded about it: it does, with a notice. The exception is a
    /// login to a host other than the recorded one: it would be refused under its own name from then on, so it is not saved.
    pub(crate) fn unrecorded(
        &self,
        key: &CacheKey,
        session: &Session,
        is_login: bool,
        error: StoreError,
    ) -> Result<(), StoreError> {
        let agrees =
            || self.sidecar_to_change().is_ok_and(|sidecar| sidecar.agrees(key.as_str(), session));
        if is_login && !agrees() {
            return Err(error);
        }
        self.say_unrecorded(key.as_str(), &error);
        Ok(())
    }

    /// Gives a notice that the owner of the tokens under a name may not be recorded durably.
    pub(crate) fn say_unrecorded(&self, key: &str, error: &dyn std::error::Error) {
        let text = format!("whom the login '{key}' belongs to could not be noted");
        self.notice_about(&text, format!("{text}: {error}"));
    }

    /// Changes the side file under the writers' lock. `change` returns whether it changed anything.
    #[cfg_attr(not(feature = "keyring"), allow(dead_code, reason = "for what may be forgotten"))]
    pub(crate) fn change_sidecar(
        &self,
        change: impl FnOnce(&mut Sidecar) -> bool,
    ) -> Result<(), StoreError> {
        disk::create_folder(self.folder())?;
        let _writer = self.writer()?;
        self.change_sidecar_locked(&mut UpdateReserve::default(), Lasts::Whatever, change)
    }

    /// Like [`SidecarFiles::change_sidecar`], and syncs the change to disk. After a power failure it must not be forgotten
    /// where a login is once its other copy was removed.
    pub(crate) fn change_sidecar_for_good(
        &self,
        change: impl FnOnce(&mut Sidecar) -> bool,
    ) -> Result<(), StoreError> {
        disk::create_folder(self.folder())?;
        let _writer = self.writer()?;
        self.change_sidecar_locked(&mut UpdateReserve::default(), Lasts::Name, change)
    }

    /// Records which host another program's login is used with, unless its name is already tied to one. Returns whether this
    /// call recorded it. If two try at once without patience, one of them fails, but the host is recorded then.
    pub(crate) fn tie(
        &self,
        key: &CacheKey,
        first: &FirstUse,
        config: Option<&str>,
        patience: Duration,
    ) -> Result<bool, StoreError> {
        disk::create_folder(self.folder())?;
        let path = self.sibling(".lock");
        let Some(_writer) = locks::take(&path, patience)? else {
            return Err(StoreError::LockTimeout { path: path.as_path().into() });
        };
        let mut is_new = false;
        self.change_sidecar_locked(&mut UpdateReserve::default(), Lasts::Whatever, |sidecar| {
            is_new = sidecar.tie(key.as_str(), &first.host, config);
            is_new
        })?;
        Ok(is_new)
    }

    /// Like [`SidecarFiles::change_sidecar`], for a caller that already holds the writers' lock.
    pub(crate) fn change_sidecar_locked(
        &self,
        reserve: &mut UpdateReserve,
        lasts: Lasts,
        change: impl FnOnce(&mut Sidecar) -> bool,
    ) -> Result<(), StoreError> {
        let mut sidecar = self.sidecar_to_change()?;
        match change(&mut sidecar) {
            true => self.put_sidecar(&sidecar, reserve, lasts),
            false => Ok(()),
        }
    }

    fn put_sidecar(
        &self,
        sidecar: &Sidecar,
        reserve: &mut UpdateReserve,
        lasts: Lasts,
    ) -> Result<(), StoreError> {
        let path = self.sibling(".u2m.json");
        let text = sidecar.text();
        disk::check_len(&path, text.len() as u64, disk::READABLE)?;
        let mut temporary = reserve.side(&path, self.prefix())?;
        temporary.fill(&text, lasts != Lasts::Whatever)?;
        temporary.put(&path, lasts == Lasts::Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::AccessToken;

    #[test]
    fn a_name_alone_is_in_the_folder_that_one_is_in() {
        assert_eq!(SidecarFiles::new("cache.json".into()).folder(), Path::new("."));
        assert_eq!(SidecarFiles::new("/a/cache.json".into()).folder(), Path::new("/a"));
    }

    #[test]
    fn what_could_not_be_noted_of_a_login_is_said_where_it_contradicts_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let beside = SidecarFiles::new(folder.path().join("cache.json"));
        let (key, session) = (CacheKey::new("dev"), Session::new(AccessToken::new("a")));
        for is_login in [true, false] {
            beside.unrecorded(&key, &session, is_login, StoreError::NoHome).unwrap();
        }
        let notices = beside.take_notices();
        assert_eq!(notices.len(), 1, "{notices:?}");
        assert!(notices[0].text.contains("whom the login 'dev' belongs to"), "{notices:?}");
    }
}
