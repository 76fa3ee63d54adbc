//! From what was said to what a program would be configured with: for commands that stand in for a client of the API.

use crate::args::Args;
use crate::failure::{Class, Failure};
use crate::place;
use std::path::Path;
use u2m::{ConfigFile, Foreign, Given, ResolveError, Resolved, chain, is_near, looks_like_host};

/// Settles on a configuration from what was said, the environment and the profiles of `config`, which was read from `path`.
/// `host_needs_profile`: a host that no profile is for is an error.
pub(crate) fn settled(
    args: &Args,
    path: &Path,
    config: &ConfigFile,
    host_needs_profile: bool,
) -> Result<Resolved, Failure> {
    let mut given = Given {
        profile: args.profile.as_deref(),
        host: args.host.as_deref(),
        account_id: args.account_id.as_deref(),
        workspace_id: args.workspace_id.as_deref(),
        host_needs_profile,
    };
    if let Some(either) = args.argument.as_deref().filter(|either| !either.is_empty()) {
        let is_said = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
        if is_said(given.profile) || is_said(given.host) {
            return Err(with_flag(either, "--host or --profile"));
        }
        match config.profile(either).is_none() && looks_like_host(either) {
            true => given.host = Some(either),
            false => given.profile = Some(either),
        }
    }
    u2m::resolve(&given, &place::env, config, path).map_err(|error| failure(&error, path, config))
}

/// An argument that says what a flag says as well.
pub(crate) fn with_flag(argument: &str, flag: &str) -> Failure {
    let argument = Foreign::new(argument);
    Failure::new(Class::Usage, format!("the argument '{argument}' cannot be combined with {flag}"))
}

fn failure(error: &ResolveError, path: &Path, config: &ConfigFile) -> Failure {
    let text = chain(error).replace(&path.display().to_string(), &place::shown(path));
    let class = match error {
        ResolveError::Conflict { .. } | ResolveError::Host { .. } | ResolveError::Reserved => {
            Class::Usage
        }
        ResolveError::Ambiguous { .. }
        | ResolveError::NoFile { .. }
        | ResolveError::NoProfile { .. }
        | ResolveError::UnknownHost { .. } => Class::Unclear,
        _ => Class::Other,
    };
    match error {
        ResolveError::NoProfile { name, .. } => {
            Failure::new(class, format!("{text}; {}", instead(config, name.as_str())))
        }
        _ => Failure::new(class, text),
    }
}

/// What may have been meant by a name that no profile has: names like it, or all.
pub(crate) fn instead(config: &ConfigFile, name: &str) -> String {
    let mut near = names(config);
    near.retain(|known| is_near(known, name));
    near.truncate(3);
    if near.is_empty() { listed(config) } else { format!("did you mean {}?", near.join(" or ")) }
}

/// All profiles, for a person to choose from.
pub(crate) fn listed(config: &ConfigFile) -> String {
    match names(config) {
        names if names.is_empty() => "there are no profiles".to_owned(),
        names => format!("the profiles are: {}", names.join(", ")),
    }
}

fn names(config: &ConfigFile) -> Vec<String> {
    let profiles = config.profiles();
    profiles.iter().map(|known| Foreign::new(known.name()).to_string()).collect()
}
