//! Whose token is asked for.

use super::{
    ChooseError, Said, Surroundings, account, ca_file_of, check_conflict, has_login, host_of, name,
    scopes_of, target_of, typed, unknown,
};
use crate::builder::Builder;
use std::path::{Path, PathBuf};
use u2m_config::{ConfigFile, Profile};
use u2m_core::{AccountId, CacheKey, Foreign, Host, HostMetadata, Scopes, Target};

/// Whose token is asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenChoice {
    /// What was signed in to, as far as that can be told without asking the host.
    pub target: Target,
    /// The scopes that the login must have been granted: those that the profile names, unless it is for an issuer that is not
    /// Databricks'.
    pub scopes: Scopes,
    /// The client, where the profile names one: of an issuer that is not Databricks'.
    pub client_id: Option<String>,
    /// The account that was named beside a host which may turn out to serve accounts.
    account: Option<AccountId>,
    /// The profile file that says so, where a profile does.
    profile_file: Option<PathBuf>,
    /// A file of certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
}

impl TokenChoice {
    /// Begins to describe the login, with all that was chosen.
    pub fn builder(self) -> Builder {
        let builder = Builder::new(self.target).with_scopes(self.scopes);
        let builder = self.profile_file.into_iter().fold(builder, Builder::with_profile_file);
        let builder = self.ca_file.into_iter().fold(builder, Builder::with_ca_file);
        match self.client_id {
            Some(id) => builder.with_client_id(id),
            None => builder,
        }
    }

    /// The key under which a host that serves accounts would keep this login, if it is another one.
    pub fn other_key(&self) -> Option<CacheKey> {
        self.unified()
            .and_then(|target| target.host_cache_key())
            .filter(|_| self.target.profile().is_none())
    }

    /// Whether only the host itself can say what kind it is.
    pub fn is_open(&self) -> bool {
        self.unified().is_some()
    }

    /// Settles the kind by the host's own word.
    #[must_use]
    pub fn settled_by(mut self, metadata: &HostMetadata) -> Self {
        if metadata.serves_accounts() {
            self = self.as_unified();
        }
        self.account = None;
        self
    }

    /// Takes the host for one that serves accounts.
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

/// Chooses by the rules of the reference's `auth token`, with these differences: a profile's tokens are never taken for
/// another host than its own, wherever the two were named; a host is matched only with profiles that a person signs in
/// with; and where several match, the default profile wins.
///
/// Precedence: what was said; `DATABRICKS_CONFIG_PROFILE`; `DATABRICKS_HOST` with `DATABRICKS_ACCOUNT_ID`; the default
/// profile.
///
/// # Errors
/// It is not clear what is meant.
///
/// ```
/// use u2m::{Said, Surroundings, choose_for_token};
/// let config = u2m::ConfigFile::parse("[dev]\nhost = https://a.example\n")?;
/// let surroundings = Surroundings { env: &|_| None, config: &config };
/// let said = Said { either: Some("dev".into()), ..Said::default() };
/// assert_eq!(choose_for_token(&said, &surroundings)?.target.cache_key().as_str(), "dev");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn choose_for_token(
    said: &Said,
    around: &Surroundings<'_>,
) -> Result<TokenChoice, ChooseError> {
    let config = around.config;
    let mut said = said.sorted(config)?;
    said.profile = said.profile.or_else(|| around.set("DATABRICKS_CONFIG_PROFILE"));
    let mut env_account = None;
    if said.profile.is_none() && said.host.is_none() {
        said.host = around.set("DATABRICKS_HOST");
        if said.host.is_some() {
            env_account = around.set("DATABRICKS_ACCOUNT_ID");
        } else {
            said.profile = Some(fallback(config)?);
        }
    }
    let named = said.host.as_deref().map(typed).transpose()?;
    let account_id =
        said.account_id.or_else(|| named.as_ref().and_then(|(_, hints)| hints.account_id.clone()));
    let account_id = account_id.or(env_account);
    let profile = match (&said.profile, &named) {
        (Some(name), _) => Some(
            config
                .profile(name)
                .map_or_else(|| missing(config, name, named.is_some()), |p| Ok(Some(p)))?,
        ),
        (None, Some((host, _))) => {
            Some(on_host(config, host, account_id.as_deref(), said.host.as_deref())?)
        }
        (None, None) => None,
    };
    let profile = profile.flatten();
    if let Some(profile) = profile.as_ref().filter(|profile| profile.has_client_credentials()) {
        return Err(ChooseError::MachineProfile(Foreign::new(profile.name())));
    }
    let ca_file = ca_file_of(said.ca_file, profile.as_ref());
    let profile_file = profile.as_ref().and_then(|_| config.path()).map(Path::to_owned);
    if let Some(profile) = profile.as_ref().filter(|profile| profile.issuer().is_some()) {
        let choice = of_issuer(profile, named.as_ref().map(|(host, _)| host))?;
        return Ok(TokenChoice { ca_file, ..choice });
    }
    let own = profile.as_ref().map(host_of).transpose()?.flatten();
    let named = named.map(|(host, _)| host);
    if let Some(name) = &said.profile {
        check_conflict(name, own.as_ref().map(|(host, _)| host), named.as_ref())?;
    }
    let profile_name =
        said.profile.or_else(|| profile.as_ref().map(|profile| profile.name().to_owned()));
    let no_host = || ChooseError::NoHost(Foreign::new(profile_name.as_deref().unwrap_or_default()));
    let (own, hints) = own.map_or((None, None), |(host, hints)| (Some(host), Some(hints)));
    let host = named.or(own).ok_or_else(no_host)?;
    let of_profile = profile.as_ref().and_then(|profile| profile.account_id()).map(str::to_owned);
    let of_profile = of_profile.or_else(|| hints.and_then(|hints| hints.account_id));
    // The environment's account ranks below the profile's own: a stray one must not send a profile elsewhere.
    let account_id =
        account(account_id.or(of_profile).or_else(|| around.set("DATABRICKS_ACCOUNT_ID")))?;
    let mut target = target_of(host, account_id.clone())?;
    if let Some(profile) = &profile_name {
        target = target.with_profile(name(profile)?);
    }
    let scopes = scopes_of(profile.as_ref());
    Ok(TokenChoice { target, scopes, client_id: None, account: account_id, profile_file, ca_file })
}

/// The login of a profile that names an issuer and a client.
fn of_issuer(profile: &Profile<'_>, named: Option<&Host>) -> Result<TokenChoice, ChooseError> {
    let (issuer, client) = profile.issuer().unwrap_or_default();
    let wrong = |error| ChooseError::ProfileIssuer(Foreign::new(profile.name()), error);
    let target = Target::issuer(issuer).map_err(wrong)?.with_profile(name(profile.name())?);
    check_conflict(profile.name(), target.host(), named)?;
    // What an issuer grants it may call by other names than those that were asked for: they count at the login alone.
    let (scopes, client_id) = (Scopes::default(), Some(client.to_owned()));
    Ok(TokenChoice { target, scopes, client_id, account: None, profile_file: None, ca_file: None })
}

/// The profile to use when nothing was said. One that does not exist is passed over, as the reference does.
fn fallback(config: &ConfigFile) -> Result<String, ChooseError> {
    let chosen = config.default_profile().filter(|name| config.profile(name).is_some());
    let default = || config.profile("DEFAULT").filter(has_login).map(|_| "DEFAULT");
    match chosen.or_else(default) {
        Some(name) => Ok(name.to_owned()),
        None if config.profiles().is_empty() => Err(ChooseError::NoProfiles),
        None => Err(ChooseError::NoProfileChosen),
    }
}

/// A profile that does not exist is tolerated beside a host: its name is the key of a login all the same.
fn missing<'a>(
    config: &ConfigFile,
    name: &str,
    with_host: bool,
) -> Result<Option<Profile<'a>>, ChooseError> {
    if with_host { Ok(None) } else { Err(unknown(config, name)) }
}

/// The profile on a host, if one is meant.
fn on_host<'a>(
    config: &'a ConfigFile,
    host: &Host,
    account: Option<&str>,
    said: Option<&str>,
) -> Result<Option<Profile<'a>>, ChooseError> {
    let mut all = config.profiles_on(host);
    if let Some(account) = account {
        all.retain(|profile| profile.account_id().is_none_or(|own| own == account));
        if all.iter().any(|profile| profile.account_id().is_some()) {
            all.retain(|profile| profile.account_id().is_some());
        }
    }
    if all.len() < 2 {
        return Ok(all.pop());
    }
    let default = config.default_profile();
    if let Some(at) = all.iter().position(|profile| Some(profile.name()) == default) {
        return Ok(Some(all.swap_remove(at)));
    }
    let names = all.iter().map(|profile| Foreign::new(profile.name())).collect();
    Err(ChooseError::Ambiguous { host: Foreign::new(said.unwrap_or(host.as_str())), names })
}
