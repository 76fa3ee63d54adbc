//! What to sign in to.

use super::{
    ChooseError, Said, Surroundings, account, check_conflict, host_of, name, scopes_of, typed,
};
use u2m_config::ConfigFile;
use u2m_core::{AccountId, Host, HostMetadata, ProfileName, Scopes, Target};

/// What to sign in to, and the profile to save it as.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoginChoice {
    /// The profile that the login is saved as.
    pub profile: ProfileName,
    /// The host; `None` means a discovery login.
    pub host: Option<Host>,
    /// The account that was named.
    pub account: Option<AccountId>,
    /// The workspace that the host's URL named.
    pub workspace_id: Option<String>,
    /// The scopes that the profile already names.
    pub scopes: Scopes,
}

impl LoginChoice {
    /// Whether the host has to be asked what kind it is: an account was named, and it is not a classic console.
    pub fn is_open(&self) -> bool {
        self.account.is_some() && self.host.as_ref().is_some_and(|host| !host.is_account_console())
    }

    /// The target, by the host's own word where that was needed.
    pub fn target(&self, metadata: &HostMetadata) -> Target {
        let target = match &self.host {
            Some(host) => metadata.target(host.clone(), self.account.clone()),
            None => return Target::discovery(self.profile.clone()),
        };
        target.with_profile(self.profile.clone())
    }
}

/// Chooses by the rules of the reference's `auth login`. Without a host anywhere it is a discovery login. Without a
/// profile's name one is made from the account or the host, another one than any that is taken by another host.
///
/// `DATABRICKS_HOST` and `DATABRICKS_CONFIG_PROFILE` are not consulted, as in the reference.
///
/// # Errors
/// It is not clear what is meant.
///
/// ```
/// use u2m::{Said, Surroundings, choose_for_login};
/// let config = u2m::ConfigFile::parse("")?;
/// let surroundings = Surroundings { env: &|_| None, config: &config };
/// let said = Said { either: Some("https://dev.cloud.databricks.com".into()), ..Said::default() };
/// assert_eq!(choose_for_login(&said, &surroundings)?.profile.as_str(), "dev");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn choose_for_login(
    said: &Said,
    around: &Surroundings<'_>,
) -> Result<LoginChoice, ChooseError> {
    let config = around.config;
    let said = said.sorted(config)?;
    let profile = said.profile.as_deref().and_then(|name| config.profile(name));
    let own = profile.as_ref().map(host_of).transpose()?.flatten();
    let named = said.host.as_deref().map(typed).transpose()?;
    if let Some(name) = &said.profile {
        check_conflict(
            name,
            own.as_ref().map(|(host, _)| host),
            named.as_ref().map(|(host, _)| host),
        )?;
    }
    let Some((host, hints)) = named.or(own) else {
        if said.account_id.is_some() {
            return Err(ChooseError::FlagNeedsHost("account-id"));
        }
        let profile_name = name(said.profile.as_deref().unwrap_or("DEFAULT"))?;
        let scopes = scopes_of(profile.as_ref());
        return Ok(LoginChoice {
            profile: profile_name,
            host: None,
            account: None,
            workspace_id: None,
            scopes,
        });
    };
    let of_profile =
        || profile.as_ref().and_then(|profile| profile.account_id()).map(str::to_owned);
    let account_id = said.account_id.or(hints.account_id).or_else(of_profile);
    let account_id =
        account(account_id.or_else(|| {
            around.set("DATABRICKS_ACCOUNT_ID").filter(|_| host.is_account_console())
        }))?;
    if host.is_account_console() && account_id.is_none() {
        return Err(ChooseError::NoAccount(host));
    }
    let profile_name = match said.profile.as_deref() {
        Some(given) => name(given)?,
        None => free_name(config, &suggested(&host, account_id.as_ref()), &host)?,
    };
    let workspace_id = hints
        .workspace_id
        .or_else(|| profile.as_ref().and_then(|p| p.workspace_id()).map(str::to_owned));
    let scopes = scopes_of(profile.as_ref());
    Ok(LoginChoice {
        profile: profile_name,
        host: Some(host),
        account: account_id,
        workspace_id,
        scopes,
    })
}

/// `ACCOUNT-<id>` for a console; the first label of a host's name; `DEFAULT` for an address.
fn suggested(host: &Host, account: Option<&AccountId>) -> String {
    if let Some(account) = account.filter(|_| host.is_account_console()) {
        return format!("ACCOUNT-{account}");
    }
    let label = host.name().split('.').next().unwrap_or_default();
    let is_name = label.chars().any(|c| c.is_ascii_alphabetic()) && !host.name().starts_with('[');
    if is_name { label.to_owned() } else { "DEFAULT".to_owned() }
}

/// The name itself, or with a number behind it, if it is taken by a profile on another host.
fn free_name(config: &ConfigFile, wanted: &str, host: &Host) -> Result<ProfileName, ChooseError> {
    let is_free = |name: &str| {
        config.profile(name).is_none_or(|profile| match host_of(&profile) {
            Ok(Some((own, _))) => own == *host,
            Ok(None) => true,
            Err(_) => false,
        })
    };
    let numbered = (2..1_000).map(|n| format!("{wanted}-{n}"));
    let free =
        std::iter::once(wanted.to_owned()).chain(numbered).find(|candidate| is_free(candidate));
    name(&free.unwrap_or_else(|| wanted.to_owned()))
}
