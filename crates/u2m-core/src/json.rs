//! JSON with secrets: writes it into a buffer that clears what it outgrows, and reads strings without leaving copies behind.
//! (serde_json writes into a growing `Vec`, which does leave copies.)

mod writer;

use crate::secret_text::SecretText;
use serde::Serialize;
use std::fmt::Write as _;
use writer::JsonWriter;
use zeroize::Zeroizing;

/// Serializes a value as JSON on one line, as serde_json does. Returns `None` if it cannot be represented in JSON, such as a
/// map with keys that are not strings.
///
/// ```
/// let text = u2m_core::secret_json(&["canary", "\""]).unwrap();
/// assert_eq!(text.as_str(), r#"["canary","\""]"#);
/// ```
pub fn secret_json(value: &impl Serialize) -> Option<SecretText> {
    let mut writer = JsonWriter::compact();
    value.serialize(&mut writer).ok()?;
    Some(writer.out)
}

/// Like [`secret_json`], with each member on its own line, indented by two spaces.
///
/// ```
/// let text = u2m_core::secret_json_pretty(&["canary"]).unwrap();
/// assert_eq!(text.as_str(), "[\n  \"canary\"\n]");
/// ```
pub fn secret_json_pretty(value: &impl Serialize) -> Option<SecretText> {
    let mut writer = JsonWriter::pretty();
    value.serialize(&mut writer).ok()?;
    Some(writer.out)
}

/// Appends the escape sequence for a character in a JSON string (RFC 8259 section 7).
fn push_escaped(out: &mut SecretText, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        c => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a text cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

/// Appends a JSON string. It escapes the characters that must be escaped, and those for which `is_odd` holds.
///
/// ```
/// use u2m_core::{SecretText, push_json_string};
/// let mut out = SecretText::new();
/// push_json_string(&mut out, "a\"<\n", |c| c == '<');
/// assert_eq!(out.as_str(), r#""a\"\u003c\n""#);
/// ```
pub fn push_json_string(out: &mut SecretText, text: &str, is_odd: impl Fn(char) -> bool) {
    out.push('"');
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        if c < ' ' || matches!(c, '"' | '\\') || is_odd(c) {
            out.push_str(&text[plain..at]);
            push_escaped(out, c);
            plain = at + c.len_utf8();
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// Undoes the escapes of the text between the quotes of a JSON string. Returns `None` if an escape is incomplete or a `\u`
/// escape is invalid; any other unknown escape stands for the character after the backslash.
///
/// ```
/// assert_eq!(u2m_core::unescape_json(r"a\u002fb\/\n").unwrap().as_str(), "a/b/\n");
/// assert!(u2m_core::unescape_json(r"\ud800").is_none());
/// ```
pub fn unescape_json(inner: &str) -> Option<Zeroizing<String>> {
    // The decoded text is never longer than the encoded one, so growing leaves nothing behind.
    let mut out = Zeroizing::new(String::with_capacity(inner.len()));
    let mut rest = inner;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = escape.chars();
        out.push(match chars.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (one, rest) = unit(chars.as_str())?;
                chars = rest.chars();
                if (0xd800..0xdc00).contains(&one) {
                    let (two, rest) = unit(chars.as_str().strip_prefix("\\u")?)?;
                    chars = rest.chars();
                    char::decode_utf16([one, two]).next()?.ok()?
                } else {
                    char::from_u32(one.into())?
                }
            }
            other => other,
        });
        rest = chars.as_str();
    }
    out.push_str(rest);
    Some(out)
}

fn unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(())?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    enum Kind {
        Unit,
        One(String),
        Two(u8, Option<i64>),
        Named { a: f64, b: char },
    }

    #[derive(Serialize)]
    struct Nothing;

    #[derive(Serialize)]
    struct Wrapped(u64);

    #[derive(Serialize)]
    struct All {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<u8>,
        none: Option<u8>,
        kinds: Vec<Kind>,
        map: BTreeMap<String, i64>,
        tuple: (u8, f32, ()),
        nothing: Nothing,
        wrapped: Wrapped,
        empty: ([u8; 0], BTreeMap<String, u8>),
    }

    fn all(text: &str) -> All {
        let two = text.to_owned();
        All {
            text: text.to_owned(),
            absent: None,
            none: None,
            kinds: vec![
                Kind::Unit,
                Kind::One(two),
                Kind::Two(7, Some(i64::MIN)),
                Kind::Named { a: 1.0, b: '"' },
                Kind::Named { a: f64::NAN, b: 'é' },
            ],
            map: BTreeMap::from([(text.to_owned(), 1), ("b".to_owned(), -2)]),
            tuple: (1, 0.1, ()),
            nothing: Nothing,
            wrapped: Wrapped(u64::MAX),
            empty: ([], BTreeMap::new()),
        }
    }

    proptest! {
        #[test]
        fn it_is_what_serde_json_writes(text in "(?s).{0,40}") {
            let value = all(&text);
            let (ours, pretty) = (secret_json(&value).unwrap(), secret_json_pretty(&value).unwrap());
            prop_assert_eq!(ours.as_str(), serde_json::to_string(&value).unwrap());
            prop_assert_eq!(pretty.as_str(), serde_json::to_string_pretty(&value).unwrap());
        }

        #[test]
        fn a_string_is_read_as_it_was_written(text in "(?s).{0,40}", odd in proptest::char::any()) {
            let mut out = SecretText::new();
            push_json_string(&mut out, &text, |c| c == odd || !c.is_ascii());
            prop_assert!(out.as_str().is_ascii());
            let inner = &out.as_str()[1..out.as_str().len() - 1];
            let read = unescape_json(inner).unwrap();
            prop_assert_eq!(read.as_str(), &text);
            prop_assert_eq!(serde_json::from_str::<String>(out.as_str()).unwrap(), text);
        }
    }

    #[test]
    fn what_json_has_no_form_for_is_nothing() {
        assert!(secret_json(&BTreeMap::from([((1, 2), 3)])).is_none());
    }
}
