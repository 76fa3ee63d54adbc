//! Everything except direct reads: writing, removing, listing, and prompts.

use super::failures::{is_gone, of_library as failed};
use super::{Backend, address};
use crate::keyring::KeyringError;
use dbus_secret_service::{Collection, Error, Item, Path, SecretService};
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// How long a prompt is left open, in seconds: long enough to look up a password.
const PROMPT: u64 = 120;

const LOGIN: &str = "/org/freedesktop/secrets/collection/login";
const DEFAULT: &str = "/org/freedesktop/secrets/aliases/default";

pub(super) fn read(
    of: &Backend,
    account: &str,
) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
    let service = connect(of)?;
    let items = unlocked(&service, of, account)?;
    match newest(&items)? {
        Some(item) => Ok(Some(Zeroizing::new(item.get_secret().map_err(failed)?))),
        None => Ok(None),
    }
}

/// Creates or replaces the item. Other items with the same attributes would only hide it, so they are removed.
pub(super) fn write(of: &Backend, account: &str, secret: &[u8]) -> Result<(), KeyringError> {
    let service = connect(of)?;
    let collection = collection(&service)?;
    collection.ensure_unlocked().map_err(failed)?;
    let label = format!("Password for '{account}' on '{}'", of.service);
    let attributes = HashMap::from(of.attributes(account));
    let created = collection
        .create_item(&label, attributes.clone(), secret, true, "text/plain; charset=utf8")
        .map_err(failed)?;
    let found = service.search_items(attributes).map_err(failed)?;
    for other in found.unlocked.iter().filter(|item| item.path != created.path) {
        other.delete().map_err(failed)?;
    }
    Ok(())
}

pub(super) fn delete(of: &Backend, account: &str) -> Result<(), KeyringError> {
    let service = connect(of)?;
    for item in unlocked(&service, of, account)? {
        match item.delete() {
            Err(error) if is_gone(&error) => {}
            other => other.map_err(failed)?,
        }
    }
    Ok(())
}

pub(super) fn accounts(of: &Backend) -> Result<Vec<String>, KeyringError> {
    let service = connect(of)?;
    let found =
        service.search_items(HashMap::from([("service", of.service.as_str())])).map_err(failed)?;
    let mut accounts = Vec::new();
    for item in found.unlocked.iter().chain(&found.locked) {
        let attributes = match item.get_attributes() {
            // For example the test item of another program.
            Err(error) if is_gone(&error) => continue,
            other => other.map_err(failed)?,
        };
        accounts.extend(attributes.get("username").cloned());
    }
    Ok(accounts)
}

pub(super) fn age(of: &Backend, account: &str) -> Result<Option<Duration>, KeyringError> {
    let service = connect(of)?;
    let found = service.search_items(HashMap::from(of.attributes(account))).map_err(failed)?;
    let Some(item) = found.unlocked.first() else { return Ok(None) };
    let created = UNIX_EPOCH + Duration::from_secs(item.get_created().map_err(failed)?);
    Ok(SystemTime::now().duration_since(created).ok())
}

/// Opens a new connection for each operation, so that a value is read back over a different one (KEY-4).
fn connect(of: &Backend) -> Result<SecretService, KeyringError> {
    // The library would start a bus if there is none.
    address::session_bus()?;
    SecretService::connect_with_max_prompt_timeout(of.encryption(), PROMPT).map_err(failed)
}

/// Returns the login keyring if there is one, as go-keyring does, else the default one.
fn collection(service: &SecretService) -> Result<Collection<'_>, KeyringError> {
    let listed = service.get_all_collections().map_err(failed)?;
    if let Some(login) = listed.into_iter().find(|collection| &*collection.path == LOGIN) {
        return Ok(login);
    }
    match service.get_default_collection() {
        Ok(_) => Ok(Collection::new(service, Path::from(DEFAULT))),
        Err(Error::NoResult) => Err(KeyringError::NoCollection),
        Err(error) => Err(failed(error)),
    }
}

/// Returns all items of an account, unlocked. The user may be asked to unlock them.
fn unlocked<'a>(
    service: &'a SecretService,
    of: &Backend,
    account: &str,
) -> Result<Vec<Item<'a>>, KeyringError> {
    let found = service.search_items(HashMap::from(of.attributes(account))).map_err(failed)?;
    let (mut items, locked) = (found.unlocked, found.locked);
    if !locked.is_empty() {
        service.unlock_all(&locked.iter().collect::<Vec<_>>()).map_err(failed)?;
        for item in &locked {
            // The library treats the end of a prompt as success (KEY-4).
            if item.is_locked().map_err(failed)? {
                return Err(KeyringError::Locked);
            }
        }
        items.extend(locked);
    }
    Ok(items)
}

/// Returns the item that was changed last. Of several in the same second, the last in the list.
fn newest<'a, 's>(items: &'a [Item<'s>]) -> Result<Option<&'a Item<'s>>, KeyringError> {
    // A single item need not be queried.
    if let [one] = items {
        return Ok(Some(one));
    }
    let mut newest = None;
    for (at, item) in items.iter().enumerate() {
        newest = newest.max(Some((item.get_modified().map_err(failed)?, at)));
    }
    Ok(newest.and_then(|(_, at)| items.get(at)))
}
