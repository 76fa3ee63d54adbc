//! Rules about several logins at once, a login that is put back, and the check before a login.

use super::entries::listed;
use super::ground::{ConformanceBench, RuleReport, StoreUnderTest, holds, insist};
use u2m_cache::StoreError;

pub(super) fn answers_each(on: &ConformanceBench) -> RuleReport {
    let (store, keys) = (on.open(), ["a", "b", "c", "d"].map(|name| on.key(name)));
    store.save(&keys[1], &on.login("old")).asked("saving a login")?;
    let logins = [on.login("a"), on.bare("b"), on.login("c")];
    let pairs: Vec<_> = keys.iter().cloned().zip(logins.iter().cloned()).collect();
    let saved = store.save_all(&pairs);
    insist(saved.len() == 3, "saving three is not answered three times")?;
    let as_told =
        matches!(&saved[..], [Ok(()), Err(StoreError::WouldLoseRefreshToken { .. }), Ok(())]);
    insist(
        as_told,
        "of three that are saved, the second would lose a refresh token, and something else is said",
    )?;
    let wanted = [Some(on.login("a")), Some(on.login("old")), Some(on.login("c")), None];
    let found = on.open().load_all(&keys);
    insist(found.len() == 4, "reading four is not answered four times")?;
    for (found, wanted) in found.into_iter().zip(&wanted) {
        let found = found.asked("reading several")?.map(|found| found.fingerprint());
        let is_same = found == wanted.as_ref().map(|wanted| wanted.fingerprint());
        insist(is_same, "what several answer is not in the order in which they were asked for")?;
    }
    let states = [
        (keys[0].clone(), on.login("a").fingerprint()),
        (keys[1].clone(), on.login("newer").fingerprint()),
        (keys[3].clone(), on.login("d").fingerprint()),
    ];
    let gone = on.open().delete_states(&states);
    insist(
        matches!(&gone[..], [Ok(true), Ok(false), Ok(true)]),
        "of a state that is there, one that is not and an absent login, the first and the last are to be gone",
    )?;
    holds(&store, &keys[0], None)?;
    holds(&store, &keys[1], Some(&on.login("old")))?;
    holds(&store, &keys[2], Some(&on.login("c")))
}

pub(super) fn puts_back_over_spent(on: &ConformanceBench) -> RuleReport {
    let (store, key, other) = (on.open(), on.key("back"), on.open());
    let (old, new, newer) = (on.login("old"), on.login("new"), on.login("newer"));
    let spent = [old.fingerprint()];
    let put_back = || store.put_back(&key, &new, &spent).asked("putting a login back");
    store.save(&key, &old).asked("saving a login")?;
    let mut lock = on.claim(&store, &key, &old.fingerprint())?;
    lock.save(&new).asked("saving what was bought")?;
    drop(lock);
    other.save(&key, &newer).asked("saving a newer login")?;
    insist(!put_back()?, "an old login is put back over a newer one")?;
    holds(&other, &key, Some(&newer))?;
    other.delete(&key).asked("removing a login")?;
    insist(!put_back()?, "a login is put back that was removed")?;
    holds(&other, &key, None)?;
    other.save(&key, &old).asked("saving the old login again")?;
    // A store that nobody else writes to has nothing to put back.
    let there = if put_back()? { &new } else { &old };
    holds(&other, &key, Some(there))
}

pub(super) fn prepares_without_trace(on: &ConformanceBench) -> RuleReport {
    let (store, key, kept) = (on.open(), on.key("to-come"), on.key("kept"));
    store.save(&kept, &on.login("a")).asked("saving a login")?;
    let before = listed(&store)?;
    store.prepare_login(&key).asked("showing that a login could be kept")?;
    store.prepare_login(&kept).asked("showing that a login could be replaced")?;
    insist(listed(&on.open())? == before, "another name is listed than before")?;
    holds(&store, &key, None)?;
    holds(&store, &kept, Some(&on.login("a")))
}
