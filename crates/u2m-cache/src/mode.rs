//! The kinds of store that a user can choose by name.

use std::fmt;

/// The kind of storage for logins, as named in settings.
///
/// ```
/// use u2m_cache::StorageMode;
/// assert_eq!(StorageMode::parse(" Secure "), Some(StorageMode::Secure));
/// assert_eq!(StorageMode::parse("legacy"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageMode {
    /// An encrypted file that only u2m reads. Databricks' own programs do not read it.
    Encrypted,
    /// The file `token-cache.json`, which is shared with other programs.
    Plaintext,
    /// The operating system's keyring.
    Secure,
}

impl StorageMode {
    /// All kinds, in the order in which they are searched.
    pub const ALL: [Self; 3] = [Self::Secure, Self::Encrypted, Self::Plaintext];

    /// Parses a name. Ignores surrounding white space and letter case. Returns `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        Self::ALL.into_iter().find(|mode| text.eq_ignore_ascii_case(mode.as_str()))
    }

    /// Returns the name used in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Encrypted => "encrypted",
            Self::Plaintext => "plaintext",
            Self::Secure => "secure",
        }
    }
}

impl fmt::Display for StorageMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_shown_as_it_is_read() {
        for mode in StorageMode::ALL {
            assert_eq!(StorageMode::parse(&mode.to_string()), Some(mode));
        }
    }
}
