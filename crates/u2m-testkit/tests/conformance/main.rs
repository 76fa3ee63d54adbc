//! The check for stores, held against a store that keeps to the rules and one faulty store a rule.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

mod faulty;

use faulty::{Fault, Faulty};
use std::time::Duration;
use u2m_cache::{MemoryStore, TokenStore};
use u2m_core::{AccessToken, CacheKey, Session};
use u2m_testkit::conformance::{self, Rule};

/// Faults that hang are told by this; it may be too short for a busy machine, and then breaks more rules than one.
const SHORT: Duration = Duration::from_secs(1);

#[test]
fn a_store_that_keeps_to_the_rules_passes_and_what_was_in_it_stays() {
    let (store, key) = (MemoryStore::new(), CacheKey::new("mine"));
    let mine = Session::new(AccessToken::new("mine"));
    store.save(&key, &mine).unwrap();
    let opened = store.clone();
    conformance::check(move || opened.clone()).unwrap();
    assert_eq!(store.keys().unwrap(), std::slice::from_ref(&key));
    assert_eq!(store.load(&key).unwrap(), Some(mine));
}

#[test]
fn each_rule_is_broken_by_a_store_with_that_fault() {
    std::thread::scope(|scope| {
        for rule in Rule::ALL {
            scope.spawn(move || {
                let store = Faulty::new(Fault::of(*rule));
                let broken = conformance::check_within(move || store.open(), SHORT).unwrap_err();
                let told = broken.list().iter().find(|broken| broken.rule == *rule);
                let told = told.unwrap_or_else(|| panic!("{rule:?} is not broken: {broken}"));
                assert!(!told.why.is_empty() && broken.to_string().contains(&rule.to_string()));
                assert!(!format!("{broken:?}").contains("canary"), "{broken}");
            });
        }
    });
}

#[test]
fn a_store_that_panics_breaks_rules_and_the_check_goes_on() {
    let store = Faulty::new(Fault::Panics);
    let broken = conformance::check(move || store.open()).unwrap_err();
    let why = |rule| broken.list().iter().find(|it| it.rule == rule).map(|it| it.why.as_str());
    assert_eq!(why(Rule::AnswersEach), Some("it panicked"), "{broken}");
    assert_eq!(why(Rule::KeepsWhatIsSaved), None, "{broken}");
    let first = broken.to_string();
    assert!(first.starts_with("the store breaks 1 of "), "{first}");
}
