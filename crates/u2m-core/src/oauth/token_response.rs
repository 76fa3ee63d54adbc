//! The token endpoint's answer (RFC 6749 sections 5.1 and 5.2), read leniently where servers differ and strictly where
//! a wrong guess would cost a login.

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

/// Lifetimes beyond this are held down to it: 2 147 483 647 seconds, as the reference.
const LONGEST: i64 = i32::MAX as i64;

/// What a page looks like to whoever expected JSON.
pub(super) const PAGE: &str = "an HTML page";

/// The members that hold tokens.
const TOKENS: [&str; 2] = ["refresh_token", "access_token"];

/// What a token endpoint granted.
#[derive(Clone, Debug)]
pub(crate) struct TokenResponse {
    pub(crate) access_token: AccessToken,
    pub(crate) refresh_token: Option<RefreshToken>,
    /// `None` when the server did not say, or said 0.
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) scopes: Option<Scopes>,
    /// Whether it came with a refresh token that nobody can read: the server has put it in the place of the old one.
    pub(crate) is_half_lost: bool,
}

/// What is left of an answer that grants nothing.
#[derive(Debug)]
pub(crate) struct UnusableResponse {
    pub(crate) error: TokenEndpointError,
    /// The refresh token in a success that cannot be used otherwise. The old one is spent, so that it is all that is left
    /// of the login.
    pub(crate) refresh_token: Option<RefreshToken>,
    /// Whether it held a refresh token that nobody can read.
    pub(crate) is_half_lost: bool,
    /// What is granted if the lifetime is taken for unknown.
    endless: Option<Box<TokenResponse>>,
}

impl UnusableResponse {
    /// What a login makes of it. Its code is spent, and it has no old token to fall back on: a lifetime that is none is
    /// taken for one that was not said.
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
    /// Reads an answer, each member of it by itself.
    pub(crate) fn parse(
        outcome: Result<Reply, TransportFailure>,
    ) -> Result<Self, UnusableResponse> {
        let mut failure = match outcome {
            Ok(reply) => return Self::read(&reply),
            Err(failure) => failure,
        };
        // What arrived before the connection broke counts where it is all that counts.
        let begun = failure.take_begun();
        let is_success = begun.as_ref().is_some_and(|begun| begun.is_success());
        let begun = begun.filter(|begun| {
            document(begun, &TOKENS).is_ok_and(|said| {
                // Of what is no success, the word that it is an error may be still to come: both tokens are no such thing.
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
            // What was sent comes back, and what was given for it does not.
            None if refresh_token.is_some() && !is_repeated => {
                return Err(spoiled(TokenEndpointError::Answer(ResponseError::NoAccessToken)));
            }
            None => return Err(spoiled(TokenEndpointError::Answer(ResponseError::NoTokens))),
        };
        if refresh_token.is_none() && !said.is_whole() {
            // What is missing may be the refresh token that the old one was spent for.
            let (status, what) = (reply.status(), "half of an answer");
            return Err(spoiled(TokenEndpointError::Answer(ResponseError::NotJson {
                status,
                what,
            })));
        }
        // What is no text says nothing, as an absent one (A5).
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

/// The object of an answer, or the form of one that is none: with one of the members `wanted`, if any has it.
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
    // What a server wraps, or what a proxy puts around it, is looked through only for what a success is about.
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

/// What an answer that repeats its request says besides: an object with a refresh token that was not sent, with both tokens
/// rather than with one, and at the top rather than inside of another; or else one with an access token.
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

/// The access token, if a request can carry it, and if it is not one of the secrets that were sent.
fn access_token(
    reply: &Reply,
    said: &JsonMembers<'_>,
) -> Option<Result<AccessToken, ResponseError>> {
    let said = said.text("access_token")?;
    let is_sent = said.is_one_of(reply.sent());
    let token = AccessToken::new(said.into_secret());
    Some(if token.is_sendable() && !is_sent { Ok(token) } else { Err(ResponseError::AccessToken) })
}

/// What `error` and `error_description` say, without what was sent and what the answer itself brings.
pub(super) fn refusal(reply: &Reply, said: &JsonMembers<'_>) -> Option<ErrorResponse> {
    let sent = unspoken(reply, said);
    let (status, suberror) = (reply.status(), said.word("suberror"));
    if let Some(code) = said.word("error") {
        let description = said.line("error_description");
        let refusal =
            ErrorResponse::of(status, &code, description.as_ref(), suberror.as_ref(), &sent);
        // Gateways have their own names for it.
        let other = ["message", "detail"].iter().find_map(|name| said.line(name));
        return Some(refusal.or_described(other.map(|text| text.shown(&sent))));
    }
    // Of what is no OAuth error, what names the refresh token is about it all the same.
    let (code, message) = (said.word("error_code")?, said.line("message"));
    let is_about_it = asks_for_person(|name| code.is(name))
        || message.as_ref().is_some_and(|message| message.is(SPENT));
    let refusal = || ErrorResponse::of(status, &code, message.as_ref(), suberror.as_ref(), &sent);
    (is_about_it && !reply.is_success()).then(refusal)
}

/// What must be in no text of an answer: what was sent, and what the answer itself brings.
fn unspoken(reply: &Reply, said: &JsonMembers<'_>) -> SentSecrets {
    let mut sent = reply.sent().clone();
    for name in ["access_token", "refresh_token", "id_token", "device_code"] {
        if let Some(secret) = said.text(name) {
            secret.hide_in(&mut sent);
        }
    }
    sent
}

/// What an answer is that is neither a success nor an OAuth error.
pub(super) fn complaint(reply: &Reply, said: &JsonMembers<'_>) -> ResponseError {
    let status = reply.status();
    let ErrorMembers { code, message } = ErrorMembers::of(said, status, &unspoken(reply, said));
    match (message, code) {
        (Some(message), code) => ResponseError::Said { status, code, message },
        (None, Some(message)) => ResponseError::Said { status, code: None, message },
        (None, None) => ResponseError::Status(status),
    }
}

/// The refusal in an answer of which nothing else is wanted.
pub(super) fn refused(reply: &Reply) -> Option<ErrorResponse> {
    document(reply, &[]).ok().and_then(|said| refusal(reply, &said))
}

/// `expires_in` in seconds: any number or a text holding one, floored; 0, absence and what is no number mean unknown.
///
/// # Errors
/// It is negative (A6).
pub(super) fn read_lifetime(
    said: Option<&ResponseText>,
) -> Result<Option<Lifetime>, TokenEndpointError> {
    match said.and_then(ResponseText::as_number) {
        Some(n) if n < 0.0 => Err(TokenEndpointError::Answer(ResponseError::ExpiresIn)),
        Some(n) if n.is_finite() => {
            // In range after the comparison, and a fraction is meant to go.
            let seconds = if n >= LONGEST as f64 { LONGEST } else { n as i64 };
            Ok((seconds > 0).then(|| Lifetime::from_seconds(seconds)))
        }
        _ => Ok(None),
    }
}

/// The `exp` of a token that happens to be a JWT, in unix seconds, unverified: a hint for when to refresh, never a
/// decision about trust (RFC 9068 section 6).
pub(crate) fn expiry_hint(token: &AccessToken) -> Option<i64> {
    UnverifiedClaims::read(token.expose())?.exp.map(Timestamp::unix)
}

/// Why an answer cannot be used, although it arrived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// A success whose tokens had not arrived when the connection ended, or that is too large to be read.
    #[error("{0}; it was a success, and its tokens had not arrived")]
    BrokenOff(TransportFailureKind),
    /// An access token that no request can carry: with spaces, control characters or letters beyond ASCII (RFC 6750
    /// section 2.1), or a secret that was sent to the token endpoint, and that is for no one else.
    #[error("the token endpoint sent an access token that no request can carry")]
    AccessToken,
    /// A negative lifetime.
    #[error("the token endpoint sent an expires_in that is not a number of seconds")]
    ExpiresIn,
    /// A device's codes are not all there, or one of them is not what it is to be.
    #[error("the device authorization endpoint sent no usable {0}")]
    DeviceCodes(&'static str),
    /// Success with a refresh token and without an access token. The words are the reference's.
    #[error("server response missing access_token")]
    NoAccessToken,
    /// Success without any token, or with none but the refresh token that was sent.
    #[error("server response missing access_token")]
    NoTokens,
    /// Not JSON: usually a proxy or a captive portal speaks.
    #[error(
        "the token endpoint sent {what} with http {status} instead of JSON; is a proxy or a captive portal in the way?"
    )]
    NotJson {
        /// The HTTP status.
        status: u16,
        /// What it looks like instead.
        what: &'static str,
    },
    /// Not a success, and not an OAuth error either, but words of whoever has answered.
    #[error(
        "the token endpoint answered http {status}: {message}{}",
        code.as_ref().map(|code| format!(" (error code: {code})")).unwrap_or_default()
    )]
    Said {
        /// The HTTP status.
        status: u16,
        /// Its code, if there is one: no OAuth error.
        code: Option<Sanitized>,
        /// Its words.
        message: Sanitized,
    },
    /// Not a success, and not an OAuth error either.
    #[error("the token endpoint answered http {0}")]
    Status(u16),
    /// A refresh token that nobody can read: a list of several, an object, `true`.
    #[error("the token endpoint sent a refresh token that cannot be read")]
    RefreshToken,
    /// Only bearer tokens are understood (A5).
    #[error("the token endpoint sent a token that is not a bearer token")]
    TokenType,
}

impl ResponseError {
    /// Whether this is a success in which nothing was found, neither a token nor an error, or not the refresh token that is in
    /// it. What was sent may be spent, and what it bought is not known.
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

    /// Whether a later try may succeed: something is in the way, or the server is in trouble. No OAuth error has ended anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::NotJson { .. } | Self::Said { .. } | Self::Status(_))
    }
}

/// How a token request failed, split by blame: the answer, the server's decision, or the way there.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenEndpointError {
    /// An answer that is not a token response.
    #[error(transparent)]
    Answer(ResponseError),
    /// The server said no.
    #[error(transparent)]
    Refused(ErrorResponse),
    /// No answer.
    #[error("the token endpoint could not be asked")]
    Unreachable(#[source] TransportFailure),
}

impl std::error::Error for ErrorResponse {}

impl TokenEndpointError {
    /// Whether the server answered with a success in which nothing was found, or not the refresh token that is in it: the
    /// refresh token or code that was sent may be spent, and what it bought is not known.
    pub fn is_unreadable_success(&self) -> bool {
        matches!(self, Self::Answer(error) if error.is_unreadable_success())
    }

    /// Whether only a new login helps, by the server's own word.
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
