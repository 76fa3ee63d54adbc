//! The interface of everything that supplies access tokens.

use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;
use u2m_core::{Need, SourceDescription, SourceError, Token};

/// Supplies access tokens: from a login, from a machine's identity, or from another source whose
/// tokens are exchanged.
///
/// Where methods are called: [`fresh`](Self::fresh) and [`describe`](Self::describe) on any thread, where they
/// must not wait for anything. All others are called on the caller's runtime, which may have a single thread. A
/// source must not block that thread or require a certain kind of runtime, and must not lose anything if one of
/// its futures is dropped. It must never ask the user for anything.
///
/// ```
/// use async_trait::async_trait;
/// use std::sync::Arc;
/// use u2m_core::{AccessToken, SourceDescription, Need, SourceError, Token};
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
///     fn describe(&self) -> SourceDescription {
///         SourceDescription::new("fixed", "pat")
///     }
/// }
/// let source: Arc<dyn TokenSource> = Arc::new(Fixed(Token::new(AccessToken::new("a"), None)));
/// assert_eq!(source.fresh().unwrap().access_token().expose(), "a");
/// ```
#[async_trait]
pub trait TokenSource: fmt::Debug + Send + Sync {
    /// Returns a token that is valid now, if one is in memory. Must not use a future, a lock or an
    /// allocation. `None` only means that the caller must use [`get`](Self::get).
    fn fresh(&self) -> Option<Token> {
        None
    }

    /// Returns a token that meets `need`. If the source has none that lives as long as requested,
    /// it returns the best one it has.
    ///
    /// # Errors
    /// Fails if no token can be obtained. The error says whether trying later or a new login can help.
    async fn get(&self, need: &Need) -> Result<Token, SourceError>;

    /// Returns a token that is valid now.
    ///
    /// # Errors
    /// Fails like [`get`](Self::get).
    async fn token(&self) -> Result<Token, SourceError> {
        match self.fresh() {
            Some(token) => Ok(token),
            None => self.get(&Need::usable()).await,
        }
    }

    /// Returns a token to replace one that an API has just rejected with 401. A source that has
    /// only one token returns that one again.
    ///
    /// # Errors
    /// Fails like [`get`](Self::get).
    async fn replace(&self, rejected: &Token) -> Result<Token, SourceError> {
        self.get(&Need::other(rejected)).await
    }

    /// Describes the source.
    fn describe(&self) -> SourceDescription;
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

            fn describe(&self) -> SourceDescription {
                (**self).describe()
            }
        }
    )*};
}

pass_on!(Arc<S>, Box<S>, &S);
