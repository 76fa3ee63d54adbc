//! The lock of one entry, and what is remembered beside it: who holds it, and how the last refresh failed.

use super::room::Reserve;
use super::{Inner, disk, locks};
use crate::error::StoreError;
use crate::store::EntryLock;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use u2m_core::{
    AccessToken, CacheKey, Fingerprint, Refusal, Session, Timestamp, Verdict, VerdictKind,
};

/// The content of a lock file. It holds no secret.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Note {
    /// The process that holds the lock, or held it last: for whoever wonders why it waits.
    pid: u32,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<Failed>,
}

/// The last refresh that failed.
#[derive(Serialize, Deserialize)]
struct Failed {
    of: String,
    at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passing: Option<String>,
    #[serde(default)]
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// An entry's lock in the folder `<name>.locks`.
pub(super) struct FileLock {
    store: Arc<Inner>,
    key: CacheKey,
    held: locks::Held,
    note: Note,
    reserve: Reserve,
}

impl FileLock {
    pub(super) fn take(
        store: &Arc<Inner>,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Self>, StoreError> {
        disk::create_folder(store.folder())?;
        let path = path(store, key);
        disk::create_folder(path.parent().unwrap_or(store.folder()))?;
        let Some(mut held) = locks::take(&path, patience)? else { return Ok(None) };
        let mut note = read(&mut held.file);
        (note.pid, note.key) = (std::process::id(), key.as_str().to_owned());
        // Who waits is told by it whom to ask; not being able to say so is no reason to stop.
        let _ = write(&mut held.file, &note);
        Ok(Some(Self {
            store: Arc::clone(store),
            key: key.clone(),
            held,
            note,
            reserve: Reserve::default(),
        }))
    }
}

impl EntryLock for FileLock {
    fn verdict(&mut self) -> Option<Verdict> {
        self.note.failed.as_ref().and_then(Failed::verdict)
    }

    fn note(&mut self, verdict: &Verdict) -> Result<(), StoreError> {
        self.note.failed = Some(Failed::of(verdict));
        let path = path(&self.store, &self.key);
        write(&mut self.held.file, &self.note)
            .map_err(|error| StoreError::io("write", &path, error))
    }

    fn prove_writable(&mut self) -> Result<(), StoreError> {
        self.reserve = self.store.reserve()?;
        Ok(())
    }

    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        self.store.update(&self.key, Some(session), std::mem::take(&mut self.reserve))
    }
}

/// What is remembered of `key`, read without its lock.
pub(super) fn remembered(store: &Inner, key: &CacheKey) -> Option<Verdict> {
    let found = disk::read(&path(store, key)).ok().flatten()?;
    let note: Note = serde_json::from_slice(&found.bytes).ok()?;
    note.failed.as_ref().and_then(Failed::verdict)
}

/// Named by a hash, because a key may be anything.
fn path(store: &Inner, key: &CacheKey) -> PathBuf {
    let name = Fingerprint::of_access(&AccessToken::new(key.as_str()));
    store.sibling(".locks").join(format!("{}.lock", name.as_str()))
}

/// A note that cannot be read is as good as none.
fn read(file: &mut File) -> Note {
    let mut text = String::new();
    let read = file.take(1 << 16).read_to_string(&mut text);
    read.ok().and_then(|_| serde_json::from_str(&text).ok()).unwrap_or_default()
}

fn write(file: &mut File, note: &Note) -> std::io::Result<()> {
    let text = serde_json::to_string(note).map_err(std::io::Error::other)?;
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}

impl Failed {
    fn of(verdict: &Verdict) -> Self {
        let (of, at) = (verdict.of.as_str().to_owned(), verdict.at.unix());
        let empty = Self { of, at, passing: None, status: 0, error: None, description: None };
        match &verdict.kind {
            VerdictKind::Rejected(refusal) => Self {
                status: refusal.status(),
                error: Some(refusal.code().to_string()),
                description: refusal.description().map(ToString::to_string),
                ..empty
            },
            VerdictKind::Passing(text) => Self { passing: Some(text.to_string()), ..empty },
            // A kind of a later version is not written down.
            _ => empty,
        }
    }

    fn verdict(&self) -> Option<Verdict> {
        let kind = match (&self.error, &self.passing) {
            (Some(error), _) => {
                VerdictKind::Rejected(Refusal::new(self.status, error, self.description.as_deref()))
            }
            (None, Some(text)) => VerdictKind::passing(text),
            (None, None) => return None,
        };
        Some(Verdict::new(Fingerprint::parse(&self.of)?, Timestamp::from_unix(self.at), kind))
    }
}
