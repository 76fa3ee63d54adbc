//! The members of a response's one object, each read by itself: an oddity in one of them, or in the bytes around the object,
//! does not hide the others.

use super::json_bytes::{JsonReader, is_end, readable, string};
use super::response_text::ResponseText;
use crate::form;
use crate::sent::SentSecrets;
use zeroize::Zeroizing;

/// How often a body may be read over in the search for its object.
const PASSES: usize = 32;

/// A number with fewer digits is a count or stands for "none"; it is not a token.
const TOKEN_DIGITS: usize = 8;

/// The members of an object: names and values, in the order of the document.
pub(crate) struct JsonMembers<'a> {
    list: Vec<(Zeroizing<String>, MemberValue<'a>)>,
    /// Whether the object was read to its end.
    is_whole: bool,
    is_form: bool,
}

/// A value as it was sent.
enum MemberValue<'a> {
    Form(ResponseText),
    Json(&'a [u8]),
}

impl MemberValue<'_> {
    fn token(&self) -> Option<ResponseText> {
        match self {
            Self::Form(said) => Some(said.clone()).filter(|said| !said.is_empty()),
            Self::Json(raw) => scalar(raw).or_else(|| match items_of(raw)?.as_slice() {
                [one] => scalar(one).filter(|_| one.starts_with(b"\"")),
                _ => None,
            }),
        }
    }
}

impl<'a> JsonMembers<'a> {
    /// The first object of `body` for which `counts` holds. With `nested`, also an object inside another, if none of the outer
    /// ones does.
    pub(crate) fn find(
        body: &'a [u8],
        nested: bool,
        counts: impl Fn(&JsonMembers<'a>) -> bool,
    ) -> Option<Self> {
        let mut left = body.len().saturating_mul(PASSES);
        for step_in in [false, true] {
            let mut at = 0;
            while let Some(open) = body[at..].iter().position(|byte| *byte == b'{') {
                let start = at + open;
                let mut reader = JsonReader { bytes: body, at: start + 1 };
                let members = reader.object();
                left = left.checked_sub(reader.at - start)?;
                if members.as_ref().is_some_and(&counts) {
                    return members;
                }
                at = if step_in || members.is_none() { start + 1 } else { reader.at };
            }
            if !nested {
                break;
            }
        }
        None
    }

    /// The members of a form.
    pub(crate) fn of_form(body: &[u8]) -> Self {
        let pairs = form::pairs(body.trim_ascii());
        let list = pairs.map(|(name, value)| (name, MemberValue::Form(ResponseText::new(value))));
        Self { list: list.collect(), is_whole: true, is_form: true }
    }

    /// Whether this is a form rather than an object. A form does not show whether its last value is complete.
    pub(crate) fn is_form(&self) -> bool {
        self.is_form
    }

    /// Whether the object reached its end.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The text of a member, or the digits of a number: the last one that can be read and is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<ResponseText> {
        self.last(name, |value| match value {
            MemberValue::Form(said) => Some(said.clone()),
            MemberValue::Json(raw) => scalar(raw),
        })
        .filter(|said| !said.is_empty())
    }

    /// Like [`JsonMembers::text`], but only if the member is a string.
    pub(crate) fn word(&self, name: &str) -> Option<ResponseText> {
        self.last(name, |value| match value {
            MemberValue::Form(said) => Some(said.clone()),
            MemberValue::Json(raw) => scalar(raw).filter(|_| raw.starts_with(b"\"")),
        })
        .filter(|said| !said.is_empty())
    }

    /// The text of a member for people to read, like [`JsonMembers::word`]. Bytes that are not UTF-8 are replaced by U+FFFD.
    pub(crate) fn line(&self, name: &str) -> Option<ResponseText> {
        self.last(name, |value| match value {
            MemberValue::Form(said) => Some(said.clone()),
            MemberValue::Json(raw) => {
                readable(raw).map(ResponseText::new).filter(|said| !said.is_empty())
            }
        })
        .filter(|said| !said.is_empty())
    }

    /// The members of an object in a member.
    pub(crate) fn inner(&self, name: &str) -> Option<JsonMembers<'a>> {
        self.last(name, |value| match value {
            MemberValue::Json([b'{', rest @ ..]) => JsonReader { bytes: rest, at: 0 }.object(),
            _ => None,
        })
    }

    /// A member that holds a token: its text, as for [`JsonMembers::text`], or the one text in a list of one.
    pub(crate) fn token(&self, name: &str) -> Option<ResponseText> {
        self.last(name, MemberValue::token)
    }

    /// The refresh token, as for [`JsonMembers::token`]. Of several, one that was not sent is preferred. Words for "none" and
    /// placeholders that hide a token do not count.
    pub(crate) fn refresh_token(&self, sent: &SentSecrets) -> Option<ResponseText> {
        let token = |value: &MemberValue<'a>| {
            let is_number = matches!(value, MemberValue::Json(raw) if !raw.starts_with(b"\"") && !raw.starts_with(b"["));
            let said = value.token()?;
            (!said.is_filler() && !said.is_hidden_part_of(sent))
                .then_some(said)
                .filter(|said| !is_number || said.digits() >= TOKEN_DIGITS)
        };
        let fresh = |value: &MemberValue<'a>| token(value).filter(|said| !said.is_one_of(sent));
        self.last("refresh_token", fresh).or_else(|| self.last("refresh_token", token))
    }

    /// Whether there may be a refresh token that cannot be read: the member holds more than words for "none".
    pub(crate) fn hides_refresh_token(&self, sent: &SentSecrets) -> bool {
        self.named("refresh_token").any(|value| match value {
            MemberValue::Form(said) => !said.is_filler() && !said.is_hidden_part_of(sent),
            MemberValue::Json(raw) => !is_none(raw, sent),
        })
    }

    /// Whether a member of this name holds anything, readable or not. `null`, `false`, 0 and empty values do not count.
    pub(crate) fn says(&self, name: &str) -> bool {
        let is_empty = |raw: &[u8]| raw.iter().all(|byte| b"[]{}, \t\r\n".contains(byte));
        self.named(name).any(|value| match value {
            MemberValue::Form(said) => !said.is_empty(),
            MemberValue::Json(raw) => {
                !matches!(*raw, b"null" | b"false" | b"0" | b"\"\"") && !is_empty(raw)
            }
        })
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &MemberValue<'a>> {
        let named = self.list.iter().filter(move |(is, _)| is.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value)
    }

    /// The texts of a member that may be one text or a list.
    pub(crate) fn texts(&self, name: &str) -> Vec<ResponseText> {
        let all = |value: &MemberValue<'a>| {
            let texts: Vec<_> = match value {
                MemberValue::Form(said) => vec![said.clone()],
                MemberValue::Json(raw) => match items_of(raw) {
                    Some(items) => items.into_iter().filter_map(scalar).collect(),
                    None => scalar(raw).into_iter().collect(),
                },
            };
            (!texts.is_empty()).then_some(texts)
        };
        self.last(name, all).unwrap_or_default()
    }

    /// The last member of this name from which `read` gets something. If no name matches exactly, case is ignored, as Go's JSON
    /// reader does.
    fn last<T>(&self, name: &str, read: impl Fn(&MemberValue<'a>) -> Option<T>) -> Option<T> {
        let find = |is_it: &dyn Fn(&str) -> bool| {
            let named = self.list.iter().rev().filter(|(is, _)| is_it(is));
            named.map(|(_, value)| value).find_map(&read)
        };
        find(&|is| *is == *name).or_else(|| find(&|is| is.eq_ignore_ascii_case(name)))
    }
}

impl<'a> JsonReader<'a> {
    /// The object after whose brace the reader stands. `None` if it cannot be one.
    fn object(&mut self) -> Option<JsonMembers<'a>> {
        let mut members = JsonMembers { list: Vec::new(), is_whole: false, is_form: false };
        loop {
            self.skip_commas();
            match self.peek() {
                Some(b'}') => {
                    self.at += 1;
                    members.is_whole = true;
                    return Some(members);
                }
                Some(b'"') => {
                    let name = self.quoted().and_then(string);
                    self.skip_space();
                    if self.peek() != Some(b':') {
                        break;
                    }
                    self.at += 1;
                    self.skip_space();
                    let Some(value) = self.value() else { break };
                    if let Some(name) = name {
                        members.list.push((name, MemberValue::Json(value)));
                    }
                }
                // After an invalid value: skip to the next name.
                Some(byte) if !members.list.is_empty() && byte != b'{' => {
                    self.at += 1;
                }
                _ => break,
            }
        }
        (!members.list.is_empty()).then_some(members)
    }
}

/// A text, or a number as it is written; `None` for `true`, `null`, lists and objects.
fn scalar(raw: &[u8]) -> Option<ResponseText> {
    match raw.first()? {
        b'"' => string(raw).map(ResponseText::new),
        b'-' | b'0'..=b'9' => Some(ResponseText::new(std::str::from_utf8(raw).ok()?.to_owned())),
        _ => None,
    }
    .filter(|said| !said.is_empty())
}

/// Whether a value only says that there is no token: `null`, `false`, a number too short for a token, a filler, or a list or
/// object of only these.
fn is_none(raw: &[u8], sent: &SentSecrets) -> bool {
    let is_word = |said: &ResponseText| said.is_filler() || said.is_hidden_part_of(sent);
    let mut reader = JsonReader { bytes: raw, at: 0 };
    loop {
        reader.skip_commas();
        match reader.peek() {
            None => return true,
            Some(b'[' | b']' | b'{' | b'}') => reader.at += 1,
            Some(b'"') => match reader.quoted().and_then(string).map(ResponseText::new) {
                Some(said) if is_word(&said) => {}
                _ => return false,
            },
            Some(first) => {
                let start = reader.at;
                let rest = &raw[start..];
                reader.at += rest.iter().position(is_end).unwrap_or(rest.len());
                let word = String::from_utf8_lossy(&raw[start..reader.at]).into_owned();
                let said = ResponseText::new(word);
                let is_count = matches!(first, b'-' | b'0'..=b'9') && said.digits() < TOKEN_DIGITS;
                if !is_count && !said.is_word("false") && !said.is_filler() {
                    return false;
                }
            }
        }
    }
}

/// The values of a list; `None` if it is not a list.
fn items_of(raw: &[u8]) -> Option<Vec<&[u8]>> {
    raw.starts_with(b"[").then(|| items(raw))
}

fn items(raw: &[u8]) -> Vec<&[u8]> {
    let mut reader = JsonReader { bytes: raw, at: 1 };
    let mut items = Vec::new();
    loop {
        reader.skip_commas();
        match reader.peek() {
            None | Some(b']') => return items,
            _ => match reader.value() {
                // A bracket that does not belong here.
                Some([]) => reader.at += 1,
                Some(item) => items.push(item),
                None => return items,
            },
        }
    }
}

#[cfg(test)]
#[path = "members_tests.rs"]
mod tests;
