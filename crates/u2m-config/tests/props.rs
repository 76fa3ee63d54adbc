//! Whatever the file looks like, an edit changes what it was asked to change and nothing else.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use u2m_config::{ConfigFile, Editor};

const KEYS: [&str; 4] = ["host", "token", "account_id", "scopes"];
const SECTIONS: [&str; 4] = ["a", "a.b", "DEFAULT", "__settings__"];

fn line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(KEYS.to_vec());
    let value = prop::sample::select(vec![
        "",
        "v",
        "  v w  ",
        "v # c",
        "v ; c",
        "'v'",
        "\"v\" # c",
        "`v # w`",
        "`v` ; c # d",
        "`v`x",
        "`v\nw`",
        "\"\"\"v\n[b]\n\"\"\" # c",
        "v \\\nw",
        "v \\",
        "v#c",
        "\"v\"w\"",
        "ä",
    ]);
    let sign = prop::sample::select(vec![" = ", "=", " : ", "= ", "\t=\t"]);
    prop_oneof![
        6 => (prop::sample::select(vec!["", "", "", "  "]), key, sign, value)
            .prop_map(|(indent, key, sign, value)| format!("{indent}{key}{sign}{value}")),
        2 => prop::sample::select(SECTIONS.to_vec()).prop_map(|name| format!("[{name}]")),
        1 => Just("# comment".to_owned()),
        2 => Just(String::new()),
    ]
}

/// A well-formed text, with or without a line end at its end, in either convention.
fn text() -> impl Strategy<Value = String> {
    let lines = prop::collection::vec(line(), 0..12);
    let texts = (lines, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(lines, ended, windows, marked)| {
            let mark = if marked { "\u{feff}" } else { "" };
            let text = mark.to_owned() + &lines.join("\n") + if ended { "\n" } else { "" };
            if windows { text.replace('\n', "\r\n") } else { text }
        },
    );
    // A continuation can tear a quoted value apart.
    texts.prop_filter("well-formed", |text| ConfigFile::parse(&**text).is_ok())
}

/// Every value of every section this test knows of.
fn model(text: &str) -> BTreeMap<(&'static str, &'static str), String> {
    let file = ConfigFile::parse(text).expect("the text is well-formed");
    let places = SECTIONS.iter().flat_map(|section| KEYS.iter().map(|key| (*section, *key)));
    places
        .filter_map(|(section, key)| Some(((section, key), file.get(section, key)?.to_owned())))
        .collect()
}

fn edited(before: &str, mut change: impl FnMut(&mut u2m_config::Draft)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    std::fs::write(&path, before).unwrap();
    let edit = Editor::new(&path).edit(|draft| {
        change(draft);
        Ok(())
    });
    edit.unwrap();
    std::fs::read_to_string(&path).unwrap()
}

/// What both texts have in common at their beginning and at their end, and what differs between.
fn difference<'a>(before: &'a str, after: &'a str) -> (&'a str, &'a str) {
    let start = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
    let start = (0..=start)
        .rev()
        .find(|&at| before.is_char_boundary(at) && after.is_char_boundary(at))
        .unwrap();
    let (before, after) = (&before[start..], &after[start..]);
    let end = before.bytes().rev().zip(after.bytes().rev()).take_while(|(a, b)| a == b).count();
    let cut = |text: &'a str, end: usize| text.get(..text.len() - end);
    let end = (0..=end)
        .rev()
        .find(|&end| cut(before, end).is_some() && cut(after, end).is_some())
        .unwrap();
    (cut(before, end).unwrap(), cut(after, end).unwrap())
}

proptest! {
    #[test]
    fn setting_one_key_changes_one_value(
        before in text(),
        section in prop::sample::select(SECTIONS[..3].to_vec()),
        key in prop::sample::select(vec!["token", "account_id", "scopes"]),
        value in "[a-z#;=:'\" ]{0,6}[a-z]",
    ) {
        let mut expected = model(&before);
        let mut refused = false;
        let after = edited(&before, |draft| refused = draft.merge_profile(section, &[(key, &value)], &[]).is_err());
        if refused {
            prop_assert_eq!(&after, &before);
        } else {
            expected.insert((section, key), value.clone());
            prop_assert_eq!(model(&after), expected);
            prop_assert_eq!(edited(&after, |draft| draft.merge_profile(section, &[(key, &value)], &[]).unwrap()), after);
        }
    }

    #[test]
    fn setting_one_key_leaves_all_other_lines_as_they_were(before in text(), value in "[x-z]{3}") {
        let after = edited(&before, |draft| draft.merge_profile("a", &[("token", &value)], &[]).unwrap());
        let file = ConfigFile::parse(&*before).unwrap();
        let (gone, new) = difference(&before, &after);
        match file.get("a", "token") {
            // Replaced: what is gone is what the value was written as, and no key or header.
            Some(old) if old != value => {
                let letters = |text: &str| text.replace(|c: char| c.is_whitespace() || "\"'`\\".contains(c), "");
                // Behind a closing backquote stands what is no part of the value.
                let gone = gone.rsplit_once('`').map_or(gone, |(inside, _)| inside);
                prop_assert!(letters(old).contains(&letters(gone)), "{gone:?}");
                prop_assert!(value.contains(new.trim()), "{new:?}");
            }
            // Added: nothing is gone, unless there was nothing but blanks to keep.
            _ => prop_assert!(gone.trim_start_matches('\u{feff}').trim().is_empty(), "{gone:?}"),
        }
    }

    #[test]
    fn clearing_and_removing_take_only_what_they_name(before in text()) {
        let mut expected = model(&before);
        let after = edited(&before, |draft| draft.merge_profile("a", &[], &["token"]).unwrap());
        expected.remove(&("a", "token"));
        prop_assert_eq!(model(&after), expected.clone());

        let mut unknown = false;
        let after = edited(&after, |draft| unknown = draft.remove_profile("a").is_err());
        prop_assert_eq!(unknown, !expected.keys().any(|(section, _)| *section == "a"));
        expected.retain(|(section, _), _| *section != "a");
        prop_assert_eq!(model(&after), expected);
    }

    #[test]
    fn what_was_written_is_read_back(
        name in "[a-zA-Z0-9._ -]{1,12}",
        values in prop::collection::btree_map("[a-z_]{1,8}", "\\PC{0,12}", 0..6),
    ) {
        let values: Vec<(&str, &str)> = values.iter().map(|(key, value)| (&**key, &**value)).collect();
        let mut refused = false;
        let after = edited("", |draft| refused = draft.merge_profile(&name, &values, &[]).is_err());
        let file = ConfigFile::parse(after).unwrap();
        for (key, value) in values {
            let expected = Some(value).filter(|value| !refused && !value.is_empty());
            prop_assert_eq!(file.get(&name, key), expected);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC*([\\[\\]\"'`=:#; \\\\\r\n]|\\PC){0,40}") {
        if let Ok(file) = ConfigFile::parse(text) {
            let _ = (file.profiles(), file.default_profile());
        }
    }
}
