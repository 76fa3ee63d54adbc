//! Getting a token: from the store when it is fresh, by one refresh for all callers when it is not.
//!
//! | step | the driver does | then |
//! |---|---|---|
//! | [`Load`](TokenStep::Load) | reads the entry: no lock, no write | `Done`, or `Lock` |
//! | [`Lock`](TokenStep::Lock) | takes the entry's lock, or only tries to | `Reload`; `Done` with the old token |
//! | [`Reload`](TokenStep::Reload) | reads the entry again, and what is remembered of a failure | `Done`, or `CheckWritable` |
//! | [`CheckWritable`](TokenStep::CheckWritable) | shows that the store can be written | `Discover` or `Refresh` |
//! | [`Discover`](TokenStep::Discover) | fetches the host's metadata, if no endpoint is known | `Refresh` |
//! | [`Refresh`](TokenStep::Refresh) | sends the refresh token, unless another login has met a pause: from here to `Save` nothing may cancel it | `Save`, `ReloadAfterRejection`, `RecordFailure`; `Done` with the old token |
//! | [`Save`](TokenStep::Save) | saves the new session | `Done` |
//! | [`ReloadAfterRejection`](TokenStep::ReloadAfterRejection) | reads the entry once more: another program may have rotated it | `CheckWritable`, `Done`, `RecordFailure` |
//! | [`RecordFailure`](TokenStep::RecordFailure) | remembers the failure beside the lock | `Done` with the old token, or the error |
//!
//! The lock is given back after `Done` or an error, and never held while a person is asked.

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
    /// A token newer than the one the caller last saw. Without one, newer than what the store holds when the flow
    /// begins, unless that is only seconds old ([`FreshnessRules::coalesce`]).
    Newer(Option<AccessToken>),
    /// Any token but this one, which an API has just rejected.
    Other(AccessToken),
    /// A token that is good now.
    Usable,
}

/// What a token flow needs to know before it starts.
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
    /// Whose token.
    pub target: Target,
    /// The client that signed in.
    pub client_id: String,
    /// How it shows who it is: not at all, unless it is a confidential one.
    pub client_auth: ClientAuth,
    /// Scopes that the login must have been granted; none asks for nothing in particular.
    pub scopes: Scopes,
    /// When a token is good, and when to renew it.
    pub rules: FreshnessRules,
    /// Whether the driver brings endpoints of its own to [`TokenStep::Discover`].
    pub own_endpoints: bool,
    /// Which hosts those may be on besides the target's, by name: a login that was made with one of them says so itself.
    pub trust: IssuerTrust,
}

impl TokenRequest {
    /// Takes the target; everything else has a default.
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

    /// What is to be recorded of a login that another program saved, when it is about to be used for the first time: nothing
    /// says by its name which host it is for. To be asked before the flow takes the entry, and to be recorded once the flow
    /// has not refused it: before anything of it is sent.
    pub fn first_use(&self, entry: &Session) -> Option<FirstUse> {
        host_pin::first_use(entry, &self.target)
    }

    /// The rules that hold for a login: those of the request, as its host takes them.
    pub fn rules_for(&self, session: &Session) -> FreshnessRules {
        let bound = || session.binding.as_ref().map(|binding| &binding.host);
        let rules = self.rules.clone();
        self.target.host().or_else(bound).into_iter().fold(rules, FreshnessRules::on)
    }

    /// Begins; `now` is when the caller asked. Whoever asked before a failure fell has waited for it and shares it, so that where
    /// a reading of a clock has more than whole seconds, it is better.
    pub fn start(self, question: impl Into<TokenCriteria>, now: impl Into<Moment>) -> TokenStep {
        let TokenCriteria { ask, at_least } = question.into();
        TokenStep::Load(Load(TokenFlow { request: self, ask, at_least, asked_at: now.into() }))
    }
}

/// What the driver of a token flow has to do next.
#[derive(Debug)]
#[must_use]
pub enum TokenStep {
    /// Fetch the host's metadata.
    Discover(HttpCall<DiscoveringForRefresh>),
    /// Hand out the token.
    Done(IssuedToken),
    /// Read the entry.
    Load(Load),
    /// Take the entry's lock.
    Lock(Lock),
    /// Remember a failure.
    RecordFailure(RecordFailure),
    /// Show that the store can be written.
    CheckWritable(CheckWritable),
    /// Read the entry again after a rejection.
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

/// What to do about an entry.
enum EntryDecision {
    /// It will do.
    Good(Session),
    /// It is to be renewed; the old token stays good meanwhile.
    Ahead(Session),
    /// It is to be renewed, and nothing else will do.
    Due(Session),
}

impl TokenFlow {
    /// Holds an entry against what was asked for.
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
                // No other program keeps logins of other issuers than Databricks': this one is of something else.
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

    /// Whether the old token may stand in when renewing it fails.
    fn may_keep(&self, session: &Session, now: Timestamp) -> bool {
        self.ask == WhichToken::Usable && self.freshness(session, now) != Freshness::Expired
    }

    /// How good an entry's token is for what was asked.
    fn freshness(&self, session: &Session, now: Timestamp) -> Freshness {
        self.request.rules_for(session).needing(self.at_least, session).of(session, now)
    }
}

/// Awaits the entry, read without a lock.
#[derive(Debug)]
#[must_use]
pub struct Load(TokenFlow);

impl Load {
    /// Takes what the store holds.
    ///
    /// # Errors
    /// Nothing is stored; or it is another login's; or it has run out and cannot be renewed.
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

/// Awaits the entry's lock.
#[derive(Debug)]
#[must_use]
pub struct Lock {
    inquiry: TokenFlow,
    old: Option<Session>,
}

impl Lock {
    /// Whether to wait for the lock. If not, the old token is still good, and who holds the lock is renewing it.
    pub fn is_worth_waiting(&self) -> bool {
        self.old.is_none()
    }

    /// The lock is held.
    pub fn locked(self) -> TokenStep {
        TokenStep::Reload(Reload(self.inquiry))
    }

    /// The lock could not be had: busy, or not within the caller's patience.
    ///
    /// # Errors
    /// There is no old token to fall back on.
    pub fn not_locked(self) -> Result<TokenStep, TokenError> {
        self.without(TokenError::LockTimeout)
    }

    /// There can be no lock at all: the store's folder cannot be written, say. No refresh token is spent.
    ///
    /// # Errors
    /// The store's failure, unless the old token is still good.
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

/// Awaits the entry, read again under the lock.
#[derive(Debug)]
#[must_use]
pub struct Reload(TokenFlow);

impl Reload {
    /// Takes what the store holds now, and what is remembered of the last refresh that failed.
    ///
    /// # Errors
    /// As [`Load::loaded`]; and what is remembered, if it is about this very entry.
    pub fn loaded(
        mut self,
        entry: Option<Session>,
        verdict: Option<RefreshFailure>,
        now: Timestamp,
    ) -> Result<TokenStep, TokenError> {
        let (session, can_wait) = match self.0.judge(entry, now)? {
            EntryDecision::Good(session) => {
                return Ok(TokenStep::Done(IssuedToken::stored(session)));
            }
            EntryDecision::Ahead(session) => (session, true),
            EntryDecision::Due(session) => (session, false),
        };
        if let Some(error) = self.remembered(verdict, &session, can_wait, now) {
            if self.0.may_keep(&session, now) {
                return Ok(TokenStep::Done(IssuedToken::kept(session, error)));
            }
            return Err(error);
        }
        Ok(TokenStep::CheckWritable(CheckWritable::new(self.0, session)))
    }

    /// The failure that this entry's refresh would only meet again.
    fn remembered(
        &self,
        verdict: Option<RefreshFailure>,
        session: &Session,
        can_wait: bool,
        now: Timestamp,
    ) -> Option<TokenError> {
        let verdict = verdict.filter(|verdict| verdict.of == session.fingerprint())?;
        let age = verdict.at.second().until(now);
        // One that is said to have fallen in the future tells of a clock that was set back, not of this wait.
        let is_shared = age >= Lifetime::ZERO
            && if can_wait {
                age < self.0.request.rules.pause
            } else {
                verdict.at >= self.0.asked_at
            };
        let left = verdict.left_of_pause(now);
        match verdict.kind {
            RefreshFailureKind::Rejected(refusal) if refusal.rejects_the_refresh_token() => {
                Some(TokenError::Rejected(refusal))
            }
            // A person may have done what was asked for since.
            RefreshFailureKind::Rejected(refusal) => {
                is_shared.then(|| TokenError::Refresh(TokenEndpointError::Refused(refusal)))
            }
            // Whoever forces a refresh has been told, and may know that the server keeps its refresh tokens.
            RefreshFailureKind::Spent(text) => (!matches!(self.0.ask, WhichToken::Newer(_)))
                .then_some(TokenError::SpentInVain(text)),
            // That the server wants to be left alone holds for whoever comes, also for whoever is in a hurry.
            RefreshFailureKind::Passing(why) => match left {
                Some(left) => Some(TokenError::Postponed { left, why }),
                None => is_shared.then_some(TokenError::TriedJustNow(why)),
            },
        }
    }
}

/// A token to hand out, and where it comes from.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    session: Session,
    how: TokenOrigin,
}

/// Where a token comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TokenOrigin {
    /// It is the old one, still good, because renewing it failed.
    Kept(TokenError),
    /// It was fetched and saved.
    Renewed,
    /// It was fetched, and could not be saved: other processes do not have it, and the old refresh token may be spent.
    RenewedUnsaved(StoreFailure),
    /// It was in the store.
    Stored,
}

impl IssuedToken {
    /// What another process issued. The flows of this crate make their own.
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

    /// The session that the token is of.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Where it comes from.
    pub fn how(&self) -> &TokenOrigin {
        &self.how
    }
}

#[cfg(test)]
mod tests;
