//! One token for all callers of this process: the token in hand, the one fetch under way, and what its outcome means for each
//! who waited for it. Nothing here knows where tokens come from; a [`Fetch`] does.
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

/// One token, shared by all callers of a process: a fresh one is handed out without a lock, and one fetch serves all who need the
/// next. Cheap to clone; clones share everything.
///
/// It is one token: a source that makes them for several audiences, or with other scopes, has one of these for each.
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
        f.debug_tuple("Shared").field(&self.0.source).finish()
    }
}

impl<F: Fetch> SharedToken<F> {
    /// Shares what `source` fetches.
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

    /// What fetches.
    pub fn source(&self) -> &Arc<F> {
        &self.0.source
    }

    /// The token in hand, if it is fresh: no lock, no allocation, no waiting.
    #[inline]
    pub fn fresh(&self) -> Option<Token> {
        self.0.hand.fresh()
    }

    /// The token in hand, while it is good, though it may be time for the next: nobody is asked.
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

    /// The token in hand, if it is fresh and not `rejected`.
    pub fn fresh_other(&self, rejected: &Token) -> Option<Token> {
        self.0.fresh_besides(rejected.access_token())
    }

    /// The last token that was in hand, good or not.
    pub fn last_seen(&self) -> Option<AccessToken> {
        self.0.hand.latest_token().map(|token| token.access_token().clone())
    }

    /// Puts a token in hand that came by another way than a fetch: a login, say.
    pub fn put(&self, fetched: &Fetched<F::Error>) {
        self.0.take(fetched, None);
    }

    /// Lets go of the token in hand: whoever asks next asks the source.
    pub fn forget(&self) {
        self.0.hand.clear(self.0.hand.generation());
    }

    /// The first look on the caller's own thread: a token that the source keeps and that answers the question. `None`: it has to be
    /// fetched.
    ///
    /// # Errors
    /// As [`Fetch::stored`].
    pub fn stored(&self, question: impl Into<TokenCriteria>) -> Result<Option<Token>, F::Error> {
        let since = self.0.hand.generation();
        let Some(fetched) = self.0.source.stored(&question.into())? else { return Ok(None) };
        Ok(self.0.take(&fetched, Some(since)).then_some(fetched.token))
    }

    /// Whether somebody is fetching a token at this moment.
    pub fn is_fetching(&self) -> bool {
        self.0.is_fetching()
    }

    /// What is asked for: the token in hand where that answers it, else by the fetch under way or a new one. Dropping the future
    /// ends the wait and nothing else.
    ///
    /// # Errors
    /// As [`Fetch::fetch`].
    pub async fn ask(&self, question: impl Into<TokenCriteria>) -> Result<Token, F::Error> {
        self.0.ask(question.into(), CallerWait::Task).await
    }

    /// The same for plain code. A token that is fresh where the source keeps it is handed out on this very thread.
    ///
    /// # Errors
    /// As there.
    pub fn ask_blocking(&self, question: impl Into<TokenCriteria>) -> Result<Token, F::Error> {
        let question = question.into();
        if question.is_for_any() {
            if let Some(token) = self.0.fresh_for(&question) {
                return Ok(token);
            }
            let question = self.0.besides_the_dead(question.clone());
            // While somebody fetches the next token the source has nothing better to say.
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
