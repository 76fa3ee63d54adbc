//! Ending a login: finding the entries it may be stored in, and removing them from every store.

use std::collections::BTreeSet;
use std::time::Duration;
use u2m_cache::{AutoStore, StorageMode, StoreError, TokenStore};
use u2m_config::{ConfigFile, Profile};
use u2m_core::{AccountId, CacheKey, Host, Session, Target};

/// Returns the keys under which the login of `profile` may be stored: the profile's name, and the host keys that versions
/// without profile keys used, unless another user profile on this host needs them. Sends no request (OUT-1): for a host that may
/// serve accounts, both possible keys are returned.
///
/// ```
/// let config = u2m::config::ConfigFile::parse("[dev]\nhost = https://a.example\n")?;
/// let keys = u2m::login::login_keys(&config, "dev");
/// assert!(keys.iter().map(|key| key.as_str()).eq(["dev", "https://a.example"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn login_keys(config: &ConfigFile, profile: &str) -> Vec<CacheKey> {
    let mut keys = vec![CacheKey::new(profile)];
    let Some(found) = config.profile(profile) else { return keys };
    if !found.is_for_users() {
        return keys;
    }
    let Some((host, own)) = host_keys(&found) else { return keys };
    let others = config.profiles_on(&host).into_iter().filter(|other| other.name() != profile);
    let needed: BTreeSet<_> =
        others.filter_map(|other| host_keys(&other)).flat_map(|(_, keys)| keys).collect();
    keys.extend(own.into_iter().filter(|key| !needed.contains(key)));
    keys
}

/// Returns the keys of a host without a profile, with or without an account.
///
/// ```
/// let host = u2m::Host::parse("https://a.example")?;
/// assert_eq!(u2m::login::host_login_keys(&host, None).len(), 1);
/// # Ok::<(), u2m::HostError>(())
/// ```
pub fn host_login_keys(host: &Host, account: Option<&AccountId>) -> Vec<CacheKey> {
    let bare = Target::workspace(host.clone());
    let full = account.map(|account| Target::account(host.clone(), account.clone()));
    [Some(bare), full].into_iter().flatten().filter_map(|target| target.host_cache_key()).collect()
}

fn host_keys(profile: &Profile<'_>) -> Option<(Host, Vec<CacheKey>)> {
    let (host, hints) = Host::typed(profile.host()?).ok()?;
    let account = profile.account_id().or(hints.account_id.as_deref());
    let account = account.and_then(|id| AccountId::parse(id).ok());
    let keys = host_login_keys(&host, account.as_ref());
    Some((host, keys))
}

/// The outcome of [`log_out`].
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct LoggedOut {
    /// The removed entries, each with the store it was in.
    pub removed: Vec<(CacheKey, StorageMode)>,
    /// The logins from those entries, as far as they could be read and no remaining entry holds the same tokens. Nobody needs
    /// these tokens any more, so they can be revoked ([`revoke`](crate::oauth::revoke())).
    pub ended: Vec<Session>,
    /// The entries that could not be removed or checked.
    pub failed: Vec<(CacheKey, StoreError)>,
}

/// Removes the entries under `keys` from every store that is available, each under its lock. A refresh that is under way
/// finishes first and does not bring the entry back. A store that does not exist on this machine is skipped, unless the login
/// was saved in it or it was requested by name. What is removed is read under the lock, so that it is the latest state.
///
/// ```
/// use u2m::login::log_out;
/// use u2m::store::{AutoStore, CacheKey, FileStore};
/// let store = AutoStore::new(FileStore::at("/nonexistent/token-cache.json"));
/// let out = log_out(&store, &[CacheKey::new("dev")], std::time::Duration::from_secs(1));
/// assert!(out.removed.is_empty());
/// ```
pub fn log_out(store: &AutoStore, keys: &[CacheKey], patience: Duration) -> LoggedOut {
    let mut out = LoggedOut::default();
    for key in keys {
        // Hold every lock, so that nobody moves the login from a store not yet checked to one already checked.
        let held = match is_nowhere(store, key) {
            true => Ok(None),
            false => store.hold_all(key, patience).and_then(|held| {
                let busy = || StoreError::Busy { key: key.clone() };
                held.map(Some).ok_or_else(busy)
            }),
        };
        let held = match held {
            Ok(held) => held,
            Err(error) => {
                out.failed.push((key.clone(), error));
                continue;
            }
        };
        let before = out.failed.len();
        for mode in StorageMode::ALL {
            match store.part(mode).and_then(|part| remove(part, key, held.is_some(), patience)) {
                Ok(Some(login)) => {
                    out.removed.push((key.clone(), mode));
                    out.ended.extend(login);
                }
                Ok(None) => {}
                // A store that does not exist holds no login, unless this login was expected there.
                Err(error) if error.is_absent_store() && !is_expected(store, key, mode) => {}
                Err(error) => out.failed.push((key.clone(), error)),
            }
        }
        // Damaged files that were set aside may hold its tokens too (T28).
        if let Err(error) = store.clear_leftovers(key) {
            out.failed.push((key.clone(), error));
        }
        if out.failed.len() == before {
            // If the record stays, the next login under this name only has to be signed in to anew.
            let _ = store.untie(key);
        }
        // After a failure, a later try must know where the login is. Otherwise the record is useless, and harmless if it stays.
        if out.failed.len() == before && store.home(key).is_some() {
            let _ = store.set_home(key, None);
        }
    }
    let modes: BTreeSet<_> = out.removed.iter().map(|(_, mode)| mode.as_str()).collect();
    let touched = StorageMode::ALL.into_iter().filter(|mode| modes.contains(mode.as_str()));
    let touched: Vec<_> = touched.filter_map(|mode| store.part(mode).ok()).collect();
    out.ended.retain(|login| !touched.iter().any(|part| holds(*part, login)));
    out
}

/// Whether a remaining entry of a store holds these tokens too: Databricks' programs keep one login under two keys. An
/// unreadable entry counts as holding them, because tokens that may still be needed must not be revoked.
fn holds(part: &dyn TokenStore, login: &Session) -> bool {
    let holds = |key: &CacheKey| match part.load(key) {
        Ok(entry) => entry.is_some_and(|entry| entry.fingerprint() == login.fingerprint()),
        Err(_) => true,
    };
    part.keys().map_or(true, |keys| keys.iter().any(holds))
}

fn is_expected(store: &AutoStore, key: &CacheKey, mode: StorageMode) -> bool {
    store.naming().mode() == Some(mode) || store.home(key) == Some(mode)
}

/// Whether no store has such a login to remove and nothing records that there was one.
fn is_nowhere(store: &AutoStore, key: &CacheKey) -> bool {
    let is_absent = |mode| {
        let Ok(part) = store.part(mode) else { return true };
        match part.load(key) {
            Ok(found) => found.is_none(),
            // From a store that cannot be read, an entry can only be removed by name.
            Err(_) => part.keys().map_or(true, |keys| !keys.contains(key)),
        }
    };
    store.home(key).is_none() && StorageMode::ALL.into_iter().all(is_absent)
}

/// Removes the entry and returns its login if it could be read; `None` if there was no entry. `is_held`: the caller holds its
/// lock.
fn remove(
    part: &dyn TokenStore,
    key: &CacheKey,
    is_held: bool,
    patience: Duration,
) -> Result<Option<Option<Session>>, StoreError> {
    let unreadable = match part.load(key) {
        Ok(None) => return Ok(None),
        Ok(Some(_)) => None,
        Err(error @ StoreError::NewerEntry { .. }) => return Err(error),
        Err(error) if error.is_absent_store() || error.is_transient() => return Err(error),
        // An entry that cannot be read or decrypted can still be removed: that needs no key.
        Err(error) => match part.keys() {
            Ok(keys) if keys.contains(key) => Some(error),
            Ok(_) => return Ok(None),
            // A damaged file is for its owner to repair or delete, because it may hold other logins.
            Err(_) => return Err(error),
        },
    };
    let lock = match is_held {
        true => Ok(Some(None)),
        false => part.lock(key, patience).map(|lock| lock.map(Some)),
    };
    let removed = match lock {
        Ok(Some(_lock)) => {
            // Read again: a refresh that was under way has stored a successor.
            let login = part.load(key).unwrap_or_default();
            part.delete(key).map(|()| login)
        }
        Ok(None) => Err(StoreError::Busy { key: key.clone() }),
        Err(error) => Err(error),
    };
    removed.map(Some).map_err(|error| unreadable.unwrap_or(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(config: &str, profile: &str) -> Vec<String> {
        let config = ConfigFile::parse(config).unwrap();
        login_keys(&config, profile).into_iter().map(|key| key.as_str().to_owned()).collect()
    }

    #[test]
    fn the_hosts_own_login_goes_with_its_last_profile() {
        let one = "[dev]\nhost = https://a.example\n";
        assert_eq!(keys(one, "dev"), ["dev", "https://a.example"]);
        let two = format!("{one}[staging]\nhost = https://A.example/\n");
        assert_eq!(keys(&two, "dev"), ["dev"]);
        // A profile that uses another way to sign in does not need it.
        let pat = format!("{one}[pat]\nhost = https://a.example\ntoken = t\n");
        assert_eq!(keys(&pat, "dev"), ["dev", "https://a.example"]);
    }

    #[test]
    fn an_account_that_may_mean_something_or_nothing_ends_both_logins_of_its_host() {
        let stale = "[dev]\nhost = https://a.example\naccount_id = id\n";
        assert_eq!(
            keys(stale, "dev"),
            ["dev", "https://a.example", "https://a.example/oidc/accounts/id"]
        );
        let console = "https://accounts.cloud.databricks.com";
        let accounts = format!(
            "[one]\nhost = {console}\naccount_id = 1\n[two]\nhost = {console}\naccount_id = 2\n"
        );
        assert!(keys(&accounts, "one").contains(&format!("{console}/oidc/accounts/1")));
        assert!(!keys(&accounts, "one").contains(&format!("{console}/oidc/accounts/2")));
    }

    #[test]
    fn what_other_methods_own_is_left_to_them() {
        for own in ["token = t", "client_id = i\nclient_secret = s", "auth_type = azure-cli"] {
            let config = format!("[other]\nhost = https://a.example\n{own}\n");
            assert_eq!(keys(&config, "other"), ["other"], "{own}");
        }
        assert_eq!(keys("", "gone"), ["gone"]);
    }
}
