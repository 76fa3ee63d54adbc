//! Reserved disk space for a write: temporary files, before and after they are put in place.

use super::{disk, runtime_lock};
use crate::error::StoreError;
use crate::fault::{self, FileOperation};
use fd_lock::RwLock;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Space for one more entry than the file holds now.
pub(crate) const SPARE: u64 = 64 << 10;

/// How long a program may take between creating its temporary file and renaming it, if no lock shows that it is running: Go
/// programs, and file systems without locks.
const FOREIGN_LEFTOVER: Duration = Duration::from_secs(3600);

/// The length of a temporary file's name after its prefix: 16 digits and `.tmp`.
const SUFFIX: usize = 20;

/// A temporary file that its owner has locked, so that cleanup can distinguish it from one of a dead process.
pub(crate) struct TempFile {
    pub(crate) path: PathBuf,
    file: File,
    /// Whether the file is kept when this is dropped, because another process will put it in place.
    is_left: bool,
}

impl TempFile {
    /// Creates a temporary file next to the file that it will replace, with `len` bytes of allocated space. The caller holds
    /// the writers' lock, so that no cleanup sees the file before it is locked.
    pub(crate) fn new(
        target: &Path,
        prefix: String,
        len: u64,
        durable: bool,
    ) -> Result<Self, StoreError> {
        // Process IDs are not enough: containers that share a home folder have the same ones.
        let name = format!("{prefix}{:016x}.tmp", RandomState::new().build_hasher().finish());
        let path = target.with_file_name(name);
        let file =
            disk::create_private(&path).map_err(|error| StoreError::io("create", &path, error))?;
        let mut lock = RwLock::new(file);
        // Without locks, cleanup decides by age.
        let _ = fault::at(FileOperation::Lock, || lock.try_write().map(std::mem::forget));
        let mut temporary = Self { path, file: lock.into_inner(), is_left: false };
        let allotted = allot(&mut temporary.file, len, durable);
        allotted.map_err(|error| StoreError::io("write", &temporary.path, error))?;
        Ok(temporary)
    }

    /// Checks that it can be renamed in its folder: in an append-only folder it cannot.
    pub(crate) fn proven(mut self) -> Result<Self, StoreError> {
        let mut name = self.path.file_name().unwrap_or_default().to_os_string();
        let random = RandomState::new().build_hasher().finish();
        if let Some(prefix) = name.to_str().and_then(|name| name.get(..name.len() - SUFFIX)) {
            name = format!("{prefix}{random:016x}.tmp").into();
        }
        let path = self.path.with_file_name(name);
        self.put(&path, false)?;
        self.path = path;
        Ok(self)
    }

    pub(crate) fn fill(&mut self, text: &str, durable: bool) -> Result<(), StoreError> {
        disk::fill(&mut self.file, text, durable)
            .map_err(|error| StoreError::io("write", &self.path, error))
    }

    /// Keeps the file for the process that will put it in place.
    pub(crate) fn leave(&mut self) {
        self.is_left = true;
    }

    /// Replaces `target` with it.
    pub(crate) fn put(&self, target: &Path, durable: bool) -> Result<(), StoreError> {
        match disk::put(&self.path, target, durable) {
            // A file server whose answer was lost has still done the rename, and reports a missing source when it is asked
            // again.
            Err(_) if cfg!(unix) && disk::is_still(target, &self.file).unwrap_or(false) => Ok(()),
            other => other,
        }
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        // Already gone if it was put in place.
        let _ = fault::at(FileOperation::Remove, || fs::remove_file(&self.path));
    }
}

/// The space reserved for one update, and what still has to be synced.
#[derive(Default)]
pub(crate) struct UpdateReserve {
    pub(crate) cache: Option<TempFile>,
    pub(crate) side: Option<TempFile>,
    /// The side file, if a line in it must be synced before the tokens that it describes are put in place.
    pub(crate) line: Option<File>,
    /// The folder in which a file was put in place.
    pub(crate) put: Option<PathBuf>,
}

impl UpdateReserve {
    /// Syncs an appended line of the side file. The text of the tokens is already synced.
    pub(crate) fn settle_line(&mut self) -> io::Result<()> {
        self.line.take().map_or(Ok(()), |file| fault::sync(&file, File::sync_data))
    }

    /// Syncs the rename. Other writers need not wait for this.
    pub(crate) fn settle(&mut self) {
        if let Some(folder) = self.put.take() {
            disk::sync_folder(&folder);
        }
    }

    /// Returns the file to fill for `target`, the cache.
    pub(crate) fn cache(&mut self, target: &Path, prefix: String) -> Result<TempFile, StoreError> {
        take(&mut self.cache, target, prefix)
    }

    /// Returns the file to fill for `target`, the side file.
    pub(crate) fn side(&mut self, target: &Path, prefix: String) -> Result<TempFile, StoreError> {
        take(&mut self.side, target, prefix)
    }
}

/// Returns the reserved file, if it still exists and is next to `target`.
fn take(
    slot: &mut Option<TempFile>,
    target: &Path,
    prefix: String,
) -> Result<TempFile, StoreError> {
    let is_fit = |room: &TempFile| {
        room.path.parent() == target.parent()
            && disk::is_still(&room.path, &room.file).unwrap_or(false)
    };
    match slot.take().filter(is_fit) {
        Some(room) => Ok(room),
        None => TempFile::new(target, prefix, 0, false),
    }
}

/// Returns whether a folder contains temporary files, whoever owns them. A folder that cannot be read is assumed to contain
/// some.
pub(crate) fn has_any(folder: &Path, prefix: &str) -> bool {
    let foreign = prefix.replace("-u2m-", "-");
    let is_one = |name: &str| name.ends_with(".tmp") && name.starts_with(&foreign);
    fs::read_dir(folder).map_or(true, |names| {
        names.flatten().any(|entry| is_one(&entry.file_name().to_string_lossy()))
    })
}

/// Removes temporary files that killed writers left in a folder, with the tokens in them. Returns how many. The caller holds
/// the writers' lock.
pub(crate) fn sweep(folder: &Path, prefix: &str) -> usize {
    let foreign = prefix.replace("-u2m-", "-");
    let Ok(names) = fault::at(FileOperation::ReadFolder, || fs::read_dir(folder)) else { return 0 };
    let mut removed = 0;
    for entry in names.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".tmp") || !name.starts_with(&foreign) {
            continue;
        }
        let age = entry.metadata().and_then(|meta| meta.modified()).ok();
        let age = age.and_then(|at| at.elapsed().ok());
        let is_old = age.is_some_and(|age| age > FOREIGN_LEFTOVER);
        let is_left = match name.starts_with(prefix) {
            true => is_unlocked(&entry.path()).unwrap_or(is_old),
            false => is_old,
        };
        if is_left && fault::at(FileOperation::Remove, || fs::remove_file(entry.path())).is_ok() {
            removed += 1;
        }
    }
    removed
}

/// Returns whether no running process holds this temporary file, or `None` if the file system has no locks to tell.
fn is_unlocked(path: &Path) -> Option<bool> {
    let Ok(file) = disk::open_to_lock(path) else { return Some(false) };
    match fault::at(FileOperation::Lock, || RwLock::new(file).try_write().map(std::mem::forget)) {
        Ok(()) => Some(true),
        Err(error) if runtime_lock::says_that_there_are_none(&error) => None,
        Err(_) => Some(false),
    }
}

fn allot(file: &mut File, len: u64, durable: bool) -> io::Result<()> {
    let zeros = [0; 16 << 10];
    let mut left = len;
    while left > 0 {
        let part = left.min(zeros.len() as u64);
        fault::through(file).write_all(&zeros[..usize::try_from(part).unwrap_or(0)])?;
        left -= part;
    }
    if durable && len > 0 { fault::sync(file, File::sync_all) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_shown_to_be_renamable_is_still_known_by_its_prefix() {
        let folder = tempfile::tempdir().unwrap();
        let (target, prefix) = (folder.path().join("cache.json"), ".cache-u2m-");
        let name = |room: &TempFile| room.path.file_name().unwrap().to_str().unwrap().to_owned();
        let new = TempFile::new(&target, prefix.into(), 10, false).unwrap();
        let before = name(&new);
        let proven = new.proven().unwrap();
        let after = name(&proven);
        assert!(before != after && before.len() == after.len(), "{before} became {after}");
        assert!(after.starts_with(prefix) && after.ends_with(".tmp"), "{after}");
        // Its owner is alive, and then killed.
        assert_eq!((sweep(folder.path(), prefix), has_any(folder.path(), prefix)), (0, true));
        let killed = proven.path.with_file_name(format!("{}x.tmp", after.trim_end_matches(".tmp")));
        fs::copy(&proven.path, &killed).unwrap();
        assert_eq!((sweep(folder.path(), prefix), killed.exists()), (1, false));
    }
    #[test]
    fn only_what_is_named_as_temporary_files_are_is_swept_however_old() {
        let folder = tempfile::tempdir().unwrap();
        let left = |name: &str| {
            let path = folder.path().join(name);
            let file = File::create(&path).unwrap();
            file.set_modified(std::time::SystemTime::now() - 2 * FOREIGN_LEFTOVER).unwrap();
            path
        };
        // By us, and by a Go program.
        let swept = [".cache-u2m-0.tmp", ".cache-0.tmp"].map(left);
        let others = ["other.tmp", ".other-u2m-0.tmp", ".cache-u2m-0", ".cache-0.json"].map(left);
        assert_eq!(sweep(folder.path(), ".cache-u2m-"), 2);
        assert!(!swept.iter().any(|path| path.exists()));
        assert!(others.iter().all(|path| path.exists()));
    }
}
