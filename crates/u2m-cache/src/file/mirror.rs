//! Copies of a login under its host's key, for programs that do not know profiles: Databricks' Go SDK from 0.61 to 0.103, and
//! Databricks CLI versions before 0.290. A copy is written in the same write as its login, by logins and refreshes alike, so
//! that no program ever finds a used refresh token in it (DUAL-1, DUAL-4). Each host has one copied login: the first one,
//! until another replaces it (DUAL-2). Only a login can replace another login's copy. A refresh updates its own copy or fills
//! a free place, so two logins that both want the place cannot take it from each other just by being used.

use super::codec::DecodedEntry;
use super::document::CacheDocument;
use super::over::ReplaceRule;
use super::{FileStore, FileStoreInner};
use crate::error::StoreError;
use crate::sidecar::record_file::Sidecar;
use crate::store::TokenStore;
use std::sync::Arc;
use u2m_core::{Binding, CacheKey, Session};

/// Says whether and under which host's key a login is also stored as a copy ([`FileStore::with_mirror`]).
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
    /// `None`: the key of the host that the login turns out to be for.
    to: Option<CacheKey>,
    wish: MirrorWish,
}

/// How strongly a copy is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MirrorWish {
    /// No copy.
    Never,
    /// Copy if the place is free. Otherwise do nothing, without a notice.
    WhereFree,
    /// The user asked for a copy, and gets a notice if the place is not free.
    Asked,
    /// Replace the copy of another login.
    TakesOver,
}

impl Mirror {
    /// Copies to the given host's key ([`Target::host_cache_key`](u2m_core::Target::host_cache_key)).
    ///
    /// ```
    /// use u2m_core::CacheKey;
    /// let mirror = u2m_cache::Mirror::to(CacheKey::new("https://ws-1.cloud.databricks.com"));
    /// ```
    pub fn to(host_key: CacheKey) -> Self {
        Self { to: Some(host_key), wish: MirrorWish::Asked }
    }

    /// Copies to the key of the host, and of the account, that the login turns out to be for. If the user picks it in the
    /// browser, it is known only when there is something to store (DUAL-3).
    ///
    /// ```
    /// let mirror = u2m_cache::Mirror::to_host_of_login();
    /// ```
    pub fn to_host_of_login() -> Self {
        Self { to: None, wish: MirrorWish::Asked }
    }

    /// Returns the host's key that it copies to, or `None` if that is the key of the host that the login turns out to be for.
    ///
    /// ```
    /// assert!(u2m_cache::Mirror::to_host_of_login().host_key().is_none());
    /// ```
    pub fn host_key(&self) -> Option<&CacheKey> {
        self.to.as_ref()
    }

    /// Returns whether a login replaces the copy of another login ([`Mirror::taking_over`]).
    ///
    /// ```
    /// assert!(u2m_cache::Mirror::to_host_of_login().taking_over().is_taking_over());
    /// ```
    pub fn is_taking_over(&self) -> bool {
        self.wish == MirrorWish::TakesOver
    }

    /// Makes a login replace the copy of another login on the same host. The other login then no longer has a copy. Only a
    /// login does this; a refresh leaves another login's copy in place, as [`Mirror::where_free`] does.
    ///
    /// ```
    /// let mirror = u2m_cache::Mirror::to_host_of_login().taking_over();
    /// ```
    #[must_use]
    pub fn taking_over(mut self) -> Self {
        self.wish = MirrorWish::TakesOver;
        self
    }

    /// Copies only if no other login has its copy there, and gives no notice if one has. Use it for a copy that the user did
    /// not ask for. A login that an older program stored there is replaced by a new login, but not by a refresh.
    ///
    /// ```
    /// let mirror = u2m_cache::Mirror::to_host_of_login().where_free();
    /// assert!(mirror.is_where_free() && !mirror.is_taking_over());
    /// ```
    #[must_use]
    pub fn where_free(mut self) -> Self {
        self.wish = MirrorWish::WhereFree;
        self
    }

    /// Returns whether it gives no notice if another login has its copy there ([`Mirror::where_free`]).
    ///
    /// ```
    /// assert!(!u2m_cache::Mirror::to_host_of_login().is_where_free());
    /// ```
    pub fn is_where_free(&self) -> bool {
        self.wish == MirrorWish::WhereFree
    }

    /// Makes no copy. An existing copy of this login is removed by the next save.
    ///
    /// ```
    /// assert!(u2m_cache::Mirror::none().is_none());
    /// ```
    pub fn none() -> Self {
        Self { to: None, wish: MirrorWish::Never }
    }

    /// Returns whether no copy is made.
    ///
    /// ```
    /// assert!(!u2m_cache::Mirror::to_host_of_login().is_none());
    /// ```
    pub fn is_none(&self) -> bool {
        self.wish == MirrorWish::Never
    }
}

/// The logins that are copied.
#[derive(Clone, Debug, Default)]
pub(super) struct MirrorRules(Vec<(CacheKey, Mirror)>);

impl MirrorRules {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns each login that is copied, and where to.
    pub(super) fn all(&self) -> Vec<(CacheKey, Mirror)> {
        self.0.clone()
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

    /// Returns whether `key` must not be copied.
    pub(super) fn is_never(&self, key: &CacheKey) -> bool {
        self.0.iter().any(|(known, mirror)| known == key && mirror.is_none())
    }

    /// Returns where a copy of `session` goes and how strongly it is wanted. Only a login, which replaces whatever is there,
    /// may take over another login's copy.
    pub(super) fn of_save(
        &self,
        key: &CacheKey,
        session: &Session,
        over: ReplaceRule<'_>,
    ) -> Option<(CacheKey, MirrorWish)> {
        let (to, wish) = self.of(key, session)?;
        match (wish, over) {
            (MirrorWish::TakesOver, ReplaceRule::Claimed(_) | ReplaceRule::Spent(_)) => {
                Some((to, MirrorWish::WhereFree))
            }
            (wish, _) => Some((to, wish)),
        }
    }

    fn of(&self, key: &CacheKey, session: &Session) -> Option<(CacheKey, MirrorWish)> {
        let (_, mirror) =
            self.0.iter().find(|(known, mirror)| known == key && !mirror.is_none())?;
        let of_login = || session.binding.as_ref().map(host_key);
        let to = mirror.to.clone().or_else(of_login)?;
        (to != *key).then_some((to, mirror.wish))
    }
}

/// Returns the key under which programs without profiles look.
fn host_key(binding: &Binding) -> CacheKey {
    let host = binding.host.as_str();
    match &binding.account_id {
        Some(id) => CacheKey::new(format!("{host}/oidc/accounts/{id}")),
        None => CacheKey::new(host),
    }
}

impl FileStore {
    /// Also stores the login under `key` under a host's key whenever it is saved, in the same write. Nothing is copied unless
    /// this is called. Deleting the login also deletes the copy if it still holds this login's tokens.
    ///
    /// Each host has one copied login (DUAL-2). If another login, which is still stored, has its copy there, this one is
    /// saved without a copy and a notice says so, unless it is [taking over](Mirror::taking_over) in a login. What an older
    /// program stored there is replaced, but an entry with a refresh token is never replaced by one without.
    ///
    /// # Errors
    /// Fails if this store already copies another login to that host's key.
    ///
    /// ```
    /// use u2m_cache::{FileStore, Mirror, TokenStore};
    /// use u2m_core::{AccessToken, CacheKey, Session};
    /// let folder = tempfile::tempdir().unwrap();
    /// let (prod, host) = (CacheKey::new("prod"), CacheKey::new("https://ws-1.cloud.databricks.com"));
    /// let store = FileStore::at(folder.path().join("token-cache.json"))
    ///     .with_mirror(prod.clone(), Mirror::to(host.clone()))?;
    /// store.save(&prod, &Session::new(AccessToken::new("a")))?;
    /// assert_eq!(store.load(&host)?.unwrap().access_token, store.load(&prod)?.unwrap().access_token);
    /// # Ok::<(), u2m_cache::StoreError>(())
    /// ```
    pub fn with_mirror(self, key: CacheKey, mirror: Mirror) -> Result<Self, StoreError> {
        let mut mirrors = self.0.mirrors.clone();
        mirrors.add(key, mirror)?;
        Ok(self.mirroring(mirrors))
    }

    /// Returns the same store without any copies, for logins at issuers whose logins no program looks up by host.
    ///
    /// ```
    /// use u2m_cache::{FileStore, Mirror};
    /// use u2m_core::CacheKey;
    /// let store = FileStore::at("/nonexistent/token-cache.json")
    ///     .with_mirror(CacheKey::new("prod"), Mirror::to_host_of_login())?;
    /// assert_eq!(store.clone().without_mirrors().path(), store.path());
    /// # Ok::<(), u2m_cache::StoreError>(())
    /// ```
    #[must_use]
    pub fn without_mirrors(self) -> Self {
        self.mirroring(MirrorRules::default())
    }

    fn mirroring(self, mirrors: MirrorRules) -> Self {
        let mut inner = FileStoreInner::new(self.path().to_owned(), super::EntryCodec::Plain);
        inner.mirrors = mirrors;
        for notice in self.take_notices() {
            inner.beside.notice(notice.text);
        }
        Self(Arc::new(inner))
    }
}

impl FileStoreInner {
    /// Returns whether the copy may be written. If not, a notice says why, and the login itself is still saved.
    pub(super) fn may_mirror(
        &self,
        document: &CacheDocument<'_>,
        sidecar: &Sidecar,
        (key, old): (&CacheKey, &DecodedEntry<'_>),
        session: &Session,
        (to, wish): (&CacheKey, MirrorWish),
    ) -> bool {
        let tell = |why: String| {
            if wish != MirrorWish::WhereFree {
                let text = format!("the login '{key}' was saved without a copy for '{to}': {why}");
                self.beside.notice_once(text);
            }
            false
        };
        let is_there = |name: &str| document.entry(name).is_some();
        let recorded = sidecar.mirrored(to.as_str());
        let owner = match recorded.filter(|owner| is_there(owner) && is_there(to.as_str())) {
            None if wish == MirrorWish::WhereFree && recorded.is_none() => {
                self.likeness(document, to)
            }
            owner => owner,
        };
        let owner = owner.filter(|owner| *owner != key.as_str());
        if let Some(owner) = owner.filter(|_| wish != MirrorWish::TakesOver) {
            return tell(format!("the copy there is that of '{}'", CacheKey::new(owner)));
        }
        let there = self.read(document, to.as_str()).and_then(|there| there.session());
        let renewable = there.and_then(|there| there.refresh_token);
        let spent = old.session().and_then(|old| old.refresh_token);
        if session.refresh_token.is_none() && renewable.is_some() && renewable != spent {
            return tell("the one there can be refreshed, and this one cannot".to_owned());
        }
        true
    }

    /// Returns the login with the same tokens as the entry under a host's key. If another program made that entry, it is the
    /// copy of this login.
    fn likeness<'d>(&self, document: &'d CacheDocument<'_>, to: &CacheKey) -> Option<&'d str> {
        let state = |name: &str| Some(self.read(document, name)?.session()?.fingerprint());
        let there = state(to.as_str())?;
        let others = document.keys().into_iter().filter(|name| *name != to.as_str());
        others.into_iter().find(|name| state(name).as_ref() == Some(&there))
    }

    /// Returns the copies of `old` that this program made under hosts' keys and that nobody has changed since.
    pub(super) fn mirrors_of<'d>(
        &self,
        document: &'d CacheDocument<'_>,
        sidecar: &Sidecar,
        key: &CacheKey,
        old: &DecodedEntry<'_>,
    ) -> Vec<&'d str> {
        let Some(old) = old.session() else { return Vec::new() };
        let full = sidecar.complete(key.as_str(), old.clone());
        // A copy that is not recorded is another program's, and stays unless the user asked for copies.
        let wanted = self.mirrors.of(key, &full).filter(|(_, wish)| *wish != MirrorWish::WhereFree);
        let wanted = wanted.map(|(to, _)| to);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_what_was_asked_for() {
        let asked = Mirror::to_host_of_login();
        assert!(!asked.is_taking_over() && !asked.is_where_free() && asked.host_key().is_none());
        let over = asked.clone().taking_over();
        assert!(over.is_taking_over() && !over.is_where_free());
        let free = asked.where_free();
        assert!(!free.is_taking_over() && free.is_where_free());
        let host = CacheKey::new("https://a.example");
        assert_eq!(Mirror::to(host.clone()).host_key(), Some(&host));
    }
}
