//! One entry of `token-cache.json`: read as leniently as Go does, and written in Go's order.

use crate::file::document::{members, push_string};
use crate::rfc3339;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Deref;
use u2m_core::{AccessToken, Lifetime, RefreshToken, SecretText, Session, unescape_json};
use zeroize::Zeroizing;

/// An entry's members that every reader knows, and the others unchanged.
#[derive(Default)]
pub(crate) struct Entry<'a> {
    access_token: EntryText<'a>,
    refresh_token: EntryText<'a>,
    expiry: Option<u2m_core::Timestamp>,
    expires_in: i64,
    pub(crate) others: Vec<(Cow<'a, str>, &'a str)>,
}

/// A text in an entry: borrowed from the file unless it contains escapes.
enum EntryText<'a> {
    Plain(&'a str),
    Unescaped(Zeroizing<String>),
}

impl Default for EntryText<'_> {
    fn default() -> Self {
        Self::Plain("")
    }
}

impl Deref for EntryText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Unescaped(text) => text,
        }
    }
}

/// The members in the order in which Go writes them.
const KNOWN: [&str; 5] = ["access_token", "token_type", "refresh_token", "expiry", "expires_in"];

/// Space for what surrounds a member's value, and for most values other than tokens.
const FRAME: usize = 24;

/// The white space of an entry.
struct EntryLayout {
    before_member: &'static str,
    colon: &'static str,
    end: &'static str,
}

/// As in the shared file.
const INDENTED: EntryLayout =
    EntryLayout { before_member: "\n      ", colon: ": ", end: "\n    }" };
/// As in a keyring item.
const COMPACT: EntryLayout = EntryLayout { before_member: "", colon: ":", end: "}" };

impl<'a> Entry<'a> {
    /// Parses one entry. `null` is an empty entry.
    pub(crate) fn parse(raw: &'a str) -> Result<Self, &'static str> {
        let members = members(raw).map_err(|_| "it is not an object")?;
        let mut entry = Self::default();
        let mut token_type = EntryText::default();
        // In the order of the file: if a member occurs twice, in any letter case, the last one counts.
        for (name, raw) in members {
            match KNOWN.iter().position(|known| name.eq_ignore_ascii_case(known)) {
                Some(0) => {
                    entry.access_token = text(raw).ok_or("its access_token is not a string")?
                }
                Some(1) => token_type = text(raw).ok_or("its token_type is not a string")?,
                Some(2) => {
                    entry.refresh_token = text(raw).ok_or("its refresh_token is not a string")?
                }
                Some(3) if raw == "null" => entry.expiry = None,
                Some(3) => {
                    let text = text(raw).ok_or("its expiry is not a string")?;
                    entry.expiry =
                        rfc3339::parse(&text).map_err(|_| "its expiry is not an RFC 3339 time")?;
                }
                Some(_) if raw == "null" => entry.expires_in = 0,
                Some(_) => {
                    entry.expires_in =
                        raw.parse().map_err(|_| "its expires_in is not a whole number")?
                }
                None => entry.others.push((name, raw)),
            }
        }
        if !token_type.is_empty() && !token_type.eq_ignore_ascii_case("bearer") {
            return Err("its token_type is not Bearer");
        }
        Ok(entry)
    }

    /// Returns the session, or `None` without any token.
    pub(crate) fn session(&self) -> Option<Session> {
        if self.access_token.is_empty() && self.refresh_token.is_empty() {
            return None;
        }
        let mut session = Session::new(AccessToken::new(&*self.access_token));
        if !self.refresh_token.is_empty() {
            session = session.with_refresh_token(RefreshToken::new(&*self.refresh_token));
        }
        if let Some(expiry) = self.expiry {
            session = session.with_expiry(expiry);
        }
        if self.expires_in > 0 {
            session = session.with_lifetime(Lifetime::from_seconds(self.expires_in));
        }
        Some(session)
    }

    /// Returns the text of an entry with this session's tokens and the unknown members of the entry that it replaces.
    pub(crate) fn write(&self, session: &Session, offset_seconds: i32) -> Zeroizing<String> {
        self.write_as(&INDENTED, session, offset_seconds)
    }

    /// Like [`Entry::write`], without any white space.
    #[cfg_attr(not(feature = "keyring"), allow(dead_code, reason = "the file is indented"))]
    pub(crate) fn write_compact(
        &self,
        session: &Session,
        offset_seconds: i32,
    ) -> Zeroizing<String> {
        self.write_as(&COMPACT, session, offset_seconds)
    }

    fn write_as(
        &self,
        layout: &EntryLayout,
        session: &Session,
        offset_seconds: i32,
    ) -> Zeroizing<String> {
        let refresh_token = session.refresh_token.as_ref().map_or("", RefreshToken::expose);
        let others = self.others.iter().map(|(name, raw)| name.len() + raw.len() + FRAME);
        let tokens = session.access_token.expose().len() + refresh_token.len();
        let mut out =
            SecretText::with_capacity(tokens + KNOWN.len() * 2 * FRAME + others.sum::<usize>());
        out.push('{');
        let mut member = |name: &str, write: &dyn Fn(&mut SecretText)| {
            if out.as_str().len() > 1 {
                out.push(',');
            }
            out.push_str(layout.before_member);
            push_string(&mut out, name);
            out.push_str(layout.colon);
            write(&mut out);
        };
        member("access_token", &|out| push_string(out, session.access_token.expose()));
        member("token_type", &|out| out.push_str("\"Bearer\""));
        if session.refresh_token.is_some() {
            member("refresh_token", &|out| push_string(out, refresh_token));
        }
        let known = session.known_expiry();
        let expiry = known.map_or_else(
            || rfc3339::UNKNOWN.to_owned(),
            |time| rfc3339::format(time, offset_seconds),
        );
        member("expiry", &|out| push_string(out, &expiry));
        if let Some(lifetime) = session.lifetime.filter(|lifetime| lifetime.seconds() > 0) {
            member("expires_in", &|out| {
                // Writing to a string cannot fail.
                let _ = write!(out, "{}", lifetime.seconds());
            });
        }
        for (name, raw) in &self.others {
            member(name, &|out| out.push_str(raw));
        }
        out.push_str(layout.end);
        out.finish()
    }
}

/// Returns the value of a complete JSON string. `null` is the empty string, as Go reads it.
fn text(raw: &str) -> Option<EntryText<'_>> {
    if raw == "null" {
        return Some(EntryText::default());
    }
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    match inner.contains('\\') {
        true => unescape_json(inner).map(EntryText::Unescaped),
        false => Some(EntryText::Plain(inner)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::Timestamp;

    #[test]
    fn an_entry_in_odd_letters_is_read_and_its_unknown_members_survive() {
        let entry =
            Entry::parse(r#"{"ACCESS_TOKEN":"a","expiry":null,"scopes":["all-apis"]}"#).unwrap();
        let session = entry.session().unwrap();
        assert_eq!(session.access_token.expose(), "a");
        assert_eq!(session.expiry, None);
        let out = entry.write(&Session::new(AccessToken::new("b")), 0).to_string();
        assert!(out.contains(r#""scopes": ["all-apis"]"#), "{out}");
        assert!(!out.contains("ACCESS_TOKEN"), "{out}");
    }

    #[test]
    fn what_is_written_is_a_go_entry_in_gos_order() {
        let session = Session::new(AccessToken::new("at"))
            .with_refresh_token(RefreshToken::new("rt"))
            .with_expiry(Timestamp::from_unix(1_774_000_000))
            .with_lifetime(Lifetime::from_seconds(3600));
        assert_eq!(
            Entry::default().write(&session, 3600).as_str(),
            "{\n      \"access_token\": \"at\",\n      \"token_type\": \"Bearer\",\n      \"refresh_token\": \"rt\",\n      \
             \"expiry\": \"2026-03-20T10:46:40.000001+01:00\",\n      \"expires_in\": 3600\n    }"
        );
        let bare = Session::new(AccessToken::new("at"));
        let bare = Entry::default().write(&bare, 3600).to_string();
        assert!(bare.contains("\"expiry\": \"0001-01-01T00:00:00Z\""), "{bare}");
    }

    #[test]
    fn refr_8_entries_without_a_token_are_no_session() {
        for raw in
            ["null", "{}", r#"{"x":1}"#, r#"{"access_token":null}"#, r#"{"access_token":""}"#]
        {
            assert!(Entry::parse(raw).unwrap().session().is_none(), "{raw}");
        }
    }

    #[test]
    fn file_2_bad_entries_are_reported_and_never_crash() {
        for raw in [
            "\"text\"",
            "[]",
            "7",
            r#"{"access_token":7}"#,
            r#"{"expires_in":"3600"}"#,
            r#"{"expires_in":1.5}"#,
            r#"{"expiry":1}"#,
            r#"{"expiry":"2099-01-01 00:00:00"}"#,
            r#"{"expiry":""}"#,
            r#"{"token_type":"mac"}"#,
        ] {
            assert!(Entry::parse(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn a_lifetime_of_nothing_is_not_written() {
        let of = |seconds| {
            let session = Session::new(AccessToken::new("at"));
            Entry::default().write(&session.with_lifetime(Lifetime::from_seconds(seconds)), 0)
        };
        assert!(of(1).contains("\"expires_in\": 1") && !of(0).contains("expires_in"));
    }
}
