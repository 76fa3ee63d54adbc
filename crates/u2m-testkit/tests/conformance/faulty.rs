//! Stores with one fault each: for every rule, one that breaks it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use u2m_cache::{Claim, EntryLock, MemoryStore, StoreError, TokenStore};
use u2m_core::{AccessToken, CacheKey, Fingerprint, RefreshFailure, RefreshToken, Session};
use u2m_testkit::conformance::Rule;

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    ClaimsForAll,
    CutsTokens,
    FailsForAbsent,
    FoldsNames,
    ForgetsExpiry,
    ForgetsFailures,
    HoldsOnInAPanic,
    LeavesAProbe,
    ListsInAnyOrder,
    LocksForEachOpener,
    LocksReaders,
    LosesEachFifth,
    LosesRefreshTokens,
    Panics,
    ProvesBySaving,
    PutsBackOverAnything,
    RefusesLoginsUnderTheLock,
    RemovesNothing,
    ReversesAnswers,
    RevivesTheRemoved,
    ReplacesTheNewer,
    SaysThatAllIsTaken,
    ShowsTokens,
    HasNoLocks,
    TellsPausesToAll,
    WaitsForEver,
    WaitsNever,
}

impl Fault {
    /// One that breaks the rule.
    pub(crate) fn of(rule: Rule) -> Self {
        match rule {
            Rule::KeepsWhatIsSaved => Self::ForgetsExpiry,
            Rule::AbsentIsNone => Self::FailsForAbsent,
            Rule::ListsNames => Self::ListsInAnyOrder,
            Rule::RemovesOneLogin => Self::RemovesNothing,
            Rule::KeepsRefreshToken => Self::LosesRefreshTokens,
            Rule::KeepsNamesApart => Self::FoldsNames,
            Rule::KeepsEveryByte => Self::CutsTokens,
            Rule::AnswersEach => Self::ReversesAnswers,
            Rule::PutsBackOverSpent => Self::PutsBackOverAnything,
            Rule::PreparesWithoutTrace => Self::LeavesAProbe,
            Rule::LocksForOne => Self::LocksForEachOpener,
            Rule::WaitsAsLongAsTold => Self::WaitsForEver,
            Rule::HandsLocksOn => Self::WaitsNever,
            Rule::LetsGoInAPanic => Self::HoldsOnInAPanic,
            Rule::NeedsNoLockToRead => Self::LocksReaders,
            Rule::NewerLoginStays => Self::ReplacesTheNewer,
            Rule::RemovalStays => Self::RevivesTheRemoved,
            Rule::LoginReplacesAll => Self::RefusesLoginsUnderTheLock,
            Rule::ClaimsForOne => Self::ClaimsForAll,
            Rule::SpentStaysSpent => Self::SaysThatAllIsTaken,
            Rule::ProvesWithoutChange => Self::ProvesBySaving,
            Rule::RemembersFailures => Self::ForgetsFailures,
            Rule::KeepsPausesApart => Self::TellsPausesToAll,
            Rule::LosesNoWriter => Self::LosesEachFifth,
            Rule::RenewsOnce => Self::HasNoLocks,
            Rule::ShowsNoSecret => Self::ShowsTokens,
            rule => panic!("there is no fault that breaks {rule:?}"),
        }
    }
}

/// What all openers of a faulty store share.
pub(crate) struct Faulty {
    inner: MemoryStore,
    fault: Fault,
    saves: AtomicU64,
    openers: AtomicU64,
    last: Mutex<String>,
    pause: Mutex<Option<RefreshFailure>>,
}

impl Faulty {
    pub(crate) fn new(fault: Fault) -> Arc<Self> {
        let inner = MemoryStore::new();
        let (saves, openers) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self {
            inner,
            fault,
            saves,
            openers,
            last: Mutex::default(),
            pause: Mutex::default(),
        })
    }

    pub(crate) fn open(self: &Arc<Self>) -> Opener {
        Opener(Arc::clone(self), self.openers.fetch_add(1, Ordering::Relaxed))
    }
}

/// A faulty store, as one of its openers has it.
pub(crate) struct Opener(Arc<Faulty>, u64);

impl Opener {
    fn has(&self, fault: Fault) -> bool {
        self.0.fault == fault
    }

    fn name(&self, key: &CacheKey) -> CacheKey {
        match self.has(Fault::FoldsNames) {
            true => CacheKey::new(key.as_str().to_lowercase()),
            false => key.clone(),
        }
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.0.last.lock().unwrap();
        let last = if self.has(Fault::ShowsTokens) { last.as_str() } else { "(redacted)" };
        f.debug_tuple("Opener").field(&last).finish()
    }
}

impl TokenStore for Opener {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        if self.has(Fault::LocksReaders) && key.as_str().contains("-read-") {
            drop(self.0.inner.lock(key, Duration::from_secs(30)));
        }
        let mut found = self.0.inner.load(&self.name(key))?;
        if self.has(Fault::ForgetsExpiry) {
            found.iter_mut().for_each(|found| found.expiry = None);
        }
        Ok(found)
    }

    fn save(&self, key: &CacheKey, session: &Session) -> Result<(), StoreError> {
        let mut session = session.clone();
        *self.0.last.lock().unwrap() = session.access_token.expose().to_owned();
        let count = self.0.saves.fetch_add(1, Ordering::Relaxed);
        match self.0.fault {
            Fault::LosesEachFifth if count % 5 == 4 => return Ok(()),
            Fault::LosesRefreshTokens => self.0.inner.delete(key)?,
            Fault::CutsTokens => {
                let cut = |text: &str| text.chars().take(4096).collect::<String>();
                session.access_token = AccessToken::new(cut(session.access_token.expose()));
                let token = session.refresh_token.as_ref();
                session.refresh_token = token.map(|token| RefreshToken::new(cut(token.expose())));
            }
            _ => {}
        }
        self.0.inner.save(&self.name(key), &session)
    }

    fn put_back(
        &self,
        key: &CacheKey,
        session: &Session,
        spent: &[Fingerprint],
    ) -> Result<bool, StoreError> {
        match self.has(Fault::PutsBackOverAnything) {
            true => self.0.inner.save(key, session).map(|()| true),
            false => self.0.inner.put_back(key, session, spent),
        }
    }

    fn delete(&self, key: &CacheKey) -> Result<(), StoreError> {
        let key = self.name(key);
        match self.0.fault {
            Fault::RemovesNothing => Ok(()),
            Fault::FailsForAbsent if self.0.inner.load(&key)?.is_none() => {
                Err(StoreError::other("there is no such login"))
            }
            _ => self.0.inner.delete(&key),
        }
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        let mut keys = self.0.inner.keys()?;
        if self.has(Fault::ListsInAnyOrder) {
            keys.reverse();
        }
        Ok(keys)
    }

    fn load_all(&self, keys: &[CacheKey]) -> Vec<Result<Option<Session>, StoreError>> {
        assert!(!self.has(Fault::Panics), "a panic of the store's own");
        let mut all: Vec<_> = keys.iter().map(|key| self.load(key)).collect();
        if self.has(Fault::ReversesAnswers) {
            all.reverse();
        }
        all
    }

    fn lock(
        &self,
        key: &CacheKey,
        patience: Duration,
    ) -> Result<Option<Box<dyn EntryLock>>, StoreError> {
        let (key, store) = (self.name(key), &self.0.inner);
        let lock = match self.0.fault {
            Fault::HasNoLocks => None,
            Fault::LocksForEachOpener => {
                let own = CacheKey::new(format!("{}#{}", key.as_str(), self.1));
                store.lock(&own, patience)?
            }
            Fault::WaitsForEver if key.as_str().contains("-held-") => {
                store.lock(&key, Duration::from_secs(30))?
            }
            Fault::WaitsNever => store.lock(&key, Duration::ZERO)?,
            _ => store.lock(&key, patience)?,
        };
        if lock.is_none() && !self.has(Fault::HasNoLocks) {
            return Ok(None);
        }
        let claimed = false;
        Ok(Some(Box::new(FaultyLock { store: Arc::clone(&self.0), key, lock, claimed })))
    }

    fn prepare_login(&self, _: &CacheKey) -> Result<(), StoreError> {
        match self.has(Fault::LeavesAProbe) {
            true => {
                self.0.inner.save(&CacheKey::new("probe"), &Session::new(AccessToken::new("a")))
            }
            false => Ok(()),
        }
    }
}

struct FaultyLock {
    store: Arc<Faulty>,
    key: CacheKey,
    /// None where there are no locks at all.
    lock: Option<Box<dyn EntryLock>>,
    claimed: bool,
}

impl EntryLock for FaultyLock {
    fn refresh_failure(&mut self) -> Option<RefreshFailure> {
        self.lock.as_mut().and_then(|lock| lock.refresh_failure())
    }

    fn note(&mut self, refresh_failure: &RefreshFailure) -> Result<(), StoreError> {
        match &mut self.lock {
            Some(lock) if self.store.fault != Fault::ForgetsFailures => lock.note(refresh_failure),
            _ => Ok(()),
        }
    }

    fn pause(&mut self, _: &Fingerprint) -> Option<RefreshFailure> {
        self.store.pause.lock().unwrap().clone()
    }

    fn note_pause(&mut self, pause: &RefreshFailure) -> Result<(), StoreError> {
        if self.store.fault == Fault::TellsPausesToAll {
            *self.store.pause.lock().unwrap() = Some(pause.clone());
        }
        Ok(())
    }

    fn claim(&mut self, of: &Fingerprint, patience: Duration) -> Result<Claim, StoreError> {
        self.claimed = true;
        let Some(lock) = &mut self.lock else { return Ok(Claim::Taken) };
        match self.store.fault {
            Fault::ClaimsForAll => Ok(Claim::Taken),
            Fault::SaysThatAllIsTaken => match lock.claim(of, patience)? {
                Claim::Waited => Ok(Claim::Taken),
                claim => Ok(claim),
            },
            _ => lock.claim(of, patience),
        }
    }

    fn prove_writable(&mut self) -> Result<(), StoreError> {
        match self.store.fault {
            Fault::ProvesBySaving => {
                let proof = Session::new(AccessToken::new("proof"));
                self.store
                    .inner
                    .save(&self.key, &proof.with_refresh_token(RefreshToken::new("proof")))
            }
            _ => Ok(()),
        }
    }

    fn save(&mut self, session: &Session) -> Result<(), StoreError> {
        let inner = &self.store.inner;
        let Some(lock) = &mut self.lock else { return inner.save(&self.key, session) };
        match self.store.fault {
            Fault::ReplacesTheNewer => inner.save(&self.key, session),
            Fault::RevivesTheRemoved if inner.load(&self.key)?.is_none() => {
                inner.save(&self.key, session)
            }
            Fault::RefusesLoginsUnderTheLock if !self.claimed => {
                Err(StoreError::Superseded { key: self.key.clone() })
            }
            _ => lock.save(session),
        }
    }
}

impl Drop for FaultyLock {
    fn drop(&mut self) {
        if self.store.fault == Fault::HoldsOnInAPanic && std::thread::panicking() {
            std::mem::forget(self.lock.take());
        }
    }
}
