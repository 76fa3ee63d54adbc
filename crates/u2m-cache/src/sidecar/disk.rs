//! Files that only their owner can read: opened by descriptor, checked, and replaced in one step.

use crate::error::StoreError;
use crate::fault::{self, FileOperation};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use zeroize::Zeroizing;

#[cfg(not(unix))]
#[path = "disk/other.rs"]
mod platform;
#[cfg(unix)]
#[path = "disk/unix.rs"]
mod platform;

pub(crate) use platform::check_owner;

/// No valid cache is larger, and nothing larger is ever written.
pub(crate) const READABLE: u64 = 32 << 20;

/// The size up to which a cache accepts new logins. The rest is reserved for the logins in it, so that the result of a
/// refresh can always be saved and read.
pub(crate) const ROOMY: u64 = 16 << 20;

/// The result of reading a file.
pub(crate) struct ReadFindings {
    pub(crate) bytes: Vec<u8>,
    pub(crate) privacy: FileExposure,
    /// When it was last written.
    pub(crate) written: Option<SystemTime>,
}

impl ReadFindings {
    /// Returns the bytes as text. Bytes that are not text are cleared.
    pub(crate) fn text(self) -> Option<Zeroizing<String>> {
        let text = String::from_utf8(self.bytes).map(Zeroizing::new);
        text.map_err(|error| Zeroizing::new(error.into_bytes())).ok()
    }
}

/// The length of a file, who could read it, and when it was last written.
type Checked = (u64, FileExposure, Option<SystemTime>);

/// Who could read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), allow(dead_code, reason = "elsewhere the folder's rights count"))]
pub(crate) enum FileExposure {
    /// Only its owner.
    Private,
    /// Others, until now.
    Tightened,
    /// Others, and this cannot be changed, for example on a read-only file system.
    Loose,
}

/// Reads a private file. Returns `None` if it is absent. `path` itself may be a symbolic link only if [`resolve`] has
/// followed it before.
pub(crate) fn read(path: &Path) -> Result<Option<ReadFindings>, StoreError> {
    Ok(read_open(path)?.map(|(found, _)| found))
}

/// Like [`read`], and also returns the open file.
pub(crate) fn read_open(path: &Path) -> Result<Option<(ReadFindings, File)>, StoreError> {
    let Some(mut file) = open_existing(path)? else { return Ok(None) };
    let found = contents(&mut file, path)?;
    Ok(Some((found, file)))
}

/// Like [`read_open`], for a file that is not a link and that can be written in place.
pub(crate) fn read_to_write(path: &Path) -> Result<Option<(ReadFindings, File)>, StoreError> {
    let Ok(mut file) = open_to_lock(path) else { return Ok(None) };
    let found = contents(&mut file, path)?;
    Ok(Some((found, file)))
}

/// Returns whether an open file holds exactly these bytes. Returns `false` if it cannot be read.
pub(crate) fn holds(file: &File, bytes: &[u8]) -> bool {
    let Ok(mut file) = file.try_clone() else { return false };
    let mut now = Zeroizing::new(Vec::with_capacity(bytes.len() + 1));
    let read = io::Seek::rewind(&mut file).and_then(|()| {
        fault::through(&mut file).take(bytes.len() as u64 + 1).read_to_end(&mut now)
    });
    read.is_ok() && now.as_slice() == bytes
}

/// Like [`read`], for a file that is not a link. Also returns when it was last written.
pub(crate) fn read_unlinked(path: &Path) -> Result<Option<(ReadFindings, SystemTime)>, StoreError> {
    if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()) {
        return Err(StoreError::NotAFile { path: path.into() });
    }
    let mut options = OpenOptions::new();
    options.read(true);
    platform::private_file(&mut options);
    let mut file = match options.open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(StoreError::io("open", path, error)),
    };
    let written = file.metadata().and_then(|meta| meta.modified());
    let written = written.map_err(|error| StoreError::io("look at", path, error))?;
    Ok(Some((contents(&mut file, path)?, written)))
}

/// The part of a larger file that is read.
pub(crate) fn beginning(path: &Path) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let Some(mut file) = open_existing(path)? else { return Ok(Zeroizing::default()) };
    let (len, ..) = platform::check(&file, path)?;
    // A buffer that grows while it is filled leaves copies behind.
    let room = usize::try_from(len.min(READABLE)).unwrap_or(0) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let read = fault::through(&mut file).take(READABLE).read_to_end(&mut bytes);
    read.map_err(|error| StoreError::io("read", path, error))?;
    Ok(bytes)
}

/// Refuses to write what is too large to be read again.
pub(crate) fn check_len(path: &Path, len: u64, limit: u64) -> Result<(), StoreError> {
    match len > limit {
        true => Err(StoreError::WouldBeTooLarge { path: path.into(), limit: limit >> 20 }),
        false => Ok(()),
    }
}

/// Makes this user's folder private. Returns whether others had access until now.
pub(crate) fn tighten_folder(path: &Path) -> Result<bool, StoreError> {
    platform::tighten_folder(path)
}

fn contents(file: &mut File, path: &Path) -> Result<ReadFindings, StoreError> {
    let (len, privacy, written) = platform::check(file, path)?;
    if len > READABLE {
        return Err(StoreError::TooLarge { path: path.into() });
    }
    let bytes = all_of(&mut fault::through(file), len);
    let bytes = bytes.map_err(|error| StoreError::io("read", path, error))?;
    if bytes.len() as u64 > READABLE {
        return Err(StoreError::TooLarge { path: path.into() });
    }
    Ok(ReadFindings { bytes, privacy, written })
}

/// Reads everything from a file of this length. The length is only a hint: the limit holds even if the file changes meanwhile.
fn all_of(file: &mut impl Read, len: u64) -> io::Result<Vec<u8>> {
    // With room for one byte more, a read that ends at the length shows that the file ends there, without another read.
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0).saturating_add(1)];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if filled as u64 == len {
            break;
        }
    }
    let has_grown = filled == bytes.len();
    bytes.truncate(filled);
    if has_grown {
        let left = (READABLE + 1).saturating_sub(filled as u64);
        file.take(left).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Reads a small file that holds a key: never through a link, and not if others can read it. Returns `None` if it is absent.
#[cfg(feature = "encrypted")]
pub(crate) fn read_key(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    /// The maximum size of a key file.
    const LIMIT: u64 = 4 << 10;
    let mut options = OpenOptions::new();
    options.read(true);
    platform::private_file(&mut options);
    check_folder(path.parent().unwrap_or(Path::new("")))?;
    let file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|error| StoreError::io("open", path, error))?,
    };
    platform::check_kept_private(&file, path)?;
    let room = (LIMIT as usize).saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let read = file.take(LIMIT + 1).read_to_end(&mut bytes);
    read.map_err(|error| StoreError::io("read", path, error))?;
    match bytes.len() as u64 > LIMIT {
        true => Err(StoreError::BadKey { from: path.into() }),
        false => Ok(Some(bytes)),
    }
}

/// Puts a complete temporary file in place where no file exists yet. Fails if there is one.
#[cfg(feature = "encrypted")]
pub(crate) fn put_new(temporary: &Path, path: &Path) -> Result<(), StoreError> {
    let linked = match fs::hard_link(temporary, path) {
        Err(_) => {
            // This file system has no hard links. A process that reads in between sees a part, and reports that it is not a
            // key. The file is not created if one exists already.
            let text = fs::read(temporary).map(Zeroizing::new);
            text.and_then(|text| {
                let mut file = create_private(path)?;
                file.write_all(&text).and_then(|()| file.sync_all())
            })
        }
        Ok(()) => Ok(()),
    };
    linked.map_err(|error| StoreError::io("create", path, error))?;
    platform::sync_folder(path.parent().unwrap_or(Path::new(".")));
    Ok(())
}

/// Returns the file that `path` refers to: itself, or the target of a link that this user owns (dotfile managers make such
/// links).
pub(crate) fn resolve(path: &Path) -> Result<PathBuf, StoreError> {
    match fault::at(FileOperation::Stat, || fs::symlink_metadata(path)) {
        Ok(meta) if meta.file_type().is_symlink() => {
            check_owner(&meta, path)?;
            match fault::at(FileOperation::Stat, || fs::canonicalize(path)) {
                Ok(target) => {
                    check_folder(target.parent().unwrap_or(Path::new("/")))?;
                    Ok(target)
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    // The target of the link need not exist, but its folder must.
                    let target = fs::read_link(path)
                        .map_err(|error| StoreError::io("follow", path, error))?;
                    let target = path.parent().unwrap_or(Path::new("")).join(target);
                    check_folder(target.parent().unwrap_or(Path::new("/")))?;
                    Ok(target)
                }
                Err(error) => Err(StoreError::io("follow", path, error)),
            }
        }
        Ok(_) => Ok(path.to_owned()),
        Err(error) if is_absence(&error) => Ok(path.to_owned()),
        // It may be a link, which must not be replaced.
        Err(error) => Err(StoreError::io("look at", path, error)),
    }
}

/// Refuses a folder in which others can replace files. An absent folder is accepted.
pub(crate) fn check_folder(path: &Path) -> Result<(), StoreError> {
    match fault::at(FileOperation::Stat, || fs::metadata(path)) {
        Ok(meta) => platform::check_folder(&meta, path),
        Err(error) if is_absence(&error) => Ok(()),
        Err(error) => Err(StoreError::io("look at", path, error)),
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Returns the length of the file at `path`. An absent file counts as empty.
pub(crate) fn len(path: &Path) -> Result<u64, StoreError> {
    match fault::at(FileOperation::Stat, || fs::metadata(path)) {
        Ok(meta) => Ok(meta.len()),
        Err(error) if is_absence(&error) => Ok(0),
        Err(error) => Err(StoreError::io("look at", path, error)),
    }
}

/// Creates a folder and its parents, accessible by the owner only.
pub(crate) fn create_folder(path: &Path) -> Result<(), StoreError> {
    if !fault::at(FileOperation::Stat, || fs::metadata(path)).is_ok_and(|meta| meta.is_dir()) {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        platform::private_folder(&mut builder);
        fault::at(FileOperation::MakeFolder, || builder.create(path))
            .map_err(|error| StoreError::io("create", path, error))?;
    }
    check_folder(path)
}

/// Like [`create_folder`], for a folder in which every file must be this user's. A folder or link put there by another user
/// is refused.
pub(crate) fn create_own_folder(path: &Path) -> Result<(), StoreError> {
    create_folder(path)?;
    for look in [fs::symlink_metadata::<&Path>, fs::metadata::<&Path>] {
        let meta = fault::at(FileOperation::Stat, || look(path));
        check_owner(&meta.map_err(|error| StoreError::io("look at", path, error))?, path)?;
    }
    Ok(())
}

/// Returns whether the folder exists, belongs to this user, is readable by this user only, and is not a link.
#[cfg(unix)]
pub(crate) fn is_own_folder(path: &Path) -> Result<bool, StoreError> {
    use std::os::unix::fs::MetadataExt;
    let meta = fault::at(FileOperation::Stat, || fs::symlink_metadata(path))
        .map_err(|error| StoreError::io("look at", path, error))?;
    check_owner(&meta, path)?;
    Ok(meta.is_dir() && meta.mode() & 0o077 == 0)
}

/// Opens or creates a file accessible by its owner only, never through a link. Existing content is kept.
pub(crate) fn open_private(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    platform::private_file(&mut options);
    let file = fault::opening(path, || options.open(path))
        .map_err(|error| StoreError::io("open", path, error))?;
    platform::check(&file, path)?;
    Ok(file)
}

/// Opens an existing private file in order to lock it.
pub(crate) fn open_to_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    platform::private_file(&mut options);
    fault::opening(path, || options.open(path))
}

/// Returns whether `path` still refers to `file`, which may have been deleted and created again.
pub(crate) fn is_still(path: &Path, file: &File) -> Result<bool, StoreError> {
    platform::is_still(path, file).map_err(|error| StoreError::io("look at", path, error))
}

/// Checks, as far as the system can tell, that `path` can be replaced by another file.
pub(crate) fn check_replaceable(path: &Path) -> Result<(), StoreError> {
    let replaceable = fault::check_mount(path).and_then(|()| platform::check_replaceable(path));
    replaceable.map_err(|error| StoreError::io("replace", path, error))
}

/// Checks, as far as the system can tell, that an absent folder can be created.
pub(crate) fn check_creatable(folder: &Path) -> Result<(), StoreError> {
    platform::check_creatable(folder).map_err(|error| StoreError::io("create", folder, error))
}

/// Opens an existing file of this user to change it in place.
pub(crate) fn open_to_write(path: &Path) -> Result<File, StoreError> {
    let file = open_to_lock(path).map_err(|error| StoreError::io("write", path, error))?;
    platform::check(&file, path)?;
    Ok(file)
}

/// Reserves disk space for a file of `len` bytes without changing its length. Does nothing if the file system cannot do that.
pub(crate) fn reserve(file: &File, len: u64) -> io::Result<()> {
    platform::reserve(file, len)
}

/// Starts writing the file's data to disk without waiting, if the system can do that.
pub(crate) fn start_writing(file: &File) {
    platform::start_writing(file);
}

/// Syncs a folder's list of files to disk, if the file system can do that.
pub(crate) fn sync_folder(path: &Path) {
    platform::sync_folder(path);
}

/// Creates a new file, accessible by its owner only.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    platform::private_file(&mut options);
    fault::at(FileOperation::Create, || options.open(path))
}

/// Fills a temporary file with `text`.
pub(crate) fn fill(file: &mut File, text: &str, durable: bool) -> io::Result<()> {
    io::Seek::rewind(file)?;
    fault::through(file).write_all(text.as_bytes())?;
    // This shrinks the reserved file, so it never needs more space.
    fault::at(FileOperation::SetLen, || file.set_len(text.len() as u64))?;
    if durable { fault::sync(file, File::sync_all) } else { Ok(()) }
}

/// Replaces `path` with a complete temporary file.
pub(crate) fn put(temporary: &Path, path: &Path, durable: bool) -> Result<(), StoreError> {
    rename(temporary, path).map_err(|error| StoreError::io("replace", path, error))?;
    if durable {
        platform::sync_folder(path.parent().unwrap_or(Path::new(".")));
    }
    Ok(())
}

/// On Windows another process may have the file open for a moment.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let mut tries = if cfg!(windows) { 20 } else { 1 };
    loop {
        match fault::at(FileOperation::Rename, || {
            fault::check_mount(to).and_then(|()| fs::rename(from, to))
        }) {
            Err(error) if tries > 1 && error.kind() == ErrorKind::PermissionDenied => {
                tries -= 1;
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            other => return other,
        }
    }
}

fn open_existing(path: &Path) -> Result<Option<File>, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true);
    platform::private_file(&mut options);
    let open = |path: &Path| fault::opening(path, || options.open(path));
    let opened = match open(path) {
        Err(error) if platform::is_link_refusal(&error) => open(&resolve(path)?),
        other => other,
    };
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(StoreError::io("open", path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_opened_is_an_error_and_what_is_not_there_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "text").unwrap();
        assert!(read_unlinked(&file).unwrap().is_some());
        for absent in [folder.path().join("absent"), file.join("below")] {
            assert!(read_unlinked(&absent).unwrap().is_none(), "{absent:?}");
        }
        let too_long = read_unlinked(&folder.path().join("x".repeat(300)));
        assert!(matches!(too_long, Err(StoreError::Io { what: "open", .. })));
    }

    #[test]
    fn what_would_be_larger_than_is_read_is_not_written() {
        let (path, limit) = (Path::new("x"), 16 << 20);
        assert!(check_len(path, limit, limit).is_ok());
        for len in [limit + 1, limit * 2] {
            let refused = check_len(path, len, limit);
            assert!(matches!(refused, Err(StoreError::WouldBeTooLarge { limit: 16, .. })), "{len}");
        }
    }

    /// Gives pieces of a text, one a read, and counts how often it is asked.
    struct Pieces(Vec<&'static [u8]>, usize);

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.1 += 1;
            let Some(piece) = self.0.first_mut() else { return Ok(0) };
            let count = piece.len().min(into.len());
            into[..count].copy_from_slice(&piece[..count]);
            *piece = &piece[count..];
            if piece.is_empty() {
                self.0.remove(0);
            }
            Ok(count)
        }
    }

    #[test]
    fn a_file_is_read_to_its_end_whatever_became_of_its_length() {
        // The pieces, the length that the file is said to have, and how many reads that takes.
        let cases: [(Vec<&[u8]>, u64, usize); 6] = [
            (vec![b"whole"], 5, 1),
            (vec![b"in ", b"two"], 6, 2),
            (vec![b"shrunk"], 9, 2),
            (vec![b"grown since"], 5, 3),
            (vec![b"no length"], 0, 3),
            (vec![], 0, 1),
        ];
        for (pieces, len, reads) in cases {
            let text = pieces.concat();
            let mut file = Pieces(pieces, 0);
            assert_eq!(all_of(&mut file, len).unwrap(), text);
            assert_eq!(file.1, reads, "{}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn a_file_as_large_as_is_ever_read_is_read_and_a_larger_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        for (size, is_read) in [(READABLE, true), (READABLE + 1, false)] {
            file.set_len(size).unwrap();
            match read_unlinked(&path) {
                Ok(found) => assert!(is_read && found.unwrap().0.bytes.len() as u64 == size),
                Err(error) => assert!(!is_read && matches!(error, StoreError::TooLarge { .. })),
            }
        }
    }

    #[cfg(all(unix, feature = "encrypted"))]
    #[test]
    fn a_key_is_no_larger_than_a_key_and_takes_the_place_of_none() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
        let at = |name: &str, size: usize| {
            let path = folder.path().join(name);
            fs::write(&path, vec![b'k'; size]).unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            path
        };
        assert_eq!(read_key(&at("largest", 4_096)).unwrap().unwrap().len(), 4_096);
        let too_large = read_key(&at("too-large", 4_097));
        assert!(matches!(too_large, Err(StoreError::BadKey { .. })));
        let (new, there) = (at("new", 1), at("there", 2));
        assert!(put_new(&new, &there).is_err());
        assert_eq!(fs::read(&there).unwrap().len(), 2);
        let free = folder.path().join("free");
        put_new(&new, &free).unwrap();
        assert_eq!(fs::read(&free).unwrap(), b"k");
    }

    #[cfg(all(target_os = "linux", feature = "encrypted"))]
    #[test]
    fn where_no_link_can_be_made_a_key_is_written() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let Ok(elsewhere) = tempfile::tempdir_in("/dev/shm") else { return };
        let device = |path: &Path| path.metadata().unwrap().dev();
        if device(folder.path()) == device(elsewhere.path()) {
            return;
        }
        let (new, free) = (elsewhere.path().join("new"), folder.path().join("free"));
        fs::write(&new, "key").unwrap();
        put_new(&new, &free).unwrap();
        assert_eq!(fs::read(&free).unwrap(), b"key");
        assert!(put_new(&new, &free).is_err(), "there is one by now");
    }

    #[cfg(unix)]
    #[test]
    fn of_a_path_its_own_link_is_followed_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("real")).unwrap();
        std::os::unix::fs::symlink(at("real"), at("linked")).unwrap();
        fs::write(at("real/file"), "text").unwrap();
        assert_eq!(resolve(&at("linked/file")).unwrap(), at("linked/file"));
        assert_eq!(resolve(&at("linked/absent")).unwrap(), at("linked/absent"));
        std::os::unix::fs::symlink("file", at("real/link")).unwrap();
        assert_eq!(resolve(&at("real/link")).unwrap(), at("real/file").canonicalize().unwrap());
    }
}
