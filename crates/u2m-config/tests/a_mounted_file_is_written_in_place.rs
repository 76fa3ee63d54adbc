//! A profile file that is mounted by itself, as containers mount single files, can be written and never replaced.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stderr, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use u2m_config::{ConfigFile, EditOutcome, Editor};

const FILE: &str = "U2M_CONFIG_STORY_FILE";

/// Runs the story of this name in a mount namespace of its own, in which `mount` was run; `false` where nothing can be mounted.
fn inside(story: &str, mount: &str, file: &Path) -> bool {
    let can =
        Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/tmp"]).output();
    if !can.is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: nothing can be mounted here");
        return false;
    }
    let script = format!("{mount} && exec \"$0\" \"$@\"");
    let done = Command::new("unshare")
        .args(["-rm", "sh", "-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", story, "--nocapture"])
        .env(FILE, file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && said.contains("1 passed"), "{said}{done:?}");
    true
}

fn by_itself() -> String {
    format!("mount --bind \"${FILE}\" \"${FILE}\"")
}

#[test]
fn worker_that_edits() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let editor = Editor::new(&path);
    editor.prove().unwrap();
    for name in ["one", "a-second-one", "x"] {
        let outcome =
            editor.edit(|draft| draft.merge_profile(name, &[("host", name)], &[])).unwrap();
        assert_eq!(outcome, EditOutcome::Written { tightened: false });
    }
    editor.edit(|draft| draft.remove_profile("a-second-one")).unwrap();
    let names: Vec<_> =
        ConfigFile::read(&path).unwrap().profiles().iter().map(|it| it.name().to_owned()).collect();
    assert_eq!(names, ["dev", "one", "x"]);
}

#[test]
fn edits_reach_the_file_that_is_mounted_and_leave_no_note() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    fs::write(&path, "[dev]\nhost = https://a.example\n").unwrap();
    if inside("worker_that_edits", &by_itself(), &path) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("[one]") && text.contains("[x]") && text.contains("[dev]"), "{text}");
        assert!(!folder.path().join("cfg.undo").exists());
        let backup = fs::read_to_string(folder.path().join("cfg.bak")).unwrap();
        assert!(backup.contains("[a-second-one]"), "{backup}");
    }
}

#[test]
fn worker_that_is_told() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let error = Editor::new(&path).prove().unwrap_err();
    assert!(error.to_string().contains("cannot write"), "{error}");
}

#[test]
fn a_file_or_a_folder_that_is_mounted_read_only_is_found_out_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cfg");
    fs::write(&path, "[dev]\nhost = https://a.example\n").unwrap();
    let read_only =
        |what: &str| format!("mount --bind {what} {what} && mount -o remount,ro,bind {what}");
    let folder = format!("\"$(dirname \"${FILE}\")\"");
    let _ = inside("worker_that_is_told", &read_only(&format!("\"${FILE}\"")), &path)
        && inside("worker_that_is_told", &read_only(&folder), &path);
}
