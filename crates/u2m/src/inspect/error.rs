//! Why it cannot be said that a configuration works.

use crate::choose::ChooseError;
use crate::storage::StorageError;
use std::time::Duration;
use u2m_config::ResolveError;
use u2m_core::{ApiError, Blame, Foreign, MetadataError, TokenError, TransportFailureKind};

/// Why a configuration does not work, or why that was not found out. No text of it shows a credential.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The API did not take the token.
    #[error(transparent)]
    Api(ApiError),
    /// It is not clear what is signed in to.
    #[error(transparent)]
    Choose(ChooseError),
    /// There is an account to ask about, and nobody names it.
    #[error("which account is meant is not known")]
    NoAccount,
    /// There is nobody to ask.
    #[error("there is no host")]
    NoHost,
    /// Nobody has signed in.
    #[error("no cached credentials")]
    NoLogin,
    /// The configuration says how to authenticate, and lacks what that takes.
    #[error("{0} is to be used, and there is no token")]
    NoToken(Foreign),
    /// The configuration cannot be settled.
    #[error(transparent)]
    Resolve(ResolveError),
    /// There is no store to look for the login in.
    #[error("{0}")]
    Storage(Foreign, bool),
    /// There was no answer in time.
    #[error("no answer within {}", seconds(.0))]
    TimedOut(Duration),
    /// There is no token of the login.
    #[error(transparent)]
    Token(TokenError),
    /// Only logins of people and personal tokens are checked here.
    #[error("not checked: {0} is not tried here, only logins and personal tokens are")]
    Unchecked(Foreign),
}

impl CheckError {
    pub(super) fn token(error: TokenError) -> Self {
        match error {
            TokenError::NotFound => Self::NoLogin,
            error => Self::Token(error),
        }
    }

    pub(super) fn storage(error: &StorageError) -> Self {
        let is_mode = matches!(error, StorageError::UnknownMode { .. });
        Self::Storage(Foreign::new(&u2m_core::chain(error)), is_mode)
    }

    /// One word for what a program can act on; the words stay as they are.
    ///
    /// ```
    /// assert_eq!(u2m::CheckError::NoLogin.category(), "not-configured");
    /// ```
    pub fn category(&self) -> &'static str {
        match self {
            Self::Api(ApiError::BadAnswer(_)) => "bad-response",
            Self::Api(ApiError::Network(failure))
                if failure.kind() == TransportFailureKind::TimedOut =>
            {
                "timeout"
            }
            Self::Api(ApiError::Network(_)) => "network",
            Self::Api(error) if error.rejects_the_token() => "unauthorized",
            Self::Api(error) if error.is_forbidden() => "forbidden",
            Self::Api(error) if error.is_transient() => "network",
            Self::Api(_) => "refused",
            Self::Choose(error) => choose(error),
            Self::NoAccount => "no-account",
            Self::NoHost => "no-host",
            Self::NoLogin => "not-configured",
            Self::NoToken(_) => "no-token",
            Self::Resolve(error) => resolve(error),
            Self::Storage(_, true) => "storage-mode",
            Self::Storage(..) => "storage",
            Self::TimedOut(_) => "timeout",
            Self::Token(error) => token(error),
            Self::Unchecked(_) => "not-checked",
        }
    }

    /// Whether nothing is known to be wrong: it was not found out.
    pub fn is_unchecked(&self) -> bool {
        matches!(self, Self::Unchecked(_))
    }
}

fn choose(error: &ChooseError) -> &'static str {
    match error {
        ChooseError::Ambiguous { .. } => "ambiguous",
        ChooseError::Conflict { .. } => "conflict",
        ChooseError::MachineProfile(_) => "m2m-profile",
        ChooseError::NoAccount(_) => "no-account",
        ChooseError::NoHost(_) => "no-host",
        ChooseError::UnknownProfile { .. } => "unknown-profile",
        _ => "config",
    }
}

fn resolve(error: &ResolveError) -> &'static str {
    match error {
        ResolveError::Ambiguous { .. } => "ambiguous",
        ResolveError::Conflict { .. } => "conflict",
        ResolveError::NoFile { .. } => "no-config-file",
        ResolveError::NoProfile { .. } => "unknown-profile",
        ResolveError::Reserved => "reserved-name",
        ResolveError::UnknownHost { .. } => "unknown-host",
        _ => "config",
    }
}

fn token(error: &TokenError) -> &'static str {
    let is_store = matches!(error, TokenError::Store(_))
        || matches!(error, TokenError::Reported(report) if report.blame == Blame::Store);
    match error {
        TokenError::Rejected(_) => "refresh-invalid",
        TokenError::MissingRefreshToken => "no-refresh-token",
        TokenError::Mismatch { .. } => "credential-mismatch",
        TokenError::Endpoints(MetadataError::NotSupported) => "not-supported",
        _ if is_store => "storage",
        _ if error.is_transient() => "network",
        _ => "refresh-failed",
    }
}

fn seconds(time: &Duration) -> String {
    match time.as_millis() {
        millis if millis % 1000 == 0 => format!("{} s", millis / 1000),
        millis => format!("{millis} ms"),
    }
}
