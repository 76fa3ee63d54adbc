//! Through real sockets.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use u2m_testkit::{
    Endpoint, Fault, Lifetime, RotateOn, RunningServer, Settings, Times, follow_login,
    follow_login_in_background,
};

use crate::world::AUTHORIZE;

const DELAY: Duration = Duration::from_millis(50);

/// Sends one request on a connection of its own and reads all that comes.
fn send(server: &RunningServer, message: &str) -> String {
    let mut stream = TcpStream::connect(server.host()).unwrap();
    stream.write_all(message.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn refresh_message(token: &str) -> String {
    let body = format!("client_id=databricks-cli&grant_type=refresh_token&refresh_token={token}");
    format!(
        "POST /oidc/v1/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn signed_in(server: &RunningServer) -> String {
    let tokens = server.sign_in("databricks-cli", "offline_access all-apis");
    tokens.refresh_token().unwrap().to_owned()
}

/// Waits for what another thread is about to do.
fn eventually(what: impl Fn() -> bool) {
    let begin = Instant::now();
    while !what() {
        assert!(begin.elapsed() < Duration::from_secs(10), "it never happened");
        thread::yield_now();
    }
}

#[test]
fn the_browser_carries_the_code_to_the_programs_callback() {
    let server = RunningServer::start().unwrap();
    let callback = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = callback.local_addr().unwrap().port();
    let url = format!("{}{AUTHORIZE}", server.base_url()).replace("8020", &port.to_string());
    let browser = follow_login_in_background(url);
    let (mut stream, _) = callback.accept().unwrap();
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    assert!(line.starts_with("GET /?code=dcod") && line.contains("&state=ST "), "{line}");
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").unwrap();
    let page = browser.join().unwrap().unwrap();
    assert_eq!((page.status().as_u16(), page.body(), page.url().port()), (200, "done", Some(port)));
}

#[test]
fn delays_do_not_queue_up() {
    let server = RunningServer::start().unwrap();
    server.inject(Endpoint::Any, Times::Always, Fault::delay(DELAY));
    let begin = Instant::now();
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| assert_eq!(follow_login(server.base_url()).unwrap().status(), 200));
        }
    });
    let elapsed = begin.elapsed();
    assert!(elapsed >= DELAY);
    assert!(elapsed < 20 * DELAY, "64 delays of 50 ms took {elapsed:?}");
}

#[test]
fn tokens_expire_when_the_clock_is_moved() {
    let settings = Settings::new().with_lifetime(Lifetime::from_seconds(60));
    let server = RunningServer::start_with(settings).unwrap();
    let tokens = server.sign_in("databricks-cli", "offline_access all-apis");
    server.advance(Lifetime::from_seconds(50));
    assert!(server.is_active(tokens.access_token()));
    server.advance(Lifetime::from_seconds(10));
    assert!(!server.is_active(tokens.access_token()));
    assert!(server.is_login_alive());
}

#[test]
fn a_connection_serves_many_requests_in_both_framings() {
    let server = RunningServer::start().unwrap();
    let token = signed_in(&server);
    let plain = "GET /.well-known/databricks-config HTTP/1.1\r\nHost: x\r\n\r\n";
    let body = refresh_message(&token);
    let (_, body) = body.split_once("\r\n\r\n").unwrap();
    let (one, two) = body.split_at(10);
    let chunked = format!(
        "POST /oidc/v1/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n\
         {:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
        one.len(),
        two.len()
    );
    let answer = send(&server, &format!("{plain}{plain}{chunked}"));
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 100 Continue").count(), 1);
    assert!(answer.contains("\"refresh_token\":\"doau"));
    assert_eq!(server.counts().refreshes, 1);
    let latest = server.seen().pop().unwrap();
    assert_eq!(latest.grant_type(), Some("refresh_token"));
}

#[test]
fn what_is_not_http_is_turned_away() {
    let server = RunningServer::start().unwrap();
    assert!(send(&server, "hello\r\n\r\n").starts_with("HTTP/1.1 400 "));
    let huge = "POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\nabc";
    assert!(send(&server, huge).starts_with("HTTP/1.1 413 "));
    assert_eq!(server.counts().requests, 0);
}

#[test]
fn a_dropped_connection_says_nothing_and_a_cut_one_half() {
    let server = RunningServer::start().unwrap();
    let token = signed_in(&server);
    server.inject(Endpoint::Token, Times::Once, Fault::drop_connection());
    server.inject(Endpoint::Token, Times::Once, Fault::cut_short());
    assert_eq!(send(&server, &refresh_message(&token)), "");
    assert!(server.is_refreshable(&token));
    let cut = send(&server, &refresh_message(&token));
    let (head, body) = cut.split_once("\r\n\r\n").unwrap();
    let (_, length) = head.split_once("content-length: ").unwrap();
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    assert_eq!(body.len(), length / 2);
    assert!(!server.is_refreshable(&token));
}

#[test]
fn a_client_that_gives_up_has_spent_its_token_by_default() {
    let server = RunningServer::start().unwrap();
    let token = signed_in(&server);
    server.inject(Endpoint::Token, Times::Once, Fault::delay(Duration::from_secs(60)));
    let mut stream = TcpStream::connect(server.host()).unwrap();
    stream.write_all(refresh_message(&token).as_bytes()).unwrap();
    eventually(|| server.counts().refreshes == 1);
    drop(stream);
    assert!(!server.is_refreshable(&token));
}

#[test]
fn a_client_that_gives_up_keeps_its_token_if_rotation_waits() {
    let server =
        RunningServer::start_with(Settings::new().with_rotate_on(RotateOn::Answer)).unwrap();
    let token = signed_in(&server);
    server.inject(Endpoint::Token, Times::Exactly(2), Fault::delay(DELAY));
    let mut stream = TcpStream::connect(server.host()).unwrap();
    stream.write_all(refresh_message(&token).as_bytes()).unwrap();
    drop(stream);
    eventually(|| server.counts().refreshes == 1);
    // The second request arrives later and waits as long, so the first is over when it is answered.
    assert!(send(&server, &refresh_message(&token)).starts_with("HTTP/1.1 200 "));
    assert_eq!(server.counts().issued, 2, "sign-in and the second request");
}

#[test]
fn a_server_that_is_gone_answers_nobody_and_frees_its_port() {
    let server = RunningServer::start().unwrap();
    let (host, port) = (server.host(), server.port());
    server.inject(Endpoint::Any, Times::Once, Fault::never_answer());
    server.inject(Endpoint::Any, Times::Once, Fault::delay(Duration::from_secs(60)));
    let waiting = [0, 1].map(|_| {
        let mut stream = TcpStream::connect(&host).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        stream
    });
    eventually(|| server.counts().faults == 2);
    drop(server);
    for mut stream in waiting {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "");
    }
    let again = RunningServer::start_on(port, Settings::new()).unwrap();
    assert_eq!(again.port(), port);
}
