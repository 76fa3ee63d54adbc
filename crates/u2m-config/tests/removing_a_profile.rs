//! Logging out for good takes the profile, its comment, and its place as the default.
#![allow(clippy::unwrap_used)]

use u2m_config::Editor;

fn removed(before: &str, name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    std::fs::write(&path, before).unwrap();
    Editor::new(&path).edit(|draft| draft.remove_profile(name)).unwrap();
    std::fs::read_to_string(&path).unwrap()
}

#[test]
fn the_last_profile_leaves_the_default_section() {
    assert_eq!(removed("; note\n[DEFAULT]\n\n# mine\n[p]\nhost = h\n", "p"), "; note\n[DEFAULT]\n");
}

#[test]
fn the_default_section_is_emptied_and_stays() {
    assert_eq!(
        removed("; note\n[DEFAULT]\nhost = h\n\n[p]\nhost = h\n", "DEFAULT"),
        "; note\n[DEFAULT]\n\n[p]\nhost = h\n"
    );
}

#[test]
fn the_default_goes_only_with_its_own_profile() {
    let text = "[p]\nhost = h\n\n[q]\nhost = i\n\n[__settings__]\ndefault_profile = p\nother = 1\n";
    assert_eq!(removed(text, "p"), "[q]\nhost = i\n\n[__settings__]\nother = 1\n");
    assert_eq!(
        removed(text, "q"),
        "[p]\nhost = h\n\n[__settings__]\ndefault_profile = p\nother = 1\n"
    );
}

#[test]
fn an_unknown_profile_is_an_error_before_any_backup() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    std::fs::write(&path, "[__settings__]\nhost = h\n").unwrap();
    for name in ["p", "__settings__"] {
        assert!(Editor::new(&path).edit(|draft| draft.remove_profile(name)).is_err());
    }
    assert!(!folder.path().join("cfg.bak").exists());
}
