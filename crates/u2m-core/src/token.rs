//! Getting a token: from the store while it is fresh, otherwise by one refresh that all callers share.
//!
//! | step | the driver does | then |
//! |---|---|---|
//! | [`Load`](TokenStep::Load) | reads the entry, without a lock | `Done`, or `Lock` |
//! | [`Lock`](TokenStep::Lock) | takes the entry's lock, waiting only if that is worth it | `Reload`; `Done` with the old token |
//! | [`Reload`](TokenStep::Reload) | reads the entry again, and the remembered failure of the last refresh | `Done`, or `CheckWritable` |
//! | [`CheckWritable`](TokenStep::CheckWritable) | checks that the store can be written | `Discover` or `Refresh` |
//! | [`Discover`](TokenStep::Discover) | fetches the host's metadata, if no endpoint is known | `Refresh` |
//! | [`Refresh`](TokenStep::Refresh) | sends the refresh token, unless a pause that another login met applies; from here to `Save` nothing may cancel it | `Save`, `ReloadAfterRejection`, `RecordFailure`; `Done` with the old token |
//! | [`Save`](TokenStep::Save) | saves the new session | `Done` |
//! | [`ReloadAfterRejection`](TokenStep::ReloadAfterRejection) | reads the entry once more, in case another program has rotated it | `CheckWritable`, `Done`, `RecordFailure` |
//! | [`RecordFailure`](TokenStep::RecordFailure) | remembers the failure beside the lock | `Done` with the old token, or the error |
//!
//! The driver releases the lock after `Done` or an error, and never holds it while a person is asked something.

mod after;
mod error;
mod pause;
mod refresh;
mod refresh_failure;

pub use after::{RecordFailure, ReloadAfterRejection, Save};
pub use error::{ReportedError, ReportedStep, StoreFailure, TokenError};
pub use refresh::{CheckWritable, DiscoveringForRefresh, RefreshingToken};
pub use refresh_failure::{RefreshFailure, RefreshFailureKind};

use crate::call::HttpCall;
use crate::freshness::{Freshness, FreshnessRules};
use crate::host_pin::{self, FirstUse};
use crate::issuer::IssuerTrust;
use crate::need::TokenCriteria;
use crate::oauth::Scopes;
use crate::oauth::TokenEndpointError;
use crate::oauth::client_auth::ClientAuth;
use crate::secret::AccessToken;
use crate::session::Session;
use crate::target::Target;
use crate::text::Sanitized;
use crate::time::{Lifetime, Moment, Timestamp};

/// Which token a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhichToken {
    /// A token newer than the one the caller last saw. If none is given: newer than the one in the store when the
    /// flow begins, unless that one is only seconds old ([`FreshnessRules::coalesce`]).
    Newer(Option<AccessToken>),
    /// Any token except this one, which an API has just rejected.
    Other(AccessToken),
    /// Any token that is valid now.
    Usable,
}

/// The settings of a token flow.
///
/// ```
/// use u2m_core::{AccessToken, WhichToken, Host, Session, Target, Timestamp, TokenRequest, TokenStep};
/// let target = Target::workspace(Host::parse("https://my-workspace.cloud.databricks.com").unwrap());
/// let now = Timestamp::from_unix(1_800_000_000);
/// let TokenStep::Load(load) = TokenRequest::new(target).start(WhichToken::Usable, now) else { panic!("loads first") };
/// let stored = Session::new(AccessToken::new("abc")).with_expiry(Timestamp::from_unix(1_800_003_600));
/// let TokenStep::Done(done) = load.loaded(Some(stored), now)? else { panic!("it is fresh") };
/// assert_eq!(done.session().access_token.expose(), "abc");
/// # Ok::<(), u2m_core::TokenError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenRequest {
    /// The login whose token is wanted.
    pub target: Target,
    /// The client that signed in.
    pub client_id: String,
    /// How the client authenticates. The default is not at all, as public clients do.
    pub client_auth: ClientAuth,
    /// Scopes that the login must have been granted. An empty set requires nothing.
    pub scopes: Scopes,
    /// When a token is valid, and when to refresh it.
    pub rules: FreshnessRules,
    /// Whether the driver supplies the endpoints itself at [`TokenStep::Discover`].
    pub own_endpoints: bool,
    /// Which hosts besides the target's may hold supplied endpoints: only those trusted by name. A login that was
    /// made with such a host records that itself.
    pub trust: IssuerTrust,
}

impl TokenRequest {
    /// Makes a request with defaults for everything except the target.
    ///
    /// ```
    /// use u2m_core::{ProfileName, Target, TokenRequest};
    /// let request = TokenRequest::new(Target::discovery(ProfileName::parse("dev").unwrap()));
    /// assert_eq!(request.client_id, "databricks-cli");
    /// ```
    pub fn new(target: Target) -> Self {
        Self {
            target,
            client_id: crate::login::DATABRICKS_CLI.to_owned(),
            client_auth: ClientAuth::None,
            scopes: Scopes::default(),
            rules: FreshnessRules::default(),
            own_endpoints: false,
            trust: IssuerTrust::databricks(),
        }
    }

    /// What to record about a login that another program saved, before its first use: such an entry does not say
    /// which host it is for, unless its key is that host's name. Call this before the flow takes the entry. Record
    /// the result once the flow has accepted the entry, and before it sends any of the entry's secrets.
    pub fn first_use(&self, entry: &Session) -> Option<FirstUse> {
        host_pin::first_use(entry, &self.target)
    }

    /// The freshness rules for a login: those of this request, adjusted to the login's host.
    pub fn rules_for(&self, session: &Session) -> FreshnessRules {
        let bound = || session.binding.as_ref().map(|binding| &binding.host);
        let rules = self.rules.clone();
        self.target.host().or_else(bound).into_iter().fold(rules, FreshnessRules::on)
    }

    /// Starts the flow. `now` is when the caller asked: a caller that asked before a refresh failed has waited for it
    /// and shares the failure. A clock reading finer than whole seconds makes this exact.
    pub fn start(self, question: impl Into<TokenCriteria>, now: impl Into<Moment>) -> TokenStep {
        let TokenCriteria { ask, at_least } = question.into();
        TokenStep::Load(Load(TokenFlow { request: self, ask, at_least, asked_at: now.into() }))
    }
}

/// The next step of a token flow, for the driver to carry out.
#[derive(Debug)]
#[must_use]
pub enum TokenStep {
    /// Fetch the host's metadata.
    Discover(HttpCall<DiscoveringForRefresh>),
    /// Return the token.
    Done(IssuedToken),
    /// Read the entry.
    Load(Load),
    /// Take the entry's lock.
    Lock(Lock),
    /// Remember a failure.
    RecordFailure(RecordFailure),
    /// Check that the store can be written.
    CheckWritable(CheckWritable),
    /// Read the entry again after the server rejected its refresh token.
    ReloadAfterRejection(ReloadAfterRejection),
    /// Send the refresh token.
    Refresh(HttpCall<RefreshingToken>),
    /// Read the entry again, under the lock.
    Reload(Reload),
    /// Save the new session.
    Save(Save),
}

/// What a flow carries from its first step to its last.
#[derive(Debug)]
pub(crate) struct TokenFlow {
    pub(crate) request: TokenRequest,
    pub(crate) ask: WhichToken,
    pub(crate) at_least: Lifetime,
    pub(crate) asked_at: Moment,
}

/// What to do with an entry.
enum EntryDecision {
    /// Use it.
    Good(Session),
    /// Refresh it ahead of time; the old token is still valid meanwhile.
    Ahead(Session),
    /// Refresh it; the old token is of no use.
    Due(Session),
}

impl TokenFlow {
    /// Compares an entry with what was asked for.
    fn judge(
        &mut self,
        entry: Option<Session>,
        now: Timestamp,
    ) -> Result<EntryDecision, TokenError> {
        let session = entry.ok_or(TokenError::NotFound)?;
        self.check_binding(&session)?;
        let freshness = self.freshness(&session, now);
        let judged = match (&self.ask, freshness) {
            (WhichToken::Usable, Freshness::Fresh) => EntryDecision::Good(session),
            (WhichToken::Usable, Freshness::Stale) if session.refresh_token.is_none() => {
                EntryDecision::Good(session)
            }
            (WhichToken::Usable, Freshness::Stale) => EntryDecision::Ahead(session),
            (
                WhichToken::Newer(Some(seen)) | WhichToken::Other(seen),
                Freshness::Fresh | Freshness::Stale,
            ) if *seen != session.access_token => EntryDecision::Good(session),
            (WhichToken::Newer(None), Freshness::Fresh | Freshness::Stale)
                if self.is_just_issued(&session, now) =>
            {
                EntryDecision::Good(session)
            }
            _ => EntryDecision::Due(session),
        };
        if let (WhichToken::Newer(seen @ None), EntryDecision::Due(session)) =
            (&mut self.ask, &judged)
        {
            *seen = Some(session.access_token.clone());
        }
        match judged {
            EntryDecision::Due(session) if session.refresh_token.is_none() => {
                Err(TokenError::MissingRefreshToken)
            }
            judged => Ok(judged),
        }
    }

    fn is_just_issued(&self, session: &Session, now: Timestamp) -> bool {
        let age = session.issued_at.map(|at| at.until(now));
        age.is_some_and(|age| age >= Lifetime::ZERO && age <= self.request.rules.coalesce)
    }

    /// A token belongs to the host, account, client and scopes that it was issued for (T20).
    fn check_binding(&self, session: &Session) -> Result<(), TokenError> {
        let differs = |what, stored: &str, wanted: &str| {
            let (stored, wanted) = (Sanitized::new(stored), Sanitized::new(wanted));
            Err(TokenError::Mismatch { what, stored, wanted })
        };
        let target = &self.request.target;
        let Some(binding) = &session.binding else {
            return match target.issuer_id() {
                // No other program saves logins of issuers that are not Databricks', so this one is something else.
                Some(issuer) => differs("issuer", "an issuer that is not known", issuer),
                None => match host_pin::elsewhere(session, target).zip(target.host()) {
                    Some((tie, host)) => differs("host", &tie.to_string(), host.as_str()),
                    None => Ok(()),
                },
            };
        };
        if let Some(host) = target.host().filter(|host| **host != binding.host) {
            return differs("host", binding.host.as_str(), host.as_str());
        }
        if let Some(issuer) = target.issuer_id().filter(|issuer| *issuer != binding.issuer) {
            return differs("issuer", &binding.issuer, issuer);
        }
        let stored_account = binding.account_id.as_deref().unwrap_or("no account");
        if let Some(account) = target.account_id().filter(|id| id.as_str() != stored_account) {
            return differs("account", stored_account, account.as_str());
        }
        if binding.client_id != self.request.client_id {
            return differs("client", &binding.client_id, &self.request.client_id);
        }
        let lacks = |granted: &&Scopes| {
            let missing = self.request.scopes.missing_from(granted);
            match target.issuer_id() {
                Some(_) => !missing.of_apis().is_empty(),
                None => !missing.is_empty(),
            }
        };
        if let Some(granted) = binding.scopes.as_ref().filter(lacks) {
            return differs("scopes", &granted.to_string(), &self.request.scopes.to_string());
        }
        Ok(())
    }

    /// Whether to return the old token if the refresh fails.
    fn may_keep(&self, session: &Session, now: Timestamp) -> bool {
        self.ask == WhichToken::Usable && self.freshness(session, now) != Freshness::Expired
    }

    /// How fresh an entry's token is for this request.
    fn freshness(&self, session: &Session, now: Timestamp) -> Freshness {
        self.request.rules_for(session).needing(self.at_least, session).of(session, now)
    }
}

/// Waits for the entry, read without a lock.
#[derive(Debug)]
#[must_use]
pub struct Load(TokenFlow);

impl Load {
    /// Takes the entry from the store.
    ///
    /// # Errors
    /// Fails if nothing is stored, if the entry belongs to another login, or if it has expired and cannot be
    /// refreshed.
    pub fn loaded(
        mut self,
        entry: Option<Session>,
        now: Timestamp,
    ) -> Result<TokenStep, TokenError> {
        Ok(match self.0.judge(entry, now)? {
            EntryDecision::Good(session) => TokenStep::Done(IssuedToken::stored(session)),
            EntryDecision::Ahead(session) => {
                TokenStep::Lock(Lock { inquiry: self.0, old: Some(session) })
            }
            EntryDecision::Due(_) => TokenStep::Lock(Lock { inquiry: self.0, old: None }),
        })
    }
}

/// Waits for the entry's lock.
#[derive(Debug)]
#[must_use]
pub struct Lock {
    inquiry: TokenFlow,
    old: Option<Session>,
}

impl Lock {
    /// Whether to wait for the lock. If not, the old token is still valid and whoever holds the lock is refreshing
    /// it.
    pub fn is_worth_waiting(&self) -> bool {
        self.old.is_none()
    }

    /// The driver holds the lock.
    pub fn locked(self) -> TokenStep {
        TokenStep::Reload(Reload(self.inquiry))
    }

    /// The driver did not get the lock: it is held elsewhere, or waiting for it took too long.
    ///
    /// # Errors
    /// Fails if there is no old token to fall back on.
    pub fn not_locked(self) -> Result<TokenStep, TokenError> {
        self.without(TokenError::LockTimeout)
    }

    /// The store cannot be locked at all, for example because its folder is not writable. No refresh token is spent.
    ///
    /// # Errors
    /// Fails with the store's failure, unless the old token is still valid.
    pub fn failed(self, failure: StoreFailure) -> Result<TokenStep, TokenError> {
        self.without(TokenError::Store(failure))
    }

    fn without(self, error: TokenError) -> Result<TokenStep, TokenError> {
        match self.old {
            Some(old) => Ok(TokenStep::Done(IssuedToken::kept(old, error))),
            None => Err(error),
        }
    }
}

/// Waits for the entry, read again under the lock.
#[derive(Debug)]
#[must_use]
pub struct Reload(TokenFlow);

impl Reload {
    /// Takes the entry from the store, and the remembered failure of the last refresh, if there is one.
    ///
    /// # Errors
    /// As for [`Load::loaded`]. Also fails with the remembered failure if it applies to this entry.
    pub fn loaded(
        mut self,
        entry: Option<Session>,
        refresh_failure: Option<RefreshFailure>,
        now: Timestamp,
    ) -> Result<TokenStep, TokenError> {
        let (session, can_wait) = match self.0.judge(entry, now)? {
            EntryDecision::Good(session) => {
                return Ok(TokenStep::Done(IssuedToken::stored(session)));
            }
            EntryDecision::Ahead(session) => (session, true),
            EntryDecision::Due(session) => (session, false),
        };
        if let Some(error) = self.remembered(refresh_failure, &session, can_wait, now) {
            if self.0.may_keep(&session, now) {
                return Ok(TokenStep::Done(IssuedToken::kept(session, error)));
            }
            return Err(error);
        }
        Ok(TokenStep::CheckWritable(CheckWritable::new(self.0, session)))
    }

    /// The remembered failure, if refreshing this entry would only meet it again.
    fn remembered(
        &self,
        refresh_failure: Option<RefreshFailure>,
        session: &Session,
        can_wait: bool,
        now: Timestamp,
    ) -> Option<TokenError> {
        let refresh_failure = refresh_failure
            .filter(|refresh_failure| refresh_failure.of == session.fingerprint())?;
        let age = refresh_failure.at.second().until(now);
        // A failure dated in the future means that the clock was set back since; it says nothing about this wait.
        let is_shared = age >= Lifetime::ZERO
            && if can_wait {
                age < self.0.request.rules.pause
            } else {
                refresh_failure.at >= self.0.asked_at
            };
        let left = refresh_failure.left_of_pause(now);
        match refresh_failure.kind {
            RefreshFailureKind::Rejected(refusal) if refusal.rejects_the_refresh_token() => {
                Some(TokenError::Rejected(refusal))
            }
            // A person may have done what was asked for in the meantime.
            RefreshFailureKind::Rejected(refusal) => {
                is_shared.then(|| TokenError::Refresh(TokenEndpointError::Refused(refusal)))
            }
            // Whoever forces a refresh knows of the failure, and may know that the server accepts its refresh tokens
            // again.
            RefreshFailureKind::Spent(text) => (!matches!(self.0.ask, WhichToken::Newer(_)))
                .then_some(TokenError::SpentInVain(text)),
            // A pause that the server asked for applies to every caller, including one in a hurry.
            RefreshFailureKind::Transient(why) => match left {
                Some(left) => Some(TokenError::Postponed { left, why }),
                None => is_shared.then_some(TokenError::TriedJustNow(why)),
            },
        }
    }
}

/// A token to return, and where it came from.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    session: Session,
    how: TokenOrigin,
}

/// Where a token came from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TokenOrigin {
    /// It is the old token, still valid, because the refresh failed.
    Kept(TokenError),
    /// It was fetched and saved.
    Renewed,
    /// It was fetched but could not be saved: other processes do not have it, and the old refresh token may be spent.
    RenewedUnsaved(StoreFailure),
    /// It was in the store.
    Stored,
}

impl IssuedToken {
    /// Makes one from a session that another process issued. The flows of this crate make their own.
    ///
    /// ```
    /// use u2m_core::{AccessToken, TokenOrigin, IssuedToken, Session};
    /// let issued = IssuedToken::new(Session::new(AccessToken::new("a")), TokenOrigin::Renewed);
    /// assert!(matches!(issued.how(), TokenOrigin::Renewed));
    /// ```
    pub fn new(session: Session, how: TokenOrigin) -> Self {
        Self { session, how }
    }

    fn stored(session: Session) -> Self {
        Self { session, how: TokenOrigin::Stored }
    }

    fn kept(session: Session, why: TokenError) -> Self {
        Self { session, how: TokenOrigin::Kept(why) }
    }

    /// The session that the token belongs to.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Where the token came from.
    pub fn how(&self) -> &TokenOrigin {
        &self.how
    }
}

#[cfg(test)]
mod tests;
