//! Writers that are killed at any moment: the file is whole, each login is the old one or the new one, and nothing of
//! theirs stays behind.
#![cfg(unix)]
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod common;

use common::{Child, LONG, Place, access, bound, go_reads, key, session};
use std::time::{Duration, SystemTime};
use u2m_cache::TokenStore;

/// As many as it takes to meet every moment of a write often.
const KILLS: usize = 500;

/// Places that are written in side by side, each by as many processes.
const LANES: usize = 4;
const WRITERS: [&str; 2] = ["dev", "prod"];

#[test]
fn worker() {
    common::work(|job, store| match job {
        "reserves" => {
            let mut lock = common::locked(&store, "dev");
            lock.prove_writable().unwrap();
            common::say("reserved");
            common::hear();
        }
        name => {
            for round in 0_u64.. {
                let new = bound(&format!("{name}-{round}"));
                // Now as a login does, now as a refresh.
                if round % 2 == 0 {
                    store.save(&key(name), &new).unwrap();
                } else {
                    let mut lock = common::locked(&store, name);
                    lock.prove_writable().unwrap();
                    lock.save(&new).unwrap();
                }
                common::say(&round.to_string());
            }
        }
    });
}

fn temporaries(place: &Place) -> usize {
    place.names().iter().filter(|name| name.ends_with(".tmp")).count()
}

/// Kills writers of one file; how many saves were reported, and how many temporary files the dead left.
fn kill_writers(kills: usize, mut seed: u64) -> (u64, usize) {
    let place = Place::new();
    let store = place.store();
    store.save(&key("other"), &bound("other")).unwrap();
    let (mut reported, mut left) = (0, 0);
    for _ in 0..kills / WRITERS.len() {
        let mut writers = WRITERS.map(|name| Child::start(name, &place.file()));
        for writer in &mut writers {
            writer.until("0");
        }
        let said = writers.map(|writer| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            std::thread::sleep(Duration::from_micros((seed >> 33) % 30_000));
            writer.kill_and_hear()
        });
        left += temporaries(&place);
        let found = go_reads(&place.text());
        for (name, said) in WRITERS.iter().zip(said) {
            let numbers = said.iter().filter_map(|line| line.parse::<u64>().ok());
            let last = numbers.max().unwrap_or(0);
            reported += last + 1;
            // What it said last is older than what it may have done since.
            let (access, refresh, _) = &found[*name];
            let round: u64 = access.strip_prefix(&format!("at-{name}-")).unwrap().parse().unwrap();
            assert!(round == last || round == last + 1, "said {last}, found {round}");
            assert_eq!(*refresh, format!("rt-{name}-{round}"));
            // Both files belong together, whichever of them it had come to.
            let whole = store.load(&key(name)).unwrap();
            assert_eq!(whole, Some(bound(&format!("{name}-{round}"))), "what is known of it");
        }
        assert_eq!(store.load(&key("other")).unwrap(), Some(bound("other")));
        store.save(&key("other"), &bound("other")).unwrap();
        assert_eq!(temporaries(&place), 0, "{:?}", place.names());
        assert!(place.aside().is_empty(), "nothing was ever damaged");
    }
    (reported, left)
}

#[test]
fn file_14_a8_t13_writers_killed_at_any_moment_lose_nothing_that_they_reported() {
    let start = std::time::Instant::now();
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| std::thread::spawn(move || kill_writers(KILLS / LANES, 7 + lane as u64)))
        .collect();
    let (mut reported, mut left) = (0, 0);
    for lane in lanes {
        let (more, others) = lane.join().unwrap();
        (reported, left) = (reported + more, left + others);
    }
    assert!(reported > KILLS as u64 && left > 0, "they were killed before they did anything");
    println!(
        "{KILLS} kills, {reported} saves reported, none lost; {left} temporary files left by the dead, none after the \
         next write; {:.1} s",
        start.elapsed().as_secs_f64()
    );
}

#[test]
fn t28_what_a_killed_process_had_set_aside_is_swept_and_what_a_living_one_has_is_not() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &session("dev")).unwrap();
    let temporaries = || temporaries(&place);
    let mut living = Child::start("reserves", &place.file());
    living.until("reserved");
    let one = temporaries();
    assert!(one > 0);
    store.save(&key("other"), &session("other")).unwrap();
    assert_eq!(temporaries(), one, "the reserve of a living process was swept");
    living.kill();
    assert_eq!(temporaries(), one);
    store.save(&key("other"), &session("other")).unwrap();
    assert_eq!(temporaries(), 0);
}

#[test]
fn t28_temporary_files_of_go_programs_are_swept_when_they_are_old() {
    let place = Place::new();
    let (old, new) =
        (place.folder().join(".token-cache-12.tmp"), place.folder().join(".token-cache-34.tmp"));
    let (foreign, alike) =
        (place.folder().join("x.tmp"), place.folder().join(".token-cache-5.txt"));
    for path in [&old, &new, &foreign, &alike] {
        common::put(path, "canary");
    }
    let long_ago = SystemTime::now() - Duration::from_secs(2 * 3600);
    for path in [&old, &foreign, &alike] {
        std::fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    place.store().save(&key("dev"), &session("dev")).unwrap();
    assert!(!old.exists() && new.exists() && foreign.exists() && alike.exists());
}

#[test]
fn file_14_a_writer_killed_while_it_holds_the_lock_delays_nobody() {
    let place = Place::new();
    let mut writer = Child::start("dev", &place.file());
    writer.until("0");
    writer.kill();
    let store = place.store();
    let start = std::time::Instant::now();
    store.save(&key("dev"), &session("dev")).unwrap();
    assert!(start.elapsed() < LONG / 6);
    assert_eq!(access(&store, "dev").as_deref(), Some("at-dev"));
}

#[test]
fn t28_after_a_logout_nothing_that_a_killed_writer_or_a_damaged_file_left_holds_its_tokens() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("other"), &session("other")).unwrap();
    // Damage that names the login, damage that names nobody, and damage that is plainly another's.
    for (at, text) in [
        r#"{"version":1,"tokens":{"dev":{"access_token":"at-dev-canary"}}}}"#,
        r#"ken":"at-dev-canary"}}}"#,
        r#"{"version":1,"tokens":{"other":{"access_token":"at-other-kept"}}}}"#,
    ]
    .iter()
    .enumerate()
    {
        common::put(&place.folder().join(format!("token-cache.json.corrupt-{at}")), text);
    }
    let foreign = place.folder().join("token-cache.json.corrupt-9");
    if common::is_root() {
        common::put(&foreign, "somebody else's");
        std::os::unix::fs::chown(&foreign, Some(12345), None).unwrap();
    }
    // Killed in the middle of a write.
    for wait in 0.. {
        let mut writer = Child::start("dev", &place.file());
        writer.until("0");
        std::thread::sleep(Duration::from_micros(wait * 97 % 5000));
        writer.kill();
        if temporaries(&place) > 0 {
            break;
        }
    }
    store.delete(&key("dev")).unwrap();
    store.clear_leftovers(&key("dev")).unwrap();
    let all = common::everything(place.folder());
    for canary in ["at-dev-", "rt-dev-"] {
        assert!(!common::holds(&all, canary), "{canary} in {:?}", place.names());
    }
    assert!(common::holds(&all, "at-other-kept"), "it was another's");
    assert_eq!(foreign.exists(), common::is_root());
    assert_eq!(access(&store, "other").as_deref(), Some("at-other"));
    assert_eq!(store.clear_leftovers(&key("dev")).unwrap(), 0);
}

#[test]
fn t28_a_logout_where_nothing_ever_was_creates_nothing() {
    let place = Place::new();
    let store = u2m_cache::FileStore::at(place.folder().join("home/token-cache.json"));
    assert_eq!(store.clear_leftovers(&key("dev")).unwrap(), 0);
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn t28_what_was_set_aside_beside_the_target_of_a_link_is_found_there() {
    let place = Place::new();
    let real = place.folder().join("real");
    std::fs::create_dir(&real).unwrap();
    common::put(&real.join("cache.json"), "garbage with at-dev-canary");
    std::os::unix::fs::symlink(real.join("cache.json"), place.file()).unwrap();
    let store = place.store();
    store.save(&key("dev"), &session("dev")).unwrap();
    store.delete(&key("dev")).unwrap();
    assert!(common::holds(&common::everything(place.folder()), "canary"));
    assert_eq!(store.clear_leftovers(&key("dev")).unwrap(), 1);
    assert!(!common::holds(&common::everything(place.folder()), "canary"));
}
