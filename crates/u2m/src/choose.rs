//! From what a person says (a profile, a host, nothing) to what is signed in to: one set of rules for every program.

mod error;
mod login;
mod token;

pub use error::ChooseError;
pub use login::{LoginChoice, choose_for_login};
pub use token::{TokenChoice, choose_for_token};

use std::ffi::OsString;
use std::path::PathBuf;
use u2m_config::{ConfigFile, Profile, looks_like_host};
use u2m_core::{AccountId, Foreign, Host, HostHints, ProfileName, Scopes, Target};

/// What was said on a command line or in a program's settings. All of it may be absent.
///
/// ```
/// let said = u2m::Said { profile: Some("dev".into()), ..u2m::Said::default() };
/// assert!(said.host.is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// A profile's name or a host, whichever it turns out to be.
    pub either: Option<String>,
    /// A profile's name.
    pub profile: Option<String>,
    /// A host, as typed or pasted.
    pub host: Option<String>,
    /// An account's id.
    pub account_id: Option<String>,
    /// A workspace's id. Only logins ask for it.
    pub workspace_id: Option<String>,
    /// A file of certificates that are trusted besides the system's, in the place of the profile's own.
    pub ca_file: Option<PathBuf>,
}

/// The environment that choices are made in.
pub struct Surroundings<'a> {
    /// Reads a variable.
    pub env: &'a dyn Fn(&str) -> Option<OsString>,
    /// The profiles.
    pub config: &'a ConfigFile,
}

impl Surroundings<'_> {
    /// A variable that is set to something.
    pub(crate) fn set(&self, name: &str) -> Option<String> {
        (self.env)(name)
            .and_then(|value| value.into_string().ok())
            .filter(|value| !value.is_empty())
    }
}

impl Said {
    /// Sorts `either` into profile or host.
    fn sorted(&self, config: &ConfigFile) -> Result<Self, ChooseError> {
        let mut said = self.clone();
        // A flag that is given and empty counts as absent.
        for part in [
            &mut said.either,
            &mut said.profile,
            &mut said.host,
            &mut said.account_id,
            &mut said.workspace_id,
        ] {
            *part = part.take().filter(|text| !text.is_empty());
        }
        let Some(either) = said.either.take() else { return Ok(said) };
        if said.host.is_some() || said.profile.is_some() {
            return Err(ChooseError::ArgumentWithFlag(Foreign::new(&either)));
        }
        if config.profile(&either).is_some_and(|profile| has_login(&profile)) {
            said.profile = Some(either);
        } else if looks_like_host(&either) {
            said.host = Some(either);
        } else {
            return Err(unknown(config, &either));
        }
        Ok(said)
    }
}

/// The file of certificates that counts beside the system's: what was said, else the profile's.
fn ca_file_of(said: Option<PathBuf>, profile: Option<&Profile<'_>>) -> Option<PathBuf> {
    said.or_else(|| profile?.ca_file().map(PathBuf::from))
}

/// Whether a profile says what to sign in to.
fn has_login(profile: &Profile<'_>) -> bool {
    profile.host().is_some() || profile.issuer().is_some()
}

/// A host that was said, and the ids in its query.
fn typed(text: &str) -> Result<(Host, HostHints), ChooseError> {
    Host::typed(text).map_err(ChooseError::Host)
}

/// The host of a profile; an unreadable one is the profile's fault.
fn host_of(profile: &Profile<'_>) -> Result<Option<(Host, HostHints)>, ChooseError> {
    let read = |text| {
        Host::typed(text)
            .map_err(|error| ChooseError::ProfileHost(Foreign::new(profile.name()), error))
    };
    profile.host().filter(|text| !text.is_empty()).map(read).transpose()
}

/// Refuses to take a profile's tokens for another host than its own, wherever profile and host were named.
fn check_conflict(
    profile: &str,
    own: Option<&Host>,
    wanted: Option<&Host>,
) -> Result<(), ChooseError> {
    match (own, wanted) {
        (Some(own), Some(wanted)) if own != wanted => Err(ChooseError::Conflict {
            profile: Foreign::new(profile),
            own: own.clone(),
            wanted: wanted.clone(),
        }),
        _ => Ok(()),
    }
}

fn unknown(config: &ConfigFile, name: &str) -> ChooseError {
    let mut near: Vec<&str> =
        config.profiles().iter().map(Profile::name).filter(|known| is_near(known, name)).collect();
    near.truncate(3);
    ChooseError::UnknownProfile {
        name: Foreign::new(name),
        near: near.into_iter().map(Foreign::new).collect(),
    }
}

/// Whether two names are so alike that one may be a slip of the other: at most two letters differ, or one begins the other.
///
/// ```
/// assert!(u2m::is_near("profile", "profil") && !u2m::is_near("profile", "host"));
/// ```
pub fn is_near(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    if one.starts_with(&other) || other.starts_with(&one) {
        return true;
    }
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let cost = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()] <= 2
}

fn account(text: Option<String>) -> Result<Option<AccountId>, ChooseError> {
    text.map(|text| AccountId::parse(&text).map_err(ChooseError::Target)).transpose()
}

fn name(text: &str) -> Result<ProfileName, ChooseError> {
    ProfileName::parse(text).map_err(ChooseError::Target)
}

/// The target as far as it can be told without asking the host: a console is an account, all else a workspace.
fn target_of(host: Host, account: Option<AccountId>) -> Result<Target, ChooseError> {
    match account {
        Some(account) if host.is_account_console() => Ok(Target::account(host, account)),
        None if host.is_account_console() => Err(ChooseError::NoAccount(host)),
        _ => Ok(Target::workspace(host)),
    }
}

fn scopes_of(profile: Option<&Profile<'_>>) -> Scopes {
    profile.map(|profile| Scopes::new(profile.scopes())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_letters_may_differ_and_one_may_begin_the_other() {
        for (one, other) in [
            ("prod", "PROD"),
            ("profile", "pro"),
            ("flaw", "lawn"),
            ("book", "back"),
            ("staging", "stagnig"),
            ("zzabc", "abc"),
            ("abc", "zzabc"),
            ("abcdef", "fbcdea"),
            ("ab", "cd"),
            ("", "x"),
        ] {
            assert!(is_near(one, other) && is_near(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("kitten", "sitting"),
            ("saturday", "sunday"),
            ("zzzabc", "abc"),
            ("abcd", "badc"),
            ("axbycz", "abc"),
            ("dev", "xyz"),
            ("a", "xyz"),
            ("intention", "execution"),
        ] {
            assert!(!is_near(one, other) && !is_near(other, one), "{one} {other}");
        }
    }

    #[test]
    fn an_empty_word_says_nothing() {
        let config = ConfigFile::parse("").unwrap();
        let env = |name: &str| (name != "none").then(|| name.trim_start_matches("no").into());
        let around = Surroundings { env: &env, config: &config };
        assert_eq!(around.set("this").as_deref(), Some("this"));
        assert_eq!((around.set("no"), around.set("none")), (None, None));
        let empty = || Some(String::new());
        let said = Said {
            either: empty(),
            profile: empty(),
            host: empty(),
            account_id: empty(),
            workspace_id: empty(),
            ca_file: None,
        };
        let sorted = said.sorted(&config).unwrap();
        assert!(sorted.either.is_none() && sorted.profile.is_none() && sorted.host.is_none());
        assert!(sorted.account_id.is_none() && sorted.workspace_id.is_none());
    }

    #[test]
    fn an_argument_beside_a_flag_that_says_the_same_is_refused() {
        let config = ConfigFile::parse("[a]\nhost = https://a.example\n").unwrap();
        let either = || Some("a".to_owned());
        let one = Said { either: either(), profile: either(), ..Said::default() };
        let other = Said { either: either(), host: either(), ..Said::default() };
        for said in [one, other] {
            let error = said.sorted(&config).unwrap_err();
            assert!(matches!(error, ChooseError::ArgumentWithFlag(_)), "{error}");
        }
    }

    #[test]
    fn names_like_the_one_that_was_said_are_offered_three_at_most() {
        let config = "[dev1]\na = b\n[dev2]\na = b\n[dev3]\na = b\n[dev4]\na = b\n[other]\na = b\n";
        let error = unknown(&ConfigFile::parse(config).unwrap(), "dev");
        assert_eq!(
            error.to_string(),
            "no matching profile found: \"dev\"; did you mean dev1 or dev2 or dev3?"
        );
        let alone = unknown(&ConfigFile::parse("").unwrap(), "dev");
        assert_eq!(alone.to_string(), "no matching profile found: \"dev\"");
    }
}
