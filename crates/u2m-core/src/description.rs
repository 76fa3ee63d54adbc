//! What a source of tokens says of itself.

use std::fmt;

/// What a source of tokens is, for people and for whoever chooses among several. It holds no secret.
///
/// ```
/// use u2m_core::{Description, Mints};
/// let login = Description::new("login", "databricks-cli").with_target("https://a.example");
/// let outer = Description::new("federated", "token-federation").with_inner(login);
/// assert_eq!(outer.to_string(), "federated[login]");
/// assert_eq!(outer.innermost().auth_type, "databricks-cli");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// Its name.
    pub name: String,
    /// The way of authenticating, as `auth_type` spells it.
    pub auth_type: String,
    /// Whom its tokens are for, a host say, if that is one.
    pub target: Option<String>,
    /// The scopes that a token can be asked for with.
    pub scopes: Mints,
    /// The audiences that a token can be asked for with.
    pub audiences: Mints,
    /// The source that this one makes its tokens from.
    pub inner: Option<Box<Description>>,
}

/// What a source can make tokens for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mints {
    /// Whatever is asked for.
    Any,
    /// These alone. None: its tokens are of one kind, which is not chosen by asking.
    Fixed(Vec<String>),
}

impl Mints {
    /// Whether a token can be asked for with all of these.
    ///
    /// ```
    /// use u2m_core::Mints;
    /// assert!(Mints::Fixed(vec!["sql".into()]).has(["sql"]));
    /// assert!(!Mints::Fixed(Vec::new()).has(["sql"]));
    /// assert!(Mints::Any.has(["sql"]));
    /// ```
    pub fn has<'a>(&self, asked: impl IntoIterator<Item = &'a str>) -> bool {
        match self {
            Self::Any => true,
            Self::Fixed(all) => asked.into_iter().all(|one| all.iter().any(|known| known == one)),
        }
    }
}

impl Description {
    /// Takes what every source has. Its tokens are of one kind, until more is said.
    ///
    /// ```
    /// use u2m_core::{Description, Mints};
    /// assert_eq!(Description::new("login", "databricks-cli").scopes, Mints::Fixed(Vec::new()));
    /// ```
    pub fn new(name: impl Into<String>, auth_type: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            auth_type: auth_type.into(),
            target: None,
            scopes: Mints::Fixed(Vec::new()),
            audiences: Mints::Fixed(Vec::new()),
            inner: None,
        }
    }

    /// Says whom its tokens are for.
    #[must_use]
    pub fn with_target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Says which scopes a token can be asked for with.
    ///
    /// ```
    /// use u2m_core::{Description, Mints};
    /// assert_eq!(Description::new("id", "github-oidc").with_scopes(Mints::Any).scopes, Mints::Any);
    /// ```
    #[must_use]
    pub fn with_scopes(mut self, scopes: Mints) -> Self {
        self.scopes = scopes;
        self
    }

    /// Says which audiences a token can be asked for with.
    ///
    /// ```
    /// use u2m_core::{Description, Mints};
    /// let described = Description::new("id", "github-oidc").with_audiences(Mints::Any);
    /// assert_eq!(described.audiences, Mints::Any);
    /// ```
    #[must_use]
    pub fn with_audiences(mut self, audiences: Mints) -> Self {
        self.audiences = audiences;
        self
    }

    /// Says what it makes its tokens from.
    #[must_use]
    pub fn with_inner(mut self, inner: Self) -> Self {
        self.inner = Some(Box::new(inner));
        self
    }

    /// The source that all others around it make their tokens from.
    pub fn innermost(&self) -> &Self {
        let mut source = self;
        while let Some(inner) = &source.inner {
            source = inner;
        }
        source
    }
}

/// Its name, and the names of those within: `federated[login]`.
impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner {
            Some(inner) => write!(f, "{}[{inner}]", self.name),
            None => f.write_str(&self.name),
        }
    }
}
