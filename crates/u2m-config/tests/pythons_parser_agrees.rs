//! What is written here, Python's own parser reads as we do: that is what its SDK reads the file with.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use u2m_config::{ConfigFile, Editor};

/// Prints each value as section, key and value in hexadecimal; the SDK takes the same members.
const SCRIPT: &str = "
import configparser, sys
file = configparser.ConfigParser()
file.read(sys.argv[1])
for name, section in [('DEFAULT', file._defaults), *file._sections.items()]:
    for key, value in section.items():
        print('|' + name.encode().hex(), key.encode().hex(), value.encode().hex(), sep='.')
";

type Values = BTreeMap<(String, String), String>;

fn text(hex: &str) -> String {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    String::from_utf8((0..hex.len()).step_by(2).map(byte).collect()).unwrap()
}

/// What Python reads; `None` where there is no Python.
fn pythons(path: &Path) -> Option<Values> {
    let out = Command::new("python3").args(["-X", "utf8", "-c", SCRIPT]).arg(path).output();
    let Ok(out) = out else {
        let must = std::env::var("U2M_REQUIRE_ALL").is_ok_and(|value| value == "1");
        assert!(!must, "python3 is missing");
        eprintln!("skipped: python3 is missing");
        return None;
    };
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let said = String::from_utf8(out.stdout).unwrap();
    let line = |line: &str| {
        let parts: Vec<_> = line.trim_start_matches('|').split('.').map(text).collect();
        ((parts[0].clone(), parts[1].clone()), parts[2].clone())
    };
    Some(said.lines().map(line).collect())
}

fn value() -> impl Strategy<Value = String> {
    let tricky = prop::sample::select(vec![
        "=", ":", "#", ";", " #", " ;", "\"", "'", "`", "\\", "%", "%(x)s", "[", "]", " ", "\t",
        "\u{a0}", "\u{2028}", "\u{85}", "\u{feff}", "a", "none", "\u{e4}",
    ]);
    prop_oneof![
        prop::collection::vec(tricky, 1..5).prop_map(|parts| parts.concat()),
        "\\PC{1,12}".prop_map(|text| text),
    ]
}

/// Logins into profiles of all sorts of names, with all sorts of values.
fn logins() -> impl Strategy<Value = Vec<(String, String, String)>> {
    let name = prop_oneof![Just("DEFAULT".to_owned()), Just("default".to_owned()), value()];
    prop::collection::vec((name, "[a-z_]{1,10}", value()), 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn python_reads_every_file_that_was_written_here_as_we_do(logins in logins()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cfg");
        let mut written = 0;
        for (name, key, value) in &logins {
            let edit = Editor::new(&path).edit(|draft| draft.merge_profile(name, &[(key, value)], &[]));
            written += usize::from(edit.is_ok());
        }
        prop_assume!(written > 0);
        let Some(theirs) = pythons(&path) else { return Ok(()) };
        let ours = ConfigFile::read(&path).unwrap();
        for (name, key, _) in &logins {
            let their = theirs.get(&(name.clone(), key.clone())).map(String::as_str);
            prop_assert_eq!(ours.get(name, key), their, "{:?} {:?}", name, key);
        }
    }
}
