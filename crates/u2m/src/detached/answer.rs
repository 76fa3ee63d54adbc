//! The answer of the refresh process: one JSON object over a pipe.

use crate::refresher::RefreshResult;
use serde::{Deserialize, Serialize};
use std::io;
use u2m_cache::Notice;
use u2m_core::{
    ErrorResponse, IssuedToken, Lifetime, MetadataError, ReportedError, ReportedStep, Sanitized,
    SessionRecord, SpendState, StoreFailure, TokenEndpointError, TokenError, TokenOrigin, chain,
    secret_json,
};
use zeroize::Zeroizing;

/// How the refresh ended, and the notices for the person.
#[derive(Serialize, Deserialize)]
pub(super) struct ChildReply {
    outcome: ChildOutcome,
    notices: Vec<String>,
}

/// An outcome without the refresh token: the caller does not need it, unless it is stored nowhere.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChildOutcome {
    Failed(ChildFailure),
    Issued { session: Box<SessionRecord>, how: ChildNotice },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChildNotice {
    Kept(ChildFailure),
    Renewed,
    Stored,
    Unsaved { why: String },
}

/// A [`TokenError`]: the kinds that callers act on are kept; the others become text.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChildFailure {
    LockTimeout,
    MissingRefreshToken,
    NoHost,
    NotFound,
    NotSupported,
    Panicked,
    /// [`TokenError::Postponed`].
    Postponed {
        left: i64,
        why: String,
    },
    /// A [`TokenError::Refresh`] that asks for a person.
    Refused {
        status: u16,
        code: String,
        description: Option<String>,
        suberror: Option<String>,
    },
    Rejected {
        status: u16,
        code: String,
        description: Option<String>,
    },
    Reported {
        what: ChildFailureKind,
        text: String,
        is_transient: bool,
        #[serde(default)]
        known: Option<ChildSpendState>,
    },
    SameTokenAgain,
    SpentElsewhere(String),
    SpentInVain(String),
    Unfinished,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChildFailureKind {
    Endpoints,
    Refresh,
    Store,
}

/// What is known about the refresh token; empty if nothing was said.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChildSpendState {
    Kept,
    Spent,
}

impl ChildReply {
    pub(super) fn of(landed: &RefreshResult, notices: Vec<Notice>) -> Self {
        let notices = notices.into_iter().map(|notice| notice.text).collect();
        Self { outcome: ChildOutcome::of(landed), notices }
    }

    /// Writes one line: its end shows that it is complete.
    pub(super) fn text(&self) -> io::Result<Zeroizing<String>> {
        let mut line = secret_json(self).ok_or(io::ErrorKind::InvalidData)?;
        line.push('\n');
        Ok(line.finish())
    }

    pub(super) fn landed(self) -> (RefreshResult, Vec<Notice>) {
        (self.outcome.landed(), self.notices.into_iter().map(Notice::new).collect())
    }
}

impl ChildOutcome {
    fn of(landed: &RefreshResult) -> Self {
        let issued = match landed {
            Ok(issued) => issued,
            Err(error) => return Self::Failed(ChildFailure::of(error)),
        };
        let session = issued.session();
        let (session, how) = match issued.how() {
            TokenOrigin::Kept(why) => (
                SessionRecord::without_refresh_token(session),
                ChildNotice::Kept(ChildFailure::of(why)),
            ),
            TokenOrigin::Renewed => {
                (SessionRecord::without_refresh_token(session), ChildNotice::Renewed)
            }
            TokenOrigin::RenewedUnsaved(why) => {
                (SessionRecord::of(session), ChildNotice::Unsaved { why: chain(why) })
            }
            _ => (SessionRecord::without_refresh_token(session), ChildNotice::Stored),
        };
        Self::Issued { session: Box::new(session), how }
    }

    fn landed(self) -> RefreshResult {
        let (session, how) = match self {
            Self::Failed(failed) => return Err(failed.error()),
            Self::Issued { session, how } => (session.session(), how),
        };
        let how = match how {
            ChildNotice::Kept(why) => TokenOrigin::Kept(why.error()),
            ChildNotice::Renewed => TokenOrigin::Renewed,
            ChildNotice::Stored => TokenOrigin::Stored,
            ChildNotice::Unsaved { why } => {
                TokenOrigin::RenewedUnsaved(StoreFailure::new(ErrorText(why)))
            }
        };
        Ok(IssuedToken::new(session, how))
    }
}

impl ChildFailure {
    fn of(error: &TokenError) -> Self {
        let (is_transient, known) = (error.is_transient(), ChildSpendState::of(error.fate()));
        let told = |what, text| Self::Reported { what, text, is_transient, known };
        match error {
            TokenError::Endpoints(MetadataError::NotSupported) => Self::NotSupported,
            TokenError::Endpoints(cause) => told(ChildFailureKind::Endpoints, chain(cause)),
            TokenError::LockTimeout => Self::LockTimeout,
            TokenError::MissingRefreshToken => Self::MissingRefreshToken,
            TokenError::NoHost => Self::NoHost,
            TokenError::NotFound => Self::NotFound,
            TokenError::Panicked => Self::Panicked,
            TokenError::Postponed { left, why } => {
                Self::Postponed { left: left.seconds(), why: why.to_string() }
            }
            TokenError::Refresh(TokenEndpointError::Refused(refusal)) if refusal.needs_login() => {
                Self::Refused {
                    status: refusal.status(),
                    code: refusal.code().to_string(),
                    description: refusal.description().map(ToString::to_string),
                    suberror: refusal.suberror().map(ToString::to_string),
                }
            }
            TokenError::Refresh(cause) => told(ChildFailureKind::Refresh, chain(cause)),
            TokenError::Rejected(refusal) => Self::Rejected {
                status: refusal.status(),
                code: refusal.code().to_string(),
                description: refusal.description().map(ToString::to_string),
            },
            TokenError::Reported(report) => Self::Reported {
                what: ChildFailureKind::of(report.blame),
                text: report.text.clone(),
                is_transient,
                known,
            },
            TokenError::SameTokenAgain => Self::SameTokenAgain,
            TokenError::SpentElsewhere(words) => Self::SpentElsewhere(words.to_string()),
            TokenError::SpentInVain(words) => Self::SpentInVain(words.to_string()),
            TokenError::Store(failure) => told(ChildFailureKind::Store, chain(failure)),
            TokenError::Unfinished => Self::Unfinished,
            // The caller itself detects `Mismatch` and `TriedJustNow` before it asks for help.
            other => told(ChildFailureKind::Refresh, chain(other)),
        }
    }

    fn error(self) -> TokenError {
        match self {
            Self::LockTimeout => TokenError::LockTimeout,
            Self::MissingRefreshToken => TokenError::MissingRefreshToken,
            Self::NoHost => TokenError::NoHost,
            Self::NotFound => TokenError::NotFound,
            Self::NotSupported => TokenError::Endpoints(MetadataError::NotSupported),
            Self::Panicked => TokenError::Panicked,
            Self::Postponed { left, why } => TokenError::Postponed {
                left: Lifetime::from_seconds(left),
                why: Sanitized::new(&why),
            },
            Self::Refused { status, code, description, suberror } => {
                let refusal = ErrorResponse::new(status, &code, description.as_deref());
                let said = suberror.iter();
                let refusal = said.fold(refusal, |refusal, said| refusal.with_suberror(said));
                TokenError::Refresh(TokenEndpointError::Refused(refusal))
            }
            Self::Rejected { status, code, description } => {
                TokenError::Rejected(ErrorResponse::new(status, &code, description.as_deref()))
            }
            // A caller with an old token in memory continues with it while the store is briefly unavailable.
            Self::Reported { what: ChildFailureKind::Store, text, is_transient: true, .. } => {
                TokenError::Store(StoreFailure::transient(ErrorText(text)))
            }
            Self::Reported { what, text, is_transient, known } => {
                let report = ReportedError::new(what.blame(), text, is_transient);
                TokenError::Reported(report.with_fate(ChildSpendState::fate(known)))
            }
            Self::SameTokenAgain => TokenError::SameTokenAgain,
            Self::SpentElsewhere(words) => TokenError::SpentElsewhere(Sanitized::new(&words)),
            Self::SpentInVain(words) => TokenError::SpentInVain(Sanitized::new(&words)),
            Self::Unfinished => TokenError::Unfinished,
        }
    }
}

impl ChildSpendState {
    fn of(fate: SpendState) -> Option<Self> {
        match fate {
            SpendState::Kept => Some(Self::Kept),
            SpendState::Spent => Some(Self::Spent),
            _ => None,
        }
    }

    fn fate(known: Option<Self>) -> SpendState {
        match known {
            Some(Self::Kept) => SpendState::Kept,
            Some(Self::Spent) => SpendState::Spent,
            None => SpendState::Unknown,
        }
    }
}

impl ChildFailureKind {
    fn of(blame: ReportedStep) -> Self {
        match blame {
            ReportedStep::Endpoints => Self::Endpoints,
            ReportedStep::Store => Self::Store,
            _ => Self::Refresh,
        }
    }

    fn blame(self) -> ReportedStep {
        match self {
            Self::Endpoints => ReportedStep::Endpoints,
            Self::Refresh => ReportedStep::Refresh,
            Self::Store => ReportedStep::Store,
        }
    }
}

/// A store error of which only the text is left.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct ErrorText(String);

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::{
        AccessToken, Binding, Host, RefreshToken, Scopes, Session, Timestamp, TransportFailure,
        TransportFailureKind,
    };
    use url::Url;

    fn unreachable(kind: TransportFailureKind) -> TokenEndpointError {
        TokenEndpointError::Unreachable(TransportFailure::new(kind))
    }

    fn through(landed: &RefreshResult) -> RefreshResult {
        let text = ChildReply::of(landed, Vec::new()).text().unwrap();
        assert!(text.ends_with('\n') && text.lines().count() == 1, "{text:?}");
        serde_json::from_str::<ChildReply>(&text).unwrap().landed().0
    }

    #[test]
    fn a_token_comes_through_without_the_refresh_token() {
        let session = Session::new(AccessToken::new("a"))
            .with_refresh_token(RefreshToken::new("canary"))
            .with_expiry(Timestamp::from_unix(7));
        let landed = Ok(IssuedToken::new(session, TokenOrigin::Renewed));
        let text = serde_json::to_string(&ChildReply::of(&landed, Vec::new())).unwrap();
        assert!(!text.contains("canary"));
        let issued = through(&landed).unwrap();
        assert_eq!(issued.session().access_token.expose(), "a");
        assert_eq!(issued.session().expiry, Some(Timestamp::from_unix(7)));
        assert!(matches!(issued.how(), TokenOrigin::Renewed));
    }

    #[test]
    fn what_callers_decide_on_comes_through_as_it_is() {
        let refusal = ErrorResponse::new(400, "invalid_grant", Some("gone"));
        let person = ErrorResponse::new(400, "interaction_required", Some("AADSTS50076"));
        let token = ErrorResponse::new(400, "invalid_request", None).with_suberror("bad_token");
        for error in [
            TokenError::Refresh(TokenEndpointError::Refused(person)),
            TokenError::Refresh(TokenEndpointError::Refused(token)),
            TokenError::Postponed { left: Lifetime::from_seconds(47), why: Sanitized::new("busy") },
            TokenError::Rejected(refusal),
            TokenError::NotFound,
            TokenError::LockTimeout,
            TokenError::SpentElsewhere(Sanitized::new("it is kept in /home/b/cache")),
            TokenError::SpentInVain(Sanitized::new("unreadable text")),
            TokenError::MissingRefreshToken,
            TokenError::NoHost,
            TokenError::SameTokenAgain,
            TokenError::Panicked,
            TokenError::Unfinished,
            TokenError::Reported(ReportedError::new(ReportedStep::Refresh, "http 503", true)),
            TokenError::Reported(
                ReportedError::new(ReportedStep::Refresh, "x", true).with_fate(SpendState::Kept),
            ),
            TokenError::Reported(
                ReportedError::new(ReportedStep::Refresh, "x", false).with_fate(SpendState::Spent),
            ),
            TokenError::Reported(ReportedError::new(ReportedStep::Store, "disk full", false)),
            TokenError::Refresh(unreachable(TransportFailureKind::NotSent)),
            TokenError::Refresh(unreachable(TransportFailureKind::TimedOut)),
            TokenError::Reported(ReportedError::new(ReportedStep::Endpoints, "http 404", false)),
            TokenError::Endpoints(MetadataError::NotSupported),
            TokenError::Endpoints(MetadataError::Status(503)),
            TokenError::Store(StoreFailure::new(io::Error::other("disk full"))),
            TokenError::Store(StoreFailure::transient(io::Error::other("no answer"))),
        ] {
            let twin = through(&Err(error.clone())).unwrap_err();
            assert_eq!(chain(&twin), chain(&error));
            assert_eq!(twin.fate(), error.fate(), "{error}");
            assert_eq!(twin.needs_login(), error.needs_login(), "{error}");
            assert_eq!(twin.is_transient(), error.is_transient(), "{error}");
            let passes = |error: &TokenError| matches!(error, TokenError::Store(failure) if failure.is_transient());
            assert_eq!(passes(&twin), passes(&error), "who has a token in hand goes on with it");
        }
    }

    #[test]
    fn an_old_token_that_was_kept_comes_through_as_one_and_says_why() {
        let kept =
            |why| IssuedToken::new(Session::new(AccessToken::new("old")), TokenOrigin::Kept(why));
        for why in [TokenError::LockTimeout, TokenError::NotFound] {
            let issued = through(&Ok(kept(why.clone()))).unwrap();
            let TokenOrigin::Kept(told) = issued.how() else { panic!("{:?}", issued.how()) };
            assert_eq!(chain(told), chain(&why));
        }
        let stored = IssuedToken::new(Session::new(AccessToken::new("old")), TokenOrigin::Stored);
        assert!(matches!(through(&Ok(stored)).unwrap().how(), TokenOrigin::Stored));
    }

    #[test]
    fn what_could_not_be_saved_comes_through_whole() {
        let host = Host::parse("https://a.example").unwrap();
        let endpoint = Url::parse("https://a.example/oidc/v1/token").unwrap();
        let binding = Binding::new("https://a.example/oidc", endpoint, "databricks-cli", host)
            .with_account_id(Some("7".to_owned()))
            .with_scopes(Some(Scopes::split("all-apis offline_access")));
        let session = Session::new(AccessToken::new("a"))
            .with_refresh_token(RefreshToken::new("r"))
            .with_expiry(Timestamp::from_unix(7))
            .with_binding(binding);
        let why = StoreFailure::new(io::Error::other("disk full"));
        let issued =
            through(&Ok(IssuedToken::new(session.clone(), TokenOrigin::RenewedUnsaved(why))))
                .unwrap();
        assert_eq!(issued.session(), &session);
        assert!(matches!(issued.how(), TokenOrigin::RenewedUnsaved(_)));
    }

    #[test]
    fn what_a_person_should_hear_comes_through() {
        let notices = vec![Notice::new("a file was set aside")];
        let text =
            serde_json::to_string(&ChildReply::of(&Err(TokenError::NotFound), notices.clone()))
                .unwrap();
        assert_eq!(serde_json::from_str::<ChildReply>(&text).unwrap().landed().1, notices);
    }

    #[test]
    fn a_refusal_that_a_person_cannot_help_is_a_report_and_so_is_a_store_s_failure() {
        let busy = ErrorResponse::new(503, "temporarily_unavailable", None);
        let busy = TokenError::Refresh(TokenEndpointError::Refused(busy));
        let Err(TokenError::Reported(report)) = through(&Err(busy)) else { panic!("no report") };
        assert_eq!(report.blame, ReportedStep::Refresh);
        let store =
            TokenError::Reported(ReportedError::new(ReportedStep::Store, "disk full", false));
        let Err(TokenError::Reported(report)) = through(&Err(store)) else { panic!("no report") };
        assert_eq!((report.blame, report.text.as_str()), (ReportedStep::Store, "disk full"));
    }
}
