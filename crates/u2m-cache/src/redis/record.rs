//! What is inside a sealed value: a login, a failure, or the beginning of a refresh.

use crate::beside::lock::Failed;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use u2m_core::{
    AccessToken, Binding, CacheKey, Fingerprint, Host, Lifetime, RefreshToken, Scopes, Session,
    Timestamp, Verdict,
};
use url::Url;
use zeroize::Zeroizing;

/// Which login an entry holds, and how often it was written: what has to be unchanged for a write to count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Revision {
    /// Grows with each write; 0 before the first.
    pub(super) generation: u64,
    /// Names a login, from signing in until the next one; empty where there is none.
    pub(super) grant: String,
}

#[derive(Serialize, Deserialize)]
struct Written<'a> {
    key: Cow<'a, str>,
    generation: u64,
    grant: Cow<'a, str>,
    access_token: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifetime: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    binding: Option<WrittenBinding>,
}

#[derive(Serialize, Deserialize)]
struct WrittenBinding {
    issuer: String,
    token_endpoint: String,
    client_id: String,
    host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scopes: Option<String>,
}

/// A login with the name under which it is listed.
pub(super) struct Record {
    pub(super) key: CacheKey,
    pub(super) revision: Revision,
    pub(super) session: Session,
}

impl Record {
    pub(super) fn text(
        key: &CacheKey,
        revision: &Revision,
        session: &Session,
    ) -> Zeroizing<Vec<u8>> {
        let written = Written {
            key: key.as_str().into(),
            generation: revision.generation,
            grant: revision.grant.as_str().into(),
            access_token: session.access_token.expose().into(),
            refresh_token: session.refresh_token.as_ref().map(|token| token.expose().into()),
            expiry: session.expiry.map(Timestamp::unix),
            lifetime: session.lifetime.map(Lifetime::seconds),
            issued_at: session.issued_at.map(Timestamp::unix),
            binding: session.binding.as_ref().map(WrittenBinding::of),
        };
        json(&written)
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        // What is moved into the tokens is cleared with them.
        let written: Written<'_> = serde_json::from_slice(text).ok()?;
        let mut session = Session::new(AccessToken::new(written.access_token));
        session.refresh_token = written.refresh_token.map(RefreshToken::new);
        session.expiry = written.expiry.map(Timestamp::from_unix);
        session.lifetime = written.lifetime.map(Lifetime::from_seconds);
        session.issued_at = written.issued_at.map(Timestamp::from_unix);
        session.binding = match written.binding {
            Some(binding) => Some(binding.binding()?),
            None => None,
        };
        let revision =
            Revision { generation: written.generation, grant: written.grant.into_owned() };
        Some(Self { key: CacheKey::new(written.key.into_owned()), revision, session })
    }
}

impl WrittenBinding {
    fn of(binding: &Binding) -> Self {
        Self {
            issuer: binding.issuer.clone(),
            token_endpoint: binding.token_endpoint.to_string(),
            client_id: binding.client_id.clone(),
            host: binding.host.as_str().to_owned(),
            account_id: binding.account_id.clone(),
            scopes: binding.scopes.as_ref().map(ToString::to_string),
        }
    }

    fn binding(self) -> Option<Binding> {
        let host = Host::parse(&self.host).ok()?;
        let binding =
            Binding::new(self.issuer, Url::parse(&self.token_endpoint).ok()?, self.client_id, host);
        let scopes = self.scopes.as_deref().map(Scopes::split);
        Some(binding.with_account_id(self.account_id).with_scopes(scopes))
    }
}

pub(super) fn verdict_text(verdict: &Verdict) -> Zeroizing<Vec<u8>> {
    json(&Failed::of(verdict))
}

pub(super) fn parse_verdict(text: &[u8]) -> Option<Verdict> {
    serde_json::from_slice::<Failed>(text).ok()?.verdict()
}

/// A refresh that began: which refresh token it was about to send, and when.
#[derive(Serialize, Deserialize)]
pub(super) struct Started {
    of: String,
    at: i64,
    /// As much room as the login will need: who may write this may write that.
    room: String,
}

impl Started {
    pub(super) fn text(of: &Fingerprint, at: Timestamp, room: usize) -> Zeroizing<Vec<u8>> {
        json(&Self { of: of.as_str().to_owned(), at: at.unix(), room: " ".repeat(room) })
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// When the refresh began, if it was one of this login's present refresh token.
    pub(super) fn of(&self, session: &Session) -> Option<Timestamp> {
        (self.of == session.fingerprint().as_str()).then(|| Timestamp::from_unix(self.at))
    }
}

/// Maps with text for keys are always written.
fn json(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(serde_json::to_vec(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::{Refusal, VerdictKind};

    fn session() -> Session {
        let host = Host::parse("https://a.example").unwrap();
        let endpoint = Url::parse("https://a.example/oidc/v1/token").unwrap();
        let binding = Binding::new("https://a.example/oidc", endpoint, "databricks-cli", host)
            .with_account_id(Some("abc".to_owned()))
            .with_scopes(Some(Scopes::split("all-apis offline_access")));
        Session::new(AccessToken::new("a\"t"))
            .with_refresh_token(RefreshToken::new("rt"))
            .with_expiry(Timestamp::from_unix(9))
            .with_lifetime(Lifetime::from_seconds(3600))
            .with_issued_at(Timestamp::from_unix(7))
            .with_binding(binding)
    }

    #[test]
    fn a_login_comes_back_whole() {
        let revision = Revision { generation: 7, grant: "g".to_owned() };
        for session in [session(), Session::new(AccessToken::new("a"))] {
            let text = Record::text(&CacheKey::new("dev"), &revision, &session);
            let record = Record::parse(&text).unwrap();
            assert_eq!(record.session, session);
            assert_eq!((record.key.as_str(), &record.revision), ("dev", &revision));
        }
        assert!(Record::parse(b"{}").is_none());
    }

    #[test]
    fn what_was_refused_comes_back_and_is_about_the_same_refresh_token() {
        let refusal = Refusal::new(400, "invalid_grant", Some("no"));
        let at = Timestamp::from_unix(7);
        for kind in [VerdictKind::Rejected(refusal), VerdictKind::passing("http 503")] {
            let verdict = Verdict::new(session().fingerprint(), at, kind);
            assert_eq!(parse_verdict(&verdict_text(&verdict)), Some(verdict));
        }
    }

    #[test]
    fn a_beginning_is_about_one_refresh_token_and_takes_the_room_of_a_login() {
        let text = Started::text(&session().fingerprint(), Timestamp::from_unix(7), 1000);
        assert!(text.len() > 1000);
        let started = Started::parse(&text).unwrap();
        assert_eq!(started.of(&session()), Some(Timestamp::from_unix(7)));
        let other = session().with_refresh_token(RefreshToken::new("other"));
        assert_eq!(started.of(&other), None);
    }
}
