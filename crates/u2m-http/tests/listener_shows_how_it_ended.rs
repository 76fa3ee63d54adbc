//! The page comes after the exchange, at a clean address, once; and it gives nothing away (A25, T5, T18, CB-3, CB-8).
#![allow(clippy::unwrap_used)]

mod listener_support;

use listener_support::*;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use u2m_core::{Host, LoginError};
use u2m_http::{ListenError, SignInOutcome};

#[tokio::test]
async fn cb_3_nothing_is_shown_before_the_exchange_is_over() {
    let (listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let waiting = waiting(listener, browse);
    let browser = tokio::spawn(async move { visit(port, &query).await });
    let (_callback, visitor, _listener, _browse) = waiting.await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!browser.is_finished());
    let host = Host::parse("https://my-workspace.cloud.databricks.com").unwrap();
    visitor.finish(SignInOutcome::SignedIn { host: Some(host) }).await;
    let (redirect, page) = browser.await.unwrap();
    assert_eq!((redirect.header("location"), redirect.body.as_str()), (Some("/done"), ""));
    assert_eq!(page.status, 200);
    let shown = page.body.replace("<wbr>", "");
    assert!(shown.contains("You are signed in"));
    assert!(shown.contains(">my-workspace.cloud.databricks.com<"));
}

#[tokio::test]
async fn cb_3_a_login_that_fails_afterwards_says_so() {
    for (ending, heading) in [
        (SignInOutcome::Denied, "You are not signed in"),
        (SignInOutcome::Failed, "The sign-in did not finish"),
    ] {
        let (listener, browse) = start();
        let (port, query) = (listener.port(), right_query(&browse));
        let waiting = waiting(listener, browse);
        let browser = tokio::spawn(async move { visit(port, &query).await });
        let (_callback, visitor, _listener, _browse) = waiting.await.unwrap();
        visitor.finish(ending).await;
        let (_, page) = browser.await.unwrap();
        assert_eq!(page.status, 400);
        assert!(page.body.contains(heading));
    }
}

#[tokio::test]
async fn the_person_says_no_with_the_right_state() {
    let (listener, browse) = start();
    let port = listener.port();
    let query = format!("error=access_denied&error_description=No+thanks&state={}", state(&browse));
    let waiting = waiting(listener, browse);
    let browser = tokio::spawn(async move { visit(port, &query).await });
    let (callback, visitor, _listener, browse) = waiting.await.unwrap();
    assert!(matches!(browse.called_back(callback), Err(LoginError::Denied(_))));
    visitor.finish(SignInOutcome::Denied).await;
    assert!(browser.await.unwrap().1.body.contains("You are not signed in"));
}

#[tokio::test]
async fn a_browser_that_comes_late_still_gets_its_page() {
    let (listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let waiting = waiting(listener, browse);
    assert_eq!(get(port, &format!("/?{query}")).await.status, 303);
    let (_callback, visitor, _listener, _browse) = waiting.await.unwrap();
    let late = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        get(port, "/done").await
    });
    visitor.finish(SignInOutcome::SignedIn { host: None }).await;
    assert_eq!(late.await.unwrap().status, 200);
}

#[tokio::test]
async fn when_the_exchange_takes_long_the_browser_sends_the_person_to_the_terminal() {
    let (listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let waiting = waiting(listener, browse);
    let (_, page) = visit(port, &query).await;
    assert!(page.body.contains("Almost there"));
    assert_eq!(page.header("refresh"), Some("0; url=/done"));
    let (_callback, visitor, _listener, _browse) = waiting.await.unwrap();
    let again = tokio::spawn(async move { get(port, "/done").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    visitor.finish(SignInOutcome::SignedIn { host: None }).await;
    assert_eq!(again.await.unwrap().status, 200);
}

#[tokio::test]
async fn t5_a_second_identical_callback_is_told_so_and_starts_nothing() {
    let (listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let waiting = waiting(listener, browse);
    assert_eq!(get(port, &format!("/?{query}")).await.status, 303);
    let (_callback, visitor, mut listener, browse) = waiting.await.unwrap();
    // While the code is being redeemed, others are answered too.
    let second = get(port, &format!("/?{query}")).await;
    assert_eq!(second.status, 410);
    assert!(second.body.contains("already been answered"));
    assert_eq!(get(port, "/favicon.ico").await.status, 404);
    assert!(matches!(listener.wait(&browse).await, Err(ListenError::Answered)));
    visitor.finish(SignInOutcome::Failed).await;
}

#[tokio::test]
async fn t5_of_two_identical_callbacks_at_once_one_counts() {
    let (listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let mut streams = [connect(port).await, connect(port).await, connect(port).await];
    for stream in &mut streams {
        stream.write_all(request(port, &format!("/?{query}")).as_bytes()).await.unwrap();
    }
    // All three are there before anybody waits.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let _kept = waiting(listener, browse).await.unwrap();
    let mut statuses = Vec::new();
    for stream in &mut streams {
        statuses.push(read(stream).await.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 410, 410]);
}

#[tokio::test]
async fn a_wait_that_is_dropped_and_begun_again_loses_nothing() {
    let (mut listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let browser = tokio::spawn(async move { get(port, &format!("/?{query}")).await });
    for _ in 0..20 {
        let short = tokio::time::timeout(Duration::from_micros(200), listener.wait(&browse)).await;
        if short.is_ok() {
            assert_eq!(browser.await.unwrap().status, 303);
            return;
        }
    }
    let _kept = listener.wait(&browse).await.unwrap();
    assert_eq!(browser.await.unwrap().status, 303);
}

#[tokio::test]
async fn t18_nothing_of_a_request_is_ever_in_an_answer() {
    const SCRIPT: &str = "%3Cscript%3Ealert(1)%3C/script%3E";
    let (listener, browse) = start();
    let (port, state) = (listener.port(), state(&browse));
    let waiting = waiting(listener, browse);
    let mut answers = Vec::new();
    for name in ["code", "state", "error", "error_description", "iss", "x"] {
        answers.push(get(port, &format!("/?{name}={SCRIPT}")).await);
        answers.push(get(port, &format!("/{SCRIPT}?{name}=<script>alert(1)</script>")).await);
    }
    answers.push(send(port, "GET / HTTP/1.1\r\nHost: <script>alert(1)</script>\r\n\r\n").await);
    answers.push(send(port, "<script>alert(1)</script>\r\n\r\n").await);
    let query = format!(
        "error={SCRIPT}&error_description={SCRIPT}&iss={SCRIPT}&code={SCRIPT}&state={state}"
    );
    let browser = tokio::spawn(async move { visit(port, &query).await });
    let (_callback, visitor, _listener, _browse) = waiting.await.unwrap();
    visitor.finish(SignInOutcome::Denied).await;
    let (redirect, page) = browser.await.unwrap();
    answers.extend([redirect, page]);
    for answer in &answers {
        let text = format!("{}{}", answer.head, answer.body).to_ascii_lowercase();
        assert!(
            answer.status != 0 && !text.contains("script") && !text.contains("alert"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn cb_8_every_answer_carries_the_whole_guard() {
    let (listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let waiting = waiting(listener, browse);
    let mut answers = vec![
        get(port, "/").await,
        get(port, "/favicon.ico").await,
        send(port, "junk\r\n\r\n").await,
        send(port, format!("PUT / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n")).await,
        send(port, "GET / HTTP/1.1\r\nHost: evil.test\r\nOrigin: https://evil.test\r\n\r\n").await,
    ];
    let again = query.clone();
    let browser = tokio::spawn(async move { visit(port, &query).await });
    let (_callback, visitor, _listener, _browse) = waiting.await.unwrap();
    answers.push(get(port, &format!("/?{again}")).await);
    visitor.finish(SignInOutcome::SignedIn { host: None }).await;
    let (redirect, page) = browser.await.unwrap();
    answers.extend([redirect, page]);
    for answer in &answers {
        for (name, value) in [
            ("connection", "close"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("content-type", "text/html; charset=utf-8"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{}", answer.head);
        }
        let policy = answer.header("content-security-policy").unwrap();
        for needed in [
            "default-src 'none'",
            "style-src 'sha256-",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(needed), "{policy}");
        }
        assert!(!policy.contains("unsafe") && policy.contains("form-action 'none'"), "{policy}");
        assert!(!answer.head.to_ascii_lowercase().contains("access-control"), "{}", answer.head);
        assert!(!answer.head.contains("canary-code") && !answer.body.contains("canary-code"));
    }
}
