//! Changing one entry: under the writer's lock, from what the file holds at that moment.

use super::Inner;
use super::document::{Document, parse};
use crate::beside::disk;
use crate::beside::lock;
use crate::beside::room::{self, Reserve, SPARE, Temporary};
use crate::entry::Entry;
use crate::error::{Shown, StoreError};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use u2m_core::{CacheKey, Session, Timestamp};
use zeroize::Zeroizing;

/// A program that writes without a lock may come between reading and writing; so often is it given way to.
const TRIES: u32 = 5;

impl Inner {
    /// Replaces (`Some`) or removes (`None`) one entry. `reserve` is room set aside before.
    pub(super) fn update(
        &self,
        key: &CacheKey,
        session: Option<&Session>,
        mut reserve: Reserve,
    ) -> Result<(), StoreError> {
        disk::create_folder(self.beside.folder())?;
        let _writer = self.beside.writer()?;
        self.sweep();
        for tries in 1.. {
            if self.attempt(key, session, &mut reserve, tries == TRIES)? {
                break;
            }
        }
        Ok(())
    }

    /// Whether the change was made; not if the file was changed by somebody else meanwhile, unless this is the `last`
    /// attempt.
    fn attempt(
        &self,
        key: &CacheKey,
        session: Option<&Session>,
        reserve: &mut Reserve,
        last: bool,
    ) -> Result<bool, StoreError> {
        let text = self.text_to_change()?;
        let parsed = parse(&text);
        self.check_version(&parsed)?;
        let document = &parsed.document;
        let raw = document.entry(key.as_str());
        if session.is_none() && raw.is_none() && parsed.broken.is_none() {
            return Ok(true);
        }
        // An entry that cannot be read is replaced whole.
        let old = raw.and_then(|raw| Entry::parse(raw).ok()).unwrap_or_default();
        self.check_keeps_refresh_token(key, &old, session)?;
        let changes = self.changes(document, key, &old, session, reserve);
        let new = Zeroizing::new(document.with(&changes));
        let path = disk::resolve(&self.beside.path)?;
        let mut temporary = reserve.cache(&path, self.beside.prefix())?;
        temporary.fill(&new, true)?;
        if !last && *self.text_to_change()? != *text {
            reserve.cache = Some(temporary);
            return Ok(false);
        }
        if parsed.broken.is_some() {
            self.set_aside(&path, document)?;
        }
        disk::put(&temporary.path, &path, true)?;
        Ok(true)
    }

    /// What becomes of which entries; the side file is written first.
    fn changes<'d>(
        &self,
        document: &'d Document<'_>,
        key: &'d CacheKey,
        old: &Entry<'_>,
        session: Option<&Session>,
        reserve: &mut Reserve,
    ) -> Vec<(&'d str, Option<String>)> {
        let mut sidecar = self.beside.sidecar();
        let mut changes = vec![(key.as_str(), session.map(|session| written(old, session)))];
        let is_changed = match session {
            Some(session) => {
                let before = old.session().map(|old| old.fingerprint());
                sidecar.record(key.as_str(), session, before.clone());
                for (twin, entry) in twins(document, key, old) {
                    sidecar.record(twin, session, before.clone());
                    changes.push((twin, Some(written(&entry, session))));
                }
                true
            }
            None => sidecar.forget(key.as_str()),
        };
        if is_changed && let Err(error) = self.beside.write_sidecar(&sidecar, reserve) {
            self.beside
                .notice(format!("whom the login '{key}' belongs to could not be noted: {error}"));
        }
        changes
    }

    /// Sets aside room for the next update: the file as it is now, and one more entry; and shows that nothing else
    /// stands in its way.
    pub(super) fn reserve(&self) -> Result<Reserve, StoreError> {
        disk::create_folder(self.beside.folder())?;
        let _writer = self.beside.writer()?;
        self.sweep();
        let text = self.text_to_change()?;
        self.check_version(&parse(&text))?;
        let (path, side) = (disk::resolve(&self.beside.path)?, self.beside.sibling(".u2m.json"));
        disk::check_replaceable(&path)?;
        let len = |path| fs::metadata(path).map_or(0, |meta| meta.len());
        Ok(Reserve {
            cache: Some(Temporary::new(&path, self.beside.prefix(), len(&path) + SPARE, true)?),
            side: Some(Temporary::new(&side, self.beside.prefix(), len(&side) + SPARE, false)?),
        })
    }

    /// The cache's text. What is too large to be one holds no entry to keep, and is set aside like any other damage.
    fn text_to_change(&self) -> Result<Zeroizing<String>, StoreError> {
        match self.text() {
            Ok(text) => Ok(Zeroizing::new(text)),
            Err(StoreError::TooLarge { .. }) => Ok(Zeroizing::new("\u{0}".to_owned())),
            Err(error) => Err(error),
        }
    }

    /// Removes what killed writers left, beside the cache and beside the file that it may be a link to. The writer's lock
    /// is held.
    fn sweep(&self) {
        let target = disk::resolve(&self.beside.path).unwrap_or_else(|_| self.beside.path.clone());
        let there = target.parent().unwrap_or(Path::new("."));
        room::sweep(self.beside.folder(), &self.beside.prefix());
        if there != self.beside.folder() {
            room::sweep(there, &self.beside.prefix());
        }
    }

    /// Moves a damaged cache out of the way, under a name that says when, and says so.
    fn set_aside(&self, path: &Path, rest: &Document<'_>) -> Result<(), StoreError> {
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
        let aside = aside.map_err(|error| StoreError::io("set aside", path, error))?;
        self.beside.notice(format!(
            "{} was damaged; it is kept as {}, and {} of its logins could be read and were kept",
            Shown::from(path),
            Shown::from(aside.as_path()),
            rest.keys().len()
        ));
        Ok(())
    }

    fn check_keeps_refresh_token(
        &self,
        key: &CacheKey,
        old: &Entry<'_>,
        new: Option<&Session>,
    ) -> Result<(), StoreError> {
        let Some(old) = old.session().filter(|old| old.refresh_token.is_some()) else {
            return Ok(());
        };
        let loses = new.is_some_and(|new| new.refresh_token.is_none());
        let is_dead = || {
            lock::remembered(&self.beside, key).is_some_and(|verdict| verdict.is_final_for(&old))
        };
        if loses && !is_dead() {
            Err(StoreError::WouldLoseRefreshToken { key: key.clone() })
        } else {
            Ok(())
        }
    }
}

/// Gives a file a second name rather than moving it: until the new one is in place, readers see the old one.
fn keep_as(path: &Path, aside: &Path) -> io::Result<()> {
    match fs::hard_link(path, aside) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            let mut copy = disk::create_private(aside)?;
            io::copy(&mut File::open(path)?, &mut copy).and_then(|_| copy.sync_all())
        }
        other => other,
    }
}

/// Other entries that hold the refresh token which is being replaced: copies under the host's key that older programs
/// made. It is spent for them too.
pub(super) fn twins<'d>(
    document: &'d Document<'_>,
    key: &CacheKey,
    old: &Entry<'_>,
) -> Vec<(&'d str, Entry<'d>)> {
    let Some(spent) = old.session().and_then(|old| old.refresh_token) else { return Vec::new() };
    let others = document.keys().into_iter().filter(|name| *name != key.as_str());
    let read = others.filter_map(|name| Some((name, Entry::parse(document.entry(name)?).ok()?)));
    read.filter(|(_, entry)| {
        entry.session().and_then(|twin| twin.refresh_token).as_ref() == Some(&spent)
    })
    .collect()
}

fn written(old: &Entry<'_>, session: &Session) -> String {
    let at = session.known_expiry().unwrap_or(Timestamp::from_unix(0));
    old.write(session, crate::zone::offset_at(at))
}
