//! Finds profiles by name, and suggests similar names for one that does not exist.

use super::ChooseError;
use crate::{ConfigFile, Profile, SETTINGS};
use u2m_core::Sanitized;

/// The maximum number of names that are suggested.
const OFFERED: usize = 3;

impl ConfigFile {
    /// Returns the profile with exactly this name.
    ///
    /// # Errors
    /// Fails with [`ChooseError::UnknownProfile`] and similar names if there is none, and with
    /// [`ChooseError::Reserved`] for the section that holds settings.
    ///
    /// ```
    /// let file = u2m_config::ConfigFile::parse("[dev]\nhost = a.example\n")?;
    /// assert!(file.named("dev").is_ok());
    /// let error = file.named("dve").unwrap_err().to_string();
    /// assert_eq!(error, "no matching profile found: \"dve\"; did you mean dev?");
    /// # Ok::<(), u2m_config::SyntaxError>(())
    /// ```
    pub fn named(&self, name: &str) -> Result<Profile<'_>, ChooseError> {
        match name {
            SETTINGS => Err(ChooseError::Reserved),
            name => self.profile(name).ok_or_else(|| unknown(self, name)),
        }
    }
}

/// Returns the error for a name that no profile has, with similar names.
pub(super) fn unknown(file: &ConfigFile, name: &str) -> ChooseError {
    let profiles = file.profiles();
    let mut near = alike(name, profiles.iter().map(Profile::name));
    near.truncate(OFFERED);
    ChooseError::UnknownProfile {
        name: Sanitized::new(name),
        near: near.into_iter().map(Sanitized::new).collect(),
    }
}

/// Returns the words among `known` that the user may have meant by `said`, most similar first.
///
/// ```
/// let known = ["port", "profiles", "profile"];
/// assert_eq!(u2m_config::alike("profil", known), ["profile", "profiles"]);
/// assert!(u2m_config::alike("host", ["issuer"]).is_empty());
/// ```
pub fn alike<'k>(said: &str, known: impl IntoIterator<Item = &'k str>) -> Vec<&'k str> {
    let length = |word: &str| word.chars().count();
    let rank = |known: &'k str| {
        let begins = begins(said, known);
        // If every letter differs, the words are not similar, however short they are.
        let has_letters_in_common = distance(said, known) < length(said).min(length(known));
        let is_meant = begins || is_near(said, known) && has_letters_in_common;
        // Two letters that changed places are one slip, and few slips change a word's length. A prefix of a word, or a word with
        // more text behind it, ranks no worse than a typing error.
        let slips = strsim::osa_distance(&said.to_lowercase(), &known.to_lowercase());
        let slips = if begins { slips.min(MOST) } else { slips };
        is_meant.then(|| ((slips, length(said).abs_diff(length(known))), known))
    };
    let mut found: Vec<_> = known.into_iter().filter_map(rank).collect();
    found.sort_by_key(|(likeness, _)| *likeness);
    found.into_iter().map(|(_, known)| known).collect()
}

/// The maximum number of letters that may differ.
const MOST: usize = 2;

/// Returns whether one name may be a typing error for the other: at most two letters differ, or one
/// is a prefix of the other.
fn is_near(one: &str, other: &str) -> bool {
    begins(one, other) || distance(one, other) <= MOST
}

fn begins(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    one.starts_with(&other) || other.starts_with(&one)
}

fn distance(one: &str, other: &str) -> usize {
    strsim::levenshtein(&one.to_lowercase(), &other.to_lowercase())
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
    fn the_likest_word_comes_first_wherever_it_stands() {
        let known = ["profiles", "profile", "port", "to", "timeout", "logout", "login", "ls", "qr"];
        for (said, expected) in [
            ("profil", Some("profile")),
            ("profilse", Some("profiles")),
            ("logni", Some("login")),
            ("logot", Some("logout")),
            ("t", Some("to")),
            ("time", Some("timeout")),
            ("PORT", Some("port")),
            ("xx", None),
            ("frobnicate", None),
        ] {
            assert_eq!(alike(said, known).first().copied(), expected, "{said}");
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
