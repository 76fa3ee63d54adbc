//! Writes a file in place if it cannot be replaced because it is itself a mount point, as when a container mounts a single
//! file.
//!
//! A crash can interrupt a write in place, and half of the old text with half of the new text may look complete. So before
//! the first byte is changed, the new text is synced to disk in another file, and its location is recorded. While the write
//! is in progress, the first byte marks the rest as invalid. A process that finds such a file completes it with the new text,
//! or waits for a process that does.

use super::disk;
use crate::error::StoreError;
use crate::fault::{self, FileOperation};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// The first byte of a file that is being written. No valid text begins with it.
const HALF: u8 = 0;

/// The result of a write.
pub(crate) enum WriteOutcome {
    /// The new text is in place and synced to disk.
    Whole,
    /// The write was interrupted and the old text could not be restored. Any process that can must put the new text there.
    Half(io::Error),
}

/// Returns whether replacing a file failed because it is a mount point.
pub(crate) fn is_needed(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if source.kind() == ErrorKind::ResourceBusy)
}

/// Returns whether this is the text of a file whose write has not ended.
pub(crate) fn is_half(text: &str) -> bool {
    text.as_bytes().first() == Some(&HALF)
}

/// Checks that the file can be written in place, and reserves space for `len` bytes if its file system can do that.
pub(crate) fn prove(path: &Path, len: u64) -> Result<(), StoreError> {
    let file = disk::open_to_write(path)?;
    disk::reserve(&file, len).map_err(|error| StoreError::io("write", path, error))
}

/// Overwrites the file with `new`. The caller holds the writers' lock and has synced the text to another file, whose location
/// is recorded.
///
/// # Errors
/// If this fails, the old text is still there.
pub(crate) fn write(path: &Path, new: &[u8]) -> Result<WriteOutcome, StoreError> {
    let failed = |error| StoreError::io("write", path, error);
    let mut file = disk::open_to_write(path)?;
    let old = bytes(&mut file).map_err(failed)?;
    let Err(error) = fill(&mut file, new) else { return Ok(WriteOutcome::Whole) };
    // For example, the disk is full. A text that was already incomplete is not restored.
    let is_known = old.first() != Some(&HALF) && old.len() as u64 <= disk::READABLE;
    let is_restored = is_known && fill(&mut file, &old).is_ok();
    // Perhaps nothing was changed.
    match is_restored || is_known && bytes(&mut file).is_ok_and(|now| *now == *old) {
        true => Err(failed(error)),
        false => Ok(WriteOutcome::Half(error)),
    }
}

fn bytes(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    file.rewind()?;
    // A buffer that grows while it is filled leaves copies behind.
    let len = file.metadata().map_or(0, |meta| meta.len()).min(disk::READABLE);
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(len).unwrap_or(0) + 1));
    fault::through(file).take(disk::READABLE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Marks the content as invalid, writes all but the first byte, and then writes the first byte. Each step is synced before
/// the next.
fn fill(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let (first, rest) = bytes.split_at(bytes.len().min(1));
    put(file, 0, &[HALF])?;
    fault::sync(file, File::sync_all)?;
    put(file, 1, rest)?;
    fault::at(FileOperation::SetLen, || file.set_len(bytes.len() as u64))?;
    fault::sync(file, File::sync_all)?;
    put(file, 0, first)?;
    fault::sync(file, File::sync_all)
}

fn put(file: &mut File, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    fault::through(file).write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_text_is_there_to_the_byte_whichever_was_longer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache.json");
        for old in ["", "{", "{\"version\": 1}", "a much longer text than any of the new ones"] {
            for new in ["{", "{\"tokens\": {}}", "{\"version\":1,\"tokens\":{}}"] {
                fs::write(&path, old).unwrap();
                assert!(matches!(write(&path, new.as_bytes()).unwrap(), WriteOutcome::Whole));
                assert_eq!(fs::read_to_string(&path).unwrap(), new, "over {old}");
            }
        }
    }

    #[test]
    fn a_text_that_is_not_whole_is_known_by_its_first_byte_alone() {
        assert!(is_half("\u{0}") && is_half("\u{0}\"version\": 1}"));
        for whole in ["", "{}", " \u{0}", "null", "damaged"] {
            assert!(!is_half(whole), "{whole}");
        }
    }
}
