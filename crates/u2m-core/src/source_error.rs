//! How a token source can fail, by cause, whatever kind of source it is.

use crate::oauth::Scopes;
use crate::text::Sanitized;
use crate::token::TokenError;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why a source gave no token. Cheap to clone: all callers that waited for one token share its failure.
///
/// ```
/// use u2m_core::{SourceError, SourceFailure, TokenError};
/// assert!(SourceError::from(TokenError::NotFound).needs_login());
/// let busy = SourceFailure::transient(std::io::Error::other("http 503"));
/// assert!(SourceError::Refused(busy).is_transient());
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The request: this source never gives tokens like that.
    #[error("this source gives no token for the {what} {wanted}")]
    Unsuited {
        /// What it does not support: audience or scopes.
        what: &'static str,
        /// The requested value.
        wanted: Sanitized,
    },
    /// The person's login from which tokens are refreshed.
    #[error(transparent)]
    Login(TokenError),
    /// This machine: something that the token is made from is not available, such as a file, a variable or another program.
    #[error("what the token is made from is not to be had")]
    Local(#[source] SourceFailure),
    /// The network: the server could not be reached or did not respond.
    #[error("the server that gives the token did not answer")]
    Unreachable(#[source] SourceFailure),
    /// The server: it responded without a token.
    #[error("the server gave no token")]
    Refused(#[source] SourceFailure),
    /// Code that fetching the token calls panicked. It will do so again.
    #[error("code that fetches the token has panicked")]
    Panicked,
    /// Fetching the token ended without a result, because its thread, runtime or process ended.
    #[error("fetching the token did not finish")]
    Unfinished,
}

impl SourceError {
    /// The error of a source that has no tokens for `audience`.
    ///
    /// ```
    /// use u2m_core::SourceError;
    /// let error = SourceError::no_audience("https://api.example");
    /// assert_eq!(error.to_string(), "this source gives no token for the audience https://api.example");
    /// ```
    pub fn no_audience(audience: &str) -> Self {
        Self::Unsuited { what: "audience", wanted: Sanitized::new(audience) }
    }

    /// The error of a source that has no tokens with `scopes`.
    ///
    /// ```
    /// use u2m_core::{Scopes, SourceError};
    /// assert!(!SourceError::no_scopes(&Scopes::new(["sql"])).is_transient());
    /// ```
    pub fn no_scopes(scopes: &Scopes) -> Self {
        Self::Unsuited { what: "scopes", wanted: Sanitized::new(&scopes.to_string()) }
    }

    /// Whether a later try may succeed, without any change.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Login(error) => error.is_transient(),
            Self::Local(failure) | Self::Unreachable(failure) | Self::Refused(failure) => {
                failure.is_transient
            }
            Self::Unfinished => true,
            Self::Panicked | Self::Unsuited { .. } => false,
        }
    }

    /// Whether only a new login by a person helps.
    pub fn needs_login(&self) -> bool {
        matches!(self, Self::Login(error) if error.needs_login())
    }

    /// How long the server asked the client to wait, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Login(TokenError::Postponed { left, .. }) => {
                u64::try_from(left.seconds()).ok().map(Duration::from_secs)
            }
            Self::Local(failure) | Self::Unreachable(failure) | Self::Refused(failure) => {
                failure.retry_after
            }
            Self::Login(_) | Self::Panicked | Self::Unfinished | Self::Unsuited { .. } => None,
        }
    }
}

impl From<TokenError> for SourceError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Panicked => Self::Panicked,
            error => Self::Login(error),
        }
    }
}

/// A source's own error, and what a caller needs to know to react to it.
#[derive(Clone)]
pub struct SourceFailure {
    error: Arc<dyn Error + Send + Sync>,
    is_transient: bool,
    retry_after: Option<Duration>,
}

impl SourceFailure {
    /// Wraps an error that a later try would meet again.
    ///
    /// ```
    /// let failure = u2m_core::SourceFailure::new(std::io::Error::other("no such key"));
    /// assert_eq!(failure.to_string(), "no such key");
    /// ```
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self { error: Arc::new(error), is_transient: false, retry_after: None }
    }

    /// Wraps an error that may pass by itself.
    ///
    /// ```
    /// use u2m_core::{SourceError, SourceFailure};
    /// let failure = SourceFailure::transient(std::io::Error::other("no answer"));
    /// assert!(SourceError::Unreachable(failure).is_transient());
    /// ```
    pub fn transient(error: impl Error + Send + Sync + 'static) -> Self {
        Self { is_transient: true, ..Self::new(error) }
    }

    /// Sets how long the server asked the client to wait (RFC 9110 section 10.2.3).
    ///
    /// ```
    /// use std::time::Duration;
    /// use u2m_core::{SourceError, SourceFailure};
    /// let failure = SourceFailure::transient(std::io::Error::other("http 429"));
    /// let error = SourceError::Refused(failure.with_retry_after(Duration::from_secs(7)));
    /// assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    /// ```
    #[must_use]
    pub fn with_retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// The source's own error, if it is of this type.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.error.downcast_ref()
    }
}

impl fmt::Debug for SourceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Display for SourceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for SourceFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Lifetime;

    #[test]
    fn what_may_pass_and_what_needs_a_person_is_told_by_whoever_failed() {
        let no = || std::io::Error::other("no");
        let passing = || SourceFailure::transient(no());
        let lasting = || SourceFailure::new(no());
        for (error, may_pass, needs_login) in [
            (SourceError::Login(TokenError::NotFound), false, true),
            (SourceError::Login(TokenError::LockTimeout), true, false),
            (SourceError::Local(lasting()), false, false),
            (SourceError::Local(passing()), true, false),
            (SourceError::Unreachable(passing()), true, false),
            (SourceError::Refused(lasting()), false, false),
            (SourceError::no_audience("a"), false, false),
            (SourceError::Unfinished, true, false),
            (SourceError::Panicked, false, false),
            (TokenError::Panicked.into(), false, false),
        ] {
            assert_eq!((error.is_transient(), error.needs_login()), (may_pass, needs_login));
        }
    }

    #[test]
    fn a_pause_that_was_asked_for_is_told() {
        let left = Lifetime::from_seconds(47);
        let postponed = TokenError::Postponed { left, why: Sanitized::new("busy") };
        let error = SourceError::from(postponed);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(47)));
        assert_eq!(SourceError::Unfinished.retry_after(), None);
    }

    #[test]
    fn what_was_asked_for_is_shown_as_one_printable_line() {
        let error = SourceError::no_audience("a\r\nx: \u{1b}[2J");
        assert!(!error.to_string().contains(['\r', '\n', '\u{1b}']), "{error}");
    }
}
