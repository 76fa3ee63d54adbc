//! Selects a profile by its host.

use super::{ChooseError, NamedHost, Purpose};
use crate::{ConfigFile, Profile};
use u2m_core::{Host, Sanitized};

/// The ids that tell apart the profiles of one host.
pub(super) struct ProfileIds {
    pub(super) account: Option<String>,
    pub(super) workspace: Option<String>,
}

/// Returns the profile for a host: the only one that matches the host and the given ids, or else
/// the default profile if it is among them. Profiles that users sign in with take precedence.
/// Others are ignored for a login, and used for a configuration if there is no profile for users.
pub(super) fn on_host(
    named: &NamedHost,
    ids: &ProfileIds,
    file: &ConfigFile,
    purpose: Purpose,
) -> Result<Option<String>, ChooseError> {
    let mut all = file.profiles();
    all.retain(|profile| {
        let own = profile.host().and_then(|text| Host::typed(text).ok());
        own.is_some_and(|(own, _)| own == named.host)
    });
    narrow(&mut all, ids.account.as_deref(), |profile| profile.account_id());
    narrow(&mut all, ids.workspace.as_deref(), |profile| profile.workspace_id());
    let is_of_people = all.iter().any(Profile::is_for_users);
    match purpose {
        Purpose::Login => all.retain(Profile::is_for_users),
        Purpose::Configuration if is_of_people => all.retain(Profile::is_for_users),
        Purpose::Configuration => {}
    }
    let default = file.default_profile();
    if let Some(profile) = all.iter().find(|profile| Some(profile.name()) == default) {
        return Ok(Some(profile.name().to_owned()));
    }
    match all.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only.name().to_owned())),
        several => Err(ChooseError::Ambiguous {
            host: Sanitized::new(&named.typed),
            names: several.iter().map(|profile| Sanitized::new(profile.name())).collect(),
        }),
    }
}

/// Keeps the profiles with this id or, if there are none, those without such an id.
fn narrow<'a>(
    profiles: &mut Vec<Profile<'a>>,
    id: Option<&str>,
    own: impl Fn(&Profile<'a>) -> Option<&'a str>,
) {
    let Some(id) = id.filter(|id| !id.is_empty() && *id != "none") else { return };
    profiles.retain(|profile| own(profile).is_none_or(|own| own == id));
    if profiles.iter().any(|profile| own(profile).is_some()) {
        profiles.retain(|profile| own(profile).is_some());
    }
}
