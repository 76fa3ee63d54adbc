//! `PersistentAuth`: one login that all programs of the user on this machine share.

use crate::builder::Builder;
use crate::challenge::{ChallengeError, LoginSettings, SignedIn, challenge};
use crate::device::challenge_device;
use crate::refresher::{LateSave, Refresher};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use u2m_cache::Notice;
use u2m_core::{CacheKey, StoreFailure, Target, Token, TokenError, WhichToken};
use u2m_http::{Flight, SharedToken};

/// One login: signs in once, and from then on returns fresh access tokens, with one refresh for all threads and processes that
/// share its store. Cheap to clone; clones share everything.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use u2m::{Host, PersistentAuth, Target};
/// let target = Target::workspace(Host::parse("https://my-workspace.cloud.databricks.com")?);
/// let auth = PersistentAuth::builder(target).build()?;
/// if auth.token().await.is_err_and(|error| error.needs_login()) {
///     auth.challenge().await?;
/// }
/// let token = auth.token().await?;
/// println!("good until {:?}", token.expiry());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PersistentAuth {
    pub(crate) shared: SharedToken<Refresher>,
    pub(crate) desk: Arc<LoginSettings>,
}

impl PersistentAuth {
    /// Starts describing a login to `target`; see [`Builder`].
    ///
    /// ```
    /// use u2m::{Host, PersistentAuth, Target};
    /// use u2m::store::MemoryStore;
    /// let target = Target::workspace(Host::parse("https://a.example")?);
    /// let auth = PersistentAuth::builder(target).with_store(MemoryStore::new()).build()?;
    /// assert_eq!(auth.cache_key().as_str(), "https://a.example");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(target: Target) -> Builder {
        Builder::new(target)
    }

    /// Signs in: opens the browser, waits for the person and saves the login. Nothing else in this crate opens a browser. Must
    /// be called within a tokio runtime. Dropping the future ends the wait and frees the port.
    ///
    /// # Errors
    /// Fails if the person declines or does not return in time, if the host does not support OAuth, or if no port is free.
    pub async fn challenge(&self) -> Result<SignedIn, ChallengeError> {
        challenge(&self.desk, &self.shared).await
    }

    /// Signs in on another device (RFC 8628): shows a code ([`Person::enter_code`](crate::login::Person::enter_code)) that the
    /// person enters in a browser on any device, and waits until that is done. For machines without a browser, and only where
    /// the server offers it. It is never used as a fallback for [`PersistentAuth::challenge`], because people can be talked into
    /// entering somebody else's code. Must be called within a tokio runtime. Dropping the future ends the wait.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let target = u2m::Target::issuer("https://id.example")?;
    /// let auth = u2m::PersistentAuth::builder(target).with_client_id("my-command-line").build()?;
    /// let signed_in = auth.challenge_device().await?;
    /// println!("good until {:?}", signed_in.token().expiry());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Fails if the server does not offer device logins, or if the person declines or does not enter the code before it expires.
    pub async fn challenge_device(&self) -> Result<SignedIn, ChallengeError> {
        challenge_device(&self.desk, &self.shared).await
    }

    /// Returns an access token that is good now: from memory, from the store, or by a refresh. Never opens a browser. Dropping
    /// the future cancels only the wait: a refresh that has begun is finished and saved.
    ///
    /// # Errors
    /// Fails if there is no login, if it has ended, or if its server cannot be reached; see [`TokenError::needs_login`] and
    /// [`TokenError::is_transient`]. Fails with [`TokenError::StillWaiting`] or [`TokenError::OutOfTime`] when the time set by
    /// [`Builder::with_wait`] is over.
    pub async fn token(&self) -> Result<Token, TokenError> {
        match self.shared.fresh() {
            Some(token) => Ok(token),
            // Boxed, so that the path for a fresh token stays small.
            None => Box::pin(self.shared.ask(WhichToken::Usable)).await,
        }
    }

    /// Returns a token newer than any that this process has returned so far. In a process that has returned none, a token that
    /// another process fetched within the last 5 seconds counts as new. Concurrent callers share one refresh.
    ///
    /// # Errors
    /// As [`PersistentAuth::token`], except that an old token is never returned in place of a new one.
    /// [`TokenError::Postponed`]: the server has asked for a pause, which forced refreshes respect too.
    pub async fn force_refresh(&self) -> Result<Token, TokenError> {
        Box::pin(self.shared.ask(self.newer())).await
    }

    /// Returns a replacement for a token that an API has rejected with 401: the one that another caller has fetched since, or
    /// else a new one. Never returns the rejected token.
    ///
    /// # Errors
    /// As [`PersistentAuth::force_refresh`]; also [`TokenError::SameTokenAgain`].
    pub async fn refresh_rejected(&self, rejected: &Token) -> Result<Token, TokenError> {
        Box::pin(self.shared.ask(WhichToken::Other(rejected.access_token().clone()))).await
    }

    /// Returns the token in memory until it expires, even if a renewal is due. Reads no file, sends no request and does not
    /// wait.
    ///
    /// ```
    /// use u2m::{Host, PersistentAuth, Target};
    /// use u2m::store::MemoryStore;
    /// let target = Target::workspace(Host::parse("https://a.example")?);
    /// let auth = PersistentAuth::builder(target).with_store(MemoryStore::new()).build()?;
    /// assert!(auth.peek().is_none(), "nobody has asked for a token yet");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn peek(&self) -> Option<Token> {
        self.shared.fresh().or_else(|| self.shared.good())
    }

    /// The target that this login is for.
    pub fn target(&self) -> &Target {
        self.keeper().target()
    }

    /// The key under which the login is stored.
    pub fn cache_key(&self) -> &CacheKey {
        &self.keeper().key
    }

    /// Takes the notices that have accumulated, such as a damaged file that was set aside, a file mode that was tightened, or a
    /// token that could not be saved.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.keeper().take_notices()
    }

    /// Waits until every refresh and login of this process that has spent a code or refresh token has saved the result, for at
    /// most `patience`. Returns whether that is so. Call it before you end a process on a signal. Listeners need no closing:
    /// dropping the future of [`PersistentAuth::challenge`] frees its port. The wait runs on a thread of its own, so that a
    /// single-threaded runtime can go on; blocking code has [its own `close`](crate::blocking::PersistentAuth::close).
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// use std::time::Duration;
    /// use u2m::{Host, PersistentAuth, Target};
    /// use u2m::store::MemoryStore;
    /// let target = Target::workspace(Host::parse("https://a.example")?);
    /// let auth = PersistentAuth::builder(target).with_store(MemoryStore::new()).build()?;
    /// assert!(auth.close(Duration::from_secs(10)).await, "nothing is under way");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn close(&self, patience: Duration) -> bool {
        let keeper = Arc::clone(self.keeper());
        match Flight::start("u2m-close", move || keeper.close(patience)) {
            Ok(flight) => flight.wait().await.unwrap_or(false),
            // At the end of a program, blocking this thread holds nobody up.
            Err(_) => self.keeper().close(patience),
        }
    }

    /// Tries for another minute to save a login that could not be saved ([`SignedIn::unsaved`]), or until `is_enough` returns
    /// true. If the login still cannot be saved, it is revoked where its server offers that, within 5 seconds, and forgotten.
    /// For programs that have no use for a login that ends with the process.
    ///
    /// ```no_run
    /// # async fn example(auth: u2m::PersistentAuth) -> Result<(), Box<dyn std::error::Error>> {
    /// use u2m::process::LateSave;
    /// let signed_in = auth.challenge().await?;
    /// if signed_in.unsaved().is_some()
    ///     && let LateSave::GivenUp { why, revoked } = auth.save_or_give_up(|| false).await
    /// {
    ///     eprintln!("signed in for nothing: {why}; revoked: {revoked:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn save_or_give_up(&self, is_enough: impl Fn() -> bool + Send + 'static) -> LateSave {
        let shared = self.shared.clone();
        let work = move || shared.source().save_or_give_up(is_enough, || shared.forget());
        let started = Flight::start("u2m-save", work);
        let landed = match started {
            Ok(flight) => flight.wait().await,
            Err(error) => {
                return LateSave::GivenUp { why: StoreFailure::new(error), revoked: None };
            }
        };
        landed.unwrap_or_else(|| LateSave::GivenUp {
            why: StoreFailure::new(std::io::Error::other("the work broke")),
            revoked: None,
        })
    }

    pub(crate) fn keeper(&self) -> &Arc<Refresher> {
        self.shared.source()
    }

    /// What to ask for when a caller wants a token newer than any that was returned here.
    pub(crate) fn newer(&self) -> WhichToken {
        WhichToken::Newer(self.shared.last_seen())
    }
}

impl fmt::Debug for PersistentAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersistentAuth")
            .field("key", &self.keeper().key)
            .field("store", &self.keeper().store)
            .finish()
    }
}
