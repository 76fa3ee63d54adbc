//! Texts with secrets in them, while they are put together. A `String` that outgrows its buffer leaves a copy behind,
//! and the allocator does not clear it; so every text of this crate that contains a token is built here.

use std::fmt;
use zeroize::Zeroizing;

/// A growable text that holds secrets. Its memory is cleared on drop, and so is every buffer it has outgrown.
///
/// ```
/// use u2m_core::SecretText;
/// let mut text = SecretText::with_capacity(16);
/// text.push_str("canary");
/// text.push('!');
/// assert_eq!(text.as_str(), "canary!");
/// assert!(!format!("{text:?}").contains("canary"));
/// ```
#[derive(Clone, Default)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Makes an empty text.
    ///
    /// ```
    /// assert_eq!(u2m_core::SecretText::new().as_str(), "");
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty text with room for `bytes` bytes. With enough room, it never moves.
    ///
    /// ```
    /// assert_eq!(u2m_core::SecretText::with_capacity(64).as_str(), "");
    /// ```
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Zeroizing::new(String::with_capacity(bytes)))
    }

    /// Decodes UTF-8. Invalid bytes become U+FFFD, as with `String::from_utf8_lossy`.
    ///
    /// ```
    /// use u2m_core::SecretText;
    /// assert_eq!(SecretText::from_utf8_lossy(b"a\xffb").as_str(), "a\u{fffd}b");
    /// ```
    pub fn from_utf8_lossy(bytes: &[u8]) -> Self {
        let mut text = Self::with_capacity(bytes.len() + 1);
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }

    /// Appends a string.
    pub fn push_str(&mut self, text: &str) {
        self.make_room(text.len());
        self.0.push_str(text);
    }

    /// Appends a character.
    pub fn push(&mut self, c: char) {
        self.make_room(c.len_utf8());
        self.0.push(c);
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the finished text. It is still cleared on drop, and must not grow any more.
    ///
    /// ```
    /// let mut text = u2m_core::SecretText::new();
    /// text.push_str("canary");
    /// assert_eq!(text.finish().as_str(), "canary");
    /// ```
    pub fn finish(self) -> Zeroizing<String> {
        self.0
    }

    /// Returns the finished text as bytes.
    ///
    /// ```
    /// let mut text = u2m_core::SecretText::new();
    /// text.push_str("canary");
    /// assert_eq!(text.into_bytes().as_slice(), b"canary");
    /// ```
    pub fn into_bytes(mut self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(std::mem::take(&mut *self.0).into_bytes())
    }

    fn make_room(&mut self, more: usize) {
        let needed = self.0.len() + more;
        if needed <= self.0.capacity() {
            return;
        }
        let mut larger = Zeroizing::new(String::with_capacity(needed.max(2 * self.0.capacity())));
        larger.push_str(&self.0);
        // The old memory is cleared here.
        self.0 = larger;
    }
}

impl fmt::Write for SecretText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(redacted)")
    }
}

/// A growable byte buffer that holds secrets, as they come from a socket or a pipe; like [`SecretText`].
///
/// ```
/// use u2m_core::SecretBytes;
/// let mut bytes = SecretBytes::with_capacity(4);
/// bytes.extend(b"canary");
/// assert_eq!(bytes.as_slice(), b"canary");
/// assert_eq!(format!("{bytes:?}"), "SecretBytes(redacted)");
/// ```
#[derive(Clone, Default)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Makes an empty buffer with room for `bytes` bytes.
    ///
    /// ```
    /// assert!(u2m_core::SecretBytes::with_capacity(16).as_slice().is_empty());
    /// ```
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    /// Appends bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * self.0.capacity())));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Returns the finished bytes. They are still cleared on drop, and must not grow any more.
    ///
    /// ```
    /// let mut bytes = u2m_core::SecretBytes::default();
    /// bytes.extend(b"canary");
    /// assert_eq!(bytes.finish().as_slice(), b"canary");
    /// ```
    pub fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_little_room_there_was_all_of_it_is_there() {
        for room in [0, 1, 3, 64] {
            let (mut text, mut bytes) =
                (SecretText::with_capacity(room), SecretBytes::with_capacity(room));
            for part in ["a", "", "é𝄞", "canary ", &"x".repeat(100)] {
                text.push_str(part);
                part.chars().for_each(|c| text.push(c));
                bytes.extend(part.as_bytes());
                bytes.extend(part.as_bytes());
            }
            let whole = format!("aaé𝄞é𝄞canary canary {}", "x".repeat(200));
            assert_eq!((text.as_str(), bytes.as_slice()), (whole.as_str(), whole.as_bytes()));
        }
    }

    #[test]
    fn what_fits_stays_where_it_is() {
        let mut text = SecretText::with_capacity(8);
        text.push('a');
        let place = text.as_str().as_ptr();
        text.push_str("canary!");
        assert_eq!(text.as_str().as_ptr(), place);
    }
}
