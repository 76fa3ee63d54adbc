//! The token endpoint's answer (RFC 6749 sections 5.1 and 5.2), read leniently where servers differ and strictly where
//! a wrong guess would cost a login.

use super::is_too_deep;
use super::refusal::Refusal;
use crate::call::{Answer, TransportFailure};
use crate::jwt::UnverifiedClaims;
use crate::scopes::Scopes;
use crate::secret::{AccessToken, RefreshToken};
use crate::time::{Lifetime, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroize;

/// Lifetimes beyond this are held down to it: 2 147 483 647 seconds, as the reference.
const LONGEST: i64 = i32::MAX as i64;

/// What a token endpoint granted.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) access_token: AccessToken,
    pub(crate) refresh_token: Option<RefreshToken>,
    /// `None` when the server did not say, or said 0.
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) scopes: Option<Scopes>,
}

impl Grant {
    /// Reads an answer.
    pub(crate) fn parse(
        outcome: Result<Answer, TransportFailure>,
    ) -> Result<Self, TokenEndpointError> {
        let answer = outcome.map_err(TokenEndpointError::Unreachable)?;
        let raw = match answer.media_type().as_str() {
            "application/x-www-form-urlencoded" | "text/plain"
                if !looks_like_json(answer.body()) =>
            {
                Raw::from_form(answer.body())
            }
            _ => Raw::from_json(&answer)?,
        };
        raw.into_grant(answer.status())
    }

    /// The refresh token in a success that cannot be used otherwise. The old one is spent, so that it is all that is left
    /// of the login.
    pub(crate) fn salvage(answer: &Answer) -> Option<RefreshToken> {
        let mut raw = Raw::from_json(answer).ok().filter(|_| answer.is_success())?;
        let refused =
            raw.error.as_ref().and_then(Value::as_str).is_some_and(|code| !code.is_empty());
        raw.refresh_token
            .take()
            .filter(|token| !refused && !token.is_empty())
            .map(RefreshToken::new)
    }
}

/// The members that are read, whatever they were encoded in.
#[derive(Default, Deserialize)]
struct Raw {
    access_token: Option<String>,
    token_type: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<Value>,
    scope: Option<Value>,
    error: Option<Value>,
    error_description: Option<Value>,
}

impl Raw {
    fn from_json(answer: &Answer) -> Result<Self, TokenEndpointError> {
        let body = answer.body();
        let junk = |what| {
            Err(TokenEndpointError::Answer(AnswerError::NotJson { status: answer.status(), what }))
        };
        if body.trim_ascii_start().first() == Some(&b'<') {
            return junk("an HTML page");
        }
        if is_too_deep(body) {
            return junk("deeply nested text");
        }
        match serde_json::from_slice(body) {
            Ok(raw) => Ok(raw),
            Err(_) if body.trim_ascii().is_empty() => junk("nothing"),
            Err(_) => junk("unreadable text"),
        }
    }

    fn from_form(body: &[u8]) -> Self {
        let mut raw = Self::default();
        for (key, value) in url::form_urlencoded::parse(body) {
            let value = value.into_owned();
            match &*key {
                "access_token" => raw.access_token = Some(value),
                "token_type" => raw.token_type = Some(value),
                "refresh_token" => raw.refresh_token = Some(value),
                "expires_in" => raw.expires_in = Some(Value::String(value)),
                "scope" => raw.scope = Some(Value::String(value)),
                "error" => raw.error = Some(Value::String(value)),
                "error_description" => raw.error_description = Some(Value::String(value)),
                _ => {}
            }
        }
        raw
    }

    fn into_grant(mut self, status: u16) -> Result<Grant, TokenEndpointError> {
        if let Some(code) =
            self.error.take().as_ref().and_then(Value::as_str).filter(|code| !code.is_empty())
        {
            let description = self.error_description.as_ref().and_then(Value::as_str);
            return Err(TokenEndpointError::Refused(Refusal::new(status, code, description)));
        }
        if !(200..300).contains(&status) {
            return Err(TokenEndpointError::Answer(AnswerError::Status(status)));
        }
        let bearer = self.token_type.as_deref().filter(|kind| !kind.is_empty());
        if bearer.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(TokenEndpointError::Answer(AnswerError::TokenType));
        }
        let lifetime = read_lifetime(self.expires_in.as_ref())?;
        let scopes = self.scope.take().and_then(|scope| Some(Scopes::split(scope.as_str()?)));
        let access = self.access_token.take().filter(|token| !token.is_empty());
        Ok(Grant {
            access_token: access
                .map(AccessToken::new)
                .ok_or(TokenEndpointError::Answer(AnswerError::NoAccessToken))?,
            refresh_token: self
                .refresh_token
                .take()
                .filter(|token| !token.is_empty())
                .map(RefreshToken::new),
            lifetime,
            scopes: scopes.filter(|scopes| !scopes.is_empty()),
        })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.access_token.zeroize();
        self.refresh_token.zeroize();
    }
}

fn looks_like_json(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'{')
}

/// `expires_in` in seconds: any JSON number or a text holding one, floored; 0, `null` and absence mean unknown.
pub(super) fn read_lifetime(value: Option<&Value>) -> Result<Option<Lifetime>, TokenEndpointError> {
    let number = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
        Some(Value::String(text)) => text.trim().parse::<f64>().ok(),
        Some(_) => None,
    };
    match number {
        Some(n) if n.is_finite() && n >= 0.0 => {
            // In range after the comparison, and a fraction is meant to go.
            let seconds = if n >= LONGEST as f64 { LONGEST } else { n as i64 };
            Ok((seconds > 0).then(|| Lifetime::from_seconds(seconds)))
        }
        _ => Err(TokenEndpointError::Answer(AnswerError::ExpiresIn)),
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
pub enum AnswerError {
    /// Neither a number nor a text that holds one, or a negative one.
    #[error("the token endpoint sent an expires_in that is not a number of seconds")]
    ExpiresIn,
    /// A device's codes are not all there, or one of them is not what it is to be.
    #[error("the device authorization endpoint sent no usable {0}")]
    DeviceCodes(&'static str),
    /// Success without a token. The words are the reference's.
    #[error("server response missing access_token")]
    NoAccessToken,
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
    /// Not a success, and not an OAuth error either.
    #[error("the token endpoint answered http {0}")]
    Status(u16),
    /// Only bearer tokens are understood (A5).
    #[error("the token endpoint sent a token that is not a bearer token")]
    TokenType,
}

impl AnswerError {
    /// Whether a later try may succeed: a page in the way, or the server in trouble.
    pub fn is_transient(&self) -> bool {
        match self {
            // A page with a success or a redirect is something in the way; with a 4xx it is an answer.
            Self::NotJson { status, .. } if *status < 400 => true,
            Self::NotJson { status, .. } | Self::Status(status) => {
                *status >= 500 || matches!(status, 408 | 425 | 429)
            }
            _ => false,
        }
    }
}

/// How a token request failed, split by blame: the answer, the server's decision, or the way there.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenEndpointError {
    /// An answer that is not a token response.
    #[error(transparent)]
    Answer(AnswerError),
    /// The server said no.
    #[error(transparent)]
    Refused(Refusal),
    /// No answer.
    #[error("the token endpoint could not be asked")]
    Unreachable(#[source] TransportFailure),
}

impl std::error::Error for Refusal {}

impl TokenEndpointError {
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
#[path = "response_tests.rs"]
mod tests;
