//! One lock for each refresh token, whatever name, path or store it is reached by. The lock consists of two files named by
//! the token's fingerprint: one in the folder of locks next to the real file, which all links and mounts of that file share,
//! and one in the user's runtime folder, which hard links, copies and other home folders share. Both are taken, always in
//! this order, while the lock of the entry is held.
//!
//! Once a refresh token is used, its files record that, and where its successor is stored. They contain no secret.

use super::sweep::{MOST, sweep};
use super::{SidecarFiles, disk, locks, runtime_lock};
use crate::error::{DisplayPath, StoreError};
use crate::fault::{self, FileOperation};
use crate::named_mutex::end_of;
use crate::store::Claim;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use u2m_core::{CacheKey, Fingerprint};

/// The prefix of these files' names.
const PREFIX: &str = "t-";

/// The maximum length of a note.
const LIMIT: u64 = 16 << 10;

/// How long a note about a used token is trusted: longer than unused tokens live.
const BELIEVED: i64 = 2_592_000;

/// If an older state was restored in a store, those who know the newer one have this long to write it again. After that the
/// old token is tried: there is nothing else, and not every server rejects it.
const RESTORED: i64 = 60;

/// An entry in a store: the kind of store in words, the path of the real file, and the entry's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EntryAddress {
    pub(crate) store: String,
    pub(crate) path: PathBuf,
    pub(crate) key: String,
}

impl EntryAddress {
    pub(crate) fn new(store: &str, beside: &SidecarFiles, key: &CacheKey) -> Self {
        let (store, key) = (store.to_owned(), key.as_str().to_owned());
        let path = beside.real();
        // Absolute, because others read it from another folder.
        Self { store, path: std::path::absolute(&path).unwrap_or(path), key }
    }

    pub(crate) fn key(&self) -> CacheKey {
        CacheKey::new(self.key.as_str())
    }
}

impl std::fmt::Display for EntryAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = u2m_core::Sanitized::new(&self.key);
        write!(f, "'{key}' in the {} ({})", self.store, DisplayPath::from(self.path.as_path()))
    }
}

/// The content of the file of a used token.
#[derive(Debug, Serialize, Deserialize)]
struct SpentNote {
    /// The fingerprint of the token that replaced it.
    to: String,
    at: i64,
    spot: EntryAddress,
    /// Whether the new token is known to be saved. Until then it may never have arrived.
    #[serde(default)]
    is_saved: bool,
}

/// What an entry holds: nothing, or a login's tokens. `None` if it cannot be read.
pub(crate) type Seen = Option<Option<Fingerprint>>;

/// The claim that belongs to one entry's lock.
pub(crate) struct EntryClaim {
    spot: EntryAddress,
    held: Option<HeldClaim>,
}

struct HeldClaim {
    of: Fingerprint,
    here: locks::HeldLock,
    /// `None` if there is no private folder for it.
    there: Option<locks::HeldLock>,
}

impl EntryClaim {
    /// Creates an empty claim. `store` is the kind of store in words.
    pub(crate) fn new(store: &str, beside: &SidecarFiles, key: &CacheKey) -> Self {
        Self { spot: EntryAddress::new(store, beside, key), held: None }
    }

    /// Returns the claimed token.
    pub(crate) fn of(&self) -> Option<&Fingerprint> {
        self.held.as_ref().map(|held| &held.of)
    }

    /// Claims a token. `look` reads an entry of any store that this store can read.
    pub(crate) fn claim(
        &mut self,
        beside: &SidecarFiles,
        of: &Fingerprint,
        patience: Duration,
        look: impl Fn(&EntryAddress) -> Seen,
    ) -> Result<Claim, StoreError> {
        let mut waited = false;
        if self.of() != Some(of) {
            // Never hold two at once: different callers would take them in different orders.
            self.held = None;
            let Some((held, others)) = take(beside, of, patience)? else { return Ok(Claim::Busy) };
            (self.held, waited) = (Some(held), others);
        }
        let note = self.held.as_mut().and_then(HeldClaim::note);
        Ok(match note.map(|note| self.judge(of, &note, &look)) {
            Some(ClaimDecision::Spent(words)) => Claim::Spent(words),
            Some(ClaimDecision::Replaced) => Claim::Waited,
            None | Some(ClaimDecision::Free) if waited => Claim::Waited,
            None | Some(ClaimDecision::Free) => Claim::Taken,
        })
    }

    fn judge(
        &self,
        of: &Fingerprint,
        note: &SpentNote,
        look: &impl Fn(&EntryAddress) -> Seen,
    ) -> ClaimDecision {
        let is_within = |limit: i64| now().abs_diff(note.at) < limit.unsigned_abs();
        if !is_within(BELIEVED) {
            return ClaimDecision::Free;
        }
        // Used under another name of the same file, and replaced here in the same write.
        if look(&self.spot).is_some_and(|here| here.as_ref() != Some(of)) {
            return ClaimDecision::Replaced;
        }
        let spot = &note.spot;
        match look(spot) {
            Some(Some(there)) if there == *of => match note.is_saved && is_within(RESTORED) {
                true => ClaimDecision::Spent(format!(
                    "it was spent for {spot}, where another program has put an older state back"
                )),
                false => ClaimDecision::Free,
            },
            Some(Some(there)) if there.as_str() == note.to => ClaimDecision::Spent(spent_for(spot)),
            _ if note.is_saved => ClaimDecision::Spent(spent_for(spot)),
            _ => ClaimDecision::Free,
        }
    }

    /// Records that `next`, the successor of the claimed token, is going to be saved. Whoever finds it in the store then
    /// knows, even if this process ends before it can record the save.
    pub(crate) fn saving(&mut self, next: &Fingerprint) {
        self.note(next, false);
    }

    /// Records that `next` is saved.
    pub(crate) fn saved(&mut self, beside: &SidecarFiles, next: &Fingerprint) {
        self.note(next, true);
        if self.held.is_some() {
            let believed = Duration::from_secs(BELIEVED.unsigned_abs());
            for folder in [Some(folder(beside)), runtime_lock::folder().ok()].into_iter().flatten()
            {
                sweep(&folder, PREFIX, believed);
            }
        }
    }

    /// If the note cannot be written, the save continues.
    fn note(&mut self, next: &Fingerprint, is_saved: bool) {
        let Some(held) = self.held.as_mut().filter(|held| held.of != *next) else { return };
        let (to, at, spot) = (next.as_str().to_owned(), now(), self.spot.clone());
        let note = SpentNote { to, at, spot, is_saved };
        let _ = write(held.here.notes(), &note);
        let _ = held.there.as_mut().map(|there| write(there.notes(), &note));
    }
}

enum ClaimDecision {
    Free,
    /// The entry itself holds a newer token.
    Replaced,
    Spent(String),
}

fn spent_for(spot: &EntryAddress) -> String {
    format!("it was spent for {spot}")
}

impl HeldClaim {
    /// Returns the more certain of the two notes.
    fn note(&mut self) -> Option<SpentNote> {
        let here = read(self.here.notes());
        let there = self.there.as_mut().and_then(|there| read(there.notes()));
        surer(here, there)
    }
}

/// Returns the note which says that the new token is saved, else the first.
fn surer(here: Option<SpentNote>, there: Option<SpentNote>) -> Option<SpentNote> {
    let is_saved = |note: &Option<SpentNote>| note.as_ref().is_some_and(|note| note.is_saved);
    match !is_saved(&here) && is_saved(&there) {
        true => there,
        false => here.or(there),
    }
}

/// Returns whether a token is known to have been exchanged for another. With `is_saved`, the other one must also have been
/// saved.
pub(crate) fn is_spent(beside: &SidecarFiles, of: &Fingerprint, is_saved: bool) -> bool {
    notes(beside, of).any(|note| note.is_saved || !is_saved)
}

/// Returns whether following the chain of successors from this token reaches one for which `is_end` is true. The token then
/// belongs to an older state of the same login.
pub(crate) fn leads_to(
    beside: &SidecarFiles,
    of: &Fingerprint,
    is_end: impl Fn(&Fingerprint) -> bool,
) -> bool {
    let (mut seen, mut next) = (Vec::new(), vec![of.clone()]);
    while let Some(of) = next.pop() {
        let bought: Vec<_> =
            notes(beside, &of).filter_map(|note| Fingerprint::parse(&note.to)).collect();
        if bought.iter().any(&is_end) {
            return true;
        }
        seen.push(of);
        next.extend(bought.into_iter().filter(|bought| !seen.contains(bought)));
        if seen.len() > MOST {
            break;
        }
    }
    false
}

/// Returns what is recorded about a token, here and in the user's runtime folder.
fn notes(beside: &SidecarFiles, of: &Fingerprint) -> impl Iterator<Item = SpentNote> {
    let (folders, name) = ([Some(folder(beside)), runtime_lock::folder().ok()], name(of));
    folders.into_iter().flatten().filter_map(move |folder| {
        let found = fault::at(FileOperation::Open, || File::open(folder.join(&name)));
        found.ok().and_then(|mut file| read(&mut file))
    })
}

fn folder(beside: &SidecarFiles) -> PathBuf {
    beside.lock_at(".locks")
}

fn name(of: &Fingerprint) -> String {
    format!("{PREFIX}{}.lock", of.as_str())
}

/// Takes both locks. Also returns whether one of them was not free at once. `None` means that another holder has one.
fn take(
    beside: &SidecarFiles,
    of: &Fingerprint,
    patience: Duration,
) -> Result<Option<(HeldClaim, bool)>, StoreError> {
    let (end, folder) = (end_of(patience), folder(beside));
    disk::create_own_folder(&folder)?;
    let Some((here, waited)) = one(&folder.join(name(of)), end)? else { return Ok(None) };
    let there = match runtime_lock::folder().map(|folder| one(&folder.join(name(of)), end)) {
        Ok(Ok(Some(there))) => Some(there),
        Ok(Ok(None)) => return Ok(None),
        // The first lock covers everything except copies and hard links.
        Ok(Err(_)) | Err(_) => None,
    };
    let waited = waited || there.as_ref().is_some_and(|(_, waited)| *waited);
    let there = there.map(|(there, _)| there);
    Ok(Some((HeldClaim { of: of.clone(), here, there }, waited)))
}

/// Takes one lock. Also returns whether it was not free at once.
fn one(path: &Path, end: Instant) -> Result<Option<(locks::HeldLock, bool)>, StoreError> {
    if let Some(held) = locks::take(path, Duration::ZERO)? {
        return Ok(Some((held, false)));
    }
    let left = end.saturating_duration_since(Instant::now());
    Ok(locks::take(path, left)?.map(|held| (held, true)))
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Reads a note. One that cannot be read counts as absent.
fn read(file: &mut File) -> Option<SpentNote> {
    let mut text = String::new();
    file.rewind().ok()?;
    fault::through(file).take(LIMIT).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write(file: &mut File, note: &SpentNote) -> std::io::Result<()> {
    let mut text = serde_json::to_string(note).map_err(std::io::Error::other)?;
    if text.len() as u64 > LIMIT {
        // A name of that length is made unique by a hash.
        let key = Fingerprint::of_text(note.spot.key.as_str());
        let spot = EntryAddress { key: key.as_str().to_owned(), ..note.spot.clone() };
        text = serde_json::to_string(&SpentNote { spot, to: note.to.clone(), ..*note })
            .map_err(std::io::Error::other)?;
    }
    // Truncate first: half of this note and half of the previous one could parse as a third.
    fault::at(FileOperation::SetLen, || file.set_len(0))?;
    file.rewind()?;
    fault::through(file).write_all(text.as_bytes())
}

#[cfg(all(test, unix))]
#[path = "claim_tests.rs"]
mod tests;
