//! The lock that prevents two editors of one file from losing each other's changes.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use fd_lock::RwLock;

use crate::ConfigError;

/// The pause between two attempts to take the lock.
const PAUSE: Duration = Duration::from_millis(10);

/// Runs `work` while holding the lock file at `path`. The lock file is created if necessary and
/// never removed: if it were, a waiting program could lock a file that no longer has a name.
///
/// Waits up to `patience` for another holder. The operating system releases the lock of a process that dies.
pub(crate) fn holding<T>(
    path: &Path,
    patience: Duration,
    work: impl FnOnce() -> Result<T, ConfigError>,
) -> Result<T, ConfigError> {
    let mut lock = RwLock::new(open(path)?);
    let start = Instant::now();
    loop {
        match lock.try_write() {
            Ok(_guard) => return work(),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                if start.elapsed() >= patience {
                    return Err(ConfigError::LockTimeout {
                        path: path.to_owned(),
                        waited: patience,
                    });
                }
                thread::sleep(PAUSE);
            }
            Err(error) => return Err(ConfigError::io("lock", path)(error)),
        }
    }
}

pub(crate) fn open(path: &Path) -> Result<File, ConfigError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A symbolic link could make us create or open a file somewhere else.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path).map_err(ConfigError::io("open the lock file", path))?;
    match file.metadata().map_err(ConfigError::io("inspect", path))?.is_file() {
        true => Ok(file),
        false => Err(ConfigError::NotAFile { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_is_reported_after_the_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let second =
            holding(&path, Duration::ZERO, || Ok(holding(&path, Duration::ZERO, || Ok(()))))
                .unwrap();
        assert!(matches!(second, Err(ConfigError::LockTimeout { .. })));
        holding(&path, Duration::ZERO, || Ok(())).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn the_lock_file_is_private_and_not_a_link() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        holding(&path, Duration::ZERO, || Ok(())).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);

        let link = folder.path().join("link.lock");
        symlink(folder.path().join("elsewhere"), &link).unwrap();
        assert!(matches!(holding(&link, Duration::ZERO, || Ok(())), Err(ConfigError::Io { .. })));
        assert!(!folder.path().join("elsewhere").exists());
    }
}
