//! A command that failed: its class, which is its exit code, and its words.

use crate::args::Command;
use std::fmt;
use u2m::config::ConfigError;
use u2m::text::chain;

/// What a script can branch on. The codes are documented and stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Any other error.
    Other,
    /// The command line is wrong.
    Usage,
    /// No login is stored.
    NotConfigured,
    /// A login is stored and cannot be used any more.
    NeedsLogin,
    /// It is not clear which profile or host is meant.
    Unclear,
    /// Network, time-out, or the server in trouble.
    Network,
    /// The token store failed.
    Storage,
}

impl Class {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::Usage => 2,
            Self::NotConfigured => 3,
            Self::NeedsLogin => 4,
            Self::Unclear => 5,
            Self::Network => 6,
            Self::Storage => 7,
        }
    }

    /// A word for programs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Other => "failed",
            Self::Usage => "usage",
            Self::NotConfigured => "not-signed-in",
            Self::NeedsLogin => "login-needed",
            Self::Unclear => "unclear",
            Self::Network => "network",
            Self::Storage => "storage",
        }
    }
}

/// A failure as it is shown.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) class: Class,
    pub(crate) text: String,
    /// The command whose help says more.
    pub(crate) command: Option<Command>,
}

impl Failure {
    pub(crate) fn new(class: Class, text: impl Into<String>) -> Self {
        Self { class, text: text.into(), command: None }
    }

    /// The same, of this command.
    pub(crate) fn of(self, command: Option<Command>) -> Self {
        Self { command: self.command.or(command), ..self }
    }

    /// The same, and something more to say.
    pub(crate) fn with(mut self, more: &str) -> Self {
        self.text += more;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// There is nothing to advise on a profile file that cannot be read: what is wrong with it says it all.
impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Class::Other, chain(&error))
    }
}
