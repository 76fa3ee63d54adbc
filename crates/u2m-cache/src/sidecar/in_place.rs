//! Writing a file that cannot be replaced, because it is mounted by itself, as containers mount single files.
//!
//! What is written in place can be halved by a crash, and half of an old text and half of a new one may look like a whole. So the
//! new text lasts in another file, and it is known where, before the first byte is touched; and that first byte says, until
//! the last one is written, that the rest means nothing. Whoever finds it puts the new text there, or waits for whoever does.

use super::disk;
use crate::error::StoreError;
use crate::fault::{self, FileOperation};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// How a file begins that is being written. No text that anybody reads begins so.
const HALF: u8 = 0;

/// What became of a write.
pub(crate) enum WriteOutcome {
    /// It is there, and lasts.
    Whole,
    /// It broke off, and what was there before could not be put back: the new text is to be put there by whoever can.
    Half(io::Error),
}

/// Whether a file could not be replaced for being mounted.
pub(crate) fn is_needed(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if source.kind() == ErrorKind::ResourceBusy)
}

/// Whether a text is that of a file whose writing has not ended.
pub(crate) fn is_half(text: &str) -> bool {
    text.as_bytes().first() == Some(&HALF)
}

/// Shows that the file can be written as it stands, and sets room aside for `len` bytes where its file system can do that.
pub(crate) fn prove(path: &Path, len: u64) -> Result<(), StoreError> {
    let file = disk::open_to_write(path)?;
    disk::reserve(&file, len).map_err(|error| StoreError::io("write", path, error))
}

/// Writes `new` over what is there. The text lasts elsewhere, and it is known where; callers hold the writers' lock.
///
/// # Errors
/// What was there before is there.
pub(crate) fn write(path: &Path, new: &[u8]) -> Result<WriteOutcome, StoreError> {
    let failed = |error| StoreError::io("write", path, error);
    let mut file = disk::open_to_write(path)?;
    let old = bytes(&mut file).map_err(failed)?;
    let Err(error) = fill(&mut file, new) else { return Ok(WriteOutcome::Whole) };
    // A full disk, say. What was half written before is not put back.
    let is_known = old.first() != Some(&HALF) && old.len() as u64 <= disk::READABLE;
    let is_restored = is_known && fill(&mut file, &old).is_ok();
    // Perhaps nothing was touched.
    match is_restored || is_known && bytes(&mut file).is_ok_and(|now| *now == *old) {
        true => Err(failed(error)),
        false => Ok(WriteOutcome::Half(error)),
    }
}

fn bytes(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    file.rewind()?;
    // What grows while it is read leaves copies behind.
    let len = file.metadata().map_or(0, |meta| meta.len()).min(disk::READABLE);
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(len).unwrap_or(0) + 1));
    fault::through(file).take(disk::READABLE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Says that what is there means nothing, writes all but the first byte, and then that one; each lasts before the next.
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
