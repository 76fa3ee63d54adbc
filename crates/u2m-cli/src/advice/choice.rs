//! Advice on what is not clear: the same words whichever command asks.

use super::quoted;
use crate::args::Args;
use crate::failure::{Class, Failure};
use crate::place::{self, shown};
use std::path::Path;
use u2m::config::{ChooseError, ConfigFile, Profile};
use u2m::text::{Sanitized, chain};

/// What is not clear of a choice that the environment has a say in: with the variable that it is from, because a person who has
/// not typed it does not know.
pub(crate) fn unclear(
    error: &ChooseError,
    args: &Args,
    path: &Path,
    config: &ConfigFile,
    name: &str,
) -> Failure {
    let failure = choice(error, path, config, name);
    match origin(args, error) {
        Some(variable) => failure.with(&format!(" ({variable} names it)")),
        None => failure,
    }
}

/// What is not clear of a choice.
pub(crate) fn choice(error: &ChooseError, path: &Path, config: &ConfigFile, name: &str) -> Failure {
    let text = chain(error);
    match error {
        ChooseError::Ambiguous { .. } => Failure::new(
            Class::Unclear,
            format!("{text} in {}. Name the one to use with --profile", shown(path)),
        ),
        ChooseError::ArgumentWithFlag(_)
        | ChooseError::FlagNeedsHost(_)
        | ChooseError::Host(_)
        | ChooseError::Target(_)
        | ChooseError::VariableHost(..)
        | ChooseError::WorkspaceId(_) => Failure::new(Class::Usage, text),
        ChooseError::NoAccount(_) => {
            Failure::new(Class::Usage, format!("{text}: pass it with --account-id"))
        }
        ChooseError::NoHost(profile) => Failure::new(
            Class::Usage,
            format!(
                "{text}: pass it with --host, or sign in with: {name} login --host <url> --profile {}",
                quoted(profile.as_str())
            ),
        ),
        ChooseError::NoProfiles if config.is_missing() && place::is_config_named() => Failure::new(
            Class::Unclear,
            format!("there are no profiles: {} does not exist. Run: {name} login", shown(path)),
        ),
        ChooseError::NoProfiles => {
            Failure::new(Class::Unclear, format!("there are no profiles yet. Run: {name} login"))
        }
        ChooseError::NoProfileChosen => Failure::new(
            Class::Unclear,
            format!(
                "no profile was named, and none is the default. Name one with --profile, or choose a default: {name} switch NAME"
            ),
        ),
        ChooseError::NotUtf8(_) => Failure::new(Class::Other, text),
        ChooseError::Conflict { .. } => Failure::new(
            Class::Usage,
            format!("{text}: leave one of the two out, or use another profile"),
        ),
        ChooseError::IssuerProfile { .. } => {
            Failure::new(Class::Usage, format!("{text}: name another one with --profile"))
        }
        ChooseError::UnknownProfile { near, name: said } if near.is_empty() => {
            let known = known(path, config);
            let said = quoted(said.as_str());
            let advice = format!("To make it: {name} login --host <url> --profile {said}");
            Failure::new(Class::Unclear, format!("{text}; {known}. {advice}"))
        }
        _ => Failure::new(Class::Unclear, text),
    }
}

/// The variable that named what the choice failed on.
fn origin(args: &Args, error: &ChooseError) -> Option<&'static str> {
    let is_given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let is_set = |name| place::env(name).is_some_and(|value| !value.is_empty());
    if is_given(&args.argument) || is_given(&args.profile) {
        return None;
    }
    match error {
        ChooseError::Conflict { .. }
        | ChooseError::MachineProfile(_)
        | ChooseError::NoHost(_)
        | ChooseError::ProfileHost(..)
        | ChooseError::Reserved
        | ChooseError::UnknownProfile { .. } => {
            Some("DATABRICKS_CONFIG_PROFILE").filter(|name| is_set(name))
        }
        ChooseError::Ambiguous { .. } | ChooseError::NoAccount(_) => {
            Some("DATABRICKS_HOST").filter(|name| is_set(name) && !is_given(&args.host))
        }
        _ => None,
    }
}

/// The names to choose from, if they can be read at a glance.
fn known(path: &Path, config: &ConfigFile) -> String {
    let profiles = config.profiles();
    let names: Vec<_> = profiles
        .iter()
        .map(|known: &Profile<'_>| Sanitized::new(known.name()).to_string())
        .collect();
    match names.as_slice() {
        [] if config.is_missing() && place::is_config_named() => {
            format!("{} does not exist", shown(path))
        }
        [] => "there are no profiles".to_owned(),
        [one] => format!("there is {one}"),
        [most @ .., last] if names.len() <= 8 => {
            format!("there are {} and {last}", most.join(", "))
        }
        all => format!("there are {} others", all.len()),
    }
}
