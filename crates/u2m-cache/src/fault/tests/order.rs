//! In which order things are done, and what somebody else may do in between.

use super::{LONG, STAGE, Scene, Story, act, key, session, temporary, view};
use crate::fault::plan::{FaultPlan, InjectedFault, meanwhile, under};
use crate::fault::{FileOperation, tests::bound};
use crate::sidecar::locks;
use crate::{FileStore, TokenStore};
use fd_lock::RwLock;
use rustix::io::Errno;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

/// The operations of a story in which nothing fails.
fn steps(story: Story) -> Vec<FileOperation> {
    let scene = Scene::new(story);
    let runtime = Some(scene.runtime.path().into());
    let (done, steps) = under(None, runtime, || act(story, &FileStore::at(scene.file())));
    done.unwrap();
    steps
}

/// Where the cache is replaced: its folder is made to last, too.
fn replaced(steps: &[FileOperation]) -> usize {
    let found = steps
        .windows(2)
        .position(|pair| pair == [FileOperation::Rename, FileOperation::SyncFolder]);
    found.unwrap_or_else(|| panic!("the folder is not synced behind the rename: {steps:?}"))
}

#[test]
fn file_14_what_is_put_in_place_lasts_before_and_so_does_its_name_afterwards() {
    let _stage = STAGE.lock();
    for story in [
        Story::FirstLogin,
        Story::NewLogin,
        Story::AnotherHost,
        Story::Refresh,
        Story::RefreshOfLink,
        Story::Delete,
        Story::Damaged,
    ] {
        let steps = steps(story);
        let put = replaced(&steps);
        // The text is cut to its length when it is whole.
        let whole = steps[..put].iter().rposition(|op| *op == FileOperation::SetLen).unwrap();
        assert_eq!(steps[whole + 1], FileOperation::Sync, "{story:?}: {steps:?}");
        assert_eq!(
            steps.iter().filter(|op| **op == FileOperation::SyncFolder).count(),
            1,
            "{story:?}"
        );
    }
}

#[test]
fn refr_4_what_a_dead_writer_had_finished_is_there_for_whoever_takes_the_entrys_lock() {
    let _stage = STAGE.lock();
    for story in [Story::Refresh, Story::RefreshOfLink] {
        let steps = steps(story);
        let put = replaced(&steps);
        let committed = steps[..put].iter().rposition(|op| *op == FileOperation::Write).unwrap();
        let finished = super::kills::killed(story, (committed + 1..=put).map(|at| (at, 0)));
        assert!(finished.len() > 2, "{steps:?}");
        for (scene, told) in finished {
            assert!(view(&FileStore::at(scene.file())) == scene.before, "{told}: it is too late");
            let store = FileStore::at(scene.file());
            let lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
            assert_eq!(view(&store), scene.after(), "{told}");
            drop(lock);
            assert!(
                super::leftovers(scene.folder.path()).iter().all(|left| !holds(left, "rt-next"))
            );
            scene.check_next(&told);
        }
    }
}

fn holds(file: &Path, text: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|found| found.contains(text))
}

#[test]
fn what_a_dead_writer_had_finished_comes_over_nothing_that_was_done_since() {
    let _stage = STAGE.lock();
    let steps = steps(Story::Refresh);
    let put = replaced(&steps);
    type Deed = fn(&FileStore);
    let theirs: [(&str, Deed); 3] = [
        ("another login", |store| store.save(&key("new"), &session("new")).unwrap()),
        ("a newer login", |store| store.save(&key("dev"), &session("newer")).unwrap()),
        ("a logout", |store| store.delete(&key("dev")).unwrap()),
    ];
    for (what, done) in theirs {
        let (scene, _) = super::kills::killed(Story::Refresh, [(put, 0)]).remove(0);
        // A program that knows nothing of our locks and notes.
        let elsewhere = temporary();
        let copy = elsewhere.path().join("token-cache.json");
        fs::copy(scene.file(), &copy).unwrap();
        done(&FileStore::at(&copy));
        fs::rename(&copy, scene.file())
            .or_else(|_| fs::copy(&copy, scene.file()).map(drop))
            .unwrap();
        let store = FileStore::at(scene.file());
        drop(store.lock(&key("dev"), LONG).unwrap().unwrap());
        let refresh = |name| {
            let found = store.load(&key(name)).unwrap()?.refresh_token?;
            Some(found.expose().to_owned())
        };
        let dev = match what {
            "another login" => Some("rt-next"),
            "a newer login" => Some("rt-newer"),
            _ => None,
        };
        assert_eq!(refresh("dev").as_deref(), dev, "{what}");
        assert_eq!(refresh("new").is_some(), what == "another login");
        assert!(refresh("other").is_some() && refresh("plain").is_some(), "{what}");
    }
}

/// Has somebody hold the lock on `path`, on a file that was just put there.
fn held_anew(path: &Path) -> RwLock<File> {
    let _ = fs::remove_file(path);
    RwLock::new(crate::sidecar::disk::open_private(path).unwrap())
}

#[test]
fn a_lock_file_that_is_removed_between_opening_and_locking_is_no_lock() {
    let _stage = STAGE.lock();
    let folder = temporary();
    let path = folder.path().join("a.lock");
    let take = || locks::take(&path, Duration::ZERO).unwrap();
    let (_, steps) = under(None, None, take);
    let at = steps.iter().position(|op| *op == FileOperation::Lock).unwrap();
    let plan = FaultPlan { at, fault: InjectedFault::Meanwhile, lasts: false };
    let there = path.clone();
    meanwhile(move || {
        let theirs = Box::leak(Box::new(held_anew(&there)));
        std::mem::forget(theirs.try_write().unwrap());
    });
    assert!(under(Some(plan), None, take).0.is_none(), "the file that is there is locked");
    // Removed, and nobody has it: the new file is locked, so that the next one finds it.
    fs::remove_file(&path).unwrap();
    let there = path.clone();
    meanwhile(move || drop(held_anew(&there)));
    let held = under(Some(plan), None, take).0;
    assert!(held.is_some());
    assert!(RwLock::new(File::open(&path).unwrap()).try_write().is_err(), "it is this file");
}

#[test]
fn who_waits_on_a_lock_file_that_is_removed_waits_on_the_new_one() {
    let _stage = STAGE.lock();
    let folder = temporary();
    let path = folder.path().join("a.lock");
    let mut first = held_anew(&path);
    let first = first.write().unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| locks::take(&path, LONG).unwrap().is_some());
        std::thread::sleep(Duration::from_millis(30));
        let mut second = held_anew(&path);
        let second = second.write().unwrap();
        drop(first);
        std::thread::sleep(Duration::from_millis(30));
        assert!(!waiter.is_finished(), "it has a lock on a file that is gone");
        drop(second);
        assert!(waiter.join().unwrap());
    });
}

#[test]
fn an_interruption_is_no_reason_to_give_a_lock_up() {
    let _stage = STAGE.lock();
    let folder = temporary();
    let path = folder.path().join("a.lock");
    let interrupted = InjectedFault::Error(Errno::INTR.raw_os_error());
    let at = |kind: usize, take: &dyn Fn() -> bool| {
        let (_, steps) = under(None, None, take);
        let locks = steps.iter().enumerate().filter(|(_, op)| **op == FileOperation::Lock);
        locks.map(|(at, _)| at).nth(kind).unwrap()
    };
    let take = || locks::take(&path, LONG).unwrap().is_some();
    let plan = FaultPlan { at: at(0, &take), fault: interrupted, lasts: false };
    assert!(under(Some(plan), None, take).0);
    // And while it is waited for.
    let waits = || {
        let mut theirs = RwLock::new(crate::sidecar::disk::open_private(&path).unwrap());
        let theirs = theirs.write().unwrap();
        std::thread::scope(|scope| {
            let carried = crate::fault::carried(take);
            let waiter = scope.spawn(carried);
            std::thread::sleep(Duration::from_millis(30));
            drop(theirs);
            waiter.join().unwrap()
        })
    };
    let plan = FaultPlan { at: at(1, &waits), fault: interrupted, lasts: false };
    assert!(under(Some(plan), None, waits).0);
}

#[test]
fn a_writer_that_another_program_comes_before_reads_again() {
    let _stage = STAGE.lock();
    let steps = steps(Story::NewLogin);
    // Its last look is the last thing that is read before the rename.
    let at = steps[..replaced(&steps)].iter().rposition(|op| *op == FileOperation::Open).unwrap();
    let scene = Scene::new(Story::NewLogin);
    let (file, other) = (scene.file(), scene.folder.path().join("other.json"));
    meanwhile(move || {
        fs::copy(&file, &other).unwrap();
        FileStore::at(&other).save(&key("theirs"), &session("theirs")).unwrap();
        fs::rename(&other, &file).unwrap();
    });
    let plan = FaultPlan { at, fault: InjectedFault::Meanwhile, lasts: false };
    let store = FileStore::at(scene.file());
    let runtime = Some(scene.runtime.path().into());
    let (done, _) = under(Some(plan), runtime, || act(Story::NewLogin, &store));
    done.unwrap();
    assert_eq!(store.load(&key("new")).unwrap(), Some(bound("new", "https://a.example")));
    assert!(store.load(&key("theirs")).unwrap().is_some(), "theirs is lost");
}
