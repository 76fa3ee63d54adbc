//! Tests with scripted services that behave as no real keyring does: odd and hostile ones.

use super::message::{MessageBody, MessageHeader};
use super::wire::{SearchResult, read_at};
use crate::keyring::KeyringError;
use rustix::net::SocketAddrUnix;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

/// The answer of a service to a call.
enum ServiceReply {
    /// An answer with arguments of these types.
    Returns(&'static str, MessageBody),
    Fails(&'static str),
    /// These bytes, unchanged.
    Raw(&'static [u8]),
    Nothing,
}

/// Reads a secret from a bus and a service that answer as `script` says, by `""` for the authentication, by name for a
/// method, and by path for a query about an object.
fn read(
    patience: Duration,
    script: impl Fn(&str) -> ServiceReply + Send + 'static,
) -> Result<SearchResult, KeyringError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus");
    let listener = UnixListener::bind(&path).unwrap();
    let bus = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        serve(stream, &script);
    });
    let address = SocketAddrUnix::new(&path).unwrap();
    let found = read_at(&address, &[("service", "s"), ("username", "dev")], patience);
    bus.join().unwrap();
    found
}

/// Runs until the other side closes the connection.
fn serve(mut stream: UnixStream, script: &dyn Fn(&str) -> ServiceReply) {
    let mut input = Vec::new();
    let begins = |input: &[u8]| input.windows(7).position(|seven| seven == b"BEGIN\r\n");
    while begins(&input).is_none() {
        if !receive(&mut stream, &mut input) {
            return;
        }
    }
    assert!(input.starts_with(b"\0AUTH EXTERNAL "));
    input.drain(..begins(&input).unwrap() + 7);
    // Here and below: errors are ignored if the other side has closed the connection.
    let _ = match script("") {
        ServiceReply::Raw(bytes) => stream.write_all(bytes),
        _ => stream.write_all(b"OK 0123\r\n"),
    };
    loop {
        while let Some(heading) = MessageHeader::read(&input).unwrap() {
            let rest = input.split_off(heading.body.end);
            let message = std::mem::replace(&mut input, rest);
            let serial = u32::from_le_bytes(message[8..12].try_into().unwrap());
            let Some(said) = say(&script(called(&message)), serial) else { continue };
            let _ = stream.write_all(&said);
        }
        if !receive(&mut stream, &mut input) {
            return;
        }
    }
}

fn receive(stream: &mut UnixStream, input: &mut Vec<u8>) -> bool {
    let mut part = [0; 4096];
    let read = stream.read(&mut part).unwrap_or(0);
    input.extend_from_slice(&part[..read]);
    read > 0
}

/// Returns what a message requests, from the words in it.
fn called(message: &[u8]) -> &'static str {
    let has = |word: &str| message.windows(word.len()).any(|window| window == word.as_bytes());
    ["Hello", "OpenSession", "SearchItems", "GetSecrets", "/item/1", "/item/2"]
        .into_iter()
        .find(|word| has(word))
        .unwrap()
}

fn say(says: &ServiceReply, serial: u32) -> Option<Vec<u8>> {
    let (kind, error, signature, body) = match says {
        ServiceReply::Returns(signature, body) => (2, "", *signature, body.bytes()),
        ServiceReply::Fails(name) => (3, *name, "", &[][..]),
        ServiceReply::Raw(bytes) => return Some(bytes.to_vec()),
        ServiceReply::Nothing => return None,
    };
    let mut fields = MessageBody::new();
    fields.align(8).byte(5).signature("u").number(serial as usize);
    if !error.is_empty() {
        fields.align(8).byte(4).signature("s").text(error);
    }
    fields.align(8).byte(8).signature("g").signature(signature);
    let mut message = MessageBody::new();
    message.byte(b'l').byte(kind).byte(0).byte(1).number(body.len()).number(9);
    message.number(fields.bytes().len()).raw(fields.bytes()).align(8).raw(body);
    Some(message.bytes().to_vec())
}

fn body(fill: impl FnOnce(&mut MessageBody)) -> MessageBody {
    let mut body = MessageBody::new();
    fill(&mut body);
    body
}

fn paths(body: &mut MessageBody, paths: &[&str]) {
    body.array(4, |body| {
        for path in paths {
            body.text(path);
        }
    });
}

fn secret(item: &'static str, value: &'static [u8]) -> ServiceReply {
    let fill = |body: &mut MessageBody| {
        body.array(8, |body| {
            body.align(8).text(item).align(8).text("/session").number(0);
            body.number(value.len()).raw(value).text("text/plain");
        });
    };
    ServiceReply::Returns("a{o(oayays)}", body(fill))
}

/// A valid service with these unlocked and locked items. The first was changed at 100, the second at 200.
fn sound(asked: &str, unlocked: &[&str], locked: &[&str]) -> ServiceReply {
    let modified = |time: u8| {
        let fill = |body: &mut MessageBody| {
            body.signature("t").align(8).raw(&[time, 0, 0, 0, 0, 0, 0, 0]);
        };
        ServiceReply::Returns("v", body(fill))
    };
    match asked {
        "OpenSession" => {
            let fill = |body: &mut MessageBody| {
                body.signature("s").text("").text("/session");
            };
            ServiceReply::Returns("vo", body(fill))
        }
        "SearchItems" => {
            let fill = |body: &mut MessageBody| {
                paths(body, unlocked);
                paths(body, locked);
            };
            ServiceReply::Returns("aoao", body(fill))
        }
        "/item/1" => modified(100),
        "/item/2" => modified(200),
        "GetSecrets" => secret("/item/1", b"one"),
        _ => ServiceReply::Returns(
            "s",
            body(|body| {
                body.text(":1.7");
            }),
        ),
    }
}

fn is_secret(found: Result<SearchResult, KeyringError>, wanted: &[u8]) {
    assert!(matches!(&found, Ok(SearchResult::Secret(secret)) if **secret == *wanted), "{found:?}");
}

#[test]
fn an_item_is_found_and_read_and_an_absent_one_is_nothing() {
    is_secret(read(LONG, |asked| sound(asked, &["/item/1"], &[])), b"one");
    let found = read(LONG, |asked| sound(asked, &[], &[]));
    assert!(matches!(found, Ok(SearchResult::Nothing)), "{found:?}");
    // A second, locked item is no reason to open a prompt.
    is_secret(read(LONG, |asked| sound(asked, &["/item/1"], &["/item/9"])), b"one");
}

#[test]
fn no_session_is_opened_before_the_service_has_answered_something() {
    let asked_for = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked_for);
    let found = read(Duration::from_millis(50), move |asked| {
        heard.lock().unwrap().push(asked.to_owned());
        match asked {
            "SearchItems" => ServiceReply::Nothing,
            asked => sound(asked, &["/item/1"], &[]),
        }
    });
    assert!(matches!(found, Err(KeyringError::Timeout { .. })), "{found:?}");
    assert_eq!(*asked_for.lock().unwrap(), ["", "Hello", "SearchItems"]);
    // The answer of a keyring that was not ready says nothing about the login.
    let refused = read(LONG, |asked| match asked {
        "SearchItems" => ServiceReply::Fails("org.freedesktop.DBus.Error.UnknownMethod"),
        asked => sound(asked, &["/item/1"], &[]),
    });
    assert!(matches!(refused, Ok(SearchResult::Further)), "{refused:?}");
}

#[test]
fn key_9_of_several_items_the_newest_is_read_in_whatever_order_they_stand() {
    for order in [["/item/1", "/item/2"], ["/item/2", "/item/1"]] {
        let found = read(LONG, move |asked| match asked {
            "GetSecrets" => secret("/item/2", b"two"),
            asked => sound(asked, &order, &[]),
        });
        is_secret(found, b"two");
    }
}

#[test]
fn t24_the_secret_of_another_item_is_not_taken() {
    let found = read(LONG, |asked| match asked {
        "GetSecrets" => secret("/item/2", b"two"),
        asked => sound(asked, &["/item/1"], &[]),
    });
    assert!(matches!(found, Ok(SearchResult::Further)), "{found:?}");
}

#[test]
fn what_is_locked_or_spoken_otherwise_is_left_to_the_library() {
    let locked = read(LONG, |asked| sound(asked, &[], &["/item/1"]));
    assert!(matches!(locked, Ok(SearchResult::Further)), "{locked:?}");
    for odd in ["OpenSession", "SearchItems", "GetSecrets"] {
        let found = read(LONG, move |asked| match asked == odd {
            true => ServiceReply::Returns(
                "i",
                body(|body| {
                    body.number(7);
                }),
            ),
            false => sound(asked, &["/item/1"], &[]),
        });
        assert!(matches!(found, Ok(SearchResult::Further)), "{odd} {found:?}");
    }
    let refused = read(LONG, |asked| match asked {
        "" => ServiceReply::Raw(b"REJECTED DBUS_COOKIE_SHA1\r\n"),
        _ => ServiceReply::Nothing,
    });
    assert!(matches!(refused, Ok(SearchResult::Further)), "{refused:?}");
}

#[test]
fn errors_are_told_apart_by_their_names() {
    let fails = |name: &'static str| {
        let found = read(LONG, move |asked| match asked {
            "SearchItems" => ServiceReply::Fails(name),
            asked => sound(asked, &[], &[]),
        });
        found.unwrap_err()
    };
    let nobody = fails("org.freedesktop.DBus.Error.ServiceUnknown");
    assert!(matches!(nobody, KeyringError::NoService), "{nobody:?}");
    let locked = fails("org.freedesktop.Secret.Error.IsLocked");
    assert!(matches!(locked, KeyringError::Locked), "{locked:?}");
    let silent = fails("org.freedesktop.DBus.Error.NoReply");
    assert!(matches!(silent, KeyringError::Timeout { .. }), "{silent:?}");
}

#[test]
fn t24_garbage_is_left_to_the_library_and_silence_ends_at_the_deadline() {
    let garbage = read(LONG, |asked| match asked {
        "SearchItems" => ServiceReply::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        asked => sound(asked, &[], &[]),
    });
    assert!(matches!(garbage, Ok(SearchResult::Further)), "{garbage:?}");
    let start = Instant::now();
    for silent in ["", "SearchItems", "OpenSession", "GetSecrets"] {
        let found = read(Duration::from_millis(50), move |asked| match (asked, silent) {
            ("", "") => ServiceReply::Raw(b""),
            (asked, silent) if asked == silent => ServiceReply::Nothing,
            (asked, _) => sound(asked, &["/item/1"], &[]),
        });
        let error = found.unwrap_err();
        assert!(matches!(error, KeyringError::Timeout { operation: "get" }), "{silent} {error:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(20));
}
