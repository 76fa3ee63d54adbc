//! Changes one entry, under the writers' lock, based on what the file holds at that moment.

mod batch;

use super::FileStoreInner;
use super::codec::DecodedEntry;
use super::document::{CacheDocument, MemberChange, ParsedCache, parse};
use super::mirror::MirrorWish;
use super::over::ReplaceRule;
use super::reading::CacheRead;
use crate::error::{DisplayPath, StoreError};
use crate::fault::{self, FileOperation};
use crate::mode::StorageMode;
use crate::sidecar::lock;
use crate::sidecar::locks::HeldLock;
use crate::sidecar::record_file::Sidecar;
use crate::sidecar::temp_file::{TempFile, UpdateReserve};
use crate::sidecar::{Lasts, claim, disk, in_place};
use std::fs::{self, File};
use std::path::Path;
use u2m_core::{CacheKey, Fingerprint, Session};

/// A program without a lock may write between our read and our write. We retry this many times. After that, what it wrote is
/// lost, unless it is about the entries that are being changed.
pub(super) const TRIES: u32 = 10;

/// The side file, and the open file if a line can be appended to it.
type KnownEntries = Result<(Sidecar, Option<File>), StoreError>;

impl FileStoreInner {
    pub(super) fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        self.update(
            key,
            Some(session),
            ReplaceRule::Whatever,
            (&mut None, &mut UpdateReserve::default()),
        )
    }

    pub(super) fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.update(key, None, ReplaceRule::Whatever, (&mut None, &mut UpdateReserve::default()))
    }

    /// Restores the login over an old state. Returns whether an old state was there.
    pub(super) fn put_back(
        &self,
        key: &CacheKey,
        session: &Session,
        spent: &[Fingerprint],
    ) -> Result<bool, StoreError> {
        let over = ReplaceRule::Spent(spent);
        // Without a lock at first: usually there is nothing to do.
        let there = self.stored(key)?.map(|there| there.fingerprint());
        let is_old = there.is_some_and(|there| self.is_replaced(over, &there, session));
        if !is_old || claim::is_spent(&self.beside, &session.fingerprint(), true) {
            return Ok(false);
        }
        match self.update(key, Some(session), over, (&mut None, &mut UpdateReserve::default())) {
            Ok(()) => Ok(true),
            Err(StoreError::Superseded { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Replaces (`Some`) or removes (`None`) one entry. `lock` holds the writers' lock file if it is already open, and keeps
    /// it open afterwards. `reserve` is space that was reserved before.
    pub(super) fn update(
        &self,
        key: &CacheKey,
        session: Option<&Session>,
        over: ReplaceRule<'_>,
        (lock, reserve): (&mut Option<File>, &mut UpdateReserve),
    ) -> Result<(), StoreError> {
        self.check_there(over)?;
        disk::create_folder(self.beside.folder())?;
        let mut writer = self.beside.writer_on(lock.take())?;
        *lock = writer.keep();
        self.finish(&mut writer)?;
        self.sweep();
        let mut gone = Vec::new();
        for tries in 1.. {
            let last = tries >= TRIES;
            let means = (&mut writer, &mut *reserve);
            match self.attempt(key, (session, over), means, &mut gone, last) {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => {
                    reserve.settle();
                    return Err(error);
                }
            }
        }
        if gone.is_empty() {
            // The next writer sees what was put in place, and need not wait for the sync.
            drop(writer);
            reserve.settle();
            return Ok(());
        }
        reserve.settle();
        if self.codec.has_sidecar() {
            // Last, because until now the logins were there. A record of removed tokens is useless, but what is known about a
            // login that is in another store by now is kept.
            let forget = |sidecar: &mut Sidecar| {
                gone.retain(|name| sidecar.home(name).is_none_or(is_here));
                gone.iter().fold(false, |is_news, name| sidecar.forget(name) | is_news)
            };
            let _ = self.beside.change_sidecar_locked(reserve, Lasts::Whatever, forget);
        }
        Ok(())
    }

    /// Makes one attempt. Returns whether the change was made: not if someone else changed the file meanwhile or, in the
    /// `last` attempt, not if someone else changed one of the entries that are being changed.
    fn attempt(
        &self,
        key: &CacheKey,
        (session, over): (Option<&Session>, ReplaceRule<'_>),
        (writer, reserve): (&mut HeldLock, &mut UpdateReserve),
        gone: &mut Vec<String>,
        last: bool,
    ) -> Result<bool, StoreError> {
        let look = self.look_held(true)?;
        self.check_there(over)?;
        let parsed = parse(&look.text);
        self.check_form(&parsed)?;
        let document = &parsed.document;
        let raw = document.entry(key.as_str());
        if session.is_none() && raw.is_none() && parsed.broken.is_none() {
            return Ok(true);
        }
        if session.is_some() {
            self.codec.prove(&self.beside.path, document)?;
        }
        // An entry that cannot be read is replaced completely.
        let old = match session.is_some() || self.codec.has_sidecar() {
            true => self.read(document, key.as_str()).unwrap_or_default(),
            false => DecodedEntry::default(),
        };
        let is_theirs = session.is_some_and(|new| {
            let is_there = raw.is_some() || self.is_damaged(&look.text, &parsed);
            !self.may_replace(over, is_there, &old, new)
        });
        if is_theirs {
            let found = (&look, &parsed);
            return self.renew_copies(key, (session, over), found, (writer, reserve), last);
        }
        if let Some(new) = session {
            let old = old.session();
            lock::check_keeps_refresh_token(&self.beside, key, old.as_ref(), new)?;
        }
        let mirror = session.and_then(|session| self.mirrors.of_save(key, session, over));
        let mirror = mirror.as_ref().map(|(to, wish)| (to, *wish));
        let changes = self.changes(document, (key, &old), (session, over), mirror, reserve)?;
        let removed = changes.iter().filter(|(_, text)| text.is_none());
        *gone = removed.map(|(name, _)| (*name).to_owned()).collect();
        let head = self.codec.head(document, session.is_some())?;
        self.write(&changes, &head, (&look, &parsed), (writer, reserve), (over, last))
    }

    /// After someone else's login took the entry, stores this login in the copies that still hold its used token: under
    /// another name it is still in use.
    fn renew_copies(
        &self,
        key: &CacheKey,
        (session, over): (Option<&Session>, ReplaceRule<'_>),
        (look, parsed): (&CacheRead, &ParsedCache<'_>),
        (writer, reserve): (&mut HeldLock, &mut UpdateReserve),
        last: bool,
    ) -> Result<bool, StoreError> {
        let superseded = || StoreError::Superseded { key: key.clone() };
        let (Some(session), ReplaceRule::Claimed(claimed)) = (session, over) else {
            return Err(superseded());
        };
        let document = &parsed.document;
        let copies = self.twins(document, key, |there| there == claimed);
        let copies: Vec<_> = copies.into_iter().map(|name| (name, Some(session))).collect();
        if copies.is_empty() {
            return Err(superseded());
        }
        let known = self.known();
        let changes = self.texts(document, (key, over), copies, (known, None), reserve)?;
        let head = self.codec.head(document, true)?;
        match self.write(&changes, &head, (look, parsed), (writer, reserve), (over, last))? {
            true => Err(superseded()),
            false => Ok(false),
        }
    }

    /// Writes the file with `changes` made. Returns whether it did.
    fn write(
        &self,
        changes: &[MemberChange<'_>],
        head: &[(&str, String)],
        (look, parsed): (&CacheRead, &ParsedCache<'_>),
        (writer, reserve): (&mut HeldLock, &mut UpdateReserve),
        (over, last): (ReplaceRule<'_>, bool),
    ) -> Result<bool, StoreError> {
        let new = parsed.document.with(head, changes);
        // An existing login may grow, and the result of a refresh is always saved. An additional login needs more space.
        let is_added = changes.iter().any(|(name, _)| parsed.document.entry(name).is_none());
        let is_roomy = matches!(over, ReplaceRule::Whatever) && is_added;
        if new.len() > look.text.len() {
            let limit = if is_roomy { disk::ROOMY } else { disk::READABLE };
            disk::check_len(&self.beside.path, new.len() as u64, limit)?;
        }
        disk::check_len(&self.beside.path, new.len() as u64, disk::READABLE)?;
        let path = disk::resolve(&self.beside.path)?;
        let mut temporary = reserve.cache(&path, self.beside.prefix())?;
        let names: Vec<&str> = changes.iter().map(|(name, _)| *name).collect();
        let is_same = |now: &str| {
            let entries = parse(now).document;
            let is_same = |name: &&str| entries.entry(name) == parsed.document.entry(name);
            matches!(over, ReplaceRule::Whatever) || names.iter().all(is_same)
        };
        let is_meant = || Ok(self.is_still(look)? || last && is_same(&self.look_held(true)?.text));
        let is_put = temporary.fill(&new, true).and_then(|()| {
            if let (Err(error), Some(name)) = (reserve.settle_line(), names.first()) {
                self.beside.say_unrecorded(name, &error);
            }
            self.put(&mut temporary, (&new, changes), (&path, parsed), writer, is_meant)
        });
        if matches!(is_put, Ok(true)) {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            reserve.put = Some(folder.unwrap_or(Path::new(".")).to_owned());
        } else {
            // For the next attempt: the disk may be full by then.
            reserve.cache = Some(temporary);
        }
        is_put
    }

    /// Puts the new text, which is synced, in place if the old one is what it `is_meant` to replace. Returns whether it did.
    fn put(
        &self,
        temporary: &mut TempFile,
        (new, changes): (&str, &[MemberChange<'_>]),
        (path, parsed): (&Path, &ParsedCache<'_>),
        writer: &mut HeldLock,
        is_meant: impl FnOnce() -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        let committed = self.commit(writer, &temporary.path, &parsed.document, changes);
        if !is_meant()? {
            return Ok(false);
        }
        self.replace(path, parsed, || match temporary.put(path, false) {
            Err(error) if in_place::is_needed(&error) => {
                self.write_over(path, temporary, new, committed)
            }
            Ok(()) => {
                // It names a file that no longer exists, so nobody has anything left to do.
                committed.leave();
                temporary.leave();
                Ok(())
            }
            put => put,
        })
        .map(|()| true)
    }

    /// Replaces the cache by calling `put`. A damaged cache is kept under another name.
    pub(super) fn replace(
        &self,
        path: &Path,
        parsed: &ParsedCache<'_>,
        put: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let aside = match parsed.broken {
            Some(_) => Some(self.set_aside(path)?),
            None => None,
        };
        if let Err(error) = put() {
            // The damaged file is still in its place.
            if let Some(aside) = aside {
                let _ = fault::at(FileOperation::Remove, || fs::remove_file(aside));
            }
            return Err(error);
        }
        if let Some(aside) = aside {
            self.beside.notice(format!(
                "{} was damaged; it is kept as {}, and {} of its logins could be read and were kept",
                DisplayPath::from(path),
                DisplayPath::from(aside.as_path()),
                parsed.document.keys().len()
            ));
        }
        Ok(())
    }

    /// Returns the changes of all affected entries. The side file is written first.
    fn changes<'d>(
        &self,
        document: &'d CacheDocument<'_>,
        (key, old): (&'d CacheKey, &DecodedEntry<'_>),
        (session, over): (Option<&Session>, ReplaceRule<'_>),
        mirror: Option<(&'d CacheKey, MirrorWish)>,
        reserve: &mut UpdateReserve,
    ) -> Result<Vec<MemberChange<'d>>, StoreError> {
        let (read, none) = (self.known(), Sidecar::default());
        let known = read.as_ref().map_or(&none, |(sidecar, _)| sidecar);
        let mut changes = vec![(key.as_str(), session)];
        let mut mirrored = None;
        match session {
            Some(session) => {
                let may = |to: (&CacheKey, MirrorWish)| {
                    self.may_mirror(document, known, (key, old), session, to)
                        && self.may_renew_copy(document, known, key, (session, over), to)
                };
                mirrored = mirror.filter(|to| may(*to)).map(|(to, _)| to.as_str());
                // Copies for a host that the login no longer uses are removed; what others have changed there is theirs.
                let (copies, renewed) = match is_elsewhere(known, (key, old), session) {
                    true => (self.mirrors_of(document, known, key, old), None),
                    false => (self.twins_of(document, (key, old), over), Some(session)),
                };
                // A copy that is no longer wanted is removed together with the tokens that it holds.
                let unwished = match self.mirrors.is_never(key) {
                    true => self.mirrors_of(document, known, key, old),
                    false => Vec::new(),
                };
                let copies = copies.into_iter().filter(|name| Some(*name) != mirrored);
                let copies = copies.filter(|name| !unwished.contains(name));
                changes.extend(copies.map(|name| (name, renewed)));
                changes.extend(unwished.iter().map(|name| (*name, None)));
                changes.extend(mirrored.map(|to| (to, Some(session))));
            }
            None => {
                let copies = self.mirrors_of(document, known, key, old);
                changes.extend(copies.into_iter().map(|name| (name, None)));
            }
        }
        self.texts(document, (key, over), changes, (read, mirrored), reserve)
    }

    /// Reads the side file in order to change it.
    fn known(&self) -> KnownEntries {
        match self.codec.has_sidecar() {
            true => self.beside.sidecar_to_add(),
            false => Ok((Sidecar::default(), None)),
        }
    }

    /// Returns the texts of the entries that are replaced or removed. The record of the logins, `known`, is written first.
    /// `mirrored` is a copy of `key` under its host's key.
    fn texts<'d>(
        &self,
        document: &'d CacheDocument<'_>,
        (key, over): (&CacheKey, ReplaceRule<'_>),
        changes: Vec<(&'d str, Option<&Session>)>,
        (known, mirrored): (KnownEntries, Option<&str>),
        reserve: &mut UpdateReserve,
    ) -> Result<Vec<MemberChange<'d>>, StoreError> {
        let (mut texts, mut records) = (Vec::new(), Vec::new());
        for (name, session) in changes {
            // Removing an entry does not need to decrypt it.
            let before = session.and_then(|_| self.read(document, name)).unwrap_or_default();
            let text = session.map(|session| self.codec.write(name, &before, session));
            texts.push((name, text.transpose()?));
            let before = before.session().map(|before| before.fingerprint());
            records.extend(session.map(|session| (name, session, before)));
        }
        if !self.codec.has_sidecar() || records.is_empty() {
            return Ok(texts);
        }
        let recorded = known.and_then(|(mut sidecar, file)| {
            let mut is_news = mirrored.is_some_and(|to| sidecar.mirror(to, key.as_str()));
            for (name, session, before) in &records {
                is_news |= sidecar.record(name, session, before.clone());
            }
            if !is_news && file.is_some() {
                return Ok(());
            }
            let names: Vec<&str> = records.iter().map(|(name, ..)| *name).collect();
            let lasts = records.iter().map(|(_, session, _)| Lasts::of(session)).max();
            let news = (names.as_slice(), lasts.unwrap_or(Lasts::Whatever));
            self.beside.add_to_sidecar((&sidecar, file), news, reserve)
        });
        if let Err(error) = recorded
            && let Some((_, session, _)) = records.first()
        {
            self.beside.unrecorded(key, session, matches!(over, ReplaceRule::Whatever), error)?;
        }
        Ok(texts)
    }

    /// Returns an entry, unless it is absent or cannot be read.
    pub(super) fn read<'a>(
        &self,
        document: &CacheDocument<'a>,
        key: &str,
    ) -> Option<DecodedEntry<'a>> {
        let raw = document.entry(key)?;
        self.codec.read(&self.beside.path, document, key, raw).ok()
    }
}

fn is_here(home: &str) -> bool {
    home == StorageMode::Plaintext.as_str()
}

/// Returns whether a login is for another host than the one that it replaces: copies of the old one are for the old host.
fn is_elsewhere(
    sidecar: &Sidecar,
    (key, old): (&CacheKey, &DecodedEntry<'_>),
    new: &Session,
) -> bool {
    let old = old.session().map(|old| sidecar.complete(key.as_str(), old));
    let old = old.and_then(|old| old.binding);
    matches!((&old, &new.binding), (Some(old), Some(new)) if old.host != new.host || old.account_id != new.account_id)
}
