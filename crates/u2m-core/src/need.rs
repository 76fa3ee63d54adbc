//! What a caller needs of a source of tokens.

use crate::oauth::Scopes;
use crate::session::Token;
use crate::time::Lifetime;
use crate::token::WhichToken;

/// Which token is asked for, and how much of its life is to be left: what one source, one login say, can be asked.
///
/// ```
/// use u2m_core::{WhichToken, Lifetime, TokenCriteria};
/// let question = TokenCriteria::from(WhichToken::Usable).with_at_least(Lifetime::from_seconds(60));
/// assert_eq!(question.at_least.seconds(), 60);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenCriteria {
    /// Which token.
    pub ask: WhichToken,
    /// How much life it is to have left, in whole seconds, when it is handed out. One with less is renewed, or is none. Where even
    /// a new one has less, or would have after a while (see [`FreshnessRules::floor`](crate::FreshnessRules::floor)), it is handed
    /// out all the same: [`Token::expiry`] says how long it is good for.
    pub at_least: Lifetime,
}

impl TokenCriteria {
    /// Asks for so much life.
    #[must_use]
    pub fn with_at_least(mut self, life: Lifetime) -> Self {
        self.at_least = life;
        self
    }

    /// Whether any token will do that is good for as long.
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

/// What a caller needs a token for, whatever makes it: which one, for how long, for whom and to do what.
///
/// ```
/// use u2m_core::{Lifetime, Need};
/// let need = Need::at_least(Lifetime::from_seconds(180)).with_audience("https://api.example");
/// assert_eq!(need.audience.as_deref(), Some("https://api.example"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Need {
    /// Which token.
    pub ask: WhichToken,
    /// As [`TokenCriteria::at_least`].
    pub at_least: Lifetime,
    /// Whom it is for (the `aud` of RFC 9068 section 2.2, the `audience` of RFC 8693 section 2.1); none in particular, if nothing is said.
    pub audience: Option<String>,
    /// What it is to allow (RFC 6749 section 3.3); whatever the source gives, if nothing is said.
    pub scopes: Option<Scopes>,
}

impl Default for Need {
    fn default() -> Self {
        Self::usable()
    }
}

impl Need {
    /// Any token that is good now.
    ///
    /// ```
    /// use u2m_core::{WhichToken, Need};
    /// assert_eq!(Need::usable().ask, WhichToken::Usable);
    /// ```
    pub fn usable() -> Self {
        Self::from(WhichToken::Usable)
    }

    /// A token newer than the one that was seen; without one, newer than any that this process has had.
    ///
    /// ```
    /// use u2m_core::{AccessToken, WhichToken, Need, Token};
    /// let seen = Token::new(AccessToken::new("a"), None);
    /// assert_eq!(Need::newer(Some(&seen)).ask, WhichToken::Newer(Some(AccessToken::new("a"))));
    /// ```
    pub fn newer(seen: Option<&Token>) -> Self {
        Self::from(WhichToken::Newer(seen.map(|token| token.access_token().clone())))
    }

    /// Any token but this one, which an API has just rejected with 401.
    ///
    /// ```
    /// use u2m_core::{AccessToken, WhichToken, Need, Token};
    /// let rejected = Token::new(AccessToken::new("a"), None);
    /// assert_eq!(Need::other(&rejected).ask, WhichToken::Other(AccessToken::new("a")));
    /// ```
    pub fn other(rejected: &Token) -> Self {
        Self::from(WhichToken::Other(rejected.access_token().clone()))
    }

    /// A token with so much life left.
    ///
    /// ```
    /// use u2m_core::{Lifetime, Need};
    /// assert_eq!(Need::at_least(Lifetime::from_seconds(60)).at_least.seconds(), 60);
    /// ```
    pub fn at_least(life: Lifetime) -> Self {
        Self::usable().with_at_least(life)
    }

    /// The same with so much life left.
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

    /// The same for this audience.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// The same with these scopes.
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
