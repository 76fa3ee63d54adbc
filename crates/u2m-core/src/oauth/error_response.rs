//! OAuth error responses (RFC 6749 sections 4.1.2.1 and 5.2).

use super::response_text::ResponseText;
use crate::sent::SentSecrets;
use crate::text::Sanitized;
use std::fmt;

/// An OAuth `error` code. A code that no RFC defines is kept as [`Other`](Self::Other).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OAuthErrorCode {
    /// The person or the server refused.
    AccessDenied,
    /// The person must choose an account (OpenID Connect Core section 3.1.2.6).
    AccountSelectionRequired,
    /// The person has not decided yet (RFC 8628 section 3.5).
    AuthorizationPending,
    /// The person must consent to something (OpenID Connect Core section 3.1.2.6).
    ConsentRequired,
    /// The codes of a device login have expired (RFC 8628 section 3.5).
    ExpiredToken,
    /// The server needs to ask or show the person something (OpenID Connect Core section 3.1.2.6).
    InteractionRequired,
    /// The client is unknown, or failed to authenticate.
    InvalidClient,
    /// The code or refresh token is spent, expired, revoked or issued to another client.
    InvalidGrant,
    /// The request is malformed.
    InvalidRequest,
    /// The scope is unknown or not available.
    InvalidScope,
    /// The person must sign in (OpenID Connect Core section 3.1.2.6).
    LoginRequired,
    /// The server failed.
    ServerError,
    /// The client must poll less often (RFC 8628 section 3.5).
    SlowDown,
    /// The server is overloaded.
    TemporarilyUnavailable,
    /// The client may not use this grant type.
    UnauthorizedClient,
    /// The server does not support this grant type.
    UnsupportedGrantType,
    /// Any other code.
    Other(Sanitized),
}

const NAMED: &[(&str, OAuthErrorCode)] = &[
    ("access_denied", OAuthErrorCode::AccessDenied),
    ("account_selection_required", OAuthErrorCode::AccountSelectionRequired),
    ("authorization_pending", OAuthErrorCode::AuthorizationPending),
    ("consent_required", OAuthErrorCode::ConsentRequired),
    ("expired_token", OAuthErrorCode::ExpiredToken),
    ("interaction_required", OAuthErrorCode::InteractionRequired),
    ("invalid_client", OAuthErrorCode::InvalidClient),
    ("invalid_grant", OAuthErrorCode::InvalidGrant),
    ("invalid_request", OAuthErrorCode::InvalidRequest),
    ("invalid_scope", OAuthErrorCode::InvalidScope),
    ("login_required", OAuthErrorCode::LoginRequired),
    ("server_error", OAuthErrorCode::ServerError),
    ("slow_down", OAuthErrorCode::SlowDown),
    ("temporarily_unavailable", OAuthErrorCode::TemporarilyUnavailable),
    ("unauthorized_client", OAuthErrorCode::UnauthorizedClient),
    ("unsupported_grant_type", OAuthErrorCode::UnsupportedGrantType),
];

impl OAuthErrorCode {
    /// Reads a code as it is sent in a response.
    ///
    /// ```
    /// use u2m_core::OAuthErrorCode;
    /// assert_eq!(OAuthErrorCode::from_wire("invalid_grant"), OAuthErrorCode::InvalidGrant);
    /// assert_eq!(OAuthErrorCode::from_wire("new_one").to_string(), "new_one");
    /// ```
    pub fn from_wire(code: &str) -> Self {
        Self::named(|name| name == code).unwrap_or_else(|| Self::Other(Sanitized::new(code)))
    }

    /// The code whose name satisfies `is`.
    fn named(is: impl Fn(&str) -> bool) -> Option<Self> {
        NAMED.iter().find(|(name, _)| is(name)).map(|(_, code)| code.clone())
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

/// An OAuth error response: the code, and what the server says about it. Its `Display` is `<description> (error code: <code>)`,
/// as in the Go SDK.
///
/// ```
/// use u2m_core::ErrorResponse;
/// let refusal = ErrorResponse::new(401, "invalid_grant", Some("Invalid Client"));
/// assert_eq!(refusal.to_string(), "Invalid Client (error code: invalid_grant)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorResponse {
    status: u16,
    code: OAuthErrorCode,
    description: Option<Sanitized>,
    /// Entra's `suberror`.
    suberror: Option<Sanitized>,
    is_spent_token: bool,
    /// Whether the code, as it was sent, is a decision about the request, so that repeating the request will not help.
    decides: bool,
    /// Whether the code or `suberror`, as it was sent, requires a person.
    asks_for_person: bool,
}

/// Codes that are decisions about a request: RFC 6749 sections 4.1.2.1 and 5.2, RFC 7009, RFC 8628, RFC 8707, RFC 9449 and
/// OpenID Connect Core.
const DECISIONS: [&str; 12] = [
    "access_denied",
    "expired_token",
    "invalid_client",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "unsupported_token_type",
];

/// Codes that only a person can resolve, by signing in: OpenID Connect Core section 3.1.2.6, its extension for authentication
/// requirements, RFC 9470, codes that servers are seen to send for a refresh token instead of `invalid_grant`, and codes of
/// Databricks' API.
const FOR_A_PERSON: [&str; 12] = [
    "INVALID_REFRESH_TOKEN",
    "UNAUTHENTICATED",
    "account_selection_required",
    "bad_refresh_token",
    "consent_required",
    "insufficient_user_authentication",
    "interaction_required",
    "invalid_refresh_token",
    "login_required",
    "mfa_required",
    "reauth_required",
    "unmet_authentication_requirements",
];

/// Values of Entra's `suberror` that mean that a person can resolve the error, whatever its code.
const SUBERRORS_FOR_A_PERSON: [&str; 10] = [
    "additional_action",
    "bad_token",
    "basic_action",
    "consent_required",
    "interaction_required",
    "login_required",
    "message_only",
    "token_expired",
    "user_password_expired",
    "ux_not_allowed",
];

/// Whether a code is a decision, judged by the code as it was sent and not by the sanitized form.
fn decides(is: impl Fn(&str) -> bool) -> bool {
    DECISIONS.iter().any(|name| is(name))
}

/// Whether a code requires a person, judged like [`decides`].
pub(super) fn asks_for_person(is: impl Fn(&str) -> bool) -> bool {
    FOR_A_PERSON.iter().any(|name| is(name))
}

/// Whether a status means that the same request may succeed later.
pub(super) fn may_pass(status: u16) -> bool {
    status >= 500 || matches!(status, 408 | 425 | 429)
}

/// Whether an error with this status leaves open what the server decided, if nothing in the body says more. RFC 6749 section
/// 5.2 uses 400 and 401 for its errors. Other statuses come from whatever stands before the server, such as address rules and
/// rate limits.
fn leaves_open(status: u16) -> bool {
    may_pass(status) || (402..500).contains(&status)
}

/// What Databricks' servers are seen to send for a refresh token that was already used.
pub(super) const SPENT: &str = "Refresh token is invalid";

impl ErrorResponse {
    /// Reads an error response, and removes the secrets that the server may repeat.
    pub(crate) fn of(
        status: u16,
        code: &ResponseText,
        description: Option<&ResponseText>,
        suberror: Option<&ResponseText>,
        sent: &SentSecrets,
    ) -> Self {
        // Decisions are based on the text as it was sent, not on what remains of it to show.
        let named = OAuthErrorCode::named(|name| code.is(name));
        Self {
            status,
            code: named.unwrap_or_else(|| OAuthErrorCode::Other(code.shown(sent))),
            description: description.map(|text| text.shown(sent)).filter(|text| !text.is_empty()),
            suberror: suberror.map(|text| text.shown(sent)).filter(|text| !text.is_empty()),
            is_spent_token: description.is_some_and(|text| text.is(SPENT)),
            decides: decides(|name| code.is(name)),
            asks_for_person: asks_for_person(|name| code.is(name))
                || suberror.is_some_and(|text| is_suberror(|name| text.is(name))),
        }
    }

    /// Takes the HTTP status (0 for an error that came through the browser), the `error` and its description. None of them may
    /// contain a secret; the flows of this crate remove what was sent from a server's text.
    ///
    /// ```
    /// let refusal = u2m_core::ErrorResponse::new(0, "access_denied", None);
    /// assert_eq!(refusal.to_string(), "access_denied");
    /// ```
    pub fn new(status: u16, code: &str, description: Option<&str>) -> Self {
        Self {
            status,
            code: OAuthErrorCode::from_wire(code),
            description: description.map(Sanitized::new).filter(|text| !text.is_empty()),
            suberror: None,
            is_spent_token: description == Some(SPENT),
            decides: decides(|name| name == code),
            asks_for_person: asks_for_person(|name| name == code),
        }
    }

    /// Uses this text as the description if there is none.
    pub(super) fn or_described(mut self, text: Option<Sanitized>) -> Self {
        self.description = self.description.or(text.filter(|text| !text.is_empty()));
        self
    }

    /// Sets Entra's `suberror`, which says how an error can be resolved.
    ///
    /// ```
    /// use u2m_core::ErrorResponse;
    /// assert!(ErrorResponse::new(400, "invalid_request", None).with_suberror("bad_token").needs_login());
    /// ```
    #[must_use]
    pub fn with_suberror(mut self, text: &str) -> Self {
        self.suberror = Some(Sanitized::new(text)).filter(|text| !text.is_empty());
        self.asks_for_person |= is_suberror(|name| name == text);
        self
    }

    /// The HTTP status; 0 if the error came through the browser.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The `error` code.
    pub fn code(&self) -> &OAuthErrorCode {
        &self.code
    }

    /// The `error_description`, sanitized.
    pub fn description(&self) -> Option<&Sanitized> {
        self.description.as_ref()
    }

    /// The `suberror`, sanitized.
    pub fn suberror(&self) -> Option<&Sanitized> {
        self.suberror.as_ref()
    }

    /// Whether only a person can resolve this, by signing in: the refresh token is dead, or the server needs to ask or show
    /// something.
    ///
    /// ```
    /// use u2m_core::ErrorResponse;
    /// assert!(ErrorResponse::new(400, "interaction_required", None).needs_login());
    /// assert!(!ErrorResponse::new(400, "invalid_client", None).needs_login());
    /// ```
    pub fn needs_login(&self) -> bool {
        self.rejects_the_refresh_token() || self.asks_for_person
    }

    /// Whether the refresh token that got this response will never be accepted again: the code is `invalid_grant`, or, with any
    /// code, the description is the one that Databricks' servers are seen to send.
    pub fn rejects_the_refresh_token(&self) -> bool {
        self.code == OAuthErrorCode::InvalidGrant || self.is_spent_token
    }

    /// Whether a later try may succeed: the code says so, or the status does and the code is not one of those that decide.
    /// Gateways put words of their own into `error`.
    ///
    /// ```
    /// use u2m_core::ErrorResponse;
    /// assert!(ErrorResponse::new(503, "Service Unavailable", None).is_transient());
    /// assert!(ErrorResponse::new(403, "Forbidden", None).is_transient());
    /// assert!(!ErrorResponse::new(503, "invalid_client", None).is_transient());
    /// assert!(!ErrorResponse::new(400, "Service Unavailable", None).is_transient());
    /// ```
    pub fn is_transient(&self) -> bool {
        matches!(self.code, OAuthErrorCode::ServerError | OAuthErrorCode::TemporarilyUnavailable)
            || leaves_open(self.status) && !self.is_decided()
    }

    /// Whether this is a decision about the request, so that repeating the request will not help.
    fn is_decided(&self) -> bool {
        self.decides || self.asks_for_person || self.is_spent_token
    }
}

fn is_suberror(is: impl Fn(&str) -> bool) -> bool {
    SUBERRORS_FOR_A_PERSON.iter().any(|name| is(name))
}

impl fmt::Display for ErrorResponse {
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
        assert!(ErrorResponse::new(400, "invalid_grant", None).rejects_the_refresh_token());
        assert!(
            ErrorResponse::new(401, "invalid_request", Some("Refresh token is invalid"))
                .rejects_the_refresh_token()
        );
        assert!(
            !ErrorResponse::new(400, "invalid_client", Some("Invalid Client"))
                .rejects_the_refresh_token()
        );
    }

    #[test]
    fn the_status_decides_where_the_code_is_a_gateways_own_word() {
        for status in [403, 404, 405, 408, 425, 429, 451, 499, 500, 502, 503, 504] {
            for word in [
                "Service Unavailable",
                "upstream connect error",
                "internal",
                "rate_limited",
                "too_many_requests",
                "slow_down",
            ] {
                assert!(ErrorResponse::new(status, word, None).is_transient(), "{status} {word}");
                for decided in [0, 200, 400, 401] {
                    assert!(
                        !ErrorResponse::new(decided, word, None).is_transient(),
                        "{decided} {word}"
                    );
                }
            }
            let decisions = ["access_denied", "expired_token", "invalid_client", "invalid_grant"]
                .into_iter()
                .chain(["invalid_request", "invalid_scope", "unauthorized_client"])
                .chain(["unsupported_grant_type", "unsupported_token_type"]);
            for code in decisions {
                assert!(!ErrorResponse::new(status, code, None).is_transient(), "{status} {code}");
            }
            assert!(!ErrorResponse::new(status, "other", Some(SPENT)).is_transient(), "{status}");
        }
    }

    #[test]
    fn a_code_is_what_it_is_and_not_what_is_left_of_it_to_show() {
        let of = |code: &str, text: &str| {
            let (code, text) =
                (ResponseText::new(code.to_owned()), ResponseText::new(text.to_owned()));
            ErrorResponse::of(400, &code, Some(&text), None, &SentSecrets::default())
        };
        assert!(of("invalid_grant", "").rejects_the_refresh_token());
        let odd = of("invalid_gr\u{202e}ant", "Refresh token is\u{200b} invalid");
        assert!(!odd.rejects_the_refresh_token());
        assert_eq!(odd.to_string(), "Refresh token is invalid (error code: invalid_grant)");
    }

    #[test]
    fn what_is_left_of_a_code_to_show_decides_nothing() {
        let busy = |code: &str, sent: &SentSecrets| {
            ErrorResponse::of(503, &ResponseText::new(code.to_owned()), None, None, sent)
                .is_transient()
        };
        let nothing = SentSecrets::default();
        let invisible = "invalid_\u{200b}target";
        let late = format!("{}invalid_target", "\u{200b}".repeat(4_000));
        for code in [invisible, &late, " invalid_target", "invalid_target\n", "INVALID_TARGET"] {
            assert!(busy(code, &nothing), "{code:?}");
            assert!(ErrorResponse::new(503, code, None).is_transient(), "{code:?}");
        }
        // Removing secrets does not change a decision either: what was sent may be an ordinary word.
        for code in ["login_required", "invalid_grant", "unsupported_token_type"] {
            let sent: SentSecrets = [code].into_iter().collect();
            assert!(!busy(code, &nothing) && !busy(code, &sent), "{code}");
            assert!(!ErrorResponse::new(503, code, None).is_transient(), "{code}");
        }
    }

    #[test]
    fn what_only_a_person_can_answer_is_a_new_login_whatever_the_status() {
        for status in [400, 401, 403, 429, 500, 503] {
            for code in FOR_A_PERSON {
                let refusal = ErrorResponse::new(status, code, None);
                assert!(refusal.needs_login() && !refusal.is_transient(), "{status} {code}");
                assert!(!refusal.rejects_the_refresh_token(), "{code}: a person may mend it");
            }
            for suberror in SUBERRORS_FOR_A_PERSON {
                let refusal =
                    ErrorResponse::new(status, "invalid_request", None).with_suberror(suberror);
                assert!(refusal.needs_login() && !refusal.is_transient(), "{status} {suberror}");
            }
            for code in ["invalid_client", "temporarily_unavailable", "too_many_requests", "x"] {
                let refusal =
                    ErrorResponse::new(status, code, None).with_suberror("client_mismatch");
                assert!(!refusal.needs_login(), "{status} {code}");
            }
        }
        assert!(ErrorResponse::new(400, "invalid_grant", None).needs_login());
    }

    #[test]
    fn t17_a_hostile_description_stays_on_one_printable_line() {
        let text =
            ErrorResponse::new(400, "a\u{1b}[2J", Some("one\r\ntwo\u{1b}]0;x\u{7}")).to_string();
        assert_eq!(text, "one two (error code: a)");
    }
}
