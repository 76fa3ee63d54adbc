//! Parses the text of `token-cache.json` entry by entry, and writes it as the Go SDK does.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::OnceLock;
use u2m_core::{SecretText, push_json_string};
use zeroize::Zeroizing;

/// A change of an entry: its new text, or `None` to remove it.
pub(super) type MemberChange<'a> = (&'a str, Option<Zeroizing<String>>);

/// Space for what surrounds a member: quotes, white space and a comma.
const FRAME: usize = 16;

/// A cache file's members. Entries stay unparsed, so that a bad one does not hide others and an unchanged one keeps its
/// bytes.
#[derive(Debug, Default)]
pub(super) struct CacheDocument<'a> {
    /// As written; `None` if the member is absent.
    pub(super) version: Option<Cow<'a, str>>,
    /// Keys and entries, in the order of the file. If a key occurs twice, the later one counts.
    pub(super) entries: Vec<(Cow<'a, str>, &'a str)>,
    /// Members that this program does not know.
    pub(super) others: Vec<(Cow<'a, str>, &'a str)>,
    /// The positions of the entries that count, sorted by key. Filled at the first lookup, so that later ones need no search.
    order: OnceLock<Vec<usize>>,
}

/// The result of parsing, which may have ended early.
pub(super) struct ParsedCache<'a> {
    pub(super) document: CacheDocument<'a>,
    /// Where and why parsing ended early. What was read until then is in the document.
    pub(super) broken: Option<String>,
}

/// Parses a file as leniently as Go does about names and unknown members. An empty text is an empty document.
pub(super) fn parse(text: &str) -> ParsedCache<'_> {
    let mut document = CacheDocument::default();
    if text.trim_ascii().is_empty() {
        document.version = Some("1".into());
        return ParsedCache { document, broken: None };
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = TopLevel(&mut document).deserialize(&mut reader).and_then(|()| reader.end());
    let broken = read.err().map(|error| reason(&error));
    if broken.is_some() && document.version.is_none() {
        document.version = version_of(text);
    }
    ParsedCache { document, broken }
}

/// Returns the version of a file that is JSON in a format that this program does not know.
fn version_of(text: &str) -> Option<Cow<'_, str>> {
    let found = members(text).ok()?;
    let version = found.into_iter().rev().find(|(name, _)| name.eq_ignore_ascii_case("version"));
    version.map(|(_, raw)| Cow::Borrowed(raw))
}

/// Describes a parse error without quoting the text, which may be a token (T14).
fn reason(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => {
            let (line, column) = (error.line(), error.column());
            format!("it has another form than a token cache at line {line} column {column}")
        }
        _ => error.to_string(),
    }
}

/// Returns the members of an object, unparsed and in order. `null` has none.
pub(crate) fn members(text: &str) -> serde_json::Result<Vec<(Cow<'_, str>, &str)>> {
    let mut found = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(text);
    Entries(&mut found).deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

impl<'a> CacheDocument<'a> {
    /// Returns the entry under `key`, unparsed.
    pub(super) fn entry(&self, key: &str) -> Option<&'a str> {
        let order = self.order();
        let found = order.binary_search_by(|at| self.entries[*at].0.as_ref().cmp(key));
        found.ok().map(|place| self.entries[order[place]].1)
    }

    /// Returns the keys without duplicates, sorted by their bytes.
    pub(super) fn keys(&self) -> Vec<&str> {
        self.order().iter().map(|at| self.entries[*at].0.as_ref()).collect()
    }

    fn order(&self) -> &[usize] {
        self.order.get_or_init(|| {
            let name = |at: usize| self.entries[at].0.as_ref();
            let mut order: Vec<usize> = (0..self.entries.len()).collect();
            // Entries of the same key stay in the order of the file.
            order.sort_by(|one, other| name(*one).cmp(name(*other)));
            order.dedup_by(|later, kept| {
                let is_twice = name(*later) == name(*kept);
                if is_twice {
                    *kept = *later;
                }
                is_twice
            });
            order
        })
    }

    /// Returns a member that Go programs do not know, unparsed.
    #[cfg(feature = "encrypted")]
    pub(super) fn other(&self, name: &str) -> Option<&'a str> {
        self.others.iter().rev().find(|(known, _)| known == name).map(|(_, raw)| *raw)
    }

    /// Returns the file's format, if it names one.
    pub(super) fn format(&self) -> Option<String> {
        let found = self.others.iter().rev().find(|(name, _)| name == "format");
        found.map(|(_, raw)| serde_json::from_str(raw).unwrap_or_else(|_| (*raw).to_owned()))
    }

    /// Returns the file with `changes` made: `Some` replaces or adds an entry, `None` removes it. Members of `head` are
    /// written before the entries, so that a truncated file still has them. Keys are sorted by their bytes, and there is no
    /// final newline, as in Go's writer.
    pub(super) fn with(
        &self,
        head: &[(&str, String)],
        changes: &[MemberChange<'_>],
    ) -> Zeroizing<String> {
        let changed: BTreeSet<&str> = changes.iter().map(|(name, _)| *name).collect();
        let kept =
            self.order().iter().map(|at| (self.entries[*at].0.as_ref(), self.entries[*at].1));
        let mut entries: Vec<(&str, &str)> =
            kept.filter(|(key, _)| !changed.contains(key)).collect();
        for (key, entry) in changes {
            entries.extend(entry.as_ref().map(|raw| (*key, raw.as_str())));
        }
        entries.sort_by_key(|(key, _)| *key);
        let is_new = |name: &str| head.iter().all(|(known, _)| *known != name);
        let others = self.others.iter().filter(|(name, _)| is_new(name));
        let others = others.map(|(name, raw)| (name.as_ref(), *raw));
        let head = head.iter().map(|(name, raw)| (*name, raw.as_str()));
        // Each remaining entry is copied once.
        let all = head.clone().chain(entries.iter().copied()).chain(others.clone());
        let room = all.map(|(name, raw)| name.len() + raw.len() + FRAME).sum::<usize>();
        let mut out = SecretText::with_capacity(room + 2 * FRAME);
        out.push_str("{\n  \"version\": 1");
        for (name, raw) in head {
            push_member(&mut out, name, raw);
        }
        out.push_str(",\n  \"tokens\": {");
        for (at, (key, raw)) in entries.iter().enumerate() {
            out.push_str(if at == 0 { "\n    " } else { ",\n    " });
            push_string(&mut out, key);
            out.push_str(": ");
            out.push_str(raw);
        }
        out.push_str(if entries.is_empty() { "}" } else { "\n  }" });
        for (name, raw) in others {
            push_member(&mut out, name, raw);
        }
        out.push_str("\n}");
        out.finish()
    }
}

fn push_member(out: &mut SecretText, name: &str, raw: &str) {
    out.push_str(",\n  ");
    push_string(out, name);
    out.push_str(": ");
    out.push_str(raw);
}

/// Writes a JSON string with the escapes of Go's writer.
pub(crate) fn push_string(out: &mut SecretText, text: &str) {
    push_json_string(out, text, |c| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}'));
}

struct TopLevel<'d, 'a>(&'d mut CacheDocument<'a>);

impl<'a> DeserializeSeed<'a> for TopLevel<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for TopLevel<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with version and tokens")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(JsonText(name)) = map.next_key()? {
            if name.eq_ignore_ascii_case("tokens") {
                map.next_value_seed(Entries(&mut self.0.entries))?;
                continue;
            }
            let raw: &'a RawValue = map.next_value()?;
            match name.eq_ignore_ascii_case("version") {
                true => self.0.version = Some(raw.get().into()),
                false => self.0.others.push((name, raw.get())),
            }
        }
        Ok(())
    }
}

struct Entries<'d, 'a>(&'d mut Vec<(Cow<'a, str>, &'a str)>);

impl<'a> DeserializeSeed<'a> for Entries<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'a> Visitor<'a> for Entries<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tokens")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(JsonText(key)) = map.next_key()? {
            let raw: &'a RawValue = map.next_value()?;
            self.0.push((key, raw.get()));
        }
        Ok(())
    }
}

/// A string that is borrowed if it has no escapes.
struct JsonText<'a>(Cow<'a, str>);

impl<'a> serde::Deserialize<'a> for JsonText<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'a> Visitor<'a> for Either {
            type Value = JsonText<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'a str) -> Result<JsonText<'a>, E> {
                Ok(JsonText(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<JsonText<'a>, E> {
                Ok(JsonText(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_PROFILES: &str = "{\n  \"version\": 1,\n  \"tokens\": {\n    \"dev\": {\n      \"access_token\": \"at-dev-1\",\n      \"token_type\": \"Bearer\",\n      \"refresh_token\": \"rt-dev-1\",\n      \"expiry\": \"2026-03-10T22:33:09.12+01:00\",\n      \"expires_in\": 3600\n    },\n    \"https://ws-1.cloud.databricks.com\": {\n      \"access_token\": \"at-prod-1\",\n      \"expiry\": \"0001-01-01T00:00:00Z\"\n    }\n  }\n}";

    #[test]
    fn an_empty_cache_is_the_34_bytes_that_go_writes() {
        let text = parse("").document.with(&[], &[]).to_string();
        assert_eq!(text, "{\n  \"version\": 1,\n  \"tokens\": {}\n}");
        assert_eq!(text.len(), 34);
    }

    #[test]
    fn a_file_by_go_comes_out_byte_for_byte() {
        assert_eq!(parse(TWO_PROFILES).document.with(&[], &[]).as_str(), TWO_PROFILES);
    }

    #[test]
    fn file_3_unknown_members_survive_a_change_elsewhere() {
        let text = r#"{"Version":1,"note":"kept","tokens":{"dev":{"ACCESS_TOKEN":"a","expiry":null,"scopes":["all-apis"]}}}"#;
        let new = ("new", Some("{}".to_owned().into()));
        let out = parse(text).document.with(&[], &[new]).to_string();
        assert!(out.contains(r#""note": "kept""#), "{out}");
        assert!(
            out.contains(r#"{"ACCESS_TOKEN":"a","expiry":null,"scopes":["all-apis"]}"#),
            "{out}"
        );
        assert!(parse(&out).broken.is_none());
    }

    #[test]
    fn file_4_what_stands_before_the_damage_is_found() {
        let cut = &TWO_PROFILES[..TWO_PROFILES.len() - 60];
        let parsed = parse(cut);
        assert!(parsed.broken.is_some());
        assert_eq!(parsed.document.keys(), ["dev"]);
        let trailing = format!("{TWO_PROFILES}}}");
        let parsed = parse(&trailing);
        assert!(parsed.broken.is_some());
        assert_eq!(parsed.document.keys().len(), 2);
    }

    #[test]
    fn later_duplicates_win_and_null_tokens_are_no_tokens() {
        let text = r#"{"version":1,"tokens":{"a":1,"a":2}}"#;
        assert_eq!(parse(text).document.entry("a"), Some("2"));
        assert!(parse(r#"{"version":1,"tokens":null}"#).broken.is_none());
        assert!(parse(r#"{"version":1,"tokens":[]}"#).broken.is_some());
        assert!(parse("null").broken.is_some());
        assert!(parse("\u{feff}{}").broken.is_some());
    }

    #[test]
    fn however_often_a_key_stands_there_and_wherever_its_last_entry_counts() {
        let text = r#"{"version":1,"tokens":{"b":1,"a":1,"c":1,"a":2,"b":2,"a":3}}"#;
        let document = parse(text).document;
        assert_eq!(document.keys(), ["a", "b", "c"]);
        let entry = |key| document.entry(key);
        assert_eq!((entry("a"), entry("b"), entry("c")), (Some("3"), Some("2"), Some("1")));
        assert_eq!((entry(""), entry("aa"), entry("d")), (None, None, None));
        let out = document.with(&[], &[("b", None), ("bb", Some("4".to_owned().into()))]);
        assert_eq!(
            out.split_whitespace().collect::<String>(),
            r#"{"version":1,"tokens":{"a":3,"bb":4,"c":1}}"#
        );
    }

    #[test]
    fn strings_are_escaped_as_gos_writer_does() {
        let mut out = SecretText::new();
        push_string(&mut out, "a\"\\\n\u{1}<>&\u{2028}é/");
        assert_eq!(out.as_str(), r#""a\"\\\n\u0001\u003c\u003e\u0026\u2028é/""#);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(?s).{0,200}") {
            let _ = parse(&text).document.with(&[], &[("k", None)]);
        }

        #[test]
        fn any_key_survives_writing_and_reading(key in "(?s).{0,20}") {
            let new = (key.as_str(), Some("{}".to_owned().into()));
            let out = parse("").document.with(&[], &[new]);
            proptest::prop_assert_eq!(parse(&out).document.entry(&key), Some("{}"));
        }
    }
}
