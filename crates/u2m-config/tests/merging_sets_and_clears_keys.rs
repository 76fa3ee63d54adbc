//! A login adds to a profile, replaces what it knows, and removes other credentials.
#![allow(clippy::unwrap_used)]

use u2m_config::{ConfigError, ConfigFile, Editor, LOGIN_CLEARS};

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn with(text: &str) -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(world.path(), text).unwrap();
        world
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("cfg")
    }

    fn merge(
        &self,
        name: &str,
        values: &[(&str, &str)],
        clear: &[&str],
    ) -> Result<(), ConfigError> {
        Editor::new(self.path()).edit(|draft| draft.merge_profile(name, values, clear)).map(|_| ())
    }

    fn get(&self, section: &str, key: &str) -> Option<String> {
        ConfigFile::read(self.path()).unwrap().get(section, key).map(ToOwned::to_owned)
    }
}

#[test]
fn two_saves_give_the_union_of_their_keys() {
    let world = World::with("");
    world.merge("p", &[("host", "h")], &[]).unwrap();
    world.merge("p", &[("scopes", "jobs,pipelines,clusters")], &[]).unwrap();
    assert_eq!(world.get("p", "host").as_deref(), Some("h"));
    assert_eq!(world.get("p", "scopes").as_deref(), Some("jobs,pipelines,clusters"));
}

#[test]
fn a_later_save_replaces_a_value_and_an_empty_one_does_not() {
    let world = World::with("[p]\nhost = old\ncluster_id = 1\n");
    world.merge("p", &[("host", "new"), ("cluster_id", "")], &[]).unwrap();
    assert_eq!(world.get("p", "host").as_deref(), Some("new"));
    assert_eq!(world.get("p", "cluster_id").as_deref(), Some("1"));
}

#[test]
fn a_login_clears_every_other_credential_in_any_spelling() {
    let keys: String = LOGIN_CLEARS.iter().map(|key| format!("{key} = x\n")).collect();
    let world = World::with(&format!("[p]\nhost = h\n{keys}Token = y\n[q]\ntoken = kept\n"));
    world.merge("p", &[("auth_type", "databricks-cli")], LOGIN_CLEARS).unwrap();
    let expected = "[p]\nhost = h\nauth_type = databricks-cli\n[q]\ntoken = kept\n";
    assert_eq!(std::fs::read_to_string(world.path()).unwrap(), expected);
}

#[test]
fn clearing_what_is_not_there_changes_nothing() {
    let world = World::with("[p]\nhost = h\n");
    world.merge("p", &[], LOGIN_CLEARS).unwrap();
    assert_eq!(std::fs::read_to_string(world.path()).unwrap(), "[p]\nhost = h\n");
}

#[test]
fn names_keys_and_values_that_readers_disagree_about_are_refused() {
    let world = World::with("[p]\nhost = h\n");
    assert!(matches!(
        world.merge("__settings__", &[("host", "h")], &[]),
        Err(ConfigError::RefusedName { .. })
    ));
    assert!(matches!(
        world.merge("a]b", &[("host", "h")], &[]),
        Err(ConfigError::RefusedName { .. })
    ));
    assert!(matches!(
        world.merge("p", &[("profile", "x")], &[]),
        Err(ConfigError::RefusedKey { .. })
    ));
    let error = world.merge("p", &[("host", "a # b")], &[]).unwrap_err();
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(reason.contains("some readers take for a comment"), "{reason}");
    assert_eq!(std::fs::read_to_string(world.path()).unwrap(), "[p]\nhost = h\n");
}
