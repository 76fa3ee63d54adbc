//! Overwrites a file that cannot be replaced: one that is a mount of its own, as containers mount
//! single files, or one that belongs to another user and is shared with a group.
//!
//! A crash can leave a file half overwritten. So both texts are saved beside the file, and flushed,
//! before its first byte is changed. The next process that finds them restores the old text, unless
//! something else has been written since.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{ConfigError, disk, lock};

/// The first line of the note of a write. It is followed by the length of the old text, the old
/// text and the new one.
const MARK: &str = "u2m undo 1\n";

/// Returns the path of the note of a write.
fn note(path: &Path) -> PathBuf {
    disk::beside(path, ".undo")
}

/// Returns whether replacing a file failed because it is a mount or belongs to another user.
pub(crate) fn is_needed(error: &ConfigError) -> bool {
    match error {
        ConfigError::Io { action: "replace", source, .. } => {
            source.kind() == ErrorKind::ResourceBusy
        }
        ConfigError::Io { action: disk::KEEP_OWNER, source, .. } => {
            source.kind() == ErrorKind::PermissionDenied
        }
        _ => false,
    }
}

/// Returns whether the file at `path` will have to be overwritten in place.
pub(crate) fn is_expected(path: &Path) -> bool {
    is_mounted(path) || is_anothers(path)
}

#[cfg(unix)]
fn is_anothers(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::geteuid();
    !user.is_root() && fs::metadata(path).is_ok_and(|found| found.uid() != user.as_raw())
}

#[cfg(not(unix))]
fn is_anothers(_: &Path) -> bool {
    false
}

/// Returns whether `path` is a mount of its own.
#[cfg(target_os = "linux")]
fn is_mounted(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::TYPE)
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(not(target_os = "linux"))]
fn is_mounted(_: &Path) -> bool {
    false
}

/// Overwrites `old` with `new`. Returns `false` and writes nothing if the file no longer contains
/// `old`. Callers hold the lock.
pub(crate) fn write(path: &Path, old: &[u8], new: &[u8]) -> Result<bool, ConfigError> {
    let kept = [MARK.as_bytes(), format!("{}\n", old.len()).as_bytes(), old, new].concat();
    disk::replace(&note(path), &kept, None, true, || Ok(true))?;
    let is_as_read = disk::read(path)?.is_some_and(|found| found.bytes == old);
    if is_as_read && let Err(error) = fill(path, new) {
        // The disk may be full, for example. If the old text cannot be restored now, the note stays
        // for the next process.
        fill(path, old)?;
        forget(path)?;
        return Err(error);
    }
    forget(path).map(|()| is_as_read)
}

/// Checks that the file can be opened for writing.
pub(crate) fn prove(path: &Path) -> Result<(), ConfigError> {
    OpenOptions::new().write(true).open(path).map(drop).map_err(ConfigError::io("write", path))
}

/// Restores the old text after an interrupted write, for readers, which do not hold the lock.
/// Errors are ignored; the next writer reports them.
pub(crate) fn mend(path: &Path, patience: Duration) {
    let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    let target = is_link.then(|| disk::resolve(path).ok()).flatten();
    let path = target.as_deref().unwrap_or(path);
    if fs::symlink_metadata(note(path)).is_ok_and(|found| found.is_file()) {
        let _ = lock::holding(&disk::beside(path, ".lock"), patience, || restore(path));
    }
}

/// Restores the old text after an interrupted write. Callers hold the lock.
pub(crate) fn restore(path: &Path) -> Result<(), ConfigError> {
    match fs::symlink_metadata(note(path)) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(ConfigError::NotAFile { path: note(path) }),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(ConfigError::io("inspect", &note(path))(error)),
    }
    let kept = fs::read(note(path)).map_err(ConfigError::io("read", &note(path)))?;
    // If the note is incomplete, the write itself never began.
    if let (Some((old, new)), Some(found)) = (texts(&kept), disk::read(path)?)
        && is_between(&found.bytes, old, new)
    {
        fill(path, old)?;
    }
    forget(path)
}

/// Returns the old text and the new one.
fn texts(kept: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = kept.strip_prefix(MARK.as_bytes())?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let len: usize = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    rest[end + 1..].split_at_checked(len)
}

/// Returns whether a crash can have left this text: each byte is from one of the two, or zero where
/// a block was not written.
fn is_between(found: &[u8], old: &[u8], new: &[u8]) -> bool {
    let is_of_both = |(at, byte): (usize, &u8)| {
        *byte == 0 || [old, new].iter().any(|text| text.get(at) == Some(byte))
    };
    let is_whole = found == old || found == new;
    !is_whole && found.len() <= old.len().max(new.len()) && found.iter().enumerate().all(is_of_both)
}

fn fill(path: &Path, bytes: &[u8]) -> Result<(), ConfigError> {
    let failed = ConfigError::io("write", path);
    let fill = |mut file: File| {
        file.write_all(bytes)?;
        file.set_len(bytes.len() as u64)?;
        file.sync_all()
    };
    OpenOptions::new().write(true).open(path).and_then(fill).map_err(failed)
}

fn forget(path: &Path) -> Result<(), ConfigError> {
    fs::remove_file(note(path)).map_err(ConfigError::io("remove", &note(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &[u8] = b"[dev]\nhost = https://a.example\n";
    const NEW: &[u8] = b"[dev]\nhost = https://b.example\nworkspace_id = 1\n";

    /// Returns what a reader makes of a file that a crash left with this content and this note.
    fn mended(left: &[u8], kept: &[u8]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cfg");
        fs::write(&path, left).unwrap();
        fs::write(note(&path), kept).unwrap();
        mend(&path, Duration::from_secs(10));
        assert!(!note(&path).exists());
        fs::read(&path).unwrap()
    }

    fn kept() -> Vec<u8> {
        [MARK.as_bytes(), format!("{}\n", OLD.len()).as_bytes(), OLD, NEW].concat()
    }

    #[test]
    fn wherever_a_write_is_cut_off_the_old_text_is_put_back() {
        for (from, to) in [(OLD, NEW), (NEW, OLD)] {
            let kept = [MARK.as_bytes(), format!("{}\n", from.len()).as_bytes(), from, to].concat();
            for cut in 0..to.len() {
                let mut left = from.to_vec();
                left.resize(from.len().max(to.len()), 0);
                left[..cut].copy_from_slice(&to[..cut]);
                assert_eq!(mended(&left, &kept), from, "{cut}");
            }
        }
    }

    #[test]
    fn what_is_whole_or_somebody_elses_stays() {
        for left in [OLD, NEW, b"", b"[theirs]\nhost = https://c.example\n"] {
            let wanted = if left.is_empty() { OLD } else { left };
            assert_eq!(mended(left, &kept()), wanted, "{}", String::from_utf8_lossy(left));
        }
    }

    #[test]
    fn a_note_that_was_not_written_to_its_end_is_of_no_write() {
        let whole = kept();
        for cut in 0..MARK.len() + 3 + OLD.len() {
            assert_eq!(
                mended(b"[dev]\nhost = https://a.examp", &whole[..cut]),
                b"[dev]\nhost = https://a.examp"
            );
        }
    }

    #[test]
    fn a_file_is_written_as_it_stands_and_the_note_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cfg");
        for (old, new) in [(OLD, NEW), (NEW, OLD), (OLD, &b""[..])] {
            fs::write(&path, old).unwrap();
            assert!(write(&path, old, new).unwrap());
            assert_eq!(fs::read(&path).unwrap(), new);
            assert!(!note(&path).exists());
        }
    }

    #[test]
    fn what_somebody_else_has_written_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cfg");
        fs::write(&path, "[theirs]\n").unwrap();
        assert!(!write(&path, OLD, NEW).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"[theirs]\n");
        assert!(!note(&path).exists());
    }

    #[test]
    fn only_a_mount_and_another_owner_are_reasons_to_write_in_place() {
        let is_needed = |action, kind: ErrorKind| {
            is_needed(&ConfigError::io(action, "/cfg".as_ref())(kind.into()))
        };
        let (mount, denied) = (ErrorKind::ResourceBusy, ErrorKind::PermissionDenied);
        for (action, kind, expected) in [
            ("replace", mount, true),
            ("replace", denied, false),
            (disk::KEEP_OWNER, denied, true),
            (disk::KEEP_OWNER, mount, false),
            ("create", denied, false),
            ("create", mount, false),
        ] {
            assert_eq!(is_needed(action, kind), expected, "{action} {kind}");
        }
        assert!(!super::is_needed(&ConfigError::HomeUnknown));
    }

    #[cfg(unix)]
    #[test]
    fn a_note_that_cannot_be_looked_at_is_told_and_one_that_is_not_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        restore(&file).unwrap();
        let error = restore(&file.join("cfg")).unwrap_err();
        assert!(matches!(error, ConfigError::Io { action: "inspect", .. }), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_reader_by_a_link_finds_the_note_beside_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("cfg"), folder.path().join("link"));
        std::os::unix::fs::symlink("cfg", &link).unwrap();
        fs::write(&path, &NEW[..20]).unwrap();
        fs::write(note(&path), kept()).unwrap();
        mend(&link, Duration::from_secs(10));
        assert_eq!(fs::read(&path).unwrap(), OLD);
    }
}
