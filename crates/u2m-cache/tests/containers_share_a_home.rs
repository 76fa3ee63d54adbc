//! Processes of the same number, in containers that share a home, do not tread on each other.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Child, Place, go_reads, key, locked, session};
use u2m_cache::TokenStore;

#[test]
fn worker() {
    common::work(|job, store| {
        let mut lock = locked(&store, job);
        lock.prove_writable().unwrap();
        common::say(&std::process::id().to_string());
        common::hear();
        lock.save(&session(job)).unwrap();
        common::say("saved");
        common::hear();
        store.save(&key(&format!("{job}-2")), &session(job)).unwrap();
    });
}

#[test]
fn a8_two_processes_of_one_number_both_keep_what_they_set_aside() {
    let inside = ["unshare", "-rpf", "--kill-child"];
    if !common::can(&[inside.as_slice(), &["true"]].concat()) {
        return common::skip("no process namespaces here");
    }
    let place = Place::new();
    place.store().save(&key("before"), &session("before")).unwrap();
    let mut children =
        ["one", "two"].map(|job| Child::of(common::wrapped(&inside, job, &place.file())));
    for child in &mut children {
        child.until("1");
    }
    for child in &mut children {
        child.go_on().until("saved");
        let found = go_reads(&place.text());
        assert!(found.contains_key("before"));
    }
    for child in children {
        child.done();
    }
    let keys: Vec<String> = go_reads(&place.text()).into_keys().collect();
    assert_eq!(keys, ["before", "one", "one-2", "two", "two-2"]);
}
