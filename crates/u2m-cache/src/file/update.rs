//! Changing one entry: under the writer's lock, from what the file holds at that moment.

use super::Inner;
use super::codec::Stored;
use super::document::{Document, parse};
use crate::beside::disk;
use crate::beside::lock;
use crate::beside::room::{self, Reserve, SPARE, Temporary};
use crate::beside::sidecar::Sidecar;
use crate::error::{Shown, StoreError};
use crate::mode::StorageMode;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;
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
        let new =
            Zeroizing::new(document.with(&self.codec.head(document, session.is_some())?, &changes));
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
        (key, old): (&'d CacheKey, &Stored<'_>),
        session: Option<&Session>,
        mirror: Option<(&'d CacheKey, bool)>,
        reserve: &mut Reserve,
    ) -> Result<Vec<(&'d str, Option<String>)>, StoreError> {
        let mut sidecar = match self.codec.has_sidecar() {
            true => self.beside.sidecar(),
            false => Sidecar::default(),
        };
        let mut changes = vec![(key.as_str(), session)];
        match session {
            Some(session) => {
                let may = |to| self.may_mirror(document, &sidecar, (key, old), session, to);
                let mirror = mirror.filter(|to| may(*to)).map(|(to, _)| to.as_str());
                // Copies for a host that the login has left are of no use; what others made of it is theirs.
                let (copies, renewed) = match is_elsewhere(&sidecar, (key, old), session) {
                    true => (self.mirrors_of(document, &sidecar, key, old), None),
                    false => (self.twins(document, key, old), Some(session)),
                };
                let copies = copies.into_iter().filter(|name| Some(*name) != mirror);
                changes.extend(copies.map(|name| (name, renewed)));
                if let Some(to) = mirror {
                    changes.push((to, Some(session)));
                    sidecar.mirror(to, key.as_str());
                }
            }
            None => {
                let copies = self.mirrors_of(document, &sidecar, key, old);
                changes.extend(copies.into_iter().map(|name| (name, None)));
            }
        }
        let mut texts = Vec::new();
        let mut is_known = false;
        for (name, session) in changes {
            // Nothing is opened to be removed.
            let before = session.and_then(|_| self.read(document, name)).unwrap_or_default();
            let text = session.map(|session| self.codec.write(name, &before, session));
            texts.push((name, text.transpose()?));
            is_known |= match session {
                Some(session) => {
                    let before = before.session().map(|before| before.fingerprint());
                    sidecar.record(name, session, before);
                    true
                }
                // What is known of a login that lives elsewhere by now stays known.
                None => sidecar.home(name).is_none_or(is_here) && sidecar.forget(name),
            };
        }
        if self.codec.has_sidecar()
            && is_known
            && let Err(error) = self.beside.write_sidecar(&sidecar, reserve)
        {
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
            let len = fs::metadata(path).map_or(0, |meta| meta.len());
            Temporary::new(path, self.beside.prefix(), len + self.spare(), durable)
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
    match fs::hard_link(path, aside) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            let mut copy = disk::create_private(aside)?;
            io::copy(&mut File::open(path)?, &mut copy).and_then(|_| copy.sync_all())
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
