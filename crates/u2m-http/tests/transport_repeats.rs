//! How long an answer is waited for, and what is sent again (HTTP-1, HTTP-4). The clock is simulated.
#![allow(clippy::unwrap_used)]

mod transport_support;

use std::time::Duration;
use tokio::time::Instant;
use transport_support::{GRANT, Scripted, exchange, kept, lookup, ok, refresh, saved, status};
use u2m_core::{
    HttpResponse, LoginError, SpendState, TokenEndpointError, TokenStep, TransportFailureKind,
};
use u2m_http::{RetryPolicy, Transport, drive};

const BASE: &str = "https://a.example";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_transport_without_settings_has_one_way_everywhere() {
    let (one, other) = (BASE.parse().unwrap(), "https://b.example".parse().unwrap());
    let transport = Scripted::new([]);
    assert_eq!((transport.way(&one).as_str(), transport.way(&other).as_str()), ("", ""));
}

#[tokio::test(start_paused = true)]
async fn the_answer_of_a_spent_token_is_awaited_far_beyond_the_budget() {
    let (transport, start) = (Scripted::new([(89_000, ok(GRANT))]), Instant::now());
    let step = drive(&transport, refresh(BASE), &RetryPolicy::default()).await.unwrap();
    assert_eq!((saved(step).as_str(), start.elapsed()), ("next", seconds(89)));
}

#[tokio::test(start_paused = true)]
async fn the_answer_of_a_spent_code_is_awaited_far_beyond_the_budget() {
    let (transport, start) = (Scripted::new([(89_000, ok(GRANT))]), Instant::now());
    let store = drive(&transport, exchange(BASE), &RetryPolicy::default()).await.unwrap();
    assert_eq!((kept(&store), start.elapsed()), ("next", seconds(89)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_ends_the_wait_at_last() {
    for patience in [RetryPolicy::default(), RetryPolicy::default().with_budget(Duration::ZERO)] {
        let (transport, start) = (Scripted::new([]), Instant::now());
        let error = drive(&transport, exchange(BASE), &patience).await.unwrap_err();
        let LoginError::Exchange(TokenEndpointError::Unreachable(failure)) = error else {
            panic!("{error:?}")
        };
        assert_eq!(failure.kind(), TransportFailureKind::TimedOut);
        assert_eq!((start.elapsed(), transport.sent().len()), (seconds(90), 1));
    }
}

#[tokio::test(start_paused = true)]
async fn what_spends_nothing_ends_with_the_budget() {
    let (transport, start) = (Scripted::new([(9_900, ok("{}"))]), Instant::now());
    drive(&transport, lookup(BASE), &RetryPolicy::default()).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_millis(9_900));
    let (transport, start) = (Scripted::new([(10_100, ok("{}"))]), Instant::now());
    let failure = drive(&transport, lookup(BASE), &RetryPolicy::default()).await.unwrap_err();
    assert_eq!(failure.kind(), TransportFailureKind::TimedOut);
    assert_eq!((start.elapsed(), transport.sent().len()), (seconds(10), 1));
}

#[tokio::test(start_paused = true)]
async fn one_budget_is_for_all_repetitions_of_what_spends_nothing() {
    let transport = Scripted::new([(6_000, status(503)), (6_000, ok("{}"))]);
    let start = Instant::now();
    let failure = drive(&transport, lookup(BASE), &RetryPolicy::default()).await.unwrap_err();
    assert_eq!(failure.kind(), TransportFailureKind::TimedOut);
    assert_eq!((start.elapsed(), transport.sent().len()), (seconds(10), 2));
}

#[tokio::test(start_paused = true)]
async fn http_1_waits_between_repetitions_double_and_half_of_each_is_chance() {
    let transport = Scripted::new([(0, status(503)), (0, status(503)), (0, ok("{}"))]);
    drive(&transport, lookup(BASE), &RetryPolicy::default()).await.unwrap();
    let sent = transport.sent();
    let (first, second) = (sent[1] - sent[0], sent[2] - sent[1]);
    // Timers are of whole milliseconds.
    let within = |wait: Duration, longest: u64| {
        wait.as_millis() as u64 >= longest / 2 && wait.as_millis() as u64 <= longest + 1
    };
    assert!(within(first, 250) && within(second, 500), "{first:?} {second:?}");
    assert_eq!(sent.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn http_1_waits_stop_growing_and_a_server_cannot_make_them_shorter() {
    let mut patience = RetryPolicy::default().with_repeats(9).with_budget(seconds(60));
    patience.pause = Duration::from_millis(16);
    let at_once = Ok(HttpResponse::new(503, Vec::new()).with_retry_after(Duration::ZERO));
    let transport = Scripted::new((0..10).map(|_| (0, at_once.clone())));
    drive(&transport, lookup(BASE), &patience).await.unwrap();
    let sent = transport.sent();
    let waits = sent.windows(2).map(|pair| (pair[1] - pair[0]).as_millis());
    for (wait, longest) in waits.zip([16, 32, 64, 128, 256, 512, 1_024, 1_024, 1_024]) {
        assert!(wait >= longest / 2 && wait <= longest + 1, "{wait} of {longest}");
    }
    assert_eq!(sent.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn http_1_how_often_is_repeated_is_the_callers_to_say() {
    for repeats in [0, 1, 5] {
        let transport = Scripted::new((0..9).map(|_| (0, status(503))));
        let patience = RetryPolicy::default().with_repeats(repeats);
        drive(&transport, lookup(BASE), &patience).await.unwrap();
        assert_eq!(transport.sent().len(), repeats as usize + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn http_1_a_server_that_asks_for_time_gets_it_within_the_budget() {
    let busy =
        |seconds| Ok(HttpResponse::new(429, Vec::new()).with_retry_after(self::seconds(seconds)));
    let transport = Scripted::new([(0, busy(7)), (0, ok(GRANT))]);
    let _ = drive(&transport, refresh(BASE), &RetryPolicy::default()).await.unwrap();
    let sent = transport.sent();
    assert_eq!(sent[1] - sent[0], seconds(7));
    // Ten seconds are no longer within ten seconds.
    for asked in [10, 3_600, u64::MAX] {
        let (transport, start) =
            (Scripted::new([(0, busy(asked)), (0, ok(GRANT))]), Instant::now());
        let step = drive(&transport, refresh(BASE), &RetryPolicy::default()).await.unwrap();
        assert!(matches!(step, TokenStep::RecordFailure(_)), "{step:?}");
        assert_eq!((transport.sent().len(), start.elapsed()), (1, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn no_repetition_of_what_spends_begins_after_the_budget() {
    for (answers_after, requests) in [(9_000, 2), (9_900, 1), (60_000, 1)] {
        let transport = Scripted::new([(answers_after, status(503)), (0, ok(GRANT))]);
        let _ = drive(&transport, refresh(BASE), &RetryPolicy::default()).await.unwrap();
        assert_eq!(transport.sent().len(), requests, "{answers_after}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_repetition_of_what_spends_is_awaited_as_long_as_the_first() {
    let transport = Scripted::new([(9_000, status(503)), (85_000, ok(GRANT))]);
    let step = drive(&transport, refresh(BASE), &RetryPolicy::default()).await.unwrap();
    assert_eq!(saved(step), "next");
}

#[tokio::test(start_paused = true)]
async fn http_1_what_is_sent_again_goes_by_what_happened_and_by_what_it_spends() {
    use TransportFailureKind::{Broken, NotSent, TimedOut, TooLarge};
    for (outcome, of_lookup, of_refresh, of_exchange) in [
        (Err(NotSent), 3, 3, 3),
        (Err(Broken), 3, 1, 1),
        (Err(TimedOut), 1, 1, 1),
        (Err(TooLarge), 1, 1, 1),
        (status(429), 3, 3, 1),
        (status(502), 3, 3, 1),
        (status(503), 3, 3, 1),
        (status(504), 3, 3, 1),
        (status(500), 1, 1, 1),
        (status(400), 1, 1, 1),
        (status(200), 1, 1, 1),
    ] {
        let again = || Scripted::new((0..9).map(|_| (0, outcome.clone())));
        let patience = RetryPolicy::default();
        let (looking, refreshing, exchanging) = (again(), again(), again());
        let _ = drive(&looking, lookup(BASE), &patience).await;
        let _ = drive(&refreshing, refresh(BASE), &patience).await;
        let _ = drive(&exchanging, exchange(BASE), &patience).await;
        let sent = [&looking, &refreshing, &exchanging].map(|transport| transport.sent().len());
        assert_eq!(sent, [of_lookup, of_refresh, of_exchange], "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_under_the_status_of_a_gateway_are_taken_and_not_asked_for_again() {
    for status in [429, 502, 503, 504] {
        let answer = Ok(HttpResponse::new(status, GRANT.as_bytes().to_vec()));
        let transport = Scripted::new([(0, answer), (0, ok(GRANT))]);
        let step = drive(&transport, refresh(BASE), &RetryPolicy::default()).await.unwrap();
        assert_eq!((saved(step).as_str(), transport.sent().len()), ("next", 1), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn that_nobody_could_be_reached_afterwards_does_not_hide_what_was_said_before() {
    let gone = || (0, Err(TransportFailureKind::NotSent));
    for (first, fate) in [((0, status(502)), SpendState::Unknown), (gone(), SpendState::Kept)] {
        let transport = Scripted::new([first, gone(), gone()]);
        let step = drive(&transport, refresh(BASE), &RetryPolicy::default()).await.unwrap();
        let TokenStep::RecordFailure(note) = step else { panic!("{step:?}") };
        let now = u2m_core::Timestamp::from(std::time::SystemTime::now());
        assert_eq!((note.noted(now).unwrap_err().fate(), transport.sent().len()), (fate, 3));
    }
}

#[tokio::test(start_paused = true)]
async fn lifetimes_count_from_just_before_the_request_that_was_answered() {
    let before = std::time::SystemTime::now();
    let transport = Scripted::new([(0, ok(GRANT))]);
    let TokenStep::Save(save) =
        drive(&transport, refresh(BASE), &RetryPolicy::default()).await.unwrap()
    else {
        panic!("it was answered well")
    };
    let issued = save.session().issued_at.unwrap();
    let until = u2m_core::Timestamp::from(std::time::SystemTime::now());
    assert!(issued >= u2m_core::Timestamp::from(before) && issued <= until);
}

#[tokio::test(start_paused = true)]
async fn a_patience_without_end_is_as_good_as_any() {
    let patience = RetryPolicy::default().with_budget(Duration::MAX).with_answer(Duration::MAX);
    let transport = Scripted::new([(500_000, Err(TransportFailureKind::NotSent)), (0, ok(GRANT))]);
    let step = drive(&transport, refresh(BASE), &patience).await.unwrap();
    assert_eq!(saved(step), "next");
}

#[tokio::test(start_paused = true)]
async fn whoever_insists_asks_again_after_500_and_in_vain_only_where_nothing_is_spent() {
    let patience = RetryPolicy::of_machines();
    for (outcome, of_lookup) in
        [(Err(TransportFailureKind::TimedOut), 3), (status(500), 3), (status(501), 1)]
    {
        let again = || Scripted::new((0..9).map(|_| (0, outcome.clone())));
        let (looking, refreshing, exchanging) = (again(), again(), again());
        let _ = drive(&looking, lookup(BASE), &patience).await;
        let _ = drive(&refreshing, refresh(BASE), &patience).await;
        let _ = drive(&exchanging, exchange(BASE), &patience).await;
        let sent = [&looking, &refreshing, &exchanging].map(|transport| transport.sent().len());
        assert_eq!(sent, [of_lookup, 1, 1], "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_not_answered_in_time_is_followed_by_another_within_the_budget() {
    let patience = RetryPolicy::default().with_attempt(seconds(4));
    let (transport, start) =
        (Scripted::new([(5_000, ok("{}")), (3_000, ok("{}"))]), Instant::now());
    drive(&transport, lookup(BASE), &patience).await.unwrap();
    let sent = transport.sent();
    assert!(sent[1] - start >= seconds(4) && sent[1] - start < Duration::from_millis(4_300));
    assert_eq!(sent.len(), 2);
    // The last of them ends with the budget.
    let (transport, start) = (Scripted::new([]), Instant::now());
    let failure = drive(&transport, lookup(BASE), &patience).await.unwrap_err();
    assert_eq!(failure.kind(), TransportFailureKind::TimedOut);
    assert_eq!((transport.sent().len(), start.elapsed()), (3, seconds(10)));
}

#[tokio::test(start_paused = true)]
async fn no_limit_of_connecting_or_of_an_attempt_ends_the_wait_for_what_is_spent() {
    let second = seconds(1);
    for patience in [
        RetryPolicy::of_machines().with_attempt(second).with_connect(second),
        RetryPolicy::default().with_attempt(second).with_connect(second).with_budget(second),
    ] {
        let (transport, start) = (Scripted::new([(89_000, ok(GRANT))]), Instant::now());
        let step = drive(&transport, refresh(BASE), &patience).await.unwrap();
        assert_eq!((saved(step).as_str(), start.elapsed()), ("next", seconds(89)));
        let (transport, start) = (Scripted::new([(89_000, ok(GRANT))]), Instant::now());
        let store = drive(&transport, exchange(BASE), &patience).await.unwrap();
        assert_eq!((kept(&store), start.elapsed()), ("next", seconds(89)));
    }
}
