//! A configuration as it is shown and handed on: with what its host says of itself, and, in the place of Databricks' CLI, with
//! the path of this program.

use crate::args::Args;
use crate::place;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use u2m::config::{ConfigFile, Profile, Resolved};
use u2m::databricks::HostDirectory;

/// What is known of hosts, and the way to ask them that a configuration names.
pub(crate) fn hosts(args: &Args, found: &Resolved, config: &ConfigFile) -> HostDirectory {
    let own = profile(found, config).and_then(|profile| profile.ca_file());
    let ca_file = args.ca_file.as_deref().or(own.map(Path::new));
    HostDirectory::for_user(Arc::new(place::transport(ca_file)), &place::env)
}

/// The configuration with all that follows. Its host is asked for at most `limit`; without one, only what is known already
/// counts. A host that is silent is not asked again for a while.
pub(crate) fn completed(
    found: &Resolved,
    args: &Args,
    hosts: &HostDirectory,
    limit: Option<Duration>,
) -> Resolved {
    let said = found.host().and_then(|host| match limit {
        Some(limit) => hosts.ask_blocking_within(host, limit),
        None => hosts.known(host).flatten(),
    });
    let found = found.clone().told_by(said.as_ref());
    match own_path().filter(|_| args.stands_in) {
        Some(path) => found.with_derived("databricks_cli_path", &path),
        None => found,
    }
}

/// Whether the profile is for an issuer that is not Databricks'.
pub(crate) fn is_for_issuer(found: &Resolved, config: &ConfigFile) -> bool {
    profile(found, config).is_some_and(|profile| profile.issuer().is_some())
}

fn profile<'a>(found: &Resolved, config: &'a ConfigFile) -> Option<Profile<'a>> {
    found.profile().and_then(|named| config.profile(named.name()))
}

/// The path that this program was called by. One that is only a name is looked up by whoever calls it again.
fn own_path() -> Option<String> {
    let path = std::env::args_os().next()?.into_string().ok()?;
    (Path::new(&path).file_name()? != path.as_str()).then_some(path)
}
