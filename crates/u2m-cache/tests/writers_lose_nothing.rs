//! Processes that write at once: nobody's login is lost, and no reader sees half a file.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Child, Place, go_reads, key, session};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use u2m_cache::TokenStore;

const WRITERS: usize = 8;
const WRITES: usize = 50;
const RUNS: usize = 10;

#[test]
fn worker() {
    common::work(|job, store| {
        common::say("ready");
        common::hear();
        for at in 0..WRITES {
            let name = format!("{job}-{at}");
            store.save(&key(&name), &session(&name)).unwrap();
        }
    });
}

#[test]
fn file_1_eight_processes_with_fifty_writes_each_lose_none_and_tear_none() {
    for run in 0..RUNS {
        let place = if run == 0 { Place::new() } else { Place::fast() };
        let writers: Vec<Child> =
            (0..WRITERS).map(|at| Child::start(&format!("w{at}"), &place.file())).collect();
        let over = AtomicBool::new(false);
        let reads = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let (store, mut reads) = (place.store(), 0);
                while !over.load(Ordering::Relaxed) {
                    // Both readers: this one, and one that is as strict as Go's.
                    let before = store.keys().unwrap().len();
                    let text = fs::read_to_string(place.file());
                    assert!(text.map_or(0, |text| go_reads(&text).len()) >= before);
                    reads += 1;
                }
                reads
            });
            let mut writers = writers;
            writers.iter_mut().for_each(|writer| {
                writer.until("ready");
            });
            writers.iter_mut().for_each(|writer| {
                writer.go_on();
            });
            for writer in writers {
                writer.done();
            }
            over.store(true, Ordering::Relaxed);
            reader.join().unwrap()
        });
        assert!(reads > 10, "only {reads} reads");
        let found = go_reads(&place.text());
        assert_eq!(found.len(), WRITERS * WRITES, "lost some");
        for (name, (access, refresh, _)) in found {
            assert_eq!((access, refresh), (format!("at-{name}"), format!("rt-{name}")));
        }
        let names = place.names();
        assert!(!names.iter().any(|name| name.ends_with(".tmp")), "{names:?}");
    }
}

#[test]
fn file_1_threads_and_stores_of_one_process_lose_none_either() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = place.store();
            scope.spawn(move || {
                for at in 0..10 {
                    let name = format!("{thread}-{at}");
                    store.save(&key(&name), &session(&name)).unwrap();
                }
            });
        }
    });
    assert_eq!(place.store().keys().unwrap().len(), 80);
}
