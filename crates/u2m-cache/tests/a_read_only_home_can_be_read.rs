//! A home that cannot be written: logins are read, a miss is a miss, and what needs to write says why it cannot.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Child, LONG, Place, access, bound, chmod, key, session};
use u2m_cache::{StoreError, TokenStore};

#[test]
fn worker() {
    common::work(|job, store| {
        assert!(store.load(&key("absent")).unwrap().is_none());
        if job == "empty" {
            assert!(store.keys().unwrap().is_empty());
        } else {
            assert_eq!(access(&store, "dev").as_deref(), Some("at-dev"));
            assert!(store.load(&key("dev")).unwrap().unwrap().binding.is_some());
            assert_eq!(store.keys().unwrap(), [key("dev")]);
        }
        let refused = store.save(&key("dev"), &session("dev")).unwrap_err();
        assert!(matches!(refused, StoreError::Io { .. }), "{refused}");
        let refused = store.lock(&key("dev"), LONG).err().unwrap();
        assert!(matches!(refused, StoreError::Io { .. }), "{refused}");
        assert!(store.take_notices().is_empty());
        common::say("fine");
    });
}

#[test]
fn file_8_on_a_read_only_file_system_logins_are_read_and_a_miss_is_a_miss() {
    if !common::can_mount() {
        return common::skip("nothing can be mounted here");
    }
    for job in ["empty", "one", "one with locks"] {
        let place = Place::new();
        if job != "empty" {
            place.store().save(&key("dev"), &bound("dev")).unwrap();
        }
        if job == "one with locks" {
            drop(common::locked(&place.store(), "dev"));
        }
        let folder = place.folder().display();
        let script = format!(
            "mount --bind {folder} {folder} && mount -o remount,bind,ro {folder} && exec \"$0\" \"$@\""
        );
        let command = common::wrapped(&["unshare", "-rm", "sh", "-c", &script], job, &place.file());
        assert_eq!(Child::of(command).done(), ["fine"], "{job}");
    }
}

#[test]
fn file_8_in_a_folder_without_write_permission_logins_are_read_and_a_miss_is_a_miss() {
    if common::is_root() && !common::can(&["setpriv", "--reuid", "12345", "--clear-groups", "true"])
    {
        return common::skip("root writes everywhere, and setpriv is not here");
    }
    for job in ["empty", "one"] {
        let place = Place::new();
        let folder = place.folder().join("home");
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("token-cache.json");
        if job == "one" {
            u2m_cache::FileStore::at(&file).save(&key("dev"), &bound("dev")).unwrap();
            std::fs::remove_file(folder.join("token-cache.lock")).unwrap();
        }
        let command = if common::is_root() {
            for path in
                common::names(&folder).iter().map(|name| folder.join(name)).chain([folder.clone()])
            {
                std::os::unix::fs::chown(path, Some(12345), None).unwrap();
            }
            chmod(place.folder(), 0o755);
            let me = std::env::current_exe().unwrap();
            // The other user has to reach this binary too.
            let copy = place.folder().join("me");
            // By a process of its own: a child that another test starts at this moment would hold the file open for writing
            // for a while, and what is held so cannot be run.
            assert!(
                std::process::Command::new("cp").args([&me, &copy]).status().unwrap().success()
            );
            let mut command = std::process::Command::new("setpriv");
            command.args(["--reuid", "12345", "--clear-groups"]).arg(copy);
            command.args(["--exact", "worker", "--nocapture"]);
            command.env("U2M_STORY_JOB", job).env("U2M_STORY_FILE", &file);
            command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
            command
        } else {
            common::command(job, &file)
        };
        chmod(&folder, 0o500);
        let said = Child::of(command).done();
        chmod(&folder, 0o700);
        assert_eq!(said, ["fine"], "{job}");
    }
}
