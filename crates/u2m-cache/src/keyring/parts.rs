//! Values that are longer than a keyring takes at once: numbered parts, and a manifest under the account itself that is
//! written last.

use super::api::Keyring;
use super::envelope::PartsManifest;
use super::error::KeyringError;
use u2m_core::Fingerprint;
use zeroize::Zeroizing;

/// How the accounts of parts begin. No profile has a bracket in its name, and no host begins with one.
const PREFIX: &str = "[u2m-part]";

/// More than this of one login is no login: 2.5 MB where a part is 2,560 bytes.
const MOST: usize = 1024;

/// The account of one part of `account`.
fn name(account: &str, slot: u8, at: usize) -> String {
    format!("{}{at}", prefix(account, slot))
}

/// How the accounts of one value's parts begin.
fn prefix(account: &str, slot: u8) -> String {
    // By a hash: a part's account is never longer than a keyring takes, whatever the key.
    let hash = Fingerprint::of_text(account);
    let short = hash.as_str().get(..16).unwrap_or(hash.as_str());
    format!("{PREFIX}{short}/{slot}/")
}

/// Whether this is the account of a part, and of no login.
pub(super) fn is_part(account: &str) -> bool {
    account.starts_with(PREFIX)
}

/// Whether values of `len` bytes can be stored at all, by arithmetic alone.
pub(super) fn fits(keyring: &dyn Keyring, len: usize) -> Result<(), KeyringError> {
    match keyring.limit() {
        Some(limit) if len > limit.saturating_mul(MOST) || limit < 512 && len > limit => {
            let limit = if limit < 512 { limit } else { limit.saturating_mul(MOST) };
            Err(KeyringError::TooBig { len, limit })
        }
        _ => Ok(()),
    }
}

/// Whether a value of `len` bytes takes parts.
pub(super) fn are_needed(keyring: &dyn Keyring, len: usize) -> bool {
    keyring.limit().is_some_and(|limit| len > limit)
}

/// Writes a long value as parts under the names of `slot`, and reads each back; the manifest is left to the caller.
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

/// Puts a value together; `None` if it is not the one that the manifest was made for.
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
    // In one piece of the right size: one that grew would leave copies behind.
    let mut whole = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| whole.extend_from_slice(part));
    Ok(Some(whole).filter(|whole| manifest.fits(whole)))
}

/// Removes the parts that a manifest tells of, and those left behind by killed writers where the keyring can list, but
/// none of the slot `but`.
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
