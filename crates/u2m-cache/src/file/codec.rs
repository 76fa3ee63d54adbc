//! The two formats of an entry: as Databricks' own programs write it, or encrypted.

use super::document::{CacheDocument, ParsedCache};
use crate::entry::Entry;
use crate::error::StoreError;
use std::path::Path;
use u2m_core::{CacheKey, Session, Timestamp};
use zeroize::Zeroizing;

/// How the entries of a file are read and written.
#[derive(Debug)]
pub(super) enum EntryCodec {
    /// As the Go SDK does.
    Plain,
    /// Encrypted with a key.
    #[cfg(feature = "encrypted")]
    Sealed(super::sealed::SealedCodec),
}

/// An entry that was read.
pub(super) enum DecodedEntry<'a> {
    Plain(Entry<'a>),
    #[cfg(feature = "encrypted")]
    Sealed(Box<Session>),
}

impl Default for DecodedEntry<'_> {
    fn default() -> Self {
        Self::Plain(Entry::default())
    }
}

impl DecodedEntry<'_> {
    /// Returns the session, or `None` without any token. For a plain entry, the owner of the tokens is in the side file.
    pub(super) fn session(&self) -> Option<Session> {
        match self {
            Self::Plain(entry) => entry.session(),
            #[cfg(feature = "encrypted")]
            Self::Sealed(session) => Some(Session::clone(session)),
        }
    }
}

impl EntryCodec {
    /// Returns the kind of file, in words.
    pub(super) fn words(&self) -> &'static str {
        match self {
            Self::Plain => "token cache",
            #[cfg(feature = "encrypted")]
            Self::Sealed(_) => "sealed token file",
        }
    }

    /// Returns whether the owner of a login's tokens is kept in the side file.
    pub(super) fn has_sidecar(&self) -> bool {
        matches!(self, Self::Plain)
    }

    /// Refuses a file of another format or a later version. A damaged file does not count as another format.
    pub(super) fn check_form(
        &self,
        path: &Path,
        parsed: &ParsedCache<'_>,
    ) -> Result<(), StoreError> {
        let format = parsed.document.format();
        let (is_ours, wanted) = match self {
            // Go programs do not know this member, and other programs may use the name `format` differently.
            Self::Plain => {
                (!format.is_some_and(|format| format.starts_with("u2m-")), "token cache")
            }
            #[cfg(feature = "encrypted")]
            Self::Sealed(_) => (super::sealed::is_sealed(format, parsed), "sealed token file"),
        };
        match is_ours {
            true => Ok(()),
            false => Err(StoreError::OtherForm { path: path.into(), wanted }),
        }
    }

    /// Checks, before anything is written, that entries can be written: that the key exists and fits the existing entries.
    pub(super) fn prove(
        &self,
        path: &Path,
        document: &CacheDocument<'_>,
    ) -> Result<(), StoreError> {
        let _ = (path, document);
        match self {
            Self::Plain => Ok(()),
            #[cfg(feature = "encrypted")]
            Self::Sealed(sealed) => sealed.prove(path, document),
        }
    }

    /// Checks the same for a file that does not exist yet, without creating anything for it.
    pub(super) fn prove_new(&self, path: &Path) -> Result<(), StoreError> {
        let _ = path;
        match self {
            Self::Plain => Ok(()),
            #[cfg(feature = "encrypted")]
            Self::Sealed(sealed) => sealed.prove_new(path),
        }
    }

    /// Reads one entry.
    pub(super) fn read<'a>(
        &self,
        path: &Path,
        document: &CacheDocument<'a>,
        key: &str,
        raw: &'a str,
    ) -> Result<DecodedEntry<'a>, StoreError> {
        let _ = (path, document);
        match self {
            Self::Plain => Entry::parse(raw)
                .map(DecodedEntry::Plain)
                .map_err(|why| StoreError::BadEntry { key: CacheKey::new(key), why }),
            #[cfg(feature = "encrypted")]
            Self::Sealed(sealed) => sealed
                .read(path, document, key, raw)
                .map(|session| DecodedEntry::Sealed(Box::new(session))),
        }
    }

    /// Returns the text of an entry that replaces `old`. [`EntryCodec::prove`] has succeeded before.
    pub(super) fn write(
        &self,
        key: &str,
        old: &DecodedEntry<'_>,
        session: &Session,
    ) -> Result<Zeroizing<String>, StoreError> {
        let _ = key;
        match (self, old) {
            (Self::Plain, DecodedEntry::Plain(old)) => {
                let at = session.known_expiry().unwrap_or(Timestamp::from_unix(0));
                Ok(old.write(session, crate::zone::offset_at(at)))
            }
            #[cfg(feature = "encrypted")]
            (Self::Plain, DecodedEntry::Sealed(_)) => {
                self.write(key, &DecodedEntry::default(), session)
            }
            #[cfg(feature = "encrypted")]
            (Self::Sealed(sealed), _) => sealed.write(key, session),
        }
    }

    /// Returns the members of the file before its entries. `is_proven` means that an entry is written. Removing an entry
    /// needs no key.
    pub(super) fn head(
        &self,
        document: &CacheDocument<'_>,
        is_proven: bool,
    ) -> Result<Vec<(&'static str, String)>, StoreError> {
        let _ = (document, is_proven);
        match self {
            Self::Plain => Ok(Vec::new()),
            #[cfg(feature = "encrypted")]
            Self::Sealed(sealed) => sealed.head(document, is_proven),
        }
    }
}
