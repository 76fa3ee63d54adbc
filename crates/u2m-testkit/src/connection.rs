//! Handles one connection: reads requests and carries out the replies.

use std::{
    io::{self, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};

use crate::{
    reply::{Outcome, api_error},
    running::ServerShared,
    wire::{Framing, WireError, http_date, read_body, read_head},
};
use u2m_core::Timestamp;

/// A request, and whether the connection stays open after the answer.
struct Received {
    request: Request<Vec<u8>>,
    keep: bool,
}

/// Serves one client until it, a fault or the end of the server closes the connection.
pub(crate) fn serve(stream: &TcpStream, shared: &ServerShared) {
    let mut reader = BufReader::new(stream);
    loop {
        let Received { request, keep } = match read_request(&mut reader) {
            Ok(Some(received)) => received,
            Ok(None) | Err(WireError::Io(_)) => return,
            Err(WireError::Malformed) => {
                return turn_away(stream, StatusCode::BAD_REQUEST, shared);
            }
            Err(WireError::TooLarge) => {
                return turn_away(stream, StatusCode::PAYLOAD_TOO_LARGE, shared);
            }
        };
        let Some(outcome) = decide(&request, stream, shared) else { return };
        let sent = match outcome {
            Outcome::Answer(response) => {
                let message = encode(&response, request.method(), keep, shared.time());
                (&*stream).write_all(&message).map(|()| keep)
            }
            Outcome::CutShort(response) => {
                let message = encode(&response, request.method(), false, shared.time());
                let missing = response.body().len().div_ceil(2);
                (&*stream).write_all(&message[..message.len() - missing]).map(|()| false)
            }
            // `decide` has finished what was deferred.
            Outcome::Deferred(_) | Outcome::Drop => Ok(false),
            Outcome::Hang => io::copy(&mut reader, &mut io::sink()).map(|_| false),
        };
        if !matches!(sent, Ok(true)) {
            return;
        }
    }
}

/// Lets the request take effect and waits as told. Never holds the state while waiting. Returns nothing if the server stops, or
/// the client of a deferred request leaves, in the meantime.
fn decide(
    request: &Request<Vec<u8>>,
    stream: &TcpStream,
    shared: &ServerShared,
) -> Option<Outcome> {
    let reply = shared.with(|state, now| state.receive(request, now));
    if !shared.sleep(reply.delay) {
        return None;
    }
    match reply.outcome {
        Outcome::Deferred(_) if is_gone(stream) => None,
        Outcome::Deferred(deferred) => Some(shared.with(|state, now| state.finish(deferred, now))),
        outcome => Some(outcome),
    }
}

/// Reads a request; `None` if the client has closed its end before one began.
fn read_request(reader: &mut BufReader<&TcpStream>) -> Result<Option<Received>, WireError> {
    let Some(head) = read_head(reader)? else { return Ok(None) };
    let mut words = head.start.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(WireError::Malformed);
    };
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| WireError::Malformed)?;
    let uri: Uri = target.parse().map_err(|_| WireError::Malformed)?;
    let keep = match version {
        "HTTP/1.1" => !has(&head.headers, header::CONNECTION, "close"),
        "HTTP/1.0" => has(&head.headers, header::CONNECTION, "keep-alive"),
        _ => return Err(WireError::Malformed),
    };
    let framing = Framing::of(&head.headers, Framing::Length(0))?;
    if framing != Framing::Length(0) && has(&head.headers, header::EXPECT, "100-continue") {
        // The client waits for permission to send the body (RFC 9110 section 10.1.1).
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut request = Request::new(read_body(reader, framing)?);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = head.headers;
    Ok(Some(Received { request, keep }))
}

fn has(headers: &HeaderMap, name: header::HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().eq_ignore_ascii_case(word))
}

fn encode(response: &Response<Vec<u8>>, method: &Method, keep: bool, now: Timestamp) -> Vec<u8> {
    let (status, body) = (response.status(), response.body());
    let mut message = Vec::with_capacity(256 + body.len());
    let reason = status.canonical_reason().unwrap_or("Unknown");
    message.extend(format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).bytes());
    for (name, value) in response.headers() {
        message.extend(name.as_str().bytes());
        message.extend(b": ");
        message.extend(value.as_bytes());
        message.extend(b"\r\n");
    }
    if !response.headers().contains_key(header::DATE) {
        message.extend(format!("date: {}\r\n", http_date(now)).bytes());
    }
    let bodiless = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    if !bodiless {
        message.extend(format!("content-length: {}\r\n", body.len()).bytes());
    }
    if !keep {
        message.extend(b"connection: close\r\n");
    }
    message.extend(b"\r\n");
    if !bodiless && *method != Method::HEAD {
        message.extend(body);
    }
    message
}

/// Answers something that is not a request, then gives the client time to read the answer before the connection closes.
fn turn_away(stream: &TcpStream, status: StatusCode, shared: &ServerShared) {
    let response = api_error(status, "MALFORMED_REQUEST", "not a request that this server reads");
    let message = encode(&response, &Method::GET, false, shared.time());
    let polite = (&*stream)
        .write_all(&message)
        .and_then(|()| stream.shutdown(Shutdown::Write))
        .and_then(|()| stream.set_read_timeout(Some(Duration::from_millis(200))));
    if polite.is_ok() {
        // Unread bytes would turn the close into a reset. Any error here also ends the wait.
        let _ = io::copy(&mut stream.take(1 << 20), &mut io::sink());
    }
}

/// Whether the client has closed its end and nothing more can arrive.
fn is_gone(stream: &TcpStream) -> bool {
    let looked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
    let blocking = stream.set_nonblocking(false);
    match (looked, blocking) {
        (Ok(0), _) | (_, Err(_)) => true,
        (Ok(_), Ok(())) => false,
        (Err(error), Ok(())) => error.kind() != io::ErrorKind::WouldBlock,
    }
}
