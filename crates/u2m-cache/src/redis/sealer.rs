//! What the server may see: meaningless names and sealed values. Two keys are derived from the application's key, so that no
//! key serves two purposes.

use crate::seal::{Cipher, SealError, SealKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use u2m_core::{CacheKey, Fingerprint};
use zeroize::Zeroizing;

/// The purpose of a sealed value. A value cannot be opened for another purpose.
#[derive(Clone, Copy)]
pub(super) enum SealPurpose {
    Session,
    Spent,
    Started,
    Verdict,
}

impl SealPurpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Session => "redis session",
            Self::Spent => "redis token spent",
            Self::Started => "redis refresh started",
            Self::Verdict => "redis verdict",
        }
    }
}

/// Where an entry is stored: the names of its two Redis keys, which share a hash tag, so that a proxy in front of a cluster
/// sends both to one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntryKeys {
    pub(super) record: String,
    pub(super) lease: String,
}

/// Computes the names of entries and encrypts them.
pub(super) struct EntrySealer {
    cipher: Cipher,
    naming: Zeroizing<[u8; 32]>,
    prefix: String,
}

impl EntrySealer {
    pub(super) fn new(key: &SealKey, prefix: &str) -> Self {
        let sealing = subkey(key, b"u2m redis: sealing");
        Self {
            cipher: Cipher::new(&SealKey::from_bytes(*sealing)),
            naming: subkey(key, b"u2m redis: names"),
            prefix: prefix.to_owned(),
        }
    }

    /// Returns the place of `key`, which can be computed only with the application's key.
    pub(super) fn place(&self, key: &CacheKey) -> EntryKeys {
        let (name, prefix) = (self.name(key.as_str().as_bytes()), &self.prefix);
        EntryKeys {
            record: format!("{prefix}:{{{name}}}"),
            lease: format!("{prefix}:{{{name}}}:lease"),
        }
    }

    /// Returns the name of the record of a refresh token, whichever entries hold it.
    pub(super) fn token(&self, of: &Fingerprint) -> String {
        // No key of an entry begins with a zero byte.
        let name = self.name(&[b"\0token\0", of.as_str().as_bytes()].concat());
        format!("{}:{{{name}}}:token", self.prefix)
    }

    fn name(&self, text: &[u8]) -> String {
        let digest = mac(self.naming.as_slice(), text);
        digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns the pattern of the records' names for `SCAN`, which treats braces as plain characters.
    pub(super) fn pattern(&self) -> String {
        format!("{}:{{{}}}", self.prefix, "[0-9a-f]".repeat(32))
    }

    pub(super) fn seal(
        &self,
        purpose: SealPurpose,
        record: &str,
        plain: &[u8],
    ) -> Result<String, SealError> {
        self.cipher.seal(&bound(purpose, record), plain)
    }

    pub(super) fn open(
        &self,
        purpose: SealPurpose,
        record: &str,
        sealed: &str,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.cipher.open(&bound(purpose, record), sealed)
    }
}

impl fmt::Debug for EntrySealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntrySealer").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

fn bound(purpose: SealPurpose, record: &str) -> Vec<u8> {
    [purpose.name().as_bytes(), &[0], record.as_bytes()].concat()
}

fn subkey(key: &SealKey, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(mac(key.to_text().as_bytes(), purpose))
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length (RFC 2104 section 3).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { unreachable!("any length") };
    mac.update(text);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(byte: u8) -> EntrySealer {
        EntrySealer::new(&SealKey::from_bytes([byte; 32]), "u2m")
    }

    #[test]
    fn a_name_is_the_same_for_those_who_share_the_key_and_tells_nothing_to_others() {
        let key = CacheKey::new("https://canary.example");
        let place = vault(7).place(&key);
        assert_eq!(place, vault(7).place(&key));
        assert_ne!(place, vault(8).place(&key));
        assert_ne!(place, vault(7).place(&CacheKey::new("other")));
        assert!(!format!("{place:?}").contains("canary"));
        assert_eq!(place.lease, format!("{}:lease", place.record));
        assert_eq!(place.record.len(), "u2m:{}".len() + 32);
    }

    #[test]
    fn t13_a_value_opens_for_its_own_entry_and_purpose_alone() {
        let vault = vault(7);
        let sealed = vault.seal(SealPurpose::Session, "u2m:{a}", b"secret").unwrap();
        assert_eq!(*vault.open(SealPurpose::Session, "u2m:{a}", &sealed).unwrap(), *b"secret");
        assert!(vault.open(SealPurpose::Session, "u2m:{b}", &sealed).is_err());
        assert!(vault.open(SealPurpose::Verdict, "u2m:{a}", &sealed).is_err());
        assert!(self::vault(8).open(SealPurpose::Session, "u2m:{a}", &sealed).is_err());
    }
}
