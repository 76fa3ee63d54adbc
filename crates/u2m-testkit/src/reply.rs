//! What the state machine tells the holder of the socket to do.

use std::{fmt, time::Duration};

use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::fault::Effect;

/// How to answer a request: wait for [`Reply::delay`], then act on [`Reply::outcome`].
#[must_use = "the client is waiting"]
#[derive(Debug)]
pub struct Reply {
    /// How long to wait first.
    pub delay: Duration,
    /// What to do after that.
    pub outcome: Outcome,
}

/// What to do about a request after its delay.
pub enum Outcome {
    /// Send this answer.
    Answer(Response<Vec<u8>>),
    /// Send the head of this answer and the first half of its body, then close the connection.
    CutShort(Response<Vec<u8>>),
    /// Pass it to [`FakeServer::finish`](crate::FakeServer::finish) if the client is still connected, and act on the outcome
    /// that this returns.
    Deferred(Deferred),
    /// Close the connection.
    Drop,
    /// Send nothing, and keep the connection open until the client gives up.
    Hang,
}

/// Shows the status only, because bodies and locations contain tokens and codes.
impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(response) => f.debug_tuple("Answer").field(&response.status()).finish(),
            Self::CutShort(response) => {
                f.debug_tuple("CutShort").field(&response.status()).finish()
            }
            Self::Deferred(deferred) => deferred.fmt(f),
            Self::Drop => f.write_str("Drop"),
            Self::Hang => f.write_str("Hang"),
        }
    }
}

/// A request that was received and counted, and takes effect when its answer is due.
#[must_use = "without finish, the request never takes effect"]
pub struct Deferred {
    pub(crate) request: Request<Vec<u8>>,
    pub(crate) effect: Effect,
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred").field("path", &self.request.uri().path()).finish_non_exhaustive()
    }
}

/// An answer with a body of this content type. Its headers keep it out of caches.
pub(crate) fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: String,
) -> Response<Vec<u8>> {
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(crate) fn json(status: StatusCode, body: &Value) -> Response<Vec<u8>> {
    answer(status, "application/json", body.to_string())
}

/// An error response as in RFC 6749 section 5.2.
pub(crate) fn oauth_error(status: StatusCode, error: &str, description: &str) -> Response<Vec<u8>> {
    json(status, &json!({"error": error, "error_description": description}))
}

/// An error in the form of Databricks' API.
pub(crate) fn api_error(status: StatusCode, code: &str, message: &str) -> Response<Vec<u8>> {
    json(status, &json!({"error_code": code, "message": message}))
}

pub(crate) fn method_not_allowed(allow: &'static str) -> Response<Vec<u8>> {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = api_error(status, "METHOD_NOT_ALLOWED", "method not allowed");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

/// A redirect for a browser. If no header can hold the location, it is a bad request.
pub(crate) fn redirect(location: &str) -> Response<Vec<u8>> {
    let Ok(location) = HeaderValue::from_str(location) else {
        return oauth_error(StatusCode::BAD_REQUEST, "invalid_request", "bad redirect address");
    };
    let mut response = answer(StatusCode::FOUND, "text/plain", String::new());
    response.headers_mut().insert(header::LOCATION, location);
    let policy = HeaderValue::from_static("no-referrer");
    response.headers_mut().insert(header::REFERRER_POLICY, policy);
    response
}

/// The answer that a fault prescribes, without headers that are not valid in an answer.
pub(crate) fn prescribed(
    status: StatusCode,
    headers: &[(&'static str, String)],
    body: Vec<u8>,
) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(*name, value);
        }
    }
    response
}
