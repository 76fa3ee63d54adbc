//! Names that people choose or copy, checked before they are put into a file or a URL.

use crate::target::TargetError;
use crate::text::Sanitized;
use std::fmt;

/// A profile's name. It is not empty, does not break a line or a section header, and is not a URL, because profile names and
/// host keys share one namespace in the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProfileName(String);

impl ProfileName {
    /// Parses a profile name.
    ///
    /// # Errors
    /// Fails if the name is empty, reserved, a URL, or has surrounding spaces, brackets or control characters.
    ///
    /// ```
    /// use u2m_core::ProfileName;
    /// assert_eq!(ProfileName::parse("dev")?.as_str(), "dev");
    /// assert!(ProfileName::parse("https://a.example").is_err());
    /// # Ok::<(), u2m_core::TargetError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        if text.trim().is_empty() {
            return Err(TargetError::NoProfile);
        }
        let bad = |c: char| c.is_control() || c == '[' || c == ']';
        if text == "__settings__"
            || text.contains("://")
            || text.contains(bad)
            || text.trim() != text
        {
            return Err(TargetError::BadProfile(Sanitized::new(text)));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a Databricks account, usable as one segment of a URL's path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccountId(String);

impl AccountId {
    /// Parses an account id.
    ///
    /// # Errors
    /// Fails if the id is empty or has characters with a meaning in a URL.
    ///
    /// ```
    /// use u2m_core::AccountId;
    /// assert_eq!(AccountId::parse("1111-2222")?.as_str(), "1111-2222");
    /// assert!(AccountId::parse("a/b").is_err());
    /// # Ok::<(), u2m_core::TargetError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
        if text.is_empty() || !text.bytes().all(plain) || text.bytes().all(|b| b == b'.') {
            return Err(TargetError::BadAccountId(Sanitized::new(text)));
        }
        Ok(Self(text.to_owned()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arg_3_a_profile_named_like_a_url_is_refused() {
        for bad in ["https://a.example", "http://x", "a]b", "__settings__", " a", "a\nb"] {
            assert!(matches!(ProfileName::parse(bad), Err(TargetError::BadProfile(_))), "{bad:?}");
        }
        let empty = ProfileName::parse("").unwrap_err();
        assert!(empty.to_string().starts_with("profile name must not be empty"));
    }

    #[test]
    fn arg_2_account_ids_are_one_plain_segment() {
        for bad in ["", "a/b", "a?b", "a#b", "..", "a b", "é"] {
            assert!(AccountId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_shown_as_they_are() {
        assert_eq!(ProfileName::parse("my dev").unwrap().to_string(), "my dev");
        assert_eq!(AccountId::parse("acc-1").unwrap().to_string(), "acc-1");
    }
}
