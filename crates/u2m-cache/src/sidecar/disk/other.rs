//! Systems on which files have no owner and mode to check: the rules of the folder apply.

use super::{Checked, FileExposure, Path, StoreError};
use crate::fault::{self, FileOperation};
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;

pub(crate) fn private_file(_: &mut OpenOptions) {}

pub(crate) fn private_folder(_: &mut DirBuilder) {}

pub(crate) fn is_link_refusal(_: &io::Error) -> bool {
    false
}

pub(crate) fn check(file: &File, path: &Path) -> Result<Checked, StoreError> {
    let meta = fault::at(FileOperation::Stat, || file.metadata())
        .map_err(|error| StoreError::io("look at", path, error))?;
    if meta.is_file() {
        Ok((meta.len(), FileExposure::Private, meta.modified().ok()))
    } else {
        Err(StoreError::NotAFile { path: path.into() })
    }
}

#[cfg(feature = "encrypted")]
pub(crate) fn check_kept_private(file: &File, path: &Path) -> Result<(), StoreError> {
    check(file, path).map(|_| ())
}

pub(crate) fn is_still(_: &Path, _: &File) -> io::Result<bool> {
    Ok(true)
}

pub(crate) fn check_replaceable(_: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn reserve(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

pub(crate) fn check_creatable(_: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn check_owner(_: &Metadata, _: &Path) -> Result<(), StoreError> {
    Ok(())
}

pub(crate) fn check_folder(_: &Metadata, _: &Path) -> Result<(), StoreError> {
    Ok(())
}

pub(crate) fn tighten_folder(_: &Path) -> Result<bool, StoreError> {
    Ok(false)
}

pub(crate) fn start_writing(_: &File) {}

pub(crate) fn sync_folder(_: &Path) {}
