//! Scripted faults: what goes wrong, at which endpoint, how many times.

use std::{collections::VecDeque, time::Duration};

use http::StatusCode;

use crate::echo::Repeat;

/// Something that goes wrong with one request.
///
/// A fault replaces the answer, and the request usually has no effect. With [`Fault::once_processed`], and with the faults that
/// change the proper answer, the server processes the request before the answer is lost or changed.
///
/// ```
/// use std::time::Duration;
/// use u2m_testkit::Fault;
/// // The token rotates, then the connection dies: the client never sees its new refresh token.
/// let lost = Fault::drop_connection().once_processed();
/// // The same, 50 ms late.
/// let late = lost.after(Duration::from_millis(50));
/// # let _ = late;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub(crate) delay: Duration,
    pub(crate) effect: Effect,
    pub(crate) processed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The proper answer, with its body cut in the middle.
    CutShort,
    Drop,
    /// An OAuth error that repeats the contents of the request.
    Echo {
        status: StatusCode,
        error: String,
        repeat: Repeat,
    },
    Hang,
    Say {
        status: StatusCode,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// The proper answer.
    Truth,
    /// The proper answer with another status, as if a proxy had replaced it.
    Under(StatusCode),
}

impl Fault {
    /// Sends the proper answer late.
    ///
    /// ```
    /// let fault = u2m_testkit::Fault::delay(std::time::Duration::from_millis(50));
    /// # let _ = fault;
    /// ```
    pub const fn delay(delay: Duration) -> Self {
        Self { delay, effect: Effect::Truth, processed: true }
    }

    /// Closes the connection without sending a byte.
    ///
    /// ```
    /// let unheard = u2m_testkit::Fault::drop_connection();
    /// let unanswered = u2m_testkit::Fault::drop_connection().once_processed();
    /// assert_ne!(unheard, unanswered);
    /// ```
    pub const fn drop_connection() -> Self {
        Self::unprocessed(Effect::Drop)
    }

    /// Answers with an OAuth error whose description repeats every secret of the request.
    ///
    /// ```
    /// use u2m_testkit::{Fault, Repeat, http::StatusCode};
    /// let fault = Fault::echo(StatusCode::BAD_REQUEST, "invalid_grant", Repeat::Base64);
    /// # let _ = fault;
    /// ```
    pub fn echo(status: StatusCode, error: impl Into<String>, repeat: Repeat) -> Self {
        Self::unprocessed(Effect::Echo { status, error: error.into(), repeat })
    }

    /// Keeps the connection open and never answers.
    ///
    /// ```
    /// let fault = u2m_testkit::Fault::never_answer();
    /// # let _ = fault;
    /// ```
    pub const fn never_answer() -> Self {
        Self::unprocessed(Effect::Hang)
    }

    /// Sends the proper headers and half of the body, then closes the connection. The request is processed.
    ///
    /// ```
    /// let fault = u2m_testkit::Fault::cut_short();
    /// # let _ = fault;
    /// ```
    pub const fn cut_short() -> Self {
        Self { delay: Duration::ZERO, effect: Effect::CutShort, processed: true }
    }

    /// Answers with status 200 and a JSON content type, with a body that need not be JSON.
    ///
    /// ```
    /// let fault = u2m_testkit::Fault::junk("<html>Please log in to the proxy</html>");
    /// # let _ = fault;
    /// ```
    pub fn junk(body: impl Into<Vec<u8>>) -> Self {
        Self::status(StatusCode::OK, "application/json", body)
    }

    /// Answers with a redirect to `location`.
    ///
    /// ```
    /// use u2m_testkit::{Fault, http::StatusCode};
    /// let fault = Fault::redirect(StatusCode::TEMPORARY_REDIRECT, "http://elsewhere.example/");
    /// # let _ = fault;
    /// ```
    pub fn redirect(status: StatusCode, location: impl Into<String>) -> Self {
        let headers = vec![("location", location.into())];
        Self::unprocessed(Effect::Say { status, headers, body: Vec::new() })
    }

    /// Answers with any status and any body.
    ///
    /// ```
    /// use u2m_testkit::{Fault, http::StatusCode};
    /// let fault = Fault::status(StatusCode::BAD_GATEWAY, "text/html", "<h1>502</h1>");
    /// # let _ = fault;
    /// ```
    pub fn status(status: StatusCode, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self::unprocessed(Effect::Say { status, headers, body: body.into() })
    }

    /// Adds a header to the answer. Works only for faults that write the answer themselves.
    ///
    /// ```
    /// use u2m_testkit::Fault;
    /// let coded = Fault::junk([0x1f, 0x8b, 8]).with_header("content-encoding", "gzip");
    /// # let _ = coded;
    /// ```
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Effect::Say { headers, .. } = &mut self.effect {
            headers.push((name, value.into()));
        }
        self
    }

    /// Answers with status 429, with or without a `Retry-After` in seconds.
    ///
    /// ```
    /// let fault = u2m_testkit::Fault::too_many_requests(Some(2));
    /// # let _ = fault;
    /// ```
    pub fn too_many_requests(retry_after: Option<u32>) -> Self {
        let body = br#"{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"slow down"}"#;
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(retry_after.map(|seconds| ("retry-after", seconds.to_string())));
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self::unprocessed(Effect::Say { status, headers, body: body.to_vec() })
    }

    /// Sends the proper answer with another status. The request is processed.
    ///
    /// ```
    /// use u2m_testkit::{Fault, http::StatusCode};
    /// let disguised = Fault::under(StatusCode::BAD_GATEWAY);
    /// # let _ = disguised;
    /// ```
    pub const fn under(status: StatusCode) -> Self {
        Self { delay: Duration::ZERO, effect: Effect::Under(status), processed: true }
    }

    /// Delays the fault by another `delay`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use u2m_testkit::Fault;
    /// let fault = Fault::too_many_requests(None).after(Duration::from_millis(20));
    /// # let _ = fault;
    /// ```
    #[must_use]
    pub const fn after(mut self, delay: Duration) -> Self {
        self.delay = self.delay.saturating_add(delay);
        self
    }

    /// Lets the request be processed before the fault: codes and refresh tokens are spent and new tokens are issued, but the
    /// client does not receive them.
    ///
    /// ```
    /// use u2m_testkit::{Fault, http::StatusCode};
    /// let gateway_gave_up =
    ///     Fault::status(StatusCode::GATEWAY_TIMEOUT, "text/plain", "timeout").once_processed();
    /// # let _ = gateway_gave_up;
    /// ```
    #[must_use]
    pub const fn once_processed(mut self) -> Self {
        self.processed = true;
        self
    }

    const fn unprocessed(effect: Effect) -> Self {
        Self { delay: Duration::ZERO, effect, processed: false }
    }
}

/// The requests that a fault applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// Every request whose own endpoint has no waiting fault.
    Any,
    /// Everything below `/api/`, including introspection.
    Api,
    /// The authorization endpoint, where the browser asks for consent.
    Authorize,
    /// `/.well-known/databricks-config`.
    HostMetadata,
    /// The discovery login page at `/`.
    LoginPage,
    /// The device authorization endpoint.
    Device,
    /// `…/.well-known/oauth-authorization-server`.
    Metadata,
    /// The revocation endpoint.
    Revocation,
    /// The token endpoint, where codes and refresh tokens are spent.
    Token,
}

/// How many requests a fault applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// Every request until the faults are cleared; later faults in the same queue never get their turn.
    Always,
    /// This many requests in a row.
    Exactly(u32),
    /// One request.
    Once,
}

/// The faults that wait for their requests, in order.
#[derive(Debug, Default)]
pub(crate) struct Script(VecDeque<(Endpoint, Times, Fault)>);

impl Script {
    pub(crate) fn push(&mut self, endpoint: Endpoint, times: Times, fault: Fault) {
        self.0.push_back((endpoint, times, fault));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the fault for a request to `endpoint`: one for this endpoint, or else one for any endpoint.
    pub(crate) fn take(&mut self, endpoint: Endpoint) -> Option<Fault> {
        self.0.retain(|(_, times, _)| *times != Times::Exactly(0));
        let own = self.0.iter().position(|(at, _, _)| *at == endpoint);
        let index = own.or_else(|| self.0.iter().position(|(at, _, _)| *at == Endpoint::Any))?;
        let (_, times, fault) = &mut self.0[index];
        let fault = fault.clone();
        match times {
            Times::Always => {}
            Times::Exactly(left) if *left > 1 => *left -= 1,
            Times::Exactly(_) | Times::Once => {
                self.0.remove(index);
            }
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_strike_in_order_and_as_often_as_told() {
        let mut script = Script::default();
        script.push(Endpoint::Token, Times::Exactly(2), Fault::junk("a"));
        script.push(Endpoint::Token, Times::Exactly(0), Fault::junk("never"));
        script.push(Endpoint::Token, Times::Once, Fault::junk("b"));
        script.push(Endpoint::Any, Times::Always, Fault::junk("c"));
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(script.take(Endpoint::Token).unwrap());
        }
        assert_eq!(seen, ["a", "a", "b", "c", "c"].map(Fault::junk));
        script.clear();
        assert_eq!(script.take(Endpoint::Token), None);
    }

    #[test]
    fn a_fault_leaves_other_endpoints_alone() {
        let mut script = Script::default();
        script.push(Endpoint::Token, Times::Always, Fault::drop_connection());
        assert_eq!(script.take(Endpoint::Metadata), None);
    }
}
