//! Any sequence of junk before the real callback still signs in (T3).
#![allow(clippy::unwrap_used)]

mod listener_support;

use listener_support::*;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use u2m_http::SignInOutcome;

#[derive(Clone, Debug)]
enum IgnoredReason {
    /// Bytes without meaning, and whether the connection stays open.
    Bytes(Vec<u8>, bool),
    /// A request without the right state.
    Request {
        method: &'static str,
        path: &'static str,
        query: String,
        host: &'static str,
        mode: &'static str,
    },
    /// A connection without a word.
    Silent,
}

fn junk() -> impl Strategy<Value = IgnoredReason> {
    let request = (
        prop::sample::select(vec!["GET", "GET", "GET", "POST", "HEAD", "OPTIONS", "get"]),
        prop::sample::select(vec!["/", "/", "/", "/favicon.ico", "/done", "//", "/%2e%2e"]),
        "(code|state|error|iss|x)?=?[a-z%&=+]{0,20}(&(code|state|error)=[a-zA-Z0-9_-]{0,43})?",
        prop::sample::select(vec![
            "localhost:PORT",
            "127.0.0.1:PORT",
            "[::1]:PORT",
            "evil.test:PORT",
            "localhost",
            "",
        ]),
        prop::sample::select(vec!["navigate", "navigate", "no-cors", "cors", "websocket"]),
    );
    prop_oneof![
        2 => (prop::collection::vec(any::<u8>(), 0..200), any::<bool>()).prop_map(|(bytes, open)| IgnoredReason::Bytes(bytes, open)),
        5 => request.prop_map(|(method, path, query, host, mode)| IgnoredReason::Request { method, path, query, host, mode }),
        2 => Just(IgnoredReason::Silent),
    ]
}

/// Connections that are still open afterwards are handed back.
async fn bother(port: u16, junk: &IgnoredReason) -> Option<TcpStream> {
    let mut stream = connect(port).await;
    match junk {
        IgnoredReason::Bytes(bytes, open) => {
            let _ = stream.write_all(bytes).await;
            open.then_some(stream)
        }
        IgnoredReason::Request { method, path, query, host, mode } => {
            let host = host.replace("PORT", &port.to_string());
            let text = format!(
                "{method} {path}?{query} HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Mode: {mode}\r\n\r\n"
            );
            let _ = stream.write_all(text.as_bytes()).await;
            let response = read(&mut stream).await;
            assert!((400..500).contains(&response.status), "{text:?}: {response:?}");
            None
        }
        IgnoredReason::Silent => Some(stream),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t3_any_junk_before_the_real_callback_still_signs_in(sequence in prop::collection::vec(junk(), 0..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (listener, browse) = start();
            let (port, query) = (listener.port(), right_query(&browse));
            let waiting = waiting(listener, browse);
            let mut open = Vec::new();
            for junk in &sequence {
                open.extend(bother(port, junk).await);
            }
            assert!(!waiting.is_finished());
            let browser = tokio::spawn(async move { visit(port, &query).await });
            let (callback, visitor, _listener, browse) = waiting.await.unwrap();
            assert!(browse.called_back(callback).is_ok());
            visitor.finish(SignInOutcome::SignedIn { host: None }).await;
            assert_eq!(browser.await.unwrap().1.status, 200);
        });
    }
}
