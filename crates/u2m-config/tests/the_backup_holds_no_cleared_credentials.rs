//! `.bak` is the file before the command, less the secrets the command took away.
#![allow(clippy::unwrap_used)]

use u2m_config::{Editor, LOGIN_CLEARS};

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn with(text: &str) -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(world.folder.path().join("cfg"), text).unwrap();
        world
    }

    fn editor(&self) -> Editor {
        Editor::new(self.folder.path().join("cfg"))
    }

    fn backup(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("cfg.bak")).unwrap()
    }
}

#[test]
fn cleared_credentials_are_redacted_and_all_else_is_kept() {
    let world = World::with(
        "# c\n[p]\nhost = h # d\nTOKEN = dapi-1\ntoken = 'dapi-2' # e\naccount_id = 1\n[q]\ntoken = other\n",
    );
    world.editor().edit(|draft| draft.merge_profile("p", &[("host", "i")], LOGIN_CLEARS)).unwrap();
    let expected = "# c\n[p]\nhost = h # d\nTOKEN = REDACTED\ntoken = REDACTED # e\naccount_id = 1\n[q]\ntoken = other\n";
    assert_eq!(world.backup(), expected);
}

#[test]
fn the_credentials_of_a_removed_profile_are_redacted() {
    let world = World::with("[p]\nhost = h\nclient_secret = `a\nb`\n");
    world.editor().edit(|draft| draft.remove_profile("p")).unwrap();
    assert_eq!(world.backup(), "[p]\nhost = h\nclient_secret = REDACTED\n");
}

#[test]
fn several_changes_of_one_command_keep_the_state_before_all_of_them() {
    let world = World::with("[p]\nhost = 1\n");
    let change = world.editor().edit(|draft| {
        draft.merge_profile("p", &[("host", "2")], &[])?;
        draft.set_setting("auth_storage", "secure")?;
        draft.set_default_profile("p")
    });
    change.unwrap();
    assert_eq!(world.backup(), "[p]\nhost = 1\n");
}

#[test]
fn an_empty_file_is_not_backed_up() {
    let world = World::with("");
    world.editor().edit(|draft| draft.merge_profile("p", &[("host", "h")], &[])).unwrap();
    assert!(!world.folder.path().join("cfg.bak").exists());
}

#[cfg(unix)]
#[test]
fn an_old_backup_that_others_can_read_becomes_private() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::with("[p]\nhost = 1\n");
    let backup = world.folder.path().join("cfg.bak");
    std::fs::write(&backup, "old").unwrap();
    std::fs::set_permissions(&backup, std::fs::Permissions::from_mode(0o644)).unwrap();
    world.editor().edit(|draft| draft.merge_profile("p", &[("host", "2")], &[])).unwrap();
    assert_eq!(backup.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(world.backup(), "[p]\nhost = 1\n");
}
