//! What the command line names: a profile, a host, or one word that is either.

use super::ChooseError;
use super::near::unknown;
use crate::{ConfigFile, looks_like_host};
use u2m_core::Sanitized;

/// What the command line names. An empty text counts as absent.
///
/// ```
/// let given = u2m_config::SelectionArgs { host: Some("https://a.example"), ..Default::default() };
/// assert!(given.profile.is_none());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SelectionArgs<'a> {
    /// The name of a profile or a host; [`SelectionArgs::sorted`] determines which.
    pub either: Option<&'a str>,
    /// The name of a profile.
    pub profile: Option<&'a str>,
    /// A host, as typed or pasted.
    pub host: Option<&'a str>,
    /// The id of an account.
    pub account_id: Option<&'a str>,
    /// The id of a workspace.
    pub workspace_id: Option<&'a str>,
    /// Whether it is an error if no profile is for the host.
    pub host_needs_profile: bool,
}

impl<'a> SelectionArgs<'a> {
    /// Returns a copy in which `either` is resolved to a profile or a host.
    ///
    /// It is a profile if one with exactly this name has a host or an issuer; else a host if it
    /// looks like one; else a profile with this name that has neither. Empty texts become absent.
    ///
    /// # Errors
    /// Fails if it is none of these, or if `host` or `profile` is given as well.
    ///
    /// ```
    /// use u2m_config::{ConfigFile, SelectionArgs};
    /// let file = ConfigFile::parse("[a.example]\ncluster_id = 1\n[my.dev]\nhost = b.example\n")?;
    /// let said = |word| SelectionArgs { either: Some(word), ..SelectionArgs::default() }.sorted(&file);
    /// assert_eq!(said("a.example")?.host, Some("a.example"));
    /// assert_eq!(said("my.dev")?.profile, Some("my.dev"));
    /// assert!(said("dve").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sorted(&self, file: &ConfigFile) -> Result<Self, ChooseError> {
        let mut given = *self;
        for part in [
            &mut given.either,
            &mut given.profile,
            &mut given.host,
            &mut given.account_id,
            &mut given.workspace_id,
        ] {
            *part = part.filter(|text| !text.is_empty());
        }
        let Some(either) = given.either.take() else { return Ok(given) };
        if given.host.is_some() || given.profile.is_some() {
            return Err(ChooseError::ArgumentWithFlag(Sanitized::new(either)));
        }
        match file.profile(either) {
            Some(profile) if profile.leads_somewhere() => given.profile = Some(either),
            _ if looks_like_host(either) => given.host = Some(either),
            Some(_) => given.profile = Some(either),
            None => return Err(unknown(file, either)),
        }
        Ok(given)
    }

    /// Returns whether a profile or a host is named, in any of the three ways.
    ///
    /// ```
    /// use u2m_config::SelectionArgs;
    /// assert!(!SelectionArgs { account_id: Some("1"), profile: Some(""), ..SelectionArgs::default() }.names_something());
    /// ```
    pub fn names_something(&self) -> bool {
        [self.either, self.profile, self.host].into_iter().flatten().any(|text| !text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[a]\nhost = a.example\n[b.example.com]\naccount_id = 1\n[bare]\naccount_id = 1\n\
                        [corp.id]\nu2m_issuer = https://id.example\nu2m_client_id = c\n";

    fn sorted(word: &str) -> Result<(Option<&str>, Option<&str>), ChooseError> {
        let file = ConfigFile::parse(FILE).unwrap();
        let given =
            SelectionArgs { either: Some(word), ..SelectionArgs::default() }.sorted(&file)?;
        assert_eq!(given.either, None);
        Ok((given.profile, given.host))
    }

    #[test]
    fn a_section_without_a_host_does_not_make_a_host_s_name_a_profile() {
        assert_eq!(sorted("b.example.com").unwrap(), (None, Some("b.example.com")));
        assert_eq!(sorted("bare").unwrap(), (Some("bare"), None));
        assert_eq!(sorted("corp.id").unwrap(), (Some("corp.id"), None));
        assert_eq!(sorted("a").unwrap(), (Some("a"), None));
        assert_eq!(sorted("localhost:1").unwrap(), (None, Some("localhost:1")));
        assert!(matches!(sorted("A"), Err(ChooseError::UnknownProfile { .. })));
        assert!(matches!(sorted("__settings__"), Err(ChooseError::UnknownProfile { .. })));
    }

    #[test]
    fn an_empty_word_says_nothing() {
        let empty = Some("");
        let given = SelectionArgs {
            either: empty,
            profile: empty,
            host: empty,
            account_id: empty,
            workspace_id: empty,
            host_needs_profile: false,
        };
        assert!(!given.names_something());
        let sorted = given.sorted(&ConfigFile::parse("").unwrap()).unwrap();
        assert!(sorted.either.is_none() && sorted.profile.is_none() && sorted.host.is_none());
        assert!(sorted.account_id.is_none() && sorted.workspace_id.is_none());
    }

    #[test]
    fn an_argument_beside_a_flag_that_says_the_same_is_refused() {
        let file = ConfigFile::parse(FILE).unwrap();
        let either = Some("a");
        let one = SelectionArgs { either, profile: either, ..SelectionArgs::default() };
        let other = SelectionArgs { either, host: either, ..SelectionArgs::default() };
        for given in [one, other] {
            let error = given.sorted(&file).unwrap_err();
            assert!(matches!(error, ChooseError::ArgumentWithFlag(_)), "{error}");
        }
    }
}
