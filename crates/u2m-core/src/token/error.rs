//! How getting a token can fail, by cause.

use crate::oauth::{ErrorResponse, MetadataError, TokenEndpointError};
use crate::spend_state::SpendState;
use crate::text::Sanitized;
use crate::time::Lifetime;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// How getting a token can fail. Cheap to clone: all callers that waited for one refresh share its failure.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The host's endpoints could not be determined.
    #[error("fetching OAuth endpoints")]
    Endpoints(#[source] MetadataError),
    /// Another process held the entry's lock, or was spending its refresh token, for too long.
    #[error("another process has been refreshing this login for too long")]
    LockTimeout,
    /// The stored login does not match the request. Its tokens were sent nowhere.
    #[error("the stored login belongs to {stored}, not to {wanted} ({what})")]
    Mismatch {
        /// What differs: host, issuer, account, client or scopes.
        what: &'static str,
        /// The stored value.
        stored: Sanitized,
        /// The requested value.
        wanted: Sanitized,
    },
    /// The access token has expired and there is no refresh token. The text is the Go SDK's.
    #[error("cached token has no refresh token")]
    MissingRefreshToken,
    /// A discovery login that another program saved names no host, so the caller must name it.
    #[error("the host of this login is not known")]
    NoHost,
    /// No login is stored. The text is the Go SDK's.
    #[error("token not found")]
    NotFound,
    /// The caller's time limit passed before any work began that continues without it. As far as is known, nothing was sent.
    #[error("the time limit was over before the token could be refreshed")]
    OutOfTime,
    /// Code that the refresh calls panicked: a store, transport or supplier that the program provides, or u2m itself. It will
    /// do so again, and may have done so after the refresh token was sent.
    #[error("code that the refresh calls has panicked")]
    Panicked,
    /// A refresh failed, and the token endpoint asked for a pause that is not over yet. Nothing was sent.
    #[error("the token endpoint wants no further request for another {} s: {why}", left.seconds())]
    Postponed {
        /// What is left of the pause.
        left: Lifetime,
        /// How the refresh failed.
        why: Sanitized,
    },
    /// A refresh failed. The source says whether it may succeed later.
    #[error("token refresh failed")]
    Refresh(#[source] TokenEndpointError),
    /// The server rejected the refresh token, and will never accept it again.
    #[error("the refresh token was rejected")]
    Rejected(#[source] ErrorResponse),
    /// Another process did the refresh and reported this failure.
    #[error("{0}")]
    Reported(ReportedError),
    /// The server issued the same token again that an API had rejected.
    #[error("the server issued the rejected token again")]
    SameTokenAgain,
    /// The refresh token must not be sent, and was not: it was already spent under another name, file or path, or it belongs to
    /// a copy of the login that does not count. The text says which, and where the login is kept.
    #[error("the refresh token of this login is not to be sent: {0}")]
    SpentElsewhere(Sanitized),
    /// The refresh token was spent, and the new tokens are unknown or could not be kept, for example because the response was
    /// unreadable. It is not sent again automatically. A forced refresh sends it once more, because some servers accept that.
    #[error("the refresh token was spent, and what it bought is not there: {0}")]
    SpentInVain(Sanitized),
    /// The caller's time limit passed. The refresh continues without it, and its result is saved.
    #[error("still waiting for the new token; if it comes, it is saved")]
    StillWaiting,
    /// The store failed. No refresh token was spent.
    #[error("the token store failed")]
    Store(#[source] StoreFailure),
    /// A refresh that this caller waited for failed in a way that may pass, or a refresh ahead of time failed a moment ago.
    #[error("a refresh has just failed: {0}")]
    TriedJustNow(Sanitized),
    /// The refresh ended without a result, because its process or runtime ended, before or after the token was sent.
    #[error("the refresh did not finish")]
    Unfinished,
}

impl TokenError {
    /// Whether a later try may succeed, without any change.
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

/// A failure in another process. Its causes are reduced to text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{blame}: {text}")]
#[non_exhaustive]
pub struct ReportedError {
    /// Which step failed.
    pub blame: ReportedStep,
    /// Why it failed, as text that is safe to show.
    pub text: String,
    /// Whether a later try may succeed.
    pub is_transient: bool,
    /// What is known of the refresh token.
    pub fate: SpendState,
}

/// The step of a refresh that a reported failure belongs to.
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
    /// Makes a reported failure. For a failed refresh, the state of the refresh token is unknown unless
    /// [stated](ReportedError::with_fate); for the other steps it was not sent.
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

    /// Sets what is known of the refresh token.
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

/// A store's own error, which the flow passes on unchanged.
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
    /// let failure = u2m_core::StoreFailure::transient(std::io::Error::other("no answer"));
    /// assert!(failure.is_transient());
    /// ```
    pub fn transient(error: impl Error + Send + Sync + 'static) -> Self {
        Self { error: Arc::new(error), is_transient: true }
    }

    /// Whether a later try may succeed, without any change.
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
