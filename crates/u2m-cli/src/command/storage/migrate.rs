//! `u2m storage migrate`: moves logins to another store, and lets the settings follow.

mod follow;

use crate::args::{Args, Format};
use crate::failure::{Class, Failure};
use crate::{output, place, waiting};
use serde_json::json;
use std::time::Duration;
use u2m::Host;
use u2m::config::{ConfigFile, looks_like_host};
use u2m::login::{host_login_keys, login_keys};
use u2m::store::{CacheKey, Session, Storage, StorageMode, StoreError, TokenStore};
use u2m::text::{Sanitized, chain};

/// A refresh that is under way ends by then.
const PATIENCE: Duration = Duration::from_secs(20);

/// What became of the logins that were to be moved.
#[derive(Default)]
struct MigrationResult {
    /// Those that were moved, and from where.
    moved: Vec<(CacheKey, StorageMode)>,
    /// Those that were in the new place already.
    there: Vec<CacheKey>,
    /// Those that are where they were, and why.
    failed: Vec<(CacheKey, String)>,
    /// What some of those that were moved have left behind, in words.
    copies: Vec<String>,
}

/// Where logins are moved from, and what is known about them.
struct Migration<'a> {
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
    let movers = Migration { storage: &storage, config: &config, to, all: args.all };
    let mut moves = MigrationResult::default();
    let keys = match named {
        Some(named) => vec![movers.find(named, name)?],
        None => movers.all_keys(&mut moves.failed),
    };
    movers.move_all(keys, &mut moves);
    output::warn_of(storage.store().take_notices());
    movers.follow(&path, &moves)?;
    for text in &moves.copies {
        output::note(&format!("Warning: {text}"));
    }
    let has_left_copies = !moves.copies.is_empty();
    finish(args, named, to, moves)?;
    match has_left_copies {
        false => Ok(()),
        true => {
            let text = "what was moved is used in its new place; where copies of it were left is said above, and the same \
                        command removes them";
            Err(Failure::new(Class::Storage, text))
        }
    }
}

fn finish(
    args: &Args,
    named: Option<&str>,
    to: StorageMode,
    moves: MigrationResult,
) -> Result<(), Failure> {
    let MigrationResult { moved, mut failed, .. } = moves;
    match (named, failed.len()) {
        (_, 0) => {}
        (Some(_), _) => {
            let (key, text) = failed.remove(0);
            let key = Sanitized::new(key.as_str());
            let text = format!("the login {key} was not moved: {text}");
            return Err(Failure::new(Class::Storage, text));
        }
        (None, count) => {
            for (key, text) in failed {
                output::note(&format!("Warning: {}: {text}", Sanitized::new(key.as_str())));
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
            Some(named) => format!("The login {} is kept in {to} already.", Sanitized::new(named)),
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

impl Migration<'_> {
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
        let shown = Sanitized::new(named);
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
                Err(error) if error.is_absent_store() && store.naming().mode() != Some(mode) => {}
                Err(error) => failed.push((CacheKey::new(mode.as_str()), chain(&error))),
            }
        }
        keys.sort();
        keys.dedup();
        keys
    }

    /// Moves logins, each from the store in which it counts.
    fn move_all(&self, keys: Vec<CacheKey>, moves: &mut MigrationResult) {
        let (store, to) = (self.storage.store(), self.to);
        let (holders, homes) = (store.holders_of_all(&keys), store.homes_of_all(&keys));
        let mut groups: Vec<(StorageMode, Vec<CacheKey>)> = Vec::new();
        for ((key, holders), home) in keys.into_iter().zip(holders).zip(homes) {
            match self.source(&key, home, &holders) {
                Ok(Some(from)) if from != to => match self.would_be_lost(&key) {
                    Some(text) => moves.failed.push((key, text)),
                    None => match groups.iter_mut().find(|(known, _)| *known == from) {
                        Some((_, keys)) => keys.push(key),
                        None => groups.push((from, vec![key])),
                    },
                },
                Ok(from) => {
                    self.finish_earlier(&key, &holders, &mut moves.failed);
                    moves.there.extend(from.map(|_| key));
                }
                Err(text) => moves.failed.push((key, text)),
            }
        }
        for (from, keys) in groups {
            let what = format!("Waiting for the {from} and the {to} store");
            let migrate = || store.migrate_all(from, to, &keys, PATIENCE);
            let outcomes = match waiting::during(&what, Some(PATIENCE), migrate) {
                Ok(outcomes) => outcomes,
                // The new store takes none.
                Err(error) => {
                    let text = chain(&error);
                    moves.failed.extend(keys.into_iter().map(|key| (key, text.clone())));
                    continue;
                }
            };
            for (key, outcome) in keys.into_iter().zip(outcomes) {
                match outcome {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(error @ StoreError::CopyLeft { .. }) => moves.copies.push(chain(&error)),
                    Err(error) => {
                        moves.failed.push((key, chain(&error)));
                        continue;
                    }
                }
                let place = self.storage.location(to, &place::shown);
                let shown = Sanitized::new(key.as_str());
                output::inform(&format!("Moved the login {shown} from {from} to {place}."));
                self.remove_copies(&key, from);
                moves.moved.push((key, from));
            }
        }
    }

    /// Where a login counts: where it was recorded, if it is there; else where it is used from, or found.
    fn source(
        &self,
        key: &CacheKey,
        home: Option<StorageMode>,
        holders: &[StorageMode],
    ) -> Result<Option<StorageMode>, String> {
        let store = self.storage.store();
        let named = || {
            let choice = self.choice(key, true)?;
            choice.is_explicit().then(|| choice.mode())
        };
        for (mode, is_home) in [(home, true), (named(), false)] {
            let Some(mode) = mode else { continue };
            if holders.contains(&mode) {
                return Ok(Some(mode));
            }
            // It may be there, and the store does not say so now.
            match store.part(mode).and_then(|part| part.load(key)) {
                Err(error) if is_home || !error.is_absent_store() => return Err(chain(&error)),
                _ => {}
            }
        }
        Ok(holders.first().copied())
    }

    /// A login that is in its new place already: what an earlier move has left elsewhere goes.
    fn finish_earlier(
        &self,
        key: &CacheKey,
        holders: &[StorageMode],
        failed: &mut Vec<(CacheKey, String)>,
    ) {
        for from in holders.iter().filter(|from| **from != self.to) {
            match self.storage.store().migrate(key, *from, self.to, PATIENCE) {
                Ok(_) => {}
                Err(StoreError::KeptElsewhere { .. }) => output::note(&format!(
                    "Warning: another login {} is in {from}; it is not used.",
                    Sanitized::new(key.as_str())
                )),
                Err(error) => failed.push((key.clone(), chain(&error))),
            }
        }
        for from in StorageMode::ALL.into_iter().filter(|from| *from != self.to) {
            self.remove_copies(key, from);
        }
    }

    /// Removes the copies that older programs keep of a moved login under its host's key. They would hold a spent refresh
    /// token soon, and the server may end the login of whoever tries one.
    fn remove_copies(&self, key: &CacheKey, from: StorageMode) {
        let load = |mode, key| self.storage.store().part(mode).and_then(|part| part.load(key));
        let refresh = |session: Result<Option<Session>, StoreError>| {
            session.ok().flatten().and_then(|session| session.refresh_token)
        };
        let mut copies = login_keys(self.config, key.as_str());
        copies.retain(|copy| copy != key);
        if copies.is_empty() {
            return;
        }
        let Some(moved) = refresh(load(self.to, key)) else { return };
        for copy in &copies {
            let held = refresh(load(from, copy));
            if held.is_none_or(|held| held.expose() != moved.expose()) {
                continue;
            }
            let removed = self.storage.store().part(from).and_then(|part| {
                let lock = part.lock(copy, PATIENCE)?;
                let _lock = lock.ok_or_else(|| StoreError::Busy { key: copy.clone() })?;
                part.delete(copy)
            });
            let shown = Sanitized::new(copy.as_str());
            output::note(&match removed {
                Ok(()) => format!("Removed its copy {shown} from {from}."),
                Err(error) => {
                    format!("Warning: its copy {shown} is still in {from}: {}", chain(&error))
                }
            });
        }
    }
}
