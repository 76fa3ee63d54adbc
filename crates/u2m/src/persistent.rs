//! `PersistentAuth`: one login, shared by everybody on this machine who may.

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

/// One login: signs in once, and from then on hands out fresh tokens, with one refresh for all threads and processes that
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
    /// Begins to describe a login to `target`; see [`Builder`].
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

    /// Signs in: opens the browser, waits for the person, saves the login. Nothing else in this crate opens a browser.
    /// Runs within a tokio runtime. Dropping the future ends the wait and frees the port.
    ///
    /// # Errors
    /// The person said no, or did not come; the host does not speak OAuth; no port is free.
    pub async fn challenge(&self) -> Result<SignedIn, ChallengeError> {
        challenge(&self.desk, &self.shared).await
    }

    /// Signs in on another device (RFC 8628): shows a code ([`Person::enter_code`](crate::login::Person::enter_code)), which the person
    /// enters wherever there is a browser, and waits until that is done. For machines without a browser, and only where the
    /// server offers it. It is never begun instead of [`PersistentAuth::challenge`]: people can be talked into entering codes.
    /// Runs within a tokio runtime. Dropping the future ends the wait.
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
    /// The server offers no such login; the person said no, or did not come before the code ran out.
    pub async fn challenge_device(&self) -> Result<SignedIn, ChallengeError> {
        challenge_device(&self.desk, &self.shared).await
    }

    /// A token that is good now: the one in hand, the one in the store, or a new one. Never opens a browser. Dropping the
    /// future cancels nothing but the wait: a refresh that has begun is finished and saved.
    ///
    /// # Errors
    /// There is no login, it has ended, or its server cannot be reached; see [`TokenError::needs_login`] and
    /// [`TokenError::is_transient`]. [`TokenError::StillWaiting`] and [`TokenError::OutOfTime`]: the time of
    /// [`Builder::with_wait`] is over.
    pub async fn token(&self) -> Result<Token, TokenError> {
        match self.shared.fresh() {
            Some(token) => Ok(token),
            // Boxed, so that the way of a fresh token carries none of it.
            None => Box::pin(self.shared.ask(WhichToken::Usable)).await,
        }
    }

    /// A token newer than any that this process has handed out. In a process that has handed out none, one that another
    /// process fetched within the last 5 seconds counts as new. Callers at the same time share one refresh.
    ///
    /// # Errors
    /// As [`PersistentAuth::token`]; an old token is never returned in the place of a new one. [`TokenError::Postponed`]: the server
    /// has asked for a pause, which is kept by whoever is in a hurry too.
    pub async fn force_refresh(&self) -> Result<Token, TokenError> {
        Box::pin(self.shared.ask(self.newer())).await
    }

    /// A token in the place of one that an API has rejected with 401: the one that another caller has fetched since, else
    /// a new one; never the rejected one.
    ///
    /// # Errors
    /// As [`PersistentAuth::force_refresh`]; and [`TokenError::SameTokenAgain`].
    pub async fn refresh_rejected(&self, rejected: &Token) -> Result<Token, TokenError> {
        Box::pin(self.shared.ask(WhichToken::Other(rejected.access_token().clone()))).await
    }

    /// The token in hand, until it ends, also when it is time for the next: no file, no request, no waiting.
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

    /// What is signed in to.
    pub fn target(&self) -> &Target {
        self.keeper().target()
    }

    /// The key of the login in its store.
    pub fn cache_key(&self) -> &CacheKey {
        &self.keeper().key
    }

    /// Takes the notices that have gathered: a damaged file set aside, a mode tightened, a token that could not be saved.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.keeper().take_notices()
    }

    /// Waits until every refresh and login of this process that has spent something has saved what it bought, for at most
    /// `patience`; whether that is so. Call it before ending a process on a signal. A listener is freed by dropping
    /// the future of [`PersistentAuth::challenge`], so that nothing is left to close. The wait is on a thread of its own, so that
    /// a runtime of one thread goes on meanwhile; plain code has [its own](crate::blocking::PersistentAuth::close).
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
            // At the end of a program there is nobody left to be held up.
            Err(_) => self.keeper().close(patience),
        }
    }

    /// Tries for a minute more to save a login that could not be saved ([`SignedIn::unsaved`]), or until `is_enough`; one that cannot
    /// be saved all the same is ended at its server where that is offered, within 5 seconds, and forgotten. For a program that has no
    /// use for a login which ends with its process.
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

    /// What is asked for by whoever wants a token newer than any that was handed out here.
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
