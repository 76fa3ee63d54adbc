//! The same for plain code: no runtime, no `async`.

use crate::challenge::{ChallengeError, SignedIn};
use crate::keeper::LateSave;
use crate::persistent::PersistentAuth as Auth;
use crate::runtime::OwnRuntime;
use u2m_core::{Ask, Token, TokenError};

/// [`u2m::PersistentAuth`](crate::PersistentAuth) for plain code. A token that is fresh in hand or in the store is handed
/// out on the caller's own thread: no runtime, no thread, no socket, no lock, no write.
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
    /// The same login for plain code.
    pub fn blocking(&self) -> PersistentAuth {
        PersistentAuth(self.clone())
    }
}

impl PersistentAuth {
    /// As [`PersistentAuth::challenge`](Auth::challenge). Not to be called within an async runtime.
    ///
    /// # Errors
    /// As there.
    pub fn challenge(&self) -> Result<SignedIn, ChallengeError> {
        let outcome = OwnRuntime::default().block_on(self.0.challenge());
        outcome.map_err(|_| ChallengeError::Unfinished)?
    }

    /// As [`PersistentAuth::challenge_device`](Auth::challenge_device). Not to be called within an async runtime.
    ///
    /// # Errors
    /// As there.
    pub fn challenge_device(&self) -> Result<SignedIn, ChallengeError> {
        let outcome = OwnRuntime::default().block_on(self.0.challenge_device());
        outcome.map_err(|_| ChallengeError::Unfinished)?
    }

    /// The token in the store, if it is fresh: on this thread, by reading the store once, and by nothing else. `None` means
    /// that it is time for a refresh, which [`PersistentAuth::token`] does.
    ///
    /// # Errors
    /// There is no login, or it has ended, or the store cannot be read.
    pub fn stored(&self) -> Result<Option<Token>, TokenError> {
        self.0.shared.stored()
    }

    /// As [`PersistentAuth::token`](Auth::token).
    ///
    /// # Errors
    /// As there.
    pub fn token(&self) -> Result<Token, TokenError> {
        self.0.shared.ask_blocking(Ask::Usable)
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
        if let Some(token) = self.0.shared.fresh_other(rejected) {
            return Ok(token);
        }
        self.0.shared.ask_blocking(Ask::Other(rejected.access_token().clone()))
    }

    /// As [`PersistentAuth::save_or_give_up`](Auth::save_or_give_up). Not to be called within an async runtime.
    pub fn save_or_give_up(&self, is_enough: impl Fn() -> bool) -> LateSave {
        let shared = &self.0.shared;
        shared.source().save_or_give_up(is_enough, || shared.forget())
    }

    /// The token in hand, if it is fresh.
    pub fn peek(&self) -> Option<Token> {
        self.0.peek()
    }

    /// The same login for async code.
    pub fn asynchronous(&self) -> &Auth {
        &self.0
    }
}
