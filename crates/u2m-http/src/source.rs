//! Where tokens come from, as everything above sees it.

use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;
use u2m_core::{Description, Need, SourceError, Token};

/// A source of access tokens: a login, a machine's identity, another source that is exchanged for it.
///
/// Where it is called: [`fresh`](Self::fresh) and [`describe`](Self::describe) on any thread, where they wait for nothing; all
/// else on whatever runtime the caller has, which may be of one thread. A source does not block that thread, needs no runtime of
/// a certain kind, and loses nothing when a future of it is dropped. It never asks a person for anything.
///
/// ```
/// use async_trait::async_trait;
/// use std::sync::Arc;
/// use u2m_core::{AccessToken, Description, Need, SourceError, Token};
/// use u2m_http::TokenSource;
///
/// #[derive(Debug)]
/// struct Fixed(Token);
///
/// #[async_trait]
/// impl TokenSource for Fixed {
///     fn fresh(&self) -> Option<Token> {
///         Some(self.0.clone())
///     }
///
///     async fn get(&self, need: &Need) -> Result<Token, SourceError> {
///         match &need.audience {
///             Some(audience) => Err(SourceError::no_audience(audience)),
///             None => Ok(self.0.clone()),
///         }
///     }
///
///     fn describe(&self) -> Description {
///         Description::new("fixed", "pat")
///     }
/// }
/// let source: Arc<dyn TokenSource> = Arc::new(Fixed(Token::new(AccessToken::new("a"), None)));
/// assert_eq!(source.fresh().unwrap().access_token().expose(), "a");
/// ```
#[async_trait]
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// A token that is good now, where one is in hand: without a future, a lock or an allocation. `None` says nothing but that
    /// it takes [`get`](Self::get) to know.
    fn fresh(&self) -> Option<Token> {
        None
    }

    /// A token for what the caller needs. Where a source has none that lives as long as is asked for, it gives the best that it has.
    ///
    /// # Errors
    /// There is none to be had; the error says whether later, or after a login, or never.
    async fn get(&self, need: &Need) -> Result<Token, SourceError>;

    /// A token that is good now.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    async fn token(&self) -> Result<Token, SourceError> {
        match self.fresh() {
            Some(token) => Ok(token),
            None => self.get(&Need::usable()).await,
        }
    }

    /// A token in the place of one that an API has just rejected with 401. A source that has but one hands that out again.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    async fn replace(&self, rejected: &Token) -> Result<Token, SourceError> {
        self.get(&Need::other(rejected)).await
    }

    /// What it is.
    fn describe(&self) -> Description;
}

macro_rules! pass_on {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<S: TokenSource + ?Sized> TokenSource for $pointer {
            fn fresh(&self) -> Option<Token> {
                (**self).fresh()
            }

            async fn get(&self, need: &Need) -> Result<Token, SourceError> {
                (**self).get(need).await
            }

            async fn token(&self) -> Result<Token, SourceError> {
                (**self).token().await
            }

            async fn replace(&self, rejected: &Token) -> Result<Token, SourceError> {
                (**self).replace(rejected).await
            }

            fn describe(&self) -> Description {
                (**self).describe()
            }
        }
    )*};
}

pass_on!(Arc<S>, Box<S>, &S);
