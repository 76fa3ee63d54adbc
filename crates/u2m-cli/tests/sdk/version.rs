//! The version as each SDK reads it: below 0.296.0 they would not pass `--profile` or `--force-refresh`.

use crate::common::{U2M, World};
use crate::program::Program;

/// The version by the rules of Go's SDK: all of standard output, without blanks around it and without `Databricks CLI `,
/// is a semantic version with a `v` in front (golang.org/x/mod/semver), and no pre-release.
fn read_by_go(stdout: &str) -> Option<[u64; 3]> {
    let text = stdout.trim();
    let text = text.strip_prefix("Databricks CLI ").unwrap_or(text).strip_prefix('v')?;
    let number = |text: &str| {
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (is_plain && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok())?
    };
    let numbers: Option<Vec<u64>> = text.split('.').map(number).collect();
    numbers?.try_into().ok()
}

#[test]
fn gos_rules_accept_the_version_and_it_is_new_enough_for_every_flag() {
    for (text, read) in [
        ("Databricks CLI v1.2.3\n", Some([1, 2, 3])),
        (" v0.296.0 ", Some([0, 296, 0])),
        ("1.2.3", None),
        ("Databricks CLI 1.2.3", None),
        ("v1.2.3\nA new version is available", None),
        ("v01.2.3", None),
        ("v1.2", None),
        ("v1.2.3-dev", None),
    ] {
        assert_eq!(read_by_go(text), read, "{text}");
    }
    let world = World::new();
    for line in ["version", "version --debug", "auth --version"] {
        let ran = world.run(line);
        let version = read_by_go(&ran.stdout).unwrap_or_else(|| panic!("{}", ran.stdout));
        assert!(version >= [0, 296, 0] && ran.stderr.is_empty(), "{ran:?}");
    }
}

#[test]
fn pythons_own_parser_accepts_the_version() {
    let world = World::new();
    let Some(mut program) = Program::start(&world, &[]) else { return };
    program.ready();
    let ran = world.run("version --output json");
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let read = program.ask(&format!("parse {json}")).unwrap();
    let read: Vec<u64> = serde_json::from_value(read).unwrap();
    assert!(read >= vec![0, 296, 0], "{read:?}");
    assert_eq!(read_by_go(&world.run("version").stdout).unwrap().to_vec(), read);
}

/// The release binary's size is what `cargo xtask check binary` looks at.
#[test]
fn the_program_is_not_taken_for_the_old_python_one() {
    assert!(std::fs::metadata(U2M).unwrap().len() >= 1024 * 1024);
}
