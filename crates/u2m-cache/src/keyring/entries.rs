//! Reading and changing the items of one login.

use super::envelope::{self, Content, Unreadable};
use super::error::KeyringError;
use super::store::Inner;
use super::{HOME, parts};
use crate::beside::room::Reserve;
use crate::beside::{disk, lock, locks};
use crate::error::StoreError;
use crate::keyring::envelope::Manifest;
use std::time::Duration;
use u2m_core::{CacheKey, Session};

/// A writer has the keyring for as long as a few calls of it may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Somebody else may replace the parts of a value while they are read; so often is it read again.
const TRIES: u32 = 3;

/// What stands under a key.
pub(super) struct Stored {
    manifest: Option<Manifest>,
    session: Result<Option<Session>, Unreadable>,
    /// In bytes.
    pub(super) len: usize,
}

impl Stored {
    pub(super) fn into_session(self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        self.session.map_err(|unreadable| match unreadable {
            Unreadable::Bad(why) => StoreError::BadEntry { key: key.clone(), why },
            Unreadable::Newer(form) => StoreError::NewerEntry { key: key.clone(), form },
        })
    }
}

/// Reads what stands under a key; what cannot be made out is said in the result.
pub(super) fn read(of: &Inner, key: &CacheKey) -> Result<Stored, StoreError> {
    let account = of.account("read", key)?;
    let get = || of.keyring.get(account).map_err(of.failed("read", key));
    let mut tries = 1;
    loop {
        let Some(bytes) = get()? else {
            return Ok(Stored { manifest: None, session: Ok(None), len: 0 });
        };
        let stored = |manifest, session| Stored { manifest, session, len: bytes.len() };
        match envelope::read(&bytes) {
            Ok(Content::Nothing) => return Ok(stored(None, Ok(None))),
            Ok(Content::Session(session)) => return Ok(stored(None, Ok(Some(*session)))),
            Err(unreadable) => return Ok(stored(None, Err(unreadable))),
            Ok(Content::Parts(manifest)) => {
                let whole = parts::read(&*of.keyring, account, &manifest);
                let whole = whole.map_err(of.failed("read", key))?;
                if whole.is_none() && tries < TRIES {
                    tries += 1;
                    continue;
                }
                let session = match whole.as_ref().map(|whole| envelope::read(whole)) {
                    Some(Ok(Content::Session(session))) => Ok(Some(*session)),
                    Some(Ok(Content::Nothing)) => Ok(None),
                    Some(Err(unreadable)) => Err(unreadable),
                    Some(Ok(Content::Parts(_))) => Err(Unreadable::Bad("its parts are no login")),
                    None => Err(Unreadable::Bad("its parts are missing, or not its own")),
                };
                let len = whole.map_or(manifest.length, |whole| whole.len());
                return Ok(Stored { manifest: Some(manifest), session, len });
            }
        }
    }
}

/// Saves a login, and reads it back before that counts.
pub(super) fn save(
    of: &Inner,
    key: &CacheKey,
    session: &Session,
    reserve: Reserve,
) -> Result<(), StoreError> {
    let account = of.account("save", key)?;
    let writer = writer(of)?;
    let stored = read(of, key)?;
    let manifest = stored.manifest.clone();
    let old = match stored.into_session(key) {
        // A login replaces what cannot be read, and leaves what only newer programs can (KEY-10).
        Err(StoreError::BadEntry { .. }) => None,
        other => other?,
    };
    check_keeps_refresh_token(of, key, old.as_ref(), session)?;
    note_binding(of, key, session, old.as_ref(), reserve);
    let bytes = envelope::write(session);
    let slot = manifest.as_ref().map_or(0, |old| 1 - old.slot.min(1));
    let written = match parts::are_needed(&*of.keyring, bytes.len()) {
        false => put(of, account, &bytes).map(|()| None),
        true => parts::write(&*of.keyring, account, slot, &bytes)
            .and_then(|manifest| put(of, account, &manifest.item()).map(|()| Some(slot))),
    };
    let now_in = match written {
        Ok(slot) => slot,
        Err(error) => return Err(failed(of, writer, "save", key, error)),
    };
    if let Err(error) = parts::remove(&*of.keyring, account, manifest.as_ref(), now_in) {
        of.beside.notice(format!("old parts of the login '{key}' could not be removed: {error}"));
    }
    note_home(of, key, Some(HOME));
    Ok(())
}

/// Removes a login.
pub(super) fn delete(of: &Inner, key: &CacheKey) -> Result<(), StoreError> {
    let account = of.account("remove", key)?;
    let writer = writer(of)?;
    let manifest = read(of, key)?.manifest;
    let removed = of.keyring.delete(account);
    let removed = decide(of, account, removed, "delete", |found| found.is_none());
    let removed =
        removed.and_then(|()| parts::remove(&*of.keyring, account, manifest.as_ref(), None));
    if let Err(error) = removed {
        return Err(failed(of, writer, "remove", key, error));
    }
    note_home(of, key, None);
    Ok(())
}

/// Writes one item and reads it back (KEY-4).
fn put(of: &Inner, account: &str, secret: &[u8]) -> Result<(), KeyringError> {
    let is_there = |found: Option<&[u8]>| found == Some(secret);
    decide(of, account, of.keyring.set(account, secret), "set", is_there)
}

/// What became of a write. After a timeout, or where the keyring broke off, what is there decides; where that cannot be
/// seen either, the outcome is unknown (KEY-7).
fn decide(
    of: &Inner,
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
    of: &Inner,
    writer: locks::Held,
    what: &'static str,
    key: &CacheKey,
    error: KeyringError,
) -> StoreError {
    of.keyring.keep_until_idle(Box::new(writer));
    of.failed(what, key)(error)
}

/// One writer of the keyring at a time, so that a value's parts are those of one writer.
fn writer(of: &Inner) -> Result<locks::Held, StoreError> {
    disk::create_folder(of.beside.folder())?;
    let path = of.beside.sibling(".keyring.lock");
    let taken = locks::take(&path, PATIENCE)?;
    taken.ok_or_else(|| StoreError::LockTimeout { path: path.as_path().into() })
}

fn check_keeps_refresh_token(
    of: &Inner,
    key: &CacheKey,
    old: Option<&Session>,
    new: &Session,
) -> Result<(), StoreError> {
    let Some(old) = old.filter(|old| old.refresh_token.is_some()) else { return Ok(()) };
    let is_dead =
        || lock::remembered(&of.beside, key).is_some_and(|verdict| verdict.is_final_for(old));
    if new.refresh_token.is_none() && !is_dead() {
        Err(StoreError::WouldLoseRefreshToken { key: key.clone() })
    } else {
        Ok(())
    }
}

/// Before the tokens are written: it is told from both states whom they belong to.
fn note_binding(
    of: &Inner,
    key: &CacheKey,
    session: &Session,
    old: Option<&Session>,
    mut reserve: Reserve,
) {
    let noted = of.beside.writer().and_then(|_writer| {
        let mut sidecar = of.beside.sidecar();
        sidecar.record(key.as_str(), session, old.map(Session::fingerprint));
        of.beside.write_sidecar(&sidecar, &mut reserve)
    });
    if let Err(error) = noted {
        of.beside.notice(format!("whom the login '{key}' belongs to could not be noted: {error}"));
    }
}

/// After the tokens were written or removed: only then does the login live here, or nowhere. One that is known to live
/// elsewhere is moved by whoever knows all stores.
fn note_home(of: &Inner, key: &CacheKey, home: Option<&str>) {
    let name = key.as_str();
    if of.beside.sidecar().home(name).is_some() && home.is_some() {
        return;
    }
    let noted = of.beside.change_sidecar(|sidecar| match home {
        Some(_) => sidecar.set_home(name, home),
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
