//! `u2m switch`: which profile is used where none is named.

use crate::args::{Args, Format};
use crate::failure::{Class, Failure};
use crate::prompt::{self, ProfileChoice};
use crate::settle::{listed, with_flag};
use crate::{advice, output, place};
use serde_json::json;
use std::path::Path;
use u2m::config::{ChooseError, ConfigFile, EditOutcome, Editor};
use u2m::text::Sanitized;

/// What is used before any default.
const BEFORE_THE_DEFAULT: &[&str] = &["DATABRICKS_CONFIG_PROFILE", "DATABRICKS_HOST"];

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    let wanted = wanted(args)?;
    let (path, config) = place::config()?;
    if config.is_missing() {
        let text = format!("there is no profile file at {}", place::shown(&path));
        return Err(Failure::new(Class::Unclear, format!("{text}. Run: {name} login")));
    }
    let wanted = match wanted {
        None if args.clear => None,
        None => Some(picked(&config, name)?),
        Some(wanted) => Some(wanted),
    };
    if let Some(wanted) = &wanted {
        check(wanted, &path, &config, name)?;
    }
    let previous = config.setting("default_profile").map(str::to_owned);
    let outcome = Editor::new(&path).edit(|draft| {
        match &wanted {
            Some(wanted) => draft.set_default_profile(wanted)?,
            None => draft.clear_setting("default_profile"),
        }
        Ok(())
    })?;
    let is_changed = outcome != EditOutcome::Unchanged;
    if outcome == (EditOutcome::Written { tightened: true }) {
        output::inform(&format!("{} can now be read by you alone.", place::shown(&path)));
    }
    let overridden = overridden(wanted.as_deref());
    say(wanted.as_deref(), previous.as_deref(), &config);
    for variable in &overridden {
        output::note(&format!("Note: {variable} is set, and goes before the default profile."));
    }
    if args.format != Some(Format::Json) {
        return Ok(());
    }
    let profile = wanted.as_deref().and_then(|wanted| config.profile(wanted));
    let report = json!({
        "profile": wanted,
        "host": profile.as_ref().and_then(|profile| profile.host()),
        "account_id": profile.as_ref().and_then(|profile| profile.account_id()),
        "workspace_id": profile.as_ref().and_then(|profile| profile.workspace_id()),
        "issuer": profile.as_ref().and_then(|profile| profile.issuer()).map(|(issuer, _)| issuer),
        "previous": previous,
        "changed": is_changed,
        "config_file": path.to_string_lossy(),
        "overridden_by": overridden,
    });
    output::result(output::json(&report) + "\n")
}

/// The name that was said, if any.
fn wanted(args: &Args) -> Result<Option<String>, Failure> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let wanted = match (given(&args.argument), given(&args.profile)) {
        (Some(argument), Some(_)) => return Err(with_flag(&argument, "--profile")),
        (argument, profile) => argument.or(profile),
    };
    match wanted {
        Some(_) if args.clear => Err(Failure::new(
            Class::Usage,
            "--clear leaves no profile as the default; leave the name out",
        )),
        wanted => Ok(wanted),
    }
}

/// Where nobody is named, a person at a terminal is asked.
fn picked(config: &ConfigFile, name: &str) -> Result<String, Failure> {
    if prompt::is_allowed() {
        let title = match config.setting("default_profile") {
            Some(now) => format!("Default profile (now {})", Sanitized::new(now)),
            None => "Default profile".to_owned(),
        };
        let picked = prompt::profile(&title, config, &config.profiles(), false)?;
        if let Some(ProfileChoice::Profile(wanted)) = picked {
            return Ok(wanted);
        }
    }
    let known = match config.profiles().is_empty() {
        true => format!("there are no profiles yet. Run: {name} login"),
        false => format!("no profile was named. Run: {name} switch NAME; {}", listed(config)),
    };
    Err(Failure::new(Class::Unclear, known))
}

fn check(wanted: &str, path: &Path, config: &ConfigFile, name: &str) -> Result<(), Failure> {
    match config.named(wanted) {
        Ok(_) => Ok(()),
        // It is no name to begin with.
        Err(error @ ChooseError::Reserved) => {
            Err(Failure::new(Class::Usage, u2m::text::chain(&error)))
        }
        Err(error) => Err(advice::choice(&error, path, config, name)),
    }
}

/// The variables that a program would follow instead.
fn overridden(wanted: Option<&str>) -> Vec<&'static str> {
    let differs = |name: &&str| {
        let value = place::env(name).filter(|value| !value.is_empty());
        value.is_some_and(|value| value.to_str().is_none() || value.to_str() != wanted)
    };
    BEFORE_THE_DEFAULT.iter().copied().filter(differs).collect()
}

fn say(wanted: Option<&str>, previous: Option<&str>, config: &ConfigFile) {
    let Some(wanted) = wanted else {
        return output::inform(&match previous {
            Some(previous) => {
                format!("\"{}\" is no longer the default profile.", Sanitized::new(previous))
            }
            None => "No default profile was set.".to_owned(),
        });
    };
    let profile = config.profile(wanted);
    let issuer = || profile.as_ref().and_then(|profile| profile.issuer()).map(|(issuer, _)| issuer);
    let host = match profile.as_ref().and_then(|profile| profile.host()).or_else(issuer) {
        Some(host) => format!(" ({})", Sanitized::new(host)),
        None => "; it has no host".to_owned(),
    };
    output::inform(&format!("The default profile is now \"{}\"{host}.", Sanitized::new(wanted)));
}
