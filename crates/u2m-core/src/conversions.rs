//! Conversions between names, hosts, scopes and targets and their text form, as in arguments, settings and files.

mod target;

use crate::databricks::{Host, HostError};
use crate::names::{AccountId, ProfileName};
use crate::oauth::Scopes;
use crate::target::TargetError;
use std::convert::Infallible;
use std::str::FromStr;
use url::Url;

/// Implements the conversion traits for a type that has `parse` and `as_str`.
macro_rules! of_text {
    ($type:ident, $error:ident) => {
        impl FromStr for $type {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                Self::parse(text)
            }
        }

        impl TryFrom<&str> for $type {
            type Error = $error;

            fn try_from(text: &str) -> Result<Self, $error> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                Self::parse(&text)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.as_str().to_owned()
            }
        }
    };
}

of_text!(AccountId, TargetError);
of_text!(Host, HostError);
of_text!(ProfileName, TargetError);

/// Takes the origin of a URL, like [`Host::of`].
impl TryFrom<&Url> for Host {
    type Error = HostError;

    fn try_from(url: &Url) -> Result<Self, HostError> {
        Self::of(url)
    }
}

/// Splits at commas and blanks, like [`Scopes::split`].
impl FromStr for Scopes {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::split(text))
    }
}

impl From<&str> for Scopes {
    fn from(text: &str) -> Self {
        Self::split(text)
    }
}

impl<S: Into<String>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(scopes: I) -> Self {
        Self::new(scopes)
    }
}

/// Serializes each type as its text.
#[cfg(feature = "serde")]
mod as_text {
    use super::*;
    use crate::time::Timestamp;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::borrow::Cow;

    macro_rules! as_text {
        ($($type:ident),*) => {$(
            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $type {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let text = Cow::<str>::deserialize(deserializer)?;
                    text.parse().map_err(D::Error::custom)
                }
            }
        )*};
    }

    as_text!(AccountId, Host, ProfileName, Scopes, Timestamp);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_as_the_same_in_every_way() {
        let host: Host = "https://a.example:8443".parse().unwrap();
        assert_eq!(Host::try_from(String::from(host.clone())), Ok(host.clone()));
        assert_eq!(Host::try_from(&Url::parse("https://a.example:8443/x?y").unwrap()), Ok(host));
        let name = ProfileName::try_from("my dev").unwrap();
        assert_eq!(name.to_string().parse(), Ok(name.clone()));
        assert_eq!(name.as_ref(), "my dev");
        let account: AccountId = "acc-1".parse().unwrap();
        assert_eq!(String::from(account), "acc-1");
        let scopes: Scopes = "sql, jobs sql".parse().unwrap();
        assert_eq!(scopes, ["sql", "jobs"].into_iter().collect());
        assert_eq!(Scopes::from("sql jobs"), scopes);
    }

    #[test]
    fn what_a_constructor_refuses_no_conversion_takes() {
        assert!("http://a.example".parse::<Host>().is_err());
        assert!(ProfileName::try_from("https://a.example").is_err());
        assert!(AccountId::try_from(String::from("a/b")).is_err());
    }

    #[cfg(feature = "serde")]
    #[test]
    fn settings_hold_each_as_its_text() {
        use crate::time::Timestamp;
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        struct Settings {
            host: Host,
            profile: Option<ProfileName>,
            account: AccountId,
            scopes: Scopes,
            since: Timestamp,
        }
        let text = r#"{"host":"https://a.example","profile":"dev","account":"acc","scopes":"sql jobs","since":"2026-03-10T21:33:09Z"}"#;
        let settings: Settings = serde_json::from_str(text).unwrap();
        assert_eq!(settings.since.unix(), 1_773_178_389);
        assert_eq!(serde_json::to_string(&settings).unwrap(), text);
        let bad = text.replace("https://", "http://");
        let error = serde_json::from_str::<Settings>(&bad).unwrap_err().to_string();
        assert!(error.contains("host must start with 'https://'"), "{error}");
    }
}
