//! How getting a token can fail, split by blame.

use crate::oauth::{ErrorResponse, MetadataError, TokenEndpointError};
use crate::spend_state::SpendState;
use crate::text::Sanitized;
use crate::time::Lifetime;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// How getting a token can fail. Cheap to clone: all who waited for one refresh share its failure.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The endpoints of the host are not known.
    #[error("fetching OAuth endpoints")]
    Endpoints(#[source] MetadataError),
    /// Another process held the entry's lock, or was spending its refresh token, for longer than is waited for.
    #[error("another process has been refreshing this login for too long")]
    LockTimeout,
    /// The stored login is another one's than the one asked for; its tokens were sent nowhere.
    #[error("the stored login belongs to {stored}, not to {wanted} ({what})")]
    Mismatch {
        /// What differs: host, issuer, account, client or scopes.
        what: &'static str,
        /// As stored.
        stored: Sanitized,
        /// As asked for.
        wanted: Sanitized,
    },
    /// The access token has run out and there is nothing to renew it with. The words are the reference's.
    #[error("cached token has no refresh token")]
    MissingRefreshToken,
    /// A discovery login from another program names no host; the host must be given.
    #[error("the host of this login is not known")]
    NoHost,
    /// No login is stored. The words are the reference's.
    #[error("token not found")]
    NotFound,
    /// The caller's own time was over before anything had begun that goes on without it: as far as was seen, nothing was sent.
    #[error("the time limit was over before the token could be refreshed")]
    OutOfTime,
    /// Code that the refresh calls panicked: a store, a transport or a supplier that the program brought along, or our own. It will
    /// do so again, and may have done so after the refresh token was sent.
    #[error("code that the refresh calls has panicked")]
    Panicked,
    /// The token endpoint has asked for a pause when a refresh failed, and it is not over: nothing was sent.
    #[error("the token endpoint wants no further request for another {} s: {why}", left.seconds())]
    Postponed {
        /// What is left of the pause.
        left: Lifetime,
        /// How the refresh failed.
        why: Sanitized,
    },
    /// A refresh failed, and may work later or not: the error says.
    #[error("token refresh failed")]
    Refresh(#[source] TokenEndpointError),
    /// The refresh token will never be accepted again.
    #[error("the refresh token was rejected")]
    Rejected(#[source] ErrorResponse),
    /// Another process carried the refresh out, and this is what it said.
    #[error("{0}")]
    Reported(ReportedError),
    /// The server issued the very token again that an API had rejected.
    #[error("the server issued the rejected token again")]
    SameTokenAgain,
    /// The refresh token was spent before, by somebody who came to it by another name, file or path, or it is that of a copy
    /// which does not count: nothing was sent. The words say which, and where the login is kept.
    #[error("the refresh token of this login is not to be sent: {0}")]
    SpentElsewhere(Sanitized),
    /// The refresh token was spent, and what it bought is not known or could not be kept: a success that cannot be read, say.
    /// It is not sent again in silence; a forced refresh sends it once more, because not every server minds.
    #[error("the refresh token was spent, and what it bought is not there: {0}")]
    SpentInVain(Sanitized),
    /// The caller's own time is over. The refresh that is under way goes on without it, and what it brings is saved.
    #[error("still waiting for the new token; if it comes, it is saved")]
    StillWaiting,
    /// The store failed; no refresh token was spent.
    #[error("the token store failed")]
    Store(#[source] StoreFailure),
    /// A refresh that this caller has waited for failed, in a way that may pass; or one ahead of time did so a moment ago.
    #[error("a refresh has just failed: {0}")]
    TriedJustNow(Sanitized),
    /// The refresh ended without a word: its process or its runtime did, before or after it was sent.
    #[error("the refresh did not finish")]
    Unfinished,
}

impl TokenError {
    /// Whether a later try may succeed, without anything being changed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Endpoints(error) => error.is_transient(),
            Self::Refresh(error) => error.is_transient(),
            Self::Reported(report) => report.is_transient,
            Self::Store(failure) => failure.is_transient(),
            Self::LockTimeout
            | Self::OutOfTime
            | Self::Postponed { .. }
            | Self::StillWaiting
            | Self::TriedJustNow(_)
            | Self::Unfinished => true,
            Self::Mismatch { .. }
            | Self::MissingRefreshToken
            | Self::NoHost
            | Self::NotFound
            | Self::Panicked
            | Self::Rejected(_)
            | Self::SameTokenAgain
            | Self::SpentElsewhere(_)
            | Self::SpentInVain(_) => false,
        }
    }

    /// Whether only a new login helps.
    pub fn needs_login(&self) -> bool {
        match self {
            Self::Refresh(error) => error.needs_login(),
            Self::MissingRefreshToken
            | Self::NotFound
            | Self::Rejected(_)
            | Self::NoHost
            | Self::SpentInVain(_)
            | Self::Mismatch { .. } => true,
            Self::Endpoints(_)
            | Self::LockTimeout
            | Self::OutOfTime
            | Self::Panicked
            | Self::Postponed { .. }
            | Self::Reported(_)
            | Self::SameTokenAgain
            | Self::SpentElsewhere(_)
            | Self::StillWaiting
            | Self::Store(_)
            | Self::TriedJustNow(_)
            | Self::Unfinished => false,
        }
    }
}

/// A failure in another process: of its causes only the words are left.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{blame}: {text}")]
#[non_exhaustive]
pub struct ReportedError {
    /// What failed there.
    pub blame: ReportedStep,
    /// Why it failed, in words that are fit to be shown.
    pub text: String,
    /// Whether a later try may succeed.
    pub is_transient: bool,
    /// What is known of the refresh token.
    pub fate: SpendState,
}

/// What a failure that was reported is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportedStep {
    /// The endpoints of the host: [`TokenError::Endpoints`].
    #[error("fetching OAuth endpoints")]
    Endpoints,
    /// The refresh itself: [`TokenError::Refresh`].
    #[error("token refresh failed")]
    Refresh,
    /// The store: [`TokenError::Store`].
    #[error("the token store failed")]
    Store,
}

impl ReportedError {
    /// Takes its parts. Of a refresh, nothing is known of the refresh token unless that is [said](ReportedError::with_fate); for
    /// everything else it was not sent.
    ///
    /// ```
    /// use u2m_core::{ReportedStep, ReportedError, TokenError};
    /// let report = ReportedError::new(ReportedStep::Refresh, "http 503", true);
    /// assert!(TokenError::Reported(report).is_transient());
    /// ```
    pub fn new(blame: ReportedStep, text: impl Into<String>, is_transient: bool) -> Self {
        let fate =
            if blame == ReportedStep::Refresh { SpendState::Unknown } else { SpendState::Kept };
        Self { blame, text: text.into(), is_transient, fate }
    }

    /// Says what is known of the refresh token.
    ///
    /// ```
    /// use u2m_core::{ReportedStep, SpendState, ReportedError, TokenError};
    /// let report = ReportedError::new(ReportedStep::Refresh, "refused", true).with_fate(SpendState::Kept);
    /// assert_eq!(TokenError::Reported(report).fate(), SpendState::Kept);
    /// ```
    #[must_use]
    pub fn with_fate(mut self, fate: SpendState) -> Self {
        self.fate = fate;
        self
    }
}

/// What a store reported, carried through the flow without being looked at.
#[derive(Clone)]
pub struct StoreFailure {
    error: Arc<dyn Error + Send + Sync>,
    is_transient: bool,
}

impl StoreFailure {
    /// Wraps a store's own error.
    ///
    /// ```
    /// let failure = u2m_core::StoreFailure::new(std::io::Error::other("disk full"));
    /// assert_eq!(failure.to_string(), "disk full");
    /// ```
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self { error: Arc::new(error), is_transient: false }
    }

    /// Wraps an error of a store that may be gone at the next try.
    ///
    /// ```
    /// let failure = u2m_core::StoreFailure::passing(std::io::Error::other("no answer"));
    /// assert!(failure.is_transient());
    /// ```
    pub fn passing(error: impl Error + Send + Sync + 'static) -> Self {
        Self { error: Arc::new(error), is_transient: true }
    }

    /// Whether a later try may succeed, without anything being changed.
    pub fn is_transient(&self) -> bool {
        self.is_transient
    }

    /// The store's own error, if it is of this type.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.error.downcast_ref()
    }
}

impl fmt::Debug for StoreFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Display for StoreFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for StoreFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
