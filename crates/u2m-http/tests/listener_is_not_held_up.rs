//! Connections that say nothing are in nobody's way (T10).
#![allow(clippy::unwrap_used)]

mod listener_support;

use listener_support::*;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use u2m_http::SignInOutcome;

#[tokio::test]
async fn a_preconnection_that_is_held_open_blocks_nothing_not_even_the_end() {
    let (listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let mut silent = connect(port).await;
    let waiting = waiting(listener, browse);
    let browser = tokio::spawn(async move { visit(port, &query).await });
    let (_callback, visitor, _listener, _browse) = waiting.await.unwrap();
    let begun = Instant::now();
    visitor.finish(SignInOutcome::SignedIn { host: None }).await;
    assert_eq!(browser.await.unwrap().1.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    // It was closed with the port.
    assert_eq!(read(&mut silent).await.status, 0);
}

#[tokio::test]
async fn a_preconnection_may_become_the_callback() {
    let (listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let mut early = connect(port).await;
    let waiting = waiting(listener, browse);
    tokio::time::sleep(Duration::from_millis(100)).await;
    early.write_all(request(port, &format!("/?{query}")).as_bytes()).await.unwrap();
    assert_eq!(read(&mut early).await.status, 303);
    let _kept = waiting.await.unwrap();
}

#[tokio::test]
async fn t10_a_hundred_idle_sockets_and_then_a_real_callback() {
    let (listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let waiting = waiting(listener, browse);
    let mut idle = Vec::new();
    for at in 0..100 {
        let mut stream = connect(port).await;
        if at % 2 == 0 {
            // Half of them have begun to speak.
            stream.write_all(b"GET / HT").await.unwrap();
        }
        idle.push(stream);
    }
    let browser = tokio::spawn(async move { visit(port, &query).await });
    let (_callback, visitor, _listener, _browse) = waiting.await.unwrap();
    visitor.finish(SignInOutcome::SignedIn { host: None }).await;
    assert_eq!(browser.await.unwrap().1.status, 200);
}

#[tokio::test]
async fn t10_of_many_idle_sockets_the_oldest_go() {
    let (listener, _browse) = start();
    let port = listener.port();
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(connect(port).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for stream in &mut idle[..4] {
        assert_eq!(read(stream).await.status, 0);
    }
    for stream in &mut idle[4..] {
        stream.write_all(request(port, "/favicon.ico").as_bytes()).await.unwrap();
        assert_eq!(read(stream).await.status, 404);
    }
}

#[tokio::test]
async fn t10_whoever_waits_for_the_page_is_not_sent_away_for_one_more_who_knocks() {
    let (listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let waiting = waiting(listener, browse);
    assert_eq!(get(port, &format!("/?{query}")).await.status, 303);
    let (_callback, visitor, _listener, _browse) = waiting.await.unwrap();
    // As many as there is room for, and each has said what it wants.
    let mut held = Vec::new();
    for _ in 0..16 {
        let mut stream = connect(port).await;
        stream.write_all(request(port, "/done").as_bytes()).await.unwrap();
        held.push(stream);
    }
    let _one_more = connect(port).await;
    // Long enough for it to be let in, if it were.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ending = tokio::spawn(visitor.finish(SignInOutcome::SignedIn { host: None }));
    for (at, stream) in held.iter_mut().enumerate() {
        assert_eq!(read(stream).await.status, 200, "the page of visitor {at}");
    }
    ending.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn t10_a_head_that_does_not_end_is_given_up_after_ten_seconds() {
    let (listener, _browse) = start();
    let mut stream = connect(listener.port()).await;
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let begun = tokio::time::Instant::now();
    let mut bytes = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes).await.unwrap();
    assert!(String::from_utf8(bytes).unwrap().starts_with("HTTP/1.1 408 "));
    assert!((10..12).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}
