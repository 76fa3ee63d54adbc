//! What the small process says when it is done. One JSON object over a pipe.

use crate::keeper::Landed;
use serde::{Deserialize, Serialize};
use u2m_core::{
    AccessToken, Blame, How, Issued, Lifetime, MetadataError, Refusal, Report, Session,
    StoreFailure, Timestamp, TokenError, chain,
};
use zeroize::Zeroizing;

/// An outcome, without the refresh token: the caller has no use for it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Failed(Failed),
    Issued {
        access_token: Zeroizing<String>,
        expiry: Option<i64>,
        lifetime: Option<i64>,
        issued_at: Option<i64>,
        how: Told,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    Kept(Failed),
    Renewed,
    Stored,
    Unsaved(String),
}

/// A [`TokenError`]: the kinds that are decided on, as they are; the others in words.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Failed {
    LockTimeout,
    MissingRefreshToken,
    NoHost,
    NotFound,
    NotSupported,
    Rejected { status: u16, code: String, description: Option<String> },
    Reported { what: What, text: String, is_transient: bool },
    SameTokenAgain,
    Unfinished,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    Endpoints,
    Refresh,
    Store,
}

impl Answer {
    pub(super) fn of(landed: &Landed) -> Self {
        let issued = match landed {
            Ok(issued) => issued,
            Err(error) => return Self::Failed(Failed::of(error)),
        };
        let session = issued.session();
        Self::Issued {
            access_token: Zeroizing::new(session.access_token.expose().to_owned()),
            expiry: session.expiry.map(Timestamp::unix),
            lifetime: session.lifetime.map(Lifetime::seconds),
            issued_at: session.issued_at.map(Timestamp::unix),
            how: match issued.how() {
                How::Kept(why) => Told::Kept(Failed::of(why)),
                How::Renewed => Told::Renewed,
                How::RenewedUnsaved(why) => Told::Unsaved(chain(why)),
                _ => Told::Stored,
            },
        }
    }

    pub(super) fn landed(self) -> Landed {
        let (access_token, expiry, lifetime, issued_at, how) = match self {
            Self::Failed(failed) => return Err(failed.error()),
            Self::Issued { access_token, expiry, lifetime, issued_at, how } => {
                (access_token, expiry, lifetime, issued_at, how)
            }
        };
        let mut session = Session::new(AccessToken::new(access_token.as_str()));
        session.expiry = expiry.map(Timestamp::from_unix);
        session.lifetime = lifetime.map(Lifetime::from_seconds);
        session.issued_at = issued_at.map(Timestamp::from_unix);
        let how = match how {
            Told::Kept(why) => How::Kept(why.error()),
            Told::Renewed => How::Renewed,
            Told::Stored => How::Stored,
            Told::Unsaved(why) => How::RenewedUnsaved(StoreFailure::new(Words(why))),
        };
        Ok(Issued::new(session, how))
    }
}

impl Failed {
    fn of(error: &TokenError) -> Self {
        let told = |what, text| Self::Reported { what, text, is_transient: error.is_transient() };
        match error {
            TokenError::Endpoints(MetadataError::NotSupported) => Self::NotSupported,
            TokenError::Endpoints(cause) => told(What::Endpoints, chain(cause)),
            TokenError::LockTimeout => Self::LockTimeout,
            TokenError::MissingRefreshToken => Self::MissingRefreshToken,
            TokenError::NoHost => Self::NoHost,
            TokenError::NotFound => Self::NotFound,
            TokenError::Refresh(cause) => told(What::Refresh, chain(cause)),
            TokenError::Rejected(refusal) => Self::Rejected {
                status: refusal.status(),
                code: refusal.code().to_string(),
                description: refusal.description().map(ToString::to_string),
            },
            TokenError::Reported(report) => Self::Reported {
                what: What::of(report.blame),
                text: report.text.clone(),
                is_transient: report.is_transient,
            },
            TokenError::SameTokenAgain => Self::SameTokenAgain,
            TokenError::Store(failure) => told(What::Store, chain(failure)),
            TokenError::Unfinished => Self::Unfinished,
            // `Mismatch` and `TriedJustNow` are found by the caller itself, before it asks for help.
            other => told(What::Refresh, chain(other)),
        }
    }

    fn error(self) -> TokenError {
        match self {
            Self::LockTimeout => TokenError::LockTimeout,
            Self::MissingRefreshToken => TokenError::MissingRefreshToken,
            Self::NoHost => TokenError::NoHost,
            Self::NotFound => TokenError::NotFound,
            Self::NotSupported => TokenError::Endpoints(MetadataError::NotSupported),
            Self::Rejected { status, code, description } => {
                TokenError::Rejected(Refusal::new(status, &code, description.as_deref()))
            }
            Self::Reported { what, text, is_transient } => {
                TokenError::Reported(Report::new(what.blame(), text, is_transient))
            }
            Self::SameTokenAgain => TokenError::SameTokenAgain,
            Self::Unfinished => TokenError::Unfinished,
        }
    }
}

impl What {
    fn of(blame: Blame) -> Self {
        match blame {
            Blame::Endpoints => Self::Endpoints,
            Blame::Store => Self::Store,
            _ => Self::Refresh,
        }
    }

    fn blame(self) -> Blame {
        match self {
            Self::Endpoints => Blame::Endpoints,
            Self::Refresh => Blame::Refresh,
            Self::Store => Blame::Store,
        }
    }
}

/// A store's failure of which only the words are left.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Words(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn through(landed: &Landed) -> Landed {
        let text = serde_json::to_string(&Answer::of(landed)).unwrap();
        serde_json::from_str::<Answer>(&text).unwrap().landed()
    }

    #[test]
    fn a_token_comes_through_without_the_refresh_token() {
        let session = Session::new(AccessToken::new("a"))
            .with_refresh_token(u2m_core::RefreshToken::new("canary"))
            .with_expiry(Timestamp::from_unix(7));
        let landed = Ok(Issued::new(session, How::Renewed));
        assert!(!serde_json::to_string(&Answer::of(&landed)).unwrap().contains("canary"));
        let issued = through(&landed).unwrap();
        assert_eq!(issued.session().access_token.expose(), "a");
        assert_eq!(issued.session().expiry, Some(Timestamp::from_unix(7)));
        assert!(matches!(issued.how(), How::Renewed));
    }

    #[test]
    fn what_callers_decide_on_comes_through_as_it_is() {
        let refusal = Refusal::new(400, "invalid_grant", Some("gone"));
        for error in [
            TokenError::Rejected(refusal),
            TokenError::NotFound,
            TokenError::LockTimeout,
            TokenError::Endpoints(MetadataError::NotSupported),
            TokenError::Endpoints(MetadataError::Status(503)),
            TokenError::Store(StoreFailure::new(std::io::Error::other("disk full"))),
        ] {
            let twin = through(&Err(error.clone())).unwrap_err();
            assert_eq!(chain(&twin), chain(&error));
            assert_eq!(twin.needs_login(), error.needs_login(), "{error}");
            assert_eq!(twin.is_transient(), error.is_transient(), "{error}");
        }
    }
}
