//! A claim to a refresh token: so that it is sent once, whichever entries hold it and whoever has their leases. Its record
//! says who is about to send it, and, once it is spent, which entry has what it bought.

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

/// A claim that was held when it was last heard of.
#[derive(Clone, Debug)]
pub(super) struct HeldClaim {
    pub(super) of: Fingerprint,
    /// The name of its record.
    token: String,
    owner: String,
}

/// Where what a refresh token bought is.
#[derive(Serialize, Deserialize)]
struct Successor {
    key: String,
    /// The login that it belongs to: another one in that entry has nothing to do with it.
    grant: String,
}

impl HeldClaim {
    fn call(&self, lock: &RedisLock) -> ScriptCall {
        let settings = &lock.store.settings;
        let call = ScriptCall::new(Part::Claim, &[&self.token]).arg(&self.owner);
        let call = call.arg(millis(settings.lease)).arg(millis(settings.answer));
        call.arg(millis(settings.keep)).arg(&lock.place.record)
    }

    /// Makes it last.
    pub(super) fn keep(&self, settings: &RedisSettings) -> ScriptCall {
        let call = ScriptCall::new(Part::Keep, &[&self.token]).arg(&self.owner);
        call.arg(millis(settings.lease)).arg(millis(settings.keep))
    }

    /// Nothing more will come of it.
    pub(super) fn give_back(&self) -> ScriptCall {
        ScriptCall::new(Part::Disclaim, &[&self.token]).arg(&self.owner)
    }

    /// Writes down that the token is spent, if `session` has another one.
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

/// Where a step of claiming leads.
pub(super) enum ClaimStep {
    Is(Claim),
    /// The lease was lost: from the beginning.
    Again,
}

impl RedisLock {
    /// Takes the lease, if it is not held yet, and then the claim to the refresh token: entry first, token second. Where
    /// somebody may be spending the token, waits for what comes of it.
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

    /// Has the lease, and the entry as it is under it. Something is said where it is not the one that is to be renewed, or
    /// where the lease is not to be had.
    fn ensure_lease(
        &mut self,
        of: &Fingerprint,
        end: Instant,
    ) -> Result<Option<Claim>, StoreError> {
        if self.hold.is_some() {
            let is_known = self.session.as_ref().is_some_and(|seen| seen.fingerprint() == *of);
            // A caller may know better than the entry, of what it could not save: then what is there is replaced.
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

    /// Whether another state than `of` is there, or another failure of it is remembered.
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
        // At first it is marked at once; who has to wait only keeps its lease meanwhile.
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
                    // It was lost, and is there again.
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

    /// The token is spent. Where what it bought is still in an entry of this store, this entry takes it over.
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
        // One refresh token, so one login, whatever its name.
        if let Some(own) = self.session.as_ref().and_then(|own| own.binding.clone()) {
            session.binding = Some(own);
        }
        let hold = |lock: &Self, _: &_| Some(lock.store.hold(&lock.place, &session));
        match self.replace(&session, &hold) {
            // Or somebody else was here: that is there now.
            Ok(()) | Err(StoreError::Superseded { .. }) => Ok(Claim::Waited),
            Err(error) => Err(error),
        }
    }
}

/// Whether an entry is as it was, by its answer to being marked or to the renewal of its lease.
fn is_unmoved(answer: &[String], is_marking: bool) -> bool {
    is_ok(answer) && (is_marking || answer.get(1).is_some_and(|word| word == "same"))
}

/// Whether `read` is another state than `of`, or a failure of it is remembered there that `lock` has not seen.
fn is_news(read: &Read, of: &Fingerprint, lock: &RedisLock) -> bool {
    let stored = read.session.as_ref().ok().and_then(Option::as_ref);
    stored.map(Session::fingerprint).as_ref() != Some(of) || read.verdict != lock.verdict
}
