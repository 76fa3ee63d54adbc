//! A claim to a refresh token, so that the token is sent once, whichever entries hold it and whoever has their leases. Its
//! record says who is going to send the token and, once it is used, which entry has the new tokens.

use super::entry::{Read, RedisStoreInner, first, is_ok, pause};
use super::entry_queues::{EntryQueues, WaitOutcome};
use super::lease::{RedisLock, SpendMark};
use super::script::{Part, ScriptCall};
use super::sealer::SealPurpose;
use super::settings::{RedisSettings, millis};
use super::turn::{QueueOutcome, renewal, stand, wave};
use crate::error::StoreError;
use crate::store::Claim;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use u2m_core::{CacheKey, Fingerprint, Session};
use zeroize::Zeroizing;

/// A claim that was held at the last check.
#[derive(Clone, Debug)]
pub(super) struct HeldClaim {
    pub(super) of: Fingerprint,
    /// The name of its record.
    token: String,
    owner: String,
}

/// Where the successor of a refresh token is stored.
#[derive(Serialize, Deserialize)]
struct Successor {
    key: String,
    /// The login that it belongs to. A different login in that entry is unrelated.
    grant: String,
}

impl HeldClaim {
    fn call(&self, lock: &RedisLock) -> ScriptCall {
        let settings = &lock.store.settings;
        let call = ScriptCall::new(Part::Claim, &[&self.token]).arg(&self.owner);
        let call = call.arg(millis(settings.lease)).arg(millis(settings.answer));
        call.arg(millis(settings.keep)).arg(&lock.place.record)
    }

    /// Returns the call that renews the claim.
    pub(super) fn keep(&self, settings: &RedisSettings) -> ScriptCall {
        let call = ScriptCall::new(Part::Keep, &[&self.token]).arg(&self.owner);
        call.arg(millis(settings.lease)).arg(millis(settings.keep))
    }

    /// Returns the call that releases the claim.
    pub(super) fn give_back(&self) -> ScriptCall {
        ScriptCall::new(Part::Disclaim, &[&self.token]).arg(&self.owner)
    }

    /// Returns the call that records the token as used, if `session` has another one.
    pub(super) fn spent(
        &self,
        store: &RedisStoreInner,
        key: &CacheKey,
        grant: &str,
        session: &Session,
    ) -> Option<ScriptCall> {
        if session.fingerprint() == self.of {
            return None;
        }
        let successor = Successor { key: key.as_str().to_owned(), grant: grant.to_owned() };
        let text = Zeroizing::new(serde_json::to_vec(&successor).ok()?);
        let sealed = store.seal(SealPurpose::Spent, &self.token, &text).ok()?;
        let settings = &store.settings;
        let call = ScriptCall::new(Part::Spend, &[&self.token]).arg(sealed);
        Some(call.arg(millis(settings.tombstone)).arg(millis(settings.keep)))
    }
}

/// The result of one step of claiming.
pub(super) enum ClaimStep {
    Is(Claim),
    /// The lease was lost: start again.
    Again,
}

impl RedisLock {
    /// Takes the lease if it is not held yet, and then the claim to the refresh token: entry first, token second. If another
    /// holder may be using the token, waits for the outcome.
    pub(super) fn claim_token(
        &mut self,
        of: &Fingerprint,
        end: Instant,
    ) -> Result<Claim, StoreError> {
        loop {
            if let Some(claim) = self.ensure_lease(of, end)? {
                return Ok(claim);
            }
            match self.contend(of, end)? {
                ClaimStep::Is(claim) => {
                    self.is_refresh |= claim == Claim::Taken;
                    return Ok(claim);
                }
                ClaimStep::Again => {}
            }
        }
    }

    /// Makes sure that the lease is held and the entry was read under it. Returns a claim result if the entry is not the one
    /// to be refreshed, or if the lease cannot be taken.
    fn ensure_lease(
        &mut self,
        of: &Fingerprint,
        end: Instant,
    ) -> Result<Option<Claim>, StoreError> {
        if self.hold.is_some() {
            let is_known = self.session.as_ref().is_some_and(|seen| seen.fingerprint() == *of);
            // The caller may hold a newer session that it could not save. Then the stored one is replaced.
            return match is_known {
                true => Ok(None),
                false => match self.look_again()? {
                    Some(true) => Ok(Some(Claim::Waited)),
                    Some(false) => Ok(None),
                    None => self.ensure_lease(of, end),
                },
            };
        }
        loop {
            let turn = match EntryQueues::of_process().meet(&wave(&self.store, &self.place), end) {
                WaitOutcome::Turn(turn) => turn,
                WaitOutcome::News(_) => match self.has_changed(of)? {
                    true => return Ok(Some(Claim::Waited)),
                    false => continue,
                },
                WaitOutcome::Nothing => return Ok(Some(Claim::Busy)),
            };
            match stand(&self.store, &self.key, &self.place, turn, end)? {
                QueueOutcome::Taken(hold, read) => {
                    let has_changed = is_news(&read, of, self);
                    self.took(hold, *read);
                    return Ok(has_changed.then_some(Claim::Waited));
                }
                QueueOutcome::News(_) if self.has_changed(of)? => return Ok(Some(Claim::Waited)),
                QueueOutcome::News(_) => {}
                QueueOutcome::Busy => return Ok(Some(Claim::Busy)),
            }
        }
    }

    /// Returns whether the entry holds a state other than `of`, or another failure is remembered.
    fn has_changed(&mut self, of: &Fingerprint) -> Result<bool, StoreError> {
        let read = self.store.read(&self.key, &self.place)?;
        let has_changed = is_news(&read, of, self);
        if has_changed {
            self.saw(read);
        }
        Ok(has_changed)
    }

    pub(super) fn contend(
        &mut self,
        of: &Fingerprint,
        end: Instant,
    ) -> Result<ClaimStep, StoreError> {
        if self.claimed.as_ref().is_some_and(|claimed| claimed.of == *of) {
            return Ok(ClaimStep::Is(Claim::Taken));
        }
        if let Some(claimed) = self.claimed.take() {
            self.store.give_back(vec![claimed.give_back()]);
        }
        let mut token = self.store.vault.token(of);
        // The first attempt also marks the token. While waiting, only the lease is renewed.
        let (mut is_marking, mut round) = (true, 0);
        loop {
            let Some(hold) = &self.hold else { return Ok(ClaimStep::Again) };
            let claimed = HeldClaim { of: of.clone(), token, owner: hold.owner.clone() };
            let (claim, lease) = (claimed.call(self), self.store.settings.lease);
            let asked = Instant::now();
            let (on_entry, marker) = match is_marking {
                true => self.marking(hold, of)?,
                false => (renewal(&self.place, hold, &self.revision, lease), String::new()),
            };
            let mut answers = self.store.pool.run(&[on_entry, claim])?;
            let said = answers.pop().unwrap_or_else(|| Ok(Vec::new()))?;
            let word = |at: usize| said.get(at).map_or("", String::as_str);
            let entry = first(answers);
            let is_claimed = word(0) == "ok";
            let is_same = entry.as_ref().is_ok_and(|entry| is_unmoved(entry, is_marking));
            if is_claimed && !is_same {
                self.store.give_back(vec![claimed.give_back()]);
            }
            let entry = entry?;
            if !is_same {
                match self.look_again()? {
                    Some(true) => return Ok(ClaimStep::Is(Claim::Waited)),
                    // The lease was lost and taken again.
                    Some(false) if round < 3 => {
                        (round, token) = (round + 1, claimed.token);
                        continue;
                    }
                    Some(false) => {}
                    None => return Ok(ClaimStep::Again),
                }
            } else if is_claimed && is_marking {
                let before = entry.get(1).cloned().unwrap_or_default();
                (self.claimed, self.mark) =
                    (Some(claimed), Some(SpendMark { asked, marker, before }));
                return Ok(ClaimStep::Is(Claim::Taken));
            } else if is_claimed {
                is_marking = true;
                token = claimed.token;
                continue;
            } else if is_marking {
                let before = entry.get(1).map_or("", String::as_str);
                let unmark =
                    RedisStoreInner::call(Part::Unmark, &self.place).arg(&marker).arg(before);
                self.store.run(unmark)?;
            }
            if word(0) == "spent" {
                return self.follow(of, &claimed.token, word(1)).map(ClaimStep::Is);
            }
            is_marking = is_marking && !is_same;
            let rest = end.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return Ok(ClaimStep::Is(Claim::Busy));
            }
            let left = word(1).parse().unwrap_or(0);
            let left = Duration::from_millis(left) + Duration::from_millis(1);
            std::thread::sleep(pause(round).min(left).min(rest));
            (round, token) = (round + 1, claimed.token);
        }
    }

    /// Handles a used token. If its successor is still in an entry of this store, this entry takes that login over.
    fn follow(&mut self, of: &Fingerprint, token: &str, sealed: &str) -> Result<Claim, StoreError> {
        let lost = |key: &CacheKey, server: &str| {
            Claim::Spent(format!(
                "it was sent for '{key}' in {server}, and what it bought is not there any more"
            ))
        };
        let server = self.store.pool.server().to_owned();
        let text = self.store.vault.open(SealPurpose::Spent, token, sealed).ok();
        let successor = text.and_then(|text| serde_json::from_slice::<Successor>(&text).ok());
        let Some(Successor { key, grant }) = successor else {
            return Ok(Claim::Spent(format!(
                "it was spent, for which entry of {server} cannot be told"
            )));
        };
        let key = CacheKey::new(key);
        if key == self.key {
            return Ok(match self.look_again()? {
                Some(false) => lost(&key, &server),
                Some(true) | None => Claim::Waited,
            });
        }
        let theirs = self.store.read(&key, &self.store.vault.place(&key))?;
        let is_its = |new: &Session| new.refresh_token.is_some() && new.fingerprint() != *of;
        let mut session = match theirs.session {
            Ok(Some(new)) if theirs.revision.grant == grant && is_its(&new) => new,
            _ => return Ok(lost(&key, &server)),
        };
        // One refresh token means one login, whatever its name.
        if let Some(own) = self.session.as_ref().and_then(|own| own.binding.clone()) {
            session.binding = Some(own);
        }
        let hold = |lock: &Self, _: &_| Some(lock.store.hold(&lock.place, &session));
        match self.replace(&session, &hold) {
            // Or another program has saved something: that is there now.
            Ok(()) | Err(StoreError::Superseded { .. }) => Ok(Claim::Waited),
            Err(error) => Err(error),
        }
    }
}

/// Returns whether an entry is unchanged, from the answer to marking it or to renewing its lease.
fn is_unmoved(answer: &[String], is_marking: bool) -> bool {
    is_ok(answer) && (is_marking || answer.get(1).is_some_and(|word| word == "same"))
}

/// Returns whether `read` is a state other than `of`, or holds a failure that `lock` has not seen.
fn is_news(read: &Read, of: &Fingerprint, lock: &RedisLock) -> bool {
    let stored = read.session.as_ref().ok().and_then(Option::as_ref);
    stored.map(Session::fingerprint).as_ref() != Some(of)
        || read.refresh_failure != lock.refresh_failure
}
