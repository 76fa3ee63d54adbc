//! Moving logins from one store to another, so that at any moment each is in exactly one place that counts: which ones there
//! are to move, with their locks in hand. What is written, step by step, is in `steps`.

mod steps;

use super::AutoStore;
use super::hold::HeldLogin;
use crate::error::StoreError;
use crate::mode::StorageMode;
use crate::sidecar::record_file::Sidecar;
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, Session};

/// How many logins are on their way at once: their locks are open files, of which a process has not many.
const AT_ONCE: usize = 100;

/// A login that is on its way.
struct LoginMove {
    /// Which of those that were asked for.
    at: usize,
    key: CacheKey,
    session: Session,
    of: Fingerprint,
    /// Where it was recorded to be.
    home: Option<StorageMode>,
    _held: HeldLogin,
}

/// What becomes of the logins that were asked for.
type Outcomes = Vec<Option<Result<bool, StoreError>>>;

impl AutoStore {
    /// Moves a login to another store (KEY-8). Whether there was anything to move.
    ///
    /// # Errors
    /// It is still where it was then, unless the error is [`StoreError::CopyLeft`]. [`StoreError::KeptElsewhere`]: what
    /// `from` holds is not the login that counts.
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

    /// Moves several logins from one store to another, as [`AutoStore::migrate`] does, by as few writes as the stores can make
    /// of it; one outcome each, in their order.
    ///
    /// # Errors
    /// The new store cannot take any; nothing was moved.
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
                // Whoever is refreshing one of several keeps the others from nobody.
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

    /// Moves `some` of the logins together. Where a step fails for all of several, they have no outcome yet.
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

    /// Takes the locks of a login: a refresh that is under way ends first, and none begins before the login is in its new
    /// place.
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

    /// Finishes what was left of earlier moves.
    fn finish_earlier(
        &self,
        keys: &[CacheKey],
        mut held: Vec<(usize, HeldLogin)>,
        outcomes: &mut Outcomes,
    ) -> Vec<(usize, HeldLogin)> {
        // What cannot be read now is said by who reads it next.
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

    /// What there is to move: the logins in `from` that count.
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

    /// What was found in `from`, if it is the login that counts, and where that was recorded to be. One that is in its new
    /// place already leaves no copy here.
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
            // The store may have been unable to read at that moment whom the login belongs to.
            _ => sidecar.complete(key.as_str(), session),
        };
        let home = sidecar.home(key.as_str()).and_then(StorageMode::parse);
        let Some(elsewhere) = home.filter(|home| *home != from) else {
            return Ok(Some((session, home)));
        };
        let counts = match self.part(elsewhere).and_then(|part| part.load(key)) {
            Ok(Some(counts)) => Some(counts.fingerprint()),
            // What was recorded is gone; this is all that there is.
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
