//! Faults that are reported to the program.

use super::{
    LONG, RecordedFailure, STAGE, STORIES, Scene, Story, act, key, session, side_by_side, view,
};
use crate::fault::FileOperation;
use crate::fault::plan::{FaultPlan, InjectedFault, under};
use crate::{FileStore, TokenStore};
use rustix::io::Errno;
use std::time::Duration;

const ERRORS: [Errno; 8] = [
    Errno::NOSPC,
    Errno::IO,
    Errno::ACCESS,
    Errno::NOLCK,
    Errno::BADF,
    Errno::ROFS,
    Errno::DQUOT,
    Errno::INTR,
];

/// Every way in which an operation of this kind can go wrong, once and from then on.
fn faults(op: FileOperation) -> Vec<(InjectedFault, bool)> {
    let mut all = Vec::new();
    for errno in ERRORS.map(Errno::raw_os_error) {
        all.push((InjectedFault::Error(errno), false));
        // What is interrupted for ever is tried for ever.
        if errno != Errno::INTR.raw_os_error() {
            all.push((InjectedFault::Error(errno), true));
            if op == FileOperation::Write {
                all.extend([
                    (InjectedFault::Torn(errno), false),
                    (InjectedFault::Torn(errno), true),
                ]);
            }
        }
    }
    if matches!(op, FileOperation::Read | FileOperation::Write) {
        all.extend([(InjectedFault::Short, false), (InjectedFault::Short, true)]);
    } else {
        all.push((InjectedFault::DoneAndError(Errno::IO.raw_os_error()), false));
    }
    all
}

/// The steps of a story, or of its beginning, when nothing fails.
fn steps<T>(story: Story, work: impl FnOnce(&FileStore) -> T) -> Vec<FileOperation> {
    let scene = Scene::new(story);
    let runtime = Some(scene.runtime.path().into());
    let (_held, steps) = under(None, runtime, || work(&FileStore::at(scene.file())));
    steps
}

/// Tells a story under each fault at each of `steps`; how many times, and what failed.
fn tell(
    story: Story,
    steps: &[FileOperation],
) -> (usize, Vec<(FileOperation, FaultPlan, RecordedFailure)>) {
    let plans = steps.iter().enumerate().flat_map(|(at, op)| {
        let all = faults(*op).into_iter();
        all.map(move |(fault, lasts)| (*op, FaultPlan { at, fault, lasts }))
    });
    let plans: Vec<(FileOperation, FaultPlan)> = plans.collect();
    let failed = side_by_side(&plans, |&(op, plan)| {
        let scene = Scene::new(story);
        let store = FileStore::at(scene.file());
        let runtime = Some(scene.runtime.path().into());
        let (done, seen) = under(Some(plan), runtime, || act(story, &store));
        let what = format!("{story:?} {op:?} {plan:?}");
        assert_eq!(seen[..=plan.at], steps[..=plan.at], "{what}: the story is always the same");
        scene.check(Some(&done), &store.take_notices(), &what);
        scene.check_next(&what);
        done.err().map(|error| (op, plan, error))
    });
    (plans.len(), failed.into_iter().flatten().collect())
}

#[test]
fn a8_file_14_whatever_fails_at_whichever_step_the_change_is_there_or_the_old_state_is() {
    let _stage = STAGE.share();
    let mut total = 0;
    for story in STORIES {
        let all = steps(story, |store| act(story, store).unwrap());
        let (told, failed) = tell(story, &all);
        assert!(!failed.is_empty(), "{story:?}: no fault was ever noticed");
        println!("{story:?}: {told} faults, {} of them an error", failed.len());
        total += told;
    }
    println!("{total} faults");
    assert!(total > 1000);
}

#[test]
fn refr_4_what_fails_for_good_shows_before_a_refresh_token_is_spent() {
    let _stage = STAGE.share();
    for story in [Story::Refresh, Story::RefreshOfLink, Story::RefreshOfMount] {
        let proof = steps(story, |store| {
            let mut lock = store.lock(&key("dev"), LONG).unwrap().unwrap();
            lock.claim(&session("dev").fingerprint(), Duration::ZERO).unwrap();
            lock.prove_writable().unwrap();
            lock
        });
        let (_, failed) = tell(story, &proof);
        // Whatever takes room or permission.
        let takes = |op| {
            matches!(
                op,
                FileOperation::Open
                    | FileOperation::Create
                    | FileOperation::Write
                    | FileOperation::Sync
                    | FileOperation::Rename
            )
        };
        let lasting = failed.into_iter().filter(|(op, plan, _)| plan.lasts && takes(*op));
        let mut shown = 0;
        for (op, plan, failed) in lasting {
            assert!(!matches!(failed, RecordedFailure::AtSave(_)), "{op:?} {plan:?} {failed:?}");
            shown += 1;
        }
        println!("{story:?}: {shown} faults that last show before anything is spent");
        assert!(shown > 50);
    }
}

#[test]
fn file_8_a_reader_that_something_fails_for_says_so_or_reads_what_is_there() {
    let scene = Scene::new(Story::Refresh);
    let whole = view(&FileStore::at(scene.file()));
    let read = || FileStore::at(scene.file()).load(&key("dev"));
    let (_, steps) = under(None, None, read);
    for (at, op) in steps.iter().enumerate() {
        for (fault, lasts) in faults(*op) {
            let plan = FaultPlan { at, fault, lasts };
            match under(Some(plan), None, read).0 {
                Err(_) => {}
                Ok(None) => panic!("{op:?} {plan:?}: taken for an absence"),
                Ok(Some(found)) => {
                    let found = (found.access_token, found.refresh_token, found.expiry);
                    let dev = whole[0].clone().unwrap().unwrap();
                    assert_eq!(found, (dev.access_token, dev.refresh_token, dev.expiry));
                }
            }
            assert_eq!(view(&FileStore::at(scene.file())), whole, "{op:?} {plan:?}");
        }
    }
}
