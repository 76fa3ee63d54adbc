//! The anchors, written by hand: a rename without a lock, and the same under a lock with fsync.

use crate::Counts;
use crate::cache::{Cache, Entry, FILE};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Temporary file and rename, without a lock: fast, and loses updates.
pub(crate) struct Rename {
    folder: PathBuf,
}

impl Rename {
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }
}

impl Counts for Rename {
    fn count_up(&self, key: &str, count: u64) -> Option<u64> {
        change(&self.folder, key, count, |_| Ok(())).expect("the folder is writable")
    }
}

/// Temporary file, fsync and rename, all of it under an advisory lock: the least that loses nothing.
pub(crate) struct FlockFsync {
    folder: PathBuf,
}

impl FlockFsync {
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }
}

impl Counts for FlockFsync {
    fn count_up(&self, key: &str, count: u64) -> Option<u64> {
        let lock = File::create(self.folder.join("token-cache.lock")).expect("the lock's file");
        lock.lock().expect("the lock");
        change(&self.folder, key, count, File::sync_all).expect("the folder is writable")
    }
}

/// Reads the file, changes one entry, and renames a temporary file over it.
fn change(
    folder: &Path,
    key: &str,
    count: u64,
    settle: impl Fn(&File) -> std::io::Result<()>,
) -> std::io::Result<Option<u64>> {
    let path = folder.join(FILE);
    let read = Cache::read(&path);
    let found =
        read.as_ref().map(|cache| cache.tokens.get(key).and_then(Entry::count).unwrap_or(0));
    let mut cache = read.unwrap_or_default();
    cache.tokens.insert(key.to_owned(), Entry::counting(count + 1));
    let temporary = folder.join(format!(".{FILE}.{key}.tmp"));
    let mut file = File::create(&temporary)?;
    file.write_all(&cache.bytes())?;
    settle(&file)?;
    std::fs::rename(temporary, path)?;
    Ok(found)
}
