//! A cache that is mounted by itself, which is written as it stands: whoever looks while that is half done, or after its writer was
//! killed in the middle, has a whole login.

use super::{LONG, STAGE, Scene, Story, act, bound, key, leftovers, view};
use crate::fault::FileOperation;
use crate::fault::plan::{FaultPlan, InjectedFault, under};
use crate::{FileStore, TokenStore};
use rustix::io::Errno;
use std::fs;

/// The operations of a story in which nothing fails, and those at which the cache is written: its three writes, each made to last.
fn steps(story: Story) -> (Vec<FileOperation>, std::ops::Range<usize>) {
    let scene = Scene::new(story);
    let runtime = Some(scene.runtime.path().into());
    let (done, steps) = under(None, runtime, || act(story, &FileStore::at(scene.file())));
    done.unwrap();
    let written = [
        FileOperation::Write,
        FileOperation::Sync,
        FileOperation::Write,
        FileOperation::SetLen,
        FileOperation::Sync,
        FileOperation::Write,
        FileOperation::Sync,
    ];
    let at = steps.windows(written.len()).position(|some| some == written).unwrap();
    let before = [FileOperation::Sync, FileOperation::SyncFolder];
    assert!(
        steps[..at].windows(2).any(|two| two == before),
        "what it is mended by lasts: {steps:?}"
    );
    (steps, at..at + written.len())
}

const MOUNTS: [Story; 4] =
    [Story::FirstLoginOfMount, Story::RefreshOfMount, Story::DeleteOfMount, Story::DamagedMount];

fn is_half(scene: &Scene) -> bool {
    fs::read(scene.file()).unwrap().first() == Some(&0)
}

#[test]
fn what_a_killed_writer_has_half_written_is_whole_for_whoever_only_reads() {
    let _stage = STAGE.lock();
    for story in MOUNTS {
        let (_, written) = steps(story);
        let moments = written.flat_map(|at| [(at, 0), (at, 1)]);
        let mut half = 0;
        for (scene, told) in super::kills::killed(story, moments) {
            half += usize::from(is_half(&scene));
            assert_eq!(view(&FileStore::at(scene.file())), scene.after(), "{told}");
            assert!(!is_half(&scene), "{told}: it is mended");
            scene.check_next(&told);
        }
        assert!(half > 3, "{story:?}");
    }
}

#[test]
fn where_nothing_can_be_locked_the_new_login_is_read_from_where_it_lasts() {
    let _stage = STAGE.lock();
    let (_, written) = steps(Story::RefreshOfMount);
    let killed = |_| (written.start + 2, 1);
    let mut scenes = super::kills::killed(Story::RefreshOfMount, (0..2).map(killed));
    let (scene, _) = scenes.remove(0);
    let read = |scene: &Scene| FileStore::at(scene.file()).load(&key("dev"));
    let (_, seen) = under(None, None, || read(&scene).unwrap());
    let (scene, told) = scenes.remove(0);
    let at = seen.iter().position(|op| *op == FileOperation::Lock).unwrap();
    let plan = FaultPlan { at, fault: InjectedFault::Error(Errno::IO.raw_os_error()), lasts: true };
    let (found, _) = under(Some(plan), None, || read(&scene));
    assert_eq!(Ok(found.unwrap()), scene.after()[0], "{told}");
    assert!(is_half(&scene), "nothing was written");
    scene.check_next(&told);
}

#[test]
fn a_reader_waits_for_a_writer_that_lives() {
    let _stage = STAGE.share();
    let scene = Scene::new(Story::RefreshOfMount);
    let store = FileStore::at(scene.file());
    let whole = fs::read(scene.file()).unwrap();
    let mut half = whole.clone();
    half[0] = 0;
    let writer = crate::sidecar::locks::take(&scene.file().with_extension("lock"), LONG);
    let writer = writer.unwrap().unwrap();
    fs::write(scene.file(), &half).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| store.load(&key("dev")).unwrap());
        // Time to look; without it the test shows less, and does not fail.
        std::thread::sleep(std::time::Duration::from_millis(50));
        fs::write(scene.file(), &whole).unwrap();
        drop(writer);
        assert_eq!(reader.join().unwrap(), Some(bound("dev", "https://a.example")));
    });
}

#[test]
fn a_reader_waits_for_a_writer_whose_locks_are_elsewhere() {
    let _stage = STAGE.share();
    let scene = Scene::new(Story::RefreshOfMount);
    let store = FileStore::at(scene.file());
    let whole = fs::read(scene.file()).unwrap();
    // As a program in another container writes it, which has the file and none of what stands beside it here.
    fs::write(scene.file(), [&[0], &whole[1..]].concat()).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| store.load(&key("dev")).unwrap());
        // Time to look; without it the test shows less, and does not fail.
        std::thread::sleep(std::time::Duration::from_millis(50));
        fs::write(scene.file(), &whole).unwrap();
        assert_eq!(reader.join().unwrap(), Some(bound("dev", "https://a.example")));
    });
}

#[test]
fn what_breaks_off_and_cannot_be_taken_back_is_saved_all_the_same_and_that_is_said() {
    let _stage = STAGE.share();
    let (_, written) = steps(Story::RefreshOfMount);
    let scene = Scene::new(Story::RefreshOfMount);
    let store = FileStore::at(scene.file());
    let full = InjectedFault::Error(Errno::NOSPC.raw_os_error());
    let plan = FaultPlan { at: written.start + 2, fault: full, lasts: true };
    let runtime = Some(scene.runtime.path().into());
    let (done, _) = under(Some(plan), runtime, || act(Story::RefreshOfMount, &store));
    done.unwrap();
    assert!(is_half(&scene));
    let notices = store.take_notices();
    assert!(notices.iter().any(|notice| notice.text.contains("not be written to its end")));
    assert!(notices.iter().all(|notice| !notice.text.contains("-next")), "{notices:?}");
    assert_eq!(view(&FileStore::at(scene.file())), scene.after());
    assert!(!is_half(&scene) && leftovers(scene.folder.path()).len() <= 1);
    scene.check_next("after the disk was full");
}
