//! A file system without locks: refreshes are coordinated on this machine, and it is said once what is not.

use super::{LONG, STAGE, bound, key, refresh_failure, temporary, view};
use crate::fault::FileOperation;
use crate::fault::plan::{FaultPlan, InjectedFault, under};
use crate::{EntryLock, FileStore, StoreError, TokenStore};
use rustix::io::Errno;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// What file systems say that have no locks.
const NONE: [Errno; 4] = [Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOSYS, Errno::BADF];

/// A network home, and a runtime folder that has locks.
struct Home {
    folder: TempDir,
    runtime: TempDir,
    errno: Errno,
}

impl Home {
    fn new(errno: Errno) -> Self {
        let home = Self { folder: temporary(), runtime: temporary(), errno };
        home.store().save(&key("dev"), &bound("dev", "https://a.example")).unwrap();
        symlink(home.folder.path(), home.folder.path().join("link")).unwrap();
        home
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("token-cache.json")
    }

    fn store(&self) -> FileStore {
        FileStore::at(self.file())
    }

    /// The same file by another name, under which this process does not know its own locks.
    fn as_another_process(&self) -> FileStore {
        FileStore::at(self.folder.path().join("link/token-cache.json"))
    }

    /// Does `work`, whose first lock of the home is refused; the next is that of the runtime folder.
    fn without_locks<T>(&self, lasts: bool, work: impl Fn() -> T) -> T {
        let runtime = || Some(self.runtime.path().to_owned());
        // The first time it makes its folders.
        let _ = under(None, runtime(), &work);
        let (_, steps) = under(None, runtime(), &work);
        let at = steps.iter().position(|op| *op == FileOperation::Lock).unwrap();
        let fault = InjectedFault::Error(self.errno.raw_os_error());
        under(Some(FaultPlan { at, fault, lasts }), runtime(), work).0
    }
}

fn take(store: &FileStore) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
    store.lock(&key("dev"), Duration::ZERO)
}

#[test]
fn t23_where_there_are_no_locks_a_refresh_is_coordinated_on_this_machine() {
    let _stage = STAGE.share();
    for errno in NONE {
        let home = Home::new(errno);
        let (store, other) = (home.store(), home.as_another_process());
        let mut lock = home.without_locks(false, || take(&store).unwrap()).unwrap();
        assert!(
            home.without_locks(false, || take(&other).unwrap()).is_none(),
            "{errno}: two have it"
        );
        // Noted where programs look that have locks, on other machines too.
        lock.note(&refresh_failure("dev")).unwrap();
        lock.prove_writable().unwrap();
        lock.save(&bound("next", "https://a.example")).unwrap();
        drop(lock);
        assert!(
            home.without_locks(false, || take(&other).unwrap()).is_some(),
            "{errno}: it is free"
        );
        assert_eq!(view(&store)[0], Ok(Some(bound("next", "https://a.example"))));
        assert_eq!(take(&store).unwrap().unwrap().refresh_failure(), Some(refresh_failure("dev")));
    }
}

#[test]
fn it_is_said_once_that_other_machines_are_not_coordinated() {
    let _stage = STAGE.share();
    let home = Home::new(Errno::NOLCK);
    let store = home.store();
    for _ in 0..2 {
        drop(home.without_locks(false, || take(&store).unwrap()));
        home.without_locks(false, || store.delete(&key("absent")).unwrap());
    }
    let notices = store.take_notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    let file = home.file();
    let said = "is on a file system without locks; programs on other machines are not coordinated";
    assert_eq!(notices[0].text, format!("{} {said}", file.display()));
}

#[test]
fn a_lock_in_the_runtime_folder_is_handed_over_like_any_other() {
    let _stage = STAGE.share();
    let home = Home::new(Errno::NOLCK);
    let (store, other) = (home.store(), home.as_another_process());
    let lock = home.without_locks(false, || take(&store).unwrap()).unwrap();
    let file = lock.hand_over().unwrap();
    let runtime = || Some(home.runtime.path().to_owned());
    let adopted = under(None, runtime(), || store.adopt(&key("dev"), file).unwrap()).0;
    assert!(home.without_locks(false, || take(&other).unwrap()).is_none());
    drop(adopted);
    assert!(home.without_locks(false, || take(&other).unwrap()).is_some());
    let foreign = fs::File::open(home.file()).unwrap();
    assert!(under(None, runtime(), || store.adopt(&key("dev"), foreign).is_err()).0);
}

#[test]
fn where_there_are_no_locks_at_all_it_is_an_error_that_names_the_file() {
    let _stage = STAGE.share();
    let home = Home::new(Errno::NOLCK);
    let store = home.store();
    let Err(error) = home.without_locks(true, || take(&store)) else { panic!("a lock of nothing") };
    assert!(matches!(error, StoreError::Io { what: "lock", .. }), "{error:?}");
    assert!(
        home.without_locks(true, || store.save(&key("dev"), &bound("x", "https://a.example")))
            .is_err()
    );
}

#[test]
fn t23_a_planted_folder_for_locks_is_refused() {
    let _stage = STAGE.share();
    let home = Home::new(Errno::NOLCK);
    let (store, folder) = (home.store(), home.runtime.path().join("u2m"));
    let victim = home.folder.path().join("victim");
    fs::create_dir(&victim).unwrap();
    symlink(&victim, &folder).unwrap();
    assert!(home.without_locks(false, || take(&store)).is_err(), "a link");
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(home.without_locks(false, || take(&store)).is_err(), "others look into it");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(home.without_locks(false, || take(&store)).is_ok());
    assert!(fs::read_dir(victim).unwrap().next().is_none());
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&folder, Some(12345), None).unwrap();
        let Err(error) = home.without_locks(false, || take(&store)) else { panic!("planted") };
        assert!(matches!(error, StoreError::ForeignOwner { owner: 12345, .. }), "{error}");
        assert!(
            store.lock(&key("dev"), LONG).unwrap().is_some(),
            "where there are locks, nobody looks"
        );
    }
}
