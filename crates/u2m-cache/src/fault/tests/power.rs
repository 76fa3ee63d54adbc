//! The power goes at each operation: what was written and not made to last is lost. Which name leads to which file is not, as file
//! systems write that down in the order in which it was changed.

use super::{STAGE, Scene, Story, act, temporary};
use crate::FileStore;
use crate::fault::plan::{FaultPlan, FileId, InjectedFault, id, is_loose, meanwhile, under};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;

/// What the files hold of which something is on the disk.
type Disk = BTreeMap<FileId, Vec<u8>>;

/// Reads all files below a folder.
fn read(folder: &Path, disk: &mut Disk) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let meta = entry.metadata().unwrap();
        match meta.is_dir() {
            true => read(&entry.path(), disk),
            false => drop(disk.insert(id(&meta), fs::read(entry.path()).unwrap())),
        }
    }
}

/// Copies a folder as it is found when the power is back; how many files lost something. `disk` is what was there at first.
fn copy(from: &Path, to: &Path, disk: &Disk) -> usize {
    let mut losses = 0;
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (meta, to) = (entry.metadata().unwrap(), to.join(entry.file_name()));
        if meta.is_dir() {
            fs::create_dir(&to).unwrap();
            losses += copy(&entry.path(), &to, disk);
        } else if is_loose(&meta) {
            fs::write(&to, disk.get(&id(&meta)).map_or(&[][..], Vec::as_slice)).unwrap();
            losses += 1;
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
        fs::set_permissions(&to, meta.permissions()).unwrap();
    }
    losses
}

/// What is left where the power went at an operation, and how many files lost something; none where nobody can look then.
fn cut(story: Story, at: usize) -> Option<(Scene, usize)> {
    let scene = Scene::new(story);
    let (mut disk, left) = (Disk::new(), temporary());
    read(scene.folder.path(), &mut disk);
    let losses = Rc::new(Cell::new(None));
    let (found, from, to) =
        (Rc::clone(&losses), scene.folder.path().to_owned(), left.path().to_owned());
    meanwhile(move || found.set(Some(copy(&from, &to, &disk))));
    let plan = FaultPlan { at, fault: InjectedFault::Meanwhile, lasts: false };
    let runtime = Some(scene.runtime.path().into());
    under(Some(plan), runtime, || act(story, &FileStore::at(scene.file()))).0.unwrap();
    // Nothing in the user's runtime folder is there after a start.
    let scene = Scene { folder: left, runtime: temporary(), ..scene };
    losses.get().map(|losses| (scene, losses))
}

#[test]
fn no_power_cut_parts_tokens_from_what_says_whose_they_are() {
    let _stage = STAGE.share();
    for story in
        [Story::FirstLogin, Story::NewLogin, Story::AnotherHost, Story::Refresh, Story::Damaged]
    {
        let scene = Scene::new(story);
        let runtime = Some(scene.runtime.path().into());
        let (done, steps) = under(None, runtime, || act(story, &FileStore::at(scene.file())));
        done.unwrap();
        let (mut cuts, mut lossy) = (0, 0);
        for (at, op) in steps.iter().enumerate() {
            let Some((scene, losses)) = cut(story, at) else { continue };
            let told = format!("{story:?}: no power at {at} {op:?}, {losses} files lost something");
            scene.check(None, &[], &told);
            scene.check_next(&told);
            cuts += 1;
            lossy += usize::from(losses > 0);
        }
        println!("{story:?}: {cuts} cuts, {lossy} of them with a loss");
        assert!(cuts > steps.len() / 2 && lossy > 3, "{story:?}");
    }
}
