//! Creates a private file for another library to open: a database. An existing file is never opened here: closing it would
//! release every lock that this process has on it (POSIX locks belong to a process and a file, whoever opened it).

use crate::error::StoreError;
use crate::sidecar::disk;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// Creates the file if it is absent, and removes the rights of others to an existing one.
pub(super) fn make(path: &Path) -> Result<(), StoreError> {
    disk::create_folder(folder(path))?;
    let path = disk::resolve(path)?;
    match fs::symlink_metadata(&path) {
        Ok(meta) if !meta.is_file() => Err(StoreError::NotAFile { path: path.as_path().into() }),
        Ok(meta) => {
            disk::check_owner(&meta, &path)?;
            tighten(&meta, &path).map_err(|error| StoreError::io("make private", &path, error))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => create(&path),
        Err(error) => Err(StoreError::io("look at", &path, error)),
    }
}

/// Creates it under another name and closes it before it can be found under its own name.
fn create(path: &Path) -> Result<(), StoreError> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let new = folder(path).join(format!(".{name}-{}-{count}.new", std::process::id()));
    let failed = |error| StoreError::io("create", path, error);
    drop(disk::create_private(&new).map_err(failed)?);
    let linked = match fs::hard_link(&new, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // A file system without hard links.
        Err(_) => match disk::create_private(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed(error)),
            _ => Ok(()),
        },
        Ok(()) => Ok(()),
    };
    let _ = fs::remove_file(&new);
    linked
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
fn tighten(meta: &fs::Metadata, path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    match meta.permissions().mode() & 0o077 {
        0 => Ok(()),
        _ => fs::set_permissions(path, fs::Permissions::from_mode(0o600)),
    }
}

#[cfg(not(unix))]
fn tighten(_: &fs::Metadata, _: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[allow(clippy::unwrap_used)]
    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn t23_a_file_is_made_private_and_kept_so_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("logins.db");
        make(&path).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        fs::write(&path, "content").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        make(&path).unwrap();
        assert_eq!((mode(&path), fs::read(&path).unwrap().as_slice()), (0o600, &b"content"[..]));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let link = folder.path().join("link.db");
        symlink(&path, &link).unwrap();
        make(&link).unwrap();
        assert!(matches!(make(folder.path()), Err(StoreError::NotAFile { .. })));
        let [odd, new] = ["odd", "new"].map(|name| folder.path().join(name));
        symlink(&new, &odd).unwrap();
        make(&odd).unwrap();
        assert_eq!(mode(&new), 0o600);
    }

    #[test]
    fn a_lock_that_this_process_has_on_it_is_not_given_back() {
        use rustix::fs::{FlockOperation, fcntl_lock};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logins.db");
        make(&path).unwrap();
        let open = || fs::File::options().read(true).write(true).open(&path).unwrap();
        let file = open();
        fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        let is_locked = || {
            let table = fs::read_to_string("/proc/locks").unwrap_or_default();
            let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).unwrap());
            table.lines().any(|line| line.contains("POSIX") && line.contains(&format!(":{inode} ")))
        };
        if is_locked() {
            make(&path).unwrap();
            assert!(is_locked());
            drop(open());
            assert!(!is_locked(), "opening and closing it is what gives the lock back");
        }
    }
}
