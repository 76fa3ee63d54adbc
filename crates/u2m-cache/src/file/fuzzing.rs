//! Entry points for the fuzz targets of the cache and its side file. Built only with `--cfg fuzzing`.

use super::FileStore;
use super::document::{CacheDocument, ParsedCache, parse};
use super::over::ReplaceRule;
use crate::entry::Entry;
use crate::rfc3339;
use crate::sidecar::record_file::Sidecar;
use u2m_core::{CacheKey, Fingerprint, Session, Timestamp};

/// The parsed text of a cache.
pub struct Cache<'a>(ParsedCache<'a>);

impl<'a> Cache<'a> {
    /// Parses any text.
    pub fn parse(text: &'a str) -> Self {
        Self(parse(text))
    }

    /// Returns whether parsing ended early.
    pub fn is_broken(&self) -> bool {
        self.0.broken.is_some()
    }

    /// Returns the version, as written.
    pub fn version(&self) -> Option<&str> {
        self.document().version.as_deref()
    }

    /// Returns the keys without duplicates.
    pub fn keys(&self) -> Vec<&str> {
        self.document().keys()
    }

    /// Returns an entry, as written.
    pub fn entry(&self, key: &str) -> Option<&'a str> {
        self.document().entry(key)
    }

    /// Returns the members of the file that this program does not know, as written.
    pub fn others(&self) -> Vec<(&str, &'a str)> {
        self.document().others.iter().map(|(name, raw)| (name.as_ref(), *raw)).collect()
    }

    /// Returns the entries other than `key` that hold its refresh token.
    pub fn twins(&self, key: &CacheKey) -> Vec<&str> {
        let store = FileStore::at("token-cache.json").0;
        let old = store.read(self.document(), key.as_str()).unwrap_or_default();
        store.twins_of(self.document(), (key, &old), ReplaceRule::Whatever)
    }

    /// Returns the text after an entry is replaced (`Some`) or removed, as an update does it.
    pub fn updated(&self, key: &CacheKey, session: Option<&Session>, offset: i32) -> String {
        let written = |name: &str, session: &Session| {
            let old = self.entry(name).and_then(|raw| Entry::parse(raw).ok()).unwrap_or_default();
            old.write(session, offset)
        };
        let mut changes = vec![(key.as_str(), session.map(|new| written(key.as_str(), new)))];
        if let Some(session) = session {
            changes.extend(
                self.twins(key).into_iter().map(|twin| (twin, Some(written(twin, session)))),
            );
        }
        self.document().with(&[], &changes).to_string()
    }

    fn document(&self) -> &CacheDocument<'a> {
        &self.0.document
    }
}

/// Returns an entry's session, and its members that this program does not know.
///
/// # Errors
/// Returns what is wrong with it.
pub fn entry(raw: &str) -> Result<(Option<Session>, Vec<(String, String)>), &'static str> {
    let entry = Entry::parse(raw)?;
    let others = entry.others.iter().map(|(name, raw)| (name.to_string(), (*raw).to_owned()));
    Ok((entry.session(), others.collect()))
}

/// Returns a side file's text, parsed and written again.
pub fn side_file(text: &str) -> String {
    Sidecar::parse(text.as_bytes()).text()
}

/// Returns a session from the cache with what a side file adds to it.
pub fn completed(text: &str, key: &str, session: Session) -> Session {
    Sidecar::parse(text.as_bytes()).complete(key, session)
}

/// Returns a side file after `session` is recorded.
pub fn recorded(text: &str, key: &str, session: &Session, before: Option<Fingerprint>) -> String {
    let mut sidecar = Sidecar::parse(text.as_bytes());
    sidecar.record(key, session, before);
    sidecar.text()
}

/// Parses a time. `None` is Go's zero time.
pub fn read_time(text: &str) -> Option<Option<Timestamp>> {
    rfc3339::parse(text).ok()
}

/// Writes a time in the time zone at the given offset in seconds east of UTC.
pub fn write_time(time: Timestamp, offset_seconds: i32) -> String {
    rfc3339::format(time, offset_seconds)
}
