//! Where tokens come from, as everything above sees it.

use async_trait::async_trait;
use u2m_core::{Token, TokenError};

/// A source of access tokens that are good now.
///
/// ```
/// use async_trait::async_trait;
/// use u2m_core::{AccessToken, Token, TokenError};
/// use u2m_http::TokenSource;
///
/// struct Fixed(Token);
///
/// #[async_trait]
/// impl TokenSource for Fixed {
///     async fn token(&self) -> Result<Token, TokenError> {
///         Ok(self.0.clone())
///     }
/// }
/// let _: Box<dyn TokenSource> = Box::new(Fixed(Token::new(AccessToken::new("a"), None)));
/// ```
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// A token with time left.
    ///
    /// # Errors
    /// There is none to be had; the error says whether later, or after a login.
    async fn token(&self) -> Result<Token, TokenError>;

    /// A token in the place of one that an API has just rejected with 401. Sources that cannot do better hand out what
    /// they have.
    ///
    /// # Errors
    /// As [`TokenSource::token`].
    async fn replace(&self, _rejected: &Token) -> Result<Token, TokenError> {
        self.token().await
    }
}
