//! From what was said to what a program would be configured with: for commands that stand in for a client of the API.

use crate::args::Args;
use crate::failure::{Class, Failure};
use crate::{advice, place};
use std::path::Path;
use u2m::Host;
use u2m::config::{ConfigFile, ResolveError, Resolved, SelectionArgs, ValueSource};
use u2m::text::{Sanitized, chain};

/// Settles on a configuration from what was said, the environment and the profiles of `config`, which was read from `path`.
/// `host_needs_profile`: a host that no profile is for is an error.
pub(crate) fn settled(
    args: &Args,
    path: &Path,
    config: &ConfigFile,
    host_needs_profile: bool,
    name: &str,
) -> Result<Resolved, Failure> {
    let said = args.said();
    let given = SelectionArgs { host_needs_profile, ..said.given() };
    u2m::config::resolve(&given, &place::env, config, path).map_err(|error| match error {
        ResolveError::Choose(error) => advice::unclear(&error, args, path, config, name),
        error => {
            let text = chain(&error).replace(&path.display().to_string(), &place::shown(path));
            Failure::new(Class::Other, text)
        }
    })
}

/// Whether a host was named that only credentials of the environment could be sent to, and those are not for it.
pub(crate) fn goes_elsewhere(found: &Resolved) -> bool {
    let named = || place::env("DATABRICKS_HOST").and_then(|text| text.into_string().ok());
    let own = || named().and_then(|text| Host::typed(&text).ok()).map(|(host, _)| host);
    let is_flag =
        found.value("host").is_some_and(|host| matches!(host.source(), ValueSource::Flag(_)));
    is_flag
        && found.profile().is_none()
        && found.auth_type(false) != Some("databricks-cli")
        && found.host() != own().as_ref()
}

/// Whether a machine signs in here, by a client and its secret that both stand in the environment.
pub(crate) fn is_machine(found: &Resolved) -> bool {
    let of_environment = |key| {
        found.value(key).is_some_and(|value| matches!(value.source(), ValueSource::Variable(_)))
    };
    ["client_id", "client_secret"].into_iter().all(of_environment)
        && matches!(found.get("auth_type"), None | Some("oauth-m2m"))
        && !goes_elsewhere(found)
}

/// An argument that says what a flag says as well.
pub(crate) fn with_flag(argument: &str, flag: &str) -> Failure {
    let argument = Sanitized::new(argument);
    Failure::new(Class::Usage, format!("the argument '{argument}' cannot be combined with {flag}"))
}

/// More names than these are not read at a glance.
const MANY: usize = 20;

/// The profiles, for a person to choose from.
pub(crate) fn listed(config: &ConfigFile) -> String {
    match names(config) {
        names if names.is_empty() => "there are no profiles".to_owned(),
        names if names.len() <= MANY => format!("the profiles are: {}", names.join(", ")),
        names => {
            let rest = names.len() - MANY;
            format!("the profiles are: {}, and {rest} more", names[..MANY].join(", "))
        }
    }
}

fn names(config: &ConfigFile) -> Vec<String> {
    let profiles = config.profiles();
    profiles.iter().map(|known| Sanitized::new(known.name()).to_string()).collect()
}

#[cfg(test)]
#[path = "settle/tests.rs"]
mod tests;
