//! The process is killed before and after each operation, in a process of its own.

use super::{STAGE, STORIES, Scene, Story, act};
use crate::FileStore;
use crate::fault::plan::{FaultPlan, InjectedFault, under};
use std::env;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const PLAN: &str = "U2M_FAULT_PLAN";
const FILE: &str = "U2M_FAULT_FILE";
const RUNTIME: &str = "U2M_FAULT_RUNTIME";

/// The child: acts until it is killed. In an ordinary run, nothing.
#[test]
fn worker() {
    let (Ok(words), Some(file)) = (env::var(PLAN), env::var_os(FILE)) else { return };
    let words: Vec<usize> = words.split(' ').map(|word| word.parse().unwrap()).collect();
    let fault = if words[2] == 0 { InjectedFault::KillBefore } else { InjectedFault::KillAfter };
    let (story, plan) = (STORIES[words[0]], FaultPlan { at: words[1], fault, lasts: false });
    let runtime = env::var_os(RUNTIME).map(PathBuf::from);
    let _ = under(Some(plan), runtime, || act(story, &FileStore::at(PathBuf::from(file))));
}

fn start(scene: &Scene, at: usize, after: usize) -> Child {
    let story = STORIES.iter().position(|story| *story == scene.story).unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "fault::tests::kills::worker", "--nocapture"]);
    command.env(PLAN, format!("{story} {at} {after}")).env(FILE, scene.file());
    command.env(RUNTIME, scene.runtime.path()).stdout(Stdio::null());
    command.spawn().unwrap()
}

/// Scenes in which the process was killed: before (0) or after (1) an operation.
pub(super) fn killed(
    story: Story,
    moments: impl IntoIterator<Item = (usize, usize)>,
) -> Vec<(Scene, String)> {
    let one = |(at, after)| {
        let scene = Scene::new(story);
        assert_eq!(start(&scene, at, after).wait().unwrap().signal(), Some(9), "{at} {after}");
        (scene, format!("{story:?} killed at {at} {after}"))
    };
    moments.into_iter().map(one).collect()
}

fn tell(story: Story) -> usize {
    let scene = Scene::new(story);
    let runtime = Some(scene.runtime.path().into());
    let (done, steps) = under(None, runtime, || act(story, &FileStore::at(scene.file())));
    done.unwrap();
    let all: Vec<(usize, usize)> = (0..steps.len()).flat_map(|at| [(at, 0), (at, 1)]).collect();
    // Some at once: starting a process is what takes long.
    for some in all.chunks(8) {
        let started = some.iter().map(|(at, after)| {
            let scene = Scene::new(story);
            let child = start(&scene, *at, *after);
            (scene, child, format!("{story:?} killed at {at} {:?} {after}", steps[*at]))
        });
        for (scene, mut child, told) in started.collect::<Vec<_>>() {
            assert_eq!(child.wait().unwrap().signal(), Some(9), "{told}");
            scene.check(None, &[], &told);
            scene.check_next(&told);
        }
    }
    all.len()
}

#[test]
fn a8_t29_killed_before_or_after_any_step_the_old_state_or_the_new_one_is_whole() {
    let _stage = STAGE.lock();
    let total: usize = STORIES.into_iter().map(tell).sum();
    println!("{total} kills");
    assert!(total > 100);
}
