//! Rules about the lock of a login: who holds it, who waits for it, and how it ends.

use super::entries::listed;
use super::ground::{ConformanceBench, RuleReport, StoreUnderTest, holds, insist};
use std::sync::mpsc;
use std::time::Duration;

/// Long enough for a thread to start waiting.
const MOMENT: Duration = Duration::from_millis(200);

pub(super) fn locks_for_one(on: &ConformanceBench) -> RuleReport {
    let (one, other) = (on.open(), on.open());
    let (key, neighbour) = (on.key("locked"), on.key("free"));
    for login in [None, Some(on.login("a"))] {
        login.map_or(Ok(()), |login| one.save(&key, &login)).asked("saving a login")?;
        let held = one.lock(&key, Duration::ZERO).asked("taking a lock")?;
        insist(held.is_some(), "a lock that nobody holds is not given at once")?;
        for (store, who) in [(&other, "another one who opened the store"), (&one, "its holder")] {
            let second = store.lock(&key, Duration::ZERO).asked("trying a lock")?;
            insist(second.is_none(), format!("a lock that is held is given to {who}"))?;
        }
        let free = other.lock(&neighbour, Duration::ZERO).asked("taking another lock")?;
        insist(free.is_some(), "the lock of one login keeps others out of another's")?;
        drop((held, free));
        drop(on.lock(&other, &key)?);
    }
    Ok(())
}

pub(super) fn waits_as_long_as_told(on: &ConformanceBench) -> RuleReport {
    let (one, key) = (on.open(), on.key("held"));
    let _held = on.lock(&one, &key)?;
    for patience in [Duration::ZERO, Duration::from_millis(50)] {
        let (other, key) = (on.open(), key.clone());
        let what = format!("waiting for {patience:?}");
        let waited = on.promptly(&what, move || other.lock(&key, patience).map(|it| it.is_some()));
        insist(!waited?.asked("waiting for a lock")?, "a lock that is held is given to another")?;
    }
    Ok(())
}

pub(super) fn hands_locks_on(on: &ConformanceBench) -> RuleReport {
    let (one, key) = (on.open(), on.key("wanted"));
    one.save(&key, &on.login("a")).asked("saving a login")?;
    let held = on.lock(&one, &key)?;
    let (tell, told) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    for _ in 0..3 {
        let (store, key, tell, end) = (on.open(), key.clone(), tell.clone(), end.clone());
        let patience = on.limit;
        std::thread::spawn(move || {
            let _ = tell.send(());
            let _ = end.send(store.lock(&key, patience).map(|lock| lock.is_some()));
        });
    }
    for _ in 0..3 {
        let _ = told.recv_timeout(on.limit);
    }
    let mut outcomes = Vec::new();
    // A thread that does not wait returns now.
    outcomes.extend(ended.recv_timeout(MOMENT).ok());
    drop(held);
    while outcomes.len() < 3 {
        let outcome = ended.recv_timeout(on.limit * 2);
        outcomes.push(outcome.map_err(|_| "somebody waits for a lock for ever")?);
    }
    for outcome in outcomes {
        insist(
            outcome.asked("waiting for a lock")?,
            "somebody who would have waited does not get the lock",
        )?;
    }
    Ok(())
}

pub(super) fn lets_go_in_a_panic(on: &ConformanceBench) -> RuleReport {
    let (one, other, key) = (on.open(), on.open(), on.key("panic"));
    let body_key = key.clone();
    let thread = std::thread::spawn(move || {
        let _held = one.lock(&body_key, Duration::ZERO);
        // Like a panic, but without its text on the standard error of whoever runs this.
        std::panic::resume_unwind(Box::new("a panic of the check's own"));
    });
    let _ = thread.join();
    on.lock(&other, &key).map(drop)
}

pub(super) fn needs_no_lock_to_read(on: &ConformanceBench) -> RuleReport {
    let (one, key) = (on.open(), on.key("read"));
    one.save(&key, &on.login("a")).asked("saving a login")?;
    let _held = on.lock(&one, &key)?;
    let (other, its, new) = (on.open(), key.clone(), on.login("b"));
    let before = on.login("a");
    let reading = move || {
        holds(&other, &its, Some(&before))?;
        insist(listed(&other)?.contains(&its), "a login that is locked is not listed")?;
        other.save(&its, &new).asked("saving a new login while somebody holds the lock")
    };
    on.promptly("reading or saving while somebody holds the lock", reading)??;
    holds(&on.open(), &key, Some(&on.login("b")))
}
