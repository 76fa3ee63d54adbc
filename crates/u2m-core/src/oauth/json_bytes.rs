//! Reads JSON bytes from one place to the next, as far as they go, and decodes strings in them.
//!
//! The reader uses no stack for nesting, and looks at each byte a bounded number of times.

use crate::json::unescape_json;
use zeroize::Zeroizing;

/// A position in bytes of JSON.
pub(super) struct JsonReader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> JsonReader<'a> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Skips spaces and control characters.
    pub(super) fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte <= b' ') {
            self.at += 1;
        }
    }

    /// Skips what separates members.
    pub(super) fn skip_commas(&mut self) {
        while self.peek().is_some_and(|byte| byte <= b' ' || byte == b',') {
            self.at += 1;
        }
    }

    /// The bytes of the next value; `None` if it does not end.
    pub(super) fn value(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        match self.peek()? {
            b'"' => self.quoted(),
            b'{' | b'[' => {
                let mut depth = 0usize;
                loop {
                    match self.peek()? {
                        b'"' => {
                            self.quoted()?;
                            continue;
                        }
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth -= 1,
                        _ => {}
                    }
                    self.at += 1;
                    if depth == 0 {
                        return Some(&self.bytes[start..self.at]);
                    }
                }
            }
            _ => {
                // A value that reaches the end of the body may have been cut off.
                let length = self.bytes[start..].iter().position(is_end)?;
                self.at += length;
                Some(&self.bytes[start..self.at])
            }
        }
    }

    /// The bytes of the string that begins here, quotes included.
    pub(super) fn quoted(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'\\') => self.at += 2,
                Some(b'"') => {
                    self.at += 1;
                    return Some(&self.bytes[start..self.at]);
                }
                Some(_) => self.at += 1,
                None => {
                    self.at = self.bytes.len();
                    return None;
                }
            }
        }
    }
}

/// Whether this byte ends a word or a number.
pub(super) fn is_end(byte: &u8) -> bool {
    *byte <= b' ' || matches!(byte, b',' | b'}' | b']' | b'"')
}

/// Decodes a JSON string; `None` if any part is invalid, because half a text is neither a secret nor a code.
pub(super) fn string(raw: &[u8]) -> Option<Zeroizing<String>> {
    unescape_json(std::str::from_utf8(quoted_text(raw)?).ok()?)
}

/// Decodes a JSON string for people to read, replacing invalid UTF-8.
pub(super) fn readable(raw: &[u8]) -> Option<Zeroizing<String>> {
    unescape_json(&String::from_utf8_lossy(quoted_text(raw)?))
}

fn quoted_text(raw: &[u8]) -> Option<&[u8]> {
    raw.strip_prefix(b"\"")?.strip_suffix(b"\"")
}
