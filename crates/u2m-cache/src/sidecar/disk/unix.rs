//! Owners, modes and links on Unix.

use super::{Checked, FileExposure, Path, StoreError, is_absence};
use crate::fault::{self, FileOperation};
use rustix::fs::{Mode, OFlags};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};

pub(crate) fn private_file(options: &mut OpenOptions) {
    // Do not follow a link at the end of the path, and do not wait for the other end of a pipe that someone put there.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    options.mode(0o600).custom_flags(flags.bits() as i32);
}

pub(crate) fn private_folder(builder: &mut DirBuilder) {
    builder.mode(0o700);
}

pub(crate) fn is_link_refusal(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// Checks that this is a regular file of this user and makes it private. Returns its length, and whether others could read
/// it.
pub(crate) fn check(file: &File, path: &Path) -> Result<Checked, StoreError> {
    let meta = fault::at(FileOperation::Stat, || file.metadata())
        .map_err(|error| StoreError::io("look at", path, error))?;
    if !meta.is_file() {
        return Err(StoreError::NotAFile { path: path.into() });
    }
    check_owner(&meta, path)?;
    let privacy = if meta.mode() & 0o077 == 0 {
        FileExposure::Private
    } else if tighten(file).is_ok() {
        FileExposure::Tightened
    } else {
        FileExposure::Loose
    };
    Ok((meta.len(), privacy, meta.modified().ok()))
}

/// Checks that this is a regular file of this user that nobody else could read.
#[cfg(feature = "encrypted")]
pub(crate) fn check_kept_private(file: &File, path: &Path) -> Result<(), StoreError> {
    let meta = file.metadata().map_err(|error| StoreError::io("look at", path, error))?;
    if !meta.is_file() {
        return Err(StoreError::NotAFile { path: path.into() });
    }
    check_owner(&meta, path)?;
    match meta.mode() & 0o077 {
        0 => Ok(()),
        _ => Err(StoreError::LooseKey { path: path.into() }),
    }
}

fn tighten(file: &File) -> io::Result<()> {
    fault::at(FileOperation::Chmod, || Ok(rustix::fs::fchmod(file, Mode::RUSR | Mode::WUSR)?))
}

pub(crate) fn is_still(path: &Path, file: &File) -> io::Result<bool> {
    let here = fault::at(FileOperation::Stat, || file.metadata())?;
    match fault::at(FileOperation::Stat, || fs::symlink_metadata(path)) {
        Ok(there) => Ok((there.dev(), there.ino()) == (here.dev(), here.ino())),
        Err(error) if is_absence(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A file that is itself a mount point, as containers make them, can be written but never replaced.
#[cfg(target_os = "linux")]
pub(crate) fn check_replaceable(path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let Ok(found) = statx(CWD, path, flags, StatxFlags::BASIC_STATS) else { return Ok(()) };
    let is = |attributes| found.stx_attributes.intersects(attributes);
    if is(StatxAttributes::MOUNT_ROOT) {
        let why = "it is mounted by itself; mount its folder instead";
        Err(io::Error::new(io::ErrorKind::ResourceBusy, why))
    } else if is(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND) {
        let why = "it is marked as immutable or append-only";
        Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
    } else {
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn check_replaceable(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
pub(crate) fn reserve(file: &File, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    let reserved = fault::at(FileOperation::SetLen, || {
        Ok(fallocate(file, FallocateFlags::KEEP_SIZE, 0, len.max(1))?)
    });
    match reserved {
        // Some file systems cannot do this.
        Err(error)
            if Errno::from_io_error(&error)
                .is_some_and(|errno| errno == Errno::OPNOTSUPP || errno == Errno::NOSYS) =>
        {
            Ok(())
        }
        other => other,
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn reserve(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

pub(crate) fn check_creatable(folder: &Path) -> io::Result<()> {
    use rustix::fs::{Access, access};
    let is_there = |above: &&Path| above.symlink_metadata().is_ok();
    let above = folder.ancestors().find(is_there).unwrap_or(Path::new("."));
    if !above.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(access(above, Access::WRITE_OK | Access::EXEC_OK)?)
}

pub(crate) fn check_owner(meta: &Metadata, path: &Path) -> Result<(), StoreError> {
    match meta.uid() {
        owner if owner == rustix::process::geteuid().as_raw() => Ok(()),
        owner => Err(StoreError::ForeignOwner { path: path.into(), owner }),
    }
}

pub(crate) fn check_folder(meta: &Metadata, path: &Path) -> Result<(), StoreError> {
    let (open_to_all, sticky) = (meta.mode() & 0o002 != 0, meta.mode() & 0o1000 != 0);
    if open_to_all && !sticky { Err(StoreError::OpenFolder { path: path.into() }) } else { Ok(()) }
}

pub(crate) fn tighten_folder(path: &Path) -> Result<bool, StoreError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let failed = |error: rustix::io::Errno| StoreError::io("look at", path, error.into());
    let folder = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?);
    let meta = folder.metadata().map_err(|error| StoreError::io("look at", path, error))?;
    check_owner(&meta, path)?;
    check_folder(&meta, path)?;
    if meta.mode() & 0o077 == 0 {
        return Ok(false);
    }
    let tightened = rustix::fs::fchmod(&folder, Mode::RWXU);
    tightened.map_err(|error| StoreError::io("make private", path, error.into()))?;
    Ok(true)
}

/// Linux starts writing data that it is told nobody needs in memory (posix_fadvise(2)).
#[cfg(target_os = "linux")]
pub(crate) fn start_writing(file: &File) {
    let _ = fault::at(FileOperation::Sync, || {
        Ok(rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed)?)
    });
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn start_writing(_: &File) {}

/// Some file systems cannot do this. The rename itself is done.
pub(crate) fn sync_folder(path: &Path) {
    let _ = fault::at(FileOperation::SyncFolder, || File::open(path)?.sync_all());
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_by_itself_cannot_be_replaced_and_a_file_in_a_folder_can() {
        let error = check_replaceable(Path::new("/proc")).unwrap_err();
        assert!(error.to_string().contains("mounted by itself"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        check_replaceable(&path).unwrap();
        fs::write(&path, "").unwrap();
        check_replaceable(&path).unwrap();
    }
}
