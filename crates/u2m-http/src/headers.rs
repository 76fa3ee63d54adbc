//! The headers that authenticate a request: `Authorization`, and others that some hosts require.

use crate::source::TokenSource;
use async_trait::async_trait;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use u2m_core::{Authorization, Need, SideHeader, SourceDescription, SourceError, Token};

/// The headers that authenticate one request to one host: `Authorization`, and others that some
/// hosts require. The values are secrets. When they are sent, they become sensitive header values
/// of the crate `http`.
///
/// ```
/// use u2m_core::{AccessToken, SideHeader, Token};
/// use u2m_http::Headers;
/// let token = Token::new(AccessToken::new("abc"), None);
/// let headers = Headers::bearer(token).with("X-Databricks-Azure-SP-Management-Token", SideHeader::new("def"));
/// assert_eq!(headers.authorization().unwrap().expose(), "Bearer abc");
/// assert_eq!(headers.beside().count(), 1);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Headers {
    authorization: Option<Authorization>,
    beside: Vec<(Cow<'static, str>, SideHeader)>,
    token: Option<Token>,
}

impl Headers {
    /// No headers. Use it, for example, where the connection itself authenticates the client (RFC 8705).
    ///
    /// ```
    /// assert!(u2m_http::Headers::none().authorization().is_none());
    /// ```
    pub fn none() -> Self {
        Self::default()
    }

    /// The header of a bearer token (RFC 6750 section 2.1).
    ///
    /// ```
    /// use u2m_core::{AccessToken, Token};
    /// let headers = u2m_http::Headers::bearer(Token::new(AccessToken::new("abc"), None));
    /// assert!(headers.token().is_some());
    /// ```
    pub fn bearer(token: Token) -> Self {
        Self { authorization: Some(token.authorization()), beside: Vec::new(), token: Some(token) }
    }

    /// The header of credentials with another scheme.
    ///
    /// ```
    /// use u2m_core::Authorization;
    /// let headers = u2m_http::Headers::from_authorization(Authorization::new("Basic dTpw"));
    /// assert!(headers.token().is_none());
    /// ```
    pub fn from_authorization(authorization: Authorization) -> Self {
        Self { authorization: Some(authorization), ..Self::default() }
    }

    /// Adds a header other than `Authorization`. Replaces a header with the same name.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: SideHeader) -> Self {
        let name = name.into();
        self.beside.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        self.beside.push((name, value));
        self
    }

    /// Removes a header other than `Authorization`.
    ///
    /// ```
    /// use u2m_core::SideHeader;
    /// let headers = u2m_http::Headers::none().with("X-A", SideHeader::new("a")).without("x-a");
    /// assert_eq!(headers.beside().count(), 0);
    /// ```
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.beside.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// Returns the value of `Authorization`, if the request has one.
    pub fn authorization(&self) -> Option<&Authorization> {
        self.authorization.as_ref()
    }

    /// Returns the names and values of the other headers.
    pub fn beside(&self) -> impl Iterator<Item = (&str, &SideHeader)> {
        self.beside.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// Returns the token in `Authorization`, if it holds one. If the request is answered with 401,
    /// ask for [another](Need::other) token.
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }
}

/// Supplies the authentication headers of requests, for hosts that require more than a token, or
/// something else. Any [`TokenSource`] becomes one with [`Bearer`].
///
/// The rules of [`TokenSource`] on where methods are called, and what they may do there, apply here too.
///
/// ```
/// use async_trait::async_trait;
/// use u2m_core::{Authorization, SourceDescription, Need, SourceError};
/// use u2m_http::{HeaderSource, Headers};
///
/// #[derive(Debug)]
/// struct Password(Authorization);
///
/// #[async_trait]
/// impl HeaderSource for Password {
///     async fn headers(&self, _: &Need) -> Result<Headers, SourceError> {
///         Ok(Headers::from_authorization(self.0.clone()))
///     }
///
///     fn describe(&self) -> SourceDescription {
///         SourceDescription::new("password", "basic")
///     }
/// }
/// let _: Box<dyn HeaderSource> = Box::new(Password(Authorization::new("Basic dTpw")));
/// ```
#[async_trait]
pub trait HeaderSource: fmt::Debug + Send + Sync {
    /// Returns the headers for a request if they are in memory, without a future or a lock. `None`
    /// only means that the caller must use [`headers`](Self::headers).
    fn fresh(&self) -> Option<Headers> {
        None
    }

    /// Returns the headers for a request, with a token that meets `need`.
    ///
    /// # Errors
    /// Fails like [`TokenSource::get`].
    async fn headers(&self, need: &Need) -> Result<Headers, SourceError>;

    /// Describes the source.
    fn describe(&self) -> SourceDescription;
}

/// Turns a [`TokenSource`] into a [`HeaderSource`]: each token becomes a bearer token, without
/// other headers.
#[derive(Clone, Debug)]
pub struct Bearer<S>(S);

impl<S: TokenSource> Bearer<S> {
    /// Creates a header source from a token source.
    ///
    /// ```
    /// # use async_trait::async_trait;
    /// # use u2m_core::{AccessToken, SourceDescription, Need, SourceError, Token};
    /// # use u2m_http::{Bearer, HeaderSource, TokenSource};
    /// # #[derive(Debug)]
    /// # struct Fixed(Token);
    /// # #[async_trait]
    /// # impl TokenSource for Fixed {
    /// #     fn fresh(&self) -> Option<Token> { Some(self.0.clone()) }
    /// #     async fn get(&self, _: &Need) -> Result<Token, SourceError> { Ok(self.0.clone()) }
    /// #     fn describe(&self) -> SourceDescription { SourceDescription::new("fixed", "pat") }
    /// # }
    /// let source = Bearer::new(Fixed(Token::new(AccessToken::new("abc"), None)));
    /// assert_eq!(source.fresh().unwrap().authorization().unwrap().expose(), "Bearer abc");
    /// ```
    pub fn new(source: S) -> Self {
        Self(source)
    }

    /// Returns the token source.
    pub fn inner(&self) -> &S {
        &self.0
    }
}

#[async_trait]
impl<S: TokenSource> HeaderSource for Bearer<S> {
    fn fresh(&self) -> Option<Headers> {
        self.0.fresh().map(Headers::bearer)
    }

    async fn headers(&self, need: &Need) -> Result<Headers, SourceError> {
        self.0.get(need).await.map(Headers::bearer)
    }

    fn describe(&self) -> SourceDescription {
        self.0.describe()
    }
}

macro_rules! pass_on {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<S: HeaderSource + ?Sized> HeaderSource for $pointer {
            fn fresh(&self) -> Option<Headers> {
                (**self).fresh()
            }

            async fn headers(&self, need: &Need) -> Result<Headers, SourceError> {
                (**self).headers(need).await
            }

            fn describe(&self) -> SourceDescription {
                (**self).describe()
            }
        }
    )*};
}

pass_on!(Arc<S>, Box<S>, &S);
