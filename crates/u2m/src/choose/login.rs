//! Chooses what to sign in to.

use super::{Environment, TargetArgs, account, ca_file_of, name, scopes_of, typed};
use std::path::PathBuf;
use u2m_config::{ChooseError, ConfigFile, Profile};
use u2m_core::{AccountId, Host, HostMetadata, ProfileName, Sanitized, Scopes, Target};

/// What to sign in to, and the profile to save the login as.
///
/// Ids are taken from the first source that has them: what was named; the host's URL; the profile of that name, if its host is
/// the same; once the host has been asked ([`settle`](Self::settle)), its own metadata; and then the environment, whose account
/// is used only if the host serves accounts.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoginChoice {
    /// The profile that the login is saved as.
    pub profile: ProfileName,
    /// Whether the profile's name was derived from the host or the account because nobody named one.
    pub is_suggested: bool,
    /// The host; `None` means a discovery login.
    pub host: Option<Host>,
    /// The account.
    pub account: Option<AccountId>,
    /// The workspace.
    pub workspace_id: Option<String>,
    /// Whether the profile already covers this account as a whole, so that no workspace has to be chosen.
    pub is_account_wide: bool,
    /// The scopes that the profile already names.
    pub scopes: Scopes,
    /// A file of certificates to trust besides the system's: the one that was named, or the one in the profile.
    pub ca_file: Option<PathBuf>,
}

impl LoginChoice {
    /// Whether the host must be asked for its kind and its missing ids. Account consoles have nothing to add.
    pub fn is_open(&self) -> bool {
        self.host.as_ref().is_some_and(|host| !host.is_account_console())
    }

    /// Whether there is a workspace to choose: the account is known and the workspace is not. Consoles have no workspaces, and a
    /// profile that covers the whole account stays that way.
    pub fn wants_workspace(&self) -> bool {
        self.is_open()
            && self.account.is_some()
            && self.workspace_id.is_none()
            && !self.is_account_wide
    }

    /// Fills in what nobody named, first from the host's metadata and then from the environment. A suggested profile name may
    /// change with it.
    ///
    /// # Errors
    /// Fails if people sign in to accounts on this host and no account is known.
    ///
    /// ```
    /// use u2m::config::{Environment, TargetArgs, choose_for_login};
    /// use u2m::databricks::HostMetadata;
    /// let config = u2m::config::ConfigFile::parse("")?;
    /// let around = Environment { env: &|_| None, config: &config };
    /// let said = TargetArgs { host: Some("https://dev.cloud.databricks.com".into()), ..TargetArgs::default() };
    /// let mut choice = choose_for_login(&said, &around)?;
    /// let mut metadata = HostMetadata::default();
    /// metadata.workspace_id = Some("900800700600".into());
    /// choice.settle(&metadata, &around)?;
    /// assert_eq!(choice.workspace_id.as_deref(), Some("900800700600"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn settle(
        &mut self,
        metadata: &HostMetadata,
        around: &Environment<'_>,
    ) -> Result<(), ChooseError> {
        let Some(host) = self.host.clone() else { return Ok(()) };
        // An id that cannot be valid counts as missing.
        let own = || metadata.account_id.as_deref().and_then(|id| AccountId::parse(id).ok());
        self.account = self.account.take().or_else(own);
        if metadata.serves_accounts() && self.account.is_none() {
            self.account = account(around.set("DATABRICKS_ACCOUNT_ID"))?;
            if self.account.is_none() {
                return Err(ChooseError::NoAccount(host));
            }
        }
        if !host.is_account_console() {
            let own = metadata.workspace_id.clone().filter(|id| is_id(id));
            let env = || {
                around
                    .set("DATABRICKS_WORKSPACE_ID")
                    .filter(|id| !self.is_account_wide && is_id(id))
            };
            self.workspace_id = self.workspace_id.take().or(own).or_else(env);
        }
        // An existing profile that fits keeps its name.
        let is_there = |name: &ProfileName| around.config.profile(name.as_str()).is_some();
        if self.is_suggested && !is_there(&self.profile) {
            let of_account = metadata.serves_accounts() && self.workspace_id.is_none();
            self.profile = self.free_name(around.config, &host, of_account)?;
            if let Some(profile) = around.config.profile(self.profile.as_str()) {
                self.scopes = scopes_of(Some(&profile));
                self.is_account_wide =
                    profile.account_id().is_some() && profile.workspace_id().is_none();
            }
        }
        Ok(())
    }

    /// The target to sign in to, by the host's metadata where it is needed.
    pub fn target(&self, metadata: &HostMetadata) -> Target {
        let target = match &self.host {
            Some(host) => metadata.target(host.clone(), self.account.clone()),
            None => return Target::discovery(self.profile.clone()),
        };
        target.with_profile(self.profile.clone())
    }

    /// Derives a profile name: `ACCOUNT-<id>` for an account, the first label of a host name, `DEFAULT` for an IP address. Adds
    /// a number if a profile of that name is for something else.
    fn free_name(
        &self,
        config: &ConfigFile,
        host: &Host,
        of_account: bool,
    ) -> Result<ProfileName, ChooseError> {
        let account = self.account.as_ref().filter(|_| of_account || host.is_account_console());
        let label = host.name().split('.').next().unwrap_or_default();
        let is_name =
            label.chars().any(|c| c.is_ascii_alphabetic()) && !host.name().starts_with('[');
        let wanted = match account {
            Some(account) => format!("ACCOUNT-{account}"),
            None if is_name => label.to_owned(),
            None => DEFAULT.to_owned(),
        };
        let differs = |own: Option<&str>, new: Option<&str>| {
            own.is_some_and(|own| new.is_some_and(|new| own != new))
        };
        first_free(&wanted, |name| {
            // A profile that signs in another way would lose its credentials.
            config.profile(name).is_none_or(|profile| match profile.parsed_host() {
                _ if !profile.is_for_users() || profile.issuer().is_some() => false,
                Ok(Some((own, _))) => {
                    own == *host
                        && !differs(
                            profile.account_id(),
                            self.account.as_ref().map(AccountId::as_str),
                        )
                        && !differs(profile.workspace_id(), self.workspace_id.as_deref())
                }
                Ok(None) => true,
                Err(_) => false,
            })
        })
    }
}

const DEFAULT: &str = "DEFAULT";

/// Chooses what to sign in to, by the rules of `auth login` in Databricks' CLI. If no host is known at all, it is a discovery
/// login. If no profile is named, a name is derived from the account or the host that no other profile uses for something else.
///
/// As in Databricks' CLI, `DATABRICKS_HOST` and `DATABRICKS_CONFIG_PROFILE` are not consulted.
///
/// # Errors
/// Fails if the arguments are ambiguous, contradictory or incomplete.
///
/// ```
/// use u2m::config::{Environment, TargetArgs, choose_for_login};
/// let config = u2m::config::ConfigFile::parse("")?;
/// let surroundings = Environment { env: &|_| None, config: &config };
/// let said = TargetArgs { either: Some("https://dev.cloud.databricks.com".into()), ..TargetArgs::default() };
/// assert_eq!(choose_for_login(&said, &surroundings)?.profile.as_str(), "dev");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn choose_for_login(
    said: &TargetArgs,
    around: &Environment<'_>,
) -> Result<LoginChoice, ChooseError> {
    let config = around.config;
    let said = said.sorted(config)?;
    let profile = said.profile.as_deref().and_then(|name| config.profile(name));
    // The login would be saved in place of the issuer's, and would not be looked up there.
    if let Some((issuer, _)) = profile.as_ref().and_then(|profile| profile.issuer()) {
        let (profile, issuer) =
            (said.profile.as_deref().unwrap_or_default(), Sanitized::new(issuer));
        return Err(ChooseError::IssuerProfile { profile: Sanitized::new(profile), issuer });
    }
    let own = profile.as_ref().map(Profile::parsed_host).transpose()?.flatten();
    let named = said.host.as_deref().map(typed).transpose()?;
    if let (Some(profile), Some((host, _))) = (&profile, &named) {
        profile.check_is_on(host)?;
    }
    // From here on the profile's own host, if it has one, is the host to sign in to, so that its ids belong to it.
    let has_own = own.is_some();
    let Some((host, hints)) = named.or(own) else {
        let given = [("account-id", &said.account_id), ("workspace-id", &said.workspace_id)];
        if let Some((flag, _)) = given.into_iter().find(|(_, value)| value.is_some()) {
            return Err(ChooseError::FlagNeedsHost(flag));
        }
        let profile_name = match said.profile.as_deref() {
            Some(given) => name(given)?,
            // The host is not known yet, so a profile that has a host is for something else.
            None => first_free(DEFAULT, |name| {
                config.profile(name).is_none_or(|profile| {
                    let leads_nowhere = profile.host().is_none() && profile.issuer().is_none();
                    leads_nowhere && profile.is_for_users()
                })
            })?,
        };
        let profile = config.profile(profile_name.as_str());
        return Ok(LoginChoice {
            profile: profile_name,
            is_suggested: said.profile.is_none(),
            host: None,
            account: None,
            workspace_id: None,
            is_account_wide: false,
            scopes: scopes_of(profile.as_ref()),
            ca_file: ca_file_of(said.ca_file.clone(), profile.as_ref()),
        });
    };
    // Before the profile has a name, another profile on this host may already name the certificates.
    let on_host =
        || config.profiles_on(&host).iter().find_map(|known| known.ca_file().map(Into::into));
    let ca_file = ca_file_of(said.ca_file.clone(), profile.as_ref());
    let ca_file = ca_file.or_else(|| on_host().filter(|_| profile.is_none()));
    let of_profile = profile.as_ref().filter(|_| has_own);
    let own_account = of_profile.and_then(|profile| profile.account_id());
    let own_workspace = of_profile.and_then(|profile| profile.workspace_id());
    let account_id =
        said.account_id.clone().or(hints.account_id).or_else(|| own_account.map(str::to_owned));
    let account_id =
        account(account_id.or_else(|| {
            around.set("DATABRICKS_ACCOUNT_ID").filter(|_| host.is_account_console())
        }))?;
    if host.is_account_console() && account_id.is_none() {
        return Err(ChooseError::NoAccount(host));
    }
    let is_same_account = own_account == account_id.as_ref().map(AccountId::as_str);
    // In Databricks' CLI, `none` means that there is no workspace.
    let workspace_id = said.workspace_id.clone().filter(|id| id != "none").or(hints.workspace_id);
    if let Some(bad) = workspace_id.as_deref().filter(|id| !is_id(id)) {
        return Err(ChooseError::WorkspaceId(Sanitized::new(bad)));
    }
    let of_account =
        own_workspace.filter(|_| is_same_account || own_account.is_none()).map(str::to_owned);
    let mut choice = LoginChoice {
        // A placeholder until the rest is known.
        profile: name(said.profile.as_deref().unwrap_or(DEFAULT))?,
        is_suggested: said.profile.is_none(),
        account: account_id,
        is_account_wide: own_account.is_some() && is_same_account && own_workspace.is_none(),
        workspace_id: workspace_id.or(of_account),
        scopes: scopes_of(profile.as_ref()),
        ca_file,
        host: None,
    };
    if choice.is_suggested {
        choice.profile = choice.free_name(config, &host, false)?;
        // Its own ids and scopes count as if the profile had been named.
        if config.profile(choice.profile.as_str()).is_some() {
            let named = TargetArgs { profile: Some(choice.profile.to_string()), ..said };
            let named = choose_for_login(&named, around)?;
            return Ok(LoginChoice { is_suggested: true, ..named });
        }
    }
    choice.host = Some(host);
    Ok(choice)
}

/// Whether this can be an id: it goes into files, headers and URLs.
fn is_id(text: &str) -> bool {
    AccountId::parse(text).is_ok()
}

/// Returns the name itself, or the name with the first number that makes it free.
fn first_free(wanted: &str, is_free: impl Fn(&str) -> bool) -> Result<ProfileName, ChooseError> {
    let numbered = (2..1_000).map(|n| format!("{wanted}-{n}"));
    let free =
        std::iter::once(wanted.to_owned()).chain(numbered).find(|candidate| is_free(candidate));
    name(&free.unwrap_or_else(|| wanted.to_owned()))
}
