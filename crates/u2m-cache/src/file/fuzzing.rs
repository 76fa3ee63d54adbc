//! Doors for the fuzz targets to the texts of the cache and of what stands beside it. Built with `--cfg fuzzing` alone.

use super::FileStore;
use super::document::{CacheDocument, ParsedCache, parse};
use super::over::ReplaceRule;
use crate::entry::Entry;
use crate::rfc3339;
use crate::sidecar::record_file::Sidecar;
use u2m_core::{CacheKey, Fingerprint, Session, Timestamp};

/// A cache's text, taken apart.
pub struct Cache<'a>(ParsedCache<'a>);

impl<'a> Cache<'a> {
    /// Reads any text.
    pub fn parse(text: &'a str) -> Self {
        Self(parse(text))
    }

    /// Whether reading ended early.
    pub fn is_broken(&self) -> bool {
        self.0.broken.is_some()
    }

    /// The version, as written.
    pub fn version(&self) -> Option<&str> {
        self.document().version.as_deref()
    }

    /// The keys, each once.
    pub fn keys(&self) -> Vec<&str> {
        self.document().keys()
    }

    /// An entry, as written.
    pub fn entry(&self, key: &str) -> Option<&'a str> {
        self.document().entry(key)
    }

    /// The members of the file that this program does not know, as written.
    pub fn others(&self) -> Vec<(&str, &'a str)> {
        self.document().others.iter().map(|(name, raw)| (name.as_ref(), *raw)).collect()
    }

    /// Entries other than `key`'s that hold its refresh token.
    pub fn twins(&self, key: &CacheKey) -> Vec<&str> {
        let store = FileStore::at("token-cache.json").0;
        let old = store.read(self.document(), key.as_str()).unwrap_or_default();
        store.twins_of(self.document(), (key, &old), ReplaceRule::Whatever)
    }

    /// The text after an entry is replaced (`Some`) or removed, as an update does it.
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

/// An entry's session, and its members that this program does not know.
///
/// # Errors
/// What is wrong with it.
pub fn entry(raw: &str) -> Result<(Option<Session>, Vec<(String, String)>), &'static str> {
    let entry = Entry::parse(raw)?;
    let others = entry.others.iter().map(|(name, raw)| (name.to_string(), (*raw).to_owned()));
    Ok((entry.session(), others.collect()))
}

/// A side file's text, read and written.
pub fn side_file(text: &str) -> String {
    Sidecar::parse(text.as_bytes()).text()
}

/// What a side file adds to a session from the cache.
pub fn completed(text: &str, key: &str, session: Session) -> Session {
    Sidecar::parse(text.as_bytes()).complete(key, session)
}

/// A side file after `session` is recorded.
pub fn recorded(text: &str, key: &str, session: &Session, before: Option<Fingerprint>) -> String {
    let mut sidecar = Sidecar::parse(text.as_bytes());
    sidecar.record(key, session, before);
    sidecar.text()
}

/// Reads a time; `None` is Go's zero time.
pub fn read_time(text: &str) -> Option<Option<Timestamp>> {
    rfc3339::parse(text).ok()
}

/// Writes a time in the zone so many seconds east of UTC.
pub fn write_time(time: Timestamp, offset_seconds: i32) -> String {
    rfc3339::format(time, offset_seconds)
}
