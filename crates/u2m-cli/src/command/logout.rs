//! `u2m logout`: removes a login from every place where it is kept, and the profile if that is wished. Needs no network.

use crate::args::{Args, Format};
use crate::failure::{Class, Failure};
use crate::{output, person, place};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use u2m::{
    CacheKey, ConfigFile, Editor, Foreign, Host, LoggedOut, Profile, Storage, TokenStore, chain,
    host_login_keys, log_out, login_keys,
};

/// A refresh that is under way ends by then.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whose login ends.
struct Whose {
    profile: Option<String>,
    keys: Vec<CacheKey>,
    words: String,
}

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    let (path, config) = place::config()?;
    let storage = place::storage(&config, None)?;
    let whose = whose(args, &path, &config, &storage, name)?;
    if args.delete && whose.profile.is_none() {
        return Err(Failure::new(Class::Usage, "--delete needs a profile; pass it with --profile"));
    }
    if !args.auto_approve && !is_approved(args, &whose, &path)? {
        output::note("Nothing was changed.");
        return Ok(());
    }
    let out = log_out(storage.store(), &whose.keys, PATIENCE);
    for (key, error) in out.failed.iter().skip(1) {
        output::note(&format!("Warning: {}: {}", Foreign::new(key.as_str()), chain(error)));
    }
    for notice in storage.store().take_notices() {
        output::note(&format!("Warning: {}", notice.text));
    }
    if let Some((_, error)) = out.failed.first() {
        let kept = if args.delete { " The profile was kept" } else { "" };
        let text = format!("failed to clear token cache: {}.{kept}", chain(error));
        return Err(Failure::new(Class::Storage, text));
    }
    let is_deleted = match whose.profile.as_deref().filter(|_| args.delete) {
        Some(profile) => delete(&path, profile, !out.removed.is_empty())?,
        None => false,
    };
    say(&whose, &out, is_deleted);
    if args.format == Some(Format::Json) {
        return output::result(report(&whose, &out, is_deleted));
    }
    Ok(())
}

fn whose(
    args: &Args,
    path: &Path,
    config: &ConfigFile,
    storage: &Storage,
    name: &str,
) -> Result<Whose, Failure> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (argument, profile, host) =
        (given(&args.argument), given(&args.profile), given(&args.host));
    if args.all {
        if argument.is_some() || profile.is_some() || host.is_some() {
            return Err(Failure::new(Class::Usage, "--all ends every login: leave the name out"));
        }
        let keys = storage.store().keys();
        let keys = keys.map_err(|error| Failure::new(Class::Storage, chain(&error)))?;
        return Ok(Whose { profile: None, keys, words: "every login".to_owned() });
    }
    match (argument, profile, host) {
        (Some(text), None, None) if config.profile(&text).is_some() => {
            of_profile(config, &text, path)
        }
        (Some(text), None, None) if u2m::looks_like_host(&text) => of_host(args, config, &text),
        (Some(text), None, None) | (None, Some(text), None) => of_profile(config, &text, path),
        (None, None, Some(text)) => of_host(args, config, &text),
        (None, None, None) => Err(Failure::new(
            Class::Unclear,
            format!(
                "whose login is to end? Run: {name} logout PROFILE, or pass --profile, --host or --all"
            ),
        )),
        _ => Err(Failure::new(
            Class::Usage,
            "a profile and a host cannot be given together, nor an argument with --profile or --host",
        )),
    }
}

fn of_profile(config: &ConfigFile, profile: &str, path: &Path) -> Result<Whose, Failure> {
    if config.profile(profile).is_none() {
        if config.is_missing() {
            let text = format!("no configuration file found at {}", place::shown(path));
            return Err(Failure::new(Class::Unclear, text));
        }
        let profiles = config.profiles();
        let known: Vec<_> =
            profiles.iter().map(|known| Foreign::new(known.name()).to_string()).collect();
        let known = match known.as_slice() {
            [] => "there are no profiles".to_owned(),
            known => format!("there are: {}", known.join(", ")),
        };
        let profile = Foreign::new(profile);
        return Err(Failure::new(
            Class::Unclear,
            format!("profile \"{profile}\" not found in {}; {known}", place::shown(path)),
        ));
    }
    Ok(Whose {
        profile: Some(profile.to_owned()),
        keys: login_keys(config, profile),
        words: format!("profile \"{}\"", Foreign::new(profile)),
    })
}

/// The login of a host: that of its one profile, or the one that has no profile.
fn of_host(args: &Args, config: &ConfigFile, text: &str) -> Result<Whose, Failure> {
    let usage = |text: String| Failure::new(Class::Usage, text);
    let (host, hints) = Host::typed(text).map_err(|error| usage(chain(&error)))?;
    let account = args.account_id.clone().or(hints.account_id);
    let account = account.as_deref().map(u2m::AccountId::parse).transpose();
    let account = account.map_err(|error| usage(chain(&error)))?;
    let of_account = |profile: &Profile<'_>| {
        account.as_ref().is_none_or(|id| profile.account_id() == Some(id.as_str()))
    };
    let profiles: Vec<_> = config.profiles_on(&host).into_iter().filter(of_account).collect();
    match profiles.as_slice() {
        [] => Ok(Whose {
            profile: None,
            keys: host_login_keys(&host, account.as_ref()),
            words: host.to_string(),
        }),
        [one] => Ok(Whose {
            profile: Some(one.name().to_owned()),
            keys: login_keys(config, one.name()),
            words: format!("profile \"{}\"", Foreign::new(one.name())),
        }),
        several => {
            let names: Vec<_> =
                several.iter().map(|one| Foreign::new(one.name()).to_string()).collect();
            Err(Failure::new(
                Class::Unclear,
                format!(
                    "{host} has several profiles: {}. Use --profile to say which",
                    names.join(", ")
                ),
            ))
        }
    }
}

fn is_approved(args: &Args, whose: &Whose, path: &Path) -> Result<bool, Failure> {
    let also = match args.delete {
        true => format!(" and remove it from {}", place::shown(path)),
        false => String::new(),
    };
    person::approve(&format!("Log out of {}{also}?", whose.words)).ok_or_else(|| {
        Failure::new(Class::Usage, "there is nobody to ask here; pass --auto-approve to log out")
    })
}

fn delete(path: &Path, profile: &str, are_cleared: bool) -> Result<bool, Failure> {
    let edited = Editor::new(path).edit(|draft| draft.remove_profile(profile));
    edited.map(|_| true).map_err(|error| {
        let cleared = if are_cleared { "the login is cleared, but " } else { "" };
        let text = format!("{cleared}the profile could not be removed: {}", chain(&error));
        Failure::new(Class::Other, text)
    })
}

fn say(whose: &Whose, out: &LoggedOut, is_deleted: bool) {
    let (words, is_out) = (&whose.words, !out.removed.is_empty());
    output::note(&match (is_out, is_deleted, whose.profile.is_some()) {
        (true, true, _) => format!("Logged out of and deleted {words}."),
        (false, true, _) => format!("Deleted {words} with no tokens to clear."),
        (true, false, true) => {
            format!("Logged out of {words}. Use --delete to also remove it from the config file.")
        }
        (true, false, false) => format!("Logged out of {words}."),
        (false, false, true) => format!(
            "No tokens to clear for {words}. Use --delete to remove it from the config file."
        ),
        (false, false, false) => format!("No tokens to clear for {words}."),
    });
}

fn report(whose: &Whose, out: &LoggedOut, is_deleted: bool) -> String {
    let removed = out.removed.iter();
    let removed = removed.map(|(key, mode)| json!({"key": key.as_str(), "storage": mode.as_str()}));
    let report = json!({
        "profile": whose.profile,
        "removed": removed.collect::<Vec<_>>(),
        "profile_deleted": is_deleted,
    });
    output::json(&report) + "\n"
}
