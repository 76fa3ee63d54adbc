//! A program that wants to end is told whether anything is spent and not saved. One test alone: what is spent is counted for
//! the whole process.

use std::time::{Duration, Instant};
use u2m_http::{Spending, wait_for_saves, wait_for_saves_and_refuse};

#[test]
fn nothing_is_settled_while_anything_is_spent() {
    assert!(wait_for_saves(Duration::ZERO), "nothing was ever spent");
    let (one, other) = (Spending::begin(), Spending::begin());
    assert!(!wait_for_saves(Duration::ZERO));
    drop(one);
    let start = Instant::now();
    assert!(!wait_for_saves(Duration::from_millis(150)), "there is another one");
    assert!(start.elapsed() >= Duration::from_millis(150), "{:?}", start.elapsed());
    let waiting = std::thread::spawn(|| wait_for_saves(Duration::from_secs(30)));
    drop(other);
    assert!(waiting.join().is_ok_and(|settled| settled));
    assert!(wait_for_saves(Duration::ZERO), "it is over for good");
    let held = Spending::begin();
    assert!(
        !wait_for_saves_and_refuse(Duration::from_millis(50)),
        "it is not settled, and ends all the same"
    );
    drop(held);
    // From now on nobody begins anything any more.
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let spending = Spending::begin();
        let _ = tell.send(spending);
    });
    assert!(told.recv_timeout(Duration::from_millis(300)).is_err());
    assert!(wait_for_saves(Duration::ZERO) && wait_for_saves_and_refuse(Duration::ZERO));
}
