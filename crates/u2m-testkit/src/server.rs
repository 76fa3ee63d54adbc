//! The fake server itself: takes requests and the time, returns replies. It has no clock and no socket.

use std::{fmt, time::Duration};

use http::{Request, Response, StatusCode};
use serde_json::json;
use u2m_core::Timestamp;

use crate::{
    device::Devices,
    echo,
    fault::{Effect, Endpoint, Fault, Script, Times},
    host::{Issuer, WellKnown},
    journal::{Counts, Journal, Seen},
    ledger::{Ledger, LedgerGrant},
    mint::Mint,
    reply::{self, Deferred, Outcome, Reply},
    route::Route,
    settings::{RotateOn, Settings},
};

/// A fake authorization server as a state machine.
///
/// ```
/// use u2m_testkit::{FakeServer, Settings, Timestamp, http::Request};
/// let mut server = FakeServer::new("http://127.0.0.1:8080", Settings::new());
/// let request = Request::get("/oidc/.well-known/oauth-authorization-server").body(vec![])?;
/// let response = server.respond(&request, Timestamp::from_unix(1_800_000_000));
/// assert_eq!(response.status(), 200);
/// assert_eq!(server.counts().metadata, 1);
/// # Ok::<(), u2m_testkit::http::Error>(())
/// ```
pub struct FakeServer {
    pub(crate) base: String,
    pub(crate) journal: Journal,
    pub(crate) ledger: Ledger,
    pub(crate) mint: Mint,
    pub(crate) settings: Settings,
    pub(crate) devices: Devices,
    script: Script,
}

/// The tokens of one token response.
#[derive(Clone)]
pub struct IssuedTokens {
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) expires: Timestamp,
}

impl IssuedTokens {
    /// The access token.
    pub fn access_token(&self) -> &str {
        &self.access_token
    }

    /// The refresh token, if the scopes include `offline_access`.
    pub fn refresh_token(&self) -> Option<&str> {
        self.refresh_token.as_deref()
    }

    /// When the access token expires.
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }
}

/// Shows no token.
impl fmt::Debug for IssuedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedTokens").field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl FakeServer {
    /// Creates a server that considers `base_url` its address (scheme, host and port; a trailing slash is removed).
    ///
    /// ```
    /// use u2m_testkit::{FakeServer, Settings};
    /// let server = FakeServer::new("http://127.0.0.1:8080/", Settings::new());
    /// assert_eq!(server.base_url(), "http://127.0.0.1:8080");
    /// ```
    pub fn new(base_url: &str, settings: Settings) -> Self {
        let base = base_url.trim_end_matches('/').to_owned();
        Self {
            mint: Mint::new(&base, settings.seed),
            base,
            journal: Journal::default(),
            ledger: Ledger::default(),
            settings,
            devices: Devices::default(),
            script: Script::default(),
        }
    }

    /// Answers a request at once. Delays are skipped, and a fault that would leave the client without a proper answer becomes an
    /// empty answer with status 504.
    #[must_use = "the client is waiting"]
    pub fn respond(&mut self, request: &Request<Vec<u8>>, now: Timestamp) -> Response<Vec<u8>> {
        let outcome = match self.receive(request, now).outcome {
            Outcome::Deferred(deferred) => self.finish(deferred, now),
            outcome => outcome,
        };
        match outcome {
            Outcome::Answer(response) => response,
            Outcome::CutShort(_) | Outcome::Deferred(_) | Outcome::Drop | Outcome::Hang => {
                reply::prescribed(StatusCode::GATEWAY_TIMEOUT, &[], Vec::new())
            }
        }
    }

    /// Accepts a request that arrived at `now`, and returns what its client should notice of it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use u2m_testkit::{Endpoint, FakeServer, Fault, Outcome, Settings, Times, Timestamp, http};
    /// let mut server = FakeServer::new("http://127.0.0.1:8080", Settings::new());
    /// server.inject(Endpoint::Any, Times::Once, Fault::delay(Duration::from_millis(50)));
    /// let request = http::Request::get("/").body(vec![])?;
    /// let reply = server.receive(&request, Timestamp::from_unix(1_800_000_000));
    /// assert_eq!(reply.delay, Duration::from_millis(50));
    /// assert!(matches!(reply.outcome, Outcome::Answer(_)));
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn receive(&mut self, request: &Request<Vec<u8>>, now: Timestamp) -> Reply {
        let endpoint = Route::of(request).endpoint();
        self.journal.record(request, endpoint, now);
        let Some(fault) = self.script.take(endpoint) else {
            return Reply {
                delay: Duration::ZERO,
                outcome: Outcome::Answer(self.truth(request, now)),
            };
        };
        self.journal.counts.faults += 1;
        let Fault { delay, effect, processed } = fault;
        let defer = self.settings.rotate_on == RotateOn::Answer && !delay.is_zero();
        let outcome = match (processed, defer) {
            (true, true) => Outcome::Deferred(Deferred { request: request.clone(), effect }),
            (true, false) => {
                let truth = self.truth(request, now);
                bend(request, truth, effect)
            }
            (false, _) => bend(request, reply::prescribed(StatusCode::OK, &[], Vec::new()), effect),
        };
        Reply { delay, outcome }
    }

    /// Lets a deferred request take effect at the end of its delay.
    #[must_use = "the client is waiting"]
    pub fn finish(&mut self, deferred: Deferred, now: Timestamp) -> Outcome {
        let truth = self.truth(&deferred.request, now);
        bend(&deferred.request, truth, deferred.effect)
    }

    /// Adds a fault to the end of the endpoint's queue.
    pub fn inject(&mut self, endpoint: Endpoint, times: Times, fault: Fault) {
        self.script.push(endpoint, times, fault);
    }

    /// Removes all waiting faults.
    pub fn clear_faults(&mut self) {
        self.script.clear();
    }

    /// Changes the settings from now on. What was issued stays as it is.
    ///
    /// ```
    /// use u2m_testkit::{FakeServer, Rotation, Settings};
    /// let mut server = FakeServer::new("http://127.0.0.1:8080", Settings::new());
    /// server.reconfigure(|settings| settings.with_rotation(Rotation::Off));
    /// ```
    pub fn reconfigure(&mut self, change: impl FnOnce(Settings) -> Settings) {
        self.settings = change(std::mem::take(&mut self.settings));
    }

    /// Ends every login, as an administrator could: all tokens become invalid.
    pub fn revoke_all(&mut self) {
        self.ledger.revoke_all(&mut self.journal.counts);
    }

    /// Starts a login at the workspace's issuer without a browser, for tests that need an existing login. Scopes are separated
    /// by spaces.
    ///
    /// ```
    /// use u2m_testkit::{FakeServer, Settings, Timestamp};
    /// let mut server = FakeServer::new("http://127.0.0.1:8080", Settings::new());
    /// let now = Timestamp::from_unix(1_800_000_000);
    /// let tokens = server.sign_in("databricks-cli", "offline_access all-apis", now);
    /// assert!(server.is_active(tokens.access_token(), now));
    /// assert!(tokens.refresh_token().is_some_and(|token| token.starts_with("doau")));
    /// ```
    pub fn sign_in(&mut self, client_id: &str, scope: &str, now: Timestamp) -> IssuedTokens {
        self.sign_in_at(Issuer::Workspace, client_id, scope, now)
    }

    /// Starts a login at an account's issuer without a browser.
    ///
    /// ```
    /// use u2m_testkit::{FakeServer, Settings, Timestamp};
    /// let mut server = FakeServer::new("http://127.0.0.1:8080", Settings::new());
    /// let now = Timestamp::from_unix(1_800_000_000);
    /// let tokens = server.sign_in_to_account("acc-1", "databricks-cli", "all-apis", now);
    /// assert_eq!(tokens.refresh_token(), None);
    /// ```
    pub fn sign_in_to_account(
        &mut self,
        account_id: &str,
        client_id: &str,
        scope: &str,
        now: Timestamp,
    ) -> IssuedTokens {
        self.sign_in_at(Issuer::Account(account_id.to_owned()), client_id, scope, now)
    }

    /// Returns scheme, host and port without a trailing slash.
    pub fn base_url(&self) -> &str {
        &self.base
    }

    /// Returns the counters of everything that has happened so far.
    pub const fn counts(&self) -> Counts {
        self.journal.counts
    }

    /// Returns the latest requests, oldest first, at most 1024.
    pub fn seen(&self) -> impl Iterator<Item = &Seen> {
        self.journal.seen()
    }

    /// Whether this access token was issued here, has not expired and belongs to an active login.
    pub fn is_active(&self, access_token: &str, now: Timestamp) -> bool {
        self.ledger.active(access_token, now).is_some()
    }

    /// Whether a refresh with this token would succeed now: it is the current one of an active login, or the previous one within
    /// the grace period of [`Settings::with_retry_grace`].
    pub fn is_refreshable(&self, refresh_token: &str, now: Timestamp) -> bool {
        self.ledger.is_refreshable(refresh_token, self.settings.retry_grace, now)
    }

    /// Whether the latest login is active and has a current refresh token. It does not say whether anybody holds that token; see
    /// [`FakeServer::is_refreshable`].
    pub fn is_login_alive(&self, now: Timestamp) -> bool {
        self.ledger.is_latest_alive(now)
    }

    fn sign_in_at(
        &mut self,
        issuer: Issuer,
        client_id: &str,
        scope: &str,
        now: Timestamp,
    ) -> IssuedTokens {
        let scopes: Vec<String> = scope.split_ascii_whitespace().map(str::to_owned).collect();
        let offline = scopes.iter().any(|scope| scope == "offline_access");
        let client_id = client_id.to_owned();
        let family = self.ledger.begin(LedgerGrant { issuer, client_id, scopes: scopes.clone() });
        self.issue(family, &scopes, offline, now)
    }

    /// The answer without any fault.
    fn truth(&mut self, request: &Request<Vec<u8>>, now: Timestamp) -> Response<Vec<u8>> {
        match Route::of(request) {
            Route::Api => self.api(request, now),
            Route::Authorize(issuer) => self.authorize(issuer, request, now),
            Route::HostMetadata => match self.settings.host.document(&self.base) {
                Some(document) => reply::json(StatusCode::OK, &document),
                None => not_found(),
            },
            Route::LoginPage => self.login_page(request),
            Route::Device(issuer) => self.device(&issuer, request, now),
            Route::Revoke(issuer) => self.revoke(&issuer, request),
            Route::Metadata(_, at)
                if at != WellKnown::Databricks && at != self.settings.well_known =>
            {
                not_found()
            }
            Route::Metadata(issuer, _) => {
                reply::json(StatusCode::OK, &issuer.document(&self.base, &self.settings))
            }
            Route::Token(issuer) => self.token(&issuer, request, now),
            Route::Unknown => not_found(),
        }
    }
}

/// Shows the address and the counters.
impl fmt::Debug for FakeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeServer")
            .field("base_url", &self.base)
            .field("counts", &self.journal.counts)
            .finish_non_exhaustive()
    }
}

/// Applies a fault to the proper answer.
fn bend(request: &Request<Vec<u8>>, mut truth: Response<Vec<u8>>, effect: Effect) -> Outcome {
    match effect {
        Effect::CutShort => Outcome::CutShort(truth),
        Effect::Drop => Outcome::Drop,
        Effect::Echo { status, error, repeat } => {
            let headers = [("content-type", "application/json".to_owned())];
            let body = echo::body(request, &error, repeat);
            Outcome::Answer(reply::prescribed(status, &headers, body))
        }
        Effect::Hang => Outcome::Hang,
        Effect::Say { status, headers, body } => {
            Outcome::Answer(reply::prescribed(status, &headers, body))
        }
        Effect::Truth => Outcome::Answer(truth),
        Effect::Under(status) => {
            *truth.status_mut() = status;
            Outcome::Answer(truth)
        }
    }
}

pub(crate) fn not_found() -> Response<Vec<u8>> {
    reply::json(
        StatusCode::NOT_FOUND,
        &json!({"error_code": "ENDPOINT_NOT_FOUND", "message": "no such endpoint"}),
    )
}
