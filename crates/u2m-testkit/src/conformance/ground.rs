//! What every rule needs: a store that can be opened any number of times, and names and tokens that nobody else has.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use u2m_cache::{Claim, EntryLock, StoreError, TokenStore};
use u2m_core::{
    AccessToken, Binding, CacheKey, Fingerprint, Host, Lifetime, RefreshToken, Scopes, Session,
    Timestamp, chain,
};

/// The outcome of a rule: what was observed, if it is broken.
pub(super) type RuleReport<T = ()> = Result<T, String>;

/// An opened store.
pub(super) type Opened = Arc<dyn TokenStore>;

/// Opens the store once more.
pub(super) type Open = Arc<dyn Fn() -> Opened + Send + Sync>;

/// When the tokens of a rule expire: in 2099.
const LATER: i64 = 4_070_908_800;

/// The workplace of one rule.
pub(super) struct ConformanceBench {
    open: Open,
    pub(super) limit: Duration,
    unique: String,
    made: Mutex<Vec<CacheKey>>,
}

impl ConformanceBench {
    pub(super) fn new(open: Open, limit: Duration) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // This machine remembers spent refresh tokens, so each run uses its own.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let unique = format!("{}-{since}-{count}", std::process::id());
        Self { open, limit, unique, made: Mutex::default() }
    }

    pub(super) fn open(&self) -> Opened {
        (self.open)()
    }

    /// A name that nobody else has.
    pub(super) fn key(&self, name: &str) -> CacheKey {
        self.odd_key(&format!("u2m-conformance-{name}-"), "")
    }

    /// Such a name between two texts.
    pub(super) fn odd_key(&self, before: &str, after: &str) -> CacheKey {
        let key = CacheKey::new(format!("{before}{}{after}", self.unique));
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(key.clone());
        key
    }

    /// A login that cannot be renewed.
    pub(super) fn bare(&self, name: &str) -> Session {
        Session::new(AccessToken::new(format!("at-{name}-{}", self.unique)))
            .with_expiry(Timestamp::from_unix(LATER))
    }

    /// A login with both tokens.
    pub(super) fn login(&self, name: &str) -> Session {
        let refresh = RefreshToken::new(format!("rt-{name}-{}", self.unique));
        self.bare(name).with_refresh_token(refresh)
    }

    /// A login with every field set.
    pub(super) fn full(&self, name: &str) -> RuleReport<Session> {
        let odd = |_| "a host of the check's own is none".to_owned();
        let host = Host::parse("https://host.conformance.example").map_err(odd)?;
        let other = Host::parse("https://tokens.conformance.example:8443").map_err(odd)?;
        let endpoint = format!("{other}/oidc/v1/token");
        let endpoint = url::Url::parse(&endpoint).map_err(|error| error.to_string())?;
        let binding = Binding::new(format!("{host}/oidc"), endpoint, "conformance", host)
            .with_account_id(Some("7a".to_owned()))
            .with_scopes(Some(Scopes::new(["all-apis", "offline_access"])))
            .with_allowed([other])
            .with_issuer_named(true);
        let session = self.login(name).with_lifetime(Lifetime::from_seconds(3600));
        Ok(session.with_issued_at(Timestamp::from_unix(LATER - 3600)).with_binding(binding))
    }

    /// Takes a lock that is free, or will be soon.
    pub(super) fn lock(&self, store: &Opened, key: &CacheKey) -> RuleReport<Box<dyn EntryLock>> {
        let lock = store.lock(key, self.limit).asked("taking a lock")?;
        lock.ok_or_else(|| "a lock that nobody holds is not to be had".to_owned())
    }

    /// Takes a lock, reads the login under it, and claims that state, as a refresh does.
    pub(super) fn claim(
        &self,
        store: &Opened,
        key: &CacheKey,
        of: &Fingerprint,
    ) -> RuleReport<Box<dyn EntryLock>> {
        /// How often a login that nobody else has may be reported as changed.
        const TRIES: usize = 4;
        let mut lock = self.lock(store, key)?;
        for _ in 0..TRIES {
            let there = lock.reload(&|| store.load(key)).asked("reading a login under its lock")?;
            let is_there = there.is_some_and(|there| there.fingerprint() == *of);
            insist(is_there, "another login is read under its lock than was saved")?;
            match lock.claim(of, self.limit).asked("claiming a refresh token")? {
                Claim::Taken => return Ok(lock),
                Claim::Waited => {}
                claim => return Err(format!("a refresh token that nobody has spent is {claim:?}")),
            }
        }
        Err("a refresh token that nobody else wants is not to be had".to_owned())
    }

    /// Runs `work` on a thread of its own, and fails if it takes longer than any correct store would.
    pub(super) fn promptly<T: Send + 'static>(
        &self,
        what: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> RuleReport<T> {
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || send.send(work()));
        receive.recv_timeout(self.limit).map_err(|_| format!("{what} hangs"))
    }

    /// Removes what the rule has created.
    pub(super) fn clear(&self) {
        let store = self.open();
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().for_each(|key| drop(store.delete(key)));
    }
}

/// An answer of a store.
pub(super) trait StoreUnderTest<T> {
    /// The answer, or a text that says that it failed.
    fn asked(self, what: &str) -> RuleReport<T>;
}

impl<T> StoreUnderTest<T> for Result<T, StoreError> {
    fn asked(self, what: &str) -> RuleReport<T> {
        self.map_err(|error| format!("{what} failed: {}", chain(&error)))
    }
}

pub(super) fn insist(is_so: bool, otherwise: impl Into<String>) -> RuleReport {
    if is_so { Ok(()) } else { Err(otherwise.into()) }
}

/// Requires that a login is stored under a key, and reports what differs.
pub(super) fn holds(store: &Opened, key: &CacheKey, login: Option<&Session>) -> RuleReport {
    let found = store.load(key).asked("reading a login")?;
    let (found, login) = match (&found, login) {
        (None, None) => return Ok(()),
        (None, Some(_)) => return Err("a login that was saved is not there".to_owned()),
        (Some(_), None) => return Err("a login is there that should not be".to_owned()),
        (Some(found), Some(login)) => (found, login),
    };
    let members = [
        ("its access token", found.access_token == login.access_token),
        ("its refresh token", found.refresh_token == login.refresh_token),
        ("its expiry", found.expiry == login.expiry),
        ("its lifetime", found.lifetime == login.lifetime),
        ("when it was issued", found.issued_at == login.issued_at),
        ("whom it belongs to", found.binding == login.binding),
    ];
    let wrong: Vec<_> =
        members.iter().filter(|(_, is_same)| !is_same).map(|(what, _)| *what).collect();
    insist(
        wrong.is_empty(),
        format!("another login is read than is to be there: {} differs", wrong.join(", ")),
    )
}

/// Requires an outcome that says that somebody else's login stays.
pub(super) fn superseded(outcome: Result<(), StoreError>, what: &str) -> RuleReport {
    match outcome {
        Err(StoreError::Superseded { .. }) => Ok(()),
        Err(error) => {
            Err(format!("{what} ends with another error than Superseded: {}", chain(&error)))
        }
        Ok(()) => Err(format!("{what} succeeds")),
    }
}
