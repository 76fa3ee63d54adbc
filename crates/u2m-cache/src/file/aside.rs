//! Damaged caches are kept, under a name that says when.

use super::FileStoreInner;
use crate::error::StoreError;
use crate::fault::{self, FileOperation};
use crate::sidecar::disk;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

impl FileStoreInner {
    /// Keeps a damaged cache under a name that says when; that name.
    pub(super) fn set_aside(&self, path: &Path) -> Result<PathBuf, StoreError> {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let aside = (0..100).find_map(|at| {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(format!(".corrupt-{seconds}"));
            if at > 0 {
                name.push(format!("-{at}"));
            }
            let aside = path.with_file_name(name);
            match keep_as(path, &aside) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => None,
                other => Some(other.map(|()| aside)),
            }
        });
        let aside = aside.unwrap_or_else(|| Err(ErrorKind::AlreadyExists.into()));
        aside.map_err(|error| StoreError::io("set aside", path, error))
    }
}

/// Gives a file a second name rather than moving it: until the new one is in place, readers see the old one.
fn keep_as(path: &Path, aside: &Path) -> io::Result<()> {
    // What is mounted by itself has no second name in its folder.
    let link = || fault::check_mount(path).and_then(|()| fs::hard_link(path, aside));
    match fault::at(FileOperation::Link, link) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            let mut copy = disk::create_private(aside)?;
            let copied =
                fault::at(FileOperation::Open, || File::open(path)).and_then(|mut whole| {
                    io::copy(&mut fault::through(&mut whole), &mut fault::through(&mut copy))?;
                    fault::sync(&copy, File::sync_all)
                });
            // Half of it helps nobody, and may hold tokens.
            copied
                .inspect_err(|_| drop(fault::at(FileOperation::Remove, || fs::remove_file(aside))))
        }
        other => other,
    }
}
