//! Which profile a configuration comes from.

use std::path::Path;

use u2m_core::{Foreign, Host, HostHints};

use super::{Given, ResolveError, Source, Variables};
use crate::{Attribute, ConfigFile, Profile, SETTINGS};

/// How a profile came to be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChosenBy {
    /// It was named on the command line.
    Flag,
    /// `DATABRICKS_CONFIG_PROFILE` names it.
    Variable,
    /// It is for the host that was named on the command line.
    HostFlag,
    /// It is for the host in `DATABRICKS_HOST`.
    HostVariable,
    /// Nothing else was said: it is the default.
    Default,
}

/// The profile that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenProfile {
    pub(super) name: String,
    pub(super) by: ChosenBy,
}

impl ChosenProfile {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it came to be chosen.
    pub fn by(&self) -> ChosenBy {
        self.by
    }

    /// Where its name stands, as far as somebody has written it for this run.
    pub(super) fn source(&self) -> Source {
        match self.by {
            ChosenBy::Flag => Source::Flag("--profile"),
            ChosenBy::Variable => Source::Variable("DATABRICKS_CONFIG_PROFILE"),
            ChosenBy::HostFlag | ChosenBy::HostVariable | ChosenBy::Default => Source::Derived,
        }
    }
}

/// A host that was named for this run, with the ids of its URL.
pub(super) struct NamedHost {
    pub(super) host: Host,
    pub(super) hints: HostHints,
    pub(super) source: Source,
}

impl NamedHost {
    pub(super) fn read(text: &str, source: Source) -> Result<Self, ResolveError> {
        match Host::typed(text) {
            Ok((host, hints)) => Ok(Self { host, hints, source }),
            Err(error) => Err(ResolveError::Host { from: source, source: error }),
        }
    }
}

/// Chooses by one rule: who is named counts, then whose host is named, then the default. An environment that names a host and
/// a way to authenticate there is complete, and is not mixed with a profile.
pub(super) fn choose(
    given: &Given<'_>,
    variables: &Variables<'_>,
    file: &ConfigFile,
    path: &Path,
) -> Result<Option<ChosenProfile>, ResolveError> {
    let flag_host = given.host.filter(|host| !host.is_empty());
    let flag_host =
        flag_host.map(|host| NamedHost::read(host, Source::Flag("--host"))).transpose()?;
    let flag = given.profile.filter(|name| !name.is_empty()).map(str::to_owned);
    let named = match flag {
        Some(name) => Some((name, ChosenBy::Flag)),
        None => variables.first("profile")?.map(|(name, _)| (name, ChosenBy::Variable)),
    };
    if let Some((name, by)) = named {
        let profile = existing(&name, file, path)?;
        refuse_another_host(&profile, flag_host.as_ref(), path)?;
        return Ok(Some(ChosenProfile { name, by }));
    }
    if let Some(named) = flag_host {
        let found = on_host(given, variables, file, &named)?;
        if found.is_none() && given.host_needs_profile {
            let names = file.profiles().iter().map(|known| Foreign::new(known.name())).collect();
            return Err(ResolveError::UnknownHost { host: named.host, names });
        }
        return Ok(found.map(|name| ChosenProfile { name, by: ChosenBy::HostFlag }));
    }
    if let Some((text, name)) = variables.first("host")? {
        if authenticates(variables)? {
            return Ok(None);
        }
        let named = NamedHost::read(&text, Source::Variable(name))?;
        let found = on_host(given, variables, file, &named)?;
        return Ok(found.map(|name| ChosenProfile { name, by: ChosenBy::HostVariable }));
    }
    if variables.first("azure_workspace_resource_id")?.is_some() {
        return Ok(None);
    }
    let Some(name) = file.default_profile() else { return Ok(None) };
    existing(name, file, path)?;
    Ok(Some(ChosenProfile { name: name.to_owned(), by: ChosenBy::Default }))
}

fn existing<'a>(
    name: &str,
    file: &'a ConfigFile,
    path: &Path,
) -> Result<Profile<'a>, ResolveError> {
    if name == SETTINGS {
        return Err(ResolveError::Reserved);
    }
    file.profile(name).ok_or_else(|| {
        let (name, path) = (Foreign::new(name), path.to_owned());
        match file.is_missing() {
            true => ResolveError::NoFile { path, name },
            false => ResolveError::NoProfile { path, name },
        }
    })
}

/// What a profile holds is never used on a host that is not its own.
fn refuse_another_host(
    profile: &Profile<'_>,
    named: Option<&NamedHost>,
    path: &Path,
) -> Result<(), ResolveError> {
    let (Some(own), Some(named)) = (profile.host(), named) else { return Ok(()) };
    let own = NamedHost::read(own, Source::File(path.to_owned()))?.host;
    if own == named.host {
        return Ok(());
    }
    let (profile, wanted) = (Foreign::new(profile.name()), named.host.clone());
    Err(ResolveError::Conflict { profile, own, wanted })
}

/// Whether the environment says how to authenticate, other than by a person's login.
fn authenticates(variables: &Variables<'_>) -> Result<bool, ResolveError> {
    if let Some((auth_type, _)) = variables.first("auth_type")?
        && auth_type != "databricks-cli"
    {
        return Ok(true);
    }
    for attribute in Attribute::ALL.iter().filter(|attribute| attribute.method().is_some()) {
        if variables.of(attribute)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The profile for a host: the only one that is for it and for the ids that were named, else the default one of them.
fn on_host(
    given: &Given<'_>,
    variables: &Variables<'_>,
    file: &ConfigFile,
    named: &NamedHost,
) -> Result<Option<String>, ResolveError> {
    let mut all = file.profiles();
    all.retain(|profile| {
        let own = profile.host().and_then(|text| Host::typed(text).ok());
        own.is_some_and(|(own, _)| own == named.host)
    });
    let from_env = |key| match named.source {
        Source::Variable(_) => variables.first(key).map(|found| found.map(|(id, _)| id)),
        _ => Ok(None),
    };
    let account = given.account_id.map(str::to_owned).or(from_env("account_id")?);
    narrow(&mut all, account.or(named.hints.account_id.clone()), |profile| profile.account_id());
    let workspace = given.workspace_id.map(str::to_owned).or(from_env("workspace_id")?);
    narrow(&mut all, workspace.or(named.hints.workspace_id.clone()), |profile| {
        profile.workspace_id()
    });
    let default = file.default_profile();
    if let Some(profile) = all.iter().find(|profile| Some(profile.name()) == default) {
        return Ok(Some(profile.name().to_owned()));
    }
    match all.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only.name().to_owned())),
        several => Err(ResolveError::Ambiguous {
            host: named.host.clone(),
            names: several.iter().map(|profile| Foreign::new(profile.name())).collect(),
        }),
    }
}

/// Leaves the profiles with this id, or, where there are none, those that have no such id.
fn narrow<'a>(
    profiles: &mut Vec<Profile<'a>>,
    id: Option<String>,
    own: impl Fn(&Profile<'a>) -> Option<&'a str>,
) {
    let Some(id) = id.filter(|id| !id.is_empty() && id != "none") else { return };
    profiles.retain(|profile| own(profile).is_none_or(|own| own == id));
    if profiles.iter().any(|profile| own(profile).is_some()) {
        profiles.retain(|profile| own(profile).is_some());
    }
}
