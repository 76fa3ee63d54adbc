//! Copies of a login under its host's key, for programs that know no profiles: Databricks' Go package from 0.61 to 0.103,
//! and command lines before 0.290. A copy is written in the same write as its login, at logins and refreshes alike, so that
//! no program ever finds a spent refresh token in it (DUAL-1, DUAL-4).

use super::codec::Stored;
use super::document::Document;
use super::{FileStore, Inner};
use crate::beside::sidecar::Sidecar;
use crate::error::StoreError;
use crate::store::TokenStore;
use std::sync::Arc;
use u2m_core::{Binding, CacheKey, Session};

/// Under which host's key a login is copied.
///
/// ```
/// use u2m_cache::{FileStore, Mirror};
/// use u2m_core::CacheKey;
/// let host = CacheKey::new("https://ws-1.cloud.databricks.com");
/// let store = FileStore::at("/nonexistent/token-cache.json")
///     .with_mirror(CacheKey::new("prod"), Mirror::to(host.clone()))?;
/// // One login for each host: a second one is refused.
/// assert!(store.with_mirror(CacheKey::new("dev"), Mirror::to(host)).is_err());
/// # Ok::<(), u2m_cache::StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// `None`: that of the host that was signed in to.
    to: Option<CacheKey>,
    takes_over: bool,
}

impl Mirror {
    /// Copies to this host's key ([`Target::host_cache_key`](u2m_core::Target::host_cache_key)).
    ///
    /// ```
    /// use u2m_core::CacheKey;
    /// let mirror = u2m_cache::Mirror::to(CacheKey::new("https://ws-1.cloud.databricks.com"));
    /// ```
    pub fn to(host_key: CacheKey) -> Self {
        Self { to: Some(host_key), takes_over: false }
    }

    /// Copies to the key of the host, and of the account, that the login turns out to be for: where the person picks it in
    /// the browser, it is known only when there is something to store (DUAL-3).
    ///
    /// ```
    /// let mirror = u2m_cache::Mirror::to_host_of_login();
    /// ```
    pub fn to_host_of_login() -> Self {
        Self { to: None, takes_over: false }
    }

    /// Replaces the copy of another login on the same host, whose copy it is no more from then on.
    ///
    /// ```
    /// let mirror = u2m_cache::Mirror::to_host_of_login().taking_over();
    /// ```
    #[must_use]
    pub fn taking_over(mut self) -> Self {
        self.takes_over = true;
        self
    }
}

/// Which logins are copied.
#[derive(Clone, Debug, Default)]
pub(super) struct Mirrors(Vec<(CacheKey, Mirror)>);

impl Mirrors {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, key: CacheKey, mirror: Mirror) -> Result<(), StoreError> {
        self.0.retain(|(known, _)| *known != key);
        let same = |(_, other): &&(CacheKey, Mirror)| other.to.is_some() && other.to == mirror.to;
        if let (Some((by, _)), Some(host)) = (self.0.iter().find(same), &mirror.to) {
            return Err(StoreError::MirrorTaken { host: host.clone(), by: by.clone() });
        }
        self.0.push((key, mirror));
        Ok(())
    }

    /// Where a copy of `session` goes, and whether another login's copy may be there.
    pub(super) fn of(&self, key: &CacheKey, session: &Session) -> Option<(CacheKey, bool)> {
        let (_, mirror) = self.0.iter().find(|(known, _)| known == key)?;
        let of_login = || session.binding.as_ref().map(host_key);
        let to = mirror.to.clone().or_else(of_login)?;
        (to != *key).then_some((to, mirror.takes_over))
    }
}

/// The key that programs without profiles look for.
fn host_key(binding: &Binding) -> CacheKey {
    let host = binding.host.as_str();
    match &binding.account_id {
        Some(id) => CacheKey::new(format!("{host}/oidc/accounts/{id}")),
        None => CacheKey::new(host),
    }
}

impl FileStore {
    /// Copies the login under `key` to a host's key whenever it is saved, in the same write. Off unless asked for. Deleting
    /// the login deletes the copy too, if it still holds this login's tokens.
    ///
    /// There is one copied login for each host (DUAL-2). Where another one, which is still stored, has its copy there, this
    /// one is saved without a copy and a notice says so, unless it is [taking over](Mirror::taking_over). What an older
    /// program stored there is replaced, but never something that can be refreshed by something that cannot.
    ///
    /// # Errors
    /// This store already copies another login to that host's key.
    ///
    /// ```
    /// use u2m_cache::{FileStore, Mirror, TokenStore};
    /// use u2m_core::{AccessToken, CacheKey, Session};
    /// let folder = tempfile::tempdir().unwrap();
    /// let (prod, host) = (CacheKey::new("prod"), CacheKey::new("https://ws-1.cloud.databricks.com"));
    /// let store = FileStore::at(folder.path().join("token-cache.json"))
    ///     .with_mirror(prod.clone(), Mirror::to(host.clone()))?;
    /// store.save(&prod, &Session::new(AccessToken::new("a")))?;
    /// assert_eq!(store.load(&host)?, store.load(&prod)?);
    /// # Ok::<(), u2m_cache::StoreError>(())
    /// ```
    pub fn with_mirror(self, key: CacheKey, mirror: Mirror) -> Result<Self, StoreError> {
        let mut mirrors = self.0.mirrors.clone();
        mirrors.add(key, mirror)?;
        let mut inner = Inner::new(self.path().to_owned(), super::Codec::Plain);
        inner.mirrors = mirrors;
        for notice in self.take_notices() {
            inner.beside.notice(notice.text);
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Reads the login that an older program stored under `host_key`, for a profile that has none (DUAL-5). Nothing is
    /// written: a refresh is one of the entry under `host_key`, with its lock. That the host belongs to this one profile
    /// alone is for the caller to know, since it may be another user's login otherwise.
    ///
    /// # Errors
    /// The file, or this entry, cannot be read.
    ///
    /// ```
    /// use u2m_cache::{FileStore, TokenStore};
    /// use u2m_core::{AccessToken, CacheKey, Session};
    /// let folder = tempfile::tempdir().unwrap();
    /// let store = FileStore::at(folder.path().join("token-cache.json"));
    /// let (dev, host) = (CacheKey::new("dev"), CacheKey::new("https://ws-1.cloud.databricks.com"));
    /// store.save(&host, &Session::new(AccessToken::new("a")))?;
    /// assert!(store.load_host_fallback(&dev, &host)?.is_some());
    /// assert!(store.take_notices()[0].text.contains("log in"));
    /// assert!(store.load(&dev)?.is_none(), "it was not copied");
    /// # Ok::<(), u2m_cache::StoreError>(())
    /// ```
    pub fn load_host_fallback(
        &self,
        profile: &CacheKey,
        host_key: &CacheKey,
    ) -> Result<Option<Session>, StoreError> {
        if let Some(session) = self.load(profile)? {
            return Ok(Some(session));
        }
        let found = self.load(host_key)?;
        if found.is_some() && profile != host_key {
            self.0.notice_once(format!(
                "the login '{profile}' is not stored; the one that an older program stored for '{host_key}' is used. To keep \
                 one of its own, log in with '{profile}'"
            ));
        }
        Ok(found)
    }
}

impl Inner {
    /// Whether the copy may be written; if not, a notice says why, and the login itself is saved all the same.
    pub(super) fn may_mirror(
        &self,
        document: &Document<'_>,
        sidecar: &Sidecar,
        (key, old): (&CacheKey, &Stored<'_>),
        session: &Session,
        (to, takes_over): (&CacheKey, bool),
    ) -> bool {
        let is_there = |name: &str| document.entry(name).is_some();
        let owner = sidecar.mirrored(to.as_str()).filter(|owner| *owner != key.as_str());
        let owner = owner.filter(|owner| is_there(owner) && is_there(to.as_str()));
        if let Some(owner) = owner.filter(|_| !takes_over) {
            let owner = CacheKey::new(owner);
            self.notice_once(format!(
                "the login '{key}' was saved without a copy for '{to}': the copy there is that of '{owner}'"
            ));
            return false;
        }
        let there = self.read(document, to.as_str()).and_then(|there| there.session());
        let renewable = there.and_then(|there| there.refresh_token);
        let spent = old.session().and_then(|old| old.refresh_token);
        if session.refresh_token.is_none() && renewable.is_some() && renewable != spent {
            self.notice_once(format!(
                "the login '{key}' was saved without a copy for '{to}': the one there can be refreshed, and this one cannot"
            ));
            return false;
        }
        true
    }

    /// Copies of `old` that this program made under hosts' keys, and that nobody has changed since.
    pub(super) fn mirrors_of<'d>(
        &self,
        document: &'d Document<'_>,
        sidecar: &Sidecar,
        key: &CacheKey,
        old: &Stored<'_>,
    ) -> Vec<&'d str> {
        let Some(old) = old.session() else { return Vec::new() };
        let full = sidecar.complete(key.as_str(), old.clone());
        let wanted = self.mirrors.of(key, &full).map(|(to, _)| to);
        let is_ours = |name: &str| {
            name != key.as_str()
                && match sidecar.mirrored(name) {
                    Some(owner) => owner == key.as_str(),
                    None => wanted.as_ref().is_some_and(|to| to.as_str() == name),
                }
        };
        let names = document.keys().into_iter().filter(|name| is_ours(name));
        let same = names.filter(|name| {
            let there = self.read(document, name).and_then(|there| there.session());
            there.is_some_and(|there| there.fingerprint() == old.fingerprint())
        });
        same.collect()
    }
}
