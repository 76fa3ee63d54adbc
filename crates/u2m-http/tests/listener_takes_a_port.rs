//! Which port is taken, and that it is given back (A18, A19, T1, CB-6).
#![allow(clippy::unwrap_used)]

mod listener_support;

use listener_support::*;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use u2m_http::{ListenError, Listener, Ports, SignInOutcome};

/// Two neighbours that are free in both families, until somebody takes them.
fn free_pair() -> u16 {
    loop {
        let first =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let free = |port| {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
                && TcpListener::bind((Ipv6Addr::LOCALHOST, port)).is_ok()
        };
        // Away from the ports that the system hands out to the tests beside this one.
        let low = 12_000 + first % 8_000;
        if free(low) && free(low + 1) {
            return low;
        }
    }
}

#[tokio::test]
async fn a18_both_loopback_families_reach_the_listener() {
    for address in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let (listener, browse) = start();
        let (port, query) = (listener.port(), right_query(&browse));
        let waiting = waiting(listener, browse);
        let mut stream = connect_to(address, port).await;
        let text = request(port, &format!("/?{query}"));
        tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes()).await.unwrap();
        assert_eq!(read(&mut stream).await.status, 303, "{address}");
        let _kept = waiting.await.unwrap();
    }
}

#[tokio::test]
async fn a_listener_is_shown_by_its_port() {
    let listener = Listener::bind(&Ports::fixed(0)).unwrap();
    let shown = format!("{listener:?}");
    assert!(shown.contains(&format!("port: {}", listener.port())), "{shown}");
    assert!(shown.contains("server: ListenerServer { .. }"), "{shown}");
}

#[tokio::test]
async fn t1_a_port_with_either_family_taken_is_skipped() {
    for address in [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
        Ipv4Addr::UNSPECIFIED.into(),
    ] {
        let first = free_pair();
        let _squatter = TcpListener::bind((address, first)).unwrap();
        let listener = Listener::bind(&Ports::range(first..=first + 1)).unwrap();
        assert_eq!(listener.port(), first + 1, "{address}");
    }
}

#[tokio::test]
async fn t1_nobody_else_can_take_a_port_that_is_held() {
    let (listener, _browse) = start();
    for address in [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
        Ipv4Addr::UNSPECIFIED.into(),
    ] {
        assert!(TcpListener::bind((address, listener.port())).is_err(), "{address}");
    }
    assert!(Listener::bind(&Ports::fixed(listener.port())).is_err());
}

#[tokio::test]
async fn when_all_are_taken_the_error_names_the_range() {
    let first = free_pair();
    let _squatters =
        [first, first + 1].map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
    let error = Listener::bind(&Ports::range(first..=first + 1)).unwrap_err();
    assert!(matches!(error, ListenError::AllTaken { .. }));
    let expected = format!(
        "no port available to listen on (localhost:{first} to {} are all in use)",
        first + 1
    );
    assert_eq!(error.to_string(), expected);
    let error = Listener::bind(&Ports::fixed(first)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("no port available to listen on (localhost:{first} is in use)")
    );
}

#[test]
fn the_registered_ports_are_the_default() {
    assert_eq!(Ports::default(), Ports::range(8020..=8040));
}

#[test]
fn cb_6_an_error_of_another_kind_keeps_its_cause() {
    let cause = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let error = ListenError::Bind(8020, cause);
    assert_eq!(error.to_string(), "failed to listen on localhost:8020");
    assert_eq!(error.source().unwrap().to_string(), "permission denied");
}

#[tokio::test]
async fn a19_the_port_is_free_after_each_ending() {
    for ending in
        [SignInOutcome::SignedIn { host: None }, SignInOutcome::Denied, SignInOutcome::Failed]
    {
        let (listener, browse) = start();
        let (port, query) = (listener.port(), right_query(&browse));
        let _silent = connect(port).await;
        let waiting = waiting(listener, browse);
        let browser = tokio::spawn(async move { visit(port, &query).await });
        let (_callback, visitor, _listener, _browse) = waiting.await.unwrap();
        visitor.finish(ending).await;
        browser.await.unwrap();
        // The listener itself is still there.
        assert!(is_freed(port).await);
    }
}

#[tokio::test]
async fn a19_a_browser_that_never_comes_for_its_page_holds_the_port_for_a_second_at_most() {
    let (listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let waiting = waiting(listener, browse);
    assert_eq!(get(port, &format!("/?{query}")).await.status, 303);
    let (_callback, visitor, _listener, _browse) = waiting.await.unwrap();
    let begun = Instant::now();
    visitor.finish(SignInOutcome::SignedIn { host: None }).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(is_freed(port).await);
}

#[tokio::test]
async fn a19_the_port_is_free_after_a_timeout() {
    let (mut listener, browse) = start();
    let port = listener.port();
    let mut open = [connect(port).await, connect(port).await];
    assert!(timeout(Duration::from_millis(50), listener.wait(&browse)).await.is_err());
    drop(listener);
    assert!(is_freed(port).await);
    for stream in &mut open {
        assert_eq!(read(stream).await.status, 0);
    }
}

#[tokio::test]
async fn a19_the_port_is_free_when_the_program_gives_up_during_the_exchange() {
    let (listener, browse) = start();
    let (port, query) = (listener.port(), right_query(&browse));
    let waiting = waiting(listener, browse);
    let browser = tokio::spawn(async move { get(port, &format!("/?{query}")).await });
    let (_callback, visitor, listener, _browse) = waiting.await.unwrap();
    browser.await.unwrap();
    drop(listener);
    drop(visitor);
    assert!(is_freed(port).await);
}

#[test]
fn a19_the_port_is_free_at_once_though_the_runtime_never_runs_again() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (listener, port) = runtime.block_on(async {
        let (listener, _browse) = start();
        let port = listener.port();
        // Served at least once.
        assert_eq!(get(port, "/favicon.ico").await.status, 404);
        (listener, port)
    });
    drop(listener);
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    TcpListener::bind((Ipv6Addr::LOCALHOST, port)).unwrap();
}
