//! The settings that name a store follow the logins that are moved.

use super::{Migration, MigrationResult};
use crate::advice::{quoted, stopped};
use crate::failure::{Class, Failure};
use crate::{output, place};
use std::collections::BTreeMap;
use std::path::Path;
use u2m::config::{Draft, Editor, Environment};
use u2m::store::{CacheKey, StorageChoice, StorageMode, StorageSource};
use u2m::text::chain;

const SETTING: &str = "auth_storage";
const VARIABLE: &str = "DATABRICKS_AUTH_STORAGE";

/// A setting that is changed, and a login that it misleads those about who go by it alone.
struct StaleSetting<'a> {
    /// The profile that it stands in; `None`: it is that of `[__settings__]`.
    profile: Option<&'a str>,
    key: &'a CacheKey,
}

impl Migration<'_> {
    /// Which store is named for a login, by the environment too or by the profile file alone.
    pub(super) fn choice(&self, key: &CacheKey, by_environment: bool) -> Option<StorageChoice> {
        let env = |name: &str| match by_environment || name != VARIABLE {
            true => place::env(name),
            false => None,
        };
        let around = Environment { env: &env, config: self.config };
        StorageChoice::of(None, &around, Some(key.as_str())).ok()
    }

    /// What says that a login is to be looked for in another store than its new one.
    fn misleading(&self, key: &CacheKey, by_environment: bool) -> Option<StorageSource> {
        let choice = self.choice(key, by_environment)?;
        let is_misleading = choice.is_explicit() && choice.mode() != self.to;
        is_misleading.then(|| choice.source())
    }

    /// Whether `auth_storage` of `[__settings__]` is changed. Other programs that read it know no encrypted file.
    fn is_for_all(&self) -> bool {
        self.all && self.to != StorageMode::Encrypted
    }

    /// The setting to change for a login; `None` also where that would take a section of its own, and it is no profile's.
    fn to_change<'a>(&self, key: &'a CacheKey) -> Option<StaleSetting<'a>> {
        let profile = match self.misleading(key, false)? {
            StorageSource::Settings if self.is_for_all() => None,
            _ => Some(self.config.profile(key.as_str()).map(|_| key.as_str())?),
        };
        Some(StaleSetting { profile, key })
    }

    /// Why a login is not moved: programs that go by the settings alone would not find it any more, and nothing that its new
    /// place can be written to is about it.
    pub(super) fn would_be_lost(&self, key: &CacheKey) -> Option<String> {
        let is_lost = self.misleading(key, true) == Some(StorageSource::Settings)
            && self.to_change(key).is_none();
        is_lost.then(|| {
            "auth_storage in [__settings__] names another store, and without a profile nothing else can be set for it; \
             log in with --profile"
                .to_owned()
        })
    }

    /// Lets the settings that name a store follow the logins that were moved, now or by somebody who came no further.
    pub(super) fn follow(&self, path: &Path, moves: &MigrationResult) -> Result<(), Failure> {
        let keys = || moves.moved.iter().map(|(key, _)| key).chain(&moves.there);
        let is_overruled =
            |key: &CacheKey| self.misleading(key, true) == Some(StorageSource::Environment);
        if keys().any(is_overruled) {
            output::note(&format!(
                "Warning: {VARIABLE} still names another store; set it to {}, or unset it.",
                self.to
            ));
        }
        let wanted: Vec<_> = keys().filter_map(|key| self.to_change(key)).collect();
        let Some(first) = wanted.first() else { return Ok(()) };
        let mut changed = BTreeMap::new();
        let saved = Editor::new(path).edit(|draft| {
            changed.clear();
            self.change(draft, &wanted, &mut changed)
        });
        saved.map(drop).map_err(|error| {
            let key = quoted(first.key.as_str());
            let text = format!(
                "the logins are moved, but auth_storage could not be set: {} The same command sets it; until then other \
                 programs look for {key} where it was",
                stopped(&chain(&error))
            );
            Failure::new(Class::Other, text)
        })?;
        // That a setting follows a move goes without saying.
        let is_news = |key: &CacheKey| moves.there.contains(key);
        let news = changed.into_iter().filter(|(_, keys)| keys.iter().any(|key| is_news(key)));
        for (place, _) in news {
            output::inform(&format!("Set {SETTING} of {place} to {}.", self.to));
        }
        Ok(())
    }

    /// Changes the settings that are `wanted`; which ones, each with the logins that it misled about.
    fn change<'a>(
        &self,
        draft: &mut Draft,
        wanted: &[StaleSetting<'a>],
        changed: &mut BTreeMap<String, Vec<&'a CacheKey>>,
    ) -> Result<(), u2m::config::ConfigError> {
        let to = self.to.as_str();
        for StaleSetting { profile, key } in wanted {
            // Somebody may have moved it on, and their setting counts.
            if self.storage.home(key).is_some_and(|home| home != self.to) {
                continue;
            }
            let place = match profile {
                Some(profile) => {
                    draft.merge_profile(profile, &[(SETTING, to)], &[])?;
                    quoted(profile)
                }
                None => {
                    draft.set_setting(SETTING, to)?;
                    "[__settings__]".to_owned()
                }
            };
            changed.entry(place).or_default().push(key);
        }
        Ok(())
    }
}
