//! Selects the profile and the host to use. Every command follows the same rule.
//!
//! 1. A profile that is named, by a flag or else by `DATABRICKS_CONFIG_PROFILE`, is used with its
//!    own host. Naming another host as well is a conflict. A name that no profile has is an error,
//!    unless a flag names a host: then it is the name of a login.
//! 2. Otherwise the host that a flag names, or else that of `DATABRICKS_HOST`, selects among the profiles.
//! 3. Otherwise the default profile is used, or none.
//!
//! The purpose matters in two places. An environment that names a host and a way to authenticate is a complete
//! configuration, so no profile is added to it; a user's login is looked up anyway. And a profile with the
//! credentials of a service can be the configuration for a host, but never a user's login.

mod error;
mod given;
mod near;
mod on_host;
mod own_host;
mod variables;

pub use error::ChooseError;
pub use given::SelectionArgs;
pub use near::alike;

pub(crate) use variables::SelectionVariables;

use crate::{ConfigFile, Profile};
use on_host::{ProfileIds, on_host};
use std::ffi::OsString;
use u2m_core::{Host, HostHints};

/// What a profile and a host are needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To configure a program, whichever way it authenticates.
    Configuration,
    /// To find the login of a user.
    Login,
}

/// Why a profile was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChosenBy {
    /// The command line names it.
    Flag,
    /// `DATABRICKS_CONFIG_PROFILE` names it.
    Variable,
    /// It is for the host that the command line names.
    HostFlag,
    /// It is for the host in `DATABRICKS_HOST`.
    HostVariable,
    /// It is the default, and nothing else was given.
    Default,
}

/// The profile that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenProfile {
    pub(crate) name: String,
    pub(crate) by: ChosenBy,
}

impl ChosenProfile {
    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns why it was chosen.
    pub fn by(&self) -> ChosenBy {
        self.by
    }
}

/// Where a host was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostFrom {
    Flag,
    Variable(&'static str),
    Profile,
}

/// A host that was named, with the ids in its URL.
#[derive(Clone, Debug)]
pub(crate) struct NamedHost {
    pub(crate) host: Host,
    pub(crate) hints: HostHints,
    pub(crate) from: HostFrom,
    typed: String,
}

impl NamedHost {
    fn of_flag(text: &str) -> Result<Self, ChooseError> {
        Self::read(text, HostFrom::Flag).map_err(ChooseError::Host)
    }

    fn of_variable(text: &str, name: &'static str) -> Result<Self, ChooseError> {
        let wrong = |error| ChooseError::VariableHost(name, error);
        Self::read(text, HostFrom::Variable(name)).map_err(wrong)
    }

    fn of_profile(profile: &Profile<'_>) -> Result<Option<Self>, ChooseError> {
        let typed = profile.host().unwrap_or_default().to_owned();
        let found = profile.parsed_host()?;
        Ok(found.map(|(host, hints)| Self { host, hints, from: HostFrom::Profile, typed }))
    }

    fn read(text: &str, from: HostFrom) -> Result<Self, u2m_core::HostError> {
        let (host, hints) = Host::typed(text)?;
        Ok(Self { host, hints, from, typed: text.to_owned() })
    }
}

/// The profile and the host to use. [`select`] returns it.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    profile: Option<ChosenProfile>,
    is_known: bool,
    pub(crate) host: Option<NamedHost>,
    account_id: Option<String>,
}

impl Selection {
    /// Returns the profile. If the file does not contain it, it is the name of a login to the host.
    pub fn profile(&self) -> Option<&ChosenProfile> {
        self.profile.as_ref()
    }

    /// Returns the chosen profile of the file, if the file contains it.
    pub fn section<'a>(&self, file: &'a ConfigFile) -> Option<Profile<'a>> {
        self.profile.as_ref().filter(|_| self.is_known).and_then(|named| file.profile(named.name()))
    }

    /// Returns the host: the one that was named, else the profile's, else that of the environment.
    /// Returns `None` for a profile whose issuer is not Databricks'.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref().map(|named| &named.host)
    }

    /// Returns the account, as far as it is known without asking the host. The account in the
    /// environment counts only for the host in the environment, for a host without a profile, and
    /// for an account console. In other cases a stray variable must not redirect the profile.
    pub fn account_id(&self) -> Option<&str> {
        self.account_id.as_deref()
    }

    /// Returns whether neither a profile nor a host was selected.
    pub fn is_empty(&self) -> bool {
        self.profile.is_none() && self.host.is_none()
    }
}

/// Selects a profile and a host from the arguments, the environment and the profile file.
///
/// `env` looks up an environment variable; an empty one counts as unset. Nothing else is read.
///
/// # Errors
/// Fails if it is ambiguous which profile to use, or if a host is invalid.
///
/// ```
/// use u2m_config::{ConfigFile, SelectionArgs, Purpose, select};
/// let file = ConfigFile::parse("[dev]\nhost = https://a.example\n")?;
/// let given = SelectionArgs { host: Some("A.example/"), ..SelectionArgs::default() };
/// let selection = select(&given, &|_| None, &file, Purpose::Login)?;
/// assert_eq!(selection.profile().map(|profile| profile.name()), Some("dev"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn select(
    given: &SelectionArgs<'_>,
    env: &dyn Fn(&str) -> Option<OsString>,
    file: &ConfigFile,
    purpose: Purpose,
) -> Result<Selection, ChooseError> {
    let given = given.sorted(file)?;
    let variables = SelectionVariables::new(env);
    let search = Selecting { given: &given, variables: &variables, file, purpose };
    let mut selection = search.select()?;
    selection.account_id = search.account_of(&selection)?;
    Ok(selection)
}

/// The inputs of one selection, after the positional argument was resolved.
struct Selecting<'a> {
    given: &'a SelectionArgs<'a>,
    variables: &'a SelectionVariables<'a>,
    file: &'a ConfigFile,
    purpose: Purpose,
}

impl Selecting<'_> {
    fn select(&self) -> Result<Selection, ChooseError> {
        let flag = self.given.host.map(NamedHost::of_flag).transpose()?;
        let profile = match self.given.profile {
            Some(name) => Some((name.to_owned(), ChosenBy::Flag)),
            None => self.variables.first("profile")?.map(|(name, _)| (name, ChosenBy::Variable)),
        };
        if let Some((name, by)) = profile {
            return self.named(name, by, flag);
        }
        if let Some(host) = flag {
            return self.by_host(host, ChosenBy::HostFlag);
        }
        let is_complete = match self.purpose {
            Purpose::Configuration => self.variables.authenticates()?,
            Purpose::Login => false,
        };
        match self.of_environment()? {
            Some(host) if is_complete => Ok(Selection { host: Some(host), ..Selection::default() }),
            Some(host) => self.by_host(host, ChosenBy::HostVariable),
            // A resource id of Azure determines the host.
            None if is_complete && self.names_resource()? => Ok(Selection::default()),
            None => match self.file.fallback_profile() {
                Some(name) => self.named(name.to_owned(), ChosenBy::Default, None),
                None => Ok(Selection::default()),
            },
        }
    }

    /// Selects a profile by its name, with its own host.
    fn named(
        &self,
        name: String,
        by: ChosenBy,
        flag: Option<NamedHost>,
    ) -> Result<Selection, ChooseError> {
        let chosen = |name| Some(ChosenProfile { name, by });
        let profile = match self.file.named(&name) {
            Ok(profile) => profile,
            // Its name can still be the key of a login.
            Err(ChooseError::UnknownProfile { .. }) if flag.is_some() => {
                return Ok(Selection { profile: chosen(name), host: flag, ..Selection::default() });
            }
            Err(error) => return Err(error),
        };
        let own = NamedHost::of_profile(&profile)?;
        if let Some(flag) = &flag {
            profile.check_is_on(&flag.host)?;
        }
        let host = match profile.issuer() {
            Some(_) => None,
            None => match flag.or(own) {
                Some(host) => Some(host),
                None => self.of_environment()?,
            },
        };
        Ok(Selection { profile: chosen(name), is_known: true, host, account_id: None })
    }

    /// Selects the profile for a host, or the host alone.
    fn by_host(&self, host: NamedHost, by: ChosenBy) -> Result<Selection, ChooseError> {
        let ids = self.ids(&host)?;
        let found = on_host(&host, &ids, self.file, self.purpose)?;
        let profile = found.map(|name| ChosenProfile { name, by });
        Ok(Selection { is_known: profile.is_some(), profile, host: Some(host), account_id: None })
    }

    /// Returns the ids that tell apart the profiles of a host. Ids from the environment are used
    /// only for the host from the environment.
    fn ids(&self, host: &NamedHost) -> Result<ProfileIds, ChooseError> {
        let of = |said: Option<&str>, key, hint: &Option<String>| {
            let set = match host.from {
                HostFrom::Variable(_) => self.variables.first(key)?.map(|(id, _)| id),
                HostFrom::Flag | HostFrom::Profile => None,
            };
            Ok(said.map(str::to_owned).or(set).or_else(|| hint.clone()))
        };
        Ok(ProfileIds {
            account: of(self.given.account_id, "account_id", &host.hints.account_id)?,
            workspace: of(self.given.workspace_id, "workspace_id", &host.hints.workspace_id)?,
        })
    }

    fn account_of(&self, selection: &Selection) -> Result<Option<String>, ChooseError> {
        let text = |id: &str| Some(id.to_owned());
        if let Some(id) = self.given.account_id {
            return Ok(text(id));
        }
        let hint = |host: &NamedHost| host.hints.account_id.clone();
        let profile = selection.section(self.file);
        let named = selection.host.as_ref();
        let by_flag = named.filter(|host| host.from == HostFrom::Flag).and_then(hint);
        let own = profile.as_ref().map(NamedHost::of_profile).transpose()?.flatten();
        let of_profile = || {
            let id = profile.as_ref().and_then(|profile| profile.account_id()).and_then(text);
            id.or_else(|| own.as_ref().and_then(hint))
        };
        if let Some(id) = by_flag.or_else(of_profile) {
            return Ok(Some(id));
        }
        let is_free = profile.is_none()
            || named.is_some_and(|host| {
                matches!(host.from, HostFrom::Variable(_)) || host.host.is_account_console()
            });
        let set = match is_free {
            true => self.variables.first("account_id")?.map(|(id, _)| id),
            false => None,
        };
        Ok(set.or_else(|| named.and_then(hint)))
    }

    fn of_environment(&self) -> Result<Option<NamedHost>, ChooseError> {
        let named = self.variables.first("host")?;
        named.map(|(text, name)| NamedHost::of_variable(&text, name)).transpose()
    }

    fn names_resource(&self) -> Result<bool, ChooseError> {
        Ok(self.variables.first("azure_workspace_resource_id")?.is_some())
    }
}
