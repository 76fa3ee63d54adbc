//! Writers that are killed at any moment: the file is whole, each login is the old one or the new one, and nothing of
//! theirs stays behind.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Child, LONG, Place, access, bound, go_reads, key, session};
use std::time::{Duration, SystemTime};
use u2m_cache::TokenStore;

#[test]
fn worker() {
    common::work(|job, store| match job {
        "writes" => {
            for round in 0_u64.. {
                store.save(&key("dev"), &bound(&format!("{round}"))).unwrap();
                common::say(&round.to_string());
            }
        }
        "reserves" => {
            let mut lock = common::locked(&store, "dev");
            lock.prove_writable().unwrap();
            common::say("reserved");
            common::hear();
        }
        other => panic!("{other}"),
    });
}

#[test]
fn file_14_a8_a_writer_killed_at_any_moment_leaves_the_old_login_or_the_new_one() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("other"), &session("other")).unwrap();
    let mut seed = 7_u64;
    for _ in 0..60 {
        let mut writer = Child::start("writes", &place.file());
        writer.until("0");
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_micros((seed >> 33) % 20_000));
        // What it said last is older than what it may have done since.
        let said = writer.kill_and_hear();
        let last = said.iter().filter_map(|line| line.parse::<u64>().ok()).next_back().unwrap_or(0);
        let found = go_reads(&place.text());
        let round: u64 = found["dev"].0.strip_prefix("at-").unwrap().parse().unwrap();
        assert!(round == last || round == last + 1, "said {last}, found {round}");
        assert_eq!(found["dev"].1, format!("rt-{round}"));
        assert_eq!(found["other"].1, "rt-other");
        // Both files belong together, whichever of them it had come to.
        let found = store.load(&key("dev")).unwrap().unwrap();
        assert!(found.binding.is_some(), "the binding of round {round} is lost");
        store.save(&key("other"), &session("other")).unwrap();
        let names = place.names();
        assert!(!names.iter().any(|name| name.ends_with(".tmp")), "{names:?}");
    }
}

#[test]
fn t28_what_a_killed_process_had_set_aside_is_swept_and_what_a_living_one_has_is_not() {
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &session("dev")).unwrap();
    let temporaries = || place.names().iter().filter(|name| name.ends_with(".tmp")).count();
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
    let mut writer = Child::start("writes", &place.file());
    writer.until("0");
    writer.kill();
    let store = place.store();
    let start = std::time::Instant::now();
    store.save(&key("dev"), &session("dev")).unwrap();
    assert!(start.elapsed() < LONG / 6);
    assert_eq!(access(&store, "dev").as_deref(), Some("at-dev"));
}
