//! `u2m import`: brings in logins that other programs have made, without spending them.

use crate::args::{Args, Format};
use crate::failure::{Class, Failure};
use crate::{advice, output, place, waiting};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use u2m::config::{ChooseError, ConfigFile, Editor};
use u2m::import::{ForeignLogins, FoundLogin, IMPORT_WARNING, ImportLogin, ImportSource};
use u2m::store::{CacheKey, Storage, StorageMode, TokenStore};
use u2m::text::{Sanitized, chain};

/// Nobody refreshes a login that is not there yet.
const PATIENCE: Duration = Duration::from_secs(10);

/// A login that is looked for, and the profile that it is for.
struct ImportTarget<'c> {
    profile: &'c str,
    login: ImportLogin,
}

/// A login that was brought in.
struct ImportedJson<'c> {
    profile: &'c str,
    from: ImportSource,
    path: PathBuf,
    storage: StorageMode,
}

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    let from = args.from.as_deref().map(source).transpose()?;
    let (path, config) = place::config()?;
    let storage = place::storage_with_person(&config, None)?;
    let wanted = wanted(args, &path, &config, &storage, name)?;
    let logins = ForeignLogins::from_env(&place::env);
    let logins = logins.map_err(|error| Failure::new(Class::Storage, chain(&error)))?;
    let looked_for: Vec<_> = wanted.iter().map(|wanted| wanted.login.clone()).collect();
    let mut imported = logins.find(&looked_for);
    output::warn_of(logins.take_notices());
    let is_wanted = |source: ImportSource| from.is_none_or(|from| from == source);
    imported.found.retain(|found| is_wanted(found.source));
    imported.refused.retain(|refused| is_wanted(refused.source));
    // Java's file is one for the profile and for its host.
    imported.refused.dedup_by(|a, b| a.path == b.path);
    for refused in &imported.refused {
        let (path, why) = (place::shown(&refused.path), chain(&refused.why));
        // Some reasons name the file themselves.
        let text = if why.contains(&path) { why } else { format!("{path}: {why}") };
        output::note(&format!("Warning: not imported: {text}"));
    }
    let mut taken: Vec<ImportedJson<'_>> = Vec::new();
    let outcome = imported.found.iter().try_for_each(|found| {
        let of = wanted.iter().find(|wanted| wanted.login == found.login);
        // Python's file comes first: it says more.
        let of = of.filter(|of| taken.iter().all(|known| known.profile != of.profile));
        of.map_or(Ok(()), |of| take(&path, &config, found, of.profile).map(|one| taken.push(one)))
    });
    if !taken.is_empty() {
        output::note(&format!("Warning: {IMPORT_WARNING}."));
    }
    outcome?;
    if taken.is_empty() && !imported.refused.is_empty() {
        let text = "nothing was imported: no file that was found can be used";
        return Err(Failure::new(Class::Other, text));
    }
    if taken.is_empty() {
        output::inform("There was nothing to import.");
    }
    if args.format == Some(Format::Json) {
        let imported: Vec<_> = taken.iter().map(ImportedJson::row).collect();
        return output::result(output::json(&json!({ "imported": imported })) + "\n");
    }
    Ok(())
}

impl ImportedJson<'_> {
    fn row(&self) -> Value {
        let from = if self.from == ImportSource::Java { "java" } else { "python" };
        let (path, storage) = (self.path.to_string_lossy(), self.storage.as_str());
        json!({"profile": self.profile, "from": from, "path": path, "storage": storage})
    }
}

fn source(text: &str) -> Result<ImportSource, Failure> {
    match text {
        "java" => Ok(ImportSource::Java),
        "python" => Ok(ImportSource::Python),
        _ => Err(Failure::new(Class::Usage, "the value of --from is not python or java")),
    }
}

/// What is looked for: the profiles of people that are not signed in. Other SDKs know a login by its profile, or by its host
/// alone; the latter comes last, so that no profile takes what another is known by.
fn wanted<'c>(
    args: &Args,
    path: &Path,
    config: &'c ConfigFile,
    storage: &Storage,
    name: &str,
) -> Result<Vec<ImportTarget<'c>>, Failure> {
    let only = match (&args.argument, &args.profile) {
        (Some(_), Some(_)) => {
            let text = "a profile was given twice: as an argument, and with --profile";
            return Err(Failure::new(Class::Usage, text));
        }
        (one, other) => one.as_deref().or(other.as_deref()),
    };
    if let Some(only) = only {
        let unknown = |error: ChooseError| advice::choice(&error, path, config, name);
        config.named(only).map_err(unknown)?;
    }
    let (mut by_profile, mut by_host) = (Vec::new(), Vec::new());
    for profile in config.profiles() {
        if only.is_some_and(|only| only != profile.name()) {
            continue;
        }
        let said = |text: String| {
            if only.is_some() {
                output::note(&format!("Profile {} {text}.", Sanitized::new(profile.name())));
            }
        };
        let Some(host) = profile.host().filter(|_| profile.is_for_users()) else {
            said("is not one that a person signs in with in a browser".to_owned());
            continue;
        };
        if let Some(mode) = storage.store().holders(&CacheKey::new(profile.name())).first() {
            said(format!("is signed in already ({})", storage.location(*mode, &place::shown)));
            continue;
        }
        let mut login = ImportLogin::new(host);
        if !profile.scopes().is_empty() {
            login = login.with_scopes(profile.scopes().join(","));
        }
        if let Some(account) = profile.account_id() {
            login = login.with_account_id(account);
        }
        let profile = profile.name();
        by_profile.push(ImportTarget { profile, login: login.clone().with_profile(profile) });
        by_host.push(ImportTarget { profile, login });
    }
    by_profile.extend(by_host);
    Ok(by_profile)
}

/// Saves a login where a new one of its profile would go.
fn take<'c>(
    path: &Path,
    config: &ConfigFile,
    found: &FoundLogin,
    profile: &'c str,
) -> Result<ImportedJson<'c>, Failure> {
    let storage = place::storage_with_person(config, Some(profile))?;
    let (store, key, shown) = (storage.store(), CacheKey::new(profile), Sanitized::new(profile));
    let save = || {
        store.prepare_login(&key)?;
        match store.lock(&key, PATIENCE)? {
            Some(mut lock) => lock.save(&found.session),
            None => store.save(&key, &found.session),
        }
    };
    let what = format!("Waiting for the store of the login {shown}");
    let saved = waiting::during(&what, Some(PATIENCE), save);
    output::warn_of(store.take_notices());
    saved.map_err(|error| {
        let text = format!("the login {shown} could not be imported: {}", chain(&error));
        Failure::new(Class::Storage, text)
    })?;
    let (sdk, file) = (found.source, place::shown(&found.path));
    output::inform(&format!("Imported the login {shown} of the {sdk} ({file})."));
    pin(&storage, &key, path)?;
    let mode = store.landing(&key).unwrap_or(storage.choice().mode());
    Ok(ImportedJson { profile, from: found.source, path: found.path.clone(), storage: mode })
}

fn pin(storage: &Storage, key: &CacheKey, path: &Path) -> Result<(), Failure> {
    let Some(mode) = storage.to_pin(key) else { return Ok(()) };
    let edited = Editor::new(path).edit(|draft| draft.set_setting("auth_storage", mode.as_str()));
    edited.map(drop).map_err(|error| {
        let text =
            format!("the login is imported, but auth_storage could not be set: {}", chain(&error));
        Failure::new(Class::Other, text)
    })
}
