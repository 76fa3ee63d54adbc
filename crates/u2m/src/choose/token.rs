//! Whose token is asked for.

use super::{Said, Surroundings, account, ca_file_of, name, scopes_of, target_of};
use crate::builder::Builder;
use std::path::{Path, PathBuf};
use u2m_config::{ChooseError, ChosenProfile, ConfigFile, Profile, Purpose, select};
use u2m_core::{AccountId, CacheKey, Foreign, HostMetadata, Scopes, Target};

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

/// Whose token is asked for: the login of the profile and the host that [`select`] comes to, for [`Purpose::Login`].
///
/// It goes by the rules of the reference's `auth token`, with these differences: a profile's tokens are never taken for
/// another host than its own, wherever the two were named; a host is matched only with profiles that a person signs in
/// with; and where several match, the default profile wins.
///
/// Precedence: what was said; `DATABRICKS_CONFIG_PROFILE`; `DATABRICKS_HOST` with `DATABRICKS_ACCOUNT_ID`; the default
/// profile.
///
/// # Errors
/// It is not clear what is meant; or what is meant signs in otherwise than by a person.
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
    let selection = select(&said.given(), around.env, config, Purpose::Login)?;
    if selection.is_empty() {
        return Err(nothing(config));
    }
    let profile = selection.section(config);
    if let Some(profile) = profile.as_ref().filter(|profile| profile.has_client_credentials()) {
        return Err(ChooseError::MachineProfile(Foreign::new(profile.name())));
    }
    let ca_file = ca_file_of(said.ca_file.clone(), profile.as_ref());
    if let Some(profile) = profile.as_ref().filter(|profile| profile.issuer().is_some()) {
        return Ok(TokenChoice { ca_file, ..of_issuer(profile)? });
    }
    let profile_name = selection.profile().map(ChosenProfile::name);
    let no_host = || ChooseError::NoHost(Foreign::new(profile_name.unwrap_or_default()));
    let host = selection.host().cloned().ok_or_else(no_host)?;
    let account_id = account(selection.account_id().map(str::to_owned))?;
    let mut target = target_of(host, account_id.clone())?;
    if let Some(profile) = profile_name {
        target = target.with_profile(name(profile)?);
    }
    let scopes = scopes_of(profile.as_ref());
    let profile_file = profile.as_ref().and_then(|_| config.path()).map(Path::to_owned);
    Ok(TokenChoice { target, scopes, client_id: None, account: account_id, profile_file, ca_file })
}

/// The login of a profile that names an issuer and a client.
fn of_issuer(profile: &Profile<'_>) -> Result<TokenChoice, ChooseError> {
    let (issuer, client) = profile.issuer().unwrap_or_default();
    let wrong = |error| ChooseError::ProfileIssuer(Foreign::new(profile.name()), error);
    let target = Target::issuer(issuer).map_err(wrong)?.with_profile(name(profile.name())?);
    // What an issuer grants it may call by other names than those that were asked for: they count at the login alone.
    let (scopes, client_id) = (Scopes::default(), Some(client.to_owned()));
    Ok(TokenChoice { target, scopes, client_id, account: None, profile_file: None, ca_file: None })
}

fn nothing(config: &ConfigFile) -> ChooseError {
    match config.profiles().is_empty() {
        true => ChooseError::NoProfiles,
        false => ChooseError::NoProfileChosen,
    }
}
