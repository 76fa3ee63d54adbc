//! Keeps damaged caches, under a name that contains the time.

use super::FileStoreInner;
use crate::error::StoreError;
use crate::fault::{self, FileOperation};
use crate::sidecar::disk;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

impl FileStoreInner {
    /// Keeps a damaged cache under a name that contains the time, and returns that name.
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

/// Gives the file a second name instead of moving it: readers see the old file until the new one is in place.
fn keep_as(path: &Path, aside: &Path) -> io::Result<()> {
    // A file that is a mount point cannot have a second name in its folder.
    let link = || fault::check_mount(path).and_then(|()| fs::hard_link(path, aside));
    match fault::at(FileOperation::Link, link) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            let mut copy = disk::create_private(aside)?;
            let copied =
                fault::at(FileOperation::Open, || File::open(path)).and_then(|mut whole| {
                    io::copy(&mut fault::through(&mut whole), &mut fault::through(&mut copy))?;
                    fault::sync(&copy, File::sync_all)
                });
            // A partial copy is useless, and may hold tokens.
            copied
                .inspect_err(|_| drop(fault::at(FileOperation::Remove, || fs::remove_file(aside))))
        }
        other => other,
    }
}
