//! The kinds of store that a person can ask for by name.

use std::fmt;

/// Where logins are kept, by the name that stands in settings.
///
/// ```
/// use u2m_cache::StorageMode;
/// assert_eq!(StorageMode::parse(" Secure "), Some(StorageMode::Secure));
/// assert_eq!(StorageMode::parse("legacy"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageMode {
    /// A file of u2m's own, encrypted; Databricks' own programs do not read it.
    Encrypted,
    /// The file `token-cache.json`, which other programs share.
    Plaintext,
    /// The operating system's keyring.
    Secure,
}

impl StorageMode {
    /// All of them, in the order in which they are looked through.
    pub const ALL: [Self; 3] = [Self::Secure, Self::Encrypted, Self::Plaintext];

    /// Reads a name: blanks around it and letter case do not count. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        Self::ALL.into_iter().find(|mode| text.eq_ignore_ascii_case(mode.as_str()))
    }

    /// The name.
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
