//! How a source of tokens can fail, whatever makes them: split by blame.

use crate::oauth::Scopes;
use crate::text::Sanitized;
use crate::token::TokenError;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How a source can fail to give a token. Cheap to clone: all who waited for one token share its failure.
///
/// ```
/// use u2m_core::{SourceError, SourceFailure, TokenError};
/// assert!(SourceError::from(TokenError::NotFound).needs_login());
/// let busy = SourceFailure::passing(std::io::Error::other("http 503"));
/// assert!(SourceError::Refused(busy).is_transient());
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The caller: this source makes no such tokens, whenever it is asked.
    #[error("this source gives no token for the {what} {wanted}")]
    Unsuited {
        /// Of what kind: audience or scopes.
        what: &'static str,
        /// As asked for.
        wanted: Sanitized,
    },
    /// A person's login, which tokens are renewed with.
    #[error(transparent)]
    Login(TokenError),
    /// This machine: what tokens are made from is not to be had here; a file, a variable, another program.
    #[error("what the token is made from is not to be had")]
    Local(#[source] SourceFailure),
    /// The network: the server was not reached, or did not answer.
    #[error("the server that gives the token did not answer")]
    Unreachable(#[source] SourceFailure),
    /// The server: it answered, and gave no token.
    #[error("the server gave no token")]
    Refused(#[source] SourceFailure),
    /// Code that fetching the token calls panicked. It will do so again.
    #[error("code that fetches the token has panicked")]
    Panicked,
    /// Fetching the token ended without a word: its thread, its runtime or its process did.
    #[error("fetching the token did not finish")]
    Unfinished,
}

impl SourceError {
    /// That a source has no tokens for `audience`.
    ///
    /// ```
    /// use u2m_core::SourceError;
    /// let error = SourceError::no_audience("https://api.example");
    /// assert_eq!(error.to_string(), "this source gives no token for the audience https://api.example");
    /// ```
    pub fn no_audience(audience: &str) -> Self {
        Self::Unsuited { what: "audience", wanted: Sanitized::new(audience) }
    }

    /// That a source has no tokens with `scopes`.
    ///
    /// ```
    /// use u2m_core::{Scopes, SourceError};
    /// assert!(!SourceError::no_scopes(&Scopes::new(["sql"])).is_transient());
    /// ```
    pub fn no_scopes(scopes: &Scopes) -> Self {
        Self::Unsuited { what: "scopes", wanted: Sanitized::new(&scopes.to_string()) }
    }

    /// Whether a later try may succeed, without anything being changed.
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

    /// For how long the server asked not to be asked again, as far as it did.
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

/// A source's own error, with what a caller decides by.
#[derive(Clone)]
pub struct SourceFailure {
    error: Arc<dyn Error + Send + Sync>,
    is_transient: bool,
    retry_after: Option<Duration>,
}

impl SourceFailure {
    /// One that a later try would meet again.
    ///
    /// ```
    /// let failure = u2m_core::SourceFailure::new(std::io::Error::other("no such key"));
    /// assert_eq!(failure.to_string(), "no such key");
    /// ```
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self { error: Arc::new(error), is_transient: false, retry_after: None }
    }

    /// One that may pass by itself.
    ///
    /// ```
    /// use u2m_core::{SourceError, SourceFailure};
    /// let failure = SourceFailure::passing(std::io::Error::other("no answer"));
    /// assert!(SourceError::Unreachable(failure).is_transient());
    /// ```
    pub fn passing(error: impl Error + Send + Sync + 'static) -> Self {
        Self { is_transient: true, ..Self::new(error) }
    }

    /// Says for how long the server asked not to be asked again (RFC 9110 section 10.2.3).
    ///
    /// ```
    /// use std::time::Duration;
    /// use u2m_core::{SourceError, SourceFailure};
    /// let failure = SourceFailure::passing(std::io::Error::other("http 429"));
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
        let passing = || SourceFailure::passing(no());
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
