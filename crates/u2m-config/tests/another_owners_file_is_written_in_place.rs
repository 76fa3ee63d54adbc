//! What the system does not let a user do is found out, told, or done in another way.
#![cfg(unix)]
#![allow(clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Debug;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use u2m_config::{ConfigError, Editor};

static ONE: Mutex<()> = Mutex::new(());

const FILE: &str = "U2M_CONFIG_OWNER_FILE";
const SAYS: &str = "it came to: ";
const OLD: &str = "[old]\nhost = https://a.example\n";
const OURS: u32 = 54321;
const THEIRS: u32 = 12345;

/// A folder of a user who is not root, whom nothing is refused to.
struct Place(tempfile::TempDir);

impl Place {
    /// With the file that is given, and modes of the folder and the file.
    fn new(text: &str, folder: u32, file: u32) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.path(), text).unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(file)).unwrap();
        fs::set_permissions(place.0.path(), Permissions::from_mode(folder)).unwrap();
        if is_root() {
            for path in [place.0.path(), &place.path()] {
                chown(path, Some(OURS), Some(OURS)).unwrap();
            }
        }
        place
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("cfg")
    }

    /// What the story comes to for that user.
    fn told(&self, story: &str) -> String {
        // A program that is still open for writing where another thread starts one cannot be started.
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        // Where the tests were built may be for nobody else's eyes.
        let program = tempfile::tempdir().unwrap();
        let copy = program.path().join("story");
        fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        for path in [program.path(), &copy] {
            fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = Command::new(copy);
        command.args(["--exact", story, "--nocapture"]).env(FILE, self.path()).current_dir("/");
        if is_root() {
            command.uid(OURS).gid(OURS);
        }
        let done = command.output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{said}{done:?}");
        said.split_once(SAYS).unwrap().1.lines().next().unwrap().to_owned()
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn say(what: Result<impl Debug, ConfigError>) {
    match what {
        Ok(done) => println!("\n{SAYS}{done:?}"),
        Err(error) => println!("\n{SAYS}{error}"),
    }
}

#[test]
fn worker_that_edits() {
    let Some(path) = std::env::var_os(FILE) else { return };
    say(Editor::new(&path).edit(|draft| draft.merge_profile("new", &[("host", "h")], &[])));
}

#[test]
fn worker_that_proves() {
    let Some(path) = std::env::var_os(FILE) else { return };
    say(Editor::new(&path).prove());
}

#[test]
fn a_file_that_somebody_else_shares_stays_theirs() {
    if !is_root() {
        return eprintln!("skipped: only root can give a file away");
    }
    let place = Place::new(OLD, 0o777, 0o666);
    chown(place.path(), Some(THEIRS), Some(THEIRS)).unwrap();
    let before = place.path().metadata().unwrap();
    assert_eq!(place.told("worker_that_proves"), "()");
    assert_eq!(place.told("worker_that_edits"), "Written { tightened: false }");
    let after = place.path().metadata().unwrap();
    assert_eq!((after.ino(), after.uid(), after.mode()), (before.ino(), THEIRS, before.mode()));
    assert!(fs::read_to_string(place.path()).unwrap().contains("[new]"));
    assert!(!place.0.path().join("cfg.undo").exists());
    // What they let others only read is found out before anything is asked for.
    fs::write(place.path(), OLD).unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o644)).unwrap();
    let told = format!("cannot write {}", place.path().display());
    assert_eq!(place.told("worker_that_proves"), told);
    assert_eq!(place.told("worker_that_edits"), told);
}

#[test]
fn a_file_of_ones_own_needs_no_right_to_be_written() {
    let place = Place::new(OLD, 0o700, 0o400);
    assert_eq!(place.told("worker_that_proves"), "()");
    assert_eq!(place.told("worker_that_edits"), "Written { tightened: false }");
    assert_eq!(place.path().metadata().unwrap().mode() & 0o777, 0o400);
}

#[test]
fn a_folder_that_nothing_can_be_made_in_is_found_out_before_anything_is_asked_for() {
    let place = Place::new(OLD, 0o500, 0o600);
    let told = format!("cannot write to the folder {}", place.0.path().display());
    assert_eq!(place.told("worker_that_proves"), told);
}

#[test]
fn a_folder_that_cannot_be_flushed_is_told() {
    let place = Place::new("", 0o300, 0o600);
    let told = format!("cannot flush {}", place.0.path().display());
    assert_eq!(place.told("worker_that_edits"), told);
}
