//! Values that are longer than the keyring's limit: numbered parts, and a manifest under the account itself that is written
//! last.

use super::api::Keyring;
use super::envelope::PartsManifest;
use super::error::KeyringError;
use u2m_core::Fingerprint;
use zeroize::Zeroizing;

/// The prefix of the accounts of parts. No profile name contains a bracket, and no host begins with one.
const PREFIX: &str = "[u2m-part]";

/// The maximum number of parts of one login: 2.5 MB if a part has 2,560 bytes.
const MOST: usize = 1024;

/// Returns the account of one part of `account`.
fn name(account: &str, slot: u8, at: usize) -> String {
    format!("{}{at}", prefix(account, slot))
}

/// Returns the prefix of the accounts of one value's parts.
fn prefix(account: &str, slot: u8) -> String {
    // A hash, so that a part's account is never longer than the keyring allows, whatever the key.
    let hash = Fingerprint::of_text(account);
    let short = hash.as_str().get(..16).unwrap_or(hash.as_str());
    format!("{PREFIX}{short}/{slot}/")
}

/// Returns whether this is the account of a part and not of a login.
pub(super) fn is_part(account: &str) -> bool {
    account.starts_with(PREFIX)
}

/// Checks whether values of `len` bytes can be stored at all, without accessing the keyring.
pub(super) fn fits(keyring: &dyn Keyring, len: usize) -> Result<(), KeyringError> {
    match keyring.limit() {
        Some(limit) if len > limit.saturating_mul(MOST) || limit < 512 && len > limit => {
            let limit = if limit < 512 { limit } else { limit.saturating_mul(MOST) };
            Err(KeyringError::TooBig { len, limit })
        }
        _ => Ok(()),
    }
}

/// Returns whether a value of `len` bytes needs parts.
pub(super) fn are_needed(keyring: &dyn Keyring, len: usize) -> bool {
    keyring.limit().is_some_and(|limit| len > limit)
}

/// Writes a long value as parts under the names of `slot`, and reads each back. The caller writes the manifest.
pub(super) fn write(
    keyring: &dyn Keyring,
    account: &str,
    slot: u8,
    whole: &[u8],
) -> Result<PartsManifest, KeyringError> {
    fits(keyring, whole.len())?;
    let size = keyring.limit().unwrap_or(usize::MAX).max(1);
    let mut count = 0;
    for part in whole.chunks(size) {
        let name = name(account, slot, count);
        keyring.set(&name, part)?;
        if keyring.get(&name)?.is_none_or(|kept| *kept != part) {
            return Err(KeyringError::NotKept);
        }
        count += 1;
    }
    Ok(PartsManifest::new(slot, count, whole))
}

/// Assembles a value. Returns `None` if it is not the one that the manifest was made for.
pub(super) fn read(
    keyring: &dyn Keyring,
    account: &str,
    manifest: &PartsManifest,
) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
    if manifest.parts > MOST {
        return Ok(None);
    }
    let mut parts = Vec::new();
    for at in 0..manifest.parts {
        match keyring.get(&name(account, manifest.slot, at))? {
            Some(part) => parts.push(part),
            None => return Ok(None),
        }
    }
    // Allocate the right size at once: a buffer that grows leaves copies behind.
    let mut whole = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| whole.extend_from_slice(part));
    Ok(Some(whole).filter(|whole| manifest.fits(whole)))
}

/// Removes the parts that a manifest lists and, if the keyring can list accounts, those left by killed writers, but none of
/// the slot `but`.
pub(super) fn remove(
    keyring: &dyn Keyring,
    account: &str,
    known: Option<&PartsManifest>,
    but: Option<u8>,
) -> Result<(), KeyringError> {
    if let Some(manifest) = known.filter(|manifest| Some(manifest.slot) != but) {
        for at in 0..manifest.parts.min(MOST) {
            keyring.delete(&name(account, manifest.slot, at))?;
        }
    }
    // Without a limit there never were parts.
    if keyring.limit().is_none() {
        return Ok(());
    }
    let all = keyring.accounts()?.unwrap_or_default();
    for slot in [0, 1].into_iter().filter(|slot| Some(*slot) != but) {
        let ours = prefix(account, slot);
        for left in all.iter().filter(|name| name.starts_with(&ours)) {
            keyring.delete(left)?;
        }
    }
    Ok(())
}
