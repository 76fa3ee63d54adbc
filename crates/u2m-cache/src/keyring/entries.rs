//! Reads and changes the keyring items of one login.

use super::envelope::{self, ItemContent, UnreadableItem};
use super::error::KeyringError;
use super::store::KeyringStoreInner;
use super::{HOME, parts};
use crate::error::StoreError;
use crate::file::ReplaceRule;
use crate::keyring::envelope::PartsManifest;
use crate::sidecar::temp_file::UpdateReserve;
use crate::sidecar::{Lasts, claim, disk, lock, locks};
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, Session};

/// The time for which a writer may hold the keyring: a few calls.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often a value is read again if someone else replaces its parts meanwhile.
const TRIES: u32 = 3;

/// What is stored under a key.
pub(super) struct StoredItem {
    manifest: Option<PartsManifest>,
    session: Result<Option<Session>, UnreadableItem>,
    /// The size of the item in bytes.
    pub(super) len: usize,
    /// Whether there is no item at all.
    is_absent: bool,
}

impl StoredItem {
    /// Returns whether `new` may replace this.
    fn may_be_replaced(
        &self,
        of: &KeyringStoreInner,
        over: ReplaceRule<'_>,
        new: &Session,
    ) -> bool {
        match (over, &self.session) {
            // An entry that only newer programs can read is refused elsewhere.
            (ReplaceRule::Whatever, _)
            | (ReplaceRule::Claimed(_), Err(UnreadableItem::Newer(_))) => true,
            (_, Ok(Some(old))) => over.replaces(&of.beside, &old.fingerprint(), new),
            // An entry that cannot be read is no usable login.
            (ReplaceRule::Claimed(_), Ok(None) | Err(UnreadableItem::Bad(_))) => !self.is_absent,
            (ReplaceRule::Spent(_), Ok(None) | Err(_)) => false,
        }
    }

    pub(super) fn into_session(self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        self.session.map_err(|unreadable| match unreadable {
            UnreadableItem::Bad(why) => StoreError::BadEntry { key: key.clone(), why },
            UnreadableItem::Newer(form) => StoreError::NewerEntry { key: key.clone(), form },
        })
    }
}

/// Reads what is stored under a key. An unreadable value is reported in the result.
pub(super) fn read(of: &KeyringStoreInner, key: &CacheKey) -> Result<StoredItem, StoreError> {
    let account = of.account("read", key)?;
    let get = || of.keyring.get(account).map_err(of.failed("read", key));
    let mut tries = 1;
    loop {
        let Some(bytes) = get()? else {
            return Ok(StoredItem { manifest: None, session: Ok(None), len: 0, is_absent: true });
        };
        let len = bytes.len();
        let stored = |manifest, session| StoredItem { manifest, session, len, is_absent: false };
        match envelope::read(&bytes) {
            Ok(ItemContent::Nothing) => return Ok(stored(None, Ok(None))),
            Ok(ItemContent::Session(session)) => return Ok(stored(None, Ok(Some(*session)))),
            Err(unreadable) => return Ok(stored(None, Err(unreadable))),
            Ok(ItemContent::Parts(manifest)) => {
                let whole = parts::read(&*of.keyring, account, &manifest);
                let whole = whole.map_err(of.failed("read", key))?;
                if whole.is_none() && tries < TRIES {
                    tries += 1;
                    continue;
                }
                let session = match whole.as_ref().map(|whole| envelope::read(whole)) {
                    Some(Ok(ItemContent::Session(session))) => Ok(Some(*session)),
                    Some(Ok(ItemContent::Nothing)) => Ok(None),
                    Some(Err(unreadable)) => Err(unreadable),
                    Some(Ok(ItemContent::Parts(_))) => {
                        Err(UnreadableItem::Bad("its parts are no login"))
                    }
                    None => Err(UnreadableItem::Bad("its parts are missing, or not its own")),
                };
                let len = whole.map_or(manifest.length, |whole| whole.len());
                return Ok(StoredItem { manifest: Some(manifest), session, len, is_absent: false });
            }
        }
    }
}

/// Saves a login. The save succeeds only after the login was read back.
pub(super) fn save(
    of: &KeyringStoreInner,
    key: &CacheKey,
    session: &Session,
    over: ReplaceRule<'_>,
    reserve: UpdateReserve,
) -> Result<(), StoreError> {
    let account = of.account("save", key)?;
    let writer = writer(of)?;
    let stored = read(of, key)?;
    if !stored.may_be_replaced(of, over, session) {
        return Err(StoreError::Superseded { key: key.clone() });
    }
    let manifest = stored.manifest.clone();
    let old = match stored.into_session(key) {
        // A login replaces an entry that cannot be read, but keeps one that only newer programs can read (KEY-10).
        Err(StoreError::BadEntry { .. }) => None,
        other => other?,
    };
    lock::check_keeps_refresh_token(&of.beside, key, old.as_ref(), session)?;
    note_binding(of, key, (session, over), old.as_ref(), reserve)?;
    let bytes = envelope::write(session);
    let slot = manifest.as_ref().map_or(0, |old| 1 - old.slot.min(1));
    let written = match parts::are_needed(&*of.keyring, bytes.len()) {
        false => put(of, account, &bytes).map(|()| None),
        true => parts::write(&*of.keyring, account, slot, &bytes)
            .and_then(|manifest| put(of, account, &manifest.item()).map(|()| Some(slot))),
    };
    let now_in = match written {
        Ok(slot) => slot,
        // Programs without our lock may have written between our read and our write. Their value is then found in place of
        // ours.
        Err(KeyringError::NotKept) if is_theirs(of, key, over, session) => {
            return Err(StoreError::Superseded { key: key.clone() });
        }
        Err(error) => return Err(failed(of, writer, "save", key, error)),
    };
    if let Err(error) = parts::remove(&*of.keyring, account, manifest.as_ref(), now_in) {
        of.beside.notice(format!("old parts of the login '{key}' could not be removed: {error}"));
    }
    note_home(of, key, Some(HOME));
    Ok(())
}

/// Returns whether an entry is stored under a key that a save must not replace.
fn is_theirs(
    of: &KeyringStoreInner,
    key: &CacheKey,
    over: ReplaceRule<'_>,
    session: &Session,
) -> bool {
    read(of, key).is_ok_and(|stored| !stored.may_be_replaced(of, over, session))
}

/// Restores a login where a state is stored that it has replaced. Returns whether it did.
pub(super) fn put_back(
    of: &KeyringStoreInner,
    key: &CacheKey,
    session: &Session,
    spent: &[Fingerprint],
) -> Result<bool, StoreError> {
    // Without a lock at first: usually there is nothing to do.
    let is_old = read(of, key)?.may_be_replaced(of, ReplaceRule::Spent(spent), session);
    if !is_old || claim::is_spent(&of.beside, &session.fingerprint(), true) {
        return Ok(false);
    }
    match save(of, key, session, ReplaceRule::Spent(spent), UpdateReserve::default()) {
        Ok(()) => Ok(true),
        Err(StoreError::Superseded { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a login; if a state is given, only one that is still in it. Returns whether it is gone.
pub(super) fn delete(
    of: &KeyringStoreInner,
    key: &CacheKey,
    state: Option<&Fingerprint>,
) -> Result<bool, StoreError> {
    let account = of.account("remove", key)?;
    let writer = writer(of)?;
    let stored = read(of, key)?;
    if let Some(state) = state {
        match &stored.session {
            Ok(Some(found)) if found.fingerprint() == *state => {}
            Ok(None) if stored.is_absent => return Ok(true),
            _ => return Ok(false),
        }
    }
    let manifest = stored.manifest;
    let removed = of.keyring.delete(account);
    let removed = decide(of, account, removed, "delete", |found| found.is_none());
    let removed =
        removed.and_then(|()| parts::remove(&*of.keyring, account, manifest.as_ref(), None));
    if let Err(error) = removed {
        return Err(failed(of, writer, "remove", key, error));
    }
    note_home(of, key, None);
    Ok(true)
}

/// Writes one item and reads it back (KEY-4).
fn put(of: &KeyringStoreInner, account: &str, secret: &[u8]) -> Result<(), KeyringError> {
    let is_there = |found: Option<&[u8]>| found == Some(secret);
    decide(of, account, of.keyring.set(account, secret), "set", is_there)
}

/// Finds out the result of a write. After a timeout, or if the keyring closed the connection, the stored value decides. If
/// that cannot be read either, the outcome is unknown (KEY-7).
fn decide(
    of: &KeyringStoreInner,
    account: &str,
    said: Result<(), KeyringError>,
    operation: &'static str,
    is_done: impl FnOnce(Option<&[u8]>) -> bool,
) -> Result<(), KeyringError> {
    let doubt = match said {
        Ok(()) => None,
        Err(error @ (KeyringError::Timeout { .. } | KeyringError::Broken(_))) => Some(error),
        Err(error) => return Err(error),
    };
    match (of.keyring.get(account), doubt) {
        (Ok(found), _) if is_done(found.as_deref().map(Vec::as_slice)) => Ok(()),
        (Ok(_), Some(error)) => Err(error),
        (Ok(_), None) => Err(KeyringError::NotKept),
        (Err(_), Some(_)) => Err(KeyringError::Unknown { operation }),
        (Err(error), None) => Err(error),
    }
}

/// A write that may still take effect keeps other writers out until it has ended, successfully or not.
fn failed(
    of: &KeyringStoreInner,
    writer: locks::HeldLock,
    what: &'static str,
    key: &CacheKey,
    error: KeyringError,
) -> StoreError {
    of.keyring.keep_until_idle(Box::new(writer));
    of.failed(what, key)(error)
}

/// Only one writer of the keyring at a time, so that all parts of a value come from one writer.
pub(super) fn writer(of: &KeyringStoreInner) -> Result<locks::HeldLock, StoreError> {
    disk::create_folder(of.beside.folder())?;
    let path = of.beside.sibling(".keyring.lock");
    let taken = locks::take(&path, PATIENCE)?;
    taken.ok_or_else(|| StoreError::LockTimeout { path: path.as_path().into() })
}

/// Records the owner of the tokens before they are written, so that both the old and the new state can be identified.
fn note_binding(
    of: &KeyringStoreInner,
    key: &CacheKey,
    (session, over): (&Session, ReplaceRule<'_>),
    old: Option<&Session>,
    mut reserve: UpdateReserve,
) -> Result<(), StoreError> {
    // The tokens are not in a file next to it, so no order of renames covers them.
    let lasts = match Lasts::of(session) {
        Lasts::Whatever => Lasts::Whatever,
        Lasts::Text | Lasts::Name => Lasts::Name,
    };
    let noted = of.beside.writer().and_then(|_writer| {
        of.beside.change_sidecar_locked(&mut reserve, lasts, |sidecar| {
            sidecar.record(key.as_str(), session, old.map(Session::fingerprint));
            true
        })
    });
    let is_login = matches!(over, ReplaceRule::Whatever);
    noted.or_else(|error| of.beside.unrecorded(key, session, is_login, error))
}

/// Records, after the tokens were written or removed, that the login is here or nowhere. A login that is recorded elsewhere
/// is moved by the caller that knows all stores.
fn note_home(of: &KeyringStoreInner, key: &CacheKey, home: Option<&str>) {
    let name = key.as_str();
    let is_known = || of.beside.sidecar().home(name).is_some();
    if home.is_some() && is_known() {
        return;
    }
    let noted = of.beside.change_sidecar(|sidecar| match home {
        // The side file may have been unreadable before and may say otherwise.
        Some(_) => sidecar.home(name).is_none() && sidecar.set_home(name, home),
        // A login that was moved elsewhere meanwhile keeps that record.
        None => {
            let is_here = sidecar.home(name).is_none_or(|known| known == HOME);
            is_here && sidecar.forget(name) | sidecar.set_home(name, None)
        }
    });
    if let Err(error) = noted {
        of.beside.notice(format!("where the login '{key}' is kept could not be noted: {error}"));
    }
}
