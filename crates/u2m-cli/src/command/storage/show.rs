//! `u2m storage show`: the stores, the logins in them, and which of them are used.

use crate::args::{Args, Format};
use crate::failure::Failure;
use crate::{output, place, waiting};
use serde::Serialize;
use std::path::Path;
use std::time::SystemTime;
use u2m::Timestamp;
use u2m::config::{ConfigFile, Environment};
use u2m::source::RefreshFailure;
use u2m::store::{
    CacheKey, Session, Storage, StorageChoice, StorageMode, StorageSource, StoreError, TokenStore,
};
use u2m::text::{Sanitized, chain, format_local};

/// Everything that is shown.
#[derive(Serialize)]
struct StorageReport {
    /// Where new logins go, for profiles that say nothing of their own.
    mode: &'static str,
    source: &'static str,
    profiles: Vec<ProfileStorage>,
    stores: Vec<StoreJson>,
    logins: Vec<EntryJson>,
}

/// What a profile says of its own.
#[derive(Serialize)]
struct ProfileStorage {
    profile: String,
    mode: &'static str,
}

/// One store, and what is wrong with it.
#[derive(Serialize)]
struct StoreJson {
    mode: &'static str,
    location: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// One entry of one store.
#[derive(Serialize)]
struct EntryJson {
    key: String,
    storage: &'static str,
    /// Whether this is the one that is used.
    used: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry: Option<String>,
    renewable: bool,
    /// Whether the server has refused to renew it for good.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip)]
    left: Option<i64>,
    /// The store that a setting names for it, if one does.
    #[serde(skip)]
    named: Option<&'static str>,
}

pub(crate) fn show(args: &Args) -> Result<(), Failure> {
    let (path, config) = place::config()?;
    let storage = place::storage(&config, None)?;
    let choice = storage.choice();
    let mut shown = StorageReport {
        mode: choice.mode().as_str(),
        source: choice.source().label(),
        profiles: own(&config),
        stores: Vec::new(),
        logins: Vec::new(),
    };
    for mode in StorageMode::ALL {
        let what = format!("Waiting for the {mode} store");
        let is_absent = waiting::during(&what, None, || look(&storage, mode, &config, &mut shown));
        if is_absent && choice.mode() == mode && !choice.is_explicit() {
            shown.mode = StorageMode::Plaintext.as_str();
        }
    }
    shown.logins.sort_by(|a, b| (&a.key, !a.used).cmp(&(&b.key, !b.used)));
    output::warn_of(storage.store().take_notices());
    match args.format {
        Some(Format::Json) => output::result(output::json(&shown) + "\n"),
        _ => output::result(text(&shown, &storage, &path)),
    }
}

/// The profiles that name a store, where nothing else decides for them.
fn own(config: &ConfigFile) -> Vec<ProfileStorage> {
    let around = Environment { env: &place::env, config };
    let mut own = Vec::new();
    for profile in config.profiles() {
        match StorageChoice::of(None, &around, Some(profile.name())) {
            Ok(choice) if choice.source() == StorageSource::Profile => {
                let mode = choice.mode().as_str();
                own.push(ProfileStorage { profile: profile.name().to_owned(), mode });
            }
            Ok(_) => {}
            Err(error) => {
                let name = Sanitized::new(profile.name());
                output::note(&format!("Warning: profile {name}: {}", chain(&error)));
            }
        }
    }
    own
}

/// Adds a store and what is in it; whether this machine has none.
fn look(
    storage: &Storage,
    mode: StorageMode,
    config: &ConfigFile,
    shown: &mut StorageReport,
) -> bool {
    let location = storage.location(mode, &place::shown);
    let found = storage.store().part(mode).and_then(TokenStore::keys);
    let is_absent = found.as_ref().is_err_and(StoreError::is_absent_store);
    let error = found.as_ref().err().map(|error| chain(error));
    shown.stores.push(StoreJson { mode: mode.as_str(), location, error });
    let keys = found.unwrap_or_default();
    let sessions = storage.store().part(mode).map(|part| part.load_all(&keys)).unwrap_or_default();
    let snapshot = storage.snapshot(keys.iter().cloned());
    let around = Environment { env: &place::env, config };
    for (key, session) in keys.iter().zip(sessions) {
        let choice = StorageChoice::of(None, &around, Some(key.as_str())).ok();
        let used = choice.and_then(|choice| snapshot.place(key, choice.naming())) == Some(mode);
        let named = choice.filter(StorageChoice::is_explicit).map(|choice| choice.mode().as_str());
        let part = storage.store().part(mode).ok();
        let refresh_failure = || part.and_then(|part| part.remembered(key));
        shown.logins.push(EntryJson { named, ..login(key, mode, used, session, refresh_failure) });
    }
    is_absent
}

fn login(
    key: &CacheKey,
    mode: StorageMode,
    used: bool,
    session: Result<Option<Session>, StoreError>,
    refresh_failure: impl Fn() -> Option<RefreshFailure>,
) -> EntryJson {
    let now = Timestamp::from(SystemTime::now());
    let (session, error) = match session {
        Ok(session) => (session, None),
        Err(error) => (None, Some(chain(&error))),
    };
    let expiry = session.as_ref().and_then(Session::known_expiry);
    let renews = session.as_ref().filter(|session| session.refresh_token.is_some());
    let can_renew = renews.is_some();
    let is_final =
        |session: &Session| refresh_failure().is_some_and(|found| found.is_final_for(session));
    let ended = renews.is_some_and(is_final);
    EntryJson {
        key: key.as_str().to_owned(),
        storage: mode.as_str(),
        used,
        expiry: expiry.map(format_local),
        renewable: can_renew && !ended,
        ended,
        error,
        left: expiry.map(|expiry| now.until(expiry).seconds()),
        named: None,
    }
}

fn text(shown: &StorageReport, storage: &Storage, path: &Path) -> String {
    let choice = storage.choice();
    let source = match choice.source() {
        StorageSource::Settings => {
            format!("auth_storage in [__settings__] section of {}", place::shown(path))
        }
        StorageSource::Default if shown.mode != choice.mode().as_str() => {
            format!("default, without {}", choice.mode())
        }
        source => source.label().to_owned(),
    };
    let mut out = format!("New logins go to: {} (from {source})\n", shown.mode);
    for own in &shown.profiles {
        out += &format!("Those of profile {}: {}\n", Sanitized::new(&own.profile), own.mode);
    }
    out.push('\n');
    for store in &shown.stores {
        out += &format!("  {:<10} {}\n", store.mode, store.location);
        if let Some(error) = &store.error {
            out += &format!("  {:<10} {error}\n", "");
        }
    }
    if shown.logins.is_empty() {
        return out + "\nThere are no logins.\n";
    }
    out + &table(&shown.logins)
}

fn table(logins: &[EntryJson]) -> String {
    let name = |login: &EntryJson| Sanitized::new(&login.key).to_string();
    let width = logins.iter().map(|login| name(login).chars().count()).max();
    let width = width.unwrap_or(0).clamp(5, 60);
    let mut out =
        format!("\n  {:<width$}  {:<10}  {:<12}  Renewable\n", "Login", "Kept in", "Token");
    let mut errors: Vec<&str> = Vec::new();
    for login in logins {
        let token = match (&login.error, login.left) {
            (Some(_), _) => "unreadable".to_owned(),
            (None, None) => "no end known".to_owned(),
            (None, Some(left)) if left <= 0 => "expired".to_owned(),
            (None, Some(left)) if left < 7200 => format!("{}m left", left.div_euclid(60)),
            (None, Some(left)) => format!("{}h left", left / 3600),
        };
        let renewable = match (&login.error, login.renewable) {
            (Some(_), _) => "?",
            (None, true) => "yes",
            (None, false) if login.ended => "no, ended by the server",
            (None, false) => "no",
        };
        let rest = if login.used { "" } else { "  (not used)" };
        let (name, kept) = (name(login), login.storage);
        out += &format!("  {name:<width$}  {kept:<10}  {token:<12}  {renewable}{rest}\n");
        errors.extend(login.error.as_deref());
    }
    // They are sorted: what else is stored under a key stands beside it.
    for same in logins.chunk_by(|one, other| one.key == other.key) {
        let Some(login) = same.iter().find(|login| login.used) else { continue };
        let is_other = |other: &&EntryJson| Some(other.storage) == login.named && !other.used;
        if let Some(other) = same.iter().find(is_other) {
            let (name, kept, other) = (name(login), login.storage, other.storage);
            out += &format!(
                "\n  {name} is used from {kept}, where it was saved, though the setting names {other}.\n  A new login of this \
                 name goes to {other}, and is used from there.\n"
            );
        }
    }
    // A key that is wrong for one is wrong for all.
    errors.dedup();
    for error in errors {
        out += &format!("\n  {error}\n");
    }
    out
}
