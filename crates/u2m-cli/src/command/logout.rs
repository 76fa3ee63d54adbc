//! `u2m logout`: removes a login from every place where it is kept, and the profile if that is wished; then has its server
//! revoke it, where that is offered. The first needs no network, and the second is best effort.

use crate::args::{Args, Format};
use crate::failure::{Class, Failure};
use crate::prompt::{self, ProfileChoice};
use crate::settle::listed;
use crate::{advice, output, person, place, waiting};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use u2m::config::{
    ChooseError, ConfigFile, Editor, Profile, Purpose, Selection, SelectionArgs, TargetArgs,
};
use u2m::login::{LoggedOut, host_login_keys, log_out, login_keys};
use u2m::oauth::Revocation;
use u2m::store::{CacheKey, Session, Storage, StorageMode, StoreError, TokenStore};
use u2m::text::{Sanitized, chain};
use u2m::{Host, blocking};

/// A refresh that is under way ends by then.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long servers are waited for that are to revoke what is removed here already.
const REVOKING: Duration = Duration::from_secs(5);

/// Whose login ends.
struct LogoutTarget {
    /// The profile that goes with `--delete`.
    profile: Option<String>,
    keys: Vec<CacheKey>,
    words: String,
    /// What was said may be a mistake if nothing is found under it.
    is_guess: bool,
}

impl LogoutTarget {
    fn profile(config: &ConfigFile, profile: &str) -> Self {
        Self {
            profile: Some(profile.to_owned()),
            keys: login_keys(config, profile),
            words: format!("profile \"{}\"", Sanitized::new(profile)),
            is_guess: false,
        }
    }

    /// A login by its name alone.
    fn key(name: &str, is_guess: bool) -> Self {
        let words = format!("\"{}\"", Sanitized::new(name));
        Self { profile: None, keys: vec![CacheKey::new(name)], words, is_guess }
    }
}

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    let (path, config) = place::config()?;
    // A word that names no store is reported first, as the reference does.
    let storage = place::storage_with_person(&config, None)?;
    let (whose, unseen) = match args.all {
        true => every(args, &storage)?,
        false => (whose(args, &path, &config, &storage, name)?, Vec::new()),
    };
    let storage = match &whose.profile {
        Some(profile) => place::storage_with_person(&config, Some(profile))?,
        None => storage,
    };
    if args.delete && whose.profile.is_none() {
        let text = format!("--delete removes a profile, and {} is none; leave it out", whose.words);
        return Err(Failure::new(Class::Usage, text));
    }
    if !args.auto_approve && !is_approved(args, &whose, &path)? {
        output::inform("Nothing was changed.");
        return Ok(());
    }
    let what = "Waiting for another process that renews this login, or for the keyring";
    let end = || log_out(storage.store(), &whose.keys, PATIENCE);
    let mut out = waiting::during(what, Some(PATIENCE), end);
    if args.all {
        // Logins that only damaged files know are ended too.
        let cleared = storage.store().clear_all_leftovers().err();
        out.failed
            .extend(unseen.into_iter().chain(cleared).map(|error| (CacheKey::new("*"), error)));
    }
    output::warn_of(storage.store().take_notices());
    // Whatever could not be removed, what was removed is of no use to anybody.
    let is_revoked = revoke(std::mem::take(&mut out.ended), args, &config);
    if let Some((_, error)) = out.failed.first() {
        return Err(not_cleared(error, &out, args));
    }
    if whose.is_guess && out.removed.is_empty() {
        let text = format!("no profile and no login is for {}; {}", whose.words, listed(&config));
        return Err(Failure::new(Class::Unclear, text));
    }
    let is_deleted = match whose.profile.as_deref().filter(|_| args.delete) {
        Some(profile) => delete(&path, profile, !out.removed.is_empty())?,
        None => false,
    };
    say(&whose, &out, is_deleted, args);
    if args.format == Some(Format::Json) {
        return output::result(report(&whose, &out, is_deleted, is_revoked));
    }
    Ok(())
}

/// Has the servers of what was removed revoke it. `None` if that is not offered, or not wished; the removal stands in any case.
fn revoke(ended: Vec<Session>, args: &Args, config: &ConfigFile) -> Option<bool> {
    if args.no_revoke || ended.is_empty() {
        return None;
    }
    let limit = args.timeout.unwrap_or(REVOKING);
    let revoked = |(ca_file, ended): (Option<PathBuf>, Vec<Session>)| {
        let host =
            ended.iter().find_map(|session| Some(session.binding.as_ref()?.host.to_string()));
        let what =
            format!("Waiting for the server to revoke the login: {}", host.unwrap_or_default());
        let transport = Arc::new(place::transport(ca_file.as_deref()));
        waiting::during(&what, Some(limit), || blocking::revoke(transport, ended, limit))
    };
    let mut is_revoked = None;
    for one in by_ca_file(ended, args, config).into_iter().flat_map(revoked) {
        match one.outcome {
            Ok(Revocation::Revoked) => is_revoked = is_revoked.or(Some(true)),
            Ok(_) => {}
            Err(error) => {
                is_revoked = Some(false);
                let host = one.host.map(|host| host.to_string()).unwrap_or_default();
                output::note(&format!(
                    "Warning: the login is removed here, but {host} has not confirmed that it is revoked there: {} A copy of \
                     it would work until it runs out; where that matters, end the session at {host} itself.",
                    advice::stopped(&chain(&error))
                ));
            }
        }
    }
    is_revoked
}

/// The logins that ended, by the file of certificates that their servers are asked with: a profile's counts for its own host
/// alone.
fn by_ca_file(
    ended: Vec<Session>,
    args: &Args,
    config: &ConfigFile,
) -> BTreeMap<Option<PathBuf>, Vec<Session>> {
    let place = |profile: &Profile<'_>| {
        let file = PathBuf::from(profile.ca_file()?);
        let host = profile.host().and_then(|host| Host::typed(host).ok());
        let issuer = profile.issuer().map(|(issuer, _)| issuer.to_owned());
        Some((host.map(|(host, _)| host), issuer, file))
    };
    let profiles = config.profiles();
    let files: Vec<_> = profiles.iter().filter_map(place).collect();
    let file_of = |session: &Session| {
        let binding = session.binding.as_ref()?;
        let is_its = |(host, issuer, _): &&(Option<Host>, Option<String>, PathBuf)| {
            host.as_ref() == Some(&binding.host) || issuer.as_ref() == Some(&binding.issuer)
        };
        files.iter().find(is_its).map(|(.., file)| file.clone())
    };
    let mut sorted: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for session in ended {
        let file = args.ca_file.clone().or_else(|| file_of(&session));
        sorted.entry(file).or_default().push(session);
    }
    sorted
}

/// What is left, and of what nobody needs to think any more.
fn not_cleared(error: &StoreError, out: &LoggedOut, args: &Args) -> Failure {
    let mut said = vec![chain(error)];
    for (_, error) in &out.failed {
        let text = chain(error);
        if !said.contains(&text) {
            output::note(&format!("Warning: {text}"));
            said.push(text);
        }
    }
    let mut text = format!("the login was not removed: {}", advice::stopped(&said[0]));
    if matches!(error, StoreError::Corrupt { .. } | StoreError::TooLarge { .. }) {
        text += " Or remove that file: all of its logins end with it.";
    }
    if !out.removed.is_empty() {
        let modes: BTreeSet<_> = out.removed.iter().map(|(_, mode)| mode.as_str()).collect();
        let modes = modes.into_iter().collect::<Vec<_>>().join(" and ");
        text += &format!(" What was kept in {modes} is removed.");
    }
    if args.delete {
        text += " The profile was kept.";
    }
    Failure::new(Class::Storage, text.trim_end_matches('.'))
}

/// Every login of every store that can be asked, and what the others say.
fn every(args: &Args, storage: &Storage) -> Result<(LogoutTarget, Vec<StoreError>), Failure> {
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    if given(&args.argument) || given(&args.profile) || given(&args.host) {
        return Err(Failure::new(Class::Usage, "--all ends every login: leave the name out"));
    }
    let (mut keys, mut unseen) = (BTreeSet::new(), Vec::new());
    for mode in StorageMode::ALL {
        match storage.store().part(mode).and_then(TokenStore::keys) {
            Ok(more) => keys.extend(more),
            Err(error)
                if error.is_absent_store() && storage.store().naming().mode() != Some(mode) => {}
            Err(error) => unseen.push(error),
        }
    }
    let keys: Vec<_> = keys.into_iter().collect();
    let names: Vec<_> = keys.iter().map(|key| Sanitized::new(key.as_str()).to_string()).collect();
    let words = match names.len() {
        0 => "every login".to_owned(),
        1..=8 => format!("every login ({})", names.join(", ")),
        many => format!("all {many} logins"),
    };
    Ok((LogoutTarget { profile: None, keys, words, is_guess: false }, unseen))
}

/// Whose login is meant by what was said. The environment names nobody to log out, and is no less asked where something is said:
/// what the same words mean for `token` is what ends.
fn whose(
    args: &Args,
    path: &Path,
    config: &ConfigFile,
    storage: &Storage,
    name: &str,
) -> Result<LogoutTarget, Failure> {
    let said = args.said();
    let given = meant(&said);
    if !given.names_something() {
        if prompt::is_allowed() && !config.profiles().is_empty() {
            return picked("Log out of", config, &config.profiles());
        }
        let text = format!(
            "no login was named. Run: {name} logout PROFILE, or pass --profile, --host or --all"
        );
        return Err(Failure::new(Class::Unclear, text));
    }
    let named = given.profile.or(given.either).unwrap_or_default();
    match u2m::config::select(&given, &place::env, config, Purpose::Login) {
        Ok(selection) => of_selection(&selection, config, storage),
        // Its profile was removed by hand.
        Err(ChooseError::UnknownProfile { .. }) if is_kept(named, storage) => {
            Ok(LogoutTarget::key(named, false))
        }
        // What is wrong with its host is no reason to keep its login.
        Err(ChooseError::ProfileHost(..)) if config.profile(named).is_some() => {
            Ok(LogoutTarget::profile(config, named))
        }
        Err(ChooseError::Ambiguous { host, names }) if prompt::is_allowed() => {
            let is_one = |profile: &Profile<'_>| names.contains(&Sanitized::new(profile.name()));
            let several: Vec<_> = config.profiles().into_iter().filter(is_one).collect();
            picked(&format!("Log out of {host}, as"), config, &several)
        }
        Err(error) => Err(advice::unclear(&error, args, path, config, name)),
    }
}

/// The words that select whose login ends. Beside a host, a word is a profile's name.
pub(crate) fn meant(said: &TargetArgs) -> SelectionArgs<'_> {
    let mut given = said.given();
    let is_said = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
    if is_said(given.host) && !is_said(given.profile) {
        given.profile = given.either.take();
    }
    given
}

/// Whether a login is kept under this name.
fn is_kept(name: &str, storage: &Storage) -> bool {
    !storage.store().holders(&CacheKey::new(name)).is_empty()
}

/// The login of a profile, or that of a host which has none.
fn of_selection(
    selection: &Selection,
    config: &ConfigFile,
    storage: &Storage,
) -> Result<LogoutTarget, Failure> {
    if let Some(profile) = selection.section(config) {
        return Ok(LogoutTarget::profile(config, profile.name()));
    }
    if let Some(gone) = selection.profile() {
        return Ok(LogoutTarget::key(gone.name(), !is_kept(gone.name(), storage)));
    }
    let account = selection.account_id().map(u2m::AccountId::parse).transpose();
    let account = account.map_err(|error| Failure::new(Class::Usage, chain(&error)))?;
    let host = selection.host();
    Ok(LogoutTarget {
        profile: None,
        keys: host.map(|host| host_login_keys(host, account.as_ref())).unwrap_or_default(),
        words: host.map(ToString::to_string).unwrap_or_default(),
        is_guess: true,
    })
}

/// The login of the profile that the person picks.
fn picked(title: &str, config: &ConfigFile, of: &[Profile<'_>]) -> Result<LogoutTarget, Failure> {
    match prompt::profile(title, config, of, false)? {
        Some(ProfileChoice::Profile(name)) => Ok(LogoutTarget::profile(config, &name)),
        _ => Err(Failure::new(Class::Unclear, "there are no profiles")),
    }
}

fn is_approved(args: &Args, whose: &LogoutTarget, path: &Path) -> Result<bool, Failure> {
    let also = match args.delete {
        true => format!(" and remove it from {}", place::shown(path)),
        false => String::new(),
    };
    person::approve(&format!("Log out of {}{also}?", whose.words)).ok_or_else(|| {
        Failure::new(Class::Usage, "nothing was logged out: there is no terminal to ask at. To go on without: --auto-approve")
    })
}

fn delete(path: &Path, profile: &str, are_cleared: bool) -> Result<bool, Failure> {
    let edited = Editor::new(path).edit(|draft| draft.remove_profile(profile));
    edited.map(|_| true).map_err(|error| {
        let cleared = if are_cleared { "the login is cleared, but " } else { "" };
        let text = format!("{cleared}the profile could not be removed: {}", chain(&error));
        Failure::new(Class::Other, text)
    })
}

fn say(whose: &LogoutTarget, out: &LoggedOut, is_deleted: bool, args: &Args) {
    let (words, is_out) = (&whose.words, !out.removed.is_empty());
    if args.all && !is_out {
        return output::inform("There are no logins to end.");
    }
    output::inform(&match (is_out, is_deleted, whose.profile.is_some()) {
        (true, true, _) => format!("Logged out of and deleted {words}."),
        (false, true, _) => format!("Deleted {words} with no tokens to clear."),
        (true, false, true) => {
            format!("Logged out of {words}. Use --delete to also remove it from the config file.")
        }
        (true, false, false) => format!("Logged out of {words}."),
        (false, false, true) => format!(
            "No tokens to clear for {words}. Use --delete to remove it from the config file."
        ),
        (false, false, false) => format!("No tokens to clear for {words}."),
    });
}

fn report(
    whose: &LogoutTarget,
    out: &LoggedOut,
    is_deleted: bool,
    is_revoked: Option<bool>,
) -> String {
    let removed = out.removed.iter();
    let removed = removed.map(|(key, mode)| json!({"key": key.as_str(), "storage": mode.as_str()}));
    let report = json!({
        "profile": whose.profile,
        "removed": removed.collect::<Vec<_>>(),
        "profile_deleted": is_deleted,
        "revoked": is_revoked,
    });
    output::json(&report) + "\n"
}
