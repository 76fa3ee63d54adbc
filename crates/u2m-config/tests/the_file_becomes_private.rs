//! Modes and links of the file that is replaced.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use u2m_config::{Draft, EditOutcome, Editor};

fn change(draft: &mut Draft) -> Result<(), u2m_config::ConfigError> {
    draft.merge_profile("p", &[("host", "https://new.example")], &[])
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_file_and_its_lock_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    assert_eq!(Editor::new(&path).edit(change).unwrap(), EditOutcome::Written { tightened: false });
    assert_eq!((mode(&path), mode(&folder.path().join("cfg.lock"))), (0o600, 0o600));
}

#[test]
fn a_file_with_a_secret_that_others_can_read_is_tightened_unless_told_not_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    fs::write(&path, "[p]\nhost = h\n[q]\nhost = h\ntoken = t\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let editor = Editor::new(&path);
    editor.clone().with_mode_kept().edit(change).unwrap();
    assert_eq!(mode(&path), 0o644);
    let outcome = editor.edit(|draft| draft.set_default_profile("p")).unwrap();
    assert_eq!((outcome, mode(&path)), (EditOutcome::Written { tightened: true }, 0o600));
}

#[test]
fn a_file_without_a_secret_stays_shared_and_its_backup_is_private_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    fs::write(&path, "[p]\nhost = h\ntoken =\n[__settings__]\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
    assert_eq!(Editor::new(&path).edit(change).unwrap(), EditOutcome::Written { tightened: false });
    assert_eq!((mode(&path), mode(&folder.path().join("cfg.bak"))), (0o664, 0o600));
    // It becomes private with the first secret, whatever the key is called.
    let secret = |draft: &mut Draft| draft.merge_profile("p", &[("my_password", "x")], &[]);
    assert_eq!(Editor::new(&path).edit(secret).unwrap(), EditOutcome::Written { tightened: true });
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_link_survives_and_its_target_is_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    let (link, target) = (folder.path().join("cfg"), folder.path().join("dotfiles/cfg"));
    fs::create_dir(folder.path().join("dotfiles")).unwrap();
    fs::write(&target, "[p]\nhost = h\n").unwrap();
    symlink("dotfiles/cfg", &link).unwrap();
    Editor::new(&link).edit(change).unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&target).unwrap(), "[p]\nhost = https://new.example\n");
    // The backup lies beside the link, where it is looked for, and not among the dotfiles.
    assert!(
        folder.path().join("cfg.bak").exists() && !folder.path().join("dotfiles/cfg.bak").exists()
    );
}

#[test]
fn nothing_but_the_file_its_lock_and_its_backup_remains() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    fs::write(&path, "[p]\nhost = h\n").unwrap();
    Editor::new(&path).edit(change).unwrap();
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["cfg", "cfg.bak", "cfg.lock"]);
}

#[test]
fn a_file_that_was_private_before_is_not_said_to_be_tightened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    fs::write(&path, "[p]\nhost = h\ntoken = t\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(Editor::new(&path).edit(change).unwrap(), EditOutcome::Written { tightened: false });
}
