//! Reads the cache without a lock, although other programs may write it at any time and in any way.

use super::FileStoreInner;
use super::codec::EntryCodec;
use super::document::{self, parse};
use crate::error::{DisplayPath, StoreError};
use crate::mode::StorageMode;
use crate::sidecar::claim::{EntryAddress, Seen};
use crate::sidecar::disk::{self, FileExposure};
use crate::sidecar::in_place;
use crate::sidecar::record_file::Sidecar;
use std::fs::{self, File};
use std::time::{Duration, SystemTime};
use u2m_core::{CacheKey, HostPin, PinnedBy, SecretText, Session, UnverifiedClaims, host_of_key};
use zeroize::Zeroizing;

/// How long a program that writes in place may take between emptying the file and writing its last byte, or between removing
/// the file and writing a new one.
const HALF_WRITTEN: Duration = Duration::from_secs(1);

/// The pause between two reads of a file that is being written.
const LOOK: Duration = Duration::from_millis(10);

/// The maximum number of reads, even if the file is still being written.
const LOOKS: u32 = 300;

/// The cache's text, as a writer read it.
pub(super) struct CacheRead {
    pub(super) text: Zeroizing<String>,
    /// The file that it was read from, to compare later. `None` if there is none, or if it is larger than is ever read.
    file: Option<File>,
}

impl FileStoreInner {
    /// Reads the cache for a holder of the writers' lock. If it is too large, only as much as is ever read is returned, and
    /// the text counts as damaged at its end. `waits` is as in [`FileStoreInner::text_as_it_is`].
    pub(super) fn look_held(&self, waits: bool) -> Result<CacheRead, StoreError> {
        match self.look_as_it_is(waits) {
            Err(StoreError::TooLarge { .. }) => {
                let bytes = disk::beginning(&self.beside.path)?;
                let mut text = SecretText::from_utf8_lossy(&bytes);
                text.push('\u{0}');
                Ok(CacheRead { text: text.finish(), file: None })
            }
            other => other,
        }
    }

    /// Returns whether the cache is unchanged: the same file with the same bytes.
    pub(super) fn is_still(&self, look: &CacheRead) -> Result<bool, StoreError> {
        if let Some(file) = look.file.as_ref() {
            let path = disk::resolve(&self.beside.path)?;
            let is_there = disk::is_still(&path, file)?;
            // Read from the beginning of the open file, without resolving the path again.
            if is_there && disk::holds(file, look.text.as_bytes()) {
                return Ok(true);
            }
        }
        self.look_held(true).map(|now| *now.text == *look.text)
    }

    /// Returns the cache's text; an absent cache is empty. A cache that one of our writers left half written, because it is a
    /// mount point, is waited for or repaired, so a holder of the writers' lock must not call this.
    pub(super) fn text(&self) -> Result<String, StoreError> {
        let text = self.text_as_it_is(false)?;
        if !in_place::is_half(&text) {
            return Ok(text);
        }
        drop(Zeroizing::new(text));
        match self.mended() {
            Some(text) => Ok(text),
            // Its writer may be in a container that mounts the same file but uses other lock files.
            None => self.text_as_it_is(true),
        }
    }

    /// Like `text`, but returns a half-written text too. One written by us is read again only if `waits` is set. Some
    /// programs write in place and empty the file first, so a recently written incomplete file is read again, and so is a
    /// recently removed one.
    fn text_as_it_is(&self, waits: bool) -> Result<String, StoreError> {
        self.look_as_it_is(waits).map(|mut look| std::mem::take(&mut *look.text))
    }

    fn look_as_it_is(&self, waits: bool) -> Result<CacheRead, StoreError> {
        let mut looks = 0;
        loop {
            let (look, written) = self.look_now()?;
            let text = &look.text;
            let age = written.and_then(|written| written.elapsed().ok());
            let is_half_written = age.is_some_and(|age| age < HALF_WRITTEN)
                && (waits || !in_place::is_half(text))
                && (text.trim_ascii().is_empty() || parse(text).broken.is_some());
            if !is_half_written || looks == LOOKS {
                return Ok(look);
            }
            looks += 1;
            drop(look);
            std::thread::sleep(LOOK);
        }
    }

    /// Returns the text as it is, and when it was written.
    fn look_now(&self) -> Result<(CacheRead, Option<SystemTime>), StoreError> {
        disk::check_folder(self.beside.folder())?;
        let Some((found, file)) = disk::read_open(&self.beside.path)? else {
            return Ok((CacheRead { text: Zeroizing::default(), file: None }, self.removed()));
        };
        let path = DisplayPath::from(self.beside.path.as_path());
        match found.privacy {
            FileExposure::Private => {}
            FileExposure::Tightened => self.beside.notice(format!(
                "{path} could be read by other users; it is now private. If others may have seen it, log in again"
            )),
            FileExposure::Loose => self.beside.notice(format!(
                "{path} can be read by other users, and that cannot be changed; keep it somewhere else, and log in again"
            )),
        }
        // Bytes that are not UTF-8 invalidate the string that contains them, as in Go's reader, but no other entry.
        let text = String::from_utf8(found.bytes).unwrap_or_else(|error| {
            let bytes = Zeroizing::new(error.into_bytes());
            std::mem::take(&mut *SecretText::from_utf8_lossy(&bytes).finish())
        });
        Ok((CacheRead { text: Zeroizing::new(text), file: Some(file) }, found.written))
    }

    /// Returns when a missing file may have been removed: if it held logins and its folder has changed since.
    fn removed(&self) -> Option<SystemTime> {
        let held_logins = self.codec.has_sidecar()
            && self.beside.sidecar().is_home_of_any(StorageMode::Plaintext.as_str());
        let folder = held_logins.then(|| fs::metadata(self.beside.folder()))?;
        folder.and_then(|folder| folder.modified()).ok()
    }

    pub(super) fn corrupt(&self, why: String) -> StoreError {
        StoreError::Corrupt { path: self.beside.path.as_path().into(), why }
    }

    /// Parses the whole cache and checks that it has version 1 and the right format and is not damaged.
    pub(super) fn sound<'a>(
        &self,
        text: &'a str,
    ) -> Result<document::CacheDocument<'a>, StoreError> {
        let parsed = parse(text);
        self.check_form(&parsed)?;
        match parsed.broken {
            Some(why) => Err(self.corrupt(why)),
            None => Ok(parsed.document),
        }
    }

    /// Refuses what another version or another kind of store wrote.
    pub(super) fn check_form(&self, parsed: &document::ParsedCache<'_>) -> Result<(), StoreError> {
        self.check_version(parsed)?;
        self.codec.check_form(&self.beside.path, parsed)
    }

    /// A file written by a later version may look damaged, but is not.
    pub(super) fn check_version(
        &self,
        parsed: &document::ParsedCache<'_>,
    ) -> Result<(), StoreError> {
        let version = parsed.document.version.as_deref();
        let is_number = version.is_some_and(|version| version.parse::<u64>().is_ok());
        match version {
            Some("1") => Ok(()),
            _ if parsed.broken.is_some() && !is_number => Ok(()),
            other => Err(StoreError::Version {
                path: self.beside.path.as_path().into(),
                version: u2m_core::Sanitized::new(other.unwrap_or("0")).to_string(),
            }),
        }
    }

    pub(super) fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        Ok(match (self.stored(key)?, self.codec.has_sidecar()) {
            (Some(session), true) => Some(self.complete(key, session)),
            (session, _) => session,
        })
    }

    /// Adds what is known about an entry apart from its tokens. If nothing is known, its tokens may also be stored under the
    /// name of a host, as other programs store them twice.
    pub(super) fn complete(&self, key: &CacheKey, session: Session) -> Session {
        self.complete_by(&self.beside.sidecar(), key, session)
    }

    /// Like `complete`, with a side file that was read after the tokens.
    pub(super) fn complete_by(
        &self,
        sidecar: &Sidecar,
        key: &CacheKey,
        session: Session,
    ) -> Session {
        let session = sidecar.complete(key.as_str(), session);
        let names_issuer = |session: &Session| {
            UnverifiedClaims::read(session.access_token.expose()).is_some_and(|it| it.iss.is_some())
        };
        let is_told = session.binding.is_some() || !session.ties.is_empty();
        if is_told || host_of_key(key).is_some() || names_issuer(&session) {
            return session;
        }
        let text = disk::read(&self.beside.path).ok().flatten();
        let text = text.and_then(disk::ReadFindings::text).unwrap_or_default();
        let document = parse(&text).document;
        let is_twin = |name: &&str| {
            let there = self.read(&document, name).and_then(|there| there.session());
            there.is_some_and(|there| there.fingerprint() == session.fingerprint())
        };
        let named = document.keys().into_iter().filter(|name| name.starts_with("http"));
        let host = named.filter(is_twin).find_map(|name| host_of_key(&CacheKey::new(name)));
        host.into_iter()
            .map(|host| HostPin::new(host, PinnedBy::HostKey))
            .fold(session.clone(), Session::with_tie)
    }

    /// Reads an entry by itself.
    pub(super) fn stored(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        let text = Zeroizing::new(self.text()?);
        let document = self.sound(&text)?;
        let Some(raw) = document.entry(key.as_str()) else { return Ok(None) };
        Ok(self.codec.read(&self.beside.path, &document, key.as_str(), raw)?.session())
    }

    pub(super) fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        let text = Zeroizing::new(self.text()?);
        let document = self.sound(&text)?;
        Ok(document.keys().into_iter().map(CacheKey::new).collect())
    }

    /// Returns what an entry holds, in this file or in another one that programs share.
    pub(super) fn look(&self, spot: &EntryAddress) -> Seen {
        let seen = |store: &Self| {
            let found = store.stored(&spot.key()).ok()?;
            Some(found.map(|session| session.fingerprint()))
        };
        let is_here = *spot == EntryAddress::new(self.codec.words(), &self.beside, &spot.key());
        match spot.store == EntryCodec::Plain.words() {
            _ if is_here => seen(self),
            true => seen(&Self::new(spot.path.clone(), EntryCodec::Plain)),
            false => None,
        }
    }
}
