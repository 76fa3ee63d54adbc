//! Locks for files on a file system without locks, such as some network home folders. They are taken in the user's runtime
//! folder on this machine instead. Programs on other machines do not see them.

#[cfg(unix)]
pub(crate) use unix::{folder, lock_for, says_that_there_are_none};

#[cfg(not(unix))]
pub(crate) fn says_that_there_are_none(_: &std::io::Error) -> bool {
    false
}

#[cfg(not(unix))]
pub(crate) fn folder() -> Result<std::path::PathBuf, crate::error::StoreError> {
    Err(crate::error::StoreError::NoHome)
}

#[cfg(not(unix))]
pub(crate) fn lock_for(
    path: &std::path::Path,
) -> Result<std::path::PathBuf, crate::error::StoreError> {
    Ok(path.to_owned())
}

#[cfg(unix)]
mod unix {
    use crate::error::StoreError;
    use crate::sidecar::disk;
    use rustix::io::Errno;
    use std::fs;
    use std::io;
    use std::path::{Path, PathBuf};
    use u2m_core::Fingerprint;

    /// Returns whether a lock was refused because the file system supports no locks at all.
    pub(crate) fn says_that_there_are_none(error: &io::Error) -> bool {
        let none = [Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOSYS, Errno::BADF];
        error.raw_os_error().is_some_and(|code| none.iter().any(|none| none.raw_os_error() == code))
    }

    /// Returns the local file that is locked instead of `path`. It is the same for all names of one file.
    pub(crate) fn lock_for(path: &Path) -> Result<PathBuf, StoreError> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let folder =
            fs::canonicalize(folder).map_err(|error| StoreError::io("look at", folder, error))?;
        let full = folder.join(path.file_name().unwrap_or_default());
        let name = Fingerprint::of_text(&full.to_string_lossy());
        Ok(self::folder()?.join(format!("{}.lock", name.as_str())))
    }

    /// Returns a private folder that is the same for all programs of this user on this machine, whatever their environment:
    /// programs started by a timer have no `XDG_RUNTIME_DIR`, and each may have its own `TMPDIR`.
    pub(crate) fn folder() -> Result<PathBuf, StoreError> {
        #[cfg(test)]
        if let Some(folder) = crate::fault::runtime_folder() {
            return own(folder.join("u2m"));
        }
        let user = rustix::process::geteuid().as_raw();
        let outside = outside(user);
        let usual = [outside, user].map(|user| PathBuf::from(format!("/run/user/{user}")));
        // This does not use an environment variable, because two programs of one user may have different values but must use
        // the same folder.
        for base in usual {
            if disk::is_own_folder(&base).unwrap_or(false) {
                return own(base.join("u2m"));
            }
        }
        // Others may add files to this folder, so an existing entry need not be ours.
        own(PathBuf::from(format!("/tmp/u2m-{outside}")))
    }

    /// Returns the uid of this user outside its user namespace: the same user may be root inside.
    fn outside(user: u32) -> u32 {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        mapped(&map, user).unwrap_or(user)
    }

    /// Parses lines of three numbers: the first uid inside, the first uid outside, and the count (user_namespaces(7)).
    fn mapped(map: &str, user: u32) -> Option<u32> {
        map.lines().find_map(|line| {
            let mut numbers = line.split_ascii_whitespace().map(str::parse::<u32>);
            let (inside, outside, count) =
                (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
            let at = user.checked_sub(inside).filter(|at| *at < count)?;
            outside.checked_add(at)
        })
    }

    /// Creates a folder that only this user can access, or checks that it is one.
    fn own(folder: PathBuf) -> Result<PathBuf, StoreError> {
        disk::create_folder(&folder)?;
        match disk::is_own_folder(&folder)? {
            true => Ok(folder),
            false => Err(StoreError::OpenFolder { path: folder.as_path().into() }),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::os::unix::fs::{PermissionsExt, symlink};

        #[test]
        fn t23_the_folder_for_locks_is_made_private_and_no_other_is_taken() {
            let place = tempfile::tempdir().unwrap();
            let folder = place.path().join("u2m");
            own(folder.clone()).unwrap();
            assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
            assert!(matches!(own(folder.clone()), Err(StoreError::OpenFolder { .. })));
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
            let link = place.path().join("link");
            symlink(&folder, &link).unwrap();
            assert!(own(link).is_err(), "a link that somebody planted");
            if rustix::process::geteuid().is_root() {
                std::os::unix::fs::chown(&folder, Some(12345), None).unwrap();
                let error = own(folder).unwrap_err();
                assert!(matches!(error, StoreError::ForeignOwner { owner: 12345, .. }), "{error}");
            }
        }

        #[test]
        fn a_user_that_is_root_in_a_namespace_has_the_folder_that_it_has_outside() {
            assert_eq!(mapped("         0       1000          1\n", 0), Some(1000));
            assert_eq!(mapped("0 0 4294967295", 1000), Some(1000));
            assert_eq!(mapped("0 1000 1\n1 100000 65536\n", 7), Some(100_006));
            for odd in ["", "0 1000", "a b c", "0 1000 1"] {
                assert_eq!(mapped(odd, 7), None);
            }
        }

        #[test]
        fn all_names_of_a_file_have_one_lock_and_other_files_have_others() {
            let place = tempfile::tempdir().unwrap();
            let (real, link) = (place.path().join("real"), place.path().join("link"));
            fs::create_dir(&real).unwrap();
            symlink(&real, &link).unwrap();
            let runtime = Some(place.path().to_owned());
            let (names, _) = crate::fault::under(None, runtime, || {
                [real.join("a"), link.join("a"), real.join("b")]
                    .map(|path| lock_for(&path).unwrap())
            });
            assert_eq!(names[0], names[1]);
            assert_ne!(names[0], names[2]);
            assert!(names[0].starts_with(place.path().join("u2m")));
        }
    }
}
