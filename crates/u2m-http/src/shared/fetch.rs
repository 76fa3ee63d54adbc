//! The interface of a token source that [`SharedToken`](super::SharedToken) shares.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use u2m_core::{Lifetime, Moment, SourceError, SourceFailure, Timestamp, Token, TokenCriteria};

/// A fetch in progress, as a future.
pub type FetchFuture<E> = Pin<Box<dyn Future<Output = Result<Fetched<E>, E>> + Send>>;

/// Fetches tokens from one particular source. [`SharedToken`](super::SharedToken) does everything else.
///
/// Where methods are called: [`Fetch::fetch`] on a thread of its own, which cannot be cancelled and
/// which belongs to no runtime. [`Fetch::task`] and the future that it returns on the runtime of
/// the first caller, independent of that caller. Everything else on the thread of the caller, so it
/// must not wait for a network.
pub trait Fetch: fmt::Debug + Send + Sync + 'static {
    /// The error of a fetch. All callers that waited for the fetch get a clone.
    type Error: Clone + fmt::Debug + Send + Sync + 'static;

    /// Returns a fresh token that the source keeps and that answers the question. Must not take a
    /// lock, start a thread or send a request. `None` means that a token must be fetched.
    ///
    /// # Errors
    /// Fails also with errors that would make a fetch fail.
    fn stored(
        &self,
        question: &TokenCriteria,
    ) -> Result<Option<Fetched<Self::Error>>, Self::Error> {
        let _ = question;
        Ok(None)
    }

    /// Fetches a token that answers the question. Failures that happened after `asked_at` may be
    /// shared with this caller.
    ///
    /// # Errors
    /// Fails if no such token can be obtained.
    fn fetch(
        self: Arc<Self>,
        question: &TokenCriteria,
        asked_at: Moment,
    ) -> Result<Fetched<Self::Error>, Self::Error>;

    /// Like [`fetch`](Self::fetch), but as a task on the caller's runtime. Meant for a source that
    /// spends nothing that would be lost with the process, so that a thousand such sources do not
    /// need a thousand threads. `None` means that the fetch needs a thread of its own.
    fn task(
        self: Arc<Self>,
        _question: &TokenCriteria,
        _asked_at: Moment,
    ) -> Option<FetchFuture<Self::Error>> {
        None
    }

    /// Returns the error for a fetch that ended without a result.
    fn broken(&self, why: FetchAborted) -> Self::Error;

    /// Returns what a caller gets whose own time is up before the fetch ends, for example the old
    /// token while it is valid.
    ///
    /// # Errors
    /// Fails if nothing can be returned without waiting.
    fn out_of_time(&self, question: &TokenCriteria) -> Result<Fetched<Self::Error>, Self::Error>;

    /// Returns whether the token in memory may still be used for a while, as long as it is valid,
    /// after a fetch failed with `error`.
    fn may_stand_in(&self, error: &Self::Error) -> bool;

    /// Returns whether `error` only concerns the question that was asked, so that a caller that
    /// asks for less may still get a token.
    fn is_about_the_question(&self, _error: &Self::Error) -> bool {
        false
    }
}

/// The result of a successful fetch.
#[derive(Clone, Debug)]
pub struct Fetched<E> {
    /// The token.
    pub token: Token,
    /// The last second in which the token is returned without asking further. `None` means forever.
    pub fresh_until: Option<Timestamp>,
    /// The lifetime of the token when it was issued, if known. If it is `None` for a token that was
    /// just [renewed](FetchedFrom::Renewed), its remaining lifetime is used.
    pub lifetime: Option<Lifetime>,
    /// Where the token comes from.
    pub came: FetchedFrom<E>,
    /// Whether the token yields to one that was stored in memory since the fetch began, because it
    /// was read at a moment when others might write.
    pub gives_way: bool,
}

/// Where a fetched token comes from.
#[derive(Clone, Debug)]
pub enum FetchedFrom<E> {
    /// It is the old token, still valid, because fetching another one failed.
    Kept(E),
    /// It was fetched now.
    Renewed,
    /// It was stored somewhere, and is valid.
    Stored,
}

/// Why a fetch ended without a result.
#[derive(Debug)]
#[non_exhaustive]
pub enum FetchAborted {
    /// The operating system could not start a thread.
    NoThread(std::io::Error),
    /// Code called by the fetch panicked: the source itself, or a component supplied by the
    /// program. It will do so again.
    Panicked,
    /// The runtime of the fetch ended, and so did the runtimes on which it was started again.
    RuntimeEnded,
}

/// For sources that use the common error type.
impl From<FetchAborted> for SourceError {
    fn from(why: FetchAborted) -> Self {
        match why {
            FetchAborted::NoThread(error) => Self::Local(SourceFailure::transient(error)),
            FetchAborted::Panicked => Self::Panicked,
            FetchAborted::RuntimeEnded => Self::Unfinished,
        }
    }
}

impl<E> Fetched<E> {
    /// A token that was just fetched, and that is returned until it expires.
    ///
    /// ```
    /// use u2m_core::{AccessToken, Timestamp, Token};
    /// use u2m_http::Fetched;
    /// let token = Token::new(AccessToken::new("a"), Some(Timestamp::from_unix(1_800_000_000)));
    /// let fetched: Fetched<std::fmt::Error> = Fetched::renewed(token);
    /// assert_eq!(fetched.fresh_until, Some(Timestamp::from_unix(1_800_000_000)));
    /// ```
    pub fn renewed(token: Token) -> Self {
        let fresh_until = token.expiry();
        Self { fresh_until, token, lifetime: None, came: FetchedFrom::Renewed, gives_way: false }
    }

    /// Limits how long the token is returned without asking further. Choose a time before it
    /// expires, so that the next token is fetched in time.
    ///
    /// ```
    /// use u2m_core::{AccessToken, Timestamp, Token};
    /// use u2m_http::Fetched;
    /// let token = Token::new(AccessToken::new("a"), Some(Timestamp::from_unix(1_800_000_000)));
    /// let fetched: Fetched<std::fmt::Error> =
    ///     Fetched::renewed(token).fresh_until(Timestamp::from_unix(1_799_999_700));
    /// assert_eq!(fetched.fresh_until.map(|at| at.unix()), Some(1_799_999_700));
    /// ```
    #[must_use]
    pub fn fresh_until(mut self, until: Timestamp) -> Self {
        self.fresh_until = Some(until);
        self
    }
}
