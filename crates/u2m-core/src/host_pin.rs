//! Which host a login belongs to, if another program saved it without a binding. The evidence is in the entry itself, in
//! entries beside it, and in the record of its first use (T20). It can only refuse a host, never permit one.

use crate::databricks::Host;
use crate::issuer::derive_host_from_issuer;
use crate::jwt::UnverifiedClaims;
use crate::session::Session;
use crate::target::{CacheKey, Target};
use std::fmt;
use url::Url;

/// A host to which an entry without a [`Binding`](crate::Binding) is tied.
///
/// ```
/// use u2m_core::{Host, HostPin, PinnedBy};
/// let host = Host::parse("https://a.example")?;
/// let tie = HostPin::new(host, PinnedBy::FirstUse { config: Some("~/.databrickscfg".into()) });
/// assert_eq!(tie.to_string(), "https://a.example (first used there, as ~/.databrickscfg said)");
/// # Ok::<(), u2m_core::HostError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostPin {
    /// The host.
    pub host: Host,
    /// What ties the entry to it.
    pub by: PinnedBy,
}

/// What ties an entry to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PinnedBy {
    /// A login to that host was stored under the same name before other tokens replaced it.
    EarlierLogin,
    /// The login was first used with that host.
    FirstUse {
        /// The profile file that named the host, if one did.
        config: Option<String>,
    },
    /// The same tokens are stored under the host's own key.
    HostKey,
    /// The access token names an issuer on that host.
    Issuer,
    /// The entry's own key is that host's.
    Name,
}

impl HostPin {
    /// Makes a pin from a host and what ties the entry to it.
    ///
    /// ```
    /// use u2m_core::{Host, HostPin, PinnedBy};
    /// let tie = HostPin::new(Host::parse("https://a.example")?, PinnedBy::HostKey);
    /// assert_eq!(tie.host.as_str(), "https://a.example");
    /// # Ok::<(), u2m_core::HostError>(())
    /// ```
    pub fn new(host: Host, by: PinnedBy) -> Self {
        Self { host, by }
    }

    /// Whether the tie survives another program's refresh. What is recorded by name does, and the next access token names the
    /// same issuer as the last.
    fn lasts(&self) -> bool {
        !matches!(self.by, PinnedBy::HostKey)
    }
}

impl fmt::Display for HostPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        match &self.by {
            PinnedBy::EarlierLogin => write!(f, "{host} (signed in to there before)"),
            PinnedBy::FirstUse { config: Some(config) } => {
                write!(f, "{host} (first used there, as {config} said)")
            }
            PinnedBy::FirstUse { config: None } => write!(f, "{host} (first used there)"),
            PinnedBy::HostKey => write!(f, "{host} (its tokens are stored under that name too)"),
            PinnedBy::Issuer => write!(f, "{host} (its token names that issuer)"),
            PinnedBy::Name => write!(f, "{host} (by its name)"),
        }
    }
}

/// A login about to be used for the first time, as far as anything is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FirstUse {
    /// The host with which it is about to be used.
    pub host: Host,
    /// Whether the entry itself shows that it belongs to that host.
    pub is_shown: bool,
}

/// The host whose key this is; `None` if the key is not the URL of a host.
///
/// ```
/// use u2m_core::{CacheKey, host_of_key};
/// let key = CacheKey::new("https://a.example/oidc/accounts/abc");
/// assert_eq!(host_of_key(&key).unwrap().as_str(), "https://a.example");
/// assert!(host_of_key(&CacheKey::new("dev")).is_none());
/// ```
pub fn host_of_key(key: &CacheKey) -> Option<Host> {
    let text = key.as_str();
    let is_url = text.starts_with("https://") || text.starts_with("http://");
    is_url.then(|| Url::parse(text).ok().and_then(|url| Host::of(&url).ok())).flatten()
}

/// Everything that ties an entry with this key to hosts. An entry under a host's own key needs nothing else: it is only found
/// for that host.
fn ties(session: &Session, key: &CacheKey) -> Vec<HostPin> {
    if let Some(host) = host_of_key(key) {
        return vec![HostPin::new(host, PinnedBy::Name)];
    }
    let claims = UnverifiedClaims::read(session.access_token.expose());
    // A claim that names no host says nothing.
    let issuer = claims.and_then(|claims| derive_host_from_issuer(&claims.iss?).ok());
    let issuer = issuer.map(|host| HostPin::new(host, PinnedBy::Issuer));
    session.ties.iter().cloned().chain(issuer).collect()
}

/// What ties an entry without a binding to a host other than the target's.
pub(crate) fn elsewhere(session: &Session, target: &Target) -> Option<HostPin> {
    let host = target.host()?;
    ties(session, &target.cache_key()).into_iter().find(|tie| tie.host != *host)
}

/// What to record for an entry without a binding, once it is certain that nothing ties it elsewhere.
pub(crate) fn first_use(session: &Session, target: &Target) -> Option<FirstUse> {
    let host =
        target.host().filter(|_| target.issuer_id().is_none() && session.binding.is_none())?;
    let ties = ties(session, &target.cache_key());
    if ties.iter().any(HostPin::lasts) {
        return None;
    }
    Some(FirstUse { host: host.clone(), is_shown: !ties.is_empty() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::ProfileName;
    use crate::secret::{AccessToken, RefreshToken};
    use crate::session::Binding;
    use crate::{Timestamp, TokenError, TokenRequest, TokenStep, WhichToken};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn host(text: &str) -> Host {
        Host::parse(text).unwrap()
    }

    fn dev() -> Target {
        Target::workspace(host("https://a.example"))
            .with_profile(ProfileName::parse("dev").unwrap())
    }

    fn opaque() -> Session {
        Session::new(AccessToken::new("opaque")).with_refresh_token(RefreshToken::new("r"))
    }

    fn naming(issuer: &str) -> Session {
        let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"iss":"{issuer}"}}"#));
        Session { access_token: AccessToken::new(format!("e30.{claims}.c2ln")), ..opaque() }
    }

    fn refused(session: &Session, target: Target) -> Option<String> {
        for ask in
            [WhichToken::Usable, WhichToken::Newer(None), WhichToken::Other(AccessToken::new("x"))]
        {
            let TokenStep::Load(load) = TokenRequest::new(target.clone()).start(ask, NOW) else {
                panic!("loads first")
            };
            match load.loaded(Some(session.clone()), NOW) {
                Ok(_) => {}
                Err(TokenError::Mismatch { what: "host", stored, .. }) => {
                    return Some(stored.to_string());
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        None
    }

    #[test]
    fn t20_a_claim_may_refuse_a_host_and_permits_none() {
        let elsewhere = naming("https://b.example/oidc");
        assert!(refused(&elsewhere, dev()).unwrap().starts_with("https://b.example "));
        // Whatever the claim says, the recorded tie counts.
        let here = naming("https://a.example/oidc");
        assert_eq!(refused(&here, dev()), None);
        for by in [PinnedBy::EarlierLogin, PinnedBy::FirstUse { config: None }, PinnedBy::HostKey] {
            let tied = here.clone().with_tie(HostPin::new(host("https://b.example"), by));
            assert!(refused(&tied, dev()).is_some(), "{tied:?}");
        }
        for nothing in ["", "databricks", "urn:x", "https://", "http://a.example"] {
            assert_eq!(refused(&naming(nothing), dev()), None, "{nothing}");
        }
    }

    #[test]
    fn t20_an_entry_in_the_name_of_a_host_is_for_that_host() {
        let named =
            |key: &str| Target::workspace(host("https://a.example")).with_key(CacheKey::new(key));
        assert_eq!(refused(&opaque(), named("https://a.example")), None);
        assert_eq!(refused(&opaque(), named("https://a.example/oidc/accounts/x")), None);
        assert!(refused(&opaque(), named("https://b.example")).is_some());
        assert!(refused(&opaque(), named("https://a.example:444")).is_some());
        assert_eq!(first_use(&opaque(), &named("https://a.example")), None);
    }

    #[test]
    fn a_first_use_is_recorded_where_nothing_lasting_ties_the_entry() {
        let of = |session: &Session| first_use(session, &dev()).map(|first| first.is_shown);
        assert_eq!(of(&opaque()), Some(false));
        let twin = opaque().with_tie(HostPin::new(host("https://a.example"), PinnedBy::HostKey));
        assert_eq!(of(&twin), Some(true));
        assert_eq!(of(&naming("https://a.example/oidc")), None);
        let first = PinnedBy::FirstUse { config: None };
        assert_eq!(of(&opaque().with_tie(HostPin::new(host("https://a.example"), first))), None);
        let endpoint = "https://a.example/t".parse().unwrap();
        let binding = Binding::new("https://a.example", endpoint, "c", host("https://a.example"));
        assert_eq!(of(&opaque().with_binding(binding)), None);
        let discovery = Target::discovery(ProfileName::parse("dev").unwrap());
        assert_eq!(first_use(&opaque(), &discovery), None);
        let issuer = Target::issuer("https://a.example").unwrap();
        assert_eq!(first_use(&opaque(), &issuer), None);
    }
}
