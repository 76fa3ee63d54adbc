//! The lock of one entry, and what is recorded in its file: who holds it, and how the last refresh failed.

use super::{SidecarFiles, disk, locks};
use crate::error::StoreError;
use crate::fault::{self, FileOperation};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::PathBuf;
use std::time::Duration;
use u2m_core::{
    CacheKey, ErrorResponse, Fingerprint, Moment, RefreshFailure, RefreshFailureKind, Session,
    Timestamp,
};

/// The maximum length of a note. Everything in it is short.
const LIMIT: u64 = 1 << 16;

/// How much of a name is written.
const SHOWN: usize = 1000;

/// The content of a lock file. It contains no secret.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct LockContent {
    /// The process that holds the lock or held it last, for users who wonder what they wait for.
    pid: u32,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<RecordedFailure>,
}

/// The last refresh that failed.
#[derive(Serialize, Deserialize)]
pub(crate) struct RecordedFailure {
    of: String,
    at: i64,
    /// The fraction of the second. If it is missing, the end of the second is assumed, so that no program that asked before
    /// is left out.
    #[serde(default = "end_of_second")]
    nanos: u32,
    /// For how many seconds the server asked not to be contacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pause: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passing: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spent: Option<String>,
    #[serde(default)]
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    suberror: Option<String>,
}

fn end_of_second() -> u32 {
    Moment::LAST_NANO
}

/// A held lock of an entry, in the folder `<name>.locks`.
pub(crate) struct KeyLock {
    path: PathBuf,
    held: locks::HeldLock,
    note: LockContent,
}

impl KeyLock {
    pub(crate) fn take(
        beside: &SidecarFiles,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Self>, StoreError> {
        disk::create_folder(beside.folder())?;
        let path = path(beside, key);
        disk::create_own_folder(path.parent().unwrap_or(beside.folder()))?;
        let held = locks::take(&path, patience)?;
        Ok(held.map(|held| {
            beside.say_where(&held);
            Self::of(path, held, key)
        }))
    }

    /// Takes over a lock that another process took and handed over as an open file.
    pub(crate) fn adopt(
        beside: &SidecarFiles,
        key: &CacheKey,
        file: File,
    ) -> Result<Self, StoreError> {
        let path = path(beside, key);
        let held = locks::adopt(&path, file)?;
        Ok(Self::of(path, held, key))
    }

    fn of(path: PathBuf, mut held: locks::HeldLock, key: &CacheKey) -> Self {
        let mut note = read(held.notes());
        // It is for users; of a very long name the beginning is enough.
        let key = key.as_str().chars().take(SHOWN).collect();
        (note.pid, note.key) = (std::process::id(), key);
        // This tells waiting users whom to ask. If it cannot be written, the lock is still valid.
        let _ = write(held.notes(), &note);
        Self { path, held, note }
    }

    /// Returns the open file that carries the lock, for another process to continue with. The lock is released when its last
    /// copy is closed.
    pub(crate) fn hand_over(self) -> Option<File> {
        locks::hand_over(self.held)
    }

    pub(crate) fn refresh_failure(&self) -> Option<RefreshFailure> {
        self.note.failed.as_ref().and_then(RecordedFailure::refresh_failure)
    }

    pub(crate) fn note(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        self.note.failed = Some(RecordedFailure::of(refresh_failure));
        write(self.held.notes(), &self.note)
            .map_err(|error| StoreError::io("write", &self.path, error))
    }
}

/// Returns what is remembered about `key`, read without its lock.
pub(crate) fn remembered(beside: &SidecarFiles, key: &CacheKey) -> Option<RefreshFailure> {
    let found = disk::read(&path(beside, key)).ok().flatten()?;
    let note: LockContent = serde_json::from_slice(&found.bytes).ok()?;
    note.failed.as_ref().and_then(RecordedFailure::refresh_failure)
}

/// Refuses to replace a login with a refresh token by one without, unless it is remembered that the server has rejected that
/// refresh token for good.
pub(crate) fn check_keeps_refresh_token(
    beside: &SidecarFiles,
    key: &CacheKey,
    old: Option<&Session>,
    new: &Session,
) -> Result<(), StoreError> {
    let Some(old) = old.filter(|old| old.refresh_token.is_some()) else { return Ok(()) };
    let is_dead =
        || remembered(beside, key).is_some_and(|refresh_failure| refresh_failure.is_final_for(old));
    match new.refresh_token.is_some() || is_dead() {
        true => Ok(()),
        false => Err(StoreError::WouldLoseRefreshToken { key: key.clone() }),
    }
}

/// The name is a hash, because a key may contain any characters.
fn path(beside: &SidecarFiles, key: &CacheKey) -> PathBuf {
    let name = Fingerprint::of_text(key.as_str());
    beside.lock_at(".locks").join(format!("{}.lock", name.as_str()))
}

/// Reads a note. One that cannot be read counts as absent.
fn read(file: &mut File) -> LockContent {
    let mut text = String::new();
    // The position of a file that was handed over is where its last owner left it.
    let _ = file.rewind();
    let read = fault::through(file).take(LIMIT).read_to_string(&mut text);
    read.ok().and_then(|_| serde_json::from_str(&text).ok()).unwrap_or_default()
}

fn write(file: &mut File, note: &LockContent) -> std::io::Result<()> {
    let text = serde_json::to_string(note).map_err(std::io::Error::other)?;
    // Truncate first: half of this note and half of the previous one could parse as a third.
    fault::at(FileOperation::SetLen, || file.set_len(0))?;
    file.rewind()?;
    fault::through(file).write_all(text.as_bytes())
}

impl RecordedFailure {
    pub(crate) fn of(refresh_failure: &RefreshFailure) -> Self {
        let empty = Self {
            of: refresh_failure.of.as_str().to_owned(),
            at: refresh_failure.at.second().unix(),
            nanos: refresh_failure.at.nanos(),
            pause: refresh_failure.pause.and_then(|pause| u64::try_from(pause.seconds()).ok()),
            passing: None,
            spent: None,
            status: 0,
            error: None,
            description: None,
            suberror: None,
        };
        match &refresh_failure.kind {
            RefreshFailureKind::Rejected(refusal) => Self {
                status: refusal.status(),
                error: Some(refusal.code().to_string()),
                description: refusal.description().map(ToString::to_string),
                suberror: refusal.suberror().map(ToString::to_string),
                ..empty
            },
            RefreshFailureKind::Transient(text) => {
                Self { passing: Some(text.to_string()), ..empty }
            }
            RefreshFailureKind::Spent(text) => Self { spent: Some(text.to_string()), ..empty },
            // A kind that only a later version knows is not written.
            _ => empty,
        }
    }

    pub(crate) fn refresh_failure(&self) -> Option<RefreshFailure> {
        let kind = match (&self.error, &self.passing) {
            (None, None) => RefreshFailureKind::spent(self.spent.as_deref()?),
            (Some(error), _) => {
                let refusal = ErrorResponse::new(self.status, error, self.description.as_deref());
                let suberror = self.suberror.iter();
                RefreshFailureKind::Rejected(
                    suberror.fold(refusal, |refusal, said| refusal.with_suberror(said)),
                )
            }
            (None, Some(text)) => RefreshFailureKind::transient(text),
        };
        let at = Moment::new(Timestamp::from_unix(self.at), self.nanos);
        let refresh_failure = RefreshFailure::new(Fingerprint::parse(&self.of)?, at, kind);
        let pause = self.pause.map(Duration::from_secs);
        Some(pause.into_iter().fold(refresh_failure, RefreshFailure::with_pause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_any_kind_is_read_as_it_was_written_down() {
        let (of, at) = (Fingerprint::of_text("x"), Moment::new(Timestamp::from_unix(7), 9));
        let refusal = ErrorResponse::new(400, "invalid_grant", Some("no")).with_suberror("gone");
        for kind in [
            RefreshFailureKind::Rejected(refusal),
            RefreshFailureKind::transient("busy"),
            RefreshFailureKind::spent("for another entry"),
        ] {
            let refresh_failure = RefreshFailure::new(of.clone(), at, kind);
            for refresh_failure in
                [refresh_failure.clone(), refresh_failure.with_pause(Duration::from_secs(30))]
            {
                let text = serde_json::to_string(&RecordedFailure::of(&refresh_failure)).unwrap();
                let read: RecordedFailure = serde_json::from_str(&text).unwrap();
                assert_eq!(read.refresh_failure(), Some(refresh_failure), "{text}");
            }
        }
    }

    #[test]
    fn a_failure_without_its_part_of_a_second_fell_at_the_end_of_it() {
        let of = Fingerprint::of_text("x");
        let text = format!(r#"{{"of":"{}","at":7,"passing":"busy"}}"#, of.as_str());
        let read: RecordedFailure = serde_json::from_str(&text).unwrap();
        let at = read.refresh_failure().unwrap().at;
        assert_eq!((at.second().unix(), at.nanos()), (7, 999_999_999));
    }
}
