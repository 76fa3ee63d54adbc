//! The rules of the token flow as properties of simulated worlds: callers in processes that crash and whose clocks jump,
//! around one entry, one lock and a server that rotates refresh tokens and revokes a login on reuse.
//!
//! `U2M_WORLDS=1000000 cargo test -p u2m-core --test props` looks at more of them; `U2M_SEED=7` at one.

mod world;

use std::collections::{BTreeMap, BTreeSet};
use world::{Driver, Law, Report, World};

/// How many worlds are looked at.
fn worlds() -> u64 {
    std::env::var("U2M_WORLDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000)
}

fn seeds() -> std::ops::RangeInclusive<u64> {
    match std::env::var("U2M_SEED").ok().and_then(|text| text.parse().ok()) {
        Some(seed) => seed..=seed,
        None => 1..=worlds(),
    }
}

/// The first world that breaks a law under `driver`, and the laws that it breaks.
fn first_broken(driver: Driver, wanted: Option<Law>) -> Option<(u64, Report)> {
    (1..=worlds()).map(|seed| (seed, World::live(seed, driver))).find(|(_, report)| match wanted {
        Some(law) => report.broken.iter().any(|(broken, _)| *broken == law),
        None => !report.broken.is_empty(),
    })
}

#[test]
fn no_world_breaks_a_law() {
    let mut counts = BTreeMap::new();
    for seed in seeds() {
        let report = World::live(seed, Driver::Honest);
        assert!(report.broken.is_empty(), "U2M_SEED={seed} breaks laws: {report:?}");
        for (what, count) in report.counts {
            *counts.entry(what).or_insert(0u64) += count;
        }
    }
    println!("{counts:#?}");
    // Worlds in which nothing happens keep every law. These have to have happened, in thousands of worlds.
    if counts["world"] >= 1_000 {
        for what in HAPPENS {
            assert!(counts.contains_key(what), "no world had this: {what}");
        }
    }
}

/// What random worlds have to show to be worth looking at.
const HAPPENS: [&str; 33] = [
    "ask for a newer one",
    "ask for another one",
    "begin anew",
    "caller gone",
    "clock step",
    "crash before Discover",
    "crash before Load",
    "crash before Lock",
    "crash before Note",
    "crash before Prove",
    "crash before Recheck",
    "crash before Refresh",
    "crash before Reload",
    "crash before Save",
    "crash in the queue",
    "crash with the answer in hand",
    "crash with the request under way",
    "disk full after the answer",
    "disk full before the request",
    "endpoint gone",
    "error",
    "intruder",
    "join",
    "kept",
    "login alive",
    "login dead",
    "not locked",
    "relogin",
    "request of nobody",
    "request sent again",
    "renewed",
    "stored",
    "wait for the lock",
];

#[test]
fn the_same_seed_makes_the_same_world() {
    for seed in 1..50 {
        let (one, again) = (World::live(seed, Driver::Honest), World::live(seed, Driver::Honest));
        assert_eq!(one.counts, again.counts, "{seed}");
    }
}

#[test]
fn without_the_recheck_under_the_lock_a_spent_refresh_token_is_sent_again() {
    let (seed, report) = first_broken(Driver::SkipsTheRecheck, None).expect("the laws must notice");
    println!("U2M_SEED={seed} {:?}", report.broken);
    assert!(first_broken(Driver::SkipsTheRecheck, Some(Law::OneRequest)).is_some());
}

#[test]
fn every_other_fault_of_a_driver_is_noticed_too() {
    for driver in [Driver::IgnoresTheLock, Driver::UnlocksBeforeSaving, Driver::ForgetsVerdicts, Driver::KeepsTheLock] {
        let found = first_broken(driver, None);
        let (seed, report) = found.unwrap_or_else(|| panic!("{driver:?} is not noticed"));
        let laws: BTreeSet<_> = report.broken.iter().map(|(law, _)| *law).collect();
        println!("{driver:?}: seed {seed}, {laws:?}");
    }
}
