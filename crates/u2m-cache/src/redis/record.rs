//! The contents of a sealed value: a login, a failure, or the start of a refresh.

use crate::sidecar::lock::RecordedFailure;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cmp::Ordering;
use u2m_core::{
    BindingRecord, CacheKey, Fingerprint, RefreshFailure, Session, SessionRecord, Timestamp,
    secret_json,
};
use zeroize::Zeroizing;

/// Which login an entry holds, and how often it was written. A write succeeds only if this is unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Revision {
    /// Grows with each write; 0 before the first.
    pub(super) generation: u64,
    /// Identifies a login, from one sign-in to the next. Empty if there is none.
    pub(super) grant: String,
}

impl Revision {
    /// Returns whether this is an older or a newer state of the same login as `other`, or `None` if they are different
    /// logins.
    pub(super) fn compared_to(&self, other: &Self) -> Option<Ordering> {
        (self.grant == other.grant).then(|| self.generation.cmp(&other.generation))
    }
}

#[derive(Serialize)]
struct WrittenRecord<'a> {
    key: &'a str,
    generation: u64,
    grant: &'a str,
    #[serde(flatten)]
    session: SessionRecord,
}

/// The fields before the session. The two are parsed separately, so that no secret is copied on the way.
#[derive(Deserialize)]
struct RecordHead<'a> {
    key: Cow<'a, str>,
    generation: u64,
    grant: Cow<'a, str>,
}

/// A login with the name under which it is listed.
pub(super) struct RedisRecord {
    pub(super) key: CacheKey,
    pub(super) revision: Revision,
    pub(super) session: Session,
}

impl RedisRecord {
    pub(super) fn text(
        key: &CacheKey,
        revision: &Revision,
        session: &Session,
    ) -> Zeroizing<Vec<u8>> {
        let written = WrittenRecord {
            key: key.as_str(),
            generation: revision.generation,
            grant: &revision.grant,
            session: SessionRecord::of(session),
        };
        json(&written)
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let head: RecordHead<'_> = serde_json::from_slice(text).ok()?;
        let mut record: SessionRecord = serde_json::from_slice(text).ok()?;
        // Only u2m writes sealed values, and never with an endpoint that was not allowed at the login.
        record.binding = record.binding.map(BindingRecord::vouched);
        let session = record.session();
        if session.binding.is_none() && record.binding.is_some() {
            return None;
        }
        let revision = Revision { generation: head.generation, grant: head.grant.into_owned() };
        Some(Self { key: CacheKey::new(head.key.into_owned()), revision, session })
    }
}

pub(super) fn verdict_text(refresh_failure: &RefreshFailure) -> Zeroizing<Vec<u8>> {
    json(&RecordedFailure::of(refresh_failure))
}

pub(super) fn parse_verdict(text: &[u8]) -> Option<RefreshFailure> {
    serde_json::from_slice::<RecordedFailure>(text).ok()?.refresh_failure()
}

/// The start of a refresh: which refresh token it was going to send, and when.
#[derive(Serialize, Deserialize)]
pub(super) struct RefreshStarted {
    of: String,
    at: i64,
    /// Pads the text to the space that the login will need: if this can be written, so can the login.
    room: String,
}

impl RefreshStarted {
    pub(super) fn text(of: &Fingerprint, at: Timestamp, room: usize) -> Zeroizing<Vec<u8>> {
        json(&Self { of: of.as_str().to_owned(), at: at.unix(), room: " ".repeat(room) })
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// Returns when the refresh began, if it was for this login's current refresh token.
    pub(super) fn of(&self, session: &Session) -> Option<Timestamp> {
        (self.of == session.fingerprint().as_str()).then(|| Timestamp::from_unix(self.at))
    }
}

/// Maps with text keys can always be serialized.
fn json(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    secret_json(value).unwrap_or_default().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::{
        AccessToken, Binding, ErrorResponse, Host, Lifetime, Moment, RefreshFailureKind,
        RefreshToken, Scopes,
    };
    use url::Url;

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
            let text = RedisRecord::text(&CacheKey::new("dev"), &revision, &session);
            let record = RedisRecord::parse(&text).unwrap();
            assert_eq!(record.session, session);
            assert_eq!((record.key.as_str(), &record.revision), ("dev", &revision));
        }
        assert!(RedisRecord::parse(b"{}").is_none());
    }

    /// The last version sealed whatever it was told of the endpoint, which it had looked at when the login was made.
    #[test]
    fn a_record_of_the_last_version_is_read_and_one_on_its_own_host_is_written_as_it_was() {
        let own = include_bytes!("../../tests/last_version/redis/own.json");
        let off = include_bytes!("../../tests/last_version/redis/off.json");
        let record = RedisRecord::parse(own).unwrap();
        assert_eq!(&*RedisRecord::text(&record.key, &record.revision, &record.session), own);
        assert!(record.session.binding.unwrap().allowed.is_empty());
        let record = RedisRecord::parse(off).unwrap();
        let binding = record.session.binding.clone().unwrap();
        assert_eq!(binding.token_endpoint.as_str(), "https://tokens.example/token");
        assert_eq!(binding.allowed, [Host::parse("https://tokens.example").unwrap()]);
        let again = RedisRecord::text(&record.key, &record.revision, &record.session);
        assert_eq!(RedisRecord::parse(&again).unwrap().session, record.session);
    }

    #[test]
    fn what_was_refused_comes_back_and_is_about_the_same_refresh_token() {
        let refusal = ErrorResponse::new(400, "invalid_grant", Some("no"));
        let at = Timestamp::from_unix(7);
        let person = ErrorResponse::new(400, "invalid_request", None).with_suberror("bad_token");
        let kinds = [refusal, person].map(RefreshFailureKind::Rejected);
        for kind in kinds.into_iter().chain([RefreshFailureKind::transient("http 503")]) {
            let at = Moment::new(at, 123_456_789);
            let refresh_failure = RefreshFailure::new(session().fingerprint(), at, kind);
            assert_eq!(
                parse_verdict(&verdict_text(&refresh_failure)),
                Some(refresh_failure.clone())
            );
            let paused = refresh_failure.with_pause(std::time::Duration::from_secs(90));
            assert_eq!(parse_verdict(&verdict_text(&paused)), Some(paused));
        }
    }

    #[test]
    fn a_beginning_is_about_one_refresh_token_and_takes_the_room_of_a_login() {
        let text = RefreshStarted::text(&session().fingerprint(), Timestamp::from_unix(7), 1000);
        assert!(text.len() > 1000);
        let started = RefreshStarted::parse(&text).unwrap();
        assert_eq!(started.of(&session()), Some(Timestamp::from_unix(7)));
        let other = session().with_refresh_token(RefreshToken::new("other"));
        assert_eq!(started.of(&other), None);
    }

    #[test]
    fn states_of_one_login_come_one_after_another_and_those_of_two_do_not() {
        let of = |generation, grant: &str| Revision { generation, grant: grant.to_owned() };
        assert_eq!(of(1, "a").compared_to(&of(2, "a")), Some(Ordering::Less));
        assert_eq!(of(2, "a").compared_to(&of(2, "a")), Some(Ordering::Equal));
        assert_eq!(of(3, "a").compared_to(&of(2, "a")), Some(Ordering::Greater));
        assert_eq!(of(2, "b").compared_to(&of(2, "a")), None);
    }
}
