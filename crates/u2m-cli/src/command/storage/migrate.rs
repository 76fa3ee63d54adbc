//! `u2m storage migrate`: moves logins to another store, and lets the settings follow.

use super::used;
use crate::advice::{quoted, stopped};
use crate::args::{Args, Format};
use crate::failure::{Class, Failure};
use crate::{output, place};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use u2m::{
    CacheKey, ConfigFile, Editor, Foreign, Host, Session, Storage, StorageChoice, StorageMode,
    StorageSource, StoreError, Surroundings, TokenStore, chain, host_login_keys, login_keys,
    looks_like_host,
};

/// A refresh that is under way ends by then.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where logins are moved from, and what is known about them.
struct Movers<'a> {
    storage: &'a Storage,
    config: &'a ConfigFile,
    to: StorageMode,
    /// Every login is moved.
    all: bool,
}

pub(crate) fn migrate(args: &Args, name: &str) -> Result<(), Failure> {
    let usage = |text: &str| Failure::new(Class::Usage, text);
    let words = "pass --to secure, --to encrypted or --to plaintext";
    let to = args.to.as_deref().ok_or_else(|| usage(words))?;
    let to = StorageMode::parse(to).ok_or_else(|| usage(words))?;
    let named = match (&args.argument, &args.profile, args.all) {
        (Some(name), None, false) | (None, Some(name), false) => Some(name.as_str()),
        (None, None, true) => None,
        (None, None, false) => return Err(usage("name the login to move, or pass --all")),
        _ => return Err(usage("name one login to move, or pass --all and no name")),
    };
    let (path, config) = place::config()?;
    let storage = place::storage_with_person(&config, None)?;
    let movers = Movers { storage: &storage, config: &config, to, all: args.all };
    let (mut moved, mut failed) = (Vec::new(), Vec::new());
    let keys = match named {
        Some(named) => vec![movers.find(named, name)?],
        None => movers.all_keys(&mut failed),
    };
    for key in keys {
        match movers.move_one(&key) {
            Ok(Some(from)) => moved.push((key, from)),
            Ok(None) => {}
            Err(text) => failed.push((key, text)),
        }
    }
    output::warn_of(storage.store().take_notices());
    movers.follow(&path, &moved)?;
    finish(args, named, to, &moved, failed)
}

fn finish(
    args: &Args,
    named: Option<&str>,
    to: StorageMode,
    moved: &[(CacheKey, StorageMode)],
    mut failed: Vec<(CacheKey, String)>,
) -> Result<(), Failure> {
    match (named, failed.len()) {
        (_, 0) => {}
        (Some(_), _) => {
            let (key, text) = failed.remove(0);
            let key = Foreign::new(key.as_str());
            let text = format!("the login {key} was not moved: {text}");
            return Err(Failure::new(Class::Storage, text));
        }
        (None, count) => {
            for (key, text) in failed {
                output::note(&format!("Warning: {}: {text}", Foreign::new(key.as_str())));
            }
            let (all, they) = (count + moved.len(), "what was not moved is where it was");
            let text = match moved.len() {
                0 => format!("no login was moved; {they}"),
                done => format!("{done} of {all} were moved; {they}"),
            };
            return Err(Failure::new(Class::Storage, text));
        }
    }
    if moved.is_empty() {
        output::note(&match named {
            Some(named) => format!("The login {} is kept in {to} already.", Foreign::new(named)),
            None => "There was nothing to move.".to_owned(),
        });
    }
    if args.format == Some(Format::Json) {
        let row = |(key, from): &(CacheKey, StorageMode)| json!({"key": key.as_str(), "from": from.as_str(), "to": to.as_str()});
        let rows: Vec<_> = moved.iter().map(row).collect();
        return output::result(output::json(&json!({ "moved": rows })) + "\n");
    }
    Ok(())
}

impl Movers<'_> {
    /// The login of this name: of a profile, or of a host.
    fn find(&self, named: &str, name: &str) -> Result<CacheKey, Failure> {
        let mut keys = vec![CacheKey::new(named)];
        if looks_like_host(named)
            && let Ok((host, _)) = Host::typed(named)
        {
            keys.extend(host_login_keys(&host, None));
        }
        if let Some(at) = keys.iter().position(|key| !self.storage.store().holders(key).is_empty())
        {
            return Ok(keys.swap_remove(at));
        }
        // Whether it is there at all can only be said if every store could be asked.
        self.check_asked(&keys[0]).map_err(|error| Failure::new(Class::Storage, chain(&error)))?;
        let shown = Foreign::new(named);
        let text = format!("there is no login {shown}; '{name} storage show' lists them");
        Err(Failure::new(Class::NotConfigured, text))
    }

    fn check_asked(&self, key: &CacheKey) -> Result<(), StoreError> {
        let store = self.storage.store();
        for mode in StorageMode::ALL {
            match store.part(mode).and_then(|part| part.load(key)) {
                Err(error) if !error.is_absent_store() || store.home(key) == Some(mode) => {
                    return Err(error);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// All logins that can be seen; a store that cannot be asked and may hold some counts as a failure.
    fn all_keys(&self, failed: &mut Vec<(CacheKey, String)>) -> Vec<CacheKey> {
        let (mut keys, store) = (Vec::new(), self.storage.store());
        for mode in StorageMode::ALL {
            match store.part(mode).and_then(TokenStore::keys) {
                Ok(more) => keys.extend(more),
                Err(error) if error.is_absent_store() && store.mode() != Some(mode) => {}
                Err(error) => failed.push((CacheKey::new(mode.as_str()), chain(&error))),
            }
        }
        keys.sort();
        keys.dedup();
        keys
    }

    /// Moves a login, from the store that it is used from; which one that was.
    fn move_one(&self, key: &CacheKey) -> Result<Option<StorageMode>, String> {
        let (store, to) = (self.storage.store(), self.to);
        let holders = store.holders(key);
        let used = used(self.storage, self.config, key);
        let from = match used.filter(|used| !holders.contains(used)) {
            // It may be in the one that it is used from, and that one does not say so now.
            Some(used) => match store.part(used).and_then(|part| part.load(key)) {
                Err(error) if !error.is_absent_store() || store.home(key) == Some(used) => {
                    return Err(chain(&error));
                }
                _ => holders.first().copied(),
            },
            None => used.or_else(|| holders.first().copied()),
        };
        let Some(from) = from.filter(|from| *from != to) else { return Ok(None) };
        if let Some(why) = self.would_be_lost(key) {
            return Err(why);
        }
        match store.migrate(key, from, to, PATIENCE) {
            Ok(true) => {
                let place = self.storage.location(to, &place::shown);
                let shown = Foreign::new(key.as_str());
                output::note(&format!("Moved the login {shown} from {from} to {place}."));
                self.remove_copies(key, from);
                Ok(Some(from))
            }
            Ok(false) => Ok(None),
            Err(error) => Err(chain(&error)),
        }
    }

    /// Removes the copies that older programs keep of a moved login under its host's key. They would hold a spent refresh
    /// token soon, and the server may end the login of whoever tries one.
    fn remove_copies(&self, key: &CacheKey, from: StorageMode) {
        let load = |mode, key| self.storage.store().part(mode).and_then(|part| part.load(key));
        let refresh = |session: Result<Option<Session>, StoreError>| {
            session.ok().flatten().and_then(|session| session.refresh_token)
        };
        let Some(moved) = refresh(load(self.to, key)) else { return };
        for copy in login_keys(self.config, key.as_str()).iter().filter(|copy| *copy != key) {
            let held = refresh(load(from, copy));
            if held.is_none_or(|held| held.expose() != moved.expose()) {
                continue;
            }
            let removed = self.storage.store().part(from).and_then(|part| {
                let lock = part.lock(copy, PATIENCE)?;
                let _lock = lock.ok_or_else(|| StoreError::Busy { key: copy.clone() })?;
                part.delete(copy)
            });
            let shown = Foreign::new(copy.as_str());
            output::note(&match removed {
                Ok(()) => format!("Removed its copy {shown} from {from}."),
                Err(error) => {
                    format!("Warning: its copy {shown} is still in {from}: {}", chain(&error))
                }
            });
        }
    }

    fn choice(&self, key: &CacheKey) -> Option<StorageChoice> {
        let around = Surroundings { env: &place::env, config: self.config };
        StorageChoice::of(None, &around, Some(key.as_str())).ok()
    }

    /// What says that a login is to be looked for in another store than its new one.
    fn misleading(&self, key: &CacheKey) -> Option<StorageSource> {
        let choice = self.choice(key)?;
        let is_misleading = choice.is_explicit() && choice.mode() != self.to;
        is_misleading.then(|| choice.source())
    }

    /// Whether `auth_storage` of `[__settings__]` is changed. Other programs that read it know no encrypted file.
    fn is_for_all(&self) -> bool {
        self.all && self.to != StorageMode::Encrypted
    }

    /// Why a login would not be found any more: nothing that its new place can be written to is about it.
    fn would_be_lost(&self, key: &CacheKey) -> Option<String> {
        let is_lost = self.misleading(key) == Some(StorageSource::Settings)
            && !self.is_for_all()
            && self.config.profile(key.as_str()).is_none();
        is_lost.then(|| {
            "auth_storage in [__settings__] names another store, and without a profile nothing else can be set for it; \
             log in with --profile"
                .to_owned()
        })
    }

    /// Lets the settings that name a store follow the logins that were moved.
    fn follow(&self, path: &Path, moved: &[(CacheKey, StorageMode)]) -> Result<(), Failure> {
        let misled = moved.iter().filter_map(|(key, _)| Some((key, self.misleading(key)?)));
        let misled: Vec<_> = misled.collect();
        let to = self.to.as_str();
        if misled.iter().any(|(_, source)| *source == StorageSource::Environment) {
            output::note(&format!(
                "Warning: DATABRICKS_AUTH_STORAGE still names another store; set it to {to}, or unset it."
            ));
            return Ok(());
        }
        if misled.is_empty() {
            return Ok(());
        }
        let saved = Editor::new(path).edit(|draft| {
            for (key, source) in &misled {
                match source {
                    StorageSource::Settings if self.is_for_all() => {
                        draft.set_setting("auth_storage", to)?;
                    }
                    _ => draft.merge_profile(key.as_str(), &[("auth_storage", to)], &[])?,
                }
            }
            Ok(())
        });
        saved.map(drop).map_err(|error| {
            let key = quoted(misled[0].0.as_str());
            let text = format!(
                "the logins are moved, but auth_storage could not be set: {} Set it to {to} by hand, or programs look \
                 for {key} where it was",
                stopped(&chain(&error))
            );
            Failure::new(Class::Other, text)
        })
    }
}
