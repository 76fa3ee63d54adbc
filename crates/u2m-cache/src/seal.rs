//! Sealed values: encrypted, and bound to the place where they stand, so that whoever can write the place can neither read
//! one, nor change one, nor put one where another belongs (T13).
//!
//! A sealed value is `u2m1.` and, in base64url without padding, a random nonce of 24 bytes, the XChaCha20-Poly1305
//! ciphertext and its tag. A nonce of that length may be random for as many values as one key will ever see. Sealing keeps
//! nobody from putting back an older value of the same place: whoever needs that has to remember a number elsewhere.

use crate::hex;
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What every sealed value begins with, and the first part of what it is bound to.
const VERSION: &str = "u2m1.";

/// What a person may have written down, with what fills the last group up or without.
const ANY_PAD: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD_ANY_PAD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PAD);
const URL_SAFE_ANY_PAD: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PAD);

const KEY: usize = 32;
const NONCE: usize = 24;
const TAG: usize = 16;

/// How sealing or opening can fail. No text holds a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// What should be a key is none.
    #[error("it is not a key of 32 bytes, written as base64 or as 64 hexadecimal digits")]
    BadKey,
    /// The system has no randomness to give.
    #[error("the system has no random bytes to give")]
    NoEntropy,
    /// It has not the form of a sealed value.
    #[error("it is not a sealed value")]
    NotSealed,
    /// A later version sealed it.
    #[error("it was sealed by a later version of the software")]
    Version,
    /// Another key sealed it, or it was sealed for another place, or it was changed.
    #[error("it does not open: another key sealed it, or it was changed, or it belongs elsewhere")]
    WrongKeyOrChanged,
}

/// The key that values are sealed with: 32 bytes, cleared on drop, and shown by nothing.
#[derive(Clone)]
pub struct SealKey(Zeroizing<[u8; KEY]>);

impl SealKey {
    /// Makes a new key from the system's randomness.
    ///
    /// # Errors
    /// The system has none to give.
    ///
    /// ```
    /// let key = u2m_cache::SealKey::generate()?;
    /// assert_eq!(format!("{key:?}"), "SealKey(..)");
    /// # Ok::<(), u2m_cache::SealError>(())
    /// ```
    pub fn generate() -> Result<Self, SealError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut()).map_err(|_| SealError::NoEntropy)?;
        Ok(Self(bytes))
    }

    /// Takes a key that is kept elsewhere, in a keyring say. It has to be random: a password is no key.
    ///
    /// ```
    /// let random = [7; 32];
    /// let key = u2m_cache::SealKey::from_bytes(random);
    /// ```
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads a key that was written down: 32 bytes in base64 or base64url, or 64 hexadecimal digits. White space around it
    /// does not count.
    ///
    /// # Errors
    /// It is none of these.
    ///
    /// ```
    /// use u2m_cache::SealKey;
    /// assert!(SealKey::parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").is_ok());
    /// assert!(SealKey::parse("a password").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let text = text.trim_ascii().as_bytes();
        let mut key = Zeroizing::new([0; KEY]);
        if text.len() == 2 * KEY {
            let bytes = hex::decode(text).ok_or(SealError::BadKey)?;
            key.copy_from_slice(&bytes);
            return Ok(Self(key));
        }
        // What is longer than a key does not fit.
        let mut bytes = Zeroizing::new([0; KEY + 1]);
        let engines = [STANDARD_ANY_PAD, URL_SAFE_ANY_PAD];
        let mut read = engines.iter().map(|engine| engine.decode_slice(text, bytes.as_mut_slice()));
        if !read.any(|length| length == Ok(KEY)) {
            return Err(SealError::BadKey);
        }
        key.copy_from_slice(&bytes[..KEY]);
        Ok(Self(key))
    }

    /// The key as text that [`SealKey::parse`] reads, to be kept where only its owner reads it.
    ///
    /// ```
    /// use u2m_cache::SealKey;
    /// let key = SealKey::generate()?;
    /// assert!(SealKey::parse(&key.expose()).is_ok());
    /// # Ok::<(), u2m_cache::SealError>(())
    /// ```
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.as_slice()))
    }
}

/// Looks at every byte, whichever differ.
impl PartialEq for SealKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for SealKey {}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(..)")
    }
}

/// Seals values with a key, and opens them.
///
/// ```
/// use u2m_cache::{Cipher, SealError, SealKey};
/// let cipher = Cipher::new(&SealKey::generate()?);
/// let sealed = cipher.seal(b"entry\0dev", b"secret")?;
/// assert_eq!(cipher.open(b"entry\0dev", &sealed)?.as_slice(), b"secret");
/// assert_eq!(cipher.open(b"entry\0prod", &sealed), Err(SealError::WrongKeyOrChanged));
/// # Ok::<(), SealError>(())
/// ```
#[derive(Clone)]
pub struct Cipher(XChaCha20Poly1305);

impl Cipher {
    /// Takes the key.
    ///
    /// ```
    /// let cipher = u2m_cache::Cipher::new(&u2m_cache::SealKey::from_bytes([7; 32]));
    /// assert_eq!(format!("{cipher:?}"), "Cipher(..)");
    /// ```
    pub fn new(key: &SealKey) -> Self {
        Self(XChaCha20Poly1305::new((&*key.0).into()))
    }

    /// Seals `plaintext`. It opens only for the same `purpose_and_key`: what the value is for, a zero byte, and the key
    /// under which it stands.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn seal(&self, purpose_and_key: &[u8], plaintext: &[u8]) -> Result<String, SealError> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| SealError::NoEntropy)?;
        let bound = bound(purpose_and_key);
        let payload = Payload { msg: plaintext, aad: &bound };
        let nonce = XNonce::from(nonce);
        // It fails for texts of 256 GiB only.
        let sealed = self.0.encrypt(&nonce, payload).map_err(|_| SealError::NotSealed)?;
        let mut text = VERSION.to_owned();
        URL_SAFE_NO_PAD.encode_string([nonce.as_slice(), sealed.as_slice()].concat(), &mut text);
        Ok(text)
    }

    /// Opens what [`Cipher::seal`] made for the same `purpose_and_key`.
    ///
    /// # Errors
    /// It is no sealed value, or one of a later version, or it does not open.
    pub fn open(
        &self,
        purpose_and_key: &[u8],
        sealed: &str,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let Some(text) = sealed.strip_prefix(VERSION) else { return Err(unknown(sealed)) };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError::NotSealed)?;
        let (nonce, msg) = bytes.split_first_chunk::<NONCE>().ok_or(SealError::NotSealed)?;
        if msg.len() < TAG {
            return Err(SealError::NotSealed);
        }
        let payload = Payload { msg, aad: &bound(purpose_and_key) };
        let opened = self.0.decrypt(&XNonce::from(*nonce), payload);
        opened.map(Zeroizing::new).map_err(|_| SealError::WrongKeyOrChanged)
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(..)")
    }
}

/// The associated data: a value of another version or another place has another one.
fn bound(purpose_and_key: &[u8]) -> Vec<u8> {
    [VERSION.as_bytes(), purpose_and_key].concat()
}

/// Why a text without our beginning is not opened.
fn unknown(text: &str) -> SealError {
    let number = text.strip_prefix("u2m").and_then(|rest| rest.split_once('.'));
    match number.map(|(number, _)| number.parse::<u32>()) {
        Some(Ok(_)) => SealError::Version,
        _ => SealError::NotSealed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cipher() -> Cipher {
        Cipher::new(&SealKey::from_bytes([7; 32]))
    }

    #[test]
    fn what_was_sealed_opens_for_its_own_place_and_key_alone() {
        let cipher = cipher();
        for text in ["", "a", &"x".repeat(64 << 10)] {
            let sealed = cipher.seal(b"entry\0dev", text.as_bytes()).unwrap();
            assert_eq!(cipher.open(b"entry\0dev", &sealed).unwrap().as_slice(), text.as_bytes());
            for place in [&b"entry\0prod"[..], b"entry\0", b"", b"check\0dev"] {
                assert_eq!(cipher.open(place, &sealed), Err(SealError::WrongKeyOrChanged));
            }
            let other = Cipher::new(&SealKey::from_bytes([8; 32]));
            assert_eq!(other.open(b"entry\0dev", &sealed), Err(SealError::WrongKeyOrChanged));
        }
    }

    #[test]
    fn t13_no_changed_byte_and_no_cut_ever_opens() {
        let cipher = cipher();
        let sealed = cipher.seal(b"entry\0dev", b"secret").unwrap();
        for at in 0..sealed.len() {
            assert!(cipher.open(b"entry\0dev", &sealed[..at]).is_err(), "cut at {at}");
            for bit in 0..7 {
                let mut bytes = sealed.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let changed = String::from_utf8(bytes).unwrap();
                assert!(cipher.open(b"entry\0dev", &changed).is_err(), "{changed}");
            }
        }
        for text in ["", "u2m1.", "u2m1.AAAA", "at-plain", &format!("{sealed}="), &sealed[5..]] {
            assert_eq!(cipher.open(b"entry\0dev", text).err(), Some(SealError::NotSealed));
        }
        assert_eq!(cipher.open(b"", "u2m2.AAAA").err(), Some(SealError::Version));
    }

    /// Made with libsodium, so that neither the form nor the cipher changes unnoticed.
    #[test]
    fn another_implementations_sealed_value_opens() {
        let key: Vec<u8> = (0x80..0xa0).collect();
        let cipher = Cipher::new(&SealKey::from_bytes(key.try_into().unwrap()));
        let sealed = "u2m1.QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXvW0XnT6D1DuVdleUk8DpOVcqFwAlK_rMvtKQLCE5bLtzHH8bC0qmRD9K8aHa1CG7FQPhHrFKw7g";
        let opened = cipher.open(b"entry\0dev", sealed).unwrap();
        assert_eq!(opened.as_slice(), b"Ladies and Gentlemen of the class of '99");
    }

    #[test]
    fn sealing_twice_gives_two_texts() {
        let cipher = cipher();
        assert_ne!(cipher.seal(b"e", b"secret"), cipher.seal(b"e", b"secret"));
    }

    #[test]
    fn keys_are_read_in_every_spelling_and_nothing_else_is_a_key() {
        let key = SealKey::from_bytes([0xfb; 32]);
        let text = key.expose();
        assert!(text.contains('+') && text.ends_with('='), "{text:?}");
        let url = text.replace('+', "-").replace('/', "_").replace('=', "");
        let hex = "fb".repeat(32);
        for spelling in [text.as_str(), &url, &hex, &hex.to_uppercase(), &format!(" {hex}\r\n")] {
            assert_eq!(SealKey::parse(spelling).unwrap(), key, "{spelling}");
        }
        for text in
            ["", "=", "AAAA", &hex[1..], &format!("{hex}00"), &"g".repeat(64), &"é".repeat(32)]
        {
            assert_eq!(SealKey::parse(text).err(), Some(SealError::BadKey), "{text}");
        }
        assert_ne!(SealKey::generate().unwrap(), SealKey::generate().unwrap());
    }

    #[test]
    fn t14_neither_a_key_nor_a_cipher_is_shown() {
        let key = SealKey::from_bytes([b'k'; 32]);
        let shown = format!("{key:?} {:#?} {:?}", key, Cipher::new(&key));
        assert_eq!(shown, "SealKey(..) SealKey(..) Cipher(..)");
    }

    #[test]
    fn keys_that_differ_alike_in_two_places_differ() {
        let key = |first: u8, second: u8| {
            let mut bytes = [7; 32];
            (bytes[3], bytes[20]) = (first, second);
            SealKey::from_bytes(bytes)
        };
        assert!(key(1, 1) != key(2, 2) && key(1, 1) != key(1, 2) && key(1, 2) == key(1, 2));
    }
}
