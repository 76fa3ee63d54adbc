//! What to sign in to.

use super::{Environment, TargetArgs, account, ca_file_of, name, scopes_of, typed};
use std::path::PathBuf;
use u2m_config::{ChooseError, ConfigFile, Profile};
use u2m_core::{AccountId, Host, HostMetadata, ProfileName, Sanitized, Scopes, Target};

/// What to sign in to, and the profile to save it as.
///
/// Where the ids come from, the first that is set: what was said; the host's URL; the profile of that name, whose host is
/// the same; and once the host has been asked ([`settle`](Self::settle)), its own word; then the environment, which is not
/// asked for an account that the host has no use for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoginChoice {
    /// The profile that the login is saved as.
    pub profile: ProfileName,
    /// Nobody has named the profile: its name is made of the host or the account.
    pub is_suggested: bool,
    /// The host; `None` means a discovery login.
    pub host: Option<Host>,
    /// The account.
    pub account: Option<AccountId>,
    /// The workspace.
    pub workspace_id: Option<String>,
    /// The profile is for this account as a whole, and has been before: nobody needs to ask for a workspace.
    pub is_account_wide: bool,
    /// The scopes that the profile already names.
    pub scopes: Scopes,
    /// A file of certificates that are trusted besides the system's: what was said, or what the profile already names.
    pub ca_file: Option<PathBuf>,
}

impl LoginChoice {
    /// Whether the host has to be asked for what nobody has said: its kind and its ids. Account consoles have nothing to add.
    pub fn is_open(&self) -> bool {
        self.host.as_ref().is_some_and(|host| !host.is_account_console())
    }

    /// Whether there is a workspace to choose: an account is known and a workspace is not. Consoles have none, and profiles
    /// that have been for the whole of this account stay so.
    pub fn wants_workspace(&self) -> bool {
        self.is_open()
            && self.account.is_some()
            && self.workspace_id.is_none()
            && !self.is_account_wide
    }

    /// Fills in what nobody has said, by the host's own word and then by the environment. A name that was suggested may
    /// change with it.
    ///
    /// # Errors
    /// People sign in to accounts here, and no account is known.
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
        // A host that names no plausible id has named none.
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
        // A profile that is there already, for just this, keeps its name.
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

    /// The target, by the host's own word where that was needed.
    pub fn target(&self, metadata: &HostMetadata) -> Target {
        let target = match &self.host {
            Some(host) => metadata.target(host.clone(), self.account.clone()),
            None => return Target::discovery(self.profile.clone()),
        };
        target.with_profile(self.profile.clone())
    }

    /// `ACCOUNT-<id>` for an account; the first label of a host's name; `DEFAULT` for an address. With a number behind it if
    /// a profile of that name is for something else.
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
            // What signs in by other means would lose them.
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

/// Chooses by the rules of the reference's `auth login`. Without a host anywhere it is a discovery login. Without a
/// profile's name one is made from the account or the host, another one than any that is taken by something else.
///
/// `DATABRICKS_HOST` and `DATABRICKS_CONFIG_PROFILE` are not consulted, as in the reference.
///
/// # Errors
/// It is not clear what is meant.
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
    // The login would be kept where that of the issuer is, and looked for there no more.
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
    // From here on the profile's host, if it has one, is the one to sign in to, so that its ids belong to it.
    let has_own = own.is_some();
    let Some((host, hints)) = named.or(own) else {
        let given = [("account-id", &said.account_id), ("workspace-id", &said.workspace_id)];
        if let Some((flag, _)) = given.into_iter().find(|(_, value)| value.is_some()) {
            return Err(ChooseError::FlagNeedsHost(flag));
        }
        let profile_name = match said.profile.as_deref() {
            Some(given) => name(given)?,
            // Where this leads to is not known yet, so what has a host already is for something else.
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
    // Before the profile has a name, one that is for this host already knows how to reach it.
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
    // `none` is how the reference says that there is no workspace.
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
        // Its own ids and scopes count as if it had been named.
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

/// The name itself, or with the first number behind it with which it is free.
fn first_free(wanted: &str, is_free: impl Fn(&str) -> bool) -> Result<ProfileName, ChooseError> {
    let numbered = (2..1_000).map(|n| format!("{wanted}-{n}"));
    let free =
        std::iter::once(wanted.to_owned()).chain(numbered).find(|candidate| is_free(candidate));
    name(&free.unwrap_or_else(|| wanted.to_owned()))
}
