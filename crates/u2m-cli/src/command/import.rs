//! `u2m import`: brings in logins that other programs have made, without spending them.

use crate::args::{Args, Format};
use crate::failure::{Class, Failure};
use crate::{advice, output, place};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use u2m::{
    CacheKey, ConfigFile, Editor, Foreign, ForeignLogins, Found, IMPORT_WARNING, ImportLogin,
    ImportSource, Storage, StorageMode, TokenStore, chain,
};

/// Nobody refreshes a login that is not there yet.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    let from = args.from.as_deref().map(source).transpose()?;
    let (path, config) = place::config()?;
    let storage = place::storage_with_person(&config, None)?;
    let wanted = wanted(args, &config, &storage, name)?;
    let logins = ForeignLogins::from_env(&place::env);
    let logins = logins.map_err(|error| Failure::new(Class::Storage, chain(&error)))?;
    let imported = logins.find(&wanted);
    for notice in logins.take_notices() {
        output::note(&format!("Warning: {}", notice.text));
    }
    let is_wanted = |source: ImportSource| from.is_none_or(|from| from == source);
    for refused in imported.refused.iter().filter(|refused| is_wanted(refused.source)) {
        let (path, why) = (place::shown(&refused.path), chain(&refused.why));
        output::note(&format!("Warning: {path} was not taken over: {why}"));
    }
    let mut taken: Vec<(&Found, &str, StorageMode)> = Vec::new();
    for found in imported.found.iter().filter(|found| is_wanted(found.source)) {
        let Some(profile) = owner(&config, &found.login) else { continue };
        // Python's file comes first: it says more.
        if taken.iter().any(|(_, known, _)| *known == profile) {
            continue;
        }
        let mode = take(&storage, found, profile)?;
        taken.push((found, profile, mode));
        output::note(&format!(
            "Imported the login {} of the {} ({}).",
            Foreign::new(profile),
            found.source,
            place::shown(&found.path)
        ));
    }
    for notice in storage.store().take_notices() {
        output::note(&format!("Warning: {}", notice.text));
    }
    match taken.as_slice() {
        [] => output::note("There was nothing to import."),
        [(_, profile, _), ..] => {
            pin(&storage, &CacheKey::new(*profile), &path)?;
            output::note(&format!("Warning: {IMPORT_WARNING}."));
        }
    }
    if args.format == Some(Format::Json) {
        let row = |(found, profile, mode): &(&Found, &str, StorageMode)| {
            let path = found.path.to_string_lossy();
            let from = if found.source == ImportSource::Java { "java" } else { "python" };
            json!({"profile": profile, "from": from, "path": path, "storage": mode.as_str()})
        };
        let rows: Vec<_> = taken.iter().map(row).collect();
        return output::result(output::json(&json!({ "imported": rows })) + "\n");
    }
    Ok(())
}

fn source(text: &str) -> Result<ImportSource, Failure> {
    match text {
        "java" => Ok(ImportSource::Java),
        "python" => Ok(ImportSource::Python),
        _ => Err(Failure::new(Class::Usage, "the value of --from is not python or java")),
    }
}

/// What is looked for: the profiles of people that are not signed in. Other SDKs know a login by its profile, or by its host
/// alone.
fn wanted(
    args: &Args,
    config: &ConfigFile,
    storage: &Storage,
    name: &str,
) -> Result<Vec<ImportLogin>, Failure> {
    let only = args.argument.as_deref().or(args.profile.as_deref());
    if let Some(only) = only.filter(|only| config.profile(only).is_none()) {
        let advice =
            format!("To make it: {name} login --host <url> --profile {}", advice::quoted(only));
        let text = format!("no profile \"{}\" in the profile file. {advice}", Foreign::new(only));
        return Err(Failure::new(Class::Unclear, text));
    }
    let mut wanted = Vec::new();
    for profile in config.profiles() {
        let is_meant = only.is_none_or(|only| only == profile.name());
        let Some(host) = profile.host().filter(|_| is_meant && profile.is_for_users()) else {
            continue;
        };
        if let Some(mode) = storage.store().holders(&CacheKey::new(profile.name())).first() {
            if only.is_some() {
                let shown = storage.location(*mode, &place::shown);
                output::note(&format!("{} is signed in already ({shown}).", profile.name()));
            }
            continue;
        }
        let mut login = ImportLogin::new(host);
        if !profile.scopes().is_empty() {
            login = login.with_scopes(profile.scopes().join(","));
        }
        if let Some(account) = profile.account_id() {
            login = login.with_account_id(account);
        }
        wanted.push(login.clone().with_profile(profile.name()));
        wanted.push(login);
    }
    Ok(wanted)
}

/// The profile that a login was looked for on behalf of.
fn owner<'c>(config: &'c ConfigFile, login: &ImportLogin) -> Option<&'c str> {
    let profiles = config.profiles();
    let is_it = |name: &str, host: Option<&str>| match &login.profile {
        Some(profile) => name == profile,
        None => host == Some(login.host.as_str()),
    };
    let found =
        profiles.iter().find(|known| known.is_for_users() && is_it(known.name(), known.host()));
    found.map(|profile| profile.name())
}

fn take(storage: &Storage, found: &Found, profile: &str) -> Result<StorageMode, Failure> {
    let (store, key) = (storage.store(), CacheKey::new(profile));
    let saved = store.prepare_login(&key).and_then(|()| match store.lock(&key, PATIENCE)? {
        Some(mut lock) => lock.save(&found.session),
        None => store.save(&key, &found.session),
    });
    saved.map_err(|error| Failure::new(Class::Storage, chain(&error)))?;
    Ok(store.landing(&key).unwrap_or(storage.choice().mode()))
}

fn pin(storage: &Storage, key: &CacheKey, path: &Path) -> Result<(), Failure> {
    let Some(mode) = storage.to_pin(key) else { return Ok(()) };
    let edited = Editor::new(path).edit(|draft| draft.set_setting("auth_storage", mode.as_str()));
    edited.map(drop).map_err(|error| {
        let text = format!(
            "the logins are imported, but auth_storage could not be set: {}",
            chain(&error)
        );
        Failure::new(Class::Other, text)
    })
}
