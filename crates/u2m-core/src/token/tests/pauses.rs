//! A pause that one login met: which other logins it binds, and for how long.

use super::*;
use std::time::Duration;

fn later(seconds: i64) -> Timestamp {
    NOW.plus(Lifetime::from_seconds(seconds))
}

/// The remembered pauses after a login has met this response.
fn met(status: u16, seconds: u64) -> Vec<RefreshFailure> {
    met_by(RecordStore::with(-1), status, seconds)
}

fn met_by(mut shelf: RecordStore, status: u16, seconds: u64) -> Vec<RefreshFailure> {
    let busy = answer(status, r#"{"error":"slow_down_please"}"#);
    shelf.answers.push_back(Ok(busy.with_retry_after(Duration::from_secs(seconds))));
    shelf.ask(WhichToken::Usable).unwrap_err();
    assert_eq!(shelf.sent.len(), 1);
    shelf.pauses
}

/// Another login at the same endpoint, this many seconds after those pauses were met.
fn another(pauses: &[RefreshFailure], seconds: i64) -> RecordStore {
    let mut shelf = RecordStore::holding(Some(session("other", -1))).answering(200, RENEWED);
    (shelf.pauses, shelf.now) = (pauses.to_vec(), later(seconds));
    shelf
}

fn is_held(shelf: &mut RecordStore, ask: WhichToken) -> bool {
    match shelf.ask(ask) {
        Ok(issued) => {
            assert_eq!((access(&issued), shelf.sent.len()), ("new-access", 1));
            false
        }
        Err(TokenError::Postponed { .. }) => {
            assert_eq!(shelf.sent.len(), 0);
            true
        }
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn a_pause_binds_the_other_logins_at_the_endpoint_forced_or_not() {
    for status in [429, 503] {
        let pauses = met(status, 30);
        for ask in
            [WhichToken::Usable, WhichToken::Newer(None), WhichToken::Other(seen("other-access"))]
        {
            for (seconds, held) in [(0, true), (29, true), (30, false), (300, false)] {
                let mut other = another(&pauses, seconds);
                assert_eq!(is_held(&mut other, ask.clone()), held, "{status} {ask:?} {seconds}");
            }
        }
        let error = another(&pauses, 20).ask(WhichToken::Usable).unwrap_err();
        let TokenError::Postponed { left, why } = &error else { panic!("{error:?}") };
        assert_eq!(left.seconds(), 10);
        assert!(why.as_str().contains("slow_down_please"), "{why}");
        assert!(error.is_transient() && !error.needs_login());
    }
}

#[test]
fn one_bad_answer_binds_others_for_a_minute_and_the_next_ones_not_at_once() {
    let first = met(503, 86_400);
    assert!(is_held(&mut another(&first, 59), WhichToken::Usable));
    assert!(!is_held(&mut another(&first, 60), WhichToken::Usable), "a minute is all");
    // A login that meets the same pause again and again does not block others for longer.
    for (seconds, again) in [(61, false), (599, false), (600, true), (-1, true)] {
        let mut shelf = RecordStore::with(-100);
        (shelf.pauses, shelf.now) = (first.clone(), later(seconds));
        shelf.pauses[0].pause = None;
        let pauses = met_by(shelf, 503, 86_400);
        assert_eq!(pauses.len() == 2, again, "{seconds}");
    }
}

#[test]
fn only_what_is_about_more_than_one_request_binds_others() {
    for status in [400, 401, 403, 408, 425, 500, 502, 504] {
        let pauses = met(status, 30);
        assert!(!is_held(&mut another(&pauses, 1), WhichToken::Usable), "{status}");
    }
    assert!(met(503, 0).iter().all(|pause| pause.left_of_pause(NOW).is_none()), "no pause");
}

#[test]
fn another_endpoint_is_not_paused_and_another_client_only_where_the_service_is() {
    for (status, client_is_held) in [(429, false), (503, true)] {
        let pauses = met(status, 30);
        let at = |endpoint: &str, client: &str| {
            let mut shelf = another(&pauses, 1);
            shelf.request.client_id = client.to_owned();
            let binding = Binding::new(
                "https://a.example/oidc",
                Url::parse(endpoint).unwrap(),
                client,
                host("https://a.example"),
            );
            shelf.entry = Some(session("other", -1).with_binding(binding));
            is_held(&mut shelf, WhichToken::Usable)
        };
        assert!(at(TOKEN_URL, "databricks-cli"), "{status}");
        assert!(at(&format!("{TOKEN_URL}?tenant=1"), "databricks-cli"), "{status}");
        assert_eq!(at(TOKEN_URL, "another-client"), client_is_held, "{status}");
        assert!(!at("https://a.example/oidc/accounts/7/v1/token", "databricks-cli"), "{status}");
        assert!(!at("https://a.example:444/oidc/v1/token", "databricks-cli"), "{status}");
    }
}

#[test]
fn who_has_signed_in_since_was_served_and_who_has_a_good_token_needs_nobody() {
    let pauses = met(503, 50);
    let mut shelf = another(&pauses, 10);
    shelf.entry = Some(session("relogin", -1).with_issued_at(later(9)));
    assert!(!is_held(&mut shelf, WhichToken::Usable));
    let mut shelf = another(&pauses, 0);
    shelf.entry = Some(session("other", 240));
    let issued = shelf.ask(WhichToken::Usable).unwrap();
    assert!(matches!(issued.how(), TokenOrigin::Kept(TokenError::Postponed { .. })));
    assert_eq!((access(&issued), shelf.sent.len()), ("other-access", 0));
}

#[test]
fn a_login_whose_endpoint_has_to_be_found_first_keeps_the_pause_there() {
    let pauses = met(429, 30);
    let mut shelf = another(&pauses, 1);
    shelf.entry.as_mut().unwrap().binding = None;
    let metadata = format!(
        r#"{{"issuer":"https://a.example/oidc","authorization_endpoint":"https://a.example/oidc/v1/authorize","token_endpoint":"{TOKEN_URL}"}}"#
    );
    shelf.answers.push_front(Ok(answer(200, &metadata)));
    assert!(matches!(shelf.ask(WhichToken::Usable), Err(TokenError::Postponed { .. })));
    assert!(shelf.spent().is_empty());
}

#[test]
fn t14_what_is_remembered_of_a_pause_names_neither_tokens_nor_the_place() {
    let shown = format!("{:?}", met(503, 30));
    for secret in ["old-refresh", "old-access", "a.example"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
