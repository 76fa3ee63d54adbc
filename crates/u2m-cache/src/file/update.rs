//! Changing one entry: under the writer's lock, from what the file holds at that moment.

use super::Inner;
use super::document::{Document, Parsed, parse};
use crate::beside::disk;
use crate::beside::lock;
use crate::beside::room::{Reserve, SPARE, Temporary};
use crate::beside::sidecar::Sidecar;
use crate::entry::Entry;
use crate::error::{Shown, StoreError};
use crate::fault::{self, Op};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
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
        reserve: &mut Reserve,
    ) -> Result<(), StoreError> {
        disk::create_folder(self.beside.folder())?;
        let _writer = self.beside.writer()?;
        self.sweep();
        for tries in 1.. {
            if self.attempt(key, session, reserve, tries == TRIES)? {
                break;
            }
        }
        if session.is_none() {
            // Last, because until now the login was there. A record of tokens that are gone is about nothing.
            let forget = |sidecar: &mut Sidecar| sidecar.forget(key.as_str());
            let _ = self.beside.change_sidecar_locked(reserve, forget);
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
        let is_put = self.put(&mut temporary, &new, &path, &text, &parsed, last);
        if !matches!(is_put, Ok(true)) {
            // For the next attempt: the disk may be full by then.
            reserve.cache = Some(temporary);
        }
        is_put
    }

    /// Puts the new text in place, if the old one is still there, or this is the `last` attempt; whether it did.
    fn put(
        &self,
        temporary: &mut Temporary,
        new: &str,
        path: &Path,
        text: &str,
        parsed: &Parsed<'_>,
        last: bool,
    ) -> Result<bool, StoreError> {
        temporary.fill(new, true)?;
        if !last && *self.text_to_change()? != *text {
            return Ok(false);
        }
        let aside = match parsed.broken {
            Some(_) => Some(self.set_aside(path)?),
            None => None,
        };
        if let Err(error) = temporary.put(path, true) {
            // The damaged file is still where it was.
            if let Some(aside) = aside {
                let _ = fault::at(Op::Remove, || fs::remove_file(aside));
            }
            return Err(error);
        }
        if let Some(aside) = aside {
            self.beside.notice(format!(
                "{} was damaged; it is kept as {}, and {} of its logins could be read and were kept",
                Shown::from(path),
                Shown::from(aside.as_path()),
                parsed.document.keys().len()
            ));
        }
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
        let Some(session) = session else { return vec![(key.as_str(), None)] };
        let mut changes = vec![(key.as_str(), Some(written(old, session)))];
        let before = old.session().map(|old| old.fingerprint());
        for (twin, entry) in twins(document, key, old) {
            changes.push((twin, Some(written(&entry, session))));
        }
        let record = |sidecar: &mut Sidecar| {
            for (name, _) in &changes {
                sidecar.record(name, session, before.clone());
            }
            true
        };
        if let Err(error) = self.beside.change_sidecar_locked(reserve, record) {
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
        let (len, side_len) = (disk::len(&path)? + SPARE, disk::len(&side)? + SPARE);
        Ok(Reserve {
            cache: Some(Temporary::new(&path, self.beside.prefix(), len, true)?),
            side: Some(Temporary::new(&side, self.beside.prefix(), side_len, false)?),
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

    /// Keeps a damaged cache under a name that says when; that name.
    fn set_aside(&self, path: &Path) -> Result<PathBuf, StoreError> {
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
    match fault::at(Op::Link, || fs::hard_link(path, aside)) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            let mut copy = disk::create_private(aside)?;
            let copied = fault::at(Op::Open, || File::open(path)).and_then(|mut whole| {
                io::copy(&mut fault::through(&mut whole), &mut fault::through(&mut copy))?;
                fault::at(Op::Sync, || copy.sync_all())
            });
            // Half of it helps nobody, and may hold tokens.
            copied.inspect_err(|_| drop(fault::at(Op::Remove, || fs::remove_file(aside))))
        }
        other => other,
    }
}

/// Other entries that hold the refresh token which is being replaced: copies under the host's key that older programs
/// made. It is spent for them too.
fn twins<'d>(
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
