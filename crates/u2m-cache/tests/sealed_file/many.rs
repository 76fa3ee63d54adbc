//! Many processes, and processes that are killed.

use crate::common::{self, Child, Place, bound, everything, holds, key, put, session};
use crate::{access, at, file, store};
use std::fs;
use std::time::Duration;
use u2m_cache::{EncryptedFileStore, SealKeySource, TokenStore};

const WRITERS: usize = 8;
const WRITES: usize = 25;

pub(crate) fn work(job: &str, store: &EncryptedFileStore) {
    match job {
        "until killed" => {
            for round in 0_u64.. {
                store.save(&key("dev"), &bound(&format!("canary-{round}"))).unwrap();
                common::say(&round.to_string());
            }
        }
        "makes a key" => {
            let source = SealKeySource::File(store.path().with_file_name("new.key"));
            let store = EncryptedFileStore::at(store.path(), source);
            common::say("ready");
            common::hear();
            let name = std::process::id().to_string();
            store.save(&key(&name), &session(&name)).unwrap();
            common::say(&name);
        }
        writer => {
            common::say("ready");
            common::hear();
            for round in 0..WRITES {
                let name = format!("{writer}-{round}");
                store.save(&key(&name), &session(&name)).unwrap();
            }
        }
    }
}

/// Starts them all before the first of them goes on.
fn race(jobs: impl Iterator<Item = String>, place: &Place) -> Vec<Vec<String>> {
    let mut children: Vec<Child> = jobs.map(|job| Child::start(&job, &file(place))).collect();
    children.iter_mut().for_each(|child| {
        child.until("ready");
    });
    children.iter_mut().for_each(|child| {
        child.go_on();
    });
    children.into_iter().map(Child::done).collect()
}

#[test]
fn file_1_eight_processes_that_write_at_once_lose_nothing() {
    let place = Place::fast();
    race((0..WRITERS).map(|at| format!("w{at}")), &place);
    let store = store(&place);
    assert_eq!(store.keys().unwrap().len(), WRITERS * WRITES);
    for writer in 0..WRITERS {
        for round in 0..WRITES {
            let name = format!("w{writer}-{round}");
            assert_eq!(store.load(&key(&name)).unwrap(), Some(session(&name)));
        }
    }
    assert!(!place.names().iter().any(|name| name.ends_with(".tmp")), "{:?}", place.names());
}

#[test]
fn eight_processes_that_find_no_key_file_make_one_key() {
    for _ in 0..5 {
        let place = Place::fast();
        let said = race((0..WRITERS).map(|_| "makes a key".to_owned()), &place);
        let source = SealKeySource::File(place.folder().join("new.key"));
        let store = EncryptedFileStore::at(file(&place), source);
        for name in said.concat() {
            assert_eq!(access(&store, &name), Some(format!("at-{name}")));
        }
        assert_eq!(store.keys().unwrap().len(), WRITERS);
        assert!(!place.names().iter().any(|name| name.ends_with(".tmp")), "{:?}", place.names());
    }
}

#[test]
fn t14_t28_no_token_is_in_the_folder_whatever_happens_to_its_writers() {
    let place = Place::fast();
    let mut seed = 11_u64;
    for round in 0..30 {
        let mut writer = Child::start("until killed", &file(&place));
        writer.until("0");
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_micros((seed >> 33) % 10_000));
        let said = writer.kill_and_hear();
        let last = said.iter().filter_map(|line| line.parse::<u64>().ok()).next_back().unwrap_or(0);
        assert!(!holds(&everything(place.folder()), "canary"), "round {round}");
        let found = access(&store(&place), "dev").unwrap();
        let found: u64 = found.strip_prefix("at-canary-").unwrap().parse().unwrap();
        assert!(found == last || found == last + 1, "said {last}, found {found}");
    }
    // Damage that is set aside, and room that is set aside for a refresh.
    let text = fs::read(file(&place)).unwrap();
    put(&file(&place), &text[..text.len() - 4]);
    let store = at(&file(&place));
    let mut lock = store.lock(&key("dev"), common::LONG).unwrap().unwrap();
    lock.prove_writable().unwrap();
    lock.save(&bound("canary-last")).unwrap();
    assert_eq!(place.aside().len(), 1);
    lock.prove_writable().unwrap();
    assert!(!holds(&everything(place.folder()), "canary"));
    drop(lock);
    store.delete(&key("dev")).unwrap();
    assert!(!place.names().iter().any(|name| name.ends_with(".tmp")), "{:?}", place.names());
}
