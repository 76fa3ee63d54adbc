//! Encrypted entries, and the check value that reveals a wrong key before anything is written.

use super::document::{CacheDocument, ParsedCache, members};
use crate::error::StoreError;
use crate::key_source::SealKeySource;
use crate::payload;
use crate::seal::{Cipher, SealError, SealKey};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use u2m_core::{CacheKey, Session};
use zeroize::Zeroizing;

/// The value of the member `format`.
const FORMAT: &str = "u2m-sealed";

/// The purposes of sealed values.
const ENTRY: &str = "token-cache entry\0";
const CHECK: &[u8] = b"token-cache check\0";

/// Returns whether a file is an encrypted cache: it says so, it is empty, or it is damaged where it would say so.
pub(super) fn is_sealed(format: Option<String>, parsed: &ParsedCache<'_>) -> bool {
    let ParsedCache { document, broken } = parsed;
    match format {
        Some(format) => format == FORMAT,
        None => broken.is_some() || (document.entries.is_empty() && document.others.is_empty()),
    }
}

#[derive(Debug)]
pub(super) struct SealedCodec {
    pub(super) source: SealKeySource,
    /// Set once the key was obtained, together with that key.
    cipher: Mutex<Option<(SealKey, Arc<Cipher>)>>,
}

impl SealedCodec {
    pub(super) fn new(source: SealKeySource) -> Self {
        Self { source, cipher: Mutex::default() }
    }

    /// Returns whether the key must still be obtained from another program.
    pub(super) fn is_slow(&self) -> bool {
        matches!(self.source, SealKeySource::Command(_)) && self.known().is_none()
    }

    /// Returns the key source for another process of this user. If that process would have to run a program that this one has
    /// already run, it gets the key itself.
    pub(super) fn source_for_others(&self) -> SealKeySource {
        let known = self.cipher.lock().unwrap_or_else(PoisonError::into_inner);
        match (&self.source, &*known) {
            (SealKeySource::Command(_), Some((key, _))) => SealKeySource::Bytes(key.clone()),
            (source, _) => source.clone(),
        }
    }

    fn known(&self) -> Option<Arc<Cipher>> {
        let known = self.cipher.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(|(_, cipher)| Arc::clone(cipher))
    }

    /// Returns the cipher. Its key is obtained once. A new key is created only if nothing was encrypted with another.
    fn cipher(&self, path: &Path, may_be_new: bool) -> Result<Arc<Cipher>, StoreError> {
        let mut cipher = self.cipher.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cipher)) = &*cipher {
            return Ok(Arc::clone(cipher));
        }
        let key = self.source.key(path, may_be_new)?;
        let new = Arc::new(Cipher::new(&key));
        *cipher = Some((key, Arc::clone(&new)));
        Ok(new)
    }

    pub(super) fn prove(
        &self,
        path: &Path,
        document: &CacheDocument<'_>,
    ) -> Result<(), StoreError> {
        let is_new = document.entries.is_empty() && document.other("check").is_none();
        let cipher = self.cipher(path, is_new)?;
        match is_new || fits(&cipher, document) {
            true => Ok(()),
            false => Err(StoreError::WrongKey { path: path.into() }),
        }
    }

    /// Checks, before there is anything to encrypt, that a key can be obtained. A key printed by a program is kept, because
    /// the program may ask the user for it.
    pub(super) fn prove_new(&self, path: &Path) -> Result<(), StoreError> {
        match &self.source {
            SealKeySource::Command(_) | SealKeySource::Bytes(_) => {
                self.cipher(path, true).map(drop)
            }
            source => source.prove(path),
        }
    }

    pub(super) fn read(
        &self,
        path: &Path,
        document: &CacheDocument<'_>,
        key: &str,
        raw: &str,
    ) -> Result<Session, StoreError> {
        let cipher = self.cipher(path, false)?;
        match open(&cipher, key, raw) {
            Ok(session) => Ok(session),
            Err(why) if fits(&cipher, document) => {
                Err(StoreError::BadEntry { key: CacheKey::new(key), why })
            }
            Err(_) => Err(StoreError::WrongKey { path: path.into() }),
        }
    }

    pub(super) fn write(
        &self,
        key: &str,
        session: &Session,
    ) -> Result<Zeroizing<String>, StoreError> {
        let failed = |source| StoreError::Seal { key: CacheKey::new(key), source };
        let cipher = self.known().ok_or(SealError::BadKey).map_err(failed)?;
        let sealed = cipher.seal(&place(key), &payload::write(session)).map_err(failed)?;
        // Base64url needs no escapes.
        Ok(Zeroizing::new(format!("{{\n      \"sealed\": \"{sealed}\"\n    }}")))
    }

    pub(super) fn head(
        &self,
        document: &CacheDocument<'_>,
        is_proven: bool,
    ) -> Result<Vec<(&'static str, String)>, StoreError> {
        let failed = |source| StoreError::Seal { key: CacheKey::new(""), source };
        let mut head = vec![("format", format!("\"{FORMAT}\""))];
        let old = document.other("check");
        match self.known().filter(|_| is_proven) {
            Some(cipher) if !old.is_some_and(|raw| is_check(&cipher, raw)) => {
                let new = cipher.seal(CHECK, b"").map_err(failed)?;
                head.push(("check", format!("\"{new}\"")));
            }
            _ => head.extend(old.map(|raw| ("check", raw.to_owned()))),
        }
        Ok(head)
    }
}

/// Returns whether a file was encrypted with this key. If its check value is damaged, an entry that can be decrypted shows it
/// as well.
fn fits(cipher: &Cipher, document: &CacheDocument<'_>) -> bool {
    document.other("check").is_some_and(|raw| is_check(cipher, raw))
        || document.entries.iter().any(|(key, raw)| open(cipher, key, raw).is_ok())
}

fn is_check(cipher: &Cipher, raw: &str) -> bool {
    serde_json::from_str::<String>(raw).is_ok_and(|text| cipher.open(CHECK, &text).is_ok())
}

/// Decrypts one entry, which was sealed for this key name and no other.
fn open(cipher: &Cipher, key: &str, raw: &str) -> Result<Session, &'static str> {
    let members = members(raw).map_err(|_| "it is not an object")?;
    let sealed = members.iter().rev().find(|(name, _)| name == "sealed");
    let sealed = sealed.and_then(|(_, raw)| serde_json::from_str::<String>(raw).ok());
    let sealed = sealed.ok_or("it is not a sealed value")?;
    let opened = cipher.open(&place(key), &sealed).map_err(|error| match error {
        SealError::Version => "a later version of the software sealed it",
        SealError::NotSealed => "it is not a sealed value",
        _ => "it was changed, or it was put in the place of another",
    })?;
    payload::read(&opened).ok_or("what is sealed in it is not a login")
}

fn place(key: &str) -> Vec<u8> {
    [ENTRY, key].concat().into_bytes()
}
