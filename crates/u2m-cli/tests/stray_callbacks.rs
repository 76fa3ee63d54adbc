//! Callbacks without this sign-in's state: they end nothing, and the person is told, who may have caused one.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Running, World, free_port};
use std::io::{Read, Write};
use std::net::TcpStream;
use u2m_testkit::follow_login;

/// A browser comes back with this query; the status that it is answered with.
fn come_back(port: u16, query: &str) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!("GET /?{query} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer[9..12].parse().unwrap()
}

fn login(world: &World, more: &str) -> (Running, u16) {
    let port = free_port();
    let line = format!("login --host {{URL}} --profile dev --no-browser --port {port} {more}");
    (Running::start(world.command(&line)), port)
}

#[test]
fn cb_2_a_refusal_without_the_state_is_told_once_and_the_sign_in_goes_on() {
    let world = World::new();
    let (mut running, port) = login(&world, "");
    let url = running.url();
    let no = "error=access_denied&error_description=The+user+said%0D%0Ano%1B%5B2J";
    for query in [no, no, "error=login_required", "code=canary&state=canary", "code=canary", "x=1"]
    {
        assert_eq!(come_back(port, query), 400, "{query}");
    }
    follow_login(&url).unwrap();
    let ran = running.done();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let told: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("Note: ")).collect();
    let goes_on = "Anybody could send that, so it counts for nothing, and the wait goes on.";
    assert_eq!(
        told,
        [
            format!(
                "Note: the browser came back with \"access_denied: The user said no\", and without the state of this \
                 sign-in. {goes_on} If it was you who said no, end this with Ctrl-C."
            ),
            format!(
                "Note: the browser came back with a code, and with the state of another sign-in. {goes_on} If you have signed \
                 in just now, it was for another sign-in: use the address above."
            ),
        ]
    );
    assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
}

#[test]
fn cb_2_programs_read_of_it_as_an_event() {
    let world = World::new();
    let (mut running, port) = login(&world, "--events");
    let line = running.line(|line| line.contains("\"authorize\""));
    let authorize: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(come_back(port, "error=access_denied&error_description=no"), 400);
    let line = running.line(|line| line.contains("stray_callback"));
    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
    let expected = serde_json::json!({
        "event": "stray_callback",
        "error": "access_denied",
        "error_description": "no",
        "has_state": false,
        "text": "the browser came back with \"access_denied: no\", and without the state of this sign-in",
    });
    assert_eq!(event, expected);
    assert_eq!(come_back(port, "code=canary&state=canary"), 400);
    let line = running.line(|line| line.contains("stray_callback"));
    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&event["error"], &event["has_state"]), (&serde_json::Value::Null, &true.into()));
    follow_login(authorize["url"].as_str().unwrap()).unwrap();
    let ran = running.done();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
}
