//! Moves logins from one store to another, so that at any moment each login counts in exactly one place. This file finds the
//! logins to move and holds their locks. The steps of writing are in `steps`.

mod steps;

use super::AutoStore;
use super::hold::HeldLogin;
use crate::error::StoreError;
use crate::mode::StorageMode;
use crate::sidecar::record_file::Sidecar;
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, Session};

/// How many logins are moved at once. Their locks are open files, which are limited per process.
const AT_ONCE: usize = 100;

/// A login that is being moved.
struct LoginMove {
    /// The index among the requested logins.
    at: usize,
    key: CacheKey,
    session: Session,
    of: Fingerprint,
    /// Where it was recorded to be.
    home: Option<StorageMode>,
    _held: HeldLogin,
}

/// The outcome for each requested login.
type Outcomes = Vec<Option<Result<bool, StoreError>>>;

impl AutoStore {
    /// Moves a login to another store (KEY-8). Returns whether there was anything to move.
    ///
    /// # Errors
    /// If this fails, the login is still where it was, unless the error is [`StoreError::CopyLeft`].
    /// [`StoreError::KeptElsewhere`] means that what `from` holds is not the login that is used.
    pub fn migrate(
        &self,
        key: &CacheKey,
        from: StorageMode,
        to: StorageMode,
        patience: Duration,
    ) -> Result<bool, StoreError> {
        let mut moved = self.migrate_all(from, to, std::slice::from_ref(key), patience)?;
        moved.pop().unwrap_or(Ok(false))
    }

    /// Moves several logins from one store to another, as [`AutoStore::migrate`] does, with as few writes as the stores can
    /// manage. Returns one result for each key, in the same order.
    ///
    /// # Errors
    /// Fails if the new store cannot take any login. Nothing was moved then.
    pub fn migrate_all(
        &self,
        from: StorageMode,
        to: StorageMode,
        keys: &[CacheKey],
        patience: Duration,
    ) -> Result<Vec<Result<bool, StoreError>>, StoreError> {
        let mut outcomes: Outcomes = keys.iter().map(|_| None).collect();
        if let Some(first) = keys.first().filter(|_| from != to) {
            self.part(from)?;
            self.part(to)?.prepare_login(first)?;
            let all: Vec<usize> = (0..keys.len()).collect();
            for some in all.chunks(AT_ONCE) {
                // With several logins, a running refresh of one of them must not delay the others.
                let wait = if some.len() > 1 { Duration::ZERO } else { patience };
                self.move_some(from, to, keys, some, wait, &mut outcomes);
                for at in some.iter().filter(|_| some.len() > 1) {
                    if matches!(outcomes[*at], None | Some(Err(StoreError::Busy { .. }))) {
                        self.move_some(from, to, keys, &[*at], patience, &mut outcomes);
                    }
                }
            }
        }
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or(Ok(false))).collect())
    }

    /// Moves `some` of the logins together. If a step fails for several at once, they get no outcome yet.
    fn move_some(
        &self,
        from: StorageMode,
        to: StorageMode,
        keys: &[CacheKey],
        some: &[usize],
        patience: Duration,
        outcomes: &mut Outcomes,
    ) {
        let held: Vec<(usize, HeldLogin)> = some
            .iter()
            .filter_map(|at| match self.hold_to_move(&keys[*at], from, to, patience) {
                Ok(held) => Some((*at, held)),
                Err(error) => {
                    outcomes[*at] = Some(Err(error));
                    None
                }
            })
            .collect();
        let held = self.finish_earlier(keys, held, outcomes);
        match self.0.file.sidecar() {
            Ok(sidecar) => {
                let moving = self.look((from, to), keys, held, &sidecar, outcomes);
                self.carry_over(from, to, moving, outcomes);
            }
            Err(error) => {
                if let [(at, _)] = held.as_slice() {
                    outcomes[*at] = Some(Err(error));
                }
            }
        }
    }

    /// Takes the locks of a login. A running refresh ends first, and none begins before the login is in its new place.
    fn hold_to_move(
        &self,
        key: &CacheKey,
        from: StorageMode,
        to: StorageMode,
        patience: Duration,
    ) -> Result<HeldLogin, StoreError> {
        let held = self.hold(key, &[from, to], patience)?;
        held.ok_or_else(|| StoreError::Busy { key: key.clone() })
    }

    /// Completes earlier moves that were interrupted.
    fn finish_earlier(
        &self,
        keys: &[CacheKey],
        mut held: Vec<(usize, HeldLogin)>,
        outcomes: &mut Outcomes,
    ) -> Vec<(usize, HeldLogin)> {
        // A read error is reported by the next read.
        let Ok(sidecar) = self.0.file.sidecar() else { return held };
        held.retain(|(at, held)| {
            let key = &keys[*at];
            if sidecar.strays(key.as_str()).is_empty() {
                return true;
            }
            let cleared = self.clear_strays(key, held.modes());
            cleared.map_err(|error| outcomes[*at] = Some(Err(error))).is_ok()
        });
        held
    }

    /// Returns the logins in `from` that count and are to be moved.
    fn look(
        &self,
        (from, to): (StorageMode, StorageMode),
        keys: &[CacheKey],
        held: Vec<(usize, HeldLogin)>,
        sidecar: &Sidecar,
        outcomes: &mut Outcomes,
    ) -> Vec<LoginMove> {
        let mut moving = Vec::new();
        let wanted: Vec<CacheKey> = held.iter().map(|(at, _)| keys[*at].clone()).collect();
        let found = self.part(from).map(|part| part.load_all(&wanted)).unwrap_or_default();
        for (((at, held), key), found) in held.into_iter().zip(wanted).zip(found) {
            match found.and_then(|found| self.counting(&key, (from, to), sidecar, found)) {
                Ok(Some((session, home))) => {
                    let of = session.fingerprint();
                    moving.push(LoginMove { at, key, session, of, home, _held: held });
                }
                Ok(None) => outcomes[at] = Some(Ok(false)),
                Err(error) => outcomes[at] = Some(Err(error)),
            }
        }
        moving
    }

    /// Returns what was found in `from` if it is the login that counts, and where that was recorded to be. Removes the copy
    /// in `from` of a login that is already in its new place.
    fn counting(
        &self,
        key: &CacheKey,
        (from, to): (StorageMode, StorageMode),
        sidecar: &Sidecar,
        found: Option<Session>,
    ) -> Result<Option<(Session, Option<StorageMode>)>, StoreError> {
        let Some(session) = found else { return Ok(None) };
        let session = match from {
            StorageMode::Encrypted => session,
            // The store may have been unable to read the owner of the login at that moment.
            _ => sidecar.complete(key.as_str(), session),
        };
        let home = sidecar.home(key.as_str()).and_then(StorageMode::parse);
        let Some(elsewhere) = home.filter(|home| *home != from) else {
            return Ok(Some((session, home)));
        };
        let counts = match self.part(elsewhere).and_then(|part| part.load(key)) {
            Ok(Some(counts)) => Some(counts.fingerprint()),
            // The recorded login is gone; this is the only one.
            Ok(None) => return Ok(Some((session, home))),
            Err(error) if error.is_transient() => return Err(error),
            Err(_) => None,
        };
        if elsewhere == to && counts == Some(session.fingerprint()) {
            self.delete_state(from, key, &session.fingerprint())?;
            return Ok(None);
        }
        Err(StoreError::KeptElsewhere { key: key.clone(), mode: elsewhere })
    }
}
