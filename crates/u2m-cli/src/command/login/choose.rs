//! What to sign in to, and the profile to save it as: by what was said, and by asking for what was not.

use crate::args::Args;
use crate::failure::Failure;
use crate::prompt::{self, ProfileChoice};
use crate::{advice, output, place, waiting};
use std::path::Path;
use u2m::config::{
    ChooseError, ConfigFile, Environment, LoginChoice, TargetArgs, choose_for_login,
};
use u2m::databricks::HostMetadata;
use u2m::{AccountId, Host, ProfileName, blocking};

/// What is signed in to, and what its host says of itself.
pub(super) struct ChosenTarget {
    pub(super) choice: LoginChoice,
    pub(super) metadata: HostMetadata,
}

pub(super) fn login(
    args: &Args,
    path: &Path,
    around: &Environment<'_>,
    name: &str,
) -> Result<ChosenTarget, Failure> {
    let unclear = |error: ChooseError| advice::choice(&error, path, around.config, name);
    let mut said = args.said();
    let may_ask = prompt::is_allowed() && !args.web;
    if may_ask && is_bare(&said) {
        let profiles = around.config.profiles();
        let title = match profiles.iter().any(|profile| profile.host().is_some()) {
            true => "Sign in to",
            false => "No profiles yet. Sign in to",
        };
        match prompt::profile(title, around.config, &profiles, true)? {
            Some(ProfileChoice::Profile(name)) => said.profile = Some(name),
            Some(ProfileChoice::Host) => said.host = Some(host()?),
            Some(ProfileChoice::New) | None => {}
        }
    }
    let mut chosen = settled(&mut said, args, around, may_ask, None, &unclear)?;
    while may_ask && chosen.choice.is_suggested {
        let suggestion = chosen.choice.profile.as_str().to_owned();
        let mut named = said.clone();
        // The argument was no profile's name, so it was a host, if it was anything.
        named.host = named.host.or_else(|| named.either.take());
        named.profile = Some(profile_name(&suggestion)?);
        // The host that was asked is asked no second time.
        let known = chosen.choice.host.clone().map(|host| (host, chosen.metadata.clone()));
        match choose_for_login(&named, around) {
            Err(
                error @ (ChooseError::Conflict { .. }
                | ChooseError::IssuerProfile { .. }
                | ChooseError::ProfileHost(..)),
            ) => {
                output::note(&u2m::text::chain(&error));
            }
            _ => {
                chosen = settled(&mut named, args, around, may_ask, known, &unclear)?;
                chosen.choice.is_suggested = false;
            }
        }
    }
    Ok(chosen)
}

fn is_bare(said: &TargetArgs) -> bool {
    let is_given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    ![&said.either, &said.profile, &said.host].into_iter().any(is_given)
}

/// Chooses, and asks the host for what was not said, and the person for what the host does not say.
fn settled(
    said: &mut TargetArgs,
    args: &Args,
    around: &Environment<'_>,
    may_ask: bool,
    known: Option<(Host, HostMetadata)>,
    unclear: &dyn Fn(ChooseError) -> Failure,
) -> Result<ChosenTarget, Failure> {
    let mut known = known;
    loop {
        let outcome = choose_for_login(said, around).and_then(|mut choice| {
            let flags = [
                ("configure-cluster", args.configure_cluster),
                ("configure-serverless", args.configure_serverless),
            ];
            let needs_host = flags.into_iter().find(|(_, is_set)| *is_set);
            if let (None, Some((flag, _))) = (&choice.host, needs_host) {
                return Err(ChooseError::FlagNeedsHost(flag));
            }
            let metadata = match choice.host.as_ref().filter(|_| choice.is_open()) {
                Some(host) => match known.take().filter(|(asked, _)| asked == host) {
                    Some((_, metadata)) => metadata,
                    None => ask(host, choice.ca_file.as_deref()),
                },
                None => HostMetadata::default(),
            };
            known = choice.host.clone().map(|host| (host, metadata.clone()));
            choice.settle(&metadata, around)?;
            Ok(ChosenTarget { choice, metadata })
        });
        match outcome {
            Err(ChooseError::NoAccount(_)) if may_ask => said.account_id = Some(account()?),
            outcome => return outcome.map_err(unclear),
        }
    }
}

/// What a host says of itself.
fn ask(host: &Host, ca_file: Option<&Path>) -> HostMetadata {
    let what = format!("Waiting for the server: {host}");
    waiting::during(&what, None, || blocking::ask_host(&place::transport(ca_file), host))
}

/// The profile and the host of a login that another command begins.
pub(crate) fn profile_and_host(config: &ConfigFile) -> Result<(String, Option<String>), Failure> {
    let around = Environment { env: &place::env, config };
    // A name that is free: what is there already may sign in by other means.
    let free =
        choose_for_login(&TargetArgs::default(), &around).map(|choice| choice.profile.to_string());
    let profile = profile_name(free.as_deref().unwrap_or("DEFAULT"))?;
    let has_host = config.profile(&profile).is_some_and(|profile| profile.host().is_some());
    let host = if has_host { None } else { Some(host()?) };
    Ok((profile, host))
}

/// Asks for a host.
pub(crate) fn host() -> Result<String, Failure> {
    output::note("For example https://my-workspace.cloud.databricks.com");
    prompt::text("Databricks host", None, &|text| {
        Host::typed(text).map(|_| ()).map_err(|error| u2m::text::chain(&error))
    })
}

fn account() -> Result<String, Failure> {
    prompt::text("Databricks account ID", None, &|text| {
        AccountId::parse(text).map(|_| ()).map_err(|error| u2m::text::chain(&error))
    })
}

fn profile_name(suggestion: &str) -> Result<String, Failure> {
    prompt::text("Databricks profile name", Some(suggestion), &|text| {
        ProfileName::parse(text).map(|_| ()).map_err(|error| u2m::text::chain(&error))
    })
}
