//! A login is moved from each store to each other one, and every operation on the way goes wrong in every way, or the process
//! is killed there: at any moment every caller finds the login, in exactly one place that counts; whoever takes its lock next
//! leaves no copy anywhere else; and the move, made again, is made.

use super::{LONG, STAGE, bound, key, temporary};
use crate::fault::plan::{FaultPlan, InjectedFault, under};
use crate::fault::{self, FileOperation};
use crate::keyring::{Keyring, KeyringError, KeyringStore};
use crate::{
    AutoStore, EncryptedFileStore, FileStore, SealKey, SealKeySource, StorageMode, StoreError,
    TokenStore,
};
use std::env;
use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;
use u2m_core::Session;
use zeroize::Zeroizing;

const HOST: &str = "https://a.example";

/// A keyring in a folder, which outlives the process that is killed.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn item(&self, account: &str) -> PathBuf {
        self.0.join(account)
    }
}

fn broken(error: &io::Error) -> KeyringError {
    KeyringError::broken(&error.to_string())
}

impl Keyring for Folder {
    fn service(&self) -> &str {
        "databricks-cli"
    }

    fn describe(&self) -> &'static str {
        "folder of this test"
    }

    fn get(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        match fault::at(FileOperation::Open, || fs::read(self.item(account))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(|bytes| Some(Zeroizing::new(bytes))).map_err(|error| broken(&error)),
        }
    }

    fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringError> {
        let new = self.item("[new]");
        let set = || fs::write(&new, secret).and_then(|()| fs::rename(&new, self.item(account)));
        fault::at(FileOperation::Rename, set).map_err(|error| broken(&error))
    }

    fn delete(&self, account: &str) -> Result<(), KeyringError> {
        match fault::at(FileOperation::Remove, || fs::remove_file(self.item(account))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|error| broken(&error)),
        }
    }

    fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
        Ok(None)
    }
}

/// The three stores, below one folder.
fn stores(folder: &Path) -> AutoStore {
    let file = folder.join("home/token-cache.json");
    let source = SealKeySource::Bytes(SealKey::from_bytes([7; 32]));
    let sealed = EncryptedFileStore::at(file.with_file_name("token-cache.sealed.json"), source);
    let keyring = KeyringStore::new(Arc::new(Folder(folder.join("ring"))), &file);
    AutoStore::new(FileStore::at(file))
        .with_keyring(Arc::new(keyring))
        .with_encrypted(Arc::new(sealed))
}

/// A login, and where it is to go.
struct Scene {
    folder: TempDir,
    from: StorageMode,
    to: StorageMode,
}

/// From where to where, and whether it was recorded where the login is.
type Story = (StorageMode, StorageMode, bool);

fn all() -> Vec<Story> {
    let mut all = Vec::new();
    for from in StorageMode::ALL {
        all.extend(
            StorageMode::ALL.into_iter().filter(|to| *to != from).map(|to| (from, to, true)),
        );
    }
    all.push((StorageMode::Plaintext, StorageMode::Secure, false));
    all
}

impl Scene {
    fn new((from, to, is_recorded): Story) -> Self {
        let folder = temporary();
        fs::create_dir(folder.path().join("ring")).unwrap();
        let store = stores(folder.path());
        for mode in StorageMode::ALL {
            store.part(mode).unwrap().save(&key("other"), &bound("other", HOST)).unwrap();
        }
        store.part(from).unwrap().save(&key("dev"), &bound("dev", HOST)).unwrap();
        if is_recorded {
            store.set_home(&key("dev"), Some(from)).unwrap();
        }
        Self { folder, from, to }
    }

    fn stores(&self) -> AutoStore {
        stores(self.folder.path())
    }

    fn act(&self) -> Result<bool, StoreError> {
        self.stores().migrate(&key("dev"), self.from, self.to, LONG)
    }

    fn check(&self, outcome: Option<&Result<bool, StoreError>>, told: &str) {
        let store = self.stores();
        let found = store.load(&key("dev")).unwrap().unwrap_or_else(|| panic!("{told}: lost"));
        let wanted = bound("dev", HOST);
        let seen = |session: &Session| (session.access_token.clone(), session.binding.clone());
        assert_eq!(seen(&found), seen(&wanted), "{told}");
        let home = store.home(&key("dev"));
        let is_moved = home == Some(self.to);
        match outcome {
            Some(Ok(done)) => assert!(*done && is_moved, "{told}: {done} {home:?}"),
            Some(Err(StoreError::CopyLeft { mode, .. })) => {
                assert!(is_moved && *mode == self.from, "{told}: {home:?}");
            }
            Some(Err(error)) => assert!(!is_moved, "{told}: {error:?} {home:?}"),
            None => {}
        }
        // Whoever takes the lock, to refresh it say.
        drop(store.lock(&key("dev"), LONG).unwrap().unwrap());
        let counts = if is_moved { self.to } else { self.from };
        assert_eq!(store.holders(&key("dev")), [counts], "{told}: {outcome:?}");
        assert_eq!(seen(&store.load(&key("dev")).unwrap().unwrap()), seen(&wanted), "{told}");
    }

    fn check_next(&self, told: &str) {
        let again = self.act().unwrap_or_else(|error| panic!("{told}: the next time {error:?}"));
        let store = self.stores();
        assert_eq!(store.holders(&key("dev")), [self.to], "{told}: {again}");
        assert_eq!(store.home(&key("dev")), Some(self.to), "{told}");
        let side = fs::read_to_string(self.folder.path().join("home/token-cache.u2m.json"));
        assert!(!side.unwrap().contains("strays"), "{told}: nothing is left to be done");
        for mode in StorageMode::ALL {
            assert!(store.part(mode).unwrap().load(&key("other")).unwrap().is_some(), "{told}");
        }
    }
}

/// Tells a story under each fault at each of its steps; how many times.
fn tell(story: Story) -> usize {
    let mut count = 0;
    let scene = Scene::new(story);
    let (done, steps) = under(None, None, || scene.act());
    assert!(done.unwrap());
    scene.check(Some(&Ok(true)), "without a fault");
    for (at, step) in steps.iter().enumerate() {
        let done = is_change(*step).then_some((InjectedFault::DoneAndError(5), false));
        let torn = (*step == FileOperation::Write).then_some((InjectedFault::Torn(28), true));
        let refused = [(InjectedFault::Error(28), false), (InjectedFault::Error(28), true)];
        for (fault, lasts) in refused.into_iter().chain(done).chain(torn) {
            let scene = Scene::new(story);
            let plan = FaultPlan { at, fault, lasts };
            let (outcome, _) = under(Some(plan), None, || scene.act());
            let told = format!("{story:?}: {fault:?} {lasts} at {at} {step:?}");
            scene.check(Some(&outcome), &told);
            scene.check_next(&told);
            count += 1;
        }
    }
    count
}

#[test]
fn a_move_of_which_any_step_fails_leaves_the_login_in_one_place() {
    let _stage = STAGE.share();
    // A plan is that of one thread, and nobody starts a process meanwhile.
    let count: usize = std::thread::scope(|scope| {
        let told = all().into_iter().map(|story| scope.spawn(move || tell(story)));
        told.collect::<Vec<_>>().into_iter().map(|told| told.join().unwrap()).sum()
    });
    println!("{count} faults");
    assert!(count > 1000);
}

const PLAN: &str = "U2M_MOVE_PLAN";
const FOLDER: &str = "U2M_MOVE_FOLDER";

/// The child: moves until it is killed. In an ordinary run, nothing.
#[test]
fn worker() {
    let (Ok(words), Some(folder)) = (env::var(PLAN), env::var_os(FOLDER)) else { return };
    let words: Vec<usize> = words.split(' ').map(|word| word.parse().unwrap()).collect();
    let fault = if words[2] == 0 { InjectedFault::KillBefore } else { InjectedFault::KillAfter };
    let ((from, to, _), plan) = (all()[words[0]], FaultPlan { at: words[1], fault, lasts: false });
    let store = stores(Path::new(&folder));
    let _ = under(Some(plan), None, || store.migrate(&key("dev"), from, to, LONG));
}

fn start(scene: &Scene, story: usize, at: usize, after: usize) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "fault::tests::moves::worker", "--nocapture"]);
    command.env(PLAN, format!("{story} {at} {after}")).env(FOLDER, scene.folder.path());
    command.stdout(Stdio::null()).spawn().unwrap()
}

fn is_change(op: FileOperation) -> bool {
    !matches!(
        op,
        FileOperation::Open
            | FileOperation::Read
            | FileOperation::ReadFolder
            | FileOperation::Stat
            | FileOperation::Lock
    )
}

#[test]
fn a_move_that_is_killed_at_any_step_leaves_the_login_in_one_place() {
    let _stage = STAGE.lock();
    let mut count = 0;
    // Each store is once where it comes from, and once where it goes.
    for (number, story) in all().into_iter().enumerate() {
        if ![1, 2, 4, 6].contains(&number) {
            continue;
        }
        let scene = Scene::new(story);
        let (_, steps) = under(None, None, || scene.act());
        // Whoever dies between two changes leaves the same.
        let changes = (0..steps.len()).filter(|at| is_change(steps[*at]));
        let kills: Vec<_> = changes.flat_map(|at| [(at, 0), (at, 1)]).collect();
        for some in kills.chunks(8) {
            let started = some.iter().map(|(at, after)| {
                let scene = Scene::new(story);
                let child = start(&scene, number, *at, *after);
                (scene, child, format!("{story:?}: killed at {at} {:?} {after}", steps[*at]))
            });
            for (scene, mut child, told) in started.collect::<Vec<_>>() {
                assert_eq!(child.wait().unwrap().signal(), Some(9), "{told}");
                scene.check(None, &told);
                scene.check_next(&told);
                count += 1;
            }
        }
    }
    println!("{count} kills");
    assert!(count > 300);
}
