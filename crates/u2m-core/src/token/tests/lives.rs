//! How much life a token must have left: for a host that refuses its last seconds, and for a caller who needs more.

use super::*;

/// A login to a workspace on Azure, and one that was found by a discovery login.
fn on_azure(left: i64) -> [RecordStore; 2] {
    let azure = || host("https://adb-1.2.azuredatabricks.net");
    let token_url = Url::parse("https://adb-1.2.azuredatabricks.net/oidc/v1/token").unwrap();
    let issuer = "https://adb-1.2.azuredatabricks.net/oidc";
    let bound = || Binding::new(issuer, token_url.clone(), "databricks-cli", azure());
    let discovered = Target::discovery(ProfileName::parse("dev").unwrap());
    [Target::workspace(azure()), discovered].map(|target| {
        let mut shelf = RecordStore::holding(Some(session("old", left).with_binding(bound())));
        shelf.request = TokenRequest::new(target);
        shelf
    })
}

#[test]
fn a_token_in_its_last_40_seconds_is_handed_out_to_nobody_on_azure() {
    for (left, is_kept) in [(40, true), (39, false)] {
        for shelf in on_azure(left) {
            let issued = shelf.failing(TransportFailureKind::NotSent).ask(WhichToken::Usable);
            assert_eq!(issued.is_ok(), is_kept, "{left} s");
        }
        let elsewhere =
            RecordStore::with(left).failing(TransportFailureKind::NotSent).ask(WhichToken::Usable);
        assert!(elsewhere.is_ok());
    }
}

const ANSWER: &str =
    r#"{"access_token": "new-access", "refresh_token": "new-refresh", "expires_in": 3600}"#;

fn needing(life: i64) -> TokenCriteria {
    TokenCriteria::from(WhichToken::Usable).with_at_least(Lifetime::from_seconds(life))
}

fn asked(shelf: &mut RecordStore, question: TokenCriteria) -> Result<IssuedToken, TokenError> {
    let started = shelf.request.clone().start(question, shelf.now);
    shelf.go_on(started)
}

#[test]
fn async_1_a_token_that_lives_for_less_than_the_caller_needs_is_renewed() {
    for (left, life, is_renewed) in [
        (3_000, 1_800, false),
        (1_800, 1_800, false),
        (1_799, 1_800, true),
        (3_000, 0, false),
        // Fresh but not valid for long enough; or valid for long enough but stale.
        (310, 320, true),
        (200, 100, true),
    ] {
        let mut shelf = RecordStore::with(left).answering(200, ANSWER);
        let issued = asked(&mut shelf, needing(life)).unwrap();
        assert_eq!(access(&issued) == "new-access", is_renewed, "{left} s, {life} needed");
    }
}

#[test]
fn the_old_token_stands_in_for_a_failed_renewal_only_where_it_lives_long_enough() {
    for (left, life, is_kept) in [(200, 100, true), (200, 200, true), (200, 201, false)] {
        let mut shelf = RecordStore::with(left).failing(TransportFailureKind::NotSent);
        let outcome = asked(&mut shelf, needing(life));
        assert_eq!(outcome.is_ok(), is_kept, "{life} needed");
        assert!(outcome.err().is_none_or(|error| error.is_transient()));
    }
    // Without a refresh token, only a new login helps.
    let mut shelf =
        RecordStore::holding(Some(Session { refresh_token: None, ..session("old", 200) }));
    assert!(asked(&mut shelf, needing(100)).is_ok());
    assert!(asked(&mut shelf, needing(201)).unwrap_err().needs_login());
}

#[test]
fn refr_7_a_server_whose_tokens_are_short_is_asked_once_for_each_quarter_of_a_life() {
    let answer = ANSWER.replace("3600", "60");
    let mut shelf = RecordStore::with(-5).answering(200, &answer).answering(200, &answer);
    let begin = shelf.now;
    let mut renewed = Vec::new();
    for passed in 0..=16 {
        shelf.now = begin.plus(Lifetime::from_seconds(passed));
        let before = shelf.sent.len();
        let issued = asked(&mut shelf, needing(180)).unwrap();
        assert!(issued.session().expiry.is_some_and(|end| shelf.now < end), "never a dead one");
        renewed.extend((shelf.sent.len() > before).then_some(passed));
    }
    assert_eq!(renewed, [0, 16]);
}

#[test]
fn one_that_is_to_be_another_is_to_live_long_enough_too() {
    for (life, is_renewed) in [(0, false), (200, false), (201, true)] {
        let mut shelf = RecordStore::with(200).answering(200, ANSWER);
        let question = TokenCriteria::from(WhichToken::Other(seen("rejected")));
        let question = question.with_at_least(Lifetime::from_seconds(life));
        let issued = asked(&mut shelf, question).unwrap();
        assert_eq!(access(&issued) == "new-access", is_renewed, "{life} needed");
    }
}
