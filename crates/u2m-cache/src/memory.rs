//! A store that keeps logins in the memory of this process.

use crate::error::StoreError;
use crate::named_mutex::{NamedGuard, NamedMutexes};
use crate::store::{Claim, EntryLock, TokenStore};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use u2m_core::{CacheKey, Fingerprint, RefreshFailure, Session};

/// Keeps logins in memory, for tests and for programs that get their sessions from elsewhere. Clones share the same entries.
///
/// ```
/// use u2m_cache::{MemoryStore, TokenStore};
/// use u2m_core::{AccessToken, CacheKey, Session};
/// let store = MemoryStore::new();
/// let key = CacheKey::new("dev");
/// store.save(&key, &Session::new(AccessToken::new("a")))?;
/// assert!(store.load(&key)?.is_some());
/// # Ok::<(), u2m_cache::StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryStore {
    entries: Arc<Mutex<BTreeMap<CacheKey, MemoryEntry>>>,
    gates: Arc<NamedMutexes<CacheKey>>,
    /// Refresh tokens that are being used, by fingerprint.
    tokens: Arc<NamedMutexes<String>>,
    /// By the name of the door.
    pauses: Arc<Mutex<BTreeMap<String, RefreshFailure>>>,
}

#[derive(Debug, Default)]
struct MemoryEntry {
    session: Option<Session>,
    refresh_failure: Option<RefreshFailure>,
}

impl MemoryEntry {
    fn state(&self) -> Option<Fingerprint> {
        self.session.as_ref().map(Session::fingerprint)
    }

    fn put(&mut self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        if let Some(old) = self.session.as_ref().filter(|old| old.refresh_token.is_some()) {
            let is_dead = self
                .refresh_failure
                .as_ref()
                .is_some_and(|refresh_failure| refresh_failure.is_final_for(old));
            if session.refresh_token.is_none() && !is_dead {
                return Err(StoreError::WouldLoseRefreshToken { key: key.clone() });
            }
        }
        self.session = Some(session.clone());
        Ok(())
    }
}

impl MemoryStore {
    /// Creates an empty store.
    ///
    /// ```
    /// use u2m_cache::{MemoryStore, TokenStore};
    /// assert!(MemoryStore::new().keys().unwrap().is_empty());
    /// ```
    pub fn new() -> Self {
        Self {
            entries: Arc::default(),
            gates: Arc::new(NamedMutexes::new()),
            tokens: Arc::new(NamedMutexes::new()),
            pauses: Arc::default(),
        }
    }

    /// Lock poisoning is ignored: each change is a single assignment, so a panic cannot leave the map half changed.
    fn entries(&self) -> MutexGuard<'_, BTreeMap<CacheKey, MemoryEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the fingerprint of the entry's current session.
    fn state(&self, key: &CacheKey) -> Option<Fingerprint> {
        self.entries().get(key).and_then(MemoryEntry::state)
    }

    fn pauses(&self) -> MutexGuard<'_, BTreeMap<String, RefreshFailure>> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl TokenStore for MemoryStore {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        Ok(self.entries().get(key).and_then(|slot| slot.session.clone()))
    }

    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        self.entries().entry(key.clone()).or_default().put(key, session)
    }

    fn put_back(
        &self,
        key: &CacheKey,
        session: &Session,
        spent: &[Fingerprint],
    ) -> Result<bool, StoreError> {
        let mut entries = self.entries();
        let there = entries.get_mut(key).and_then(|slot| slot.session.as_mut());
        let old = there.filter(|there| spent.contains(&there.fingerprint()));
        Ok(old.map(|old| *old = session.clone()).is_some())
    }

    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.entries().remove(key);
        Ok(())
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        let entries = self.entries();
        Ok(entries
            .iter()
            .filter(|(_, slot)| slot.session.is_some())
            .map(|(key, _)| key.clone())
            .collect())
    }

    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        let pass = self.gates.pass(key.clone(), patience);
        Ok(pass.map(|pass| -> Box<dyn EntryLock> {
            Box::new(MemoryLock {
                store: self.clone(),
                key: key.clone(),
                seen: self.state(key),
                claimed: None,
                replaces: None,
                _pass: pass,
            })
        }))
    }
}

struct MemoryLock {
    store: MemoryStore,
    key: CacheKey,
    /// The state of the entry when it was last read.
    seen: Option<Fingerprint>,
    /// The refresh token that is claimed.
    claimed: Option<(Fingerprint, NamedGuard<String>)>,
    /// The state that a save may replace: the claimed one at first, then the last saved one.
    replaces: Option<Fingerprint>,
    _pass: NamedGuard<CacheKey>,
}

impl EntryLock for MemoryLock {
    fn refresh_failure(&mut self) -> Option<RefreshFailure> {
        self.store.entries().get(&self.key).and_then(|slot| slot.refresh_failure.clone())
    }

    fn note(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        self.store.entries().entry(self.key.clone()).or_default().refresh_failure =
            Some(refresh_failure.clone());
        Ok(())
    }

    fn pause(&mut self, door: &Fingerprint) -> Option<RefreshFailure> {
        self.store.pauses().get(door.as_str()).cloned()
    }

    fn note_pause(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        self.store.pauses().insert(refresh_failure.of.as_str().to_owned(), refresh_failure.clone());
        Ok(())
    }

    fn claim(&mut self, of: &Fingerprint, patience: Duration) -> Result<Claim, StoreError> {
        let mut waited = false;
        if self.claimed.as_ref().is_none_or(|(claimed, _)| claimed != of) {
            // Never hold two at once: different callers would take them in different orders.
            self.claimed = None;
            let take = |patience| self.store.tokens.pass(of.as_str().to_owned(), patience);
            let pass = take(Duration::ZERO).or_else(|| {
                waited = true;
                take(patience)
            });
            let Some(pass) = pass else { return Ok(Claim::Busy) };
            self.claimed = Some((of.clone(), pass));
        }
        self.replaces = Some(of.clone());
        // The entry was refreshed under another name between reading and claiming. A caller that holds a newer session than
        // the entry claims a token that the entry does not hold.
        let there = self.store.state(&self.key);
        let is_news = there.as_ref() != Some(of) && there != self.seen;
        self.seen = there;
        Ok(if waited || is_news { Claim::Waited } else { Claim::Taken })
    }

    fn prove_writable(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        let mut entries = self.store.entries();
        if let Some((claimed, _)) = &self.claimed {
            // The token is used up for every other entry that holds it.
            let is_twin = |slot: &&mut MemoryEntry| slot.state().as_ref() == Some(claimed);
            let others = entries.iter_mut().filter(|(name, _)| **name != self.key);
            for twin in others.map(|(_, slot)| slot).filter(is_twin) {
                twin.session = Some(session.clone());
            }
        }
        let there = entries.get(&self.key).and_then(MemoryEntry::state);
        let next = Some(session.fingerprint());
        if self.replaces.is_some() && there != self.replaces && there != next {
            return Err(StoreError::Superseded { key: self.key.clone() });
        }
        entries.entry(self.key.clone()).or_default().put(&self.key, session)?;
        self.replaces = self.replaces.take().and(next.clone());
        self.seen = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::{AccessToken, ErrorResponse, RefreshFailureKind, RefreshToken, Timestamp};

    fn key() -> CacheKey {
        CacheKey::new("dev")
    }

    fn session(name: &str) -> Session {
        Session::new(AccessToken::new(name)).with_refresh_token(RefreshToken::new(name))
    }

    fn locked(store: &MemoryStore) -> Box<dyn EntryLock> {
        store.lock(&key(), Duration::ZERO).unwrap().unwrap()
    }

    #[test]
    fn logins_that_are_there_are_listed_and_what_was_only_noted_is_none() {
        let store = MemoryStore::new();
        assert!(store.keys().unwrap().is_empty());
        let refresh_failure = RefreshFailure::new(
            session("a").fingerprint(),
            Timestamp::from_unix(7),
            RefreshFailureKind::transient("away"),
        );
        let mut lock = locked(&store);
        assert!(lock.refresh_failure().is_none());
        lock.note(&refresh_failure).unwrap();
        assert_eq!(lock.refresh_failure(), Some(refresh_failure));
        assert!(store.keys().unwrap().is_empty());
        lock.save(&session("a")).unwrap();
        assert_eq!(store.keys().unwrap(), [key()]);
        store.delete(&key()).unwrap();
        assert!(store.keys().unwrap().is_empty());
    }

    #[test]
    fn what_was_bought_takes_the_place_of_what_it_was_bought_with_or_its_own() {
        for (there, is_saved) in [("old", true), ("new", true), ("newer", false)] {
            let store = MemoryStore::new();
            let mut lock = locked(&store);
            lock.claim(&session("old").fingerprint(), Duration::ZERO).unwrap();
            store.save(&key(), &session(there)).unwrap();
            assert_eq!(lock.save(&session("new")).is_ok(), is_saved, "{there}");
            let wanted = if is_saved { "new" } else { "newer" };
            assert_eq!(store.load(&key()).unwrap(), Some(session(wanted)), "{there}");
        }
        // Without a claim, the last one counts.
        let store = MemoryStore::new();
        store.save(&key(), &session("newer")).unwrap();
        locked(&store).save(&session("new")).unwrap();
        assert_eq!(store.load(&key()).unwrap(), Some(session("new")));
    }

    #[test]
    fn a_pause_is_remembered_for_all_logins_at_its_door() {
        let (store, door) = (MemoryStore::new(), session("door").fingerprint());
        let pause = RefreshFailure::new(
            door.clone(),
            Timestamp::from_unix(7),
            RefreshFailureKind::transient("busy"),
        );
        assert!(locked(&store).pause(&door).is_none());
        locked(&store).note_pause(&pause).unwrap();
        let mut other = store.lock(&CacheKey::new("other"), Duration::ZERO).unwrap().unwrap();
        assert_eq!(other.pause(&door), Some(pause));
        assert!(other.pause(&session("another").fingerprint()).is_none());
    }

    #[test]
    fn a_login_that_can_be_renewed_gives_way_to_one_that_cannot_once_it_has_ended() {
        let (store, poor) = (MemoryStore::new(), Session::new(AccessToken::new("poor")));
        store.save(&key(), &session("a")).unwrap();
        assert!(store.save(&key(), &poor).is_err());
        let of = session("a").fingerprint();
        let ended = RefreshFailure::new(
            of,
            Timestamp::from_unix(7),
            RefreshFailureKind::Rejected(ErrorResponse::new(400, "invalid_grant", None)),
        );
        locked(&store).note(&ended).unwrap();
        store.save(&key(), &poor).unwrap();
        assert_eq!(store.load(&key()).unwrap(), Some(poor));
    }

    #[test]
    fn what_was_bought_is_there_under_each_name_that_held_the_spent_token_and_no_other() {
        let store = MemoryStore::new();
        let names = ["twin", "other"].map(CacheKey::new);
        for (name, there) in [(&key(), "old"), (&names[0], "old"), (&names[1], "else")] {
            store.save(name, &session(there)).unwrap();
        }
        let mut lock = locked(&store);
        let of = session("old").fingerprint();
        assert_eq!(lock.claim(&of, Duration::ZERO).unwrap(), Claim::Taken);
        assert_eq!(lock.claim(&of, Duration::ZERO).unwrap(), Claim::Taken, "it is claimed already");
        let entry = lock.reload(&|| store.load(&key())).unwrap();
        assert_eq!(entry, Some(session("old")));
        lock.save(&session("new")).unwrap();
        for (name, there) in [(&key(), "new"), (&names[0], "new"), (&names[1], "else")] {
            assert_eq!(store.load(name).unwrap(), Some(session(there)), "{name}");
        }
    }
}
