//! What stands beside a token cache, wherever the tokens themselves are: the writers' lock `<name>.lock`, a lock for each
//! entry and for each refresh token that is being spent in `<name>.locks`, what is known of the logins in `<name>.u2m.json`,
//! and writers' temporary files. Locks stand beside the file that links lead to.

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

/// Writing takes milliseconds; a holder that has the lock for longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// The files beside the cache at `path`, which need not exist itself, and what a person should hear of.
#[derive(Debug)]
pub(crate) struct SidecarFiles {
    pub(crate) path: PathBuf,
    notices: Mutex<Vec<Notice>>,
    /// What was said once.
    told: Mutex<BTreeSet<String>>,
    /// Whether it was said that there are no locks here.
    is_said: AtomicBool,
}

/// What of a side file that is written anew is to last before anything else is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lasts {
    /// Nothing: what is lost is found out again, or is about nothing.
    Whatever,
    /// Its text, where tokens that it is about are put in place beside it next: of two files, which name leads to which lasts in the
    /// order in which it was changed.
    Text,
    /// Its name, too.
    Name,
}

impl Lasts {
    /// What is to last of a login's record. Tokens of which nothing is known are never sent to an issuer that a person named, nor to
    /// a host that a person allowed: such a login would end with its record. Any other only finds its endpoints again, and does not
    /// wait for a disk.
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

    /// Says it, unless it was said already.
    pub(crate) fn notice_once(&self, text: String) {
        self.notice_about(&text.clone(), text);
    }

    /// Says it, unless something was said about this already: the words may differ from try to try.
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

    /// A sibling of the cache with `suffix` in the place of `.json`.
    pub(crate) fn sibling(&self, suffix: &str) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.folder().join(format!("{}{suffix}", name.strip_suffix(".json").unwrap_or(&name)))
    }

    /// The cache itself, where this user's links lead to; where they lead nowhere yet, the path as it is.
    pub(crate) fn real(&self) -> PathBuf {
        let real = disk::resolve(&self.path).ok();
        let is_there = |real: &PathBuf| real.parent().is_some_and(Path::is_dir);
        real.filter(is_there).unwrap_or_else(|| self.path.clone())
    }

    /// As [`SidecarFiles::sibling`], for what all links to one cache have in common: its locks.
    pub(crate) fn lock_at(&self, suffix: &str) -> PathBuf {
        Self::new(self.real()).sibling(suffix)
    }

    /// How the names of temporary files begin.
    pub(crate) fn prefix(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!(".{}-u2m-", name.strip_suffix(".json").unwrap_or(&name))
    }

    /// The writers' lock.
    pub(crate) fn writer(&self) -> Result<locks::HeldLock, StoreError> {
        self.writer_on(None)
    }

    /// The same, on its file that was opened before.
    pub(crate) fn writer_on(&self, open: Option<File>) -> Result<locks::HeldLock, StoreError> {
        let path = self.lock_at(".lock");
        let held = locks::take_on(&path, open, PATIENCE)?
            .ok_or_else(|| StoreError::LockTimeout { path: path.as_path().into() })?;
        self.say_where(&held);
        Ok(held)
    }

    /// Says once that a lock does not reach beyond this machine.
    pub(crate) fn say_where(&self, held: &locks::HeldLock) {
        if held.is_elsewhere() && !self.is_said.swap(true, Ordering::Relaxed) {
            self.notice(format!(
                "{} is on a file system without locks; programs on other machines are not coordinated",
                DisplayPath::from(self.path.as_path())
            ));
        }
    }

    /// What is known of the logins; nothing, if it cannot be read.
    pub(crate) fn sidecar(&self) -> Sidecar {
        let found = disk::read(&self.sibling(".u2m.json")).ok().flatten();
        Sidecar::parse(&found.map(|found| found.bytes).unwrap_or_default())
    }

    /// What is known of the logins, to be changed and written again. What is damaged is as good as none; what cannot be
    /// read at this moment is not, or all that it says of other logins would be lost.
    pub(crate) fn sidecar_to_change(&self) -> Result<Sidecar, StoreError> {
        match disk::read(&self.sibling(".u2m.json")) {
            Err(error @ StoreError::Io { .. }) => Err(error),
            found => {
                let found = found.ok().flatten().map(|found| found.bytes);
                Ok(Sidecar::parse(&found.unwrap_or_default()))
            }
        }
    }

    /// The same, and the file itself, where something can be put behind what it says.
    pub(crate) fn sidecar_to_add(&self) -> Result<(Sidecar, Option<File>), StoreError> {
        match disk::read_to_write(&self.sibling(".u2m.json")) {
            Ok(Some((found, file))) => Ok((Sidecar::parse(&found.bytes), Some(file))),
            // A file that is only to be read can still be replaced.
            _ => self.sidecar_to_change().map(|sidecar| (sidecar, None)),
        }
    }

    /// Writes down what is news of these logins, behind what there is or by writing all anew, before their tokens are put in
    /// place. A line that is to last still has to be made to ([`UpdateReserve::settle_line`]). The writers' lock is held.
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

    /// What becomes of a save of which nothing could be recorded: it goes on, and a notice says so. But a login to another host
    /// than the one on record would be refused for ever after, by its own name, and is not saved.
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

    /// Says that it is not known for good whom the tokens under a name belong to.
    pub(crate) fn say_unrecorded(&self, key: &str, error: &dyn std::error::Error) {
        let text = format!("whom the login '{key}' belongs to could not be noted");
        self.notice_about(&text, format!("{text}: {error}"));
    }

    /// Changes what is known of the logins, under the writers' lock; `change` says whether it changed anything.
    #[cfg_attr(not(feature = "keyring"), allow(dead_code, reason = "for what may be forgotten"))]
    pub(crate) fn change_sidecar(
        &self,
        change: impl FnOnce(&mut Sidecar) -> bool,
    ) -> Result<(), StoreError> {
        disk::create_folder(self.folder())?;
        let _writer = self.writer()?;
        self.change_sidecar_locked(&mut UpdateReserve::default(), Lasts::Whatever, change)
    }

    /// As [`SidecarFiles::change_sidecar`], and lasting once it is done: where a login is may not be forgotten in a power cut after
    /// its copy elsewhere was removed.
    pub(crate) fn change_sidecar_for_good(
        &self,
        change: impl FnOnce(&mut Sidecar) -> bool,
    ) -> Result<(), StoreError> {
        disk::create_folder(self.folder())?;
        let _writer = self.writer()?;
        self.change_sidecar_locked(&mut UpdateReserve::default(), Lasts::Name, change)
    }

    /// Records which host a login of another program is used with, unless its name is tied to one already; whether that was
    /// done. Of two that try at once with no patience, one is left out: it is recorded then.
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

    /// As [`SidecarFiles::change_sidecar`], by whoever holds the writers' lock already.
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
