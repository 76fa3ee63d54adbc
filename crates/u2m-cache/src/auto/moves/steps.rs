//! The steps of a move.
//!
//! | step | written | a process that dies after it leaves |
//! |---|---|---|
//! | 1 | side file: where the login is, and that what will be in the new place does not count | nothing new |
//! | 2 | the copy, read back | a copy that does not count |
//! | 3 | side file, in one write: the login is in the new place, and what is in the old one does not count | the same, in the old place |
//! | 4 | the old place: removed | a note about nothing |
//! | 5 | side file: the note removed | a completed move |
//!
//! Readers rely on the side file only. A copy that does not count is removed by the next process that takes the login's lock.

use super::{LoginMove, Outcomes};
use crate::auto::AutoStore;
use crate::auto::strays::drop_stray;
use crate::error::StoreError;
use crate::mode::StorageMode;
use crate::sidecar::record_file::Sidecar;
use u2m_core::Session;

impl AutoStore {
    /// Moves logins whose locks are held. If a step fails for several at once, they get no outcome yet.
    pub(super) fn carry_over(
        &self,
        from: StorageMode,
        to: StorageMode,
        mut moving: Vec<LoginMove>,
        outcomes: &mut Outcomes,
    ) {
        if moving.is_empty() {
            return;
        }
        if let Err(error) = self.begin(from, to, &mut moving, outcomes) {
            return settle(&moving, error, outcomes);
        }
        let copied = self.copy(from, to, &mut moving, outcomes);
        if moving.is_empty() {
            return;
        }
        if let Err(error) = copied.and_then(|()| self.switch(from, to, &mut moving, outcomes)) {
            self.undo(from, to, &moving);
            return settle(&moving, error, outcomes);
        }
        self.finish(from, to, moving, outcomes);
    }

    /// Step 1. Logins that another process has moved or replaced meanwhile are dropped from the move.
    ///
    /// # Errors
    /// Fails if the record was not written, or if that is not known. Nothing was copied.
    fn begin(
        &self,
        from: StorageMode,
        to: StorageMode,
        moving: &mut Vec<LoginMove>,
        outcomes: &mut Outcomes,
    ) -> Result<(), StoreError> {
        let (is_begun, noted) = self.note_of_each(moving, |sidecar, login| {
            let name = login.key.as_str();
            let is_so = sidecar.home(name).and_then(StorageMode::parse) == login.home;
            if is_so {
                sidecar.add_stray(name, to.as_str(), &login.of);
                sidecar.set_home(name, Some(from.as_str()));
            }
            is_so
        });
        noted?;
        self.give_up_superseded(from, to, moving, is_begun, outcomes);
        Ok(())
    }

    /// Step 2. Logins that could not be copied are dropped from the move.
    ///
    /// # Errors
    /// Fails if it cannot be checked whether the old place is unchanged.
    fn copy(
        &self,
        from: StorageMode,
        to: StorageMode,
        moving: &mut Vec<LoginMove>,
        outcomes: &mut Outcomes,
    ) -> Result<(), StoreError> {
        let (source, target) = (self.part(from)?, self.part(to)?);
        let logins: Vec<_> =
            moving.iter().map(|login| (login.key.clone(), login.session.clone())).collect();
        let saved = target.save_all(&logins);
        let keys: Vec<_> = moving.iter().map(|login| login.key.clone()).collect();
        // A program without our locks may have written meanwhile. Then what was copied is no longer the login.
        let (kept, still) = (target.load_all(&keys), source.load_all(&keys));
        let mut failures: Vec<Option<StoreError>> = Vec::new();
        for (((login, saved), kept), still) in moving.iter().zip(saved).zip(kept).zip(still) {
            let is = |found: &Option<Session>| {
                found.as_ref().is_some_and(|found| found.fingerprint() == login.of)
            };
            let is_whole = |found: &Option<Session>| {
                found.as_ref().is_some_and(|found| found.binding == login.session.binding)
            };
            let key = || login.key.clone();
            let outcome = saved.and_then(|()| match (kept?, still?) {
                (kept, _) if !is(&kept) || !is_whole(&kept) => {
                    Err(StoreError::NotKept { key: key() })
                }
                (_, still) if !is(&still) => Err(StoreError::Superseded { key: key() }),
                _ => Ok(()),
            });
            failures.push(outcome.err());
        }
        self.give_up(from, to, moving, failures, outcomes);
        Ok(())
    }

    /// Step 3. Logins that another process has moved or replaced meanwhile are dropped from the move.
    ///
    /// # Errors
    /// Fails if the record was not written, or if that is not known.
    fn switch(
        &self,
        from: StorageMode,
        to: StorageMode,
        moving: &mut Vec<LoginMove>,
        outcomes: &mut Outcomes,
    ) -> Result<(), StoreError> {
        let (old, new) = (from.as_str(), to.as_str());
        let (mut is_switched, noted) = self.note_of_each(moving, |sidecar, login| {
            let name = login.key.as_str();
            let is_ours = sidecar.home(name) == Some(old) && sidecar.is_stray(name, new, &login.of);
            if is_ours {
                count_in(sidecar, login, to, from);
            }
            is_ours
        });
        if let Err(error) = noted {
            // The answer to a write may be lost: the stored content decides.
            let now = self.0.file.sidecar().unwrap_or_default();
            let is_there = |login: &LoginMove| now.home(login.key.as_str()) == Some(new);
            is_switched = moving.iter().map(is_there).collect();
            if !is_switched.contains(&true) {
                return Err(error);
            }
        }
        self.give_up_superseded(from, to, moving, is_switched, outcomes);
        Ok(())
    }

    /// Steps 4 and 5. A login that someone changed in the old place, without our locks, is the newer one and counts.
    fn finish(
        &self,
        from: StorageMode,
        to: StorageMode,
        moving: Vec<LoginMove>,
        outcomes: &mut Outcomes,
    ) {
        let states: Vec<_> =
            moving.iter().map(|login| (login.key.clone(), login.of.clone())).collect();
        let removed = self.part(from).map(|part| part.delete_states(&states)).unwrap_or_default();
        let (mut done, mut newer) = (Vec::new(), Vec::new());
        for (login, removed) in moving.into_iter().zip(removed) {
            let at = login.at;
            outcomes[at] = Some(match removed {
                Ok(true) => {
                    done.push(login);
                    Ok(true)
                }
                Ok(false) => {
                    let key = login.key.clone();
                    newer.push(login);
                    Err(StoreError::Superseded { key })
                }
                Err(source) => {
                    let (key, source) = (login.key, Box::new(source));
                    Err(StoreError::CopyLeft { key, mode: from, source })
                }
            });
        }
        if !newer.is_empty() && self.go_back(from, to, &newer).is_ok() {
            self.undo(from, to, &newer);
        }
        // A note about nothing is removed by the next process that takes the login's lock.
        let _ = self.note_of_each(&done, |sidecar, login| {
            drop_stray(sidecar, login.key.as_str(), from, &login.of)
        });
    }

    /// Makes the old place count again.
    fn go_back(
        &self,
        from: StorageMode,
        to: StorageMode,
        newer: &[LoginMove],
    ) -> Result<(), StoreError> {
        let (_, noted) = self.note_of_each(newer, |sidecar, login| {
            let is_there = sidecar.home(login.key.as_str()) == Some(to.as_str());
            if is_there {
                count_in(sidecar, login, from, to);
            }
            is_there
        });
        noted
    }

    /// Changes the side file for each of these logins in one write. Returns for each, in order, whether `change` did
    /// anything. The list is empty if the write did not get that far.
    fn note_of_each(
        &self,
        logins: &[LoginMove],
        change: impl Fn(&mut Sidecar, &LoginMove) -> bool,
    ) -> (Vec<bool>, Result<(), StoreError>) {
        let mut is_changed = Vec::new();
        if logins.is_empty() {
            return (is_changed, Ok(()));
        }
        let noted = self.0.file.note(|sidecar| {
            is_changed.extend(logins.iter().map(|login| change(sidecar, login)));
            is_changed.contains(&true)
        });
        (is_changed, noted)
    }

    /// Drops the logins that do not go on because another process has moved or replaced them.
    fn give_up_superseded(
        &self,
        from: StorageMode,
        to: StorageMode,
        moving: &mut Vec<LoginMove>,
        goes_on: Vec<bool>,
        outcomes: &mut Outcomes,
    ) {
        let lost = |(login, goes_on): (&LoginMove, bool)| {
            (!goes_on).then(|| StoreError::Superseded { key: login.key.clone() })
        };
        let failures = moving.iter().zip(goes_on).map(lost).collect();
        self.give_up(from, to, moving, failures, outcomes);
    }

    /// Drops the logins that failed, and removes their copies.
    fn give_up(
        &self,
        from: StorageMode,
        to: StorageMode,
        moving: &mut Vec<LoginMove>,
        failures: Vec<Option<StoreError>>,
        outcomes: &mut Outcomes,
    ) {
        let (mut going, mut lost) = (Vec::new(), Vec::new());
        for (login, failure) in std::mem::take(moving).into_iter().zip(failures) {
            match failure {
                None => going.push(login),
                Some(error) => {
                    outcomes[login.at] = Some(Err(error));
                    lost.push(login);
                }
            }
        }
        self.undo(from, to, &lost);
        *moving = going;
    }

    /// Removes the copies. One that cannot be removed now is recorded as a copy that does not count.
    fn undo(&self, from: StorageMode, to: StorageMode, lost: &[LoginMove]) {
        for login in lost {
            debug_assert!(from != to);
            let _ = self.clear_stray(&login.key, to, &login.of);
        }
    }
}

/// Makes a login count in `here`, and its copy in `there` not count.
fn count_in(sidecar: &mut Sidecar, login: &LoginMove, here: StorageMode, there: StorageMode) {
    let name = login.key.as_str();
    sidecar.set_home(name, Some(here.as_str()));
    sidecar.drop_stray(name, here.as_str());
    sidecar.add_stray(name, there.as_str(), &login.of);
}

/// Sets the outcome of a single login for a step that failed. Several are retried one by one.
fn settle(moving: &[LoginMove], error: StoreError, outcomes: &mut Outcomes) {
    if let [login] = moving {
        outcomes[login.at] = Some(Err(error));
    }
}
