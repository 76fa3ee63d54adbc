//! The pasted answer: checked like the listener's, beside it or without it, and seen nowhere else (T22, BROW-4).
#![allow(clippy::unwrap_used)]

mod listener_support;

use listener_support::*;
use std::time::Duration;
use tokio::time::timeout;
use u2m_core::{AfterCallback, IgnoredReason};
use u2m_http::{PasteLines, PastedLine, Ports, SignInOutcome, read_callback};

/// Pastes the lines, ends the input, and tells what was said.
async fn paste(
    browse: &u2m_core::Browse,
    lines: &[String],
) -> (Option<u2m_core::Callback>, Vec<(IgnoredReason, String)>) {
    let (sender, mut pasted) = PasteLines::channel();
    let lines = lines.to_vec();
    tokio::spawn(async move {
        for line in lines {
            if sender.send(PastedLine::new(line)).await.is_err() {
                return;
            }
        }
    });
    let mut said = Vec::new();
    let reading =
        read_callback(&mut pasted, browse, |wrong| said.push((wrong.junk(), wrong.to_string())));
    let callback = timeout(SOON, reading).await.unwrap();
    (callback, said)
}

#[tokio::test]
async fn every_form_of_the_answer_is_taken_without_any_port() {
    let port = Ports::default().first();
    let query = right_query(&browse(port));
    for form in [
        format!("http://localhost:{port}/?{query}"),
        format!("http://localhost:{port}?{query}"),
        format!("  \"http://localhost:{port}/?{query}#\"\r"),
        format!("/?{query}"),
        query.clone(),
    ] {
        let browse = browse(port);
        let (callback, said) = paste(&browse, std::slice::from_ref(&form)).await;
        assert!(said.is_empty(), "{form}");
        let _step = browse.called_back(callback.unwrap()).unwrap();
    }
}

#[tokio::test]
async fn an_address_that_comes_in_several_lines_is_one() {
    let query = right_query(&browse(8020));
    let url = format!("http://localhost:8020/?{query}");
    let (head, rest) = url.split_at(url.len() / 3);
    let (middle, tail) = rest.split_at(rest.len() / 2);
    for lines in [
        vec![head.to_owned(), middle.to_owned(), tail.to_owned()],
        vec![format!("> {head}"), String::new(), format!("> {middle}  "), format!("> {tail}")],
        vec!["junk".to_owned(), head.to_owned(), format!("{middle}{tail}")],
    ] {
        let browse = browse(8020);
        let (callback, said) = paste(&browse, &lines).await;
        let _step = browse.called_back(callback.unwrap()).unwrap();
        assert!(said.iter().all(|(_, text)| !text.contains(middle)), "{said:?}");
    }
    // Lines too many are lines of something else.
    let mut far = vec![head.to_owned()];
    far.extend(std::iter::repeat_n("junk".to_owned(), 9));
    far.push(format!("{middle}{tail}"));
    assert!(paste(&browse(8020), &far).await.0.is_none());
}

#[tokio::test]
async fn lines_are_joined_up_to_what_an_address_may_weigh() {
    for (size, is_taken) in [(16_384, true), (16_385, false)] {
        let browse = browse(8020);
        let head = format!("http://localhost:8020/?state={}", state(&browse));
        let tail = format!("&code={}", "c".repeat(size - head.len() - "\n&code=".len()));
        let (callback, _) = paste(&browse, &[head, tail]).await;
        assert_eq!(callback.is_some(), is_taken, "{size}");
    }
}

/// The code that a pasted answer leads to the server with.
fn code(browse: u2m_core::Browse, callback: u2m_core::Callback) -> String {
    let AfterCallback::Exchange(call) = browse.called_back(callback).unwrap() else { panic!() };
    let form = call.request().form().unwrap();
    let mut form = url::form_urlencoded::parse(form.as_bytes());
    form.find(|(name, _)| name == "code").unwrap().1.into_owned()
}

/// What comes of lines that are pasted one after the other, a second apart, on a terminal that stays open; and how long it took.
async fn pasted_slowly(lines: &[String]) -> (String, Duration) {
    let browse = browse(8020);
    let (sender, mut pasted) = PasteLines::channel();
    let begun = tokio::time::Instant::now();
    let reading = async {
        let callback = read_callback(&mut pasted, &browse, |wrong| panic!("{wrong}")).await;
        (callback, begun.elapsed())
    };
    let person = async {
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            sender.send(PastedLine::new(line.as_str())).await.unwrap();
        }
        std::future::pending::<()>().await;
    };
    let (callback, took) = tokio::select! {
        read = reading => read,
        () = person => unreachable!(),
    };
    (code(browse, callback.unwrap()), took)
}

#[tokio::test(start_paused = true)]
async fn a_code_that_is_cut_off_by_the_lines_end_is_not_taken_before_the_rest_of_it() {
    let state = state(&browse(8020));
    let url = format!("http://localhost:8020/?state={state}&code=canary-code");
    let (head, tail) = url.split_at(url.len() - 6);
    let (front, middle) = head.split_at(head.len() - 3);
    for lines in [
        vec![head.to_owned(), tail.to_owned()],
        vec![format!("> {head}"), format!("> {tail}")],
        vec![front.to_owned(), middle.to_owned(), tail.to_owned()],
        vec![head.to_owned(), url.clone()],
        vec![url.clone(), "and nothing else".to_owned()],
        vec![url.clone(), String::new()],
    ] {
        assert_eq!(pasted_slowly(&lines).await.0, "canary-code", "{lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_pastes_one_line_waits_for_no_other_or_for_a_moment() {
    let state = state(&browse(8020));
    let (first, last) = (format!("code=c&state={state}"), format!("state={state}&code=c"));
    assert_eq!(pasted_slowly(&[first]).await, ("c".to_owned(), Duration::ZERO));
    let (code, took) = pasted_slowly(std::slice::from_ref(&last)).await;
    assert!(code == "c" && took <= Duration::from_secs(4), "{took:?}");
    // Enter once more, and it is whole.
    let (code, took) = pasted_slowly(&[last, String::new()]).await;
    assert!(code == "c" && took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn t22_a_wrong_paste_asks_again_and_repeats_nothing() {
    let browse = browse(8020);
    let (query, state) = (right_query(&browse), state(&browse));
    let (callback, said) = paste(
        &browse,
        &[
            "canary".to_owned(),
            String::new(),
            "   ".to_owned(),
            "http://localhost:8020/?code=canary&state=canary".to_owned(),
            format!("https://evil.test/?{query}"),
            format!("http://localhost:80200/?{query}"),
            format!("state={state}"),
            format!("code=canary&code=canary&state={state}"),
            format!("http://localhost:8020/?{query}"),
        ],
    )
    .await;
    assert!(callback.is_some());
    let junk: Vec<_> = said.iter().map(|(junk, _)| *junk).collect();
    assert_eq!(
        junk,
        [
            IgnoredReason::State,
            IgnoredReason::State,
            IgnoredReason::State,
            IgnoredReason::State,
            IgnoredReason::Empty,
            IgnoredReason::Repeated
        ]
    );
    for (_, text) in &said {
        assert!(
            text.contains("http://localhost:8020")
                && !text.contains("canary")
                && !text.contains(&state),
            "{text}"
        );
    }
}

#[tokio::test]
async fn t22_a_pasted_line_is_redacted() {
    assert_eq!(format!("{:?}", PastedLine::new("canary")), "PastedLine(redacted)");
}

#[tokio::test]
async fn the_end_of_input_ends_only_the_paste() {
    let (mut listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let (callback, _) = paste(&browse, &["nonsense".to_owned()]).await;
    assert!(callback.is_none());
    let browser = tokio::spawn(async move { visit(port, &query).await });
    let (_callback, visitor) = timeout(SOON, listener.wait(&browse)).await.unwrap().unwrap();
    visitor.finish(SignInOutcome::SignedIn { host: None }).await;
    assert_eq!(browser.await.unwrap().1.status, 200);
}

#[tokio::test]
async fn paste_and_listener_wait_side_by_side_and_the_first_wins() {
    let (mut listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let (sender, mut lines) = PasteLines::channel();
    let person = tokio::spawn(async move {
        // The browser of this machine only brings junk.
        assert_eq!(get(port, "/?code=c&state=s").await.status, 400);
        tokio::time::sleep(Duration::from_millis(50)).await;
        sender.send(PastedLine::new(format!("http://localhost:{port}/?{query}"))).await.unwrap();
    });
    let callback = tokio::select! {
        heard = listener.wait(&browse) => panic!("{heard:?}"),
        pasted = read_callback(&mut lines, &browse, |_| {}) => pasted.unwrap(),
    };
    let _step = browse.called_back(callback).unwrap();
    person.await.unwrap();
    drop(listener);
    assert!(is_freed(port).await);
}
