//! Room for a write: temporary files, before and after the moment in which they are put in place.

use super::disk;
use crate::error::StoreError;
use fd_lock::RwLock;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Room for one more entry than a file holds now.
pub(crate) const SPARE: u64 = 64 << 10;

/// How long a Go program may take between making its temporary file and renaming it.
const FOREIGN_LEFTOVER: Duration = Duration::from_secs(3600);

/// A temporary file that is locked by its owner, so that sweepers can tell it from a dead one's.
pub(crate) struct Temporary {
    pub(crate) path: PathBuf,
    file: File,
}

impl Temporary {
    /// Makes a temporary file beside the file that it is to replace, of `len` bytes that are really there. The writer's
    /// lock is held, so that no sweeper sees it before it is locked.
    pub(crate) fn new(
        target: &Path,
        prefix: String,
        len: u64,
        durable: bool,
    ) -> Result<Self, StoreError> {
        // Process numbers are not enough: containers that share a home have the same ones.
        let name = format!("{prefix}{:016x}.tmp", RandomState::new().build_hasher().finish());
        let path = target.with_file_name(name);
        let file =
            disk::create_private(&path).map_err(|error| StoreError::io("create", &path, error))?;
        let mut lock = RwLock::new(file);
        // Where there are no locks, there are no sweepers either: they have to lock first.
        let _ = lock.try_write().map(std::mem::forget);
        let mut temporary = Self { path, file: lock.into_inner() };
        let allotted = allot(&mut temporary.file, len, durable);
        allotted.map_err(|error| StoreError::io("write", &temporary.path, error))?;
        Ok(temporary)
    }

    pub(crate) fn fill(&mut self, text: &str, durable: bool) -> Result<(), StoreError> {
        disk::fill(&mut self.file, text, durable)
            .map_err(|error| StoreError::io("write", &self.path, error))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already if it was put in place.
        let _ = fs::remove_file(&self.path);
    }
}

/// What was set aside for one update.
#[derive(Default)]
pub(crate) struct Reserve {
    pub(crate) cache: Option<Temporary>,
    pub(crate) side: Option<Temporary>,
}

impl Reserve {
    /// The file to fill for `target`, the cache.
    pub(crate) fn cache(&mut self, target: &Path, prefix: String) -> Result<Temporary, StoreError> {
        take(&mut self.cache, target, prefix)
    }

    /// The file to fill for `target`, the side file.
    pub(crate) fn side(&mut self, target: &Path, prefix: String) -> Result<Temporary, StoreError> {
        take(&mut self.side, target, prefix)
    }
}

/// What was set aside, if it is still there and beside `target`.
fn take(
    slot: &mut Option<Temporary>,
    target: &Path,
    prefix: String,
) -> Result<Temporary, StoreError> {
    let is_fit = |room: &Temporary| {
        room.path.parent() == target.parent() && disk::is_still(&room.path, &room.file)
    };
    match slot.take().filter(is_fit) {
        Some(room) => Ok(room),
        None => Temporary::new(target, prefix, 0, false),
    }
}

/// Removes temporary files that killed writers left in a folder, with the tokens in them. The writer's lock is held.
pub(crate) fn sweep(folder: &Path, prefix: &str) {
    let foreign = prefix.replace("-u2m-", "-");
    let Ok(names) = fs::read_dir(folder) else { return };
    for entry in names.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".tmp") || !name.starts_with(&foreign) {
            continue;
        }
        let age = entry.metadata().and_then(|meta| meta.modified()).ok();
        let age = age.and_then(|at| at.elapsed().ok());
        let is_left = match name.starts_with(prefix) {
            true => is_unlocked(&entry.path()),
            false => age.is_some_and(|age| age > FOREIGN_LEFTOVER),
        };
        if is_left {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether nobody who is alive holds this temporary file.
fn is_unlocked(path: &Path) -> bool {
    disk::open_to_lock(path).is_ok_and(|file| RwLock::new(file).try_write().is_ok())
}

fn allot(file: &mut File, len: u64, durable: bool) -> io::Result<()> {
    let zeros = [0; 4096];
    let mut left = len;
    while left > 0 {
        let part = left.min(zeros.len() as u64);
        file.write_all(&zeros[..usize::try_from(part).unwrap_or(0)])?;
        left -= part;
    }
    if durable && len > 0 { file.sync_all() } else { Ok(()) }
}
