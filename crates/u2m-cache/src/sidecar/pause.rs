//! Pauses requested by a token endpoint that apply to more than one login. Each is a file in the folder of locks, for all
//! logins whose locks are there. Its name is a hash of the endpoint, and it contains no secret.

use super::lock::RecordedFailure;
use super::sweep::sweep;
use super::{SidecarFiles, disk, locks};
use crate::error::StoreError;
use crate::fault::{self, FileOperation};
use std::io::{Seek, Write};
use std::path::PathBuf;
use std::time::Duration;
use u2m_core::{Fingerprint, RefreshFailure};

/// The prefix of these files' names.
const PREFIX: &str = "p-";

/// How long a file is useful: longer than any pause, and longer than the pause counts as recent.
const USEFUL: Duration = Duration::from_secs(3600);

/// Returns the remembered pause at `door`. A file that cannot be read or is being written counts as absent.
pub(crate) fn read(beside: &SidecarFiles, door: &Fingerprint) -> Option<RefreshFailure> {
    let found = disk::read(&path(beside, door)).ok().flatten()?;
    let pause = serde_json::from_slice::<RecordedFailure>(&found.bytes).ok()?.refresh_failure()?;
    (pause.of == *door).then_some(pause)
}

/// Records a pause. A process that holds the file at this moment records the same one.
pub(crate) fn note(beside: &SidecarFiles, pause: &RefreshFailure) -> Result<(), StoreError> {
    let path = path(beside, &pause.of);
    let Some(mut held) = locks::take(&path, Duration::ZERO)? else { return Ok(()) };
    let text = serde_json::to_vec(&RecordedFailure::of(pause)).unwrap_or_default();
    let file = held.notes();
    // Truncate first: half of this note and half of the previous one could parse as a third.
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
