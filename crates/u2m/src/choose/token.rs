//! Chooses which login to get a token from.

use super::{Environment, TargetArgs, account, ca_file_of, name, scopes_of, target_of};
use crate::builder::Builder;
use crate::clock::now;
use std::path::{Path, PathBuf};
use u2m_cache::TokenStore;
use u2m_config::{ChooseError, ChosenProfile, ConfigFile, Profile, Purpose, select};
use u2m_core::{
    AccountId, CacheKey, Freshness, FreshnessRules, Host, HostMetadata, Sanitized, Scopes, Target,
};

/// Which login to get a token from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenChoice {
    /// The target, as far as it is known without asking the host.
    pub target: Target,
    /// The scopes that the login must have been granted: those that the profile names. Empty for an issuer that is not
    /// Databricks'.
    pub scopes: Scopes,
    /// The client, if the profile names one for an issuer that is not Databricks'.
    pub client_id: Option<String>,
    /// The account that was named with a host that may turn out to serve accounts.
    account: Option<AccountId>,
    /// The profile file, if a profile in it was used.
    profile_file: Option<PathBuf>,
    /// A file of certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether a person signs in with the profile and no other profile names its host.
    is_only_on_host: bool,
}

impl TokenChoice {
    /// Starts describing the login, with everything that was chosen.
    pub fn builder(self) -> Builder {
        let builder = Builder::new(self.target).with_scopes(self.scopes);
        let builder = builder.with_host_key_fallback(self.is_only_on_host);
        let builder = self.profile_file.into_iter().fold(builder, Builder::with_profile_file);
        let builder = self.ca_file.into_iter().fold(builder, Builder::with_ca_file);
        match self.client_id {
            Some(id) => builder.with_client_id(id),
            None => builder,
        }
    }

    /// The key under which a host that serves accounts would store this login, if it differs.
    pub fn other_key(&self) -> Option<CacheKey> {
        self.unified()
            .and_then(|target| target.host_cache_key())
            .filter(|_| self.target.profile().is_none())
    }

    /// The key to use if this login is not stored: that of the host, if no other profile names it.
    pub(crate) fn host_fallback_key(&self) -> Option<CacheKey> {
        self.target.host_cache_key().filter(|_| self.is_only_on_host)
    }

    /// Decides what kind of host it is when an account was named with it. The key under which a login is stored decides. Only if
    /// another program's login does not record its endpoints and must be renewed, `ask` asks the host.
    ///
    /// ```
    /// use u2m::config::{Environment, TargetArgs, choose_for_token};
    /// let config = u2m::config::ConfigFile::parse("[dev]\nhost = https://a.example\naccount_id = 1\n")?;
    /// let around = Environment { env: &|_| None, config: &config };
    /// let choice = choose_for_token(&TargetArgs { profile: Some("dev".into()), ..TargetArgs::default() }, &around)?;
    /// let choice = choice.settled_in(&u2m::store::MemoryStore::new(), |_| None);
    /// assert!(!choice.target.is_unified());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn settled_in(
        self,
        store: &dyn TokenStore,
        ask: impl FnOnce(&Host) -> Option<HostMetadata>,
    ) -> Self {
        if !self.is_open() {
            return self;
        }
        // A store error is reported when the token is requested.
        let load = |key: &CacheKey| store.load(key).ok().flatten();
        if let Some(key) = self.other_key()
            && load(&key).is_some()
        {
            return self.as_unified();
        }
        let Some(session) = load(&self.target.cache_key()) else { return self };
        let is_fresh = FreshnessRules::default().of(&session, now()) == Freshness::Fresh;
        match (session.binding, self.target.host()) {
            (Some(binding), _) if binding.account_id.is_some() => self.as_unified(),
            (None, Some(host)) if !is_fresh => match ask(host) {
                Some(metadata) => self.settled_by(&metadata),
                None => self,
            },
            _ => self,
        }
    }

    /// Whether only the host itself can say what kind it is.
    pub fn is_open(&self) -> bool {
        self.unified().is_some()
    }

    /// Decides the kind of host by its metadata.
    #[must_use]
    pub fn settled_by(mut self, metadata: &HostMetadata) -> Self {
        if metadata.serves_accounts() {
            self = self.as_unified();
        }
        self.account = None;
        self
    }

    /// Treats the host as one that serves accounts.
    #[must_use]
    pub fn as_unified(mut self) -> Self {
        if let Some(target) = self.unified() {
            self.target = match self.target.profile() {
                Some(profile) => target.with_profile(profile.clone()),
                None => target,
            };
        }
        self
    }

    fn unified(&self) -> Option<Target> {
        let host = self.target.host().filter(|host| !host.is_account_console())?;
        Some(Target::unified(host.clone(), self.account.clone()?))
    }
}

/// Chooses which login to get a token from: the login of the profile and host that [`select`] returns for [`Purpose::Login`].
///
/// The rules are those of `auth token` in Databricks' CLI, with these differences: a profile's tokens are never used for another
/// host than its own, wherever the two were named; a host matches only profiles that a person signs in with; and if several
/// match, the default profile wins.
///
/// Precedence: what was named; `DATABRICKS_CONFIG_PROFILE`; `DATABRICKS_HOST` with `DATABRICKS_ACCOUNT_ID`; the default profile.
///
/// # Errors
/// Fails if the choice is ambiguous or empty, or if the chosen profile is not one that a person signs in with.
///
/// ```
/// use u2m::config::{Environment, TargetArgs, choose_for_token};
/// let config = u2m::config::ConfigFile::parse("[dev]\nhost = https://a.example\n")?;
/// let surroundings = Environment { env: &|_| None, config: &config };
/// let said = TargetArgs { either: Some("dev".into()), ..TargetArgs::default() };
/// assert_eq!(choose_for_token(&said, &surroundings)?.target.cache_key().as_str(), "dev");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn choose_for_token(
    said: &TargetArgs,
    around: &Environment<'_>,
) -> Result<TokenChoice, ChooseError> {
    let config = around.config;
    let selection = select(&said.given(), around.env, config, Purpose::Login)?;
    if selection.is_empty() {
        return Err(nothing(config));
    }
    let profile = selection.section(config);
    if let Some(profile) = profile.as_ref().filter(|profile| profile.has_client_credentials()) {
        return Err(ChooseError::MachineProfile(Sanitized::new(profile.name())));
    }
    let ca_file = ca_file_of(said.ca_file.clone(), profile.as_ref());
    if let Some(profile) = profile.as_ref().filter(|profile| profile.issuer().is_some()) {
        return Ok(TokenChoice { ca_file, ..of_issuer(profile)? });
    }
    let profile_name = selection.profile().map(ChosenProfile::name);
    let no_host = || ChooseError::NoHost(Sanitized::new(profile_name.unwrap_or_default()));
    let host = selection.host().cloned().ok_or_else(no_host)?;
    let account_id = account(selection.account_id().map(str::to_owned))?;
    let mut target = target_of(host, account_id.clone())?;
    if let Some(profile) = profile_name {
        target = target.with_profile(name(profile)?);
    }
    let scopes = scopes_of(profile.as_ref());
    let profile_file = profile.as_ref().and_then(|_| config.path()).map(Path::to_owned);
    let is_only_on_host = profile.is_some_and(|profile| is_only_on_host(&profile, config));
    let account = account_id;
    let client_id = None;
    Ok(TokenChoice { target, scopes, client_id, account, profile_file, ca_file, is_only_on_host })
}

/// The login of a profile that names an issuer and a client.
fn of_issuer(profile: &Profile<'_>) -> Result<TokenChoice, ChooseError> {
    let (issuer, client) = profile.issuer().unwrap_or_default();
    let wrong = |error| ChooseError::ProfileIssuer(Sanitized::new(profile.name()), error);
    let target = Target::issuer(issuer).map_err(wrong)?.with_profile(name(profile.name())?);
    // An issuer may name the granted scopes differently from the requested ones, so scopes are checked at the login only.
    let (scopes, client_id) = (Scopes::default(), Some(client.to_owned()));
    Ok(TokenChoice {
        target,
        scopes,
        client_id,
        account: None,
        profile_file: None,
        ca_file: None,
        is_only_on_host: false,
    })
}

/// Whether a person signs in with the profile and no other profile names its host, whatever that one signs in with.
fn is_only_on_host(profile: &Profile<'_>, config: &ConfigFile) -> bool {
    let host = |profile: &Profile<'_>| profile.parsed_host().ok().flatten().map(|(host, _)| host);
    let Some(own) = host(profile).filter(|_| profile.is_for_users()) else { return false };
    let others = config.profiles();
    let others = others.iter().filter(|other| other.name() != profile.name());
    let mut others = others.filter(|other| may_spell(other.host().unwrap_or_default(), &own));
    !others.any(|other| host(other).as_ref() == Some(&own))
}

/// A quick check whether a text may spell this host. Parsing many hosts would take longer than printing a token.
fn may_spell(text: &str, host: &Host) -> bool {
    let is_plain = |text: &str| text.is_ascii() && !text.contains('%');
    let is_word =
        host.name().contains(|c: char| c.is_ascii_alphabetic()) && !host.name().contains(':');
    !is_word || !is_plain(text) || text.to_ascii_lowercase().contains(host.name())
}

fn nothing(config: &ConfigFile) -> ChooseError {
    match config.profiles().is_empty() {
        true => ChooseError::NoProfiles,
        false => ChooseError::NoProfileChosen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_spells_a_host_is_looked_at() {
        for (text, host) in [
            ("A.Example/x?o=1", "https://a.example"),
            ("HTTPS://user@A.EXAMPLE:443", "https://a.example"),
            ("https://%61.example", "https://a.example"),
            ("https://ａ.example", "https://a.example"),
            ("https://127.1", "https://127.0.0.1"),
            ("https://[0:0::1]", "https://[::1]"),
        ] {
            assert!(may_spell(text, &Host::parse(host).unwrap()), "{text}");
        }
        assert!(!may_spell("https://b.example", &Host::parse("https://a.example").unwrap()));
    }

    #[test]
    fn a_profile_is_alone_on_its_host_if_no_other_spells_it() {
        let is_only = |config: &str| {
            let config = ConfigFile::parse(config).unwrap();
            is_only_on_host(&config.profile("dev").unwrap(), &config)
        };
        let dev = "[dev]\nhost = https://a.example\n";
        assert!(is_only(dev) && is_only(&format!("{dev}[b]\nhost = b.example\n[c]\nscopes = x\n")));
        assert!(!is_only(&format!("{dev}[b]\nhost = A.example/?o=7\n")));
        assert!(!is_only(&format!("{dev}[b]\nhost = https://%61.example\n")));
        assert!(!is_only("[dev]\nhost = a.example\ntoken = t\n"));
        assert!(!is_only("[dev]\nscopes = x\n"));
    }
}
