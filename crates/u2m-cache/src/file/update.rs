//! Changing one entry: under the writer's lock, from what the file holds at that moment.

use super::Inner;
use super::codec::Stored;
use super::document::{Document, Parsed, parse};
use crate::beside::disk;
use crate::beside::lock;
use crate::beside::room::{Reserve, SPARE, Temporary};
use crate::beside::sidecar::Sidecar;
use crate::error::{Shown, StoreError};
use crate::fault::{self, Op};
use crate::mode::StorageMode;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use u2m_core::{CacheKey, Session};
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
        let mut gone = Vec::new();
        for tries in 1.. {
            if self.attempt(key, session, reserve, &mut gone, tries == TRIES)? {
                break;
            }
        }
        if self.codec.has_sidecar() && !gone.is_empty() {
            // Last, because until now the logins were there. A record of tokens that are gone is about nothing; what is
            // known of a login that lives elsewhere by now stays known.
            let forget = |sidecar: &mut Sidecar| {
                gone.retain(|name| sidecar.home(name).is_none_or(is_here));
                gone.iter().fold(false, |is_news, name| sidecar.forget(name) | is_news)
            };
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
        gone: &mut Vec<String>,
        last: bool,
    ) -> Result<bool, StoreError> {
        let text = self.text_to_change()?;
        let parsed = parse(&text);
        self.check_form(&parsed)?;
        let document = &parsed.document;
        let raw = document.entry(key.as_str());
        if session.is_none() && raw.is_none() && parsed.broken.is_none() {
            return Ok(true);
        }
        if session.is_some() {
            self.codec.prove(&self.beside.path, document)?;
        }
        // An entry that cannot be read is replaced whole.
        let old = match session.is_some() || self.codec.has_sidecar() {
            true => self.read(document, key.as_str()).unwrap_or_default(),
            false => Stored::default(),
        };
        self.check_keeps_refresh_token(key, &old, session)?;
        let mirror = session.and_then(|session| self.mirrors.of(key, session));
        let mirror = mirror.as_ref().map(|(to, takes_over)| (to, *takes_over));
        let changes = self.changes(document, (key, &old), session, mirror, reserve)?;
        let removed = changes.iter().filter(|(_, text)| text.is_none());
        *gone = removed.map(|(name, _)| (*name).to_owned()).collect();
        let new =
            Zeroizing::new(document.with(&self.codec.head(document, session.is_some())?, &changes));
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
        (key, old): (&'d CacheKey, &Stored<'_>),
        session: Option<&Session>,
        mirror: Option<(&'d CacheKey, bool)>,
        reserve: &mut Reserve,
    ) -> Result<Vec<(&'d str, Option<String>)>, StoreError> {
        let has_sidecar = self.codec.has_sidecar();
        let known = if has_sidecar { self.beside.sidecar() } else { Sidecar::default() };
        let mut changes = vec![(key.as_str(), session)];
        let mut mirrored = None;
        match session {
            Some(session) => {
                let may = |to| self.may_mirror(document, &known, (key, old), session, to);
                mirrored = mirror.filter(|to| may(*to)).map(|(to, _)| to.as_str());
                // Copies for a host that the login has left are of no use; what others made of it is theirs.
                let (copies, renewed) = match is_elsewhere(&known, (key, old), session) {
                    true => (self.mirrors_of(document, &known, key, old), None),
                    false => (self.twins(document, key, old), Some(session)),
                };
                let copies = copies.into_iter().filter(|name| Some(*name) != mirrored);
                changes.extend(copies.map(|name| (name, renewed)));
                changes.extend(mirrored.map(|to| (to, Some(session))));
            }
            None => {
                let copies = self.mirrors_of(document, &known, key, old);
                changes.extend(copies.into_iter().map(|name| (name, None)));
            }
        }
        let (mut texts, mut records) = (Vec::new(), Vec::new());
        for (name, session) in changes {
            // Nothing is opened to be removed.
            let before = session.and_then(|_| self.read(document, name)).unwrap_or_default();
            let text = session.map(|session| self.codec.write(name, &before, session));
            texts.push((name, text.transpose()?));
            let before = before.session().map(|before| before.fingerprint());
            records.extend(session.map(|session| (name, session, before)));
        }
        if !has_sidecar || records.is_empty() {
            return Ok(texts);
        }
        let record = |sidecar: &mut Sidecar| {
            for (name, session, before) in records {
                sidecar.record(name, session, before);
            }
            mirrored.into_iter().for_each(|to| sidecar.mirror(to, key.as_str()));
            true
        };
        if let Err(error) = self.beside.change_sidecar_locked(reserve, record) {
            self.beside
                .notice(format!("whom the login '{key}' belongs to could not be noted: {error}"));
        }
        Ok(texts)
    }

    /// An entry, unless it is not there or cannot be read.
    pub(super) fn read<'a>(&self, document: &Document<'a>, key: &str) -> Option<Stored<'a>> {
        let raw = document.entry(key)?;
        self.codec.read(&self.beside.path, document, key, raw).ok()
    }

    /// Other entries that hold the refresh token which is being replaced: copies under the host's key that older programs
    /// made. It is spent for them too.
    pub(super) fn twins<'d>(
        &self,
        document: &'d Document<'_>,
        key: &CacheKey,
        old: &Stored<'_>,
    ) -> Vec<&'d str> {
        let Some(spent) = old.session().and_then(|old| old.refresh_token) else {
            return Vec::new();
        };
        let others = document.keys().into_iter().filter(|name| *name != key.as_str());
        let is_twin = |name: &&str| {
            let there = self.read(document, name).and_then(|there| there.session());
            there.and_then(|there| there.refresh_token).as_ref() == Some(&spent)
        };
        others.filter(is_twin).collect()
    }

    /// Sets aside room for the next update: the file as it is now, and one more entry; and shows that nothing else
    /// stands in its way.
    pub(super) fn reserve(&self) -> Result<Reserve, StoreError> {
        disk::create_folder(self.beside.folder())?;
        let _writer = self.beside.writer()?;
        self.sweep();
        let text = self.text_to_change()?;
        let parsed = parse(&text);
        self.check_form(&parsed)?;
        self.codec.prove(&self.beside.path, &parsed.document)?;
        let (path, side) = (disk::resolve(&self.beside.path)?, self.beside.sibling(".u2m.json"));
        disk::check_replaceable(&path)?;
        let room = |path: &Path, durable| {
            let len = disk::len(path)? + self.spare();
            Temporary::new(path, self.beside.prefix(), len, durable)
        };
        let side = self.codec.has_sidecar().then(|| room(&side, false)).transpose()?;
        Ok(Reserve { cache: Some(room(&path, true)?), side })
    }

    /// A sealed entry is larger than its login, and a copied one is there twice.
    fn spare(&self) -> u64 {
        let is_one = self.codec.has_sidecar() && self.mirrors.is_empty();
        if is_one { SPARE } else { SPARE * 2 }
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
        old: &Stored<'_>,
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

fn is_here(home: &str) -> bool {
    home == StorageMode::Plaintext.as_str()
}

/// Whether a login is for another host than the one that it replaces: copies of the old one are for the old host.
fn is_elsewhere(sidecar: &Sidecar, (key, old): (&CacheKey, &Stored<'_>), new: &Session) -> bool {
    let old = old.session().map(|old| sidecar.complete(key.as_str(), old));
    let old = old.and_then(|old| old.binding);
    matches!((&old, &new.binding), (Some(old), Some(new)) if old.host != new.host || old.account_id != new.account_id)
}
