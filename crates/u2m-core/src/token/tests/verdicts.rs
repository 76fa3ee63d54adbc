//! The remembered failure of a refresh: whom it binds, and until when.

use super::*;
use crate::oauth::ErrorResponse;

fn about(entry: &Session, at: Timestamp, kind: RefreshFailureKind) -> Option<RefreshFailure> {
    Some(RefreshFailure::new(entry.fingerprint(), at, kind))
}

fn rejected() -> RefreshFailureKind {
    RefreshFailureKind::Rejected(ErrorResponse::new(400, "invalid_grant", None))
}

fn transient() -> RefreshFailureKind {
    RefreshFailureKind::transient("http 503")
}

fn ago(seconds: i64) -> Timestamp {
    NOW.minus(Lifetime::from_seconds(seconds))
}

#[test]
fn a_rejection_is_remembered_until_the_entry_changes() {
    for ask in [WhichToken::Usable, WhichToken::Newer(None), WhichToken::Other(seen("old-access"))]
    {
        let mut shelf = RecordStore::with(-1);
        // Neither a year nor a clock that was set back changes it.
        for at in [ago(31_536_000), NOW, ago(-100)] {
            shelf.refresh_failure = about(&session("old", -1), at, rejected());
            let error = shelf.ask(ask.clone()).unwrap_err();
            assert!(matches!(error, TokenError::Rejected(_)), "{ask:?}: {error:?}");
        }
        assert_eq!(shelf.sent.len(), 0);
        shelf.entry = Some(session("relogin", -1));
        shelf.answers.push_back(Ok(answer(200, RENEWED)));
        assert_eq!(access(&shelf.ask(ask).unwrap()), "new-access");
    }
}

#[test]
fn a_remembered_rejection_leaves_a_token_that_is_still_good() {
    let mut shelf = RecordStore::with(240);
    shelf.refresh_failure = about(&session("old", 240), ago(10), rejected());
    let issued = shelf.ask(WhichToken::Usable).unwrap();
    assert!(matches!(issued.how(), TokenOrigin::Kept(TokenError::Rejected(_))));
    assert_eq!((access(&issued), shelf.sent.len()), ("old-access", 0));
}

#[test]
fn a_flow_leaves_behind_what_it_learnt() {
    let mut shelf = RecordStore::with(-1).answering(503, "");
    shelf.ask(WhichToken::Usable).unwrap_err();
    let refresh_failure = shelf.refresh_failure.clone().unwrap();
    assert_eq!(refresh_failure.of, session("old", -1).fingerprint());
    assert!(matches!(refresh_failure.kind, RefreshFailureKind::Transient(_)));
    let mut shelf = RecordStore::with(-1).answering(400, r#"{"error":"invalid_grant"}"#);
    shelf.ask(WhichToken::Usable).unwrap_err();
    assert!(matches!(shelf.refresh_failure.clone().unwrap().kind, RefreshFailureKind::Rejected(_)));
    // The next caller learns it without a request: the store has no second response.
    assert!(shelf.ask(WhichToken::Usable).unwrap_err().needs_login());
}

#[test]
fn a_passing_failure_is_shared_with_those_who_asked_before_it_fell_and_with_nobody_else() {
    for (fell, shared) in [(ago(0), true), (ago(-1), true), (ago(1), false), (ago(30), false)] {
        for ask in
            [WhichToken::Usable, WhichToken::Newer(None), WhichToken::Other(seen("old-access"))]
        {
            let mut shelf = RecordStore::with(-1).answering(200, RENEWED);
            let TokenStep::Load(load) = shelf.request.clone().start(ask.clone(), NOW) else {
                panic!("loads first")
            };
            let waiting = load.loaded(shelf.entry.clone(), NOW).unwrap();
            shelf.refresh_failure = about(&session("old", -1), fell, transient());
            shelf.now = NOW.plus(Lifetime::from_seconds(2));
            let outcome = shelf.go_on(waiting);
            assert_eq!(
                matches!(outcome, Err(TokenError::TriedJustNow(_))),
                shared,
                "{ask:?} {fell:?}"
            );
            assert_eq!(shelf.sent.len(), usize::from(!shared), "{ask:?} {fell:?}");
        }
    }
}

#[test]
fn within_one_second_it_counts_who_asked_before_the_failure_fell() {
    let at = |nanos| Moment::new(NOW, nanos);
    for (fell, shared) in [(at(0), false), (at(499), false), (at(500), true), (at(501), true)] {
        for ask in
            [WhichToken::Usable, WhichToken::Newer(None), WhichToken::Other(seen("old-access"))]
        {
            let mut shelf = RecordStore::with(-1).answering(200, RENEWED);
            shelf.refresh_failure =
                Some(RefreshFailure::new(session("old", -1).fingerprint(), fell, transient()));
            let asking = shelf.request.clone().start(ask.clone(), at(500));
            let outcome = shelf.go_on(asking);
            let is_shared = matches!(outcome, Err(TokenError::TriedJustNow(_)));
            assert_eq!(is_shared, shared, "{ask:?} {fell:?}");
            assert_eq!(shelf.sent.len(), usize::from(!shared), "{ask:?} {fell:?}");
        }
    }
    // The text is true for everyone who sees it, whichever caller failed.
    assert!(!TokenError::TriedJustNow(Sanitized::new("x")).to_string().contains("process"));
}

#[test]
fn a_pause_that_the_server_asked_for_is_kept_by_all_who_come_meanwhile() {
    let busy = |seconds| {
        let answer = answer(429, r#"{"error":"too_many_requests"}"#);
        Ok(answer.with_retry_after(std::time::Duration::from_secs(seconds)))
    };
    for ask in [WhichToken::Usable, WhichToken::Newer(None), WhichToken::Other(seen("old-access"))]
    {
        let mut shelf = RecordStore::with(-1);
        shelf.answers.push_back(busy(90));
        let error = shelf.ask(ask.clone()).unwrap_err();
        assert!(matches!(error, TokenError::Refresh(_)) && error.is_transient(), "{error:?}");
        for (passed, left) in [(0, 90), (1, 89), (60, 30), (89, 1)] {
            shelf.now = NOW.plus(Lifetime::from_seconds(passed));
            let error = shelf.ask(ask.clone()).unwrap_err();
            let TokenError::Postponed { left: told, .. } = &error else { panic!("{error:?}") };
            assert_eq!(told.seconds(), left, "{ask:?}");
            assert!(error.is_transient() && !error.needs_login());
            assert!(error.to_string().contains("too_many_requests"), "{error}");
        }
        assert_eq!(shelf.sent.len(), 1, "{ask:?}");
        shelf.now = NOW.plus(Lifetime::from_seconds(90));
        shelf.answers.push_back(Ok(answer(200, RENEWED)));
        assert_eq!(access(&shelf.ask(ask).unwrap()), "new-access");
    }
    // No pause is longer than an hour, and a pause of zero is none.
    for (asked, passed, sent) in [(u64::MAX, 3_599, 1), (u64::MAX, 3_600, 2), (0, 1, 2)] {
        let mut shelf = RecordStore::with(-1);
        shelf.answers.extend([busy(asked), Ok(answer(200, RENEWED))]);
        shelf.ask(WhichToken::Usable).unwrap_err();
        shelf.now = NOW.plus(Lifetime::from_seconds(passed));
        let _ = shelf.ask(WhichToken::Usable);
        assert_eq!(shelf.sent.len(), sent, "{asked} {passed}");
    }
}

#[test]
fn a_pause_takes_no_token_that_is_still_good_and_no_new_login() {
    let at = Moment::new(NOW, 5);
    let paused = |of: &Session| {
        let refresh_failure = RefreshFailure::new(of.fingerprint(), at, transient());
        Some(refresh_failure.with_pause(std::time::Duration::from_secs(600)))
    };
    let mut shelf = RecordStore::with(240).answering(200, RENEWED);
    shelf.refresh_failure = paused(&session("old", 240));
    shelf.now = NOW.plus(Lifetime::from_seconds(100));
    let issued = shelf.ask(WhichToken::Usable).unwrap();
    assert!(matches!(issued.how(), TokenOrigin::Kept(TokenError::Postponed { .. })));
    assert_eq!((access(&issued), shelf.sent.len()), ("old-access", 0));
    // A forced refresh must return a new token: the old one is not returned, and the server is still left alone.
    let forced = shelf.ask(WhichToken::Newer(None)).unwrap_err();
    assert!(matches!(forced, TokenError::Postponed { .. }), "{forced:?}");
    shelf.entry = Some(session("relogin", -1));
    assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access");
    // With a clock that was set back, the pause would never end.
    for (back, sent) in [(60, 0), (61, 1)] {
        let mut shelf = RecordStore::with(-1).answering(200, RENEWED);
        shelf.refresh_failure = paused(&session("old", -1));
        shelf.now = ago(back);
        shelf.entry = Some(session("old", -100));
        let _ = shelf.ask(WhichToken::Usable);
        assert_eq!(shelf.sent.len(), sent, "{back}");
    }
}

#[test]
fn what_asks_for_a_person_is_a_new_login_for_all_who_wait_and_tried_again_for_who_comes_later() {
    let body = r#"{"error":"interaction_required","error_description":"AADSTS50076: MFA"}"#;
    let mut shelf = RecordStore::with(-1).answering(400, body);
    let error = shelf.ask(WhichToken::Usable).unwrap_err();
    assert!(error.needs_login() && !error.is_transient(), "{error:?}");
    assert!(
        !shelf.refresh_failure.as_ref().unwrap().is_final_for(&session("old", -1)),
        "it is not dead"
    );
    // A caller that asked meanwhile gets the same error, without a request.
    let error = shelf.ask(WhichToken::Usable).unwrap_err();
    assert!(error.needs_login() && crate::chain(&error).contains("AADSTS50076"), "{error:?}");
    assert_eq!(shelf.sent.len(), 1);
    shelf.now = NOW.plus(Lifetime::from_seconds(1));
    let mut shelf = shelf.answering(200, RENEWED);
    assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access");
}

#[test]
fn who_asks_while_the_request_is_under_way_shares_its_failure_too() {
    let later = |seconds| NOW.plus(Lifetime::from_seconds(seconds));
    let mut shelf = RecordStore::with(-1).failing(TransportFailureKind::TimedOut);
    let mut step = shelf.request.clone().start(WhichToken::Usable, NOW);
    while !matches!(step, TokenStep::RecordFailure(_)) {
        step = match step {
            TokenStep::Load(load) => load.loaded(shelf.entry.clone(), NOW).unwrap(),
            TokenStep::Lock(lock) => lock.locked(),
            TokenStep::Reload(reload) => reload.loaded(shelf.entry.clone(), None, NOW).unwrap(),
            TokenStep::CheckWritable(prove) => prove.proven(NOW).unwrap(),
            TokenStep::Refresh(call) => {
                call.answered(shelf.answers.pop_front().unwrap(), NOW).unwrap()
            }
            other => panic!("{other:?}"),
        };
    }
    shelf.now = later(30);
    shelf.go_on(step).unwrap_err();
    // Half a minute passed; a caller that arrived meanwhile has waited for this response.
    let waiting = shelf.request.clone().start(WhichToken::Usable, later(20));
    assert!(matches!(shelf.go_on(waiting), Err(TokenError::TriedJustNow(_))));
    let mut newcomer = shelf;
    newcomer.answers.push_back(Ok(answer(200, RENEWED)));
    newcomer.now = later(31);
    assert_eq!(access(&newcomer.ask(WhichToken::Usable).unwrap()), "new-access");
}

#[test]
fn refr_6_a_renewal_ahead_of_time_pauses_for_a_minute_after_one_has_failed() {
    for (seconds, requests) in [(0, 0), (59, 0), (60, 1), (3000, 1)] {
        let mut shelf = RecordStore::with(240).answering(200, RENEWED);
        shelf.refresh_failure = about(&session("old", 240), ago(seconds), transient());
        let issued = shelf.ask(WhichToken::Usable).unwrap();
        assert_eq!(shelf.sent.len(), requests, "{seconds} seconds after");
        assert_eq!(
            matches!(issued.how(), TokenOrigin::Kept(TokenError::TriedJustNow(_))),
            requests == 0
        );
    }
}

#[test]
fn a_passing_failure_from_the_future_tells_of_a_clock_that_was_set_back() {
    for left in [-1, 240] {
        let mut shelf = RecordStore::with(left).answering(200, RENEWED);
        shelf.refresh_failure = about(&session("old", left), ago(-1), transient());
        assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access");
    }
}

#[test]
fn a_verdict_about_another_refresh_token_means_nothing() {
    for kind in [rejected(), transient()] {
        let mut shelf = RecordStore::with(-1).answering(200, RENEWED);
        shelf.refresh_failure = about(&session("other", -1), NOW, kind);
        assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access");
    }
}

#[test]
fn t14_neither_a_verdict_nor_its_error_holds_the_refresh_token() {
    let mut shelf = RecordStore::with(-1).answering(503, "old-refresh");
    let error = shelf.ask(WhichToken::Usable).unwrap_err();
    let shown = format!(
        "{:?} {error:?} {error} {:?}",
        shelf.refresh_failure,
        std::error::Error::source(&error)
    );
    assert!(!shown.contains("old-refresh"), "{shown}");
}

#[test]
fn a8_after_a_success_that_cannot_be_read_the_refresh_token_is_not_sent_again_in_silence() {
    for body in ["what is this", "", "[]", r#"{"token_type":"Bearer"}"#] {
        let mut shelf = RecordStore::with(-1).answering(200, body);
        let error = shelf.ask(WhichToken::Usable).unwrap_err();
        assert!(matches!(error, TokenError::SpentInVain(_)), "{body}: {error:?}");
        assert!(error.needs_login() && !error.is_transient(), "{body}");
        let refresh_failure = shelf.refresh_failure.clone().unwrap();
        assert!(
            matches!(refresh_failure.kind, RefreshFailureKind::Spent(_)),
            "{body}: {refresh_failure:?}"
        );
        for ask in [WhichToken::Usable, WhichToken::Other(seen("old-access"))] {
            let error = shelf.ask(ask).unwrap_err();
            assert!(matches!(error, TokenError::SpentInVain(_)), "{body}: {error:?}");
        }
        assert_eq!(shelf.spent(), ["old-refresh"], "{body}");
        // A person can force one more try.
        shelf = shelf.answering(200, RENEWED);
        assert_eq!(access(&shelf.ask(WhichToken::Newer(None)).unwrap()), "new-access", "{body}");
        assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access", "{body}");
    }
    // While the old token is valid, callers get it.
    let mut shelf = RecordStore::with(240).answering(200, "what is this");
    for _ in 0..2 {
        let issued = shelf.ask(WhichToken::Usable).unwrap();
        assert!(matches!(issued.how(), TokenOrigin::Kept(TokenError::SpentInVain(_))));
    }
    assert_eq!(shelf.spent().len(), 1);
}
