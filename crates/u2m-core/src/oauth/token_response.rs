//! The token response (RFC 6749 sections 5.1 and 5.2), read leniently where servers differ and strictly where a wrong guess
//! would cost a login.

use super::brings_tokens;
use super::error_members::ErrorMembers;
use super::error_response::{ErrorResponse, SPENT, asks_for_person};
use super::members::JsonMembers;
use super::response_text::ResponseText;
use crate::call::{TransportFailure, TransportFailureKind};
use crate::jwt::UnverifiedClaims;
use crate::oauth::Scopes;
use crate::reply::Reply;
use crate::secret::{AccessToken, RefreshToken};
use crate::sent::SentSecrets;
use crate::text::Sanitized;
use crate::time::{Lifetime, Timestamp};

/// Longer lifetimes are reduced to this: 2 147 483 647 seconds, as in the Go SDK.
const LONGEST: i64 = i32::MAX as i64;

/// How an HTML page is described in errors.
pub(super) const PAGE: &str = "an HTML page";

/// The members that hold tokens.
const TOKENS: [&str; 2] = ["refresh_token", "access_token"];

/// What a token endpoint granted.
#[derive(Clone, Debug)]
pub(crate) struct TokenResponse {
    pub(crate) access_token: AccessToken,
    pub(crate) refresh_token: Option<RefreshToken>,
    /// `None` if the server did not state it, or stated 0.
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) scopes: Option<Scopes>,
    /// Whether it came with a refresh token that cannot be read, which has replaced the old one at the server.
    pub(crate) is_half_lost: bool,
}

/// What is left of a response that grants nothing.
#[derive(Debug)]
pub(crate) struct UnusableResponse {
    pub(crate) error: TokenEndpointError,
    /// The refresh token in a success response that is otherwise unusable. The old one is spent, so this is all that is left of
    /// the login.
    pub(crate) refresh_token: Option<RefreshToken>,
    /// Whether it contained a refresh token that cannot be read.
    pub(crate) is_half_lost: bool,
    /// What is granted if the lifetime is taken as unknown.
    endless: Option<Box<TokenResponse>>,
}

impl UnusableResponse {
    /// The grant for a login. The code is spent and there is no old token to fall back on, so an invalid lifetime is taken as
    /// unknown.
    pub(crate) fn at_login(self) -> Result<TokenResponse, TokenEndpointError> {
        self.endless.map(|grant| *grant).ok_or(self.error)
    }
}

impl From<TokenEndpointError> for UnusableResponse {
    fn from(error: TokenEndpointError) -> Self {
        Self { error, refresh_token: None, is_half_lost: false, endless: None }
    }
}

impl TokenResponse {
    /// Reads a response, each member by itself.
    pub(crate) fn parse(
        outcome: Result<Reply, TransportFailure>,
    ) -> Result<Self, UnusableResponse> {
        let mut failure = match outcome {
            Ok(reply) => return Self::read(&reply),
            Err(failure) => failure,
        };
        // What arrived before the connection broke is used only if nothing that matters is missing.
        let begun = failure.take_begun();
        let is_success = begun.as_ref().is_some_and(|begun| begun.is_success());
        let begun = begun.filter(|begun| {
            document(begun, &TOKENS).is_ok_and(|said| {
                // In a response that is not a success, an `error` may still be to come, unless both tokens are there.
                let is_enough = match begun.is_success() {
                    true => said.refresh_token(begun.sent()).is_some(),
                    false => {
                        brings_tokens::in_spite_of_status(begun, &said) && has(TOKENS[1])(&said)
                    }
                };
                !said.is_form() && (said.is_whole() || is_enough)
            })
        });
        match begun {
            Some(begun) => Self::read(&begun),
            None if is_success => Err(UnusableResponse::from(TokenEndpointError::Answer(
                ResponseError::BrokenOff(failure.kind()),
            ))),
            None => Err(UnusableResponse::from(TokenEndpointError::Unreachable(failure))),
        }
    }

    fn read(reply: &Reply) -> Result<Self, UnusableResponse> {
        let said = document(reply, &TOKENS).map_err(TokenEndpointError::Answer)?;
        if !reply.is_success() && !brings_tokens::in_spite_of_status(reply, &said) {
            return Err(UnusableResponse::from(match refusal(reply, &said) {
                Some(refusal) => TokenEndpointError::Refused(refusal),
                None => TokenEndpointError::Answer(complaint(reply, &said)),
            }));
        }
        let refresh_token = said.refresh_token(reply.sent());
        let is_repeated = refresh_token.as_ref().is_some_and(|said| said.is_one_of(reply.sent()));
        let refresh_token = refresh_token.map(|said| RefreshToken::new(said.into_secret()));
        let is_half_lost = refresh_token.is_none() && said.hides_refresh_token(reply.sent());
        let spoiled = |error| UnusableResponse {
            error,
            refresh_token: refresh_token.clone(),
            is_half_lost,
            endless: None,
        };
        if let Some(refusal) = refusal(reply, &said) {
            return Err(spoiled(TokenEndpointError::Refused(refusal)));
        }
        let access_token = match access_token(reply, &said) {
            Some(Ok(token)) => token,
            Some(Err(error)) => return Err(spoiled(TokenEndpointError::Answer(error))),
            // The refresh token that was sent comes back, without what was granted for it.
            None if refresh_token.is_some() && !is_repeated => {
                return Err(spoiled(TokenEndpointError::Answer(ResponseError::NoAccessToken)));
            }
            None => return Err(spoiled(TokenEndpointError::Answer(ResponseError::NoTokens))),
        };
        if refresh_token.is_none() && !said.is_whole() {
            // The missing part may contain the refresh token that the old one was spent for.
            let (status, what) = (reply.status(), "half of an answer");
            return Err(spoiled(TokenEndpointError::Answer(ResponseError::NotJson {
                status,
                what,
            })));
        }
        // A `token_type` that is not a string counts as absent (A5).
        if said.word("token_type").is_some_and(|kind| !kind.is_word("bearer")) {
            return Err(spoiled(TokenEndpointError::Answer(ResponseError::TokenType)));
        }
        let words = said.texts("scope").into_iter().flat_map(|said| said.words(reply.sent()));
        let scopes = Some(Scopes::new(words)).filter(|scopes| !scopes.is_empty());
        let grant = Self {
            access_token,
            refresh_token: refresh_token.clone(),
            lifetime: None,
            scopes,
            is_half_lost,
        };
        match read_lifetime(said.text("expires_in").as_ref()) {
            Ok(lifetime) => Ok(Self { lifetime, ..grant }),
            Err(error) => Err(UnusableResponse {
                error,
                refresh_token,
                is_half_lost,
                endless: Some(Box::new(grant)),
            }),
        }
    }
}

/// The object of a response, or the form if it is not an object; one that has any of the members `wanted`, if there is one.
pub(super) fn document<'a>(
    reply: &'a Reply,
    wanted: &[&str],
) -> Result<JsonMembers<'a>, ResponseError> {
    let body = reply.body();
    let is_about =
        |said: &JsonMembers<'_>| wanted.iter().chain(&["error"]).any(|name| has(name)(said));
    let first = body.trim_ascii().first();
    let is_page = first == Some(&b'<');
    let form = || Some(JsonMembers::of_form(body)).filter(is_about).filter(|_| !is_page);
    let said_form =
        matches!(reply.media_type(), "application/x-www-form-urlencoded" | "text/plain");
    if said_form
        && first != Some(&b'{')
        && let Some(said) = form()
    {
        return Ok(said);
    }
    // Nested objects, which a server or a proxy may wrap around, are searched only for what a success must contain.
    let held = wanted.iter().filter(|_| reply.is_success());
    let is_for_tokens = wanted == TOKENS;
    let renewed = || (is_for_tokens && reply.is_success()).then(|| renewed(reply)).flatten();
    let held = || held.filter_map(|name| JsonMembers::find(body, true, has(name))).next();
    if let Some(said) = renewed().or_else(held) {
        return Ok(said);
    }
    let what = match first {
        Some(b'<') => PAGE,
        None => "nothing",
        Some(_) if reply.is_coded() => "text in a coding that was not asked for",
        Some(_) => "unreadable text",
    };
    let any = || JsonMembers::find(body, false, |_| true);
    let wrapped = || is_for_tokens.then(|| brings_tokens::wrapped(reply)).flatten();
    let plain =
        || JsonMembers::find(body, false, is_about).or_else(wrapped).or_else(form).or_else(any);
    (!is_page).then(plain).flatten().ok_or(ResponseError::NotJson { status: reply.status(), what })
}

pub(super) fn has(name: &str) -> impl Fn(&JsonMembers<'_>) -> bool {
    move |said| said.token(name).is_some()
}

/// If a response repeats its request: the object with a refresh token that was not sent, preferably with both tokens and at the
/// top level; else one with an access token.
fn renewed(reply: &Reply) -> Option<JsonMembers<'_>> {
    let is_new = |said: &JsonMembers<'_>| {
        said.refresh_token(reply.sent()).is_some_and(|said| !said.is_one_of(reply.sent()))
    };
    let has_access = has(TOKENS[1]);
    let find = |is_nested| {
        JsonMembers::find(reply.body(), is_nested, |said| is_new(said) && has_access(said))
            .or_else(|| JsonMembers::find(reply.body(), is_nested, is_new))
    };
    find(false)
        .or_else(|| find(true))
        .or_else(|| JsonMembers::find(reply.body(), true, &has_access))
}

/// The access token, if a request can carry it and it is not one of the secrets that were sent.
fn access_token(
    reply: &Reply,
    said: &JsonMembers<'_>,
) -> Option<Result<AccessToken, ResponseError>> {
    let said = said.text("access_token")?;
    let is_sent = said.is_one_of(reply.sent());
    let token = AccessToken::new(said.into_secret());
    Some(if token.is_sendable() && !is_sent { Ok(token) } else { Err(ResponseError::AccessToken) })
}

/// The `error` and `error_description`, without what was sent and without the response's own secrets.
pub(super) fn refusal(reply: &Reply, said: &JsonMembers<'_>) -> Option<ErrorResponse> {
    let sent = unspoken(reply, said);
    let (status, suberror) = (reply.status(), said.word("suberror"));
    if let Some(code) = said.word("error") {
        let description = said.line("error_description");
        let refusal =
            ErrorResponse::of(status, &code, description.as_ref(), suberror.as_ref(), &sent);
        // Gateways use other names for the description.
        let other = ["message", "detail"].iter().find_map(|name| said.line(name));
        return Some(refusal.or_described(other.map(|text| text.shown(&sent))));
    }
    // An error that is not an OAuth error, but names the refresh token, still concerns it.
    let (code, message) = (said.word("error_code")?, said.line("message"));
    let is_about_it = asks_for_person(|name| code.is(name))
        || message.as_ref().is_some_and(|message| message.is(SPENT));
    let refusal = || ErrorResponse::of(status, &code, message.as_ref(), suberror.as_ref(), &sent);
    (is_about_it && !reply.is_success()).then(refusal)
}

/// What no text of a response may contain: what was sent, and the response's own secrets.
fn unspoken(reply: &Reply, said: &JsonMembers<'_>) -> SentSecrets {
    let mut sent = reply.sent().clone();
    for name in ["access_token", "refresh_token", "id_token", "device_code"] {
        if let Some(secret) = said.text(name) {
            secret.hide_in(&mut sent);
        }
    }
    sent
}

/// Describes a response that is neither a success nor an OAuth error.
pub(super) fn complaint(reply: &Reply, said: &JsonMembers<'_>) -> ResponseError {
    let status = reply.status();
    let ErrorMembers { code, message } = ErrorMembers::of(said, status, &unspoken(reply, said));
    match (message, code) {
        (Some(message), code) => ResponseError::Said { status, code, message },
        (None, Some(message)) => ResponseError::Said { status, code: None, message },
        (None, None) => ResponseError::Status(status),
    }
}

/// The error response, if nothing else is expected.
pub(super) fn refused(reply: &Reply) -> Option<ErrorResponse> {
    document(reply, &[]).ok().and_then(|said| refusal(reply, &said))
}

/// Reads `expires_in` in seconds: a number, or a text that holds one, rounded down. 0, absence and anything else mean unknown.
///
/// # Errors
/// Fails if it is negative (A6).
pub(super) fn read_lifetime(
    said: Option<&ResponseText>,
) -> Result<Option<Lifetime>, TokenEndpointError> {
    match said.and_then(ResponseText::as_number) {
        Some(n) if n < 0.0 => Err(TokenEndpointError::Answer(ResponseError::ExpiresIn)),
        Some(n) if n.is_finite() => {
            // In range after the comparison; the fraction is dropped on purpose.
            let seconds = if n >= LONGEST as f64 { LONGEST } else { n as i64 };
            Ok((seconds > 0).then(|| Lifetime::from_seconds(seconds)))
        }
        _ => Ok(None),
    }
}

/// The `exp` of a token that happens to be a JWT, in unix seconds, unverified: a hint for when to refresh, never a decision
/// about trust (RFC 9068 section 6).
pub(crate) fn expiry_hint(token: &AccessToken) -> Option<i64> {
    UnverifiedClaims::read(token.expose())?.exp.map(Timestamp::unix)
}

/// Why a response that arrived cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// A success response that was cut off before its tokens arrived, or is too large to read.
    #[error("{0}; it was a success, and its tokens had not arrived")]
    BrokenOff(TransportFailureKind),
    /// The access token cannot be sent in a request: it has spaces, control characters or non-ASCII letters (RFC 6750 section
    /// 2.1), or it is a secret that was sent to the token endpoint and is for no other recipient.
    #[error("the token endpoint sent an access token that no request can carry")]
    AccessToken,
    /// `expires_in` is negative.
    #[error("the token endpoint sent an expires_in that is not a number of seconds")]
    ExpiresIn,
    /// A device authorization response lacks a required member, or one is invalid; the text is its name.
    #[error("the device authorization endpoint sent no usable {0}")]
    DeviceCodes(&'static str),
    /// A success response with a refresh token but no access token. The text is the Go SDK's.
    #[error("server response missing access_token")]
    NoAccessToken,
    /// A success response with no token at all, or only with the refresh token that was sent.
    #[error("server response missing access_token")]
    NoTokens,
    /// The response is not JSON: usually it comes from a proxy or a captive portal.
    #[error(
        "the token endpoint sent {what} with http {status} instead of JSON; is a proxy or a captive portal in the way?"
    )]
    NotJson {
        /// The HTTP status.
        status: u16,
        /// What it looks like instead.
        what: &'static str,
    },
    /// Neither a success nor an OAuth error, but with a message from whoever responded.
    #[error(
        "the token endpoint answered http {status}: {message}{}",
        code.as_ref().map(|code| format!(" (error code: {code})")).unwrap_or_default()
    )]
    Said {
        /// The HTTP status.
        status: u16,
        /// The code, if there is one. It is not an OAuth error code.
        code: Option<Sanitized>,
        /// The message.
        message: Sanitized,
    },
    /// Neither a success nor an OAuth error, and without a message.
    #[error("the token endpoint answered http {0}")]
    Status(u16),
    /// The refresh token cannot be read: it is a list of several, an object or `true`.
    #[error("the token endpoint sent a refresh token that cannot be read")]
    RefreshToken,
    /// The token is not a bearer token, the only kind supported (A5).
    #[error("the token endpoint sent a token that is not a bearer token")]
    TokenType,
}

impl ResponseError {
    /// Whether this is a success response in which neither a token nor an error could be found, or whose refresh token could
    /// not be read. What was sent may be spent, and the new tokens are unknown.
    pub fn is_unreadable_success(&self) -> bool {
        match self {
            Self::BrokenOff(_) | Self::NoTokens | Self::RefreshToken => true,
            Self::NotJson { status, .. } => (200..300).contains(status),
            Self::AccessToken
            | Self::DeviceCodes(_)
            | Self::ExpiresIn
            | Self::NoAccessToken
            | Self::Said { .. }
            | Self::Status(_)
            | Self::TokenType => false,
        }
    }

    /// Whether a later try may succeed: something is in the way, or the server has a problem, and no OAuth error has decided
    /// anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::NotJson { .. } | Self::Said { .. } | Self::Status(_))
    }
}

/// How a token request failed, by cause: the response, the server's decision, or the connection.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenEndpointError {
    /// The response is not a token response.
    #[error(transparent)]
    Answer(ResponseError),
    /// The server refused with an OAuth error.
    #[error(transparent)]
    Refused(ErrorResponse),
    /// No response arrived.
    #[error("the token endpoint could not be asked")]
    Unreachable(#[source] TransportFailure),
}

impl std::error::Error for ErrorResponse {}

impl TokenEndpointError {
    /// Whether the server sent a success response in which nothing, or not its refresh token, could be read: the refresh token
    /// or code that was sent may be spent, and the new tokens are unknown.
    pub fn is_unreadable_success(&self) -> bool {
        matches!(self, Self::Answer(error) if error.is_unreadable_success())
    }

    /// Whether the server says that only a new login helps.
    pub fn needs_login(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.needs_login())
    }

    /// Whether a later try may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Answer(error) => error.is_transient(),
            Self::Refused(refusal) => refusal.is_transient(),
            Self::Unreachable(_) => true,
        }
    }
}

#[cfg(test)]
#[path = "token_response_tests.rs"]
mod tests;
