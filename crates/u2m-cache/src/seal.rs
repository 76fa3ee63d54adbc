//! Encrypted values that are bound to their place of storage. Someone who can write to the storage can neither read a value,
//! nor change one, nor move one to another place (T13).
//!
//! A sealed value is `u2m1.` followed by, in base64url without padding, a random nonce of 24 bytes, the XChaCha20-Poly1305
//! ciphertext and its tag. A nonce of this length can be chosen at random for as many values as one key will ever encrypt.
//! Sealing does not prevent an older value of the same place from being restored. To detect that, keep a version number
//! elsewhere.

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

/// The prefix of every sealed value, and the first part of its associated data.
const VERSION: &str = "u2m1.";

/// Keys may have been typed with or without base64 padding.
const ANY_PAD: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD_ANY_PAD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PAD);
const URL_SAFE_ANY_PAD: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PAD);

const KEY: usize = 32;
const NONCE: usize = 24;
const TAG: usize = 16;

/// An error from sealing or opening a value. No message contains a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The text is not a valid key.
    #[error("it is not a key of 32 bytes, written as base64 or as 64 hexadecimal digits")]
    BadKey,
    /// The system's random number generator failed.
    #[error("the system has no random bytes to give")]
    NoEntropy,
    /// The text does not have the format of a sealed value.
    #[error("it is not a sealed value")]
    NotSealed,
    /// The value was sealed by a later version.
    #[error("it was sealed by a later version of the software")]
    Version,
    /// The value was sealed with another key or for another place, or it was changed.
    #[error("it does not open: another key sealed it, or it was changed, or it belongs elsewhere")]
    WrongKeyOrChanged,
}

/// A key for sealing values: 32 bytes. It is cleared from memory on drop and never printed.
#[derive(Clone)]
pub struct SealKey(Zeroizing<[u8; KEY]>);

impl SealKey {
    /// Generates a new random key.
    ///
    /// # Errors
    /// Fails if the system's random number generator fails.
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

    /// Creates a key from bytes that are stored elsewhere, for example in a keyring. They must be random: a password is not a
    /// key.
    ///
    /// ```
    /// let random = [7; 32];
    /// let key = u2m_cache::SealKey::from_bytes(random);
    /// ```
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Parses a key from text: 32 bytes in base64 or base64url, or 64 hexadecimal digits. Surrounding white space is ignored.
    ///
    /// # Errors
    /// Fails if the text has none of these formats.
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
        // One byte more than a key, so that anything longer than a key is refused.
        let mut bytes = Zeroizing::new([0; KEY + 1]);
        let engines = [STANDARD_ANY_PAD, URL_SAFE_ANY_PAD];
        let mut read = engines.iter().map(|engine| engine.decode_slice(text, bytes.as_mut_slice()));
        if !read.any(|length| length == Ok(KEY)) {
            return Err(SealError::BadKey);
        }
        key.copy_from_slice(&bytes[..KEY]);
        Ok(Self(key))
    }

    /// Returns the key as text that [`SealKey::parse`] accepts. Store it where only its owner can read it.
    ///
    /// ```
    /// use u2m_cache::SealKey;
    /// let key = SealKey::generate()?;
    /// assert!(SealKey::parse(&key.to_text()).is_ok());
    /// # Ok::<(), u2m_cache::SealError>(())
    /// ```
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.0.as_slice()))
    }
}

/// Compares in constant time.
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

/// Encrypts values with a key and decrypts them.
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
    /// Creates a cipher from a key.
    ///
    /// ```
    /// let cipher = u2m_cache::Cipher::new(&u2m_cache::SealKey::from_bytes([7; 32]));
    /// assert_eq!(format!("{cipher:?}"), "Cipher(..)");
    /// ```
    pub fn new(key: &SealKey) -> Self {
        Self(XChaCha20Poly1305::new((&*key.0).into()))
    }

    /// Encrypts `plaintext`. The result opens only with the same `purpose_and_key`: the purpose of the value, a zero byte,
    /// and the key under which it is stored.
    ///
    /// # Errors
    /// Fails if the system's random number generator fails.
    pub fn seal(&self, purpose_and_key: &[u8], plaintext: &[u8]) -> Result<String, SealError> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| SealError::NoEntropy)?;
        let bound = bound(purpose_and_key);
        let payload = Payload { msg: plaintext, aad: &bound };
        let nonce = XNonce::from(nonce);
        // This fails only for texts of 256 GiB.
        let sealed = self.0.encrypt(&nonce, payload).map_err(|_| SealError::NotSealed)?;
        let mut text = VERSION.to_owned();
        URL_SAFE_NO_PAD.encode_string([nonce.as_slice(), sealed.as_slice()].concat(), &mut text);
        Ok(text)
    }

    /// Decrypts what [`Cipher::seal`] returned for the same `purpose_and_key`.
    ///
    /// # Errors
    /// Fails if the text is not a sealed value, was sealed by a later version, or does not open with this key and this
    /// `purpose_and_key`.
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

/// The associated data, which differs between versions and places.
fn bound(purpose_and_key: &[u8]) -> Vec<u8> {
    [VERSION.as_bytes(), purpose_and_key].concat()
}

/// Returns why a text without the expected prefix cannot be opened.
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
        let text = key.to_text();
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
