//! Refreshes that fail, and requests that do not accept the old token.

use super::*;

const SPENT: &str = r#"{"error":"invalid_grant","error_description":"Refresh token is invalid"}"#;

#[test]
fn err_2_the_servers_own_words_reach_the_error() {
    let body = r#"{"error":"invalid_grant","error_description":"Invalid Client"}"#;
    let error = RecordStore::with(-1).answering(401, body).ask(WhichToken::Usable).unwrap_err();
    let TokenError::Rejected(refusal) = &error else { panic!("{error:?}") };
    assert_eq!(refusal.to_string(), "Invalid Client (error code: invalid_grant)");
    assert_eq!(refusal.status(), 401);
    assert!(error.needs_login());
}

#[test]
fn err_1_the_known_sentence_is_a_rejection_whatever_its_code_and_status() {
    for (status, code) in
        [(400, "invalid_request"), (401, "invalid_grant"), (401, "invalid_request"), (200, "other")]
    {
        let body =
            format!(r#"{{"error":"{code}","error_description":"Refresh token is invalid"}}"#);
        let error =
            RecordStore::with(-1).answering(status, &body).ask(WhichToken::Usable).unwrap_err();
        assert!(matches!(error, TokenError::Rejected(_)), "{status} {code}");
    }
}

#[test]
fn err_3_what_may_pass_is_told_from_what_needs_a_login() {
    for (status, body, transient) in [
        (500, "", true),
        (502, "<html>", true),
        (429, "{}", true),
        (429, r#"{"error":"rate_limited"}"#, true),
        (429, r#"{"error":"slow_down"}"#, true),
        (500, r#"{"error":"internal"}"#, true),
        (502, r#"{"error":"upstream connect error"}"#, true),
        (503, r#"{"status":503,"error":"Service Unavailable"}"#, true),
        (503, r#"{"error":"invalid_client"}"#, false),
        (400, r#"{"error":"temporarily_unavailable"}"#, true),
        (401, r#"{"error":"invalid_client"}"#, false),
        (403, r#"{"error_code":"X","message":"no"}"#, true),
        (403, r#"{"error":"Forbidden"}"#, true),
        (200, r#"{"access_token":"a","token_type":"DPoP"}"#, false),
    ] {
        let error =
            RecordStore::with(-1).answering(status, body).ask(WhichToken::Usable).unwrap_err();
        assert!(matches!(error, TokenError::Refresh(_)), "{status} {body}: {error:?}");
        assert_eq!(
            (error.is_transient(), error.needs_login()),
            (transient, false),
            "{status} {body}"
        );
    }
    let error = RecordStore::with(-1)
        .failing(TransportFailureKind::TimedOut)
        .ask(WhichToken::Usable)
        .unwrap_err();
    assert!(error.is_transient() && !error.needs_login());
}

#[test]
fn a_forced_refresh_never_falls_back_to_the_old_token() {
    for ask in [
        WhichToken::Newer(None),
        WhichToken::Newer(Some(seen("old-access"))),
        WhichToken::Other(seen("old-access")),
    ] {
        for (status, body) in [(503, ""), (401, SPENT), (500, "<html>")] {
            let mut shelf = RecordStore::with(3000).answering(status, body);
            assert!(shelf.ask(ask.clone()).is_err(), "{ask:?} {status}");
            assert_eq!(shelf.saves, 0);
        }
        let mut shelf = RecordStore::with(3000);
        shelf.is_writable = false;
        assert!(shelf.ask(ask.clone()).is_err(), "{ask:?} with a full disk");
        let mut entry = session("old", 3000);
        entry.refresh_token = None;
        let error = RecordStore::holding(Some(entry)).ask(ask).unwrap_err();
        assert!(matches!(error, TokenError::MissingRefreshToken));
    }
}

#[test]
fn refr_5_newer_than_the_one_seen_is_what_another_caller_has_just_fetched() {
    let mut shelf = RecordStore::with(3000);
    assert_eq!(access(&shelf.ask(WhichToken::Newer(Some(seen("older")))).unwrap()), "old-access");
    assert_eq!((shelf.locks, shelf.sent.len()), (0, 0));
    let mut shelf = RecordStore::with(3000).answering(200, RENEWED);
    assert_eq!(
        access(&shelf.ask(WhichToken::Newer(Some(seen("old-access")))).unwrap()),
        "new-access"
    );
}

#[test]
fn refr_5_without_one_seen_a_token_of_the_last_five_seconds_is_new_enough() {
    for (age, requests) in [(0, 0), (5, 0), (6, 1), (-1, 1), (600, 1)] {
        let mut entry = session("old", 3000);
        entry.issued_at = Some(NOW.minus(Lifetime::from_seconds(age)));
        let mut shelf = RecordStore::holding(Some(entry)).answering(200, RENEWED);
        shelf.ask(WhichToken::Newer(None)).unwrap();
        assert_eq!(shelf.sent.len(), requests, "{age} seconds old");
    }
    let mut entry = session("old", 3000);
    entry.issued_at = None;
    let mut shelf = RecordStore::holding(Some(entry)).answering(200, RENEWED);
    shelf.ask(WhichToken::Newer(None)).unwrap();
    assert_eq!(shelf.sent.len(), 1, "another program wrote it, nobody knows when");
}

#[test]
fn an_expired_token_is_nobodys_answer_however_different_it_is() {
    for ask in [
        WhichToken::Newer(Some(seen("older"))),
        WhichToken::Other(seen("older")),
        WhichToken::Newer(None),
    ] {
        let mut entry = session("old", 5);
        entry.issued_at = Some(NOW);
        let mut shelf = RecordStore::holding(Some(entry)).answering(200, RENEWED);
        assert_eq!(access(&shelf.ask(ask.clone()).unwrap()), "new-access", "{ask:?}");
    }
}

#[test]
fn the_token_that_an_api_rejected_is_never_handed_out_again() {
    let mut shelf = RecordStore::with(3000).answering(200, RENEWED);
    assert_eq!(access(&shelf.ask(WhichToken::Other(seen("old-access"))).unwrap()), "new-access");
    // A server that responds from a cache issues the same token again.
    let same = r#"{"access_token":"old-access","refresh_token":"new-refresh","expires_in":3600}"#;
    let mut shelf = RecordStore::with(3000).answering(200, same);
    let error = shelf.ask(WhichToken::Other(seen("old-access"))).unwrap_err();
    assert!(matches!(error, TokenError::SameTokenAgain) && !error.needs_login());
    assert_eq!(
        refresh_token(shelf.entry.as_ref()),
        "new-refresh",
        "what was rotated is kept all the same"
    );
}

#[test]
fn refr_4_a_token_that_cannot_be_saved_is_handed_out_all_the_same() {
    let mut shelf = RecordStore::with(-1).answering(200, RENEWED);
    shelf.keeps_saves = false;
    let issued = shelf.ask(WhichToken::Usable).unwrap();
    assert_eq!(access(&issued), "new-access");
    assert!(matches!(issued.how(), TokenOrigin::RenewedUnsaved(_)));
    // The session can be saved later: the next call does not spend the old refresh token again.
    assert_eq!(refresh_token(Some(issued.session())), "new-refresh");
    shelf.entry = Some(issued.session().clone());
    assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access");
    assert_eq!(shelf.spent(), ["old-refresh"]);
}

#[test]
fn refr_4_a_store_that_cannot_be_written_spends_nothing() {
    let mut shelf = RecordStore::with(-1);
    shelf.is_writable = false;
    let error = shelf.ask(WhichToken::Usable).unwrap_err();
    assert!(matches!(error, TokenError::Store(_)) && !error.needs_login());
    assert_eq!(shelf.sent.len(), 0);
    let mut shelf = RecordStore::with(240);
    shelf.is_writable = false;
    let issued = shelf.ask(WhichToken::Usable).unwrap();
    assert!(matches!(issued.how(), TokenOrigin::Kept(TokenError::Store(_))));
    assert_eq!((access(&issued), shelf.sent.len()), ("old-access", 0));
}

#[test]
fn refr_3_after_a_rejection_the_entry_is_read_again_and_a_rotated_one_is_used() {
    let mut shelf = RecordStore::with(-1).answering(401, SPENT);
    shelf.intruders = [session("theirs", 3600)].into();
    assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "theirs-access");
    assert!(shelf.refresh_failure.is_none(), "nothing is held against the new entry");
    // The other program's token has expired too: its refresh token is tried once.
    let mut shelf = RecordStore::with(-1).answering(401, SPENT).answering(200, RENEWED);
    shelf.intruders = [session("theirs", -1)].into();
    assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access");
    assert_eq!(shelf.spent(), ["old-refresh", "theirs-refresh"]);
}

#[test]
fn refr_3_there_is_no_third_refresh_token() {
    let mut shelf = RecordStore::with(-1).answering(401, SPENT).answering(401, SPENT);
    shelf.intruders = [session("theirs", -1)].into();
    let error = shelf.ask(WhichToken::Usable).unwrap_err();
    assert!(matches!(error, TokenError::Rejected(_)));
    assert_eq!(
        shelf.refresh_failure.map(|refresh_failure| refresh_failure.of),
        Some(session("theirs", -1).fingerprint())
    );
}

#[test]
fn refr_3_after_the_second_rejection_a_good_entry_is_used_and_a_third_refresh_token_is_not_tried() {
    for (left, sent) in [(3600, Ok("third-access")), (-1, Err(()))] {
        let mut shelf = RecordStore::with(-1).answering(401, SPENT).answering(401, SPENT);
        shelf.intruders = [session("second", -1), session("third", left)].into();
        let outcome = shelf.ask(WhichToken::Usable);
        let access = outcome.as_ref().map(access).map_err(|error| {
            assert!(matches!(error, TokenError::Rejected(_)), "{error:?}");
        });
        assert_eq!(access, sent);
        assert_eq!(shelf.spent(), ["old-refresh", "second-refresh"]);
        // The remembered failure concerns the token that was refused, not the one that was never tried.
        let of = shelf.refresh_failure.map(|refresh_failure| refresh_failure.of);
        assert_eq!(of, sent.is_err().then(|| session("second", -1).fingerprint()));
    }
}

#[test]
fn a_rejected_entry_is_looked_at_again_while_it_is_unchanged() {
    let mut shelf = RecordStore::with(-1).answering(401, SPENT);
    let recheck = shelf.up_to_recheck(WhichToken::Usable);
    assert!(recheck.is_unchanged(shelf.entry.as_ref()));
    assert!(!recheck.is_unchanged(Some(&session("theirs", 3600))));
    assert!(!recheck.is_unchanged(None), "a logout is a change");
}

#[test]
fn a_refresh_token_that_somebody_else_spends_or_has_spent_is_not_sent() {
    for (left, ask, keeps) in [
        (-1, WhichToken::Usable, false),
        (240, WhichToken::Usable, true),
        (3000, WhichToken::Newer(None), false),
    ] {
        let shelf = RecordStore::with(left);
        let prove = || shelf.up_to_prove(ask.clone());
        assert_eq!(prove().fingerprint(), session("old", left).fingerprint());
        assert_eq!(prove().is_worth_waiting(NOW), !keeps, "{ask:?}");
        for (step, is_transient) in
            [(prove().busy(NOW), true), (prove().spent("it is in /home/b/cache", NOW), false)]
        {
            match step {
                Ok(TokenStep::Done(issued)) => {
                    assert!(keeps && matches!(issued.how(), TokenOrigin::Kept(_)), "{ask:?}");
                }
                Ok(step) => panic!("{step:?}"),
                Err(error) => {
                    assert!(!keeps, "{ask:?}: {error}");
                    assert_eq!(error.is_transient(), is_transient, "{error}");
                    assert_eq!(error.to_string().contains("/home/b/cache"), !is_transient);
                }
            }
        }
    }
}

#[test]
fn a_rejection_of_an_entry_that_is_still_good_leaves_the_old_token() {
    let mut shelf = RecordStore::with(240).answering(401, SPENT);
    let issued = shelf.ask(WhichToken::Usable).unwrap();
    assert_eq!(access(&issued), "old-access");
    assert!(matches!(issued.how(), TokenOrigin::Kept(TokenError::Rejected(_))));
}

#[test]
fn a_refresh_that_takes_longer_than_the_old_token_lives_does_not_hand_it_out() {
    let shelf = RecordStore::with(15).failing(TransportFailureKind::TimedOut);
    let TokenStep::Load(load) = shelf.request.clone().start(WhichToken::Usable, NOW) else {
        panic!("loads first")
    };
    let TokenStep::Lock(lock) = load.loaded(shelf.entry.clone(), NOW).unwrap() else {
        panic!("locks")
    };
    let TokenStep::Reload(reload) = lock.locked() else { panic!("reloads") };
    let TokenStep::CheckWritable(prove) = reload.loaded(shelf.entry.clone(), None, NOW).unwrap()
    else {
        panic!("proves")
    };
    let TokenStep::Refresh(call) = prove.proven(NOW).unwrap() else { panic!("refreshes") };
    let TokenStep::RecordFailure(note) = call.answered(shelf.answers[0].clone(), NOW).unwrap()
    else {
        panic!("notes")
    };
    let later = NOW.plus(Lifetime::from_seconds(25));
    assert!(matches!(note.noted(later), Err(TokenError::Refresh(_))));
}

#[test]
fn a8_an_answer_that_is_spoiled_otherwise_still_saves_the_refresh_token_in_it() {
    for body in [
        r#"{"access_token":"new-access","refresh_token":"new-refresh","expires_in":-5}"#,
        r#"{"access_token":"new\naccess","refresh_token":"new-refresh","expires_in":3600}"#,
        r#"{"access_token":"new-access","refresh_token":"new-refresh","error":"odd"}"#,
        r#"{"access_token":"new-access","refresh_token":"new-refresh","token_type":"mac"}"#,
        r#"{"refresh_token":"new-refresh","expires_in":3600}"#,
    ] {
        let mut shelf = RecordStore::with(-1).answering(200, body);
        let error = shelf.ask(WhichToken::Usable).unwrap_err();
        assert!(matches!(error, TokenError::Refresh(_)), "{body}");
        let entry = shelf.entry.as_ref();
        assert_eq!(refresh_token(entry), "new-refresh", "{body}");
        assert_eq!(entry.unwrap().access_token.expose(), "old-access", "{body}");
        let issued = shelf
            .answering(200, r#"{"access_token":"good","refresh_token":"r3","expires_in":3600}"#)
            .ask(WhichToken::Usable)
            .unwrap();
        assert_eq!(access(&issued), "good", "{body}");
    }
}

#[test]
fn a_spoiled_answer_keeps_a_token_that_is_still_good_unless_another_was_asked_for() {
    let body = r#"{"refresh_token":"new-refresh"}"#;
    let issued = RecordStore::with(240).answering(200, body).ask(WhichToken::Usable).unwrap();
    assert_eq!(access(&issued), "old-access");
    assert!(matches!(issued.how(), TokenOrigin::Kept(_)));
    assert!(RecordStore::with(240).answering(200, body).ask(WhichToken::Newer(None)).is_err());
}

#[test]
fn what_the_server_repeats_of_the_refresh_token_stays_out_of_errors_and_verdicts() {
    for (status, code, refresh_failure) in
        [(400, "invalid_grant", true), (400, "old-refresh", false)]
    {
        let body = format!(
            r#"{{"error":"{code}","error_description":"Invalid refresh token: old-refresh (b2xkLXJlZnJlc2g=)"}}"#
        );
        let mut shelf = RecordStore::with(-1).answering(status, &body);
        let error = shelf.ask(WhichToken::Usable).unwrap_err();
        assert_eq!(matches!(error, TokenError::Rejected(_)), refresh_failure);
        let told =
            format!("{} {error:?} {:?}", crate::chain(&error), shelf.refresh_failure.unwrap());
        assert!(told.contains("Invalid refresh token: [secret] ([secret])"), "{told}");
        assert!(!told.contains("old-refresh"), "{told}");
    }
    // The granted scopes are stored in the clear, beside the tokens.
    let body = r#"{"access_token":"new","refresh_token":"new-refresh","scope":"sql old-refresh"}"#;
    let mut shelf = RecordStore::with(-1).answering(200, body);
    shelf.ask(WhichToken::Usable).unwrap();
    let scopes = shelf.entry.unwrap().binding.unwrap().scopes.unwrap();
    assert_eq!(scopes.to_string(), "sql");
}

#[test]
fn what_had_arrived_when_the_connection_broke_is_saved_if_the_refresh_token_is_in_it() {
    let broken = |body: &str, status| {
        let begun = answer(status, body);
        let failure = TransportFailure::new(TransportFailureKind::Broken).with_partial(begun);
        let mut shelf = RecordStore::with(-1);
        shelf.answers.push_back(Err(failure));
        let outcome = shelf.ask(WhichToken::Usable);
        (outcome, shelf)
    };
    for body in [
        r#"{"access_token":"new-access","refresh_token":"new-refresh","expires_in":36"#,
        r#"{"access_token":"new-access","refresh_token":"new-refresh"}"#,
    ] {
        let (outcome, shelf) = broken(body, 200);
        assert_eq!(access(&outcome.unwrap()), "new-access", "{body}");
        assert_eq!(refresh_token(shelf.entry.as_ref()), "new-refresh", "{body}");
    }
    let (outcome, shelf) = broken(r#"{"refresh_token":"new-refresh","access_token":"new-"#, 200);
    assert!(matches!(outcome, Err(TokenError::Refresh(_))));
    assert_eq!(refresh_token(shelf.entry.as_ref()), "new-refresh");
    for (body, status) in [
        (r#"{"access_token":"new-access","refresh_token":"new-re"#, 200),
        ("access_token=new-access&refresh_token=new-re", 200),
        // The part that says it is an error may not have arrived yet.
        (r#"{"refresh_token":"new-refresh""#, 500),
        (r#"{"error":"invalid_grant""#, 400),
        ("", 200),
    ] {
        let (outcome, shelf) = broken(body, status);
        let error = outcome.unwrap_err();
        // If a success response ends before its tokens, only one thing is known: the old token is spent.
        let is_spent = matches!(error, TokenError::SpentInVain(_));
        assert_eq!((is_spent, error.is_transient()), (status == 200, status != 200), "{body}");
        assert_eq!(refresh_token(shelf.entry.as_ref()), "old-refresh", "{body}");
    }
    let (outcome, _) = broken(r#"{"error":"invalid_grant"}"#, 400);
    assert!(matches!(outcome, Err(TokenError::Rejected(_))));
}
