//! A target as text: its kind, where it is, and under which profile.

use crate::databricks::Host;
use crate::names::{AccountId, ProfileName};
use crate::target::{Target, TargetError, TargetKind};
use crate::text::Sanitized;
use std::fmt;
use std::str::FromStr;

/// The text between a target and its profile.
const AS: &str = " as ";

/// Makes a workspace target.
impl From<Host> for Target {
    fn from(host: Host) -> Self {
        Self::workspace(host)
    }
}

/// One line that can be parsed into the same target: `workspace https://a.example`, `account ID at https://accounts.example`,
/// `unified ID at https://a.example`, `issuer https://id.example` or `discovery`, followed by `as PROFILE` if it has a profile.
/// A [key](Target::with_key) of your own is not included.
///
/// ```
/// use u2m_core::{Host, ProfileName, Target};
/// let target = Target::workspace(Host::parse("https://a.example")?);
/// assert_eq!(target.to_string(), "workspace https://a.example");
/// let target = target.with_profile(ProfileName::parse("dev")?);
/// assert_eq!(target.to_string(), "workspace https://a.example as dev");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            TargetKind::Account(host, id) => write!(f, "account {id} at {host}")?,
            TargetKind::Discovery => f.write_str("discovery")?,
            TargetKind::Issuer(_, issuer) => write!(f, "issuer {}", Sanitized::new(issuer))?,
            TargetKind::Unified(host, id) => write!(f, "unified {id} at {host}")?,
            TargetKind::Workspace(host) => write!(f, "workspace {host}")?,
        }
        match self.profile() {
            Some(profile) => write!(f, "{AS}{profile}"),
            None => Ok(()),
        }
    }
}

/// Parses a target as `Display` writes it. A host alone is a workspace.
///
/// ```
/// use u2m_core::Target;
/// let target: Target = "account abc at https://accounts.cloud.databricks.com as prod".parse()?;
/// assert_eq!(target.account_id().unwrap().as_str(), "abc");
/// assert_eq!("https://a.example".parse::<Target>()?.to_string(), "workspace https://a.example");
/// # Ok::<(), u2m_core::TargetError>(())
/// ```
impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (what, profile) = match text.split_once(AS) {
            Some((what, profile)) => (what, Some(ProfileName::parse(profile)?)),
            None => (text, None),
        };
        let host = |text: &str| Host::parse(text).map_err(TargetError::Host);
        let account = |of: fn(Host, AccountId) -> Self, rest: &str| {
            let (id, at) = rest.split_once(" at ").ok_or_else(|| unknown(text))?;
            Ok(of(host(at)?, AccountId::parse(id)?))
        };
        let target = match (what.split_once(' '), &profile) {
            (Some(("account", rest)), _) => account(Self::account, rest)?,
            (Some(("unified", rest)), _) => account(Self::unified, rest)?,
            (Some(("issuer", issuer)), _) => Self::issuer(issuer).map_err(TargetError::Issuer)?,
            (Some(("workspace", at)), _) => Self::workspace(host(at)?),
            (Some(_), _) => return Err(unknown(text)),
            (None, Some(profile)) if what == "discovery" => Self::discovery(profile.clone()),
            (None, None) if what == "discovery" => return Err(TargetError::NoProfile),
            (None, _) => Self::workspace(host(what)?),
        };
        Ok(profile.into_iter().fold(target, Self::with_profile))
    }
}

fn unknown(text: &str) -> TargetError {
    TargetError::NotATarget(Sanitized::new(text))
}

/// Serializes a target as a map: `kind`, and those of `host`, `account_id`, `issuer`, `profile` and `key` that it has.
#[cfg(feature = "serde")]
mod as_map {
    use super::*;
    use crate::target::CacheKey;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize, Serialize)]
    #[serde(rename_all = "snake_case")]
    enum KindName {
        Account,
        Discovery,
        Issuer,
        Unified,
        Workspace,
    }

    #[derive(Deserialize, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Parts {
        kind: KindName,
        #[serde(skip_serializing_if = "Option::is_none")]
        host: Option<Host>,
        #[serde(skip_serializing_if = "Option::is_none")]
        account_id: Option<AccountId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        issuer: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        profile: Option<ProfileName>,
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    }

    impl Serialize for Target {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let kind = match self.kind() {
                TargetKind::Account(..) => KindName::Account,
                TargetKind::Discovery => KindName::Discovery,
                TargetKind::Issuer(..) => KindName::Issuer,
                TargetKind::Unified(..) => KindName::Unified,
                TargetKind::Workspace(_) => KindName::Workspace,
            };
            let issuer = self.issuer_id().map(str::to_owned);
            let parts = Parts {
                kind,
                host: self.host().filter(|_| issuer.is_none()).cloned(),
                account_id: self.account_id().cloned(),
                issuer,
                profile: self.profile().cloned(),
                key: self.own_key().map(|key| key.as_str().to_owned()),
            };
            parts.serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for Target {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let parts = Parts::deserialize(deserializer)?;
            let host = || parts.host.clone().ok_or_else(|| D::Error::missing_field("host"));
            let account =
                || parts.account_id.clone().ok_or_else(|| D::Error::missing_field("account_id"));
            let profile =
                || parts.profile.clone().ok_or_else(|| D::Error::missing_field("profile"));
            let issuer = || parts.issuer.clone().ok_or_else(|| D::Error::missing_field("issuer"));
            let target = match parts.kind {
                KindName::Account => Self::account(host()?, account()?),
                KindName::Discovery => Self::discovery(profile()?),
                KindName::Issuer => Self::issuer(issuer()?).map_err(D::Error::custom)?,
                KindName::Unified => Self::unified(host()?, account()?),
                KindName::Workspace => Self::workspace(host()?),
            };
            let target = parts.profile.into_iter().fold(target, Self::with_profile);
            let key = parts.key.map(CacheKey::new);
            Ok(key.into_iter().fold(target, Self::with_key))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets() -> Vec<Target> {
        let host = |text: &str| Host::parse(text).unwrap();
        let (id, dev) =
            (|| AccountId::parse("abc").unwrap(), ProfileName::parse("my dev").unwrap());
        let bare = [
            Target::workspace(host("http://127.0.0.1:5656")),
            Target::account(host("https://accounts.cloud.databricks.com"), id()),
            Target::unified(host("https://unified.example"), id()),
            Target::issuer("https://id.example/realms/main").unwrap(),
        ];
        let named = bare.clone().map(|target| target.with_profile(dev.clone()));
        bare.into_iter().chain(named).chain([Target::discovery(dev)]).collect()
    }

    #[test]
    fn a_target_is_read_as_it_is_shown() {
        for target in targets() {
            assert_eq!(target.to_string().parse(), Ok(target.clone()), "{target}");
        }
    }

    #[test]
    fn what_is_no_target_is_told_by_what_is_wrong_with_it() {
        let read = |text: &str| text.parse::<Target>().unwrap_err();
        assert!(matches!(read("cluster https://a.example"), TargetError::NotATarget(_)));
        assert!(matches!(read("account abc"), TargetError::NotATarget(_)));
        assert!(matches!(read("workspace http://a.example"), TargetError::Host(_)));
        assert!(matches!(read("a.example"), TargetError::Host(_)));
        assert!(matches!(read("issuer http://a.example"), TargetError::Issuer(_)));
        assert!(matches!(read("account a/b at https://a.example"), TargetError::BadAccountId(_)));
        assert!(matches!(read("discovery"), TargetError::NoProfile));
        assert!(matches!(read("https://a.example as [dev]"), TargetError::BadProfile(_)));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn settings_hold_a_target_with_all_its_parts() {
        use crate::target::CacheKey;
        for target in targets() {
            for target in [target.clone(), target.with_key(CacheKey::new("mine"))] {
                let text = serde_json::to_string(&target).unwrap();
                assert_eq!(serde_json::from_str::<Target>(&text).unwrap(), target, "{text}");
            }
        }
        let text = r#"{"kind":"workspace","host":"https://a.example","profile":"dev"}"#;
        let target: Target = serde_json::from_str(text).unwrap();
        assert_eq!(target.to_string(), "workspace https://a.example as dev");
        assert_eq!(serde_json::to_string(&target).unwrap(), text);
        let missing = serde_json::from_str::<Target>(r#"{"kind":"workspace"}"#).unwrap_err();
        assert!(missing.to_string().contains("missing field `host`"), "{missing}");
    }
}
