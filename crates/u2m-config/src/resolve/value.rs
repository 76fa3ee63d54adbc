//! A configured value, and where it comes from.

use std::fmt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::Attribute;

/// Replaces a secret where values are shown.
const HIDDEN: &str = "********";

/// Where a value comes from.
///
/// ```
/// use u2m_config::ValueSource;
/// assert_eq!(ValueSource::Flag("--host").to_string(), "--host flag");
/// assert_eq!(ValueSource::Variable("DATABRICKS_HOST").to_string(), "DATABRICKS_HOST environment variable");
/// assert_eq!(ValueSource::File("/home/a/cfg".into()).to_string(), "/home/a/cfg config file");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueSource {
    /// A command line flag, with its hyphens.
    Flag(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// The profile file.
    File(PathBuf),
    /// Nobody set it: it was derived from something else.
    Derived,
}

impl ValueSource {
    /// Returns the kind of source, in the words of Databricks' programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Flag(_) => "flag",
            Self::Variable(_) => "environment variable",
            Self::File(_) => "config file",
            Self::Derived => "dynamic configuration",
        }
    }

    /// Returns the name of the flag or variable, or the path of the file. `None` for a derived value.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Flag(name) | Self::Variable(name) => Some((*name).to_owned()),
            Self::File(path) => Some(path.display().to_string()),
            Self::Derived => None,
        }
    }
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} {}", self.kind()),
            None => f.write_str(self.kind()),
        }
    }
}

/// One configured value and its source. A secret is hidden in the `Debug` form, and cleared from
/// memory on drop.
///
/// ```
/// use u2m_config::{ConfigFile, SelectionArgs, resolve};
/// let file = ConfigFile::parse("[dev]\nhost = a.example\ntoken = canary\n")?;
/// let given = SelectionArgs { profile: Some("dev"), ..SelectionArgs::default() };
/// let found = resolve(&given, &|_| None, &file, "cfg".as_ref())?;
/// let token = found.value("token").expect("the profile has one");
/// assert_eq!((token.shown(), token.expose()), ("********", "canary"));
/// assert!(!format!("{found:?}").contains("canary"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    attribute: &'static Attribute,
    text: Zeroizing<String>,
    source: ValueSource,
}

impl Value {
    pub(super) fn new(attribute: &'static Attribute, text: &str, source: ValueSource) -> Self {
        Self { attribute, text: Zeroizing::new(text.to_owned()), source }
    }

    /// Returns the attribute that this is the value of.
    pub fn attribute(&self) -> &'static Attribute {
        self.attribute
    }

    /// Returns the value itself, even if it is secret.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Returns the value for display: asterisks if it is secret.
    pub fn shown(&self) -> &str {
        if self.attribute.is_secret() { HIDDEN } else { &self.text }
    }

    /// Returns where the value comes from.
    pub fn source(&self) -> &ValueSource {
        &self.source
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={:?} from {}", self.attribute.key(), self.shown(), self.source)
    }
}
