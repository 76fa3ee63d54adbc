//! Pauses that a token endpoint has asked of more than one login: a file each in the folder of locks, for all logins whose locks
//! are there. It is named by a hash of the endpoint, and holds no secret.

use super::lock::RecordedFailure;
use super::sweep::sweep;
use super::{SidecarFiles, disk, locks};
use crate::error::StoreError;
use crate::fault::{self, FileOperation};
use std::io::{Seek, Write};
use std::path::PathBuf;
use std::time::Duration;
use u2m_core::{Fingerprint, RefreshFailure};

/// How their files' names begin.
const PREFIX: &str = "p-";

/// How long a file is of use: longer than any pause, and than it counts that there was one.
const USEFUL: Duration = Duration::from_secs(3600);

/// What is remembered of a pause at `door`. What cannot be read, or is being written, is as good as none.
pub(crate) fn read(beside: &SidecarFiles, door: &Fingerprint) -> Option<RefreshFailure> {
    let found = disk::read(&path(beside, door)).ok().flatten()?;
    let pause = serde_json::from_slice::<RecordedFailure>(&found.bytes).ok()?.verdict()?;
    (pause.of == *door).then_some(pause)
}

/// Remembers a pause. Whoever holds the file at this moment notes the same.
pub(crate) fn note(beside: &SidecarFiles, pause: &RefreshFailure) -> Result<(), StoreError> {
    let path = path(beside, &pause.of);
    let Some(mut held) = locks::take(&path, Duration::ZERO)? else { return Ok(()) };
    let text = serde_json::to_vec(&RecordedFailure::of(pause)).unwrap_or_default();
    let file = held.notes();
    // Emptied first: half of this note and half of the last one could read as a third.
    let written = fault::at(FileOperation::SetLen, || file.set_len(0))
        .and_then(|()| file.rewind())
        .and_then(|()| fault::through(file).write_all(&text));
    written.map_err(|error| StoreError::io("write", &path, error))?;
    drop(held);
    sweep(&beside.lock_at(".locks"), PREFIX, USEFUL);
    Ok(())
}

fn path(beside: &SidecarFiles, door: &Fingerprint) -> PathBuf {
    beside.lock_at(".locks").join(format!("{PREFIX}{}.lock", door.as_str()))
}
