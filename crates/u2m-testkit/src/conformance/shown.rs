//! Rules about what a store reveals about itself.

use super::ground::{ConformanceBench, RuleReport, StoreUnderTest, insist};
use u2m_cache::StoreError;
use u2m_core::chain;

pub(super) fn shows_no_secret(on: &ConformanceBench) -> RuleReport {
    let (store, key) = (on.open(), on.key("shown"));
    let (login, bare) = (on.full("canary")?, on.bare("canary-too"));
    store.save(&key, &login).asked("saving a login")?;
    store.load(&key).asked("reading a login")?;
    let mut lock = on.claim(&store, &key, &login.fingerprint())?;
    on.open().save(&key, &on.login("canary-again")).asked("saving a login")?;
    let errors = [lock.save(&on.login("canary-bought")), store.save(&key, &bare)];
    drop(lock);
    let errors = errors.into_iter().filter_map(Result::err);
    let said = |error: StoreError| [("an error", format!("{error:?} {}", chain(&error)))];
    let notices = store.take_notices().into_iter().map(|notice| ("a notice", notice.text));
    let all = [("its Debug", format!("{store:?}")), ("its Debug", format!("{store:#?}"))];
    for (what, text) in all.into_iter().chain(errors.flat_map(said)).chain(notices) {
        insist(!text.contains("canary"), format!("{what} shows a token"))?;
    }
    Ok(())
}
