//! What a source of tokens has to know, for everything else to be done for it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use u2m_core::{Lifetime, Moment, SourceError, SourceFailure, Timestamp, Token, TokenCriteria};

/// A fetch on its way, as a task.
pub type FetchFuture<E> = Pin<Box<dyn Future<Output = Result<Fetched<E>, E>> + Send>>;

/// How a token is fetched: the part of a source that differs from one to the next. [`SharedToken`](super::SharedToken) does the rest.
///
/// Where it is called: [`Fetch::fetch`] on a thread of its own, which nobody cancels and which belongs to no runtime;
/// [`Fetch::task`] and what it returns on the runtime of the caller that came first, detached from that caller; everything else
/// on the thread of whoever asks, so it must not wait for a network.
pub trait Fetch: fmt::Debug + Send + Sync + 'static {
    /// How fetching can fail. All who waited for one fetch get a clone.
    type Error: Clone + fmt::Debug + Send + Sync + 'static;

    /// A token that is fresh where the source keeps it and answers the question, by a look that takes no lock, thread or request.
    /// `None`: it has to be fetched.
    ///
    /// # Errors
    /// What would keep a fetch from succeeding, too.
    fn stored(
        &self,
        question: &TokenCriteria,
    ) -> Result<Option<Fetched<Self::Error>>, Self::Error> {
        let _ = question;
        Ok(None)
    }

    /// Fetches what is asked for. Failures that fell after `asked_at` may be shared.
    ///
    /// # Errors
    /// There is no such token to be had.
    fn fetch(
        self: Arc<Self>,
        question: &TokenCriteria,
        asked_at: Moment,
    ) -> Result<Fetched<Self::Error>, Self::Error>;

    /// The same as a task of the caller's runtime, for a source that spends nothing which is lost with the process: a thousand
    /// such sources are not a thousand threads. `None`: it is to have a thread of its own.
    fn task(
        self: Arc<Self>,
        _question: &TokenCriteria,
        _asked_at: Moment,
    ) -> Option<FetchFuture<Self::Error>> {
        None
    }

    /// What to say of a fetch that ended without a word.
    fn broken(&self, why: FetchAborted) -> Self::Error;

    /// What a caller gets whose own time is over before the fetch is: the old token, say, while it is good.
    ///
    /// # Errors
    /// There is nothing to be had without waiting.
    fn out_of_time(&self, question: &TokenCriteria) -> Result<Fetched<Self::Error>, Self::Error>;

    /// Whether the token in hand may do for a while, as long as it is good, after a fetch has failed with `error`.
    fn may_stand_in(&self, error: &Self::Error) -> bool;

    /// Whether `error` answers the question that was asked, and no other: somebody who asked for less may still find a token.
    fn is_about_the_question(&self, _error: &Self::Error) -> bool {
        false
    }
}

/// What a fetch brings.
#[derive(Clone, Debug)]
pub struct Fetched<E> {
    /// The token.
    pub token: Token,
    /// The last second in which it is handed out without asking further; `None` means for ever.
    pub fresh_until: Option<Timestamp>,
    /// How long it was good for when it was issued, where that is known. Of one that was [renewed](FetchedFrom::Renewed), what is left of it
    /// counts where nothing is said.
    pub lifetime: Option<Lifetime>,
    /// Where it comes from.
    pub came: FetchedFrom<E>,
    /// Whether it gives way to what was put in hand since the fetch began: it was read at a moment when others might write.
    pub gives_way: bool,
}

/// Where a fetched token comes from.
#[derive(Clone, Debug)]
pub enum FetchedFrom<E> {
    /// It is the old one, still good, because fetching another failed.
    Kept(E),
    /// It was fetched now.
    Renewed,
    /// It was kept somewhere, and is good.
    Stored,
}

/// Why a fetch ended without a word.
#[derive(Debug)]
#[non_exhaustive]
pub enum FetchAborted {
    /// The system has no thread to give.
    NoThread(std::io::Error),
    /// Code that the fetch calls panicked: the source's own, or a part that the program brought along. It will do so again.
    Panicked,
    /// The runtime that it ran on has ended, and so have those that it was begun on anew.
    RuntimeEnded,
}

/// For sources whose errors are those of all sources.
impl From<FetchAborted> for SourceError {
    fn from(why: FetchAborted) -> Self {
        match why {
            FetchAborted::NoThread(error) => Self::Local(SourceFailure::passing(error)),
            FetchAborted::Panicked => Self::Panicked,
            FetchAborted::RuntimeEnded => Self::Unfinished,
        }
    }
}

impl<E> Fetched<E> {
    /// A token that was fetched now, and is handed out until it ends.
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

    /// The same, handed out without asking further until `fresh_until` only: a while before it ends, so that the next one is
    /// there in time.
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
