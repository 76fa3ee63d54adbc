//! The first login makes a file that every other tool understands.
#![allow(clippy::unwrap_used)]

use u2m_config::{ConfigError, ConfigFile, Editor, LOGIN_CLEARS};

fn first_login(before: Option<&str>, name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    before.inspect(|text| std::fs::write(&path, text).unwrap());
    let values =
        [("host", "https://h"), ("workspace_id", "900800700600"), ("auth_type", "databricks-cli")];
    Editor::new(&path).edit(|draft| draft.merge_profile(name, &values, LOGIN_CLEARS)).unwrap();
    std::fs::read_to_string(&path).unwrap()
}

const FRESH: &str = "\
; The DEFAULT section is used when no profile is named.
[DEFAULT]

[test]
host         = https://h
workspace_id = 900800700600
auth_type    = databricks-cli

[__settings__]
default_profile = test
";

#[test]
fn the_first_profile_becomes_the_default() {
    assert_eq!(first_login(None, "test"), FRESH);
    assert_eq!(first_login(Some(""), "test"), FRESH);
    assert_eq!(first_login(Some("\n \n"), "test"), FRESH);
}

#[test]
fn a_first_profile_called_default_needs_no_comment() {
    let expected = "[DEFAULT]\nhost         = https://h\nworkspace_id = 900800700600\n\
                    auth_type    = databricks-cli\n\n[__settings__]\ndefault_profile = DEFAULT\n";
    assert_eq!(first_login(None, "DEFAULT"), expected);
}

#[test]
fn the_first_profile_with_a_host_replaces_a_default_that_points_nowhere() {
    let after = first_login(Some("[__settings__]\ndefault_profile = gone\n"), "test");
    assert_eq!(ConfigFile::parse(after).unwrap().default_profile(), Some("test"));
}

#[test]
fn a_second_profile_leaves_the_default_alone() {
    let after = first_login(Some(FRESH), "second");
    assert_eq!(
        after,
        format!(
            "{FRESH}\n[second]\n{}",
            &FRESH[FRESH.find("host ").unwrap()..FRESH.find("\n[__").unwrap()]
        )
    );
}

#[test]
fn folders_are_not_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/cfg");
    let error = Editor::new(&path)
        .edit(|draft| draft.merge_profile("a", &[("host", "h")], &[]))
        .unwrap_err();
    assert!(matches!(error, ConfigError::DirectoryMissing { .. }));
}
