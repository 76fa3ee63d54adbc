//! Scenarios and properties of device logins, in simulated time.

use super::*;
use crate::call::HttpResponse;
use crate::call::TransportFailureKind;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
const TOKENS: &str = r#"{"access_token":"a","refresh_token":"r","expires_in":3600}"#;

fn at(seconds: i64) -> Timestamp {
    NOW.plus(Lifetime::from_seconds(seconds))
}

fn answer(status: u16, body: &str) -> Result<HttpResponse, TransportFailure> {
    Ok(HttpResponse::new(status, body.into()).with_content_type("application/json"))
}

fn refused(code: &str) -> Result<HttpResponse, TransportFailure> {
    answer(400, &format!(r#"{{"error":"{code}"}}"#))
}

fn request() -> LoginRequest {
    let mut request = LoginRequest::new(Target::issuer("https://id.example").unwrap());
    request.client_id = "cli".to_owned();
    request
}

fn metadata(more: &str) -> String {
    format!(
        r#"{{"issuer":"https://id.example","authorization_endpoint":"https://id.example/a",
        "token_endpoint":"https://id.example/t"{more}}}"#
    )
}

/// Continues to the codes, which are shown at once.
fn show(interval: i64, expires_in: i64) -> ShowCode {
    let BeforeCode::Discover(call) = request().start_device().unwrap() else { panic!() };
    let body = metadata(r#","device_authorization_endpoint":"https://id.example/d""#);
    let BeforeCode::Ask(call) = call.answered(answer(200, &body), NOW).unwrap() else { panic!() };
    assert_eq!(call.request().url().as_str(), "https://id.example/d");
    assert_eq!(call.request().form(), Some("client_id=cli&scope=offline_access"));
    let body = format!(
        r#"{{"device_code":"dc-secret","user_code":"ABCD","verification_uri":"https://id.example/go",
        "interval":{interval},"expires_in":{expires_in}}}"#
    );
    call.answered(answer(200, &body), NOW).unwrap()
}

fn wait(interval: i64, expires_in: i64) -> WaitToPoll {
    show(interval, expires_in).shown(NOW)
}

/// Waits until polling is allowed; returns that time and the poll.
fn poll(wait: WaitToPoll) -> (Timestamp, HttpCall<PollingForToken>) {
    let until = wait.until();
    match wait.waited(until) {
        Ok(Waited::Poll(call)) => (until, call),
        other => panic!("{other:?}"),
    }
}

fn again(
    call: HttpCall<PollingForToken>,
    outcome: Result<HttpResponse, TransportFailure>,
) -> WaitToPoll {
    match call.answered(outcome, NOW) {
        Ok(Polled::Wait(wait)) => wait,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_person_agrees_and_the_login_is_that_of_the_issuer() {
    let (_, call) = poll(wait(5, 600));
    let call = poll(again(call, refused("authorization_pending"))).1;
    assert_eq!(call.request().url().as_str(), "https://id.example/t");
    let step = call.answered(answer(200, TOKENS), at(30)).unwrap();
    let Polled::Store(store) = step else { panic!("{step:?}") };
    let binding = store.session().binding.clone().unwrap();
    assert_eq!(
        (binding.issuer.as_str(), binding.client_id.as_str()),
        ("https://id.example", "cli")
    );
    assert_eq!(store.session().expiry, Some(at(30 + 3600)), "from when it was sent");
    let login = store.stored();
    assert_eq!(login.issuer(), Some("https://id.example"));
}

#[test]
fn a_success_that_is_odd_is_a_login_and_an_error_does_not_repeat_the_code() {
    let odd = "\u{feff}{\"access_token\":\"a\",\"refresh_token\":70000007,\"expires_in\":-1} junk";
    let step = poll(wait(5, 600)).1.answered(answer(200, odd), at(30)).unwrap();
    let Polled::Store(store) = step else { panic!("{step:?}") };
    assert_eq!(store.session().refresh_token.as_ref().unwrap().expose(), "70000007");
    for code in ["access_denied", "invalid_grant"] {
        let body = format!(r#"{{"error":"{code}","error_description":"no dc-secret here"}}"#);
        let error = poll(wait(5, 600)).1.answered(answer(400, &body), NOW).unwrap_err();
        let shown = crate::chain(&error);
        assert!(shown.contains("no [secret] here"), "{shown}");
    }
}

#[test]
fn a41_slow_down_adds_five_seconds_for_good() {
    let (first, call) = poll(wait(5, 600));
    assert_eq!(first, at(6), "the interval, and what was cut off of the second");
    let (second, call) = poll(again(call, refused("slow_down")));
    assert_eq!(first.until(second).seconds(), 11);
    let (third, call) = poll(again(call, refused("authorization_pending")));
    assert_eq!(second.until(third).seconds(), 11);
    let (fourth, _) = poll(again(call, refused("slow_down")));
    assert_eq!(third.until(fourth).seconds(), 16);
}

#[test]
fn a41_a_server_that_does_not_answer_is_asked_half_as_often() {
    let broken = || Err(TransportFailure::new(TransportFailureKind::TimedOut));
    let (mut last, mut call) = poll(wait(5, 6_000));
    let mut gaps = Vec::new();
    for _ in 0..6 {
        let (next, again) = poll(again(call, broken()));
        gaps.push(last.until(next).seconds());
        (last, call) = (next, again);
    }
    assert_eq!(gaps, [11, 21, 41, 61, 61, 61]);
    let patience = std::time::Duration::from_secs(120);
    let busy = Ok(HttpResponse::new(503, Vec::new()).with_retry_after(patience));
    let (next, call) = poll(again(call, busy));
    assert_eq!(last.until(next).seconds(), 121, "as the server asked");
    let (after, _) = poll(again(call, refused("authorization_pending")));
    assert_eq!(next.until(after).seconds(), 61, "which holds once");
}

#[test]
fn a_gateways_word_under_its_own_status_does_not_end_the_polling() {
    for (status, word) in [
        (408, "timeout"),
        (429, "rate_limited"),
        (429, "slow_down"),
        (500, "internal"),
        (502, "upstream connect error"),
        (503, "Service Unavailable"),
    ] {
        let body = format!(r#"{{"status":{status},"error":"{word}"}}"#);
        let (last, call) = poll(wait(5, 600));
        let (next, _) = poll(again(call, answer(status, &body)));
        assert!(last.until(next).seconds() > 6, "{status} {word}: further apart");
    }
    let (_, call) = poll(wait(5, 600));
    let invalid = answer(503, r#"{"error":"invalid_client"}"#);
    assert!(matches!(call.answered(invalid, NOW), Err(LoginError::Exchange(_))));
}

#[test]
fn an_answer_without_an_oauth_error_does_not_end_the_polling_whatever_its_status() {
    let blocked = r#"{"error_code":"PERMISSION_DENIED","message":"Source IP address: 10.0.0.1 is blocked by Databricks IP ACL"}"#;
    for (status, body) in [
        (403, blocked),
        (400, blocked),
        (401, r#"{"message":"no"}"#),
        (403, "<html>blocked</html>"),
        (403, r#"{"error":{"code":"AuthorizationFailed","message":"no"}}"#),
        (404, ""),
        (429, r#"{"error":"too_many_requests"}"#),
        (451, r#"{"title":"Unavailable","detail":"no"}"#),
    ] {
        let (last, call) = poll(wait(5, 600));
        let (next, call) = poll(again(call, answer(status, body)));
        assert_eq!(last.until(next).seconds(), 11, "{status}: half as often");
        let step = call.answered(answer(200, TOKENS), at(30)).unwrap();
        assert!(matches!(step, Polled::Store(_)), "{status}: {step:?}");
    }
}

#[test]
fn a41_a_decision_ends_the_polling() {
    let end = |code: &str| poll(wait(5, 600)).1.answered(refused(code), NOW).unwrap_err();
    assert!(matches!(end("access_denied"), LoginError::Denied(_)));
    assert!(matches!(end("expired_token"), LoginError::CodeExpired));
    assert!(matches!(end("invalid_grant"), LoginError::Exchange(_)));
    assert!(matches!(end("invalid_client"), LoginError::Exchange(_)));
}

#[test]
fn a41_nothing_is_sent_once_the_codes_have_run_out() {
    let late = wait(5, 20);
    assert!(matches!(late.waited(at(20)), Err(LoginError::CodeExpired)));
    let long = wait(60, 20);
    assert_eq!(long.until(), at(20), "an interval beyond the end is not waited for");
    assert!(matches!(long.waited(at(20)), Err(LoginError::CodeExpired)));
}

#[test]
fn a_server_without_the_offer_says_so_in_its_metadata() {
    let BeforeCode::Discover(call) = request().start_device().unwrap() else { panic!() };
    let error = call.answered(answer(200, &metadata("")), NOW).unwrap_err();
    assert!(matches!(error, LoginError::NoDeviceLogin));
    let profile = crate::names::ProfileName::parse("p").unwrap();
    let nowhere = LoginRequest::new(Target::discovery(profile)).start_device();
    assert!(matches!(nowhere, Err(LoginError::NoDeviceLogin)));
}

#[test]
fn a42_no_debug_shows_a_code() {
    let shown = show(5, 600);
    let text = format!("{shown:?}");
    let wait = shown.shown(NOW);
    let text = text + &format!("{wait:?}");
    let text = text + &format!("{:?}", poll(wait).1);
    assert!(!text.contains("dc-secret") && !text.contains("ABCD"), "{text}");
}

/// The responses to a poll that do not end the login.
fn saying() -> impl Strategy<Value = u8> {
    0u8..5
}

proptest! {
    /// Whatever the server responds, however long responses take and whenever the driver wakes up: two polls are never closer
    /// together than the server allows at the time, none is sent after the codes have expired, and the login ends.
    #[test]
    fn a41_no_poll_comes_before_its_time_or_after_the_end(
        interval in 1i64..40,
        expires_in in 1i64..2_000,
        sayings in prop::collection::vec(saying(), 0..200),
        naps in prop::collection::vec(0i64..30, 1..50),
        delays in prop::collection::vec(0i64..15, 1..50),
    ) {
        let (mut now, mut least) = (NOW, interval);
        let mut last = NOW;
        let (mut naps, mut delays) = (naps.into_iter().cycle(), delays.into_iter().cycle());
        let mut sayings = sayings.into_iter();
        let mut step = Waited::TooEarly(wait(interval, expires_in));
        for round in 0.. {
            prop_assert!(round < 100_000, "it never ends");
            step = match step {
                Waited::TooEarly(wait) => {
                    prop_assert!(wait.until() > NOW && wait.until() <= at(expires_in));
                    // The driver may wake up too early, or too late.
                    let nap = naps.next().unwrap_or(1).max(1);
                    now = now.plus(Lifetime::from_seconds(nap));
                    match wait.waited(now) {
                        Ok(step) => step,
                        Err(error) => {
                            prop_assert!(matches!(error, LoginError::CodeExpired));
                            prop_assert!(now >= at(expires_in));
                            return Ok(());
                        }
                    }
                }
                Waited::Poll(call) => {
                    prop_assert!(now < at(expires_in), "a poll with dead codes");
                    prop_assert!(last.until(now).seconds() > least, "too early by the clock");
                    last = now;
                    now = now.plus(Lifetime::from_seconds(delays.next().unwrap_or(0)));
                    let outcome = match sayings.next() {
                        Some(0) => {
                            least += 5;
                            refused("slow_down")
                        }
                        Some(1) => Err(TransportFailure::new(TransportFailureKind::Broken)),
                        Some(2) => answer(503, "<html>"),
                        Some(3) => refused("temporarily_unavailable"),
                        Some(_) | None => refused("authorization_pending"),
                    };
                    match call.answered(outcome, now).unwrap() {
                        Polled::Wait(wait) => Waited::TooEarly(wait),
                        other @ Polled::Store(_) => panic!("{other:?}"),
                    }
                }
            };
        }
    }

    #[test]
    fn any_answer_is_codes_or_an_error_and_never_a_panic(status in 100u16..600, body in ".{0,200}") {
        let _ = DeviceAuthorizationResponse::parse(answer(status, &body).map(Reply::bare));
        let _ = poll(wait(5, 600)).1.answered(answer(status, &body), NOW);
    }
}

#[test]
fn what_is_shown_to_a_person_is_shown_to_nobody_in_a_log() {
    let show = show(5, 600);
    let shown = format!("{show:?}");
    assert!(shown.starts_with("ShowCode { host: "), "{shown}");
    assert!(!shown.contains("ABCD") && !shown.contains("dc-secret"), "{shown}");
}
