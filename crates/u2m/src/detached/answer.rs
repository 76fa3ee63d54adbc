//! What the small process says when it is done. One JSON object over a pipe.

use crate::keeper::Landed;
use serde::{Deserialize, Serialize};
use u2m_cache::Notice;
use u2m_core::{
    AccessToken, Binding, Blame, Host, How, Issued, Lifetime, MetadataError, RefreshToken, Refusal,
    Report, Scopes, Session, StoreFailure, Timestamp, TokenError, chain,
};
use url::Url;
use zeroize::Zeroizing;

/// How it ended, and what a person should hear of.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    outcome: Outcome,
    notices: Vec<String>,
}

/// An outcome, without the refresh token: the caller has no use for it, unless it is nowhere else.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
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
    Unsaved { why: String, rest: Box<Rest> },
}

/// What a session has besides, for whoever is to save it.
#[derive(Serialize, Deserialize)]
pub(super) struct Rest {
    refresh_token: Option<Zeroizing<String>>,
    binding: Option<Bound>,
}

/// [`Binding`], in texts.
#[derive(Serialize, Deserialize)]
struct Bound {
    issuer: String,
    token_endpoint: String,
    client_id: String,
    host: String,
    account_id: Option<String>,
    scopes: Option<String>,
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
    pub(super) fn of(landed: &Landed, notices: Vec<Notice>) -> Self {
        let notices = notices.into_iter().map(|notice| notice.text).collect();
        Self { outcome: Outcome::of(landed), notices }
    }

    pub(super) fn landed(self) -> (Landed, Vec<Notice>) {
        (self.outcome.landed(), self.notices.into_iter().map(Notice::new).collect())
    }
}

impl Outcome {
    fn of(landed: &Landed) -> Self {
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
                How::RenewedUnsaved(why) => {
                    Told::Unsaved { why: chain(why), rest: Box::new(Rest::of(session)) }
                }
                _ => Told::Stored,
            },
        }
    }

    fn landed(self) -> Landed {
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
            Told::Unsaved { why, rest } => {
                session = rest.add_to(session);
                How::RenewedUnsaved(StoreFailure::new(Words(why)))
            }
        };
        Ok(Issued::new(session, how))
    }
}

impl Rest {
    fn of(session: &Session) -> Self {
        let secret = |token: &RefreshToken| Zeroizing::new(token.expose().to_owned());
        let bound = |binding: &Binding| Bound {
            issuer: binding.issuer.clone(),
            token_endpoint: binding.token_endpoint.to_string(),
            client_id: binding.client_id.clone(),
            host: binding.host.to_string(),
            account_id: binding.account_id.clone(),
            scopes: binding.scopes.as_ref().map(ToString::to_string),
        };
        Self {
            refresh_token: session.refresh_token.as_ref().map(secret),
            binding: session.binding.as_ref().map(bound),
        }
    }

    fn add_to(self, mut session: Session) -> Session {
        if let Some(token) = &self.refresh_token {
            session = session.with_refresh_token(RefreshToken::new(token.as_str()));
        }
        match self.binding.and_then(Bound::binding) {
            Some(binding) => session.with_binding(binding),
            None => session,
        }
    }
}

impl Bound {
    fn binding(self) -> Option<Binding> {
        let endpoint = Url::parse(&self.token_endpoint).ok()?;
        let host = Host::parse(&self.host).ok()?;
        let scopes = self.scopes.as_deref().map(Scopes::split);
        let binding = Binding::new(self.issuer, endpoint, self.client_id, host);
        Some(binding.with_account_id(self.account_id).with_scopes(scopes))
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
            // Who has an old token in hand goes on with it while a store passes.
            Self::Reported { what: What::Store, text, is_transient: true } => {
                TokenError::Store(StoreFailure::passing(Words(text)))
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
        let text = serde_json::to_string(&Answer::of(landed, Vec::new())).unwrap();
        serde_json::from_str::<Answer>(&text).unwrap().landed().0
    }

    #[test]
    fn a_token_comes_through_without_the_refresh_token() {
        let session = Session::new(AccessToken::new("a"))
            .with_refresh_token(RefreshToken::new("canary"))
            .with_expiry(Timestamp::from_unix(7));
        let landed = Ok(Issued::new(session, How::Renewed));
        let text = serde_json::to_string(&Answer::of(&landed, Vec::new())).unwrap();
        assert!(!text.contains("canary"));
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
            TokenError::Store(StoreFailure::passing(std::io::Error::other("no answer"))),
        ] {
            let twin = through(&Err(error.clone())).unwrap_err();
            assert_eq!(chain(&twin), chain(&error));
            assert_eq!(twin.needs_login(), error.needs_login(), "{error}");
            assert_eq!(twin.is_transient(), error.is_transient(), "{error}");
            let passes = |error: &TokenError| matches!(error, TokenError::Store(failure) if failure.is_transient());
            assert_eq!(passes(&twin), passes(&error), "who has a token in hand goes on with it");
        }
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
        let why = StoreFailure::new(std::io::Error::other("disk full"));
        let issued = through(&Ok(Issued::new(session.clone(), How::RenewedUnsaved(why)))).unwrap();
        assert_eq!(issued.session(), &session);
        assert!(matches!(issued.how(), How::RenewedUnsaved(_)));
    }

    #[test]
    fn what_a_person_should_hear_comes_through() {
        let notices = vec![Notice::new("a file was set aside")];
        let text = serde_json::to_string(&Answer::of(&Err(TokenError::NotFound), notices.clone()))
            .unwrap();
        assert_eq!(serde_json::from_str::<Answer>(&text).unwrap().landed().1, notices);
    }
}
