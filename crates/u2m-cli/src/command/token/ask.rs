//! Whose token is meant, asked of the person where nothing else says it. Callers without a terminal never come here.

use crate::args::Args;
use crate::command::login;
use crate::failure::Failure;
use crate::prompt::{self, ProfileChoice};
use u2m::config::{ChooseError, ConfigFile, Profile};

/// What to ask for in place of what was not clear; `None` if nobody can say more.
pub(super) fn instead(
    args: &Args,
    error: &ChooseError,
    config: &ConfigFile,
    name: &str,
) -> Result<Option<Args>, Failure> {
    if !prompt::is_allowed() {
        return Ok(None);
    }
    let profiles = config.profiles();
    let picked = match error {
        ChooseError::NoProfileChosen => prompt::profile("Token for", config, &profiles, true)?,
        ChooseError::NoProfiles => {
            prompt::profile("No profiles yet. Token for", config, &profiles, true)?
        }
        ChooseError::Ambiguous { host, names } => {
            let is_one = |profile: &Profile<'_>| {
                names.iter().any(|name| name == &u2m::text::Sanitized::new(profile.name()))
            };
            let several: Vec<_> = profiles.into_iter().filter(is_one).collect();
            prompt::profile(&format!("Token for {host}, as"), config, &several, false)?
        }
        _ => return Ok(None),
    };
    let mut said = Args {
        format: args.format,
        force_refresh: args.force_refresh,
        timeout: args.timeout,
        ..Args::default()
    };
    match picked {
        Some(ProfileChoice::Profile(profile)) => said.profile = Some(profile),
        Some(ProfileChoice::Host) => said.host = Some(login::host()?),
        Some(ProfileChoice::New) => said.profile = Some(sign_in(config, name)?),
        None => return Ok(None),
    }
    Ok(Some(said))
}

/// Signs in first; the profile that was made.
fn sign_in(config: &ConfigFile, name: &str) -> Result<String, Failure> {
    let (profile, host) = login::profile_and_host(config)?;
    let args =
        Args { profile: Some(profile.clone()), host, skip_workspace: true, ..Args::default() };
    login::run(&args, name)?;
    Ok(profile)
}
