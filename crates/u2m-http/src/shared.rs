//! Shares one token between all callers of a process: the token in memory, the one fetch in
//! progress, and what its outcome means for each waiting caller. This module does not know where
//! tokens come from; a [`Fetch`] does.
//!
//! ```text
//!   caller ── fresh in hand? ── yes ── token           (no lock, no allocation)
//!                  │ no, or to live longer
//!             good, and somebody fetches, or may fetch behind? ── token
//!                  │ no
//!             board: the fetch under way, or a new one ── wait ── does it answer my question? ── token or error
//!                  └──────────────────────────── no ────────────────────────┘
//! ```

mod board;
pub(crate) mod clock;
mod fetch;
mod program_clock;
mod question;
mod rules;
mod slot;

pub use fetch::{Fetch, FetchAborted, FetchFuture, Fetched, FetchedFrom};
pub use program_clock::Clock;
pub use rules::{Renewal, ShareRules};

use board::{CallerWait, SharedTokenInner, at_once};
use std::fmt;
use std::sync::Arc;
use u2m_core::{AccessToken, Lifetime, Token, TokenCriteria};

/// One access token, shared by all callers of a process. A fresh token is returned without a lock, and one fetch
/// serves all callers that need the next one. Cheap to clone; clones share everything.
///
/// A source that issues tokens for several audiences, or with different scopes, needs one
/// `SharedToken` for each.
///
/// ```
/// use std::sync::Arc;
/// use u2m_core::{AccessToken, WhichToken, Moment, TokenCriteria, Token};
/// use u2m_http::{FetchAborted, Fetch, Fetched, ShareRules, SharedToken};
///
/// #[derive(Debug)]
/// struct Fixed;
///
/// impl Fetch for Fixed {
///     type Error = String;
///     fn fetch(self: Arc<Self>, _: &TokenCriteria, _: Moment) -> Result<Fetched<String>, String> {
///         Ok(Fetched::renewed(Token::new(AccessToken::new("a"), None)))
///     }
///     fn broken(&self, why: FetchAborted) -> String {
///         format!("{why:?}")
///     }
///     fn out_of_time(&self, _: &TokenCriteria) -> Result<Fetched<String>, String> {
///         Err("too late".into())
///     }
///     fn may_stand_in(&self, _: &String) -> bool {
///         true
///     }
/// }
/// let shared = SharedToken::new(Fixed, ShareRules::default());
/// assert_eq!(shared.ask_blocking(WhichToken::Usable).unwrap().access_token().expose(), "a");
/// ```
pub struct SharedToken<F: Fetch>(Arc<SharedTokenInner<F>>);

impl<F: Fetch> Clone for SharedToken<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F: Fetch> fmt::Debug for SharedToken<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedToken").field(&self.0.source).finish()
    }
}

impl<F: Fetch> SharedToken<F> {
    /// Creates a shared token that `source` fetches. Nothing is fetched yet.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use u2m_core::{AccessToken, Moment, TokenCriteria, Token};
    /// # use u2m_http::{FetchAborted, Fetch, Fetched, ShareRules, SharedToken};
    /// # #[derive(Debug)]
    /// # struct Fixed;
    /// # impl Fetch for Fixed {
    /// #     type Error = String;
    /// #     fn fetch(self: Arc<Self>, _: &TokenCriteria, _: Moment) -> Result<Fetched<String>, String> {
    /// #         Ok(Fetched::renewed(Token::new(AccessToken::new("a"), None)))
    /// #     }
    /// #     fn broken(&self, _: FetchAborted) -> String { String::new() }
    /// #     fn out_of_time(&self, _: &TokenCriteria) -> Result<Fetched<String>, String> { Err(String::new()) }
    /// #     fn may_stand_in(&self, _: &String) -> bool { true }
    /// # }
    /// let shared = SharedToken::new(Fixed, ShareRules::default());
    /// assert!(shared.fresh().is_none(), "nothing is fetched before somebody asks");
    /// ```
    pub fn new(source: F, rules: ShareRules) -> Self {
        Self(Arc::new(SharedTokenInner::new(source, rules)))
    }

    /// Returns the source of the tokens.
    pub fn source(&self) -> &Arc<F> {
        &self.0.source
    }

    /// Returns the token in memory if it is fresh, without a lock, an allocation or waiting.
    #[inline]
    pub fn fresh(&self) -> Option<Token> {
        self.0.hand.fresh()
    }

    /// Returns the token in memory while it is valid, even if it is time to fetch the next one.
    /// Does not fetch.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use u2m_core::{AccessToken, Moment, TokenCriteria, Timestamp, Token};
    /// # use u2m_http::{FetchAborted, Fetch, Fetched, ShareRules, SharedToken};
    /// # #[derive(Debug)]
    /// # struct Fixed;
    /// # impl Fetch for Fixed {
    /// #     type Error = String;
    /// #     fn fetch(self: Arc<Self>, _: &TokenCriteria, _: Moment) -> Result<Fetched<String>, String> { Err(String::new()) }
    /// #     fn broken(&self, _: FetchAborted) -> String { String::new() }
    /// #     fn out_of_time(&self, _: &TokenCriteria) -> Result<Fetched<String>, String> { Err(String::new()) }
    /// #     fn may_stand_in(&self, _: &String) -> bool { true }
    /// # }
    /// let shared = SharedToken::new(Fixed, ShareRules::default());
    /// let due = Fetched::renewed(Token::new(AccessToken::new("a"), None)).fresh_until(Timestamp::from_unix(0));
    /// shared.put(&due);
    /// assert!(shared.fresh().is_none() && shared.good().is_some());
    /// ```
    pub fn good(&self) -> Option<Token> {
        self.0.hand.good(&self.0.rules.freshness, Lifetime::ZERO)
    }

    /// Returns the token in memory if it is fresh and not the `rejected` one.
    pub fn fresh_other(&self, rejected: &Token) -> Option<Token> {
        self.0.fresh_besides(rejected.access_token())
    }

    /// Returns the last token that was in memory, valid or not.
    pub fn last_seen(&self) -> Option<AccessToken> {
        self.0.hand.latest_token().map(|token| token.access_token().clone())
    }

    /// Stores a token that was not fetched but obtained in another way, for example by a login.
    pub fn put(&self, fetched: &Fetched<F::Error>) {
        self.0.take(fetched, None);
    }

    /// Removes the token from memory. The next caller asks the source.
    pub fn forget(&self) {
        self.0.hand.clear(self.0.hand.generation());
    }

    /// Checks, on the caller's own thread, whether the source keeps a token that answers the
    /// question. `None` means that a token must be fetched.
    ///
    /// # Errors
    /// Fails like [`Fetch::stored`].
    pub fn stored(&self, question: impl Into<TokenCriteria>) -> Result<Option<Token>, F::Error> {
        let since = self.0.hand.generation();
        let Some(fetched) = self.0.source.stored(&question.into())? else { return Ok(None) };
        Ok(self.0.take(&fetched, Some(since)).then_some(fetched.token))
    }

    /// Returns whether a fetch is in progress at this moment.
    pub fn is_fetching(&self) -> bool {
        self.0.is_fetching()
    }

    /// Returns a token that answers the question: the one in memory if it does, else one from the fetch in
    /// progress or from a new fetch. Dropping the future only ends the wait, not the fetch.
    ///
    /// # Errors
    /// Fails like [`Fetch::fetch`].
    pub async fn ask(&self, question: impl Into<TokenCriteria>) -> Result<Token, F::Error> {
        self.0.ask(question.into(), CallerWait::Task).await
    }

    /// Like [`ask`](Self::ask), for synchronous code. If the source keeps a fresh token, it is read
    /// on the calling thread.
    ///
    /// # Errors
    /// Fails like [`ask`](Self::ask).
    pub fn ask_blocking(&self, question: impl Into<TokenCriteria>) -> Result<Token, F::Error> {
        let question = question.into();
        if question.is_for_any() {
            if let Some(token) = self.0.fresh_for(&question) {
                return Ok(token);
            }
            let question = self.0.besides_the_dead(question.clone());
            // During a fetch, the source keeps nothing better than that fetch will bring.
            if !self.is_fetching() {
                match self.stored(question.clone()) {
                    Ok(Some(token)) => return Ok(token),
                    Ok(None) => {}
                    Err(error) => return self.0.or_in_hand(&question, Err(error)),
                }
            }
        }
        at_once(self.0.ask(question, CallerWait::Thread))
    }
}

#[cfg(test)]
#[path = "shared/lives_tests.rs"]
mod lives_tests;
#[cfg(test)]
mod tests;
