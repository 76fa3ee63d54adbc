//! The headers that a request is authenticated with: those of a token, and those that some hosts want beside it.

use crate::source::TokenSource;
use async_trait::async_trait;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use u2m_core::{Authorization, Description, Need, SideHeader, SourceError, Token};

/// What authenticates one request to one host: `Authorization`, and what goes beside it. Values are secrets, and become
/// sensitive header values of the crate `http` where they leave.
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
    /// None at all: where the connection itself says who is asking (RFC 8705), say.
    ///
    /// ```
    /// assert!(u2m_http::Headers::none().authorization().is_none());
    /// ```
    pub fn none() -> Self {
        Self::default()
    }

    /// Those of a bearer token (RFC 6750 section 2.1).
    ///
    /// ```
    /// use u2m_core::{AccessToken, Token};
    /// let headers = u2m_http::Headers::bearer(Token::new(AccessToken::new("abc"), None));
    /// assert!(headers.token().is_some());
    /// ```
    pub fn bearer(token: Token) -> Self {
        Self { authorization: Some(token.authorization()), beside: Vec::new(), token: Some(token) }
    }

    /// Those of credentials of another scheme.
    ///
    /// ```
    /// use u2m_core::Authorization;
    /// let headers = u2m_http::Headers::of(Authorization::new("Basic dTpw"));
    /// assert!(headers.token().is_none());
    /// ```
    pub fn of(authorization: Authorization) -> Self {
        Self { authorization: Some(authorization), ..Self::default() }
    }

    /// Adds one that goes beside `Authorization`, in the place of one of that name.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: SideHeader) -> Self {
        let name = name.into();
        self.beside.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        self.beside.push((name, value));
        self
    }

    /// Leaves out one that goes beside `Authorization`.
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

    /// The value of `Authorization`, if the request has one.
    pub fn authorization(&self) -> Option<&Authorization> {
        self.authorization.as_ref()
    }

    /// What goes beside it.
    pub fn beside(&self) -> impl Iterator<Item = (&str, &SideHeader)> {
        self.beside.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// The token in `Authorization`, if that is one: whoever is answered with 401 asks for [another](Need::other).
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }
}

/// A source of what requests are authenticated with, for whom a token alone is not enough: hosts that want other headers beside
/// it, or none of it. Any [`TokenSource`] is one by [`Bearer`].
///
/// Where it is called, and what it may do there, is as for a [`TokenSource`].
///
/// ```
/// use async_trait::async_trait;
/// use u2m_core::{Authorization, Description, Need, SourceError};
/// use u2m_http::{HeaderSource, Headers};
///
/// #[derive(Debug)]
/// struct Password(Authorization);
///
/// #[async_trait]
/// impl HeaderSource for Password {
///     async fn headers(&self, _: &Need) -> Result<Headers, SourceError> {
///         Ok(Headers::of(self.0.clone()))
///     }
///
///     fn describe(&self) -> Description {
///         Description::new("password", "basic")
///     }
/// }
/// let _: Box<dyn HeaderSource> = Box::new(Password(Authorization::new("Basic dTpw")));
/// ```
#[async_trait]
pub trait HeaderSource: fmt::Debug + Send + Sync {
    /// The headers for a request, where they are in hand, without a future or a lock. `None` says nothing but that it takes
    /// [`headers`](Self::headers) to know.
    fn fresh(&self) -> Option<Headers> {
        None
    }

    /// The headers for a request that needs them so.
    ///
    /// # Errors
    /// As [`TokenSource::get`].
    async fn headers(&self, need: &Need) -> Result<Headers, SourceError>;

    /// What it is.
    fn describe(&self) -> Description;
}

/// A source of tokens as one of headers: each token as a bearer token, and nothing beside it.
#[derive(Clone, Debug)]
pub struct Bearer<S>(S);

impl<S: TokenSource> Bearer<S> {
    /// Takes the source.
    ///
    /// ```
    /// # use async_trait::async_trait;
    /// # use u2m_core::{AccessToken, Description, Need, SourceError, Token};
    /// # use u2m_http::{Bearer, HeaderSource, TokenSource};
    /// # #[derive(Debug)]
    /// # struct Fixed(Token);
    /// # #[async_trait]
    /// # impl TokenSource for Fixed {
    /// #     fn fresh(&self) -> Option<Token> { Some(self.0.clone()) }
    /// #     async fn get(&self, _: &Need) -> Result<Token, SourceError> { Ok(self.0.clone()) }
    /// #     fn describe(&self) -> Description { Description::new("fixed", "pat") }
    /// # }
    /// let source = Bearer::new(Fixed(Token::new(AccessToken::new("abc"), None)));
    /// assert_eq!(source.fresh().unwrap().authorization().unwrap().expose(), "Bearer abc");
    /// ```
    pub fn new(source: S) -> Self {
        Self(source)
    }

    /// The source of the tokens.
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

    fn describe(&self) -> Description {
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

            fn describe(&self) -> Description {
                (**self).describe()
            }
        }
    )*};
}

pass_on!(Arc<S>, Box<S>, &S);
