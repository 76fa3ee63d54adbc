//! `PersistentAuth` for code without an async runtime.

use crate::challenge::{ChallengeError, SignedIn};
use crate::persistent::PersistentAuth as Auth;
use crate::refresher::LateSave;
use crate::runtime::OwnRuntime;
use std::time::Duration;
use u2m_core::{Need, SourceError, Token, TokenError, WhichToken};

/// [`u2m::PersistentAuth`](crate::PersistentAuth) for blocking code. A token that is fresh in memory or in the store is returned
/// on the caller's own thread, without a runtime, another thread, a socket, a lock or a write.
///
/// ```no_run
/// use u2m::{Host, PersistentAuth, Target};
/// let target = Target::workspace(Host::parse("https://my-workspace.cloud.databricks.com")?);
/// let auth = PersistentAuth::builder(target).build()?.blocking();
/// println!("good until {:?}", auth.token()?.expiry());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PersistentAuth(Auth);

impl Auth {
    /// Returns the same login for blocking code.
    pub fn blocking(&self) -> PersistentAuth {
        PersistentAuth(self.clone())
    }
}

impl PersistentAuth {
    /// As [`PersistentAuth::challenge`](Auth::challenge). Must not be called within an async runtime.
    ///
    /// # Errors
    /// As there.
    pub fn challenge(&self) -> Result<SignedIn, ChallengeError> {
        let outcome = OwnRuntime::default().block_on(self.0.challenge());
        outcome.map_err(|_| ChallengeError::Unfinished)?
    }

    /// As [`PersistentAuth::challenge_device`](Auth::challenge_device). Must not be called within an async runtime.
    ///
    /// # Errors
    /// As there.
    pub fn challenge_device(&self) -> Result<SignedIn, ChallengeError> {
        let outcome = OwnRuntime::default().block_on(self.0.challenge_device());
        outcome.map_err(|_| ChallengeError::Unfinished)?
    }

    /// Returns the token in the store if it is fresh. Reads the store once, on this thread, and does nothing else. `None` means
    /// that a refresh is due, which [`PersistentAuth::token`] performs.
    ///
    /// # Errors
    /// Fails if there is no login, if it has ended, or if the store cannot be read.
    pub fn stored(&self) -> Result<Option<Token>, TokenError> {
        self.0.shared.stored(WhichToken::Usable)
    }

    /// As [`PersistentAuth::token`](Auth::token).
    ///
    /// # Errors
    /// As there.
    pub fn token(&self) -> Result<Token, TokenError> {
        self.0.shared.ask_blocking(WhichToken::Usable)
    }

    /// As [`PersistentAuth::force_refresh`](Auth::force_refresh).
    ///
    /// # Errors
    /// As there.
    pub fn force_refresh(&self) -> Result<Token, TokenError> {
        self.0.shared.ask_blocking(self.0.newer())
    }

    /// As [`PersistentAuth::refresh_rejected`](Auth::refresh_rejected).
    ///
    /// # Errors
    /// As there.
    pub fn refresh_rejected(&self, rejected: &Token) -> Result<Token, TokenError> {
        self.0.shared.ask_blocking(WhichToken::Other(rejected.access_token().clone()))
    }

    /// As [`TokenSource::get`](u2m_http::TokenSource::get) of [`PersistentAuth`](Auth).
    ///
    /// ```
    /// use u2m::{Host, PersistentAuth, Target};
    /// use u2m::source::{Lifetime, Need};
    /// use u2m::store::MemoryStore;
    /// let target = Target::workspace(Host::parse("https://a.example")?);
    /// let auth = PersistentAuth::builder(target).with_store(MemoryStore::new()).build()?.blocking();
    /// let error = auth.get(&Need::at_least(Lifetime::from_seconds(60))).unwrap_err();
    /// assert!(error.needs_login());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn get(&self, need: &Need) -> Result<Token, SourceError> {
        Ok(self.0.shared.ask_blocking(self.0.question(need)?)?)
    }

    /// As [`PersistentAuth::close`](Auth::close), on this thread.
    pub fn close(&self, patience: Duration) -> bool {
        self.0.keeper().close(patience)
    }

    /// As [`PersistentAuth::save_or_give_up`](Auth::save_or_give_up). Must not be called within an async runtime.
    pub fn save_or_give_up(&self, is_enough: impl Fn() -> bool) -> LateSave {
        let shared = &self.0.shared;
        shared.source().save_or_give_up(is_enough, || shared.forget())
    }

    /// As [`PersistentAuth::peek`](Auth::peek).
    pub fn peek(&self) -> Option<Token> {
        self.0.peek()
    }

    /// Returns the same login for async code.
    pub fn asynchronous(&self) -> &Auth {
        &self.0
    }
}
