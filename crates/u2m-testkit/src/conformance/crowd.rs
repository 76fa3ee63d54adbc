//! Rules about many users of a store at once.

use super::entries::listed;
use super::ground::{ConformanceBench, RuleReport, StoreUnderTest, holds, insist};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use u2m_cache::Claim;
use u2m_core::CacheKey;

/// How many threads there are.
const CROWD: usize = 4;

/// How many logins each writer has.
const EACH: usize = 4;

/// How often a login is renewed.
const ROUNDS: usize = 12;

/// How long sending a refresh token takes.
const SENDING: Duration = Duration::from_millis(2);

/// Runs `work` on several threads; returns what the first failing one reports.
fn crowd(work: impl Fn(usize) -> RuleReport + Sync) -> RuleReport {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CROWD)
            .map(|at| {
                scope.spawn({
                    let work = &work;
                    move || work(at)
                })
            })
            .collect();
        let told: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        told.into_iter().try_for_each(|told| told.unwrap_or_else(|_| Err("it panicked".to_owned())))
    })
}

pub(super) fn loses_no_writer(on: &ConformanceBench) -> RuleReport {
    let name = |who: usize, what: usize| format!("{who}-{what}");
    let keys: Vec<Vec<CacheKey>> =
        (0..CROWD).map(|who| (0..EACH).map(|what| on.key(&name(who, what))).collect()).collect();
    crowd(|who| {
        let store = on.open();
        for (what, key) in keys[who].iter().enumerate() {
            store.save(key, &on.login(&name(who, what))).asked("saving a login beside others")?;
        }
        store.delete(&keys[who][0]).asked("removing a login beside others")
    })?;
    let (store, listed) = (on.open(), listed(&on.open())?);
    for (who, keys) in keys.iter().enumerate() {
        for (what, key) in keys.iter().enumerate() {
            let login = (what > 0).then(|| on.login(&name(who, what)));
            holds(&store, key, login.as_ref())?;
            insist(listed.contains(key) == (what > 0), "what is listed is not what is there")?;
        }
    }
    Ok(())
}

pub(super) fn renews_once(on: &ConformanceBench) -> RuleReport {
    let (key, sent) = (on.key("crowd"), Mutex::new(Vec::new()));
    on.open().save(&key, &on.login("0")).asked("saving a login")?;
    let sent_so_far = || sent.lock().unwrap_or_else(PoisonError::into_inner);
    crowd(|_| {
        let store = on.open();
        // Each round ends for each thread, by itself or because another was first.
        for _ in 0..ROUNDS * (CROWD + 2) {
            let Some(mut lock) = store.lock(&key, on.limit).asked("waiting for a lock")? else {
                return Err("somebody who would have waited does not get the lock".to_owned());
            };
            let there =
                lock.reload(&|| store.load(&key)).asked("reading a login under its lock")?;
            let of = there.ok_or("the login is gone")?.fingerprint();
            if of == on.login(&ROUNDS.to_string()).fingerprint() {
                return Ok(());
            }
            match lock.claim(&of, on.limit).asked("claiming a refresh token")? {
                Claim::Taken => {
                    lock.prove_writable().asked("showing that a save will work")?;
                    let next = {
                        let mut sent = sent_so_far();
                        sent.push(of);
                        on.login(&sent.len().min(ROUNDS).to_string())
                    };
                    std::thread::sleep(SENDING);
                    lock.save(&next).asked("saving what was bought")?;
                }
                Claim::Waited | Claim::Busy => {}
                claim => return Err(format!("a refresh token that nobody has spent is {claim:?}")),
            }
        }
        Err("a login is not renewed however often it is tried".to_owned())
    })?;
    let mut sent = sent_so_far();
    insist(sent.len() == ROUNDS, format!("{} refreshes were sent for {ROUNDS}", sent.len()))?;
    sent.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    sent.dedup();
    insist(sent.len() == ROUNDS, "one refresh token was sent twice")?;
    holds(&on.open(), &key, Some(&on.login(&ROUNDS.to_string())))
}
