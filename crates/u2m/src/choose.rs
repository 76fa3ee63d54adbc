//! Turns what a person names (a profile, a host, nothing) into a target to sign in to. One set of rules for every program.

mod login;
mod token;

pub use login::{LoginChoice, choose_for_login};
pub use token::{TokenChoice, choose_for_token};

use std::ffi::OsString;
use std::path::PathBuf;
use u2m_config::{ChooseError, ChosenBy, ConfigFile, Profile, Resolved, SelectionArgs};
use u2m_core::{AccountId, Host, HostHints, ProfileName, Scopes, Target};

/// What was named on a command line or in a program's settings. Every part is optional.
///
/// ```
/// let said = u2m::config::TargetArgs { profile: Some("dev".into()), ..u2m::config::TargetArgs::default() };
/// assert!(said.host.is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct TargetArgs {
    /// A profile's name or a host; the rules find out which.
    pub either: Option<String>,
    /// A profile's name.
    pub profile: Option<String>,
    /// A host, as typed or pasted.
    pub host: Option<String>,
    /// An account's id.
    pub account_id: Option<String>,
    /// A workspace's id. Only logins use it.
    pub workspace_id: Option<String>,
    /// A file of certificates to trust besides the system's, instead of the profile's own.
    pub ca_file: Option<PathBuf>,
}

/// The environment and the profiles that choices are made in.
pub struct Environment<'a> {
    /// Reads an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<OsString>,
    /// The profiles.
    pub config: &'a ConfigFile,
}

impl Environment<'_> {
    /// Returns a variable that is set and not empty.
    pub(crate) fn set(&self, name: &str) -> Option<String> {
        (self.env)(name)
            .and_then(|value| value.into_string().ok())
            .filter(|value| !value.is_empty())
    }
}

impl TargetArgs {
    /// The arguments that select a profile and a host.
    ///
    /// ```
    /// let said = u2m::config::TargetArgs { profile: Some("dev".into()), ..u2m::config::TargetArgs::default() };
    /// assert_eq!(said.given().profile, Some("dev"));
    /// ```
    pub fn given(&self) -> SelectionArgs<'_> {
        SelectionArgs {
            either: self.either.as_deref(),
            profile: self.profile.as_deref(),
            host: self.host.as_deref(),
            account_id: self.account_id.as_deref(),
            workspace_id: self.workspace_id.as_deref(),
            host_needs_profile: false,
        }
    }

    /// The arguments that select the login of a resolved configuration: its profile, unless that is a machine's profile which
    /// was found by its host; and its host, unless the profile is for an issuer that is not Databricks'.
    ///
    /// ```
    /// use u2m::config::{ConfigFile, SelectionArgs, TargetArgs, resolve};
    /// let config = ConfigFile::parse("[pat]\nhost = a.example\ntoken = t\n")?;
    /// let given = SelectionArgs { host: Some("a.example"), ..SelectionArgs::default() };
    /// let said = TargetArgs::of(&resolve(&given, &|_| None, &config, "cfg".as_ref())?, &config);
    /// assert_eq!((said.profile, said.host.as_deref()), (None, Some("https://a.example")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(resolved: &Resolved, config: &ConfigFile) -> Self {
        let profile = resolved.profile().and_then(|named| config.profile(named.name()));
        let name = resolved.profile().map(|named| named.name().to_owned());
        if profile.as_ref().is_some_and(|profile| profile.issuer().is_some()) {
            return Self { profile: name, ..Self::default() };
        }
        let is_found = |by| matches!(by, ChosenBy::HostFlag | ChosenBy::HostVariable);
        let is_machine = profile.is_some_and(|profile| !profile.is_for_users())
            && resolved.profile().is_some_and(|named| is_found(named.by()));
        Self {
            profile: name.filter(|_| !is_machine),
            host: resolved.host().map(ToString::to_string),
            account_id: resolved.get("account_id").map(str::to_owned),
            ..Self::default()
        }
    }

    /// The same arguments, with `either` resolved to a profile or a host.
    fn sorted(&self, config: &ConfigFile) -> Result<Self, ChooseError> {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let given = self.given().sorted(config)?;
        Ok(Self {
            either: None,
            profile: text(given.profile),
            host: text(given.host),
            account_id: text(given.account_id),
            workspace_id: text(given.workspace_id),
            ca_file: self.ca_file.clone(),
        })
    }
}

/// The file of certificates to trust besides the system's: the one that was named, or else the profile's.
fn ca_file_of(said: Option<PathBuf>, profile: Option<&Profile<'_>>) -> Option<PathBuf> {
    said.or_else(|| profile?.ca_file().map(PathBuf::from))
}

/// A host that was named, and the ids in its query.
fn typed(text: &str) -> Result<(Host, HostHints), ChooseError> {
    Host::typed(text).map_err(ChooseError::Host)
}

fn account(text: Option<String>) -> Result<Option<AccountId>, ChooseError> {
    text.map(|text| AccountId::parse(&text).map_err(ChooseError::Target)).transpose()
}

fn name(text: &str) -> Result<ProfileName, ChooseError> {
    ProfileName::parse(text).map_err(ChooseError::Target)
}

/// The target as far as it is known without asking the host: an account for a console, a workspace for anything else.
fn target_of(host: Host, account: Option<AccountId>) -> Result<Target, ChooseError> {
    match account {
        Some(account) if host.is_account_console() => Ok(Target::account(host, account)),
        None if host.is_account_console() => Err(ChooseError::NoAccount(host)),
        _ => Ok(Target::workspace(host)),
    }
}

fn scopes_of(profile: Option<&Profile<'_>>) -> Scopes {
    profile.map(|profile| Scopes::new(profile.scopes())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_of_a_configuration_is_that_of_its_profile_unless_a_machine_has_it_by_its_host() {
        let text = "[pat]\nhost = https://a.example\ntoken = t\n[dev]\nhost = https://b.example\naccount_id = acc\n\
                    [corp]\nu2m_issuer = https://id.example/\nu2m_client_id = c\n";
        let config = ConfigFile::parse(text).unwrap();
        let of = |given: SelectionArgs<'_>, env: &dyn Fn(&str) -> Option<OsString>| {
            let resolved = u2m_config::resolve(&given, env, &config, "cfg".as_ref()).unwrap();
            let said = TargetArgs::of(&resolved, &config);
            (said.profile, said.host, said.account_id)
        };
        let text = |text: &str| Some(text.to_owned());
        let (a, b) = (text("https://a.example"), text("https://b.example"));
        let named = |profile| SelectionArgs { profile: Some(profile), ..SelectionArgs::default() };
        let on = |host| SelectionArgs { host: Some(host), ..SelectionArgs::default() };
        let none = |_: &str| None;
        assert_eq!(of(named("pat"), &none), (text("pat"), a.clone(), None));
        assert_eq!(of(on("a.example"), &none), (None, a.clone(), None));
        let env = |name: &str| (name == "DATABRICKS_HOST").then(|| "a.example".into());
        assert_eq!(of(SelectionArgs::default(), &env), (None, a, None));
        assert_eq!(of(named("dev"), &none), (text("dev"), b.clone(), text("acc")));
        assert_eq!(of(on("b.example"), &none), (text("dev"), b, text("acc")));
        assert_eq!(of(named("corp"), &none), (text("corp"), None, None));
    }

    #[test]
    fn an_empty_variable_says_nothing() {
        let config = ConfigFile::parse("").unwrap();
        let env = |name: &str| (name != "none").then(|| name.trim_start_matches("no").into());
        let around = Environment { env: &env, config: &config };
        assert_eq!(around.set("this").as_deref(), Some("this"));
        assert_eq!((around.set("no"), around.set("none")), (None, None));
    }
}
