//! `u2m storage`: where the logins are, and moving them.

mod migrate;
mod show;

pub(crate) use migrate::migrate;
pub(crate) use show::show;

use crate::place;
use u2m::{CacheKey, ConfigFile, Storage, StorageChoice, StorageMode, Surroundings};

/// Which store is asked for a login, as far as that can be told without asking any.
fn used(storage: &Storage, config: &ConfigFile, key: &CacheKey) -> Option<StorageMode> {
    let around = Surroundings { env: &place::env, config };
    let choice = StorageChoice::of(None, &around, Some(key.as_str())).ok()?;
    if choice.is_explicit() {
        return Some(choice.mode());
    }
    storage.home(key).or_else(|| storage.store().holders(key).first().copied())
}
