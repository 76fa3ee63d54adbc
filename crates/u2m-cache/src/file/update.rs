//! Changing one entry: under the writer's lock, from what the file holds at that moment.

use super::document::{Document, parse};
use super::entry::Entry;
use super::{Inner, disk, lock, locks};
use crate::error::StoreError;
use fd_lock::RwLock;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use u2m_core::{CacheKey, Session, Timestamp};
use zeroize::Zeroizing;

/// Writing takes milliseconds; a holder that has the lock for longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Room for one more entry than the file holds now.
const SPARE: u64 = 64 << 10;

/// How long a Go program may take between making its temporary file and renaming it.
const FOREIGN_LEFTOVER: Duration = Duration::from_secs(3600);

/// A temporary file that is locked by its owner, so that sweepers can tell it from a dead one's.
pub(super) struct Temporary {
    path: PathBuf,
    file: File,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already if it was put in place.
        let _ = fs::remove_file(&self.path);
    }
}

impl Inner {
    /// Replaces (`Some`) or removes (`None`) one entry. `reserve` is room set aside before.
    pub(super) fn update(
        &self,
        key: &CacheKey,
        session: Option<&Session>,
        reserve: Option<Temporary>,
    ) -> Result<(), StoreError> {
        disk::create_folder(self.folder())?;
        let _writer = self.writer()?;
        self.sweep();
        let text = match self.text() {
            Ok(text) => Zeroizing::new(text),
            // What is not even text holds no entry to keep; it is set aside like any other damage.
            Err(StoreError::Corrupt { .. }) => Zeroizing::new("\u{0}".to_owned()),
            Err(error) => return Err(error),
        };
        let parsed = parse(&text);
        if parsed.broken.is_some() {
            self.set_aside(&parsed.document)?;
        } else {
            self.check_version(&parsed.document)?;
        }
        let document = parsed.document;
        // An entry that cannot be read is replaced whole.
        let old =
            document.entry(key.as_str()).and_then(|raw| Entry::parse(raw).ok()).unwrap_or_default();
        if session.is_none() && document.entry(key.as_str()).is_none() && parsed.broken.is_none() {
            return Ok(());
        }
        self.check_keeps_refresh_token(key, &old, session)?;
        let mut sidecar = self.sidecar();
        let before = old.session().map(|old| old.fingerprint());
        let mut changes = vec![(key.as_str(), session.map(|session| written(&old, session)))];
        match session {
            Some(session) => {
                sidecar.record(key.as_str(), session, before.clone());
                for (twin, entry) in twins(&document, key, &old) {
                    sidecar.record(twin, session, before.clone());
                    changes.push((twin, Some(written(&entry, session))));
                }
                self.write_sidecar(&sidecar.text())?;
            }
            None if sidecar.forget(key.as_str()) => self.write_sidecar(&sidecar.text())?,
            None => {}
        }
        let text = Zeroizing::new(document.with(&changes));
        let mut temporary = match reserve {
            Some(reserve) => reserve,
            None => self.temporary(0)?,
        };
        let path = disk::resolve(&self.path)?;
        disk::replace(&path, &temporary.path, &mut temporary.file, &text, true)
    }

    /// Sets aside room for the next update: the file as it is now, and one more entry.
    pub(super) fn reserve(&self) -> Result<Temporary, StoreError> {
        disk::create_folder(self.folder())?;
        let _writer = self.writer()?;
        self.sweep();
        let len = fs::metadata(&self.path).map_or(0, |meta| meta.len());
        self.temporary(len + SPARE)
    }

    fn writer(&self) -> Result<locks::Held, StoreError> {
        let path = self.sibling(".lock");
        locks::take(&path, PATIENCE)?
            .ok_or_else(|| StoreError::LockTimeout { path: path.as_path().into() })
    }

    /// Makes a temporary file beside the file that it is to replace, of `len` bytes that are really there. The writer's
    /// lock is held, so that no sweeper sees it before it is locked.
    fn temporary(&self, len: u64) -> Result<Temporary, StoreError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let target = disk::resolve(&self.path)?;
        let folder = target.parent().unwrap_or(Path::new(".")).to_owned();
        let (pid, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = folder.join(format!("{}{pid}-{count}.tmp", self.prefix()));
        // One of a dead process that had the same number.
        let _ = fs::remove_file(&path);
        let mut lock = RwLock::new(disk::create_new(&path)?);
        if let Ok(guard) = lock.try_write() {
            std::mem::forget(guard);
        }
        let mut temporary = Temporary { path, file: lock.into_inner() };
        let fill = |file: &mut File| {
            let zeros = [0; 4096];
            let mut left = len;
            while left > 0 {
                let part = left.min(zeros.len() as u64);
                file.write_all(&zeros[..usize::try_from(part).unwrap_or(0)])?;
                left -= part;
            }
            if len > 0 { file.sync_all() } else { Ok(()) }
        };
        fill(&mut temporary.file)
            .map_err(|error| StoreError::io("write", &temporary.path, error))?;
        Ok(temporary)
    }

    fn prefix(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!(".{}-u2m-", name.strip_suffix(".json").unwrap_or(&name))
    }

    /// Removes temporary files that killed writers left, with the tokens in them. The writer's lock is held.
    fn sweep(&self) {
        let prefix = self.prefix();
        let foreign = prefix.replace("-u2m-", "-");
        let target = disk::resolve(&self.path).unwrap_or_else(|_| self.path.clone());
        let Ok(names) = fs::read_dir(target.parent().unwrap_or(Path::new("."))) else { return };
        for entry in names.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.ends_with(".tmp") || !name.starts_with(&foreign) {
                continue;
            }
            let age = entry
                .metadata()
                .and_then(|meta| meta.modified())
                .ok()
                .and_then(|at| at.elapsed().ok());
            let is_left = match name.starts_with(&prefix) {
                true => is_unlocked(&entry.path()),
                false => age.is_some_and(|age| age > FOREIGN_LEFTOVER),
            };
            if is_left {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Moves a damaged cache out of the way, under a name that says when, and says so.
    fn set_aside(&self, rest: &Document<'_>) -> Result<(), StoreError> {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let path = disk::resolve(&self.path)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".corrupt-{seconds}"));
        let aside = path.with_file_name(name);
        // A second name rather than a move: until the new file is in place, readers see the old one.
        match fs::hard_link(&path, &aside) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(_) => {
                fs::copy(&path, &aside)
                    .map_err(|error| StoreError::io("set aside", &path, error))?;
            }
        }
        self.notice(format!(
            "{} was damaged; it is kept as {}, and {} of its logins could be read and were kept",
            path.display(),
            aside.display(),
            rest.keys().len()
        ));
        Ok(())
    }

    fn check_keeps_refresh_token(
        &self,
        key: &CacheKey,
        old: &Entry<'_>,
        new: Option<&Session>,
    ) -> Result<(), StoreError> {
        let Some(old) = old.session().filter(|old| old.refresh_token.is_some()) else {
            return Ok(());
        };
        let loses = new.is_some_and(|new| new.refresh_token.is_none());
        let is_dead =
            || lock::remembered(self, key).is_some_and(|verdict| verdict.is_final_for(&old));
        if loses && !is_dead() {
            Err(StoreError::WouldLoseRefreshToken { key: key.clone() })
        } else {
            Ok(())
        }
    }

    /// Written first and not synced: without it a login still works, it only has to find its endpoints again.
    fn write_sidecar(&self, text: &str) -> Result<(), StoreError> {
        let path = self.sibling(".u2m.json");
        let mut temporary = self.temporary(0)?;
        disk::replace(&path, &temporary.path, &mut temporary.file, text, false)
    }
}

/// Other entries that hold the refresh token which is being replaced: copies under the host's key that older programs
/// made. It is spent for them too.
fn twins<'d>(
    document: &'d Document<'_>,
    key: &CacheKey,
    old: &Entry<'_>,
) -> Vec<(&'d str, Entry<'d>)> {
    let Some(spent) = old.session().and_then(|old| old.refresh_token) else { return Vec::new() };
    let others = document.keys().into_iter().filter(|name| *name != key.as_str());
    let read = others.filter_map(|name| Some((name, Entry::parse(document.entry(name)?).ok()?)));
    read.filter(|(_, entry)| {
        entry.session().and_then(|twin| twin.refresh_token).as_ref() == Some(&spent)
    })
    .collect()
}

/// Whether nobody who is alive holds this temporary file.
fn is_unlocked(path: &Path) -> bool {
    let Ok(file) = disk::open_private(path) else { return false };
    RwLock::new(file).try_write().is_ok()
}

fn written(old: &Entry<'_>, session: &Session) -> String {
    let at = session.known_expiry().unwrap_or(Timestamp::from_unix(0));
    old.write(session, crate::zone::offset_at(at))
}
