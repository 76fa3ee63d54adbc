//! Fetches the tokens of one login, and keeps what is still to be saved. How one token serves all callers of a process is
//! [`SharedToken`](u2m_http::SharedToken)'s business.
//!
//! `source` is what that one asks, `fly` drives the token flow, `saving` sees to it that what was bought is saved, `putting_back`
//! that it stays, `giving_up` ends a login that is not to be saved, and `host_key` stands in for one that a profile has not.

mod fly;
mod giving_up;
mod host_key;
mod putting_back;
mod saving;
mod source;

pub use giving_up::LateSave;
pub(crate) use host_key::under_host_key;
pub(crate) use saving::sign_in;

use crate::bounds::{LOCK_WAIT, SAVING_FIRST};
use crate::detached::Detached;
use crate::prover::ClientProver;
use saving::UnsavedSession;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use u2m_cache::{Notice, StoreError, TokenStore};
use u2m_core::{
    CacheKey, Fingerprint, FirstUse, IssuedToken, Load, Sanitized, Session, StoreFailure, Target,
    TokenError, TokenRequest, TokenStep,
};
use u2m_http::{Clock, EndpointSupplier, RetryPolicy, Transport};

/// What a flight brings.
pub(crate) type RefreshResult = Result<IssuedToken, TokenError>;

/// Everything that a token flow needs, shared by the clones of one `PersistentAuth`.
#[derive(Debug)]
pub(crate) struct Refresher {
    pub(crate) request: TokenRequest,
    pub(crate) key: CacheKey,
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) endpoints: Option<Arc<dyn EndpointSupplier>>,
    /// What time it is.
    pub(crate) clock: Clock,
    /// How the client shows who it is.
    pub(crate) prover: ClientProver,
    pub(crate) patience: RetryPolicy,
    /// How long another process's refresh is waited for.
    pub(crate) lock_wait: Duration,
    /// How long a caller waits, if that was said.
    pub(crate) wait: Option<Duration>,
    /// How long a flight tries to save before it hands out what it has.
    pub(crate) saves_for: Duration,
    /// How to start the process that refreshes, if one is to.
    pub(crate) detached: Option<Detached>,
    /// The profile file that named the target.
    pub(crate) profile_file: Option<Sanitized>,
    /// Whether the transport is the one that any process has.
    pub(crate) is_usual_transport: bool,
    /// What that one trusts besides the system's authorities.
    pub(crate) ca_file: Option<PathBuf>,
    /// The login under the host's key, if it may be used where this one is not stored.
    pub(crate) of_host: Option<Arc<Self>>,
    /// Whether it was said that it is.
    has_told: AtomicBool,
    unsaved: Mutex<Option<UnsavedSession>>,
    /// The refresh tokens that were sent by this process.
    spent: Mutex<Vec<Fingerprint>>,
    /// Whether something goes on that brings a token without the caller: a refresh token is sent, or is with the process that
    /// sends it, or another process is at it.
    goes_on: AtomicBool,
    /// Whether a flight is waiting for the lock that what is unsaved is kept with.
    wants_lock: AtomicBool,
    notices: Mutex<Vec<Notice>>,
    due: Mutex<Option<DueEntry>>,
}

/// An entry that was read without a lock, and is due: the fetch that begins right afterwards goes on from there. Before anything
/// is decided it reads the entry again, under the lock.
#[derive(Debug)]
struct DueEntry {
    entry: Session,
    at: Instant,
}

/// So old it may be. Who looks later than that looks anew.
const MOMENT: Duration = Duration::from_millis(100);

impl Refresher {
    pub(crate) fn new(
        request: TokenRequest,
        store: Arc<dyn TokenStore>,
        transport: Arc<dyn Transport>,
        endpoints: Option<Arc<dyn EndpointSupplier>>,
    ) -> Self {
        Self {
            key: request.target.cache_key(),
            request,
            store,
            transport,
            endpoints,
            clock: Clock::system(),
            prover: ClientProver::default(),
            patience: RetryPolicy::default(),
            lock_wait: LOCK_WAIT,
            wait: None,
            saves_for: SAVING_FIRST,
            detached: None,
            profile_file: None,
            is_usual_transport: false,
            ca_file: None,
            of_host: None,
            has_told: AtomicBool::new(false),
            unsaved: Mutex::new(None),
            spent: Mutex::default(),
            goes_on: AtomicBool::new(false),
            wants_lock: AtomicBool::new(false),
            notices: Mutex::default(),
            due: Mutex::default(),
        }
    }

    /// Remembers an entry that was found due. One of another program, of which a first use is to be recorded, is looked at
    /// each time.
    fn found_due(&self, entry: Option<Session>) {
        let entry = entry.filter(|entry| self.request.first_use(entry).is_none());
        let is_stored = self.unsaved().is_none();
        let due = entry.filter(|_| is_stored).map(|entry| DueEntry { entry, at: Instant::now() });
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = due;
    }

    /// Whether the entry was found due just now.
    fn was_just_due(&self) -> bool {
        let due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.as_ref().is_some_and(|due| due.at.elapsed() < MOMENT)
    }

    /// The entry that was found due just now, once.
    fn take_due(&self) -> Option<Session> {
        let due = self.due.lock().unwrap_or_else(PoisonError::into_inner).take();
        due.filter(|due| due.at.elapsed() < MOMENT).map(|due| due.entry)
    }

    pub(crate) fn take_notices(&self) -> Vec<Notice> {
        let mut notices = self.store.take_notices();
        let take = |keeper: &Self| {
            std::mem::take(&mut *keeper.notices.lock().unwrap_or_else(PoisonError::into_inner))
        };
        let of_host = self.of_host.as_deref().map(take).unwrap_or_default();
        for notice in take(self).into_iter().chain(of_host) {
            // The process that refreshes may have found what this one found too.
            if !notices.contains(&notice) {
                notices.push(notice);
            }
        }
        notices
    }

    /// Who knows the endpoints of a target better than its metadata. That of a discovery login is the issuer that signs in.
    pub(crate) fn supplier(&self, target: &Target) -> Option<&dyn EndpointSupplier> {
        self.endpoints.as_deref().filter(|_| !target.is_discovery())
    }

    /// What to sign in to, and to ask for tokens of.
    pub(crate) fn target(&self) -> &Target {
        &self.request.target
    }

    /// What is said to a caller whose time is over.
    fn time_is_over(&self) -> TokenError {
        // Whoever has no time at all has begun something at most, and looks too early to see it.
        let has_time = self.wait.is_none_or(|wait| !wait.is_zero());
        let goes_on = |keeper: &Self| keeper.goes_on.load(Ordering::Relaxed);
        match has_time && (goes_on(self) || self.of_host.as_deref().is_some_and(goes_on)) {
            true => TokenError::StillWaiting,
            false => TokenError::OutOfTime,
        }
    }

    /// Says whether something goes on that brings a token without the caller.
    pub(crate) fn set_goes_on(&self, goes_on: bool) {
        self.goes_on.store(goes_on, Ordering::Relaxed);
    }

    /// Tries for as long as `patience` to get what another process may have. Where callers have a time of their own, it is
    /// known that somebody has it.
    fn waiting_for_others<T>(
        &self,
        patience: Duration,
        mut take: impl FnMut(Duration) -> T,
        is_busy: impl Fn(&T) -> bool,
    ) -> T {
        if self.wait.is_some() && !patience.is_zero() {
            let taken = take(Duration::ZERO);
            if !is_busy(&taken) {
                return taken;
            }
            self.set_goes_on(true);
        }
        let taken = take(patience);
        self.set_goes_on(false);
        taken
    }

    /// Takes the entry that was read at first. That a login of another program is used for the first time is recorded in passing:
    /// only what is sent later has to wait for it.
    fn loaded(&self, load: Load, entry: Option<Session>) -> Result<TokenStep, TokenError> {
        let first = entry.as_ref().and_then(|entry| self.request.first_use(entry));
        let step = load.loaded(entry, self.clock.now())?;
        if let Some(first) = first {
            // A read-only home is as good as any for reading.
            let _ = self.tie(&first, Duration::ZERO);
        }
        Ok(step)
    }

    /// Records that a login of another program is used with this target's host, and says so where nothing else shows it.
    fn tie(&self, first: &FirstUse, patience: Duration) -> Result<(), StoreError> {
        let config = self.profile_file.as_ref().map(Sanitized::as_str);
        if self.store.tie(&self.key, first, config, patience)? && !first.is_shown {
            let (key, host) = (Sanitized::new(self.key.as_str()), &first.host);
            let from = config.map(|path| format!(", as {path} says")).unwrap_or_default();
            self.notice(format!(
                "another program saved the login '{key}' without its host; from now on it is for {host} alone{from}"
            ));
        }
        Ok(())
    }

    fn notice(&self, text: String) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).push(Notice::new(text));
    }
}

fn failure(error: StoreError) -> StoreFailure {
    if error.is_transient() { StoreFailure::passing(error) } else { StoreFailure::new(error) }
}

fn failed_to_start(error: std::io::Error) -> TokenError {
    TokenError::Store(StoreFailure::new(error))
}

#[cfg(test)]
#[path = "refresher/tests.rs"]
mod tests;
