//! What the doctor says of a keyring, and what it leaves in it.

use crate::common::Ran;
use crate::desk::Desk;
use std::time::{Duration, Instant};

const LINE: &str = "doctor --offline --profile dev";

fn signed_in() -> Option<Desk> {
    let desk = Desk::new()?.profile();
    let ran = desk.login(None);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    Some(desk)
}

fn assert_says(ran: &Ran, code: i32, parts: &[&str]) {
    assert_eq!(ran.code, Some(code), "{}", ran.stdout);
    for part in parts {
        assert!(ran.stdout.contains(part), "{}\nlacks {part}", ran.stdout);
    }
}

#[test]
fn the_doctor_finds_the_login_in_the_keyring_and_leaves_nothing_there() {
    let Some(desk) = signed_in() else { return };
    let (before, items) = (desk.service.lookup("dev"), desk.items());
    let parts = [
        "ok    store: secure: OS keyring (service: databricks-cli), 1 login",
        "ok    login: \"dev\" is good for 60 minutes, and can be renewed",
        "ok    saving: a renewed login can be saved",
    ];
    for mode in [None, Some("secure")] {
        assert_says(&desk.run(LINE, mode), 0, &parts);
    }
    assert_eq!((desk.service.lookup("dev"), desk.items()), (before, items));
}

#[test]
fn a_keyring_that_hangs_fails_its_check_within_its_limit() {
    let Some(desk) = signed_in() else { return };
    desk.service.signal_keyring("STOP");
    let start = Instant::now();
    let ran = desk.run(LINE, None);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    desk.service.signal_keyring("CONT");
    assert_says(
        &ran,
        1,
        &["fail  store: secure: ", "timed out", " — unlock the keyring", "callback"],
    );
}

#[test]
fn a_locked_keyring_fails_its_check() {
    let Some(desk) = signed_in() else { return };
    desk.service.lock();
    let ran = desk.run(LINE, None);
    assert_says(&ran, 1, &["fail  store: secure: ", " — unlock the keyring"]);
}
