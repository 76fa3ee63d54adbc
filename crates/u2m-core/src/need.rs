//! What a caller requires of a token.

use crate::oauth::Scopes;
use crate::session::Token;
use crate::time::Lifetime;
use crate::token::WhichToken;

/// What to ask of one source, such as one login: which token, and how much life it must have left.
///
/// ```
/// use u2m_core::{WhichToken, Lifetime, TokenCriteria};
/// let question = TokenCriteria::from(WhichToken::Usable).with_at_least(Lifetime::from_seconds(60));
/// assert_eq!(question.at_least.seconds(), 60);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenCriteria {
    /// Which token is wanted.
    pub ask: WhichToken,
    /// How much life the token must have left when it is returned, in whole seconds. A token with less is refreshed,
    /// or does not count. If even a new token has less, or would soon have (see
    /// [`FreshnessRules::floor`](crate::FreshnessRules::floor)), it is returned anyway: [`Token::expiry`] says how
    /// long it is valid.
    pub at_least: Lifetime,
}

impl TokenCriteria {
    /// Sets how much life the token must have left.
    #[must_use]
    pub fn with_at_least(mut self, life: Lifetime) -> Self {
        self.at_least = life;
        self
    }

    /// Whether any token that is valid for that long will do.
    pub fn is_for_any(&self) -> bool {
        self.ask == WhichToken::Usable
    }
}

impl From<WhichToken> for TokenCriteria {
    fn from(ask: WhichToken) -> Self {
        Self { ask, at_least: Lifetime::ZERO }
    }
}

impl From<&Need> for TokenCriteria {
    fn from(need: &Need) -> Self {
        Self { ask: need.ask.clone(), at_least: need.at_least }
    }
}

/// What a caller needs a token for, whatever source it comes from: which token, valid for how long, for which
/// audience and with which scopes.
///
/// ```
/// use u2m_core::{Lifetime, Need};
/// let need = Need::at_least(Lifetime::from_seconds(180)).with_audience("https://api.example");
/// assert_eq!(need.audience.as_deref(), Some("https://api.example"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Need {
    /// Which token is wanted.
    pub ask: WhichToken,
    /// How much life it must have left, as for [`TokenCriteria::at_least`].
    pub at_least: Lifetime,
    /// The audience (the `aud` of RFC 9068 section 2.2, the `audience` of RFC 8693 section 2.1); `None` asks for no
    /// particular one.
    pub audience: Option<String>,
    /// The scopes (RFC 6749 section 3.3); `None` accepts whatever the source gives.
    pub scopes: Option<Scopes>,
}

impl Default for Need {
    fn default() -> Self {
        Self::usable()
    }
}

impl Need {
    /// Any token that is valid now.
    ///
    /// ```
    /// use u2m_core::{WhichToken, Need};
    /// assert_eq!(Need::usable().ask, WhichToken::Usable);
    /// ```
    pub fn usable() -> Self {
        Self::from(WhichToken::Usable)
    }

    /// A token newer than `seen`; if that is `None`, newer than any that this process has had.
    ///
    /// ```
    /// use u2m_core::{AccessToken, WhichToken, Need, Token};
    /// let seen = Token::new(AccessToken::new("a"), None);
    /// assert_eq!(Need::newer(Some(&seen)).ask, WhichToken::Newer(Some(AccessToken::new("a"))));
    /// ```
    pub fn newer(seen: Option<&Token>) -> Self {
        Self::from(WhichToken::Newer(seen.map(|token| token.access_token().clone())))
    }

    /// Any token except this one, which an API has just rejected with 401.
    ///
    /// ```
    /// use u2m_core::{AccessToken, WhichToken, Need, Token};
    /// let rejected = Token::new(AccessToken::new("a"), None);
    /// assert_eq!(Need::other(&rejected).ask, WhichToken::Other(AccessToken::new("a")));
    /// ```
    pub fn other(rejected: &Token) -> Self {
        Self::from(WhichToken::Other(rejected.access_token().clone()))
    }

    /// A token that is valid for at least `life`.
    ///
    /// ```
    /// use u2m_core::{Lifetime, Need};
    /// assert_eq!(Need::at_least(Lifetime::from_seconds(60)).at_least.seconds(), 60);
    /// ```
    pub fn at_least(life: Lifetime) -> Self {
        Self::usable().with_at_least(life)
    }

    /// Sets how much life the token must have left.
    ///
    /// ```
    /// use u2m_core::{Lifetime, Need};
    /// let need = Need::newer(None).with_at_least(Lifetime::from_seconds(60));
    /// assert_eq!(need.at_least.seconds(), 60);
    /// ```
    #[must_use]
    pub fn with_at_least(mut self, life: Lifetime) -> Self {
        self.at_least = life;
        self
    }

    /// Sets the audience.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Sets the scopes.
    ///
    /// ```
    /// use u2m_core::{Need, Scopes};
    /// let need = Need::usable().with_scopes(Scopes::new(["sql"]));
    /// assert_eq!(need.scopes.unwrap().to_string(), "sql");
    /// ```
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = Some(scopes);
        self
    }
}

impl From<WhichToken> for Need {
    fn from(ask: WhichToken) -> Self {
        Self { ask, at_least: Lifetime::ZERO, audience: None, scopes: None }
    }
}
