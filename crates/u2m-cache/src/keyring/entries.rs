//! Reading and changing the items of one login.

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

/// A writer has the keyring for as long as a few calls of it may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Somebody else may replace the parts of a value while they are read; so often is it read again.
const TRIES: u32 = 3;

/// What stands under a key.
pub(super) struct StoredItem {
    manifest: Option<PartsManifest>,
    session: Result<Option<Session>, UnreadableItem>,
    /// In bytes.
    pub(super) len: usize,
    /// Whether there is no item at all.
    is_absent: bool,
}

impl StoredItem {
    /// Whether `new` may be saved in the place of this.
    fn may_be_replaced(
        &self,
        of: &KeyringStoreInner,
        over: ReplaceRule<'_>,
        new: &Session,
    ) -> bool {
        match (over, &self.session) {
            // What only newer programs can read is refused by itself.
            (ReplaceRule::Whatever, _)
            | (ReplaceRule::Claimed(_), Err(UnreadableItem::Newer(_))) => true,
            (_, Ok(Some(old))) => over.replaces(&of.beside, &old.fingerprint(), new),
            // What cannot be read is nobody's login.
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

/// Reads what stands under a key; what cannot be made out is said in the result.
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

/// Saves a login, and reads it back before that counts.
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
        // A login replaces what cannot be read, and leaves what only newer programs can (KEY-10).
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
        // Programs without our lock may have come between looking and writing, and what is theirs is found in the place of
        // what was written.
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

/// Whether something stands under a key that a save may not replace.
fn is_theirs(
    of: &KeyringStoreInner,
    key: &CacheKey,
    over: ReplaceRule<'_>,
    session: &Session,
) -> bool {
    read(of, key).is_ok_and(|stored| !stored.may_be_replaced(of, over, session))
}

/// Puts a login back where a state stands that it has replaced; whether it did.
pub(super) fn put_back(
    of: &KeyringStoreInner,
    key: &CacheKey,
    session: &Session,
    spent: &[Fingerprint],
) -> Result<bool, StoreError> {
    // Without a lock at first: mostly there is nothing to do.
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

/// Removes a login; if a state is named, only one that is still in it. Whether it is gone.
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

/// What became of a write. After a timeout, or where the keyring broke off, what is there decides; where that cannot be
/// seen either, the outcome is unknown (KEY-7).
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

/// A write that may still land keeps other writers out until it has ended, one way or the other.
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

/// One writer of the keyring at a time, so that a value's parts are those of one writer.
pub(super) fn writer(of: &KeyringStoreInner) -> Result<locks::HeldLock, StoreError> {
    disk::create_folder(of.beside.folder())?;
    let path = of.beside.sibling(".keyring.lock");
    let taken = locks::take(&path, PATIENCE)?;
    taken.ok_or_else(|| StoreError::LockTimeout { path: path.as_path().into() })
}

/// Before the tokens are written: it is told from both states whom they belong to.
fn note_binding(
    of: &KeyringStoreInner,
    key: &CacheKey,
    (session, over): (&Session, ReplaceRule<'_>),
    old: Option<&Session>,
    mut reserve: UpdateReserve,
) -> Result<(), StoreError> {
    // The tokens are not beside it: no order in which names last includes them.
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

/// After the tokens were written or removed: only then does the login live here, or nowhere. One that is known to live
/// elsewhere is moved by whoever knows all stores.
fn note_home(of: &KeyringStoreInner, key: &CacheKey, home: Option<&str>) {
    let name = key.as_str();
    let is_known = || of.beside.sidecar().home(name).is_some();
    if home.is_some() && is_known() {
        return;
    }
    let noted = of.beside.change_sidecar(|sidecar| match home {
        // What could not be read before may say otherwise.
        Some(_) => sidecar.home(name).is_none() && sidecar.set_home(name, home),
        // A login that was moved elsewhere in the meantime stays known there.
        None => {
            let is_here = sidecar.home(name).is_none_or(|known| known == HOME);
            is_here && sidecar.forget(name) | sidecar.set_home(name, None)
        }
    });
    if let Err(error) = noted {
        of.beside.notice(format!("where the login '{key}' is kept could not be noted: {error}"));
    }
}
