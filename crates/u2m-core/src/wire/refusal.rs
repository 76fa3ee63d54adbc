//! The authorization server's own "no" (RFC 6749 sections 4.1.2.1 and 5.2).

use crate::text::Foreign;
use std::fmt;

/// An `error` code; codes that no RFC names are data, not a failure to parse.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OAuthErrorCode {
    /// The person or the server said no.
    AccessDenied,
    /// The person has not decided yet (RFC 8628 section 3.5).
    AuthorizationPending,
    /// A device's codes have run out (RFC 8628 section 3.5).
    ExpiredToken,
    /// The client is not known, or may not do this.
    InvalidClient,
    /// The code or refresh token is spent, expired, revoked or another client's.
    InvalidGrant,
    /// The request is malformed.
    InvalidRequest,
    /// The scope is unknown or not to be had.
    InvalidScope,
    /// The server failed.
    ServerError,
    /// Polls are to be further apart (RFC 8628 section 3.5).
    SlowDown,
    /// The server is overloaded.
    TemporarilyUnavailable,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// The server does not know this grant.
    UnsupportedGrantType,
    /// Any other code.
    Other(Foreign),
}

const NAMED: &[(&str, OAuthErrorCode)] = &[
    ("access_denied", OAuthErrorCode::AccessDenied),
    ("authorization_pending", OAuthErrorCode::AuthorizationPending),
    ("expired_token", OAuthErrorCode::ExpiredToken),
    ("invalid_client", OAuthErrorCode::InvalidClient),
    ("invalid_grant", OAuthErrorCode::InvalidGrant),
    ("invalid_request", OAuthErrorCode::InvalidRequest),
    ("invalid_scope", OAuthErrorCode::InvalidScope),
    ("server_error", OAuthErrorCode::ServerError),
    ("slow_down", OAuthErrorCode::SlowDown),
    ("temporarily_unavailable", OAuthErrorCode::TemporarilyUnavailable),
    ("unauthorized_client", OAuthErrorCode::UnauthorizedClient),
    ("unsupported_grant_type", OAuthErrorCode::UnsupportedGrantType),
];

impl OAuthErrorCode {
    /// Reads a code as it stands on the wire.
    ///
    /// ```
    /// use u2m_core::OAuthErrorCode;
    /// assert_eq!(OAuthErrorCode::from_wire("invalid_grant"), OAuthErrorCode::InvalidGrant);
    /// assert_eq!(OAuthErrorCode::from_wire("new_one").to_string(), "new_one");
    /// ```
    pub fn from_wire(code: &str) -> Self {
        let named = NAMED.iter().find(|(name, _)| *name == code);
        named.map_or_else(|| Self::Other(Foreign::new(code)), |(_, code)| code.clone())
    }
}

impl fmt::Display for OAuthErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(code) => code.fmt(f),
            named => f.write_str(
                NAMED.iter().find(|(_, code)| code == named).map_or("", |(name, _)| name),
            ),
        }
    }
}

/// What the server refused, and in which words. Its text is `<description> (error code: <code>)`, as the reference's.
///
/// ```
/// use u2m_core::Refusal;
/// let refusal = Refusal::new(401, "invalid_grant", Some("Invalid Client"));
/// assert_eq!(refusal.to_string(), "Invalid Client (error code: invalid_grant)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    code: OAuthErrorCode,
    description: Option<Foreign>,
    is_spent_token: bool,
}

impl Refusal {
    /// Takes the HTTP status (0 for a refusal that came through the browser), the `error` and its description.
    ///
    /// ```
    /// let refusal = u2m_core::Refusal::new(0, "access_denied", None);
    /// assert_eq!(refusal.to_string(), "access_denied");
    /// ```
    pub fn new(status: u16, code: &str, description: Option<&str>) -> Self {
        Self {
            status,
            code: OAuthErrorCode::from_wire(code),
            description: description.map(Foreign::new).filter(|text| !text.is_empty()),
            is_spent_token: description == Some("Refresh token is invalid"),
        }
    }

    /// The HTTP status; 0 if the refusal came through the browser.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The `error`.
    pub fn code(&self) -> &OAuthErrorCode {
        &self.code
    }

    /// The `error_description`, cleaned for showing.
    pub fn description(&self) -> Option<&Foreign> {
        self.description.as_ref()
    }

    /// Whether a refresh token that met this refusal will never be accepted again: `invalid_grant`, or, with any code,
    /// the sentence that Databricks' servers are seen to send.
    pub fn rejects_the_refresh_token(&self) -> bool {
        self.code == OAuthErrorCode::InvalidGrant || self.is_spent_token
    }

    /// Whether the server says that a later try may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(self.code, OAuthErrorCode::ServerError | OAuthErrorCode::TemporarilyUnavailable)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.description {
            Some(text) => write!(f, "{text} (error code: {})", self.code),
            None => self.code.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn err_1_a_refresh_token_is_rejected_by_its_code_or_by_the_known_sentence() {
        assert!(Refusal::new(400, "invalid_grant", None).rejects_the_refresh_token());
        assert!(
            Refusal::new(401, "invalid_request", Some("Refresh token is invalid"))
                .rejects_the_refresh_token()
        );
        assert!(
            !Refusal::new(400, "invalid_client", Some("Invalid Client"))
                .rejects_the_refresh_token()
        );
    }

    #[test]
    fn t17_a_hostile_description_stays_on_one_printable_line() {
        let text = Refusal::new(400, "a\u{1b}[2J", Some("one\r\ntwo\u{1b}]0;x\u{7}")).to_string();
        assert_eq!(text, "one two (error code: a)");
    }
}
