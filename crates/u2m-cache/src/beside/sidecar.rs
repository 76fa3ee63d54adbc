//! Whom each login belongs to, beside the tokens: `token-cache.u2m.json`. Go programs drop members of the shared file that
//! they do not know, so that what they do not know stands here. It holds no secret, and is as private as the tokens,
//! because it says where refresh tokens are sent.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use u2m_core::{Binding, Fingerprint, Host, Lifetime, Scopes, Session, Timestamp};
use url::Url;

/// The file: sessions by cache key.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sidecar {
    version: u32,
    #[serde(default)]
    sessions: BTreeMap<String, Record>,
    /// In which kind of store a login was last saved, by cache key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    homes: BTreeMap<String, String>,
    /// Whose copy an entry under a host's key is, by that key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    mirrors: BTreeMap<String, String>,
}

/// What is known of one login.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    fingerprints: Vec<String>,
    issuer: String,
    token_endpoint: String,
    client_id: String,
    host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scopes: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifetime: Option<i64>,
    /// What was known of the tokens before these, which are still in the token file if a writer did not come from this
    /// file to that one. They may be of another host, so that they keep a record of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Box<Record>>,
}

impl Sidecar {
    /// Reads the file; one that cannot be read is as good as none, and is written anew by the next save.
    pub(crate) fn parse(text: &str) -> Self {
        let read: Option<Self> = serde_json::from_str(text).ok();
        read.filter(|sidecar| sidecar.version == 1).unwrap_or(Self {
            version: 1,
            sessions: BTreeMap::new(),
            homes: BTreeMap::new(),
            mirrors: BTreeMap::new(),
        })
    }

    pub(crate) fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Adds what is known of `key` to a session from the token file, if it is about these very tokens.
    pub(crate) fn complete(&self, key: &str, session: Session) -> Session {
        let name = session.fingerprint();
        let record = self.sessions.get(key).and_then(|record| record.of(&name));
        let Some(record) = record else { return session };
        let Some(binding) = record.binding() else { return session };
        let mut session = session.with_binding(binding);
        session.issued_at = record.issued_at.map(Timestamp::from_unix);
        session.lifetime = record.lifetime.map(Lifetime::from_seconds).or(session.lifetime);
        session
    }

    /// Records `session`; `before` names the state that it replaces.
    pub(crate) fn record(&mut self, key: &str, session: &Session, before: Option<Fingerprint>) {
        let old = before.and_then(|name| {
            let record = self.sessions.remove(key)?;
            record.of(&name).cloned().map(|old| Record { before: None, ..old })
        });
        let Some(binding) = &session.binding else {
            self.sessions.remove(key);
            // Nothing is known of the new tokens; what was of the old ones is found by their fingerprint alone.
            self.sessions.extend(old.map(|old| (key.to_owned(), old)));
            return;
        };
        let name = session.fingerprint();
        let record = Record {
            fingerprints: vec![name.as_str().to_owned()],
            issuer: binding.issuer.clone(),
            token_endpoint: binding.token_endpoint.to_string(),
            client_id: binding.client_id.clone(),
            host: binding.host.as_str().to_owned(),
            account_id: binding.account_id.clone(),
            scopes: binding.scopes.as_ref().map(ToString::to_string),
            issued_at: session.issued_at.map(Timestamp::unix),
            lifetime: session.lifetime.map(Lifetime::seconds),
            before: old.filter(|old| old.of(&name).is_none()).map(Box::new),
        };
        self.sessions.insert(key.to_owned(), record);
    }

    /// Forgets `key`; whether it was known.
    pub(crate) fn forget(&mut self, key: &str) -> bool {
        let was_mirror = self.mirrors.remove(key).is_some();
        self.sessions.remove(key).is_some() || was_mirror
    }

    /// The login whose copy stands under `host_key`.
    pub(crate) fn mirrored(&self, host_key: &str) -> Option<&str> {
        self.mirrors.get(host_key).map(String::as_str)
    }

    /// Records that the copy under `host_key` is that of `key`.
    pub(crate) fn mirror(&mut self, host_key: &str, key: &str) {
        self.mirrors.insert(host_key.to_owned(), key.to_owned());
    }

    /// The kind of store in which `key` was last saved.
    pub(crate) fn home(&self, key: &str) -> Option<&str> {
        self.homes.get(key).map(String::as_str)
    }

    /// The cache keys that were last saved in this kind of store.
    #[cfg_attr(not(feature = "keyring"), allow(dead_code, reason = "for stores that cannot list"))]
    pub(crate) fn keys_at(&self, home: &str) -> Vec<String> {
        let there = self.homes.iter().filter(|(_, known)| *known == home);
        there.map(|(key, _)| key.clone()).collect()
    }

    /// Records in which kind of store `key` is, or that it is in none; whether that is news.
    pub(crate) fn set_home(&mut self, key: &str, home: Option<&str>) -> bool {
        let before = match home {
            Some(home) => self.homes.insert(key.to_owned(), home.to_owned()),
            None => self.homes.remove(key),
        };
        before.as_deref() != home
    }
}

impl Record {
    /// What is known of the tokens of this name: here, or of those before.
    fn of(&self, name: &Fingerprint) -> Option<&Self> {
        match self.fingerprints.iter().any(|known| known == name.as_str()) {
            true => Some(self),
            false => self.before.as_ref().and_then(|before| before.of(name)),
        }
    }

    /// `None` for a record that is damaged.
    fn binding(&self) -> Option<Binding> {
        let binding = bind(&self.issuer, &self.token_endpoint, &self.client_id, &self.host)?;
        let scopes = self.scopes.as_deref().map(Scopes::split);
        Some(binding.with_account_id(self.account_id.clone()).with_scopes(scopes))
    }
}

/// A binding from its texts; `None` for one that would send tokens off the login's own host (T20).
pub(crate) fn bind(
    issuer: &str,
    token_endpoint: &str,
    client_id: &str,
    host: &str,
) -> Option<Binding> {
    let host = Host::parse(host).ok()?;
    let endpoint = Url::parse(token_endpoint).ok()?;
    if Host::of(&endpoint).ok()? != host || endpoint.fragment().is_some() {
        return None;
    }
    Some(Binding::new(issuer, endpoint, client_id, host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::{AccessToken, RefreshToken};

    fn session(refresh: &str) -> Session {
        Session::new(AccessToken::new("a")).with_refresh_token(RefreshToken::new(refresh))
    }

    fn bound(refresh: &str) -> Session {
        let host = Host::parse("https://a.example").unwrap();
        let endpoint = Url::parse("https://a.example/oidc/v1/token").unwrap();
        session(refresh)
            .with_binding(Binding::new("https://a.example/oidc", endpoint, "databricks-cli", host))
            .with_issued_at(Timestamp::from_unix(7))
    }

    #[test]
    fn a_binding_is_found_again_for_the_tokens_it_was_recorded_for() {
        let mut sidecar = Sidecar::parse("");
        sidecar.record("dev", &bound("older"), None);
        sidecar.record("dev", &bound("old"), Some(session("older").fingerprint()));
        sidecar.record("dev", &bound("new"), Some(session("old").fingerprint()));
        let sidecar = Sidecar::parse(&sidecar.text());
        let found = sidecar.complete("dev", session("new"));
        assert_eq!(found.binding, bound("new").binding);
        assert_eq!(found.issued_at, Some(Timestamp::from_unix(7)));
        let before = sidecar.complete("dev", session("old"));
        assert_eq!((before.binding, before.issued_at), (bound("old").binding, found.issued_at));
        assert_eq!(sidecar.complete("dev", session("older")).binding, None, "it grows no further");
        assert_eq!(sidecar.complete("dev", session("foreign")).binding, None);
        assert_eq!(sidecar.complete("other", session("new")).binding, None);
    }

    #[test]
    fn t20_tokens_of_one_host_never_pass_for_those_of_the_next() {
        let mut sidecar = Sidecar::parse("");
        let host = Host::parse("https://b.example").unwrap();
        let endpoint = Url::parse("https://b.example/oidc/v1/token").unwrap();
        let elsewhere = session("new").with_binding(Binding::new(
            "https://b.example/oidc",
            endpoint,
            "databricks-cli",
            host,
        ));
        sidecar.record("dev", &bound("old"), None);
        sidecar.record("dev", &elsewhere, Some(session("old").fingerprint()));
        assert_eq!(sidecar.complete("dev", session("old")).binding, bound("old").binding);
        // Of tokens by another program nothing was known, and nothing is afterwards.
        sidecar.record("dev", &bound("newest"), Some(session("foreign").fingerprint()));
        assert_eq!(sidecar.complete("dev", session("foreign")).binding, None);
        // A login of which nothing is known takes nothing from the one that it may not come to replace.
        sidecar.record("dev", &session("bare"), Some(session("newest").fingerprint()));
        assert_eq!(sidecar.complete("dev", session("newest")).binding, bound("newest").binding);
        assert_eq!(sidecar.complete("dev", session("bare")).binding, None);
    }

    #[test]
    fn t20_a_record_that_points_off_its_host_is_not_believed() {
        let mut sidecar = Sidecar::parse("");
        sidecar.record("dev", &bound("new"), None);
        let text =
            sidecar.text().replace("https://a.example/oidc/v1/token", "https://evil.example/t");
        assert_eq!(Sidecar::parse(&text).complete("dev", session("new")).binding, None);
    }

    #[test]
    fn t14_the_file_holds_no_token() {
        let mut sidecar = Sidecar::parse("");
        sidecar.record("dev", &bound("canary"), None);
        assert!(!sidecar.text().contains("canary"));
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        for text in
            ["", "null", "{", r#"{"version":2,"sessions":{}}"#, r#"{"version":1,"sessions":7}"#]
        {
            assert!(Sidecar::parse(text).sessions.is_empty(), "{text}");
        }
    }
}
