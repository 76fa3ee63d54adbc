//! `.databrickscfg`: reading any text, and setting, clearing and removing in it. The first line of an input is
//! `section|key|value`, the rest the file.
//!
//! - The constructs of a text are all of it, from its byte-order mark to its end.
//! - Setting a key that is there changes bytes inside that key's lines alone; setting one that is not takes no byte away.
//!   Taking a key out takes its lines, and nothing else. All other keys of all sections keep their values, and setting
//!   twice is setting once.
//! - A whole edit, as a login makes it, leaves a text that can be read, with the values that were asked for; its backup
//!   can be read and holds no credential that the edit took away.
//! - What is refused changes nothing.
#![no_main]

use std::collections::BTreeMap;
use u2m_config::fuzzing::{Piece, edit, is_editable, pieces, remove, set};
use u2m_config::{CREDENTIAL_KEYS, ConfigFile, LOGIN_CLEARS, SETTINGS};
use u2m_fuzz::first_line;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((line, text)) = first_line(input) else { return };
    let mut words = line.splitn(3, '|');
    let (Some(section), Some(key), Some(value)) = (words.next(), words.next(), words.next()) else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(before) = pieces(text) else {
        assert!(ConfigFile::parse(text).is_err());
        return;
    };
    tiled(text, &before);
    if !is_editable(ConfigFile::parse(text).expect("it has constructs")) {
        assert!(text.ends_with("\"\"\""), "{text:?}");
        return;
    }
    one_key(text, &before, section, key, value);
    whole_edit(text, section, key, value);
});

fn tiled(text: &str, pieces: &[Piece]) {
    let mut at = if text.starts_with('\u{feff}') { 3 } else { 0 };
    for piece in pieces {
        assert_eq!(piece.span.start, at);
        at = piece.span.end;
    }
    assert_eq!(at, text.len());
    let file = ConfigFile::parse(text).expect("it has constructs");
    for ((section, key), value) in values(pieces) {
        assert_eq!(file.get(&section, &key), Some(value.as_str()), "{section} {key}");
    }
}

fn one_key(text: &str, before: &[Piece], section: &str, key: &str, value: &str) {
    let ours = |piece: &Piece| {
        let same = |(name, _): &(String, String)| name.eq_ignore_ascii_case(key);
        piece.section == section && piece.pair.as_ref().is_some_and(same)
    };
    let places: Vec<_> =
        before.iter().filter(|piece| ours(piece)).map(|p| p.span.clone()).collect();
    let others = |pieces: &[Piece]| {
        let mut values = values(pieces);
        values.retain(|(of, name), _| of != section || !name.eq_ignore_ascii_case(key));
        values
    };
    if let Ok(after) = set(text, section, key, value) {
        let found = pieces(&after).unwrap_or_else(|error| panic!("{error}: {after:?}"));
        let file = ConfigFile::parse(after.as_str()).expect("it has constructs");
        assert_eq!(file.get(section, key), Some(value), "{after:?}");
        assert_eq!(others(&found), others(before), "{after:?}");
        let within = |place: &std::ops::Range<usize>| {
            let (head, tail) = (&text[..place.start], &text[place.end..]);
            after.len() >= head.len() + tail.len()
                && after.starts_with(head)
                && after.ends_with(tail)
        };
        let fits =
            if places.is_empty() { is_insertion(text, &after) } else { places.iter().any(within) };
        assert!(fits, "{text:?} became {after:?}");
        assert_eq!(set(&after, section, key, value).ok().as_ref(), Some(&after));
    }
    let after = remove(text, section, key);
    let mut expected = text.to_owned();
    places.iter().rev().for_each(|place| expected.replace_range(place.clone(), ""));
    if expected.starts_with('\u{feff}') && !text.starts_with('\u{feff}') {
        // It was part of a key, and stays that.
        let line = after.strip_suffix(&expected).expect("the rest is what it was");
        assert!(line == "\n" || line == "\r\n", "{after:?}");
    } else {
        assert_eq!(after, expected);
    }
    let found = pieces(&after).unwrap_or_else(|error| panic!("{error}: {after:?}"));
    assert_eq!(values(&found), others(before), "{after:?}");
}

fn whole_edit(text: &str, section: &str, key: &str, value: &str) {
    let file = || ConfigFile::parse(text).expect("it has constructs");
    let merged = edit(file(), |draft| draft.merge_profile(section, &[(key, value)], LOGIN_CLEARS));
    if let Ok((after, backup)) = merged {
        let read =
            ConfigFile::parse(after.as_str()).unwrap_or_else(|error| panic!("{error}: {after:?}"));
        if !value.is_empty() {
            assert_eq!(read.get(section, key), Some(value), "{after:?}");
        }
        for cleared in LOGIN_CLEARS.iter().filter(|cleared| **cleared != key) {
            assert_eq!(read.get(section, cleared), None, "{cleared} in {after:?}");
        }
        let old = ConfigFile::parse(backup.as_str())
            .unwrap_or_else(|error| panic!("{error}: {backup:?}"));
        for cleared in CREDENTIAL_KEYS {
            let there = file().get(section, cleared).map(|_| "REDACTED");
            assert_eq!(old.get(section, cleared), there, "{cleared} in {backup:?}");
        }
        for profile in file().profiles().iter().filter(|profile| profile.name() != section) {
            assert_eq!(read.profile(profile.name()).as_ref(), Some(profile));
            assert_eq!(old.profile(profile.name()).as_ref(), Some(profile));
        }
    }
    let known = file().profile(section).is_some();
    let removed = edit(file(), |draft| draft.remove_profile(section));
    assert_eq!(removed.is_ok(), known);
    if let Ok((after, _)) = removed {
        let read =
            ConfigFile::parse(after.as_str()).unwrap_or_else(|error| panic!("{error}: {after:?}"));
        assert!(read.profile(section).is_none() && section != SETTINGS);
        let names = |file: &ConfigFile| -> Vec<String> {
            file.profiles().iter().map(|profile| profile.name().to_owned()).collect()
        };
        let mut expected = names(&file());
        expected.retain(|name| name != section);
        assert_eq!(names(&read), expected, "{after:?}");
    }
}

/// The last value of each key of each section.
fn values(pieces: &[Piece]) -> BTreeMap<(String, String), String> {
    let pair = |piece: &Piece| {
        let (key, value) = piece.pair.clone()?;
        Some(((piece.section.clone(), key), value))
    };
    pieces.iter().filter_map(pair).collect()
}

/// Whether `after` is `before` with something put in at one place.
fn is_insertion(before: &str, after: &str) -> bool {
    let same = |(a, b): &(u8, u8)| a == b;
    let head = before.bytes().zip(after.bytes()).take_while(same).count();
    let tail = before.bytes().rev().zip(after.bytes().rev()).take_while(same).count();
    after.len() >= before.len() && head + tail >= before.len()
}
