//! Go programs write without a lock: what they wrote while u2m was at it is read again, and kept.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, eventually, go_reads, key, session};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use u2m_cache::TokenStore;

const LOGINS: usize = 100;

/// Adds an entry as a Go program does: read, change, temporary file, rename.
fn go_adds(place: &Place, name: &str) {
    let mut text = place.text();
    let end = text.rfind("\n  }\n}").unwrap();
    let entry = format!(
        ",\n    \"{name}\": {{\n      \"access_token\": \"a\",\n      \"expiry\": \"0001-01-01T00:00:00Z\"\n    }}"
    );
    text.insert_str(end, &entry);
    let temporary = place.folder().join(".token-cache-1.tmp");
    common::put(&temporary, text);
    fs::rename(temporary, place.file()).unwrap();
}

#[test]
fn file_1_a_login_by_a_program_without_a_lock_survives_our_writes() {
    // On a disk: making a write last is what takes long, and what the other program falls into.
    let place = Place::new();
    let store = place.store();
    store.save(&key("dev"), &session("dev")).unwrap();
    let (over, writes) = (AtomicBool::new(false), AtomicU64::new(0));
    let ours = || writes.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                store.save(&key("dev"), &session(&format!("{}", ours()))).unwrap();
                writes.fetch_add(1, Ordering::Relaxed);
            }
        });
        for at in 0..LOGINS {
            go_adds(&place, &format!("go-{at}"));
            // However slow the disk is, it meets another of our writes each time, and at another moment of it.
            let before = ours();
            eventually("two writes of ours", || ours() > before + 1);
            std::thread::sleep(Duration::from_micros(at as u64 * 37 % 5000));
        }
        over.store(true, Ordering::Relaxed);
    });
    let kept = go_reads(&place.text()).keys().filter(|key| key.starts_with("go-")).count();
    // Between the last look and the rename there is still a moment, which no reader can close.
    assert!(kept >= LOGINS * 8 / 10, "{kept} of {LOGINS} kept, {} writes of ours", ours());
}
