//! What a save leaves out, and whom it does not hold up.

use super::{LONG, STAGE, Scene, Story, act, at_databricks, bound, key, session};
use crate::fault::FileOperation;
use crate::fault::plan::{FaultPlan, InjectedFault, meanwhile, under};
use crate::{FileStore, TokenStore};

/// The operations of a story in which nothing fails, and its scene.
fn told(story: Story) -> (Scene, Vec<FileOperation>) {
    let scene = Scene::new(story);
    let runtime = Some(scene.runtime.path().into());
    let (done, steps) = under(None, runtime, || act(story, &FileStore::at(scene.file())));
    done.unwrap();
    (scene, steps)
}

fn count(steps: &[FileOperation], op: FileOperation) -> usize {
    steps.iter().filter(|step| **step == op).count()
}

#[test]
fn nobody_waits_until_what_another_has_put_in_place_lasts() {
    let _stage = STAGE.share();
    for story in [Story::NewLogin, Story::AnotherHost, Story::Refresh] {
        let (_, steps) = told(story);
        let at = steps.iter().position(|op| *op == FileOperation::SyncFolder).unwrap();
        let scene = Scene::new(story);
        let file = scene.file();
        meanwhile(move || {
            FileStore::at(&file).save(&key("theirs"), &session("theirs")).unwrap();
        });
        let plan = FaultPlan { at, fault: InjectedFault::Meanwhile, lasts: false };
        let runtime = Some(scene.runtime.path().into());
        let store = FileStore::at(scene.file());
        under(Some(plan), runtime, || act(story, &store)).0.unwrap();
        assert_eq!(super::view(&store), scene.after(), "{story:?}");
        assert!(store.load(&key("theirs")).unwrap().is_some(), "{story:?}");
    }
}

#[test]
fn a_record_is_put_behind_the_others_and_no_file_is_made_for_it() {
    let _stage = STAGE.share();
    for story in [Story::NewLogin, Story::AnotherHost] {
        let (_, steps) = told(story);
        assert_eq!(
            (count(&steps, FileOperation::Create), count(&steps, FileOperation::Rename)),
            (1, 1),
            "{story:?}"
        );
    }
    // The state before is known by it, too.
    let (scene, _) = told(Story::AnotherHost);
    let cache = std::fs::read(scene.file()).unwrap();
    let store = FileStore::at(scene.file());
    for next in ["one", "two", "three"] {
        let before = store.load(&key("dev")).unwrap();
        let cache = std::fs::read(scene.file()).unwrap();
        store.save(&key("dev"), &bound(next, "https://a.example")).unwrap();
        let saved = std::fs::read(scene.file()).unwrap();
        std::fs::write(scene.file(), cache).unwrap();
        assert_eq!(store.load(&key("dev")).unwrap(), before, "before {next}");
        std::fs::write(scene.file(), saved).unwrap();
    }
    assert_ne!(std::fs::read(scene.file()).unwrap(), cache);
    // Nothing is known of this one, and nothing is written down.
    let scene = Scene::new(Story::NewLogin);
    let side = scene.file().with_file_name("token-cache.u2m.json");
    let before = std::fs::read(&side).unwrap();
    FileStore::at(scene.file()).save(&key("plain"), &session("another")).unwrap();
    assert_eq!(std::fs::read(&side).unwrap(), before);
}

#[test]
fn a_login_that_finds_its_endpoints_again_does_not_wait_for_its_record() {
    let _stage = STAGE.share();
    let waits = |login| {
        let scene = Scene::new(Story::NewLogin);
        let store = FileStore::at(scene.file());
        let (saved, steps) = under(None, None, || store.save(&key("new"), &login));
        saved.unwrap();
        count(&steps, FileOperation::Sync)
    };
    let a = "https://a.example";
    let plain = waits(at_databricks("new", a));
    assert_eq!(waits(bound("new", a)), plain + 1);
    let allowed = at_databricks("new", a).binding.unwrap();
    let allowed = allowed.with_allowed([u2m_core::Host::parse("https://b.example").unwrap()]);
    assert_eq!(waits(session("new").with_binding(allowed)), plain + 1);
}

#[test]
fn a_record_that_broke_off_costs_no_other_and_the_next_save_mends_it() {
    let _stage = STAGE.share();
    let (scene, _) = told(Story::AnotherHost);
    let side = scene.file().with_file_name("token-cache.u2m.json");
    let whole = std::fs::read(&side).unwrap();
    let start = whole.iter().rposition(|byte| *byte == b'\n').unwrap();
    let store = FileStore::at(scene.file());
    for end in [start + 2, whole.len() - 1] {
        std::fs::write(&side, &whole[..end]).unwrap();
        // Of its own tokens nothing is known then but which host they were for before.
        assert_eq!(store.load(&key("dev")).unwrap().unwrap().binding, None);
        let other = store.load(&key("other")).unwrap();
        assert_eq!(other, Some(bound("other", "https://a.example")));
        store.save(&key("dev"), &bound("later", "https://a.example")).unwrap();
        assert_eq!(store.load(&key("dev")).unwrap(), Some(bound("later", "https://a.example")));
        let text = std::fs::read(&side).unwrap();
        assert!(serde_json::from_slice::<serde_json::Value>(&text).is_ok(), "it is written anew");
    }
}

#[test]
fn what_was_put_in_place_is_nobodys_to_finish() {
    let _stage = STAGE.share();
    let (scene, _) = told(Story::NewLogin);
    let store = FileStore::at(scene.file());
    let take = || store.lock(&key("dev"), LONG).unwrap().unwrap();
    let (lock, steps) = under(None, Some(scene.runtime.path().into()), take);
    assert_eq!(
        count(&steps, FileOperation::Lock),
        1,
        "the entry's, and not the writers': {steps:?}"
    );
    drop(lock);
}
