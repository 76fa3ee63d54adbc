#![cfg(unix)]

use super::*;
use proptest::prelude::*;
use std::process::Command;

fn one(value: &str) -> BTreeMap<&'static str, Zeroizing<String>> {
    BTreeMap::from([("DATABRICKS_TOKEN", Zeroizing::new(value.to_owned()))])
}

/// What a real shell makes of the text.
fn read_back(text: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("env");
    std::fs::write(&path, text).unwrap();
    let out = Command::new("sh")
        .args(["-c", ". \"$1\"; printf '%s|' \"$DATABRICKS_TOKEN\"", "sh"])
        .arg(&path)
        .env_remove("DATABRICKS_TOKEN")
        .output()
        .unwrap();
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    out.stdout.strip_suffix(b"|").unwrap().to_vec()
}

/// Values of every kind, with what shells and dotenv readers trip over more often than chance would have it.
fn values() -> impl Strategy<Value = String> {
    let tricky = prop::sample::select(vec![
        "'", "\"", "\\", "$", "`", "$(id)", "${HOME}", "#", " ", "\n", "\r", "\t", "!", "~", "*",
        ";", "&", "=", "\u{e4}", "a", "-", "%", "\u{1b}",
    ]);
    prop_oneof![
        prop::collection::vec(tricky, 0..12).prop_map(|parts| parts.concat()),
        any::<String>().prop_map(|text| text.replace('\0', "")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_shell_reads_back_what_was_printed_for_it(value in values()) {
        let text = EnvFormat::Shell.print(&one(&value)).unwrap();
        prop_assert_eq!(read_back(&text), value.as_bytes());
    }

    #[test]
    fn a_dotenv_file_is_refused_or_read_back_by_a_shell_too(value in values()) {
        if let Ok(text) = EnvFormat::Dotenv.print(&one(&value)) {
            prop_assert_eq!(text.lines().count(), 1);
            prop_assert_eq!(read_back(&text), value.as_bytes());
        }
    }

    #[test]
    fn json_holds_every_value(value in values()) {
        let text = EnvFormat::Json.print(&one(&value)).unwrap();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read["env"]["DATABRICKS_TOKEN"].as_str(), Some(&*value));
    }
}

#[test]
fn dotenv_files_hold_what_all_readers_agree_about() {
    let written = |value: &str| dotenv(value).map(|text| text.as_str().to_owned());
    assert_eq!(
        written("https://a.example:8080/x?").as_deref(),
        Some("'https://a.example:8080/x?'")
    );
    assert_eq!(written("dapi-0_1").as_deref(), Some("dapi-0_1"));
    assert_eq!(written("a # b").as_deref(), Some("'a # b'"));
    assert_eq!(written("{\"key\": \"a\\nb\"}").as_deref(), Some("'{\"key\": \"a\\nb\"}'"));
    assert_eq!(written("it's").as_deref(), Some("\"it's\""));
    assert_eq!(written("").as_deref(), Some(""));
    for refused in ["a\nb", "a\\\\b", "a\\", "'\"", "it's $5", "\u{7}"] {
        assert_eq!(written(refused), None, "{refused:?}");
    }
}

#[test]
fn a_value_that_is_refused_is_named_and_not_shown() {
    let error = EnvFormat::Dotenv.print(&one("canary\n")).unwrap_err();
    assert!(error.text.starts_with("the value of DATABRICKS_TOKEN holds what"), "{error}");
    assert!(!error.text.contains("canary"));
}
