//! Rules about refresh tokens that are claimed, spent and replaced.

use super::entries::listed;
use super::ground::{ConformanceBench, RuleReport, StoreUnderTest, holds, insist, superseded};
use std::time::Duration;
use u2m_cache::Claim;

pub(super) fn newer_login_stays(on: &ConformanceBench) -> RuleReport {
    let (store, key) = (on.open(), on.key("newer"));
    let (old, bought, newer) = (on.full("old")?, on.full("bought")?, on.full("newer")?);
    store.save(&key, &old).asked("saving a login")?;
    let mut lock = on.claim(&store, &key, &old.fingerprint())?;
    lock.prove_writable().asked("showing that a save will work")?;
    on.open().save(&key, &newer).asked("saving a newer login")?;
    superseded(lock.save(&bought), "saving in the place of a newer login")?;
    holds(&on.open(), &key, Some(&newer))?;
    drop(lock);
    let mut lock = on.claim(&store, &key, &newer.fingerprint())?;
    lock.prove_writable().asked("showing that a save will work")?;
    lock.save(&bought).asked("saving in the place of what was claimed")?;
    holds(&on.open(), &key, Some(&bought))
}

pub(super) fn removal_stays(on: &ConformanceBench) -> RuleReport {
    let (store, key) = (on.open(), on.key("removed"));
    // A file without any other login may be removed together with its last one.
    store.save(&on.key("stays"), &on.login("stays")).asked("saving a login")?;
    store.save(&key, &on.login("old")).asked("saving a login")?;
    let mut lock = on.claim(&store, &key, &on.login("old").fingerprint())?;
    lock.prove_writable().asked("showing that a save will work")?;
    on.open().delete(&key).asked("removing a login")?;
    superseded(lock.save(&on.login("bought")), "saving a login that was removed")?;
    drop(lock);
    holds(&on.open(), &key, None)?;
    insist(!listed(&store)?.contains(&key), "the name of a removed login is listed")
}

pub(super) fn login_replaces_all(on: &ConformanceBench) -> RuleReport {
    let (store, key) = (on.open(), on.key("login"));
    let (first, second, third) = (on.full("first")?, on.login("second"), on.full("third")?);
    for login in [&first, &second] {
        let mut lock = on.lock(&store, &key)?;
        lock.save(login).asked("saving a new login under the lock")?;
        holds(&on.open(), &key, Some(login))?;
    }
    let mut lock = on.lock(&store, &key)?;
    on.open().save(&key, &on.login("meanwhile")).asked("saving a login")?;
    lock.save(&third).asked("saving a new login under the lock, over another")?;
    holds(&on.open(), &key, Some(&third))
}

pub(super) fn claims_for_one(on: &ConformanceBench) -> RuleReport {
    let (one, other, keys) = (on.open(), on.open(), ["a", "b"].map(|name| on.key(name)));
    let login = on.login("shared");
    for key in &keys {
        one.save(key, &login).asked("saving a login")?;
    }
    let held = on.claim(&one, &keys[0], &login.fingerprint())?;
    let mut second = on.lock(&other, &keys[1])?;
    let claim = second.claim(&login.fingerprint(), Duration::ZERO).asked("claiming a token")?;
    insist(
        claim == Claim::Busy,
        format!("a refresh token that is being spent under one name is {claim:?} under another"),
    )?;
    drop(held);
    let claim = second.claim(&login.fingerprint(), on.limit).asked("claiming a token")?;
    insist(
        matches!(claim, Claim::Taken | Claim::Waited),
        format!("a refresh token that was given back unspent is {claim:?}"),
    )
}

pub(super) fn spent_stays_spent(on: &ConformanceBench) -> RuleReport {
    let (one, other, keys) = (on.open(), on.open(), ["a", "b"].map(|name| on.key(name)));
    let (login, bought) = (on.login("shared"), on.login("bought"));
    for key in &keys {
        one.save(key, &login).asked("saving a login")?;
    }
    let of = login.fingerprint();
    let mut second = on.lock(&other, &keys[1])?;
    holds(&other, &keys[1], Some(&login))?;
    let mut first = on.claim(&one, &keys[0], &of)?;
    first.prove_writable().asked("showing that a save will work")?;
    first.save(&bought).asked("saving what was bought")?;
    drop(first);
    for who in ["who has looked before", "who comes later"] {
        let stands =
            |found: Option<u2m_core::Session>| found.is_some_and(|it| it.fingerprint() == of);
        let is_as_it_was = stands(other.load(&keys[1]).asked("reading a login")?);
        if who == "who has looked before" || is_as_it_was {
            let claim = second.claim(&of, on.limit).asked("claiming a token")?;
            insist(claim != Claim::Taken, format!("a spent refresh token is given to one {who}"))?;
            let is_as_it_was = stands(other.load(&keys[1]).asked("reading a login")?);
            insist(
                claim != Claim::Waited || !is_as_it_was,
                "an entry is said to be changed that is as it was",
            )?;
        }
        drop(second);
        second = on.lock(&other, &keys[1])?;
    }
    holds(&one, &keys[0], Some(&bought))
}

pub(super) fn proves_without_change(on: &ConformanceBench) -> RuleReport {
    let (store, key, neighbour) = (on.open(), on.key("proven"), on.key("neighbour"));
    let (login, bought) = (on.full("login")?, on.full("bought")?);
    store.save(&key, &login).asked("saving a login")?;
    store.save(&neighbour, &on.login("neighbour")).asked("saving a login")?;
    let before = listed(&store)?;
    let mut lock = on.claim(&store, &key, &login.fingerprint())?;
    for _ in 0..2 {
        lock.prove_writable().asked("showing that a save will work")?;
        holds(&on.open(), &key, Some(&login))?;
        holds(&on.open(), &neighbour, Some(&on.login("neighbour")))?;
        insist(listed(&store)? == before, "another name is listed than before")?;
    }
    lock.save(&bought).asked("saving after it was shown that it will work")?;
    holds(&on.open(), &key, Some(&bought))
}
