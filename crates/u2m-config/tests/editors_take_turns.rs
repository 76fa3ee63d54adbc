//! Editors of one file wait for each other, and a killed one harms nobody.
#![allow(clippy::unwrap_used)]

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use u2m_config::{ConfigError, ConfigFile, Editor};

const ROUNDS: usize = 20;

fn add(path: &Path, name: &str) {
    Editor::new(path)
        .with_retry_policy(Duration::from_secs(60))
        .edit(|draft| draft.merge_profile(name, &[("host", "https://a.example")], &[]))
        .unwrap();
}

/// What a child process does: adds profiles to the file it is told, and says so after each.
/// Does nothing when it is run as an ordinary test.
#[test]
fn child_process_that_adds_profiles() {
    let Some(path) = env::var_os("U2M_CONFIG_TEST_FILE").map(PathBuf::from) else { return };
    let name = env::var("U2M_CONFIG_TEST_NAME").unwrap();
    let rounds: usize = env::var("U2M_CONFIG_TEST_ROUNDS").unwrap().parse().unwrap();
    for round in 0..rounds {
        add(&path, &format!("{name}-{round}"));
        println!("\nadded");
    }
}

fn child(path: &Path, name: &str, rounds: usize) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "child_process_that_adds_profiles", "--nocapture"])
        .env("U2M_CONFIG_TEST_FILE", path)
        .env("U2M_CONFIG_TEST_NAME", name)
        .env("U2M_CONFIG_TEST_ROUNDS", rounds.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn threads_that_edit_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let path = &path;
            scope.spawn(move || {
                (0..ROUNDS).for_each(|round| add(path, &format!("{thread}-{round}")))
            });
        }
    });
    assert_eq!(ConfigFile::read(&path).unwrap().profiles().len(), 4 * ROUNDS);
}

#[test]
fn processes_that_edit_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    let children = ["a", "b", "c"].map(|name| child(&path, name, ROUNDS));
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    assert_eq!(ConfigFile::read(&path).unwrap().profiles().len(), 3 * ROUNDS);
}

#[test]
fn readers_see_whole_files_while_an_editor_is_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    add(&path, "first");
    let mut child = child(&path, "a", ROUNDS);
    let mut seen = 1;
    while child.try_wait().unwrap().is_none() {
        let now = ConfigFile::read(&path).unwrap().profiles().len();
        assert!(now >= seen);
        seen = now;
    }
}

#[test]
fn a_killed_editor_leaves_a_whole_file_and_no_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    for round in 0..5 {
        let mut child = child(&path, &format!("killed-{round}"), usize::MAX);
        // It goes on editing after it has spoken, so the signal meets it anywhere in an edit.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "added"));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(ConfigFile::read(&path).unwrap().profile(&format!("killed-{round}-0")).is_some());
    }
    add(&path, "after");
    assert!(ConfigFile::read(&path).unwrap().profile("after").is_some());
}

#[test]
fn a_lock_that_is_held_too_long_is_a_transient_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    let editor = Editor::new(&path).with_retry_policy(Duration::ZERO);
    let mut inner = None;
    editor
        .edit(|_| {
            inner = Some(editor.edit(|_| Ok(())));
            Ok(())
        })
        .unwrap();
    let error = inner.unwrap().unwrap_err();
    assert!(error.is_transient() && matches!(error, ConfigError::LockTimeout { .. }));
}

#[test]
fn an_editor_waits_as_long_as_it_is_told_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    let patience = Duration::from_millis(30);
    let editor = Editor::new(&path).with_retry_policy(patience);
    editor
        .edit(|_| {
            let error = editor.edit(|_| Ok(())).unwrap_err();
            assert!(matches!(error, ConfigError::LockTimeout { waited, .. } if waited == patience));
            Ok(())
        })
        .unwrap();
}
