//! What the fake server has seen: counters for its whole life, and the latest requests.

use std::{collections::VecDeque, fmt};

use http::{HeaderMap, Method, Request};
use u2m_core::Timestamp;

use crate::{fault::Endpoint, form::Form};

/// How many requests are kept.
const CAPACITY: usize = 1024;

/// Counts everything that has happened so far. Requests are counted when they are received, whatever the answer.
///
/// ```
/// assert_eq!(u2m_testkit::Counts::default().refreshes, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Requests below `/api/`.
    pub api: u64,
    /// Requests to the authorization endpoint.
    pub authorizations: u64,
    /// Spent authorization codes that were presented again.
    pub code_replays: u64,
    /// Requests to the device authorization endpoint.
    pub device_requests: u64,
    /// Polls by devices.
    pub device_polls: u64,
    /// Polls that came before the interval was over.
    pub early_polls: u64,
    /// Requests to exchange a code.
    pub exchanges: u64,
    /// Requests to which a scripted fault was applied.
    pub faults: u64,
    /// Requests for host metadata.
    pub host_metadata: u64,
    /// Token responses produced, whether or not they reached a client.
    pub issued: u64,
    /// Requests for the discovery login page.
    pub login_pages: u64,
    /// Requests for authorization server metadata.
    pub metadata: u64,
    /// Requests to refresh a token.
    pub refreshes: u64,
    /// Requests that the token endpoint answered with an error by its rules, not because of a fault.
    pub rejected: u64,
    /// All requests.
    pub requests: u64,
    /// Spent refresh tokens that were presented again.
    pub reuse_detections: u64,
    /// Requests to revoke a token.
    pub revocations: u64,
    /// Logins that were revoked for any reason.
    pub revoked_families: u64,
}

/// A request as the fake server received it.
#[derive(Clone)]
pub struct Seen {
    at: Timestamp,
    endpoint: Endpoint,
    method: Method,
    path: String,
    headers: HeaderMap,
    parameters: Form,
}

impl Seen {
    /// When it arrived, by the server's clock.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The endpoint that it was sent to; [`Endpoint::Any`] if there is none at its path.
    pub const fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The `grant_type` as it was sent.
    pub fn grant_type(&self) -> Option<&str> {
        self.parameters.first("grant_type")
    }

    /// The value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The HTTP method.
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The value of a parameter in the query or the form. It may be a secret.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.first(name)
    }

    /// The names of all parameters, in the order in which they were sent.
    pub fn parameter_names(&self) -> impl Iterator<Item = &str> {
        self.parameters.names()
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// Shows the names of parameters only, and no headers: the values may be secrets.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen")
            .field("at", &self.at)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("grant_type", &self.grant_type())
            .field("parameters", &self.parameter_names().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
pub(crate) struct Journal {
    pub(crate) counts: Counts,
    seen: VecDeque<Seen>,
}

impl Journal {
    pub(crate) fn record(&mut self, request: &Request<Vec<u8>>, endpoint: Endpoint, at: Timestamp) {
        let seen = Seen {
            at,
            endpoint,
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            headers: request.headers().clone(),
            parameters: Form::of_request(request),
        };
        self.count(&seen);
        if self.seen.len() == CAPACITY {
            self.seen.pop_front();
        }
        self.seen.push_back(seen);
    }

    pub(crate) fn seen(&self) -> impl Iterator<Item = &Seen> {
        self.seen.iter()
    }

    fn count(&mut self, seen: &Seen) {
        let counts = &mut self.counts;
        counts.requests += 1;
        match seen.endpoint {
            Endpoint::Any => {}
            Endpoint::Api => counts.api += 1,
            Endpoint::Authorize => counts.authorizations += 1,
            Endpoint::Device => counts.device_requests += 1,
            Endpoint::HostMetadata => counts.host_metadata += 1,
            Endpoint::LoginPage => counts.login_pages += 1,
            Endpoint::Metadata => counts.metadata += 1,
            Endpoint::Revocation => counts.revocations += 1,
            Endpoint::Token => match seen.grant_type() {
                Some(crate::device::GRANT) => counts.device_polls += 1,
                Some("authorization_code") => counts.exchanges += 1,
                Some("refresh_token") => counts.refreshes += 1,
                _ => {}
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refresh() -> Request<Vec<u8>> {
        Request::post("/oidc/v1/token?trace=q-secret")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", "Basic h-secret")
            .body(b"grant_type=refresh_token&refresh_token=b-secret".to_vec())
            .unwrap()
    }

    #[test]
    fn secrets_stay_out_of_debug_but_can_be_asked_for() {
        let mut journal = Journal::default();
        journal.record(&refresh(), Endpoint::Token, Timestamp::from_unix(1));
        let seen = journal.seen().next().unwrap();
        assert_eq!(seen.parameter("refresh_token"), Some("b-secret"));
        assert_eq!(seen.header("Authorization"), Some("Basic h-secret"));
        let shown = format!("{seen:?}");
        assert!(!shown.contains("secret\"") && !shown.contains("-secret"), "{shown}");
        assert!(shown.contains("refresh_token"));
    }

    #[test]
    fn the_journal_forgets_but_the_counters_do_not() {
        let mut journal = Journal::default();
        for second in 0..CAPACITY as i64 + 10 {
            journal.record(&refresh(), Endpoint::Token, Timestamp::from_unix(second));
        }
        assert_eq!(journal.seen().count(), CAPACITY);
        assert_eq!(journal.seen().next().unwrap().at(), Timestamp::from_unix(10));
        assert_eq!(journal.counts.refreshes, CAPACITY as u64 + 10);
    }
}
