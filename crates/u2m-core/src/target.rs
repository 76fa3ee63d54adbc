//! What to sign in to, and the key under which the login is stored.

use crate::databricks::{Host, HostError};
use crate::issuer::{IssuerError, derive_host_from_issuer};
use crate::names::{AccountId, ProfileName};
use crate::text::Sanitized;
use std::fmt;

/// What to sign in to: one of five kinds, with or without a profile name. The counterpart of the `OAuthArgument`
/// family in Databricks' Go package.
///
/// | kind | cache key without a profile | endpoints |
/// |---|---|---|
/// | workspace | `<host>` | from the host's metadata |
/// | account | `<host>/oidc/accounts/<id>` | fixed |
/// | unified | `<host>/oidc/accounts/<id>` | from the account's metadata |
/// | discovery | none: a profile is required | from the issuer that the callback names |
/// | issuer | the issuer | from the issuer's metadata |
///
/// ```
/// use u2m_core::{Host, Target};
/// let host = Host::parse("https://my-workspace.cloud.databricks.com")?;
/// let target = Target::workspace(host);
/// assert_eq!(target.cache_key().as_str(), "https://my-workspace.cloud.databricks.com");
/// # Ok::<(), u2m_core::HostError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    kind: TargetKind,
    profile: Option<ProfileName>,
    key: Option<CacheKey>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TargetKind {
    Account(Host, AccountId),
    Discovery,
    Issuer(Host, String),
    Unified(Host, AccountId),
    Workspace(Host),
}

impl Target {
    /// A workspace, identified by its host.
    ///
    /// ```
    /// use u2m_core::{Host, ProfileName, Target};
    /// let target = Target::workspace(Host::parse("http://127.0.0.1:5656").unwrap());
    /// assert_eq!(target.cache_key().as_str(), "http://127.0.0.1:5656");
    /// let target = target.with_profile(ProfileName::parse("local-profile").unwrap());
    /// assert_eq!(target.cache_key().as_str(), "local-profile");
    /// ```
    pub fn workspace(host: Host) -> Self {
        Self { kind: TargetKind::Workspace(host), profile: None, key: None }
    }

    /// An account, identified by the host of its account console and its id.
    ///
    /// ```
    /// use u2m_core::{AccountId, Host, Target};
    /// let host = Host::parse("https://accounts.cloud.databricks.com").unwrap();
    /// let target = Target::account(host, AccountId::parse("abc").unwrap());
    /// assert_eq!(target.cache_key().as_str(), "https://accounts.cloud.databricks.com/oidc/accounts/abc");
    /// ```
    pub fn account(host: Host, account: AccountId) -> Self {
        Self { kind: TargetKind::Account(host, account), profile: None, key: None }
    }

    /// A unified host: one that serves an account and its workspaces together.
    ///
    /// ```
    /// use u2m_core::{AccountId, Host, Target};
    /// let host = Host::parse("https://unified.databricks.com").unwrap();
    /// let target = Target::unified(host, AccountId::parse("account-123").unwrap());
    /// assert_eq!(target.host_cache_key().unwrap().as_str(), "https://unified.databricks.com/oidc/accounts/account-123");
    /// ```
    pub fn unified(host: Host, account: AccountId) -> Self {
        Self { kind: TargetKind::Unified(host, account), profile: None, key: None }
    }

    /// Whatever the person picks in the browser. The host is known once they have signed in.
    ///
    /// ```
    /// use u2m_core::{ProfileName, Target};
    /// let target = Target::discovery(ProfileName::parse("dev").unwrap());
    /// assert!(target.host().is_none());
    /// assert_eq!(target.cache_key().as_str(), "dev");
    /// ```
    pub fn discovery(profile: ProfileName) -> Self {
        Self { kind: TargetKind::Discovery, profile: Some(profile), key: None }
    }

    /// Any OAuth or OpenID Connect issuer. The identifier is compared exactly as written. The endpoints come from its
    /// metadata (RFC 8414, or OpenID Connect Discovery). You need a client registered there; pass its id to the
    /// builder.
    ///
    /// ```
    /// use u2m_core::Target;
    /// let target = Target::issuer("https://id.example/realms/main")?;
    /// assert_eq!(target.issuer_id(), Some("https://id.example/realms/main"));
    /// assert_eq!(target.host().unwrap().as_str(), "https://id.example");
    /// # Ok::<(), u2m_core::IssuerError>(())
    /// ```
    ///
    /// # Errors
    /// Fails if it is not https (except to loopback), or has user info, a query or a fragment.
    pub fn issuer(issuer: impl Into<String>) -> Result<Self, IssuerError> {
        let issuer = issuer.into();
        let host = derive_host_from_issuer(&issuer)?;
        Ok(Self { kind: TargetKind::Issuer(host, issuer), profile: None, key: None })
    }

    /// Stores the login under a profile's name, so that two profiles on one host stay separate.
    #[must_use]
    pub fn with_profile(mut self, profile: ProfileName) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Stores the login under a key of your choice.
    #[must_use]
    pub fn with_key(mut self, key: CacheKey) -> Self {
        self.key = Some(key);
        self
    }

    /// The key of the login in a store: the one you set, else the profile's name, else the host's key.
    pub fn cache_key(&self) -> CacheKey {
        let named = || self.profile.as_ref().map(|name| CacheKey(name.as_str().to_owned()));
        self.key
            .clone()
            .or_else(named)
            .or_else(|| self.host_cache_key())
            .unwrap_or_else(|| CacheKey(String::new()))
    }

    /// The key used by versions without profile keys; `None` for a discovery login, whose host is not known.
    pub fn host_cache_key(&self) -> Option<CacheKey> {
        match &self.kind {
            TargetKind::Account(host, id) | TargetKind::Unified(host, id) => {
                Some(CacheKey(host.join(&format!("/oidc/accounts/{id}"))))
            }
            TargetKind::Workspace(host) => Some(CacheKey(host.as_str().to_owned())),
            TargetKind::Issuer(_, issuer) => Some(CacheKey(issuer.clone())),
            TargetKind::Discovery => None,
        }
    }

    /// The host to sign in to; `None` for a discovery login.
    pub fn host(&self) -> Option<&Host> {
        match &self.kind {
            TargetKind::Account(host, _)
            | TargetKind::Issuer(host, _)
            | TargetKind::Unified(host, _)
            | TargetKind::Workspace(host) => Some(host),
            TargetKind::Discovery => None,
        }
    }

    /// Whether this is a unified host.
    pub fn is_unified(&self) -> bool {
        matches!(self.kind, TargetKind::Unified(..))
    }

    /// The account's id, for account and unified targets.
    pub fn account_id(&self) -> Option<&AccountId> {
        match &self.kind {
            TargetKind::Account(_, id) | TargetKind::Unified(_, id) => Some(id),
            TargetKind::Discovery | TargetKind::Issuer(..) | TargetKind::Workspace(_) => None,
        }
    }

    /// The issuer's identifier, for a target made with [`issuer`](Self::issuer).
    pub fn issuer_id(&self) -> Option<&str> {
        match &self.kind {
            TargetKind::Issuer(_, issuer) => Some(issuer),
            TargetKind::Account(..)
            | TargetKind::Discovery
            | TargetKind::Unified(..)
            | TargetKind::Workspace(_) => None,
        }
    }

    /// The profile's name, if there is one.
    pub fn profile(&self) -> Option<&ProfileName> {
        self.profile.as_ref()
    }

    /// Whether the host becomes known only by signing in.
    pub fn is_discovery(&self) -> bool {
        self.kind == TargetKind::Discovery
    }

    #[cfg(feature = "serde")]
    pub(crate) fn own_key(&self) -> Option<&CacheKey> {
        self.key.as_ref()
    }

    pub(crate) fn kind(&self) -> &TargetKind {
        &self.kind
    }
}

/// The flat string under which a login is kept in a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheKey(String);

impl CacheKey {
    /// Takes any string: a profile's name, a host's key, or a key of your own.
    ///
    /// ```
    /// assert_eq!(u2m_core::CacheKey::new("dev").as_str(), "dev");
    /// ```
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The key as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Sanitized::new(&self.0).fmt(f)
    }
}

/// Why a target, profile name or account id is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The account id is empty or has reserved characters.
    #[error("not an account id: '{0}'")]
    BadAccountId(Sanitized),
    /// The profile name is reserved, a URL, or has characters that a section header cannot contain.
    #[error("not a profile name: '{0}'")]
    BadProfile(Sanitized),
    /// The host is not valid.
    #[error(transparent)]
    Host(HostError),
    /// The issuer is not valid.
    #[error(transparent)]
    Issuer(IssuerError),
    /// A discovery login is stored under its profile, so it needs one.
    #[error("profile name must not be empty")]
    NoProfile,
    /// The text names no kind of target.
    #[error("not a target: '{0}'")]
    NotATarget(Sanitized),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_keys_are_those_of_the_reference_byte_for_byte() {
        let profile = |name: &str| ProfileName::parse(name).unwrap();
        let host = |text: &str| Host::parse(text).unwrap();
        let id = |text: &str| AccountId::parse(text).unwrap();
        let workspace = Target::workspace(host("https://myworkspace.cloud.databricks.com"));
        let local =
            Target::workspace(host("http://127.0.0.1:5656")).with_profile(profile("local-profile"));
        let account = Target::account(host("https://accounts.cloud.databricks.com"), id("abc"));
        let unified = Target::unified(host("https://unified.databricks.com"), id("account-123"));
        let account_key = "https://accounts.cloud.databricks.com/oidc/accounts/abc";
        let unified_key = "https://unified.databricks.com/oidc/accounts/account-123";
        for (target, key, host_key) in [
            (
                workspace,
                "https://myworkspace.cloud.databricks.com",
                "https://myworkspace.cloud.databricks.com",
            ),
            (local, "local-profile", "http://127.0.0.1:5656"),
            (account.clone(), account_key, account_key),
            (account.with_profile(profile("my-profile")), "my-profile", account_key),
            (unified, unified_key, unified_key),
        ] {
            assert_eq!(target.cache_key().as_str(), key);
            assert_eq!(target.host_cache_key().unwrap().as_str(), host_key);
        }
        assert_eq!(Target::discovery(profile("p")).cache_key().as_str(), "p");
        assert_eq!(Target::discovery(profile("p")).host_cache_key(), None);
    }

    #[test]
    fn a_key_of_the_callers_own_wins() {
        let target =
            Target::discovery(ProfileName::parse("p").unwrap()).with_key(CacheKey::new("mine"));
        assert_eq!(target.cache_key().as_str(), "mine");
    }
}
