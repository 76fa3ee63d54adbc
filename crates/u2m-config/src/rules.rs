//! Restricts what is written to the part of the dialect that every reader of the file interprets alike.
//!
//! Python's parser keeps quotes and inline comments as part of the value, reads an indented line as a
//! continuation of the value above, and lower-cases keys. So nothing is written that would need quoting.

use std::fmt;

use crate::file::SETTINGS;
use crate::{Attribute, ConfigError};

/// The profile keys that are credentials of any method other than a user's login. If one of them
/// stays in a profile after a login, the SDKs reject the profile, because they find more than one
/// authorization method.
pub const CREDENTIAL_KEYS: &[&str] = LOGIN_CLEARS.split_at(17).0;

/// The keys that a login removes from its profile: the [`CREDENTIAL_KEYS`], in both the Go and the
/// Python spelling, followed by keys that are obsolete or only make sense together with those.
pub const LOGIN_CLEARS: &[&str] = &[
    "azure_client_id",
    "azure_client_secret",
    "azure_login_app_id",
    "azure_tenant_id",
    "azure_use_msi",
    "azure_workspace_resource_id",
    "client_id",
    "client_secret",
    "databricks_id_token_filepath",
    "google_credentials",
    "google_service_account",
    "metadata_service_url",
    "oidc_token_env",
    "oidc_token_filepath",
    "password",
    "token",
    "username",
    // The keys below are not credentials.
    "experimental_is_unified_host",
    "token_audience",
];

/// Returns whether the value of a key is a secret. Known keys are looked up; others are judged by their name.
pub(crate) fn is_for_secret(key: &str) -> bool {
    let is_called = |word: &&str| key.to_ascii_lowercase().contains(word);
    match Attribute::named(key) {
        Some(known) => known.is_secret(),
        None => ["credential", "password", "secret", "token"].iter().any(is_called),
    }
}

/// Why a name, key or value cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unwritable {
    /// It contains a square bracket, which ends a section header early in some readers.
    Bracket,
    /// It contains ` #` or ` ;`, which begins a comment in some readers and is text in others.
    CommentMark,
    /// It contains a line end or another control character.
    ControlCharacter,
    /// It is empty.
    Empty,
    /// It contains `%(`, which begins a substitution when a setting is read.
    Interpolation,
    /// It begins with a quote or backquote, which some readers remove and others keep.
    LeadingQuote,
    /// A key contains something other than lower-case letters, digits and `_`. Some readers ignore case.
    NotLowerCase,
    /// It begins or ends with white space, which is lost on reading.
    OuterSpace,
    /// The name has a special meaning.
    Reserved,
    /// It ends with a backslash, which joins the next line in some readers.
    TrailingBackslash,
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bracket => "it contains a square bracket, which would end the section header",
            Self::CommentMark => {
                "it contains # or ; after a space, which some readers take for a comment"
            }
            Self::ControlCharacter => "it contains a line end or another control character",
            Self::Empty => "it is empty",
            Self::Interpolation => "it contains %(, which some readers replace with another value",
            Self::LeadingQuote => {
                "it begins with a quote, which some readers remove and others keep"
            }
            Self::NotLowerCase => {
                "only lower-case letters, digits and underscores are read alike everywhere"
            }
            Self::OuterSpace => "it begins or ends with a blank, which readers remove",
            Self::Reserved => "it is reserved",
            Self::TrailingBackslash => {
                "it ends with a backslash, which some readers join with the next line"
            }
        })
    }
}

/// Returns whether a name looks like a host, so that it would be read as one where both a profile
/// and a host are accepted: it contains a dot, begins with `http://` or `https://`, or ends in a
/// colon and a number.
///
/// ```
/// use u2m_config::looks_like_host;
/// assert!(looks_like_host("my.profile") && looks_like_host("localhost:8080"));
/// assert!(!looks_like_host("e2-dogfood"));
/// ```
pub fn looks_like_host(name: &str) -> bool {
    let has_port = |(host, port): (&str, &str)| !host.is_empty() && port.parse::<i64>().is_ok();
    name.contains('.')
        || name.starts_with("http://")
        || name.starts_with("https://")
        || name.rsplit_once(':').is_some_and(has_port)
}

/// Fails for names that cannot be a section name or the value of `default_profile`.
pub(crate) fn check_name(name: &str) -> Result<(), ConfigError> {
    let fault = match name {
        SETTINGS => Some(Unwritable::Reserved),
        _ if name.contains(['[', ']']) => Some(Unwritable::Bracket),
        _ if name.contains("%(") => Some(Unwritable::Interpolation),
        _ => value_fault(name),
    };
    fault.map_or(Ok(()), |reason| Err(ConfigError::RefusedName { name: name.to_owned(), reason }))
}

/// Fails for keys that some reader would change or misread.
pub(crate) fn check_key(key: &str) -> Result<(), ConfigError> {
    let known = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
    let fault = match key {
        "" => Some(Unwritable::Empty),
        // These choose the file and the profile, so they make no sense inside a profile.
        "config_file" | "profile" => Some(Unwritable::Reserved),
        _ if !key.chars().all(known) => Some(Unwritable::NotLowerCase),
        _ => None,
    };
    fault.map_or(Ok(()), |reason| Err(ConfigError::RefusedKey { key: key.to_owned(), reason }))
}

/// Fails if this name or one of these values cannot be written. Empty values are not written.
pub(crate) fn check_profile(name: &str, values: &[(&str, &str)]) -> Result<(), ConfigError> {
    check_name(name)?;
    for (key, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
        check_key(key)?;
        check_value(key, value)?;
    }
    Ok(())
}

/// Fails for values that readers would interpret differently.
pub(crate) fn check_value(key: &str, value: &str) -> Result<(), ConfigError> {
    let fault = value_fault(value);
    fault.map_or(Ok(()), |reason| Err(ConfigError::RefusedValue { key: key.to_owned(), reason }))
}

fn value_fault(value: &str) -> Option<Unwritable> {
    match value {
        "" => Some(Unwritable::Empty),
        _ if value.contains(char::is_control) => Some(Unwritable::ControlCharacter),
        _ if value.trim() != value => Some(Unwritable::OuterSpace),
        _ if value.starts_with(['"', '\'', '`']) => Some(Unwritable::LeadingQuote),
        _ if value.contains(" #") || value.contains(" ;") => Some(Unwritable::CommentMark),
        _ if value.ends_with('\\') => Some(Unwritable::TrailingBackslash),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_values_are_written() {
        for value in
            ["https://a.example", "a b", "v#c", "v;c", "#x", "a\"b", "=x", "p%q", "ä", "jobs,sql"]
        {
            assert!(check_value("k", value).is_ok(), "{value}");
        }
    }

    #[test]
    fn values_that_readers_disagree_about_are_refused() {
        let refused = [
            ("", Unwritable::Empty),
            ("a\nb", Unwritable::ControlCharacter),
            ("a\rb", Unwritable::ControlCharacter),
            ("a\0b", Unwritable::ControlCharacter),
            (" a", Unwritable::OuterSpace),
            ("a\u{a0}", Unwritable::OuterSpace),
            ("\"a\"", Unwritable::LeadingQuote),
            ("'a", Unwritable::LeadingQuote),
            ("`a", Unwritable::LeadingQuote),
            ("a # b", Unwritable::CommentMark),
            ("a ;b", Unwritable::CommentMark),
            ("a\\", Unwritable::TrailingBackslash),
        ];
        for (value, fault) in refused {
            assert_eq!(value_fault(value), Some(fault), "{value:?}");
        }
    }

    #[test]
    fn a_refused_value_is_not_repeated() {
        let error = check_value("token", "dapi-secret\\").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("dapi-secret"));
    }

    #[test]
    fn names_must_fit_a_header_and_a_setting() {
        let fault = |name| match check_name(name) {
            Err(ConfigError::RefusedName { reason, .. }) => Some(reason),
            _ => None,
        };
        assert_eq!(fault("my.dev profile"), None);
        assert_eq!(fault("DEFAULT"), None);
        assert_eq!(fault(""), Some(Unwritable::Empty));
        assert_eq!(fault("__settings__"), Some(Unwritable::Reserved));
        assert_eq!(fault("a]"), Some(Unwritable::Bracket));
        assert_eq!(fault("[a"), Some(Unwritable::Bracket));
        assert_eq!(fault("a\tb"), Some(Unwritable::ControlCharacter));
        assert_eq!(fault(" a"), Some(Unwritable::OuterSpace));
        assert_eq!(fault("a #b"), Some(Unwritable::CommentMark));
        assert_eq!(fault("%(x)s"), Some(Unwritable::Interpolation));
    }

    #[test]
    fn keys_are_lower_case_words() {
        assert!(check_key("workspace_id").is_ok());
        for key in ["", "Host", "a b", "a=b", "profile", "config_file", "\"k\""] {
            assert!(check_key(key).is_err(), "{key}");
        }
    }

    #[test]
    fn logins_clear_every_credential_in_both_spellings() {
        assert_eq!(CREDENTIAL_KEYS.last(), Some(&"username"));
        for key in ["databricks_id_token_filepath", "oidc_token_filepath", "token_audience"] {
            assert!(LOGIN_CLEARS.contains(&key));
        }
        assert!(!CREDENTIAL_KEYS.contains(&"token_audience"));
    }

    #[test]
    fn a_dot_a_scheme_or_a_port_make_a_host_of_a_name() {
        for host in ["a.b", "http://h", "https://h", "h:8080", "a:b:1"] {
            assert!(looks_like_host(host), "{host}");
        }
        for name in ["", "dev", "http", ":8080", "h:", "h:x", "1:a"] {
            assert!(!looks_like_host(name), "{name}");
        }
    }

    #[test]
    fn a_key_is_for_a_secret_by_what_is_known_of_it_or_by_what_it_is_called() {
        for key in [
            "token",
            "client_secret",
            "azure_client_secret",
            "password",
            "my_api_token",
            "my_refresh_token",
        ] {
            assert!(is_for_secret(key), "{key}");
        }
        for key in [
            "host",
            "disable_oauth_refresh_token",
            "token_audience",
            "oidc_token_env",
            "oidc_token_filepath",
            "databricks_id_token_filepath",
        ] {
            assert!(!is_for_secret(key), "{key}");
        }
    }
}
