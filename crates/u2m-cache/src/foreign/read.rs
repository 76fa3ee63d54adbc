//! Shared code for reading the files of the Python and Java SDKs.

use super::python_file::LIMIT;
use crate::error::{DisplayPath, StoreError};
use crate::sidecar::SidecarFiles;
use crate::sidecar::disk::{self, FileExposure};
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use u2m_core::Timestamp;
use zeroize::Zeroizing;

/// The text of a login file, and when it was written.
pub(crate) struct LoginFileText {
    pub(crate) text: Zeroizing<String>,
    pub(crate) saved: Timestamp,
}

/// Reads a login file. Returns `None` if it is absent. A file that others could read is made private; nothing else about it
/// changes.
pub(crate) fn text(
    path: &Path,
    beside: &SidecarFiles,
) -> Result<Option<LoginFileText>, StoreError> {
    let bad = |why| StoreError::BadForeign { path: path.into(), why };
    let (found, written) = match disk::read_unlinked(path) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(None),
        Err(StoreError::TooLarge { .. }) => return Err(bad("it is larger than 1 MiB")),
        Err(error) => return Err(error),
    };
    let bytes = Zeroizing::new(found.bytes);
    if bytes.len() > LIMIT {
        return Err(bad("it is larger than 1 MiB"));
    }
    let shown = DisplayPath::from(path);
    match found.privacy {
        FileExposure::Private => {}
        FileExposure::Tightened => beside.notice(format!(
            "{shown} could be read by other users; it is now private. If others may have seen it, log in again"
        )),
        FileExposure::Loose => {
            beside.notice(format!("{shown} can be read by other users, and its mode cannot be changed"));
        }
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| bad("it is not text"))?;
    Ok(Some(LoginFileText {
        text: Zeroizing::new(text.to_owned()),
        saved: Timestamp::from(written),
    }))
}

/// Returns the files in a folder with matching names, sorted. An absent folder counts as empty.
pub(crate) fn list(folder: &Path, fits: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(StoreError::io("list", folder, error)),
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let fitting = names.filter(|name| name.to_str().is_some_and(&fits));
    let mut paths: Vec<PathBuf> = fitting.map(|name| folder.join(name)).collect();
    paths.sort_unstable();
    Ok(paths)
}

/// Returns whether a name is a SHA-256 hash in lower-case hexadecimal.
pub(crate) fn is_hash(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Returns the home folder that the SDKs use.
pub(crate) fn home(env: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, StoreError> {
    let name = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    env(name).filter(|home| !home.is_empty()).map(PathBuf::from).ok_or(StoreError::NoHome)
}
