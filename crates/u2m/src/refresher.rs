//! Fetches the tokens of one login and holds what is not saved yet. How one token serves all callers of a process is the job of
//! [`SharedToken`](u2m_http::SharedToken).
//!
//! `source` answers that type's questions, `fly` drives the token flow, `saving` makes sure that what was obtained is saved,
//! `putting_back` that it stays saved, `giving_up` ends a login that cannot be saved, and `host_key` serves a profile without a
//! login from its host's.

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

/// The result of a flight.
pub(crate) type RefreshResult = Result<IssuedToken, TokenError>;

/// Everything that a token flow needs, shared by the clones of one `PersistentAuth`.
#[derive(Debug)]
pub(crate) struct Refresher {
    pub(crate) request: TokenRequest,
    pub(crate) key: CacheKey,
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) endpoints: Option<Arc<dyn EndpointSupplier>>,
    /// The current time.
    pub(crate) clock: Clock,
    /// How the client authenticates.
    pub(crate) prover: ClientProver,
    pub(crate) patience: RetryPolicy,
    /// How long to wait for another process's refresh.
    pub(crate) lock_wait: Duration,
    /// How long a caller waits, if a limit was set.
    pub(crate) wait: Option<Duration>,
    /// How long a flight tries to save before it returns what it has.
    pub(crate) saves_for: Duration,
    /// How to start the process that refreshes, if there is to be one.
    pub(crate) detached: Option<Detached>,
    /// The profile file that named the target.
    pub(crate) profile_file: Option<Sanitized>,
    /// Whether the transport is the default one, which any process has.
    pub(crate) is_usual_transport: bool,
    /// The file of certificates that the default transport also trusts.
    pub(crate) ca_file: Option<PathBuf>,
    /// The login under the host's key, if it may be used where this one is not stored.
    pub(crate) of_host: Option<Arc<Self>>,
    /// Whether the notice about using it was given.
    has_told: AtomicBool,
    unsaved: Mutex<Option<UnsavedSession>>,
    /// The refresh tokens that this process has sent.
    spent: Mutex<Vec<Fingerprint>>,
    /// Whether work that brings a token continues without the caller: a refresh token was sent, or is with the process that
    /// sends it, or another process is refreshing.
    goes_on: AtomicBool,
    /// Whether a flight is waiting for the lock that a thread holds while it retries saving.
    wants_lock: AtomicBool,
    notices: Mutex<Vec<Notice>>,
    due: Mutex<Option<DueEntry>>,
}

/// An entry that was read without a lock and is due. The fetch that begins right afterwards starts from it, and reads the entry
/// again under the lock before anything is decided.
#[derive(Debug)]
struct DueEntry {
    entry: Session,
    at: Instant,
}

/// The maximum age of such an entry. Later fetches read anew.
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

    /// Remembers an entry that was found due. An entry of another program, whose first use must be recorded, is read each time.
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

    /// Takes the entry that was found due just now; only the first call gets it.
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
            // The process that refreshes may have reported the same notice.
            if !notices.contains(&notice) {
                notices.push(notice);
            }
        }
        notices
    }

    /// The supplier of the target's endpoints, if any. A discovery login has none: its issuer says where they are.
    pub(crate) fn supplier(&self, target: &Target) -> Option<&dyn EndpointSupplier> {
        self.endpoints.as_deref().filter(|_| !target.is_discovery())
    }

    /// The target to sign in to and to request tokens for.
    pub(crate) fn target(&self) -> &Target {
        &self.request.target
    }

    /// The error for a caller whose time is over.
    fn time_is_over(&self) -> TokenError {
        // A caller with no time at all has at most started something, and looks too early to see it.
        let has_time = self.wait.is_none_or(|wait| !wait.is_zero());
        let goes_on = |keeper: &Self| keeper.goes_on.load(Ordering::Relaxed);
        match has_time && (goes_on(self) || self.of_host.as_deref().is_some_and(goes_on)) {
            true => TokenError::StillWaiting,
            false => TokenError::OutOfTime,
        }
    }

    /// Records whether work that brings a token continues without the caller.
    pub(crate) fn set_goes_on(&self, goes_on: bool) {
        self.goes_on.store(goes_on, Ordering::Relaxed);
    }

    /// Waits up to `patience` for what another process may hold. If callers have a limit of their own, it is recorded that
    /// somebody holds it.
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

    /// Feeds the entry of the first read to the flow. The first use of another program's login is recorded on the side: only a
    /// later request has to wait for that.
    fn loaded(&self, load: Load, entry: Option<Session>) -> Result<TokenStep, TokenError> {
        let first = entry.as_ref().and_then(|entry| self.request.first_use(entry));
        let step = load.loaded(entry, self.clock.now())?;
        if let Some(first) = first {
            // Reading works in a read-only home, too.
            let _ = self.tie(&first, Duration::ZERO);
        }
        Ok(step)
    }

    /// Records that another program's login is used with this target's host, and gives a notice if nothing else shows it.
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
    if error.is_transient() { StoreFailure::transient(error) } else { StoreFailure::new(error) }
}

fn failed_to_start(error: std::io::Error) -> TokenError {
    TokenError::Store(StoreFailure::new(error))
}

#[cfg(test)]
#[path = "refresher/tests.rs"]
mod tests;
