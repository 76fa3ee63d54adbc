//! The Databricks CLI does not know our lock: what it writes while we edit is kept.
#![allow(clippy::unwrap_used)]

use std::fs;

use u2m_config::{ConfigError, ConfigFile, Editor};

const THEIRS: &str = "[theirs]\nhost = https://t.example\n";

#[test]
fn a_profile_that_another_program_adds_meanwhile_is_kept_beside_ours() {
    for before in [None, Some(""), Some("[old]\nhost = https://o.example\n")] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cfg");
        before.inspect(|text| fs::write(&path, text).unwrap());
        let mut calls = 0;
        let edit = |draft: &mut u2m_config::Draft| {
            calls += 1;
            if calls == 1 {
                fs::write(&path, before.unwrap_or_default().to_owned() + THEIRS).unwrap();
            }
            draft.merge_profile("ours", &[("host", "https://a.example")], &[])
        };
        Editor::new(&path).edit(edit).unwrap();
        let file = ConfigFile::read(&path).unwrap();
        let names: Vec<_> = file.profiles().iter().map(|profile| profile.name()).collect();
        let kept = ["old", "theirs", "ours"];
        assert_eq!(names, kept[usize::from(before.is_none_or(str::is_empty))..]);
        assert_eq!(calls, 2);
        // The backup is the state that ours was added to.
        assert!(fs::read_to_string(folder.path().join("cfg.bak")).unwrap().contains("[theirs]"));
    }
}

#[test]
fn a_file_that_is_removed_meanwhile_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    fs::write(&path, THEIRS).unwrap();
    Editor::new(&path)
        .edit(|draft| {
            let _ = fs::remove_file(&path);
            draft.merge_profile("ours", &[("host", "https://a.example")], &[])
        })
        .unwrap();
    let file = ConfigFile::read(&path).unwrap();
    assert!(file.profile("ours").is_some() && file.profile("theirs").is_none());
}

#[test]
fn where_the_other_never_stops_nothing_of_its_work_is_lost_and_the_error_is_transient() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    let mut calls = 0;
    let edit = |draft: &mut u2m_config::Draft| {
        calls += 1;
        fs::write(&path, format!("{THEIRS}cluster_id = {calls}\n")).unwrap();
        draft.merge_profile("ours", &[("host", "https://a.example")], &[])
    };
    let error = Editor::new(&path).edit(edit).unwrap_err();
    assert!(matches!(error, ConfigError::ChangedMeanwhile { .. }) && error.is_transient());
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{THEIRS}cluster_id = {calls}\n"));
    assert!(!folder.path().join("cfg.tmp").exists());
}
