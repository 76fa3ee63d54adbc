//! The list of profiles.

use super::{PickerRow, pick};
use crate::failure::Failure;
use u2m::config::{ConfigFile, Profile};

/// What somebody chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProfileChoice {
    Profile(String),
    /// A new profile.
    New,
    /// A host, which is still to be named.
    Host,
}

const NEW: &str = "+ Create a new profile";
const HOST: &str = "→ Enter a host URL manually";

/// Asks for one of `profiles`, the default first; with `has_actions` also for something else than any of them. `None` if
/// there is nothing to choose from.
pub(crate) fn profile(
    title: &str,
    config: &ConfigFile,
    profiles: &[Profile<'_>],
    has_actions: bool,
) -> Result<Option<ProfileChoice>, Failure> {
    let (mut rows, mut picked) = listed(config, profiles);
    if has_actions {
        rows.extend([PickerRow::action(NEW), PickerRow::action(HOST)]);
        picked.extend([ProfileChoice::New, ProfileChoice::Host]);
    }
    if rows.is_empty() {
        return Ok(None);
    }
    let index = pick(title, &rows)?;
    Ok(picked.into_iter().nth(index))
}

fn listed(config: &ConfigFile, profiles: &[Profile<'_>]) -> (Vec<PickerRow>, Vec<ProfileChoice>) {
    let default = config.default_profile();
    let mut profiles: Vec<_> = profiles.iter().filter(|profile| profile.host().is_some()).collect();
    profiles.sort_by_key(|profile| Some(profile.name()) != default);
    let row = |profile: &&Profile<'_>| {
        let (host, account) = (profile.host().unwrap_or_default(), profile.account_id());
        let place = match account {
            Some(account) => format!("(account: {account})"),
            None => format!("({host})"),
        };
        let tag = if Some(profile.name()) == default { "[default] " } else { "" };
        let mut row = PickerRow::new(profile.name(), &format!("{tag}{place}"));
        // An account's profile is found by its host too.
        row.found_by = format!("{} {host}", row.found_by).to_lowercase();
        row
    };
    let picked = |profile: &&Profile<'_>| ProfileChoice::Profile(profile.name().to_owned());
    (profiles.iter().map(row).collect(), profiles.iter().map(picked).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_comes_first_and_each_says_where_it_leads() {
        let config = ConfigFile::parse(
            "[a]\nhost = https://a.example\n[b]\nhost = https://b.example\naccount_id = acc\n[bare]\nscopes = sql\n[__settings__]\n\
             default_profile = b\n",
        )
        .unwrap();
        let (rows, picked) = listed(&config, &config.profiles());
        let lines: Vec<_> = rows.iter().map(|row| row.line(80)).collect();
        assert_eq!(lines, ["b [default] (account: acc)", "a (https://a.example)"]);
        assert_eq!(picked[0], ProfileChoice::Profile("b".into()));
        assert!(rows[0].matches("B.EXAMPLE"));
    }

    #[test]
    fn a_default_that_is_missing_is_no_row() {
        let config = ConfigFile::parse(
            "[a]\nhost = https://a.example\n[__settings__]\ndefault_profile = gone\n",
        )
        .unwrap();
        assert_eq!(listed(&config, &config.profiles()).0.len(), 1);
        assert!(listed(&config, &[]).0.is_empty());
    }
}
