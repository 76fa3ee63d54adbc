//! Removes note files that are no longer needed from a folder of locks.

use super::disk;
use crate::fault::{self, FileOperation};
use fd_lock::RwLock;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// This many files of one kind are left alone. Above that the old ones are removed, and above [`MOST`] the oldest.
const FEW: usize = 64;
pub(crate) const MOST: usize = 256;

/// If there are many files whose names begin with `prefix`, removes those that nobody holds and that are older than `useful`,
/// and the oldest if there are still too many.
pub(crate) fn sweep(folder: &Path, prefix: &str, useful: Duration) {
    let Ok(names) = fault::at(FileOperation::ReadFolder, || fs::read_dir(folder)) else { return };
    let is_one = |name: &str| name.starts_with(prefix) && name.ends_with(".lock");
    let ours: Vec<_> =
        names.flatten().filter(|entry| is_one(&entry.file_name().to_string_lossy())).collect();
    if ours.len() <= FEW {
        return;
    }
    let written = |entry: &fs::DirEntry| entry.metadata().and_then(|meta| meta.modified()).ok();
    let mut dated: Vec<_> =
        ours.iter().filter_map(|entry| Some((written(entry)?, entry.path()))).collect();
    dated.sort();
    let too_many = dated.len().saturating_sub(MOST);
    for (at, (written, path)) in dated.into_iter().enumerate() {
        let is_old = written.elapsed().is_ok_and(|age| age > useful);
        if at < too_many || is_old {
            remove_free(&path);
        }
    }
}

/// Removes a lock's file while nobody holds the lock. A process that waits for it notices that the file is gone and creates a
/// new one.
fn remove_free(path: &Path) {
    let Ok(file) = disk::open_to_lock(path) else { return };
    let mut lock = RwLock::new(file);
    if let Ok(_held) = fault::at(FileOperation::Lock, || lock.try_write()) {
        let _ = fault::at(FileOperation::Remove, || fs::remove_file(path));
    }
}
