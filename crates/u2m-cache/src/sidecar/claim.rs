//! One refresh token, one lock, by whatever name, path or store it is reached: files named by the token's fingerprint, one in
//! the folder of locks beside the file that is really there, which all links and mounts of it share, and one in the user's
//! runtime folder, which hard links, copies and other homes share. Both are taken, always in this order, under the lock of
//! the entry.
//!
//! Once a token is spent, its files say so, and where its successor is. They hold no secret.

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

/// How the names of tokens' files begin.
const PREFIX: &str = "t-";

/// No note is longer.
const LIMIT: u64 = 16 << 10;

/// How long it is believed that a token was spent: for longer than tokens live that nobody uses.
const BELIEVED: i64 = 2_592_000;

/// Where an older state was put back, those who know the newer one have so long to put theirs back. Then the old token is
/// tried: there is nothing else, and not every server minds.
const RESTORED: i64 = 60;

/// An entry in a store: in which it is, in words, the file that is really there, and the entry's name.
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
        // Others read it from another folder.
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

/// What the file of a token says that was spent.
#[derive(Debug, Serialize, Deserialize)]
struct SpentNote {
    /// What it bought.
    to: String,
    at: i64,
    spot: EntryAddress,
    /// Whether that was saved, as far as is known: until then it may never have come.
    #[serde(default)]
    is_saved: bool,
}

/// What an entry holds: nothing, or a login's tokens; `None` where it cannot be looked at.
pub(crate) type Seen = Option<Option<Fingerprint>>;

/// The claim that stands beside one entry's lock.
pub(crate) struct EntryClaim {
    spot: EntryAddress,
    held: Option<HeldClaim>,
}

struct HeldClaim {
    of: Fingerprint,
    here: locks::HeldLock,
    /// None where there is no private folder for it.
    there: Option<locks::HeldLock>,
}

impl EntryClaim {
    /// None yet. `store` says in words what kind of store it is.
    pub(crate) fn new(store: &str, beside: &SidecarFiles, key: &CacheKey) -> Self {
        Self { spot: EntryAddress::new(store, beside, key), held: None }
    }

    /// The token that is held.
    pub(crate) fn of(&self) -> Option<&Fingerprint> {
        self.held.as_ref().map(|held| &held.of)
    }

    /// Claims a token; `look` looks at an entry of any store that this one can read.
    pub(crate) fn claim(
        &mut self,
        beside: &SidecarFiles,
        of: &Fingerprint,
        patience: Duration,
        look: impl Fn(&EntryAddress) -> Seen,
    ) -> Result<Claim, StoreError> {
        let mut waited = false;
        if self.of() != Some(of) {
            // Never two at once: they would be taken in any order.
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
        // Spent under another name of the same file, and renewed in the same write.
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

    /// Notes that `next` is about to be saved, which the claimed token bought: whoever finds it there knows, even if this
    /// process ends before it can say that it was.
    pub(crate) fn saving(&mut self, next: &Fingerprint) {
        self.note(next, false);
    }

    /// Notes that `next` is saved.
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

    /// Not being able to say so is no reason to stop.
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
    /// The entry itself holds something newer.
    Replaced,
    Spent(String),
}

fn spent_for(spot: &EntryAddress) -> String {
    format!("it was spent for {spot}")
}

impl HeldClaim {
    /// What is known, the surer of two.
    fn note(&mut self) -> Option<SpentNote> {
        let here = read(self.here.notes());
        let there = self.there.as_mut().and_then(|there| read(there.notes()));
        surer(here, there)
    }
}

/// Of two notes the one that knows that what was bought is saved; else the first.
fn surer(here: Option<SpentNote>, there: Option<SpentNote>) -> Option<SpentNote> {
    let is_saved = |note: &Option<SpentNote>| note.as_ref().is_some_and(|note| note.is_saved);
    match is_saved(&here) < is_saved(&there) {
        true => there,
        false => here.or(there),
    }
}

/// Whether a token is known to have been sent for another one; with `is_saved`, that the other one was saved too.
pub(crate) fn is_spent(beside: &SidecarFiles, of: &Fingerprint, is_saved: bool) -> bool {
    notes(beside, of).any(|note| note.is_saved || !is_saved)
}

/// Whether a token is known to have been spent for one that `is_end`, or for one that was spent for such a one, and so on: an
/// older state of that login. Another login's token is spent for nothing of it.
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

/// What is known of a token, here and in the user's runtime folder.
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

/// Takes both locks, and whether one of them was not free at once; `None` means that somebody else has one.
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
        // The first unites all but copies and hard links.
        Ok(Err(_)) | Err(_) => None,
    };
    let waited = waited || there.as_ref().is_some_and(|(_, waited)| *waited);
    let there = there.map(|(there, _)| there);
    Ok(Some((HeldClaim { of: of.clone(), here, there }, waited)))
}

/// One lock, and whether it was not free at once.
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

/// A note that cannot be read is as good as none.
fn read(file: &mut File) -> Option<SpentNote> {
    let mut text = String::new();
    file.rewind().ok()?;
    fault::through(file).take(LIMIT).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write(file: &mut File, note: &SpentNote) -> std::io::Result<()> {
    let mut text = serde_json::to_string(note).map_err(std::io::Error::other)?;
    if text.len() as u64 > LIMIT {
        // A name that long is told apart by a hash as well.
        let key = Fingerprint::of_text(note.spot.key.as_str());
        let spot = EntryAddress { key: key.as_str().to_owned(), ..note.spot.clone() };
        text = serde_json::to_string(&SpentNote { spot, to: note.to.clone(), ..*note })
            .map_err(std::io::Error::other)?;
    }
    // Emptied first: half of this note and half of the last one could read as a third.
    fault::at(FileOperation::SetLen, || file.set_len(0))?;
    file.rewind()?;
    fault::through(file).write_all(text.as_bytes())
}

#[cfg(all(test, unix))]
#[path = "claim_tests.rs"]
mod tests;
