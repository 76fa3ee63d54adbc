//! Reads the response to a request, and turns errors of the HTTP client into failures.

use crate::awake::AwakeClock;
use crate::obstacle::Obstacle;
use crate::proxy::Proxy;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, RETRY_AFTER};
use std::error::Error;
use std::time::{Duration, SystemTime};
use u2m_core::{
    HttpResponse, Sanitized, SecretBytes, Timestamp, TransportFailure, TransportFailureKind,
};

/// Reads a response until it is complete, too large, or `clock` shows `end`.
pub(super) async fn answer(
    mut response: reqwest::Response,
    limit: usize,
    clock: &mut AwakeClock,
    end: Duration,
) -> Result<HttpResponse, TransportFailure> {
    let head = ResponseHead::of(&response);
    let mut body = SecretBytes::with_capacity(limit.min(1 << 14));
    let failed = loop {
        match clock.wait(end, response.chunk()).await {
            Some(Ok(Some(chunk))) if chunk.len() <= limit - body.as_slice().len() => {
                body.extend(&chunk);
            }
            Some(Ok(Some(chunk))) => {
                let room = limit - body.as_slice().len();
                body.extend(&chunk[..room]);
                break TransportFailure::new(TransportFailureKind::TooLarge);
            }
            Some(Ok(None)) => return Ok(head.with(body)),
            Some(Err(error)) => break failure(&error, None),
            None => break TransportFailure::new(TransportFailureKind::TimedOut),
        }
    };
    Err(failed.with_partial(head.with(body)))
}

/// The parts of the response head that matter.
struct ResponseHead {
    status: u16,
    content_type: Option<String>,
    content_encoding: Option<String>,
    retry_after: Option<String>,
    date: Option<String>,
    kept: Vec<(&'static str, String)>,
}

impl ResponseHead {
    fn of(response: &reqwest::Response) -> Self {
        let header = |name| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        // A coding that a proxy adds on top of the server's is a second header line or a second word.
        let codings = response.headers().get_all(CONTENT_ENCODING).iter();
        let codings: Vec<_> = codings.filter_map(|value| value.to_str().ok()).collect();
        Self {
            status: response.status().as_u16(),
            content_type: header(CONTENT_TYPE),
            content_encoding: Some(codings.join(",")).filter(|codings| !codings.is_empty()),
            retry_after: header(RETRY_AFTER),
            date: header(DATE),
            kept: HttpResponse::HEADERS
                .into_iter()
                .filter_map(|name| Some((name, response.headers().get(name)?.to_str().ok()?)))
                .map(|(name, value)| (name, value.to_owned()))
                .collect(),
        }
    }

    fn with(self, body: SecretBytes) -> HttpResponse {
        let mut answer = HttpResponse::new(self.status, std::mem::take(&mut *body.finish()));
        if let Some(value) = self.content_type {
            answer = answer.with_content_type(value);
        }
        if let Some(value) = self.content_encoding {
            answer = answer.with_content_encoding(value);
        }
        for (name, value) in self.kept {
            answer = answer.with_header(name, value);
        }
        let date = self.date.and_then(|text| Timestamp::from_http_date(&text));
        if let Some(date) = date {
            answer = answer.with_date(date);
        }
        let now = Timestamp::from(SystemTime::now());
        let wait = self.retry_after.and_then(|text| Timestamp::read_retry_after(&text, date, now));
        if let Some(wait) = wait {
            answer = answer.with_retry_after(wait);
        }
        answer
    }
}

pub(super) fn failure(error: &reqwest::Error, proxy: Option<&Proxy>) -> TransportFailure {
    let kind = if error.is_connect() || error.is_builder() {
        TransportFailureKind::NotSent
    } else if error.is_timeout() {
        TransportFailureKind::TimedOut
    } else {
        TransportFailureKind::Broken
    };
    let obstacle = match kind {
        TransportFailureKind::NotSent => Obstacle::of(error, proxy),
        _ => None,
    };
    match obstacle {
        Some(obstacle) => TransportFailure::new(kind).because(obstacle),
        None => TransportFailure::new(kind).because(std::io::Error::other(reasons(error))),
    }
}

/// Returns the innermost cause, which is the most precise and contains no URL.
pub(super) fn reasons(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<reqwest::Error>() {
        Some(_) => "the request could not be made".to_owned(),
        None => Sanitized::new(&innermost.to_string()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_coding_of_a_body_is_told_in_its_order() {
        let codings = |lines: &[&str]| {
            let mut response = http::Response::builder();
            for line in lines {
                response = response.header(CONTENT_ENCODING, *line);
            }
            ResponseHead::of(&response.body("").unwrap().into()).content_encoding
        };
        assert_eq!(codings(&["gzip"]).as_deref(), Some("gzip"));
        assert_eq!(codings(&["gzip", "br"]).as_deref(), Some("gzip,br"));
        assert_eq!(codings(&[]), None);
    }
}
