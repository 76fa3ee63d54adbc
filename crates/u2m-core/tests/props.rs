//! The rules of the token flow as properties of simulated worlds: callers in processes that crash and whose clocks jump,
//! around one entry, one lock and a server that rotates refresh tokens and revokes a login on reuse.
//!
//! `U2M_WORLDS=1000000 cargo test -p u2m-core --test props` looks at more of them; `U2M_SEED=7` at one.

mod world;

use std::collections::BTreeMap;
use u2m_core::AccessToken;
use world::{Driver, Law, Want, World};

/// How many worlds are looked at.
fn worlds() -> u64 {
    std::env::var("U2M_WORLDS").ok().and_then(|text| text.parse().ok()).unwrap_or(25_000)
}

fn seeds() -> std::ops::RangeInclusive<u64> {
    match std::env::var("U2M_SEED").ok().and_then(|text| text.parse().ok()) {
        Some(seed) => seed..=seed,
        None => 1..=worlds(),
    }
}

/// The first world that breaks `law` under `driver`.
fn first_to_break(law: Law, driver: Driver) -> Option<u64> {
    let breaks =
        |seed: &u64| World::live(*seed, driver).broken.iter().any(|(broken, _)| *broken == law);
    (1..=10_000).find(breaks)
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
const HAPPENS: [&str; 35] = [
    "ask for a newer one",
    "ask for another one",
    "begin anew",
    "caller gone",
    "clock step",
    "crash before Discover",
    "crash before Done",
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
    "spent token sent again after a loss",
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
fn refr_1_refr_2_refr_5_a_crowd_gets_one_refresh_be_it_due_or_forced() {
    let first = || AccessToken::new("access-1-1");
    for want in [Want::Usable, Want::Newer(None), Want::Newer(Some(first())), Want::Other(first())]
    {
        for seed in 1..1_000 {
            let report = World::live_crowded(seed, want.clone());
            assert!(report.broken.is_empty(), "{seed} {want:?}: {report:?}");
            assert_eq!(report.counts["request"], 1, "{seed} {want:?}: {report:?}");
        }
    }
}

#[test]
fn refr_1_without_the_recheck_under_the_lock_a_spent_refresh_token_is_sent_again() {
    // The very same worlds, with a driver that hands in under the lock what it read before it: whoever takes the
    // recheck out of the flow makes `no_world_breaks_a_law` fail in the same way.
    for law in [Law::OneRequest, Law::Reuse, Law::Life] {
        let seed = first_to_break(law, Driver::SkipsTheRecheck);
        assert!(seed.is_some(), "nobody notices by {law:?}");
        println!("{law:?} is broken in world {seed:?}");
    }
}

#[test]
fn every_other_fault_of_a_driver_is_noticed_too() {
    for (driver, law) in [
        (Driver::IgnoresTheLock, Law::Reuse),
        (Driver::UnlocksBeforeSaving, Law::Reuse),
        (Driver::ForgetsVerdicts, Law::Memory),
        (Driver::KeepsTheLock, Law::Lock),
    ] {
        let seed = first_to_break(law, driver);
        assert!(seed.is_some(), "{driver:?} goes unnoticed");
        println!("{driver:?} breaks {law:?} in world {seed:?}");
    }
}
