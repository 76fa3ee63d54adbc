//! A sign-in that waits, and a browser made of plain sockets.
#![allow(clippy::unwrap_used)]
#![allow(dead_code, reason = "each story uses what it needs")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use u2m_core::{AccountId, BeforeCallback, Browse, Callback, Entropy, Host, LoginRequest, Target};
use u2m_http::{Listener, PendingBrowser, Ports};
use url::Url;

pub(crate) const SOON: Duration = Duration::from_secs(8);

pub(crate) fn browse(port: u16) -> Browse {
    let host = Host::parse("https://accounts.cloud.databricks.com").unwrap();
    let target = Target::account(host, AccountId::parse("abc").unwrap());
    let BeforeCallback::Listen(listen) = LoginRequest::new(target).start(Entropy::new([7; 64]))
    else {
        panic!()
    };
    listen.bound(port)
}

/// A listener on a port of the system's choice, and the login that waits for it.
pub(crate) fn start() -> (Listener, Browse) {
    let listener = Listener::bind(&Ports::fixed(0)).unwrap();
    let browse = browse(listener.port());
    (listener, browse)
}

/// The query that ends the wait.
pub(crate) fn right_query(browse: &Browse) -> String {
    format!("code=canary-code&state={}", state(browse))
}

pub(crate) fn state(browse: &Browse) -> String {
    let state = browse.url().query_pairs().find(|(name, _)| name == "state");
    state.unwrap().1.into_owned()
}

/// Waits for the callback in a task, as a program would beside its browser.
pub(crate) fn waiting(
    mut listener: Listener,
    browse: Browse,
) -> JoinHandle<(Callback, PendingBrowser, Listener, Browse)> {
    tokio::spawn(async move {
        let (callback, visitor) = timeout(SOON, listener.wait(&browse)).await.unwrap().unwrap();
        (callback, visitor, listener, browse)
    })
}

/// What was answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = self
            .head
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
        line.map(|line| line[name.len() + 1..].trim())
    }
}

pub(crate) async fn connect(port: u16) -> TcpStream {
    connect_to(Ipv4Addr::LOCALHOST.into(), port).await
}

pub(crate) async fn connect_to(address: IpAddr, port: u16) -> TcpStream {
    TcpStream::connect((address, port)).await.unwrap()
}

/// Reads to the end; a status of 0 is a connection that was closed without a word.
pub(crate) async fn read(stream: &mut TcpStream) -> Response {
    let mut bytes = Vec::new();
    let ended = timeout(SOON, stream.read_to_end(&mut bytes)).await.expect("the connection ends");
    if ended.is_err() && bytes.is_empty() {
        return Response::default();
    }
    let text = String::from_utf8(bytes).unwrap();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Response::default() };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let response = Response { status, head: head.to_owned(), body: body.to_owned() };
    assert_eq!(response.header("content-length"), Some(body.len().to_string().as_str()));
    response
}

/// Sends bytes as they are.
pub(crate) async fn send(port: u16, bytes: impl AsRef<[u8]>) -> Response {
    let mut stream = connect(port).await;
    // The answer may come, and the connection be closed, before everything is sent.
    let _ = stream.write_all(bytes.as_ref()).await;
    read(&mut stream).await
}

pub(crate) fn request(port: u16, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost:{port}\r\nSec-Fetch-Mode: navigate\r\n\r\n")
}

pub(crate) async fn get(port: u16, target: &str) -> Response {
    send(port, request(port, target)).await
}

/// What a browser does with the redirect URI: follows it to where it leads.
pub(crate) async fn visit(port: u16, query: &str) -> (Response, Response) {
    let first = get(port, &format!("/?{query}")).await;
    assert_eq!(first.status, 303, "{first:?}");
    let clean = Url::parse(&format!("http://localhost:{port}/")).unwrap();
    let clean = clean.join(first.header("location").unwrap()).unwrap();
    assert_eq!(clean.query(), None);
    let second = get(port, clean.path()).await;
    (first, second)
}

/// Whether the port can be taken again, in both families, within a second.
pub(crate) async fn is_freed(port: u16) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        if Listener::bind(&Ports::fixed(port)).is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}
