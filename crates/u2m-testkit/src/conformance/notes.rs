//! Rules about what is remembered of failed refreshes.

use super::ground::{ConformanceBench, RuleReport, StoreUnderTest, holds, insist};
use std::time::Duration;
use u2m_cache::StoreError;
use u2m_core::{
    ErrorResponse, Fingerprint, Moment, RefreshFailure, RefreshFailureKind, Session, Timestamp,
    chain,
};

fn refresh_failure(of: &Session, kind: RefreshFailureKind) -> RefreshFailure {
    let since = std::time::SystemTime::now();
    RefreshFailure::new(of.fingerprint(), Moment::new(Timestamp::from(since), 123_456_789), kind)
}

fn rejected(of: &Session) -> RefreshFailure {
    refresh_failure(
        of,
        RefreshFailureKind::Rejected(ErrorResponse::new(
            400,
            "invalid_grant",
            Some("no longer valid"),
        )),
    )
}

pub(super) fn remembers_failures(on: &ConformanceBench) -> RuleReport {
    let (store, key, neighbour) = (on.open(), on.key("failed"), on.key("fine"));
    let login = on.login("a");
    for key in [&key, &neighbour] {
        store.save(key, &login).asked("saving a login")?;
    }
    insist(
        on.lock(&store, &key)?.refresh_failure().is_none(),
        "a failure is remembered that there was not",
    )?;
    let refused =
        ErrorResponse::new(400, "invalid_request", None).with_suberror("consent_required");
    let verdicts = [
        refresh_failure(&login, RefreshFailureKind::transient("http 503")),
        refresh_failure(&login, RefreshFailureKind::transient("http 429"))
            .with_pause(Duration::from_secs(90)),
        refresh_failure(&login, RefreshFailureKind::Rejected(refused)),
        refresh_failure(&login, RefreshFailureKind::spent("the answer could not be read")),
        rejected(&login),
    ];
    for refresh_failure in verdicts {
        let mut lock = on.lock(&store, &key)?;
        lock.note(&refresh_failure).asked("noting a failure")?;
        insist(
            lock.refresh_failure().as_ref() == Some(&refresh_failure),
            "its holder is not told what it noted",
        )?;
        drop(lock);
        let told = on.lock(&on.open(), &key)?.refresh_failure();
        insist(told.is_some(), format!("{:?} is forgotten", refresh_failure.kind))?;
        insist(
            told.as_ref() == Some(&refresh_failure),
            format!("{refresh_failure:?} is told as {told:?}"),
        )?;
    }
    let told = on.lock(&store, &neighbour)?.refresh_failure();
    insist(told.is_none(), "the failure of one login is told of another")?;
    holds(&store, &key, Some(&login))
}

pub(super) fn keeps_refresh_token(on: &ConformanceBench) -> RuleReport {
    let (store, key) = (on.open(), on.key("renewable"));
    let (login, bare) = (on.login("a"), on.bare("b"));
    store.save(&key, &login).asked("saving a login")?;
    let is_refused = |saved: Result<(), StoreError>, how: &str| match saved {
        Err(StoreError::WouldLoseRefreshToken { .. }) => holds(&on.open(), &key, Some(&login)),
        Err(error) => Err(format!("{how}, another error is told: {}", chain(&error))),
        Ok(()) => Err(format!("{how}, a login that can be renewed is lost")),
    };
    is_refused(store.save(&key, &bare), "without the lock")?;
    is_refused(on.lock(&store, &key)?.save(&bare), "under the lock")?;
    let passing = refresh_failure(&login, RefreshFailureKind::transient("http 503"));
    on.lock(&store, &key)?.note(&passing).asked("noting a failure")?;
    is_refused(store.save(&key, &bare), "after a failure that may pass")?;
    on.lock(&store, &key)?.note(&rejected(&login)).asked("noting a failure")?;
    store.save(&key, &bare).asked("saving in the place of a login that was refused for good")?;
    holds(&on.open(), &key, Some(&bare))
}

pub(super) fn keeps_pauses_apart(on: &ConformanceBench) -> RuleReport {
    let (store, keys) = (on.open(), ["a", "b"].map(|name| on.key(name)));
    for key in &keys {
        store.save(key, &on.login(key.as_str())).asked("saving a login")?;
    }
    let doors = [&keys[0], &keys[1]].map(|key| Fingerprint::of_text(key.as_str()));
    let kind = RefreshFailureKind::transient("http 503");
    let pause =
        RefreshFailure::new(doors[0].clone(), Timestamp::from(std::time::SystemTime::now()), kind)
            .with_pause(Duration::from_secs(30));
    on.lock(&store, &keys[0])?.note_pause(&pause).asked("noting a pause")?;
    for key in &keys {
        let mut lock = on.lock(&on.open(), key)?;
        // A store whose logins share nothing remembers none.
        let told = lock.pause(&doors[0]);
        insist(
            told.is_none() || told == Some(pause.clone()),
            format!("{pause:?} is told as {told:?}"),
        )?;
        insist(lock.pause(&doors[1]).is_none(), "a pause is told to those whom it is not about")?;
    }
    Ok(())
}
