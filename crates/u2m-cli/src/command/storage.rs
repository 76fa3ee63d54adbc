//! `u2m storage`: where the logins are, and moving them.

use crate::args::{Args, Format};
use crate::failure::{Class, Failure};
use crate::{output, place};
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, SystemTime};
use u2m::{
    CacheKey, ConfigFile, Editor, Foreign, Session, Storage, StorageChoice, StorageMode,
    StorageSource, StoreError, Surroundings, Timestamp, TokenStore, chain, format_local,
};

/// A refresh that is under way ends by then.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that is shown.
#[derive(Serialize)]
struct Shown {
    mode: &'static str,
    source: &'static str,
    stores: Vec<Store>,
    logins: Vec<Login>,
}

/// One store, and what is wrong with it.
#[derive(Serialize)]
struct Store {
    mode: &'static str,
    location: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// One entry of one store.
#[derive(Serialize)]
struct Login {
    key: String,
    storage: &'static str,
    /// Whether this is the one that is used.
    used: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry: Option<String>,
    renewable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip)]
    left: Option<i64>,
}

pub(crate) fn show(args: &Args) -> Result<(), Failure> {
    let (path, config) = place::config()?;
    let storage = place::storage(&config, None)?;
    let mut shown = Shown {
        mode: storage.choice().mode().as_str(),
        source: storage.choice().source().label(),
        stores: Vec::new(),
        logins: Vec::new(),
    };
    for mode in StorageMode::ALL {
        look(&storage, mode, &config, &mut shown);
    }
    shown.logins.sort_by(|a, b| (&a.key, !a.used).cmp(&(&b.key, !b.used)));
    for notice in storage.store().take_notices() {
        output::note(&format!("Warning: {}", notice.text));
    }
    match args.format {
        Some(Format::Json) => output::result(output::json(&shown) + "\n"),
        _ => output::result(text(&shown, &storage, &path)),
    }
}

fn look(storage: &Storage, mode: StorageMode, config: &ConfigFile, shown: &mut Shown) {
    let location = storage.location(mode, &|path| place::shown(path));
    let found = storage.store().part(mode).and_then(TokenStore::keys);
    let error = found.as_ref().err().map(|error| chain(error));
    shown.stores.push(Store { mode: mode.as_str(), location, error });
    for key in found.unwrap_or_default() {
        let session = storage.store().part(mode).and_then(|part| part.load(&key));
        let used = used(storage, config, &key) == Some(mode);
        shown.logins.push(login(&key, mode, used, session));
    }
}

/// Which store is asked for a login, as far as that can be told without asking any.
fn used(storage: &Storage, config: &ConfigFile, key: &CacheKey) -> Option<StorageMode> {
    let around = Surroundings { env: &place::env, config };
    let choice = StorageChoice::of(None, &around, Some(key.as_str())).ok()?;
    if choice.is_explicit() {
        return Some(choice.mode());
    }
    storage.home(key).or_else(|| storage.store().holders(key).first().copied())
}

fn login(
    key: &CacheKey,
    mode: StorageMode,
    used: bool,
    session: Result<Option<Session>, StoreError>,
) -> Login {
    let now = Timestamp::from(SystemTime::now());
    let (session, error) = match session {
        Ok(session) => (session, None),
        Err(error) => (None, Some(chain(&error))),
    };
    let expiry = session.as_ref().and_then(Session::known_expiry);
    Login {
        key: key.as_str().to_owned(),
        storage: mode.as_str(),
        used,
        expiry: expiry.map(format_local),
        renewable: session.is_some_and(|session| session.refresh_token.is_some()),
        error,
        left: expiry.map(|expiry| now.until(expiry).seconds()),
    }
}

fn text(shown: &Shown, storage: &Storage, path: &Path) -> String {
    let source = match storage.choice().source() {
        StorageSource::Settings => {
            format!("auth_storage in [__settings__] section of {}", place::shown(path))
        }
        source => source.label().to_owned(),
    };
    let mut out = format!("New logins go to: {} (from {source})\n\n", shown.mode);
    for store in &shown.stores {
        let error = store.error.as_ref().map(|error| format!("\n             {error}"));
        out += &format!("  {:<10} {}{}\n", store.mode, store.location, error.unwrap_or_default());
    }
    if shown.logins.is_empty() {
        return out + "\nThere are no logins.\n";
    }
    let name = |login: &Login| Foreign::new(&login.key).to_string();
    let width = shown.logins.iter().map(|login| name(login).chars().count()).max();
    let width = width.unwrap_or(0).clamp(5, 60);
    out += &format!("\n  {:<width$}  {:<10}  {:<12}  Renewable\n", "Login", "Kept in", "Token");
    for login in &shown.logins {
        let token = match (&login.error, login.left) {
            (Some(_), _) => "unreadable".to_owned(),
            (None, None) => "no end known".to_owned(),
            (None, Some(left)) if left <= 0 => "expired".to_owned(),
            (None, Some(left)) if left < 7200 => format!("{}m left", left.div_euclid(60)),
            (None, Some(left)) => format!("{}h left", left / 3600),
        };
        let renewable = if login.renewable { "yes" } else { "no" };
        let rest = if login.used { "" } else { "  (not used)" };
        let row = format!(
            "  {:<width$}  {:<10}  {token:<12}  {renewable}{rest}",
            name(login),
            login.storage
        );
        out += row.trim_end();
        out.push('\n');
    }
    out
}

pub(crate) fn migrate(args: &Args) -> Result<(), Failure> {
    let usage = |text: &str| Failure::new(Class::Usage, text);
    let words = "pass --to secure, --to encrypted or --to plaintext";
    let to = args.to.as_deref().ok_or_else(|| usage(words))?;
    let to = StorageMode::parse(to).ok_or_else(|| usage(words))?;
    let (path, config) = place::config()?;
    let storage = place::storage_with_person(&config, None)?;
    let named = args.argument.as_deref().or(args.profile.as_deref());
    let (keys, mut failed) = match (named, args.all) {
        (Some(name), false) => (vec![CacheKey::new(name)], None),
        (None, true) => all_keys(&storage),
        _ => return Err(usage("name the login to move, or pass --all")),
    };
    let mut moved = Vec::new();
    for key in keys {
        let is_moved = source(&storage, &config, &key).and_then(|from| match from {
            Some(from) if from != to => {
                let moved = storage.store().migrate(&key, from, to, PATIENCE)?;
                Ok(Some(from).filter(|_| moved))
            }
            _ => Ok(None),
        });
        match is_moved {
            Ok(Some(from)) => {
                output::note(&format!(
                    "Moved the login {} from {} to {}.",
                    Foreign::new(key.as_str()),
                    from,
                    storage.location(to, &|path| place::shown(path))
                ));
                moved.push(key);
            }
            Ok(None) => {}
            Err(error) => {
                output::note(&format!(
                    "Warning: {}: {}",
                    Foreign::new(key.as_str()),
                    chain(&error)
                ));
                failed = Some(chain(&error));
            }
        }
    }
    follow(&path, &config, &moved, to, args.all && failed.is_none())?;
    match failed {
        Some(error) => Err(Failure::new(
            Class::Storage,
            format!(
                "not every login was moved, and those that were not are where they were: {error}"
            ),
        )),
        None if moved.is_empty() => {
            output::note("There was nothing to move.");
            Ok(())
        }
        None => Ok(()),
    }
}

/// The keys of all logins; and why a store could not say which it holds, if one could not.
fn all_keys(storage: &Storage) -> (Vec<CacheKey>, Option<String>) {
    let (mut keys, mut failed) = (Vec::new(), None);
    let choice = storage.choice();
    let is_chosen = |mode| choice.is_explicit() && choice.mode() == mode;
    for mode in StorageMode::ALL {
        match storage.store().part(mode).and_then(TokenStore::keys) {
            Ok(more) => keys.extend(more),
            Err(error) if error.is_absent_store() && !is_chosen(mode) => {}
            Err(error) => failed = Some(chain(&error)),
        }
    }
    keys.sort();
    keys.dedup();
    (keys, failed)
}

/// Where a login is moved from: the store that is used for it, else one that holds it. One that cannot be asked may hold it,
/// and the newer of two, so that it is an error and not an absence (FALL-3, FALL-4).
fn source(
    storage: &Storage,
    config: &ConfigFile,
    key: &CacheKey,
) -> Result<Option<StorageMode>, StoreError> {
    let (mut holders, mut silent) = (Vec::new(), None);
    for mode in StorageMode::ALL {
        match storage.store().part(mode).and_then(|part| part.load(key)) {
            Ok(Some(_)) | Err(StoreError::BadEntry { .. }) => holders.push(mode),
            Ok(None) => {}
            Err(error) if error.is_absent_store() && storage.home(key) != Some(mode) => {}
            Err(error) => silent = Some(error),
        }
    }
    let used = used(storage, config, key).filter(|used| holders.contains(used));
    match (used, silent) {
        (None, Some(error)) => Err(error),
        (used, _) => Ok(used.or_else(|| holders.first().copied())),
    }
}

/// Lets the settings that name a store follow the logins that were moved.
fn follow(
    path: &Path,
    config: &ConfigFile,
    moved: &[CacheKey],
    to: StorageMode,
    all: bool,
) -> Result<(), Failure> {
    let around = Surroundings { env: &place::env, config };
    let choice = |key: &CacheKey| StorageChoice::of(None, &around, Some(key.as_str()));
    let misled: Vec<_> = moved
        .iter()
        .filter_map(|key| choice(key).ok().map(|choice| (key, choice)))
        .filter(|(_, choice)| choice.is_explicit() && choice.mode() != to)
        .collect();
    if misled.iter().any(|(_, choice)| choice.source() == StorageSource::Environment) {
        output::note(&format!(
            "Warning: DATABRICKS_AUTH_STORAGE still names another store; set it to {to}, or unset it."
        ));
        return Ok(());
    }
    // Other programs that read the setting of all profiles know no encrypted file.
    let for_all = all && to != StorageMode::Encrypted;
    let saved = Editor::new(path).edit(|draft| {
        for (key, choice) in &misled {
            if choice.source() == StorageSource::Settings && for_all {
                draft.set_setting("auth_storage", to.as_str())?;
            } else if config.profile(key.as_str()).is_some() {
                draft.merge_profile(key.as_str(), &[("auth_storage", to.as_str())], &[])?;
            }
        }
        Ok(())
    });
    let failure = |error| {
        let text =
            format!("the logins are moved, but auth_storage could not be set: {}", chain(&error));
        Failure::new(Class::Other, text)
    };
    if misled.is_empty() { Ok(()) } else { saved.map(drop).map_err(failure) }
}
