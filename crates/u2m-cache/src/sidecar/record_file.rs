//! The owner of each login (issuer, host and client), kept next to the tokens in `token-cache.u2m.json`. Go programs drop
//! members of the shared file that they do not know, so such data is kept here. The file contains no secret, but is as
//! private as the tokens, because it says where refresh tokens are sent.

use super::tail;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use u2m_core::{BindingRecord, Fingerprint, Host, HostPin, Lifetime, PinnedBy, Session, Timestamp};

/// The side file: records of the sessions by cache key.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sidecar {
    version: u32,
    #[serde(default)]
    sessions: BTreeMap<String, Record>,
    /// The kind of store in which a login was last saved, by cache key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    homes: BTreeMap<String, String>,
    /// The login whose copy an entry under a host's key is, by that key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    mirrors: BTreeMap<String, String>,
    /// Copies of a login that do not count and must be removed, by cache key: the kind of store, and the state of the copy.
    /// Only the store that is a login's home may keep it. This is how copies left elsewhere by an interrupted move or login
    /// are found.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    strays: BTreeMap<String, BTreeMap<String, String>>,
    /// How often a home was changed. A reader that finds no login where it should be reads again if this number has changed.
    #[serde(default, skip_serializing_if = "is_zero")]
    home_changes: u64,
    /// The host that another program's login was first used with, by cache key. Other tokens under the same name do not
    /// change it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    first_use: BTreeMap<String, FirstUse>,
    /// The length of the text, if a line may be appended to it.
    #[serde(skip)]
    len: Option<u64>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a login was first used with.
#[derive(Debug, Serialize, Deserialize)]
struct FirstUse {
    host: String,
    /// The profile file that named the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<String>,
}

/// What is known about one login.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    fingerprints: Vec<String>,
    #[serde(flatten)]
    binding: BindingRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifetime: Option<i64>,
    /// The record of the previous tokens. They are still in the token file if a writer stopped between writing this file and
    /// that one. They may belong to another host, so they keep their own record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Box<Record>>,
    /// In an appended line, this replaces `before`: the name of the previous tokens, whose record the file already has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

impl Sidecar {
    /// Parses the file. One that cannot be read counts as empty, and is rewritten by the next save.
    pub(crate) fn parse(text: &[u8]) -> Self {
        match tail::read(text) {
            Some((sidecar, len)) => Self { len, ..sidecar },
            None => Self { version: 1, ..Self::default() },
        }
    }

    /// Returns whether this version knows the file's format.
    pub(super) fn is_known(&self) -> bool {
        self.version == 1
    }

    /// Applies the records of an appended line.
    pub(super) fn take_over(&mut self, line: Self) {
        for (key, mut record) in line.sessions {
            self.first_use.remove(&key);
            let known = self.sessions.remove(&key);
            let after = record.after.take().and_then(|name| Fingerprint::parse(&name));
            if let Some(before) = known.as_ref().zip(after).and_then(|(it, name)| it.of(&name)) {
                record.before = Some(Box::new(Record { before: None, ..before.clone() }));
            }
            self.sessions.insert(key, record);
        }
        self.mirrors.extend(line.mirrors);
    }

    /// Returns the line to append if only these records have changed, and its position.
    pub(super) fn line(&self, names: &[&str]) -> Option<(u64, String)> {
        let record = |name: &&str| {
            let mut record = self.sessions.get(*name)?.clone();
            let before = record.before.take();
            record.after = before.and_then(|before| before.fingerprints.into_iter().next());
            Some(((*name).to_owned(), record))
        };
        let mirror = |name: &&str| Some(((*name).to_owned(), self.mirrors.get(*name)?.clone()));
        let news = Self {
            version: 1,
            sessions: names.iter().map(record).collect::<Option<_>>()?,
            mirrors: names.iter().filter_map(mirror).collect(),
            ..Self::default()
        };
        Some((self.len?, format!("\n{}", serde_json::to_string(&news).ok()?)))
    }

    pub(crate) fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Adds what is known about `key` to a session from a store: the owner of its tokens if it is known for these same
    /// tokens, else the host that its name is tied to.
    pub(crate) fn complete(&self, key: &str, session: Session) -> Session {
        let name = session.fingerprint();
        let record = self.sessions.get(key).and_then(|record| record.of(&name));
        let Some(record) = record else { return self.tied(key, session) };
        let Some(binding) = record.binding.bind() else { return self.tied(key, session) };
        let mut session = session.with_binding(binding);
        session.issued_at = record.issued_at.map(Timestamp::from_unix);
        session.lifetime = record.lifetime.map(Lifetime::from_seconds).or(session.lifetime);
        session
    }

    /// Adds the host that the name `key` is tied to.
    pub(crate) fn tied(&self, key: &str, session: Session) -> Session {
        let host = |text: &str| Host::parse(text).ok();
        let tie = match (self.sessions.get(key), self.first_use.get(key)) {
            (Some(record), _) => {
                host(&record.binding.host).map(|host| HostPin::new(host, PinnedBy::EarlierLogin))
            }
            (None, Some(first)) => host(&first.host).map(|host| {
                HostPin::new(host, PinnedBy::FirstUse { config: first.config.clone() })
            }),
            (None, None) => None,
        };
        tie.into_iter().fold(session, Session::with_tie)
    }

    /// Records which host `key` is used with, unless it is already tied to one. Returns whether it was not.
    pub(crate) fn tie(&mut self, key: &str, host: &Host, config: Option<&str>) -> bool {
        if self.is_tied(key) {
            return false;
        }
        let first = FirstUse { host: host.to_string(), config: config.map(str::to_owned) };
        self.first_use.insert(key.to_owned(), first);
        true
    }

    /// Returns whether it is known which host `key` is for.
    pub(crate) fn is_tied(&self, key: &str) -> bool {
        self.sessions.contains_key(key) || self.first_use.contains_key(key)
    }

    /// Returns whether the record of `key` names the host of `session`, in case nothing newer is recorded.
    pub(crate) fn agrees(&self, key: &str, session: &Session) -> bool {
        let Some(binding) = &session.binding else { return true };
        self.tied(key, session.clone()).ties.iter().all(|tie| tie.host == binding.host)
    }

    /// Records `session`. `before` names the state that it replaces. Returns whether anything changed.
    pub(crate) fn record(
        &mut self,
        key: &str,
        session: &Session,
        before: Option<Fingerprint>,
    ) -> bool {
        let was_known = self.sessions.contains_key(key);
        let host = self.sessions.get(key).and_then(|known| Host::parse(&known.binding.host).ok());
        let old = before.and_then(|name| {
            let record = self.sessions.remove(key)?;
            record.of(&name).cloned().map(|old| Record { before: None, ..old })
        });
        let Some(binding) = &session.binding else {
            self.sessions.remove(key);
            // Nothing is known about the new tokens. The record of the old ones is found only by their fingerprint.
            match old {
                Some(old) => {
                    self.sessions.insert(key.to_owned(), old);
                }
                // The name stays tied to its host.
                None => {
                    let _ = host.is_some_and(|host| self.tie(key, &host, None));
                }
            }
            return was_known;
        };
        let name = session.fingerprint();
        let record = Record {
            fingerprints: vec![name.as_str().to_owned()],
            binding: BindingRecord::of(binding),
            issued_at: session.issued_at.map(Timestamp::unix),
            lifetime: session.lifetime.map(Lifetime::seconds),
            before: old.filter(|old| old.of(&name).is_none()).map(Box::new),
            after: None,
        };
        self.sessions.insert(key.to_owned(), record);
        self.first_use.remove(key);
        true
    }

    /// Removes the record of which host `key` was first used with. Returns whether there was one.
    pub(crate) fn untie(&mut self, key: &str) -> bool {
        self.first_use.remove(key).is_some()
    }

    /// Removes what is known about `key`. Returns whether there was anything.
    pub(crate) fn forget(&mut self, key: &str) -> bool {
        let was_known = [
            self.mirrors.remove(key).is_some(),
            self.untie(key),
            self.sessions.remove(key).is_some(),
        ];
        was_known.contains(&true)
    }

    /// Returns the login whose copy is stored under `host_key`.
    pub(crate) fn mirrored(&self, host_key: &str) -> Option<&str> {
        self.mirrors.get(host_key).map(String::as_str)
    }

    /// Records that the copy under `host_key` is that of `key`. Returns whether anything changed.
    pub(crate) fn mirror(&mut self, host_key: &str, key: &str) -> bool {
        self.mirrors.insert(host_key.to_owned(), key.to_owned()).as_deref() != Some(key)
    }

    /// Returns the kind of store in which `key` was last saved.
    pub(crate) fn home(&self, key: &str) -> Option<&str> {
        self.homes.get(key).map(String::as_str)
    }

    /// Returns the cache keys that were last saved in this kind of store.
    pub(crate) fn keys_at(&self, home: &str) -> Vec<String> {
        let there = self.homes.iter().filter(|(_, known)| *known == home);
        there.map(|(key, _)| key.clone()).collect()
    }

    /// Returns whether any login was last saved in this kind of store.
    pub(crate) fn is_home_of_any(&self, home: &str) -> bool {
        self.homes.values().any(|known| known == home)
    }

    /// Records which kind of store holds `key`, or that none does. Returns whether anything changed.
    pub(crate) fn set_home(&mut self, key: &str, home: Option<&str>) -> bool {
        let before = match home {
            Some(home) => self.homes.insert(key.to_owned(), home.to_owned()),
            None => self.homes.remove(key),
        };
        let is_news = before.as_deref() != home;
        self.home_changes = self.home_changes.wrapping_add(u64::from(is_news));
        is_news
    }

    /// Returns how often a home was changed.
    pub(crate) fn home_changes(&self) -> u64 {
        self.home_changes
    }

    /// Returns the copies of `key` that do not count: the kind of store, and the state.
    pub(crate) fn strays(&self, key: &str) -> Vec<(String, Fingerprint)> {
        let strays = self.strays.get(key).into_iter().flatten();
        strays.filter_map(|(at, of)| Some((at.clone(), Fingerprint::parse(of)?))).collect()
    }

    /// Returns whether this state of `key`, in this kind of store, does not count.
    pub(crate) fn is_stray(&self, key: &str, at: &str, of: &Fingerprint) -> bool {
        self.strays.get(key).and_then(|strays| strays.get(at)).is_some_and(|it| it == of.as_str())
    }

    /// Records that this state of `key`, in this kind of store, does not count.
    pub(crate) fn add_stray(&mut self, key: &str, at: &str, of: &Fingerprint) {
        let strays = self.strays.entry(key.to_owned()).or_default();
        strays.insert(at.to_owned(), of.as_str().to_owned());
    }

    /// Removes the record of a copy that is gone or that counts by now. Returns whether there was one.
    pub(crate) fn drop_stray(&mut self, key: &str, at: &str) -> bool {
        let Some(strays) = self.strays.get_mut(key) else { return false };
        let was_known = strays.remove(at).is_some();
        if strays.is_empty() {
            self.strays.remove(key);
        }
        was_known
    }
}

impl Record {
    /// Returns the record of the tokens with this name: this one, or one of the previous tokens.
    fn of(&self, name: &Fingerprint) -> Option<&Self> {
        match self.fingerprints.iter().any(|known| known == name.as_str()) {
            true => Some(self),
            false => self.before.as_ref().and_then(|before| before.of(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::{AccessToken, Binding, RefreshToken};
    use url::Url;

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
        let mut sidecar = Sidecar::parse(b"");
        sidecar.record("dev", &bound("older"), None);
        sidecar.record("dev", &bound("old"), Some(session("older").fingerprint()));
        sidecar.record("dev", &bound("new"), Some(session("old").fingerprint()));
        let sidecar = Sidecar::parse(sidecar.text().as_bytes());
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
    fn what_was_known_in_one_way_or_in_several_is_forgotten_once() {
        for (is_mirror, is_recorded) in [(true, false), (false, true), (true, true)] {
            let mut sidecar = Sidecar::parse(b"");
            if is_mirror {
                sidecar.mirror("key", "dev");
            }
            if is_recorded {
                sidecar.record("key", &bound("r"), None);
            }
            assert!(sidecar.forget("key"), "{is_mirror} {is_recorded}");
            assert!(!sidecar.forget("key"), "{is_mirror} {is_recorded}");
        }
    }

    #[test]
    fn a_kind_of_store_is_a_home_while_a_login_is_recorded_there() {
        let mut sidecar = Sidecar::parse(b"");
        assert!(!sidecar.is_home_of_any("plaintext"));
        sidecar.set_home("dev", Some("plaintext"));
        sidecar.set_home("prod", Some("secure"));
        assert!(sidecar.is_home_of_any("plaintext") && sidecar.is_home_of_any("secure"));
        assert!(!sidecar.is_home_of_any("encrypted"));
        sidecar.set_home("dev", None);
        assert!(!sidecar.is_home_of_any("plaintext") && sidecar.is_home_of_any("secure"));
    }

    #[test]
    fn t20_tokens_of_one_host_never_pass_for_those_of_the_next() {
        let mut sidecar = Sidecar::parse(b"");
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
        let mut sidecar = Sidecar::parse(b"");
        sidecar.record("dev", &bound("new"), None);
        let text =
            sidecar.text().replace("https://a.example/oidc/v1/token", "https://evil.example/t");
        assert_eq!(Sidecar::parse(text.as_bytes()).complete("dev", session("new")).binding, None);
    }

    #[test]
    fn an_endpoint_on_another_host_is_found_again_if_that_host_was_allowed_at_the_login() {
        let tokens = Host::parse("https://tokens.example").unwrap();
        let mut login = bound("new");
        if let Some(binding) = &mut login.binding {
            binding.token_endpoint = Url::parse("https://tokens.example/t").unwrap();
        }
        let mut sidecar = Sidecar::parse(b"");
        sidecar.record("dev", &login, None);
        assert_eq!(sidecar.complete("dev", session("new")).binding, None);
        login.binding = login.binding.map(|binding| binding.with_allowed([tokens]));
        sidecar.record("dev", &login, None);
        let sidecar = Sidecar::parse(sidecar.text().as_bytes());
        assert_eq!(sidecar.complete("dev", session("new")).binding, login.binding);
    }

    #[test]
    fn t20_a_name_stays_with_the_host_that_it_was_first_used_with_whatever_tokens_it_has() {
        let (a, b) =
            (Host::parse("https://a.example").unwrap(), Host::parse("https://b.example").unwrap());
        let mut sidecar = Sidecar::parse(b"");
        assert!(sidecar.tie("dev", &a, Some("/cfg")) && !sidecar.tie("dev", &b, None));
        let mut sidecar = Sidecar::parse(sidecar.text().as_bytes());
        let tied =
            |sidecar: &Sidecar, refresh: &str| sidecar.complete("dev", session(refresh)).ties;
        let first = PinnedBy::FirstUse { config: Some("/cfg".to_owned()) };
        for refresh in ["one", "rotated"] {
            assert_eq!(tied(&sidecar, refresh), [HostPin::new(a.clone(), first.clone())]);
        }
        assert!(sidecar.complete("other", session("one")).ties.is_empty());
        // A login by u2m takes its place, and what follows it under the name is for its host.
        sidecar.record("dev", &bound("own"), Some(session("rotated").fingerprint()));
        assert!(tied(&sidecar, "own").is_empty() && !sidecar.untie("dev"));
        assert_eq!(tied(&sidecar, "next"), [HostPin::new(a.clone(), PinnedBy::EarlierLogin)]);
        assert!(!sidecar.tie("dev", &b, None), "the name is taken");
        // So it is when u2m itself saves tokens of which nothing is known.
        sidecar.record("dev", &session("bare"), Some(session("next").fingerprint()));
        let first = PinnedBy::FirstUse { config: None };
        assert_eq!(tied(&sidecar, "bare"), [HostPin::new(a, first)]);
        assert!(sidecar.forget("dev") && tied(&sidecar, "bare").is_empty());
    }

    #[test]
    fn a_login_agrees_with_what_is_known_of_its_name_unless_that_is_of_another_host() {
        let tied_to = |host: &str| {
            let mut sidecar = Sidecar::parse(b"");
            sidecar.tie("dev", &Host::parse(host).unwrap(), None);
            sidecar
        };
        let (here, elsewhere) = (tied_to("https://a.example"), tied_to("https://b.example"));
        assert!(Sidecar::parse(b"").agrees("dev", &bound("own")), "nothing is known");
        assert!(here.agrees("dev", &bound("own")) && !elsewhere.agrees("dev", &bound("own")));
        assert!(elsewhere.agrees("other", &bound("own")));
        assert!(elsewhere.agrees("dev", &session("bare")), "it says of no host that it is for it");
    }

    #[test]
    fn t14_the_file_holds_no_token() {
        let mut sidecar = Sidecar::parse(b"");
        sidecar.record("dev", &bound("canary"), None);
        assert!(!sidecar.text().contains("canary"));
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        for text in
            ["", "null", "{", r#"{"version":2,"sessions":{}}"#, r#"{"version":1,"sessions":7}"#]
        {
            assert!(Sidecar::parse(text.as_bytes()).sessions.is_empty(), "{text}");
        }
    }
}
