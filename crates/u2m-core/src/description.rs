//! What a token source says about itself.

use std::fmt;

/// Describes a token source, for people and for code that chooses among several. It holds no secret.
///
/// ```
/// use u2m_core::{SourceDescription, Offered};
/// let login = SourceDescription::new("login", "databricks-cli").with_target("https://a.example");
/// let outer = SourceDescription::new("federated", "token-federation").with_inner(login);
/// assert_eq!(outer.to_string(), "federated[login]");
/// assert_eq!(outer.innermost().auth_type, "databricks-cli");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceDescription {
    /// The source's name.
    pub name: String,
    /// The authentication type, as spelled in `auth_type`.
    pub auth_type: String,
    /// What its tokens are for, such as a host, if that is one thing.
    pub target: Option<String>,
    /// The scopes that can be requested.
    pub scopes: Offered,
    /// The audiences that can be requested.
    pub audiences: Offered,
    /// The source whose tokens this one makes its own from.
    pub inner: Option<Box<SourceDescription>>,
}

/// What can be requested of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offered {
    /// Anything.
    Any,
    /// Only these. If empty, nothing can be requested: its tokens are all of one kind.
    Fixed(Vec<String>),
}

impl Offered {
    /// Whether a token can be requested for all of these.
    ///
    /// ```
    /// use u2m_core::Offered;
    /// assert!(Offered::Fixed(vec!["sql".into()]).has(["sql"]));
    /// assert!(!Offered::Fixed(Vec::new()).has(["sql"]));
    /// assert!(Offered::Any.has(["sql"]));
    /// ```
    pub fn has<'a>(&self, asked: impl IntoIterator<Item = &'a str>) -> bool {
        match self {
            Self::Any => true,
            Self::Fixed(all) => asked.into_iter().all(|one| all.iter().any(|known| known == one)),
        }
    }
}

impl SourceDescription {
    /// Makes a description without scopes and audiences to choose from.
    ///
    /// ```
    /// use u2m_core::{SourceDescription, Offered};
    /// assert_eq!(SourceDescription::new("login", "databricks-cli").scopes, Offered::Fixed(Vec::new()));
    /// ```
    pub fn new(name: impl Into<String>, auth_type: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            auth_type: auth_type.into(),
            target: None,
            scopes: Offered::Fixed(Vec::new()),
            audiences: Offered::Fixed(Vec::new()),
            inner: None,
        }
    }

    /// Sets what its tokens are for.
    #[must_use]
    pub fn with_target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Sets the scopes that can be requested.
    ///
    /// ```
    /// use u2m_core::{SourceDescription, Offered};
    /// assert_eq!(SourceDescription::new("id", "github-oidc").with_scopes(Offered::Any).scopes, Offered::Any);
    /// ```
    #[must_use]
    pub fn with_scopes(mut self, scopes: Offered) -> Self {
        self.scopes = scopes;
        self
    }

    /// Sets the audiences that can be requested.
    ///
    /// ```
    /// use u2m_core::{SourceDescription, Offered};
    /// let described = SourceDescription::new("id", "github-oidc").with_audiences(Offered::Any);
    /// assert_eq!(described.audiences, Offered::Any);
    /// ```
    #[must_use]
    pub fn with_audiences(mut self, audiences: Offered) -> Self {
        self.audiences = audiences;
        self
    }

    /// Sets the source that it makes its tokens from.
    #[must_use]
    pub fn with_inner(mut self, inner: Self) -> Self {
        self.inner = Some(Box::new(inner));
        self
    }

    /// The innermost source, from which all others make their tokens.
    pub fn innermost(&self) -> &Self {
        let mut source = self;
        while let Some(inner) = &source.inner {
            source = inner;
        }
        source
    }
}

/// The name, with the names of the inner sources: `federated[login]`.
impl fmt::Display for SourceDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner {
            Some(inner) => write!(f, "{}[{inner}]", self.name),
            None => f.write_str(&self.name),
        }
    }
}
