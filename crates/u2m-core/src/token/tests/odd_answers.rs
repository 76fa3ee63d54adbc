//! Responses that contradict their status, or contain something unreadable: new tokens are kept, and the error text is true.

use super::*;

/// Refresh tokens that are present but cannot be read.
const UNREADABLE: [&str; 6] = [
    r#"{"value":"RT"}"#,
    r#"["RT","RT2"]"#,
    r#"[["RT"]]"#,
    r#"{"value":null}"#,
    "true",
    r#""\ud800""#,
];

#[test]
fn a_refresh_token_that_is_the_one_text_of_a_list_is_the_refresh_token() {
    let body = r#"{"access_token":"new-access","refresh_token":["RT"],"expires_in":3600}"#;
    let mut shelf = RecordStore::with(-1).answering(200, body);
    assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access");
    assert_eq!(refresh_token(shelf.entry.as_ref()), "RT");
    assert!(shelf.refresh_failure.is_none());
    // The same without an access token.
    let mut shelf = RecordStore::with(-1).answering(200, r#"{"refresh_token":["RT"]}"#);
    shelf.ask(WhichToken::Usable).unwrap_err();
    assert_eq!(refresh_token(shelf.entry.as_ref()), "RT");
}

#[test]
fn a_refresh_token_that_cannot_be_read_leaves_the_access_token_and_a_spent_refresh_token() {
    for odd in UNREADABLE {
        let body =
            format!(r#"{{"access_token":"new-access","refresh_token":{odd},"expires_in":60}}"#);
        let mut shelf = RecordStore::with(-1).answering(200, &body);
        let issued = shelf.ask(WhichToken::Usable).unwrap();
        assert_eq!(access(&issued), "new-access", "{odd}");
        assert!(matches!(issued.how(), TokenOrigin::Renewed), "{odd}");
        assert_eq!(shelf.entry.as_ref().unwrap().access_token.expose(), "new-access", "{odd}");
        // Once the token has expired, nothing is sent automatically.
        shelf.now = NOW.plus(Lifetime::from_seconds(3600));
        for ask in [WhichToken::Usable, WhichToken::Other(seen("new-access"))] {
            let error = shelf.ask(ask).unwrap_err();
            assert!(matches!(error, TokenError::SpentInVain(_)), "{odd}: {error:?}");
            let text = error.to_string();
            assert!(text.contains("sent a refresh token that cannot be read"), "{odd}: {text}");
        }
        assert_eq!(shelf.spent(), ["old-refresh"], "{odd}");
        // A forced refresh sends it again: some servers accept that.
        shelf.answers.push_back(Ok(answer(200, RENEWED)));
        assert_eq!(access(&shelf.ask(WhichToken::Newer(None)).unwrap()), "new-access", "{odd}");
        assert_eq!(refresh_token(shelf.entry.as_ref()), "new-refresh", "{odd}");
    }
}

#[test]
fn whoever_gets_such_an_access_token_is_warned() {
    let body = r#"{"access_token":"new-access","refresh_token":true,"expires_in":60}"#;
    for (body, is_warned) in [(body, true), ("", false)] {
        let TokenStep::Refresh(call) =
            RecordStore::with(-1).up_to_prove(WhichToken::Usable).proven(NOW).unwrap()
        else {
            panic!("refreshes")
        };
        let note = match call.answered(Ok(answer(200, body)), NOW).unwrap() {
            TokenStep::Save(save) => save.saved(Ok(())).unwrap(),
            step => step,
        };
        let TokenStep::RecordFailure(note) = note else { panic!("{note:?}") };
        let warning = note.warning().map(Sanitized::to_string).unwrap_or_default();
        assert_eq!(warning.contains("that cannot be read"), is_warned, "{body}: {warning}");
    }
}

#[test]
fn a_refresh_token_that_cannot_be_read_is_spent_whatever_else_is_wrong_with_its_answer() {
    for odd in UNREADABLE {
        for rest in [
            r#""access_token":"a\u0007b""#,
            r#""access_token":"a","token_type":"DPoP""#,
            r#""access_token":"a","expires_in":-1"#,
            r#""expires_in":60"#,
        ] {
            let body = format!(r#"{{{rest},"refresh_token":{odd}}}"#);
            let mut shelf = RecordStore::with(-1).answering(200, &body);
            for _ in 0..2 {
                let error = shelf.ask(WhichToken::Usable).unwrap_err();
                assert!(matches!(error, TokenError::SpentInVain(_)), "{body}: {error:?}");
            }
            assert_eq!(shelf.spent().len(), 1, "{body}");
        }
    }
}

#[test]
fn a_refresh_token_that_cannot_be_read_and_a_token_that_was_rejected_are_no_token() {
    let body = r#"{"access_token":"old-access","refresh_token":true,"expires_in":3600}"#;
    let mut shelf = RecordStore::with(3000).answering(200, body);
    let error = shelf.ask(WhichToken::Other(seen("old-access"))).unwrap_err();
    assert!(matches!(error, TokenError::SameTokenAgain), "{error:?}");
    let error = shelf.ask(WhichToken::Other(seen("old-access"))).unwrap_err();
    assert!(matches!(error, TokenError::SpentInVain(_)), "{error:?}");
}

#[test]
fn no_refresh_token_or_what_says_that_there_is_none_leaves_the_old_one() {
    let none = ["null", r#""""#, r#""  ""#, "false", "[]", "{}", "[null]", r#"[""]"#, "[7]", "0"];
    let none = none.into_iter().chain(["-1", r#""***""#, r#""null""#, r#""[REDACTED]""#]);
    let members = none.map(|none| format!(r#","refresh_token":{none}"#));
    for member in members.chain([String::new()]) {
        let body = format!(r#"{{"access_token":"new-access","expires_in":60{member}}}"#);
        let mut shelf = RecordStore::with(-1).answering(200, &body);
        shelf.ask(WhichToken::Usable).unwrap();
        assert_eq!(refresh_token(shelf.entry.as_ref()), "old-refresh", "{member}");
        assert!(shelf.refresh_failure.is_none(), "{member}");
        shelf.now = NOW.plus(Lifetime::from_seconds(3600));
        shelf.answers.push_back(Ok(answer(200, RENEWED)));
        shelf.ask(WhichToken::Usable).unwrap();
        assert_eq!(shelf.spent(), ["old-refresh", "old-refresh"], "{member}");
    }
}

#[test]
fn tokens_under_the_status_of_an_error_are_a_renewal() {
    for status in [400, 403, 404, 500, 502, 503, 504] {
        let mut shelf = RecordStore::with(-1).answering(status, RENEWED);
        assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access", "{status}");
        assert_eq!(refresh_token(shelf.entry.as_ref()), "new-refresh", "{status}");
        assert_eq!(shelf.spent(), ["old-refresh"], "{status}");
    }
}

#[test]
fn a_refresh_token_alone_under_the_status_of_an_error_is_what_the_next_call_renews_with() {
    for status in [403, 404, 500, 502] {
        let mut shelf =
            RecordStore::with(-1).answering(status, r#"{"refresh_token":"rt-0123456789abcdef"}"#);
        shelf.ask(WhichToken::Usable).unwrap_err();
        assert_eq!(refresh_token(shelf.entry.as_ref()), "rt-0123456789abcdef", "{status}");
        shelf.answers.push_back(Ok(answer(200, RENEWED)));
        assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access", "{status}");
        assert_eq!(shelf.spent(), ["old-refresh", "rt-0123456789abcdef"], "{status}");
    }
}

#[test]
fn an_error_with_tokens_beside_it_is_an_error() {
    let body =
        r#"{"error":"server_error","access_token":"a","refresh_token":"rt-0123456789abcdef"}"#;
    let mut shelf = RecordStore::with(-1).answering(500, body);
    shelf.ask(WhichToken::Usable).unwrap_err();
    assert_eq!(refresh_token(shelf.entry.as_ref()), "old-refresh");
    assert_eq!(shelf.saves, 0);
}

#[test]
fn what_arrived_of_such_an_answer_counts_as_of_any_other() {
    for (status, end, saved) in [
        (502, r#","x":"#, "new-refresh"),
        (502, "}", "new-refresh"),
        (500, r#","error":"server_error"}"#, "old-refresh"),
    ] {
        let body = format!(r#"{{"access_token":"new-access","refresh_token":"new-refresh"{end}"#);
        for kind in [TransportFailureKind::Broken, TransportFailureKind::TooLarge] {
            let mut shelf = RecordStore::with(-1);
            let failure = TransportFailure::new(kind).with_partial(answer(status, &body));
            shelf.answers.push_back(Err(failure));
            let _ = shelf.ask(WhichToken::Usable);
            assert_eq!(refresh_token(shelf.entry.as_ref()), saved, "{status} {end}");
        }
    }
}

#[test]
fn a_request_whose_answer_brings_tokens_is_not_sent_again() {
    for status in [429, 502, 503, 504] {
        let may = |body: &str| Replay::IfNotProcessed.may_follow(&Ok(answer(status, body)));
        assert!(!may(RENEWED), "{status}");
        assert!(may("") && may("<html>") && may(r#"{"error":"temporarily_unavailable"}"#));
    }
}
