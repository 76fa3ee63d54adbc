//! The content of a keyring item: `{"token":{…}}`, byte for byte as Databricks' CLI writes it, or a manifest of parts if the
//! keyring limits the size of items.

use crate::entry::Entry;
use crate::file::document::members;
use crate::zone;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use u2m_core::{SecretText, Session, Timestamp};
use zeroize::Zeroizing;

/// The only format of manifests so far.
const FORM: u64 = 1;

/// A manifest is stored in place of the token. It is a string, which other programs report as an error; an object without
/// tokens would crash Databricks' CLI.
const IN_PARTS: &str = "in parts, for u2m";

/// The content of an item.
#[derive(Debug)]
pub(super) enum ItemContent {
    /// It contains no token.
    Nothing,
    Session(Box<Session>),
    Parts(PartsManifest),
}

/// Why an item cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum UnreadableItem {
    Bad(&'static str),
    /// It has a format that a newer program wrote.
    Newer(u64),
}

/// Describes the parts of a long value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartsManifest {
    form: u64,
    /// Values alternate between two sets of names, so that the old value exists until the new one is complete.
    pub(super) slot: u8,
    pub(super) parts: usize,
    /// The length of the whole value in bytes.
    pub(super) length: usize,
    /// The hash of the whole value in hex.
    sha256: String,
}

/// Returns the bytes of an item for this session.
pub(super) fn write(session: &Session) -> Zeroizing<Vec<u8>> {
    let at = session.known_expiry().unwrap_or(Timestamp::from_unix(0));
    let entry = Entry::default().write_compact(session, zone::offset_at(at));
    Zeroizing::new([br#"{"token":"#, entry.as_bytes(), b"}"].concat())
}

/// Reads an item as leniently as Databricks' CLI does: further members are ignored, and a missing token means none.
pub(super) fn read(bytes: &[u8]) -> Result<ItemContent, UnreadableItem> {
    // Bytes that are not UTF-8 invalidate the string that contains them.
    let text = SecretText::from_utf8_lossy(bytes).finish();
    let members = members(&text).map_err(|_| UnreadableItem::Bad("it is not a JSON object"))?;
    let find = |wanted: &str| {
        let mut matching =
            members.iter().rev().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        matching.next().map(|(_, raw)| *raw)
    };
    if let Some(raw) = find("u2m") {
        return manifest(raw).map(ItemContent::Parts);
    }
    let Some(raw) = find("token") else { return Ok(ItemContent::Nothing) };
    let entry = Entry::parse(raw).map_err(UnreadableItem::Bad)?;
    Ok(entry.session().map_or(ItemContent::Nothing, |session| ItemContent::Session(session.into())))
}

fn manifest(raw: &str) -> Result<PartsManifest, UnreadableItem> {
    #[derive(Deserialize)]
    struct Form {
        form: u64,
    }
    let damaged = |_| UnreadableItem::Bad("its list of parts is damaged");
    match serde_json::from_str::<Form>(raw).map_err(damaged)?.form {
        FORM => serde_json::from_str(raw).map_err(damaged),
        newer => Err(UnreadableItem::Newer(newer)),
    }
}

impl PartsManifest {
    pub(super) fn new(slot: u8, parts: usize, whole: &[u8]) -> Self {
        Self { form: FORM, slot, parts, length: whole.len(), sha256: sha256(whole) }
    }

    /// Returns whether these are the bytes that it was made for.
    pub(super) fn fits(&self, whole: &[u8]) -> bool {
        self.length == whole.len() && self.sha256 == sha256(whole)
    }

    /// Returns the bytes of the item that holds the manifest.
    pub(super) fn item(&self) -> Zeroizing<Vec<u8>> {
        let json = serde_json::to_string(self).unwrap_or_default();
        Zeroizing::new(format!(r#"{{"token":"{IN_PARTS}","u2m":{json}}}"#).into_bytes())
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::{AccessToken, Lifetime, RefreshToken};

    fn session() -> Session {
        Session::new(AccessToken::new("at-<demo>"))
            .with_refresh_token(RefreshToken::new("rt-demo"))
            .with_expiry(Timestamp::from_unix(4_070_908_800))
            .with_lifetime(Lifetime::from_seconds(3600))
    }

    #[test]
    fn an_item_is_the_compact_json_of_the_cli_with_gos_escapes() {
        let text = String::from_utf8(write(&session()).to_vec()).unwrap();
        let expiry = crate::format_local(Timestamp::from_unix(4_070_908_800));
        assert_eq!(
            text,
            format!(
                r#"{{"token":{{"access_token":"at-\u003cdemo\u003e","token_type":"Bearer","refresh_token":"rt-demo","expiry":"{expiry}","expires_in":3600}}}}"#
            )
        );
        let bare = write(&Session::new(AccessToken::new("a")));
        let wanted = r#"{"token":{"access_token":"a","token_type":"Bearer","expiry":"0001-01-01T00:00:00Z"}}"#;
        assert_eq!(String::from_utf8_lossy(&bare), wanted);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let Ok(ItemContent::Session(read)) = read(&write(&session())) else { panic!() };
        assert_eq!(*read, session());
    }

    #[test]
    fn an_item_without_a_token_is_nothing_and_further_members_mean_nothing() {
        for none in ["{}", r#"{"token":null}"#, r#"{"token":{}}"#, r#"{"other":7}"#, "null"] {
            assert!(matches!(read(none.as_bytes()), Ok(ItemContent::Nothing)), "{none}");
        }
        let more = br#"{"v":2,"Token":{"access_token":"a","expiry":null,"x":{}},"z":[]}"#;
        let Ok(ItemContent::Session(found)) = read(more) else { panic!() };
        assert_eq!(found.access_token.expose(), "a");
    }

    #[test]
    fn key_10_what_cannot_be_read_is_said_to_be_bad() {
        let cases: [&[u8]; 7] = [
            b"",
            b"at-raw",
            b"[]",
            br#"{"token":"at"}"#,
            br#"{"token":{"access_token":7}}"#,
            br#"{"token":{"access_token":"a","expiry":"soon"}}"#,
            br#"{"token":{}}}"#,
        ];
        for bad in cases {
            assert!(matches!(read(bad), Err(UnreadableItem::Bad(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_manifest_knows_its_whole_and_a_newer_one_is_told_apart_from_damage() {
        let manifest = PartsManifest::new(1, 3, b"whole");
        let Ok(ItemContent::Parts(found)) = read(&manifest.item()) else { panic!() };
        assert_eq!(found, manifest);
        assert!(found.fits(b"whole") && !found.fits(b"whale") && !found.fits(b"whole "));
        let newer = br#"{"token":"in parts","u2m":{"form":2,"chunks":{}}}"#;
        assert_eq!(read(newer).unwrap_err(), UnreadableItem::Newer(2));
        let damaged = br#"{"token":"in parts","u2m":{"form":1}}"#;
        assert!(matches!(read(damaged), Err(UnreadableItem::Bad(_))));
    }
}
