//! Reads a small file with few system calls, and replaces a file so that a crash never leaves half of it.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::{ConfigError, SIZE_LIMIT};

/// How many symbolic links to follow before reporting a loop.
const MOST_LINKS: usize = 40;

/// The action named in the error if a new file cannot be given the owner of the file that it replaces.
pub(crate) const KEEP_OWNER: &str = "keep the owner of";

pub(crate) struct ConfigRead {
    pub(crate) bytes: Vec<u8>,
    pub(crate) metadata: Metadata,
}

/// Reads a whole file. Returns `None` if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<ConfigRead>, ConfigError> {
    let mut file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        // Opening a socket always fails.
        Err(_) if fs::metadata(path).is_ok_and(|found| !found.is_file()) => {
            return Err(ConfigError::NotAFile { path: path.to_owned() });
        }
        Err(error) => return Err(ConfigError::io("open", path)(error)),
    };
    let metadata = file.metadata().map_err(ConfigError::io("inspect", path))?;
    if !metadata.is_file() && !is_nothing(&metadata) {
        return Err(ConfigError::NotAFile { path: path.to_owned() });
    }
    let too_large = || ConfigError::TooLarge { path: path.to_owned(), limit: SIZE_LIMIT };
    let size = usize::try_from(metadata.len())
        .ok()
        .filter(|&size| size <= SIZE_LIMIT)
        .ok_or_else(too_large)?;
    let bytes =
        all_of(&mut file, size, metadata.is_file()).map_err(ConfigError::io("read", path))?;
    Ok(Some(ConfigRead { bytes: bytes.ok_or_else(too_large)?, metadata }))
}

/// Reads everything from `source`, or returns `None` if that exceeds the size limit. A regular file
/// ends where its `size` says; anything else must signal its end.
fn all_of(source: &mut impl Read, size: usize, is_file: bool) -> io::Result<Option<Vec<u8>>> {
    // One byte more than expected, so that a short read shows that the file ends there.
    let mut bytes = vec![0; size + 1];
    let mut filled = 0;
    loop {
        match source.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if filled == size && is_file {
            break;
        }
        if filled > SIZE_LIMIT {
            return Ok(None);
        }
        if filled == bytes.len() {
            bytes.resize((2 * filled).clamp(4096, SIZE_LIMIT + 1), 0);
        }
    }
    bytes.truncate(filled);
    Ok(Some(bytes))
}

/// Opens a file for reading. Does not wait if it is not a regular file, because a pipe may never get a writer.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    options.open(path)
}

/// Returns whether this is the null device, which is often named to mean "no profiles".
#[cfg(unix)]
fn is_nothing(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/dev/null").is_ok_and(|null| !null.is_file() && null.rdev() == metadata.rdev())
}

#[cfg(not(unix))]
fn is_nothing(_: &Metadata) -> bool {
    false
}

/// Follows symbolic links to the file to replace, whether or not that exists.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf, ConfigError> {
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        let folder = folder(&target);
        match fs::symlink_metadata(&target) {
            Ok(found) if found.is_symlink() => {
                let link = fs::read_link(&target).map_err(ConfigError::io("follow", &target))?;
                target = folder.join(link);
            }
            Ok(found) if found.is_file() => return Ok(target),
            Ok(_) => return Err(ConfigError::NotAFile { path: path.to_owned() }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let there = folder.is_dir();
                return if there {
                    Ok(target)
                } else {
                    Err(ConfigError::DirectoryMissing { path: path.to_owned() })
                };
            }
            Err(error) => return Err(ConfigError::io("inspect", &target)(error)),
        }
    }
    Err(ConfigError::io("follow", path)(ErrorKind::Other.into()))
}

/// Replaces the file at `path` with `bytes` in one step. `may` is called when everything is ready and decides
/// whether to go on; the return value says whether the file was replaced. The new file has mode 0600, or the mode
/// and owner of `like`. `private` removes the permissions of group and others.
pub(crate) fn replace(
    path: &Path,
    bytes: &[u8],
    like: Option<&Metadata>,
    private: bool,
    may: impl FnOnce() -> Result<bool, ConfigError>,
) -> Result<bool, ConfigError> {
    let new = beside(path, ".tmp");
    // Callers hold the lock, so a file with this name was left behind by a process that died.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(ConfigError::io("remove the leftover", &new)(error));
        }
        _ => {}
    }
    let put = || fs::rename(&new, path).map_err(ConfigError::io("replace", path));
    let done = write(&new, bytes, like, private).and_then(|()| may()).and_then(|may| match may {
        true => put().map(|()| true),
        false => Ok(false),
    });
    if !matches!(done, Ok(true)) {
        // The first error is the one to report.
        let _ = fs::remove_file(&new);
        return done;
    }
    flush_folder(folder(path)).map(|()| true)
}

/// Checks that files can be created in the folder of `path`, without creating one.
pub(crate) fn check_folder(path: &Path) -> Result<(), ConfigError> {
    #[cfg(unix)]
    {
        use rustix::fs::{Access, access};
        let folder = folder(path);
        let asked = access(folder, Access::WRITE_OK.union(Access::EXEC_OK));
        asked.map_err(|error| ConfigError::io("write to the folder", folder)(error.into()))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Returns `path` with something appended to its file name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn write(
    new: &Path,
    bytes: &[u8],
    like: Option<&Metadata>,
    private: bool,
) -> Result<(), ConfigError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(new).map_err(ConfigError::io("create", new))?;
    file.write_all(bytes).map_err(ConfigError::io("write", new))?;
    dress(&file, new, like, private)?;
    file.sync_all().map_err(ConfigError::io("flush", new))
}

/// Gives the new file the owner and mode of the old one.
#[cfg(unix)]
fn dress(
    file: &File,
    new: &Path,
    like: Option<&Metadata>,
    private: bool,
) -> Result<(), ConfigError> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let fresh = file.metadata().map_err(ConfigError::io("inspect", new))?;
    let mode = like.map_or(0o600, |like| like.mode() & 0o777);
    if let Some(like) = like
        && (like.uid(), like.gid()) != (fresh.uid(), fresh.gid())
    {
        fchown(file, Some(like.uid()), Some(like.gid()))
            .map_err(ConfigError::io(KEEP_OWNER, new))?;
    }
    let mode = if private { mode & 0o700 } else { mode };
    file.set_permissions(fs::Permissions::from_mode(mode))
        .map_err(ConfigError::io("set the mode of", new))
}

#[cfg(not(unix))]
fn dress(_: &File, _: &Path, _: Option<&Metadata>, _: bool) -> Result<(), ConfigError> {
    Ok(())
}

/// Flushes the folder, so that the new name of a file survives a power failure.
fn flush_folder(folder: &Path) -> Result<(), ConfigError> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(ConfigError::io("flush", folder))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
#[path = "disk/tests.rs"]
mod tests;
