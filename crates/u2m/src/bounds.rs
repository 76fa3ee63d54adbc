//! Time limits, in one place. A caller's own limit bounds only how long the caller waits. After a secret was spent, the wait
//! lasts as long as an answer may come, and then until the result is saved.

use std::time::Duration;
use u2m_http::RetryPolicy;

/// How long saving a result is tried, pauses included, by whoever has it.
pub(crate) const SAVING: Duration = Duration::from_secs(60);

/// How long a flight of this process tries to save before it returns the token unsaved and keeps trying in the background.
pub(crate) const SAVING_FIRST: Duration = Duration::from_secs(2);

/// How long to wait for another process's refresh: its answer, its saving, and some reserve.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(180);

/// How long a new login waits for a refresh of the login that it replaces. A refresh that ends later finds that it was
/// overtaken.
pub(crate) const SIGN_IN_WAIT: Duration = Duration::from_secs(15);

/// How long another program that has refreshed first may take to save, after the server has already rejected our token.
pub(crate) const RECHECKING: Duration = Duration::from_secs(2);

/// How long to wait until an old copy of an entry, put back by a program without our lock, is replaced again by whoever has the
/// new one.
pub(crate) const PUTTING_BACK: Duration = Duration::from_secs(3);

/// The pause between two checks of an entry that is about to change.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// The longest time from spending a secret to having saved the result.
pub(crate) fn finishing(patience: &RetryPolicy) -> Duration {
    patience.answer.max(patience.budget).saturating_add(SAVING + Duration::from_secs(30))
}

/// The pauses between attempts to save: short at first, then longer.
pub(crate) fn pauses() -> impl Iterator<Item = Duration> {
    let first = Duration::from_millis(50);
    std::iter::successors(Some(first), |pause| Some((*pause * 2).min(Duration::from_secs(2))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_begin_short_and_double_to_two_seconds() {
        let pauses: Vec<_> = pauses().take(9).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 2000, 2000, 2000]);
    }

    #[test]
    fn what_is_spent_is_waited_for_and_then_saved() {
        let patience = RetryPolicy::default().with_budget(Duration::from_secs(10));
        let answer = patience.clone().with_answer(Duration::from_secs(40));
        assert_eq!(finishing(&answer), Duration::from_secs(40 + 90));
        let budget = patience.with_answer(Duration::from_secs(5));
        assert_eq!(finishing(&budget), Duration::from_secs(10 + 90));
    }
}
