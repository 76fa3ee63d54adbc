//! Checks every profile in a file, in parallel.

use super::error::CheckError;
use super::subject::ISSUER;
use super::{CheckSubject, Identity, Inspector, blocking};
use crate::choose::Environment;
use crate::runtime::OwnRuntime;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use u2m_cache::StorageMode;
use u2m_config::{Cloud, ConfigFile, ResolveError, Resolved, SelectionArgs, resolve};
use u2m_core::{Host, Timestamp, TokenError};

/// How many profiles work at a time. Work means a name lookup, a handshake or a keyring call.
const AT_A_TIME: usize = 8;

/// After this long a profile only waits for a host, which costs no more than a socket. It then gives up its place and goes on
/// waiting beside the others. If it kept its place, ten silent hosts would hold eight places for five seconds, and then two more
/// for another five. This way, every eight silent hosts delay the rest by a tenth of a second, and all of them finish little
/// later than their own limit.
const GIVES_WAY_AFTER: Duration = Duration::from_millis(100);

/// The report on one profile: its settings, and whether it works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProfileReport {
    /// The profile's name.
    pub name: String,
    /// The host in canonical form, or the raw text if it is not a valid host.
    pub host: Option<String>,
    /// The issuer that it signs in to, if that is not Databricks.
    pub issuer: Option<String>,
    /// Its account, or the one that its host names.
    pub account_id: Option<String>,
    /// Its workspace as written, including `none`.
    pub workspace_id: Option<String>,
    /// The cloud that its host runs on, if it has a host.
    pub cloud: Option<Cloud>,
    /// The auth type as written. Otherwise, if checks were requested, the one that the profile leads to.
    pub auth_type: Option<String>,
    /// Whether `default_profile` names it.
    pub is_default: bool,
    /// Whether it works.
    pub validity: Validity,
    /// When the access token of its login expires.
    pub expiry: Option<Timestamp>,
    /// The store of its login, if it has one.
    pub storage: Option<StorageMode>,
}

/// Whether a profile works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Validity {
    /// It works, with this identity.
    Valid(Identity),
    /// It does not work.
    Invalid(CheckError),
    /// Unknown: nothing was to be checked, or this profile cannot be checked.
    Unknown(Option<CheckError>),
}

impl Validity {
    /// Returns true or false, or `None` if unknown.
    pub fn is_valid(&self) -> Option<bool> {
        match self {
            Self::Valid(_) => Some(true),
            Self::Invalid(_) => Some(false),
            Self::Unknown(_) => None,
        }
    }

    /// Returns what is wrong, or why it is not known.
    pub fn error(&self) -> Option<&CheckError> {
        match self {
            Self::Valid(_) => None,
            Self::Invalid(error) => Some(error),
            Self::Unknown(error) => error.as_ref(),
        }
    }
}

/// A profile before its check, owning all its data.
struct ProfileToCheck {
    report: ProfileReport,
    resolved: Option<Resolved>,
    subject: Result<CheckSubject, CheckError>,
}

impl ProfileToCheck {
    /// Whether everything to report without asking its host is known already.
    fn is_at_hand(&self) -> bool {
        let login = self.subject.as_ref().ok().and_then(|subject| subject.login.as_ref());
        login.is_none_or(super::subject::StoredLogin::is_at_hand)
    }
}

impl Inspector {
    /// Reports on every profile of `config`, which was read from `path`, in file order: those with a host, an account or an
    /// issuer. With `asks`, each is checked, all in parallel. No profile takes longer than [`Inspector::with_timeout`], and
    /// silent hosts do not hold up others. The environment does not affect what a profile is, only where logins are kept. Must
    /// be called within a tokio runtime.
    pub async fn survey(
        &self,
        around: &Environment<'_>,
        path: &Path,
        asks: bool,
    ) -> Vec<ProfileReport> {
        let places = Arc::new(Semaphore::new(AT_A_TIME));
        let mut running = JoinSet::new();
        let mut rows = rows(around, path, asks);
        look_together(&mut rows);
        let mut done: Vec<Option<ProfileReport>> = Vec::new();
        let mut is_read = false;
        for (at, row) in rows.into_iter().enumerate() {
            // The first one reads the files that serve the others, too.
            if !asks && (row.is_at_hand() || !std::mem::replace(&mut is_read, true)) {
                done.push(Some(self.look(row, asks).await));
                continue;
            }
            done.push(Some(row.report.clone()));
            let (inspector, places) = (self.clone(), Arc::clone(&places));
            running.spawn(async move {
                // Nobody closes the semaphore.
                let place = places.acquire_owned().await.ok();
                let work = inspector.look(row, asks);
                let mut work = std::pin::pin!(work);
                let report = tokio::select! {
                    report = &mut work => report,
                    () = sleep(GIVES_WAY_AFTER) => {
                        drop(place);
                        work.await
                    }
                };
                (at, report)
            });
        }
        while let Some(landed) = running.join_next().await {
            if let Ok((at, report)) = landed {
                done[at] = Some(report);
            }
        }
        done.into_iter().flatten().collect()
    }

    /// As [`Inspector::survey`], for blocking code. Must not be called within an async runtime. Returns an empty list if the
    /// system cannot start a runtime.
    pub fn survey_blocking(
        &self,
        around: &Environment<'_>,
        path: &Path,
        asks: bool,
    ) -> Vec<ProfileReport> {
        OwnRuntime::default().block_on(self.survey(around, path, asks)).unwrap_or_default()
    }

    async fn look(&self, row: ProfileToCheck, asks: bool) -> ProfileReport {
        let ProfileToCheck { mut report, resolved, subject } = row;
        let subject = match subject {
            Ok(subject) => subject,
            Err(error) if asks => {
                report.validity = Validity::Invalid(error);
                return report;
            }
            Err(_) => return report,
        };
        let end = Instant::now() + self.timeout;
        let held = self.within(end, self.held(&subject, asks)).await;
        let (told, known) = match held {
            Ok((told, known)) => (told, known),
            Err(error) => (None, Err(error)),
        };
        if let Some((expiry, storage)) = told {
            report.expiry = expiry;
            report.storage = Some(storage);
        }
        if !asks {
            if let Err(error @ CheckError::Token(TokenError::Rejected(_))) = known {
                report.validity = Validity::Invalid(error);
            }
            return report;
        }
        // What is known to be wrong already needs no request.
        let checked = match known {
            Ok(()) => self.within(end, self.ask(&subject, false)).await,
            Err(error) => Err(error),
        };
        if let Some(host) = &subject.host
            && let Some(said) = self.hosts.known_through(host, &self.transport_to(&subject))
        {
            let own = said.as_ref().and_then(|said| said.account_id.clone());
            report.account_id = report.account_id.or(own);
            report.cloud = resolved.and_then(|resolved| resolved.cloud(said.as_ref()));
        }
        report.validity = match checked {
            Ok(identity) => {
                report.expiry = identity.expiry.or(report.expiry);
                Validity::Valid(identity)
            }
            Err(error) if error.is_unchecked() => Validity::Unknown(Some(error)),
            Err(error) => Validity::Invalid(error),
        };
        report
    }

    /// What is known without contacting a server: about the login and, if `counts`, about what is wrong.
    async fn held(&self, subject: &CheckSubject, counts: bool) -> Result<PendingRow, CheckError> {
        let wrong = move |inspector: &Self, subject: &CheckSubject| match inspector
            .check_offline(subject)
        {
            // That the server has ended the login is reported in any case.
            Err(error) if counts || matches!(error, CheckError::Token(TokenError::Rejected(_))) => {
                Err(error)
            }
            _ => Ok(()),
        };
        let Some(login) = &subject.login else { return Ok((None, wrong(self, subject))) };
        if login.is_at_hand() {
            return Ok((login.end_and_place()?, wrong(self, subject)));
        }
        let (inspector, subject, login) = (self.clone(), subject.clone(), login.clone());
        blocking(move || Ok((login.end_and_place()?, wrong(&inspector, &subject)))).await
    }
}

/// When a login's access token expires and where it is kept, if there is one; and what is wrong.
type PendingRow = (Option<(Option<Timestamp>, StorageMode)>, Result<(), CheckError>);

fn rows(around: &Environment<'_>, path: &Path, asks: bool) -> Vec<ProfileToCheck> {
    let config = around.config;
    let listed = config.profiles().into_iter();
    let listed = listed.filter(|profile| {
        profile.host().is_some() || profile.account_id().is_some() || profile.issuer().is_some()
    });
    let default = config.setting("default_profile");
    let row = |name: &str| {
        let given = SelectionArgs { profile: Some(name), ..SelectionArgs::default() };
        let resolved = resolve(&given, &|_| None, config, path);
        let report = report(name, config, resolved.as_ref(), default, asks);
        let subject = resolved.clone().map_err(CheckError::Resolve);
        let subject = subject.and_then(|resolved| CheckSubject::of(&resolved, around));
        ProfileToCheck { report, resolved: resolved.ok(), subject }
    };
    listed.map(|profile| row(profile.name())).collect()
}

/// Looks up all logins with one read of each login file.
fn look_together(rows: &mut [ProfileToCheck]) {
    let logins = |row: &'_ ProfileToCheck| row.subject.as_ref().ok()?.login.clone();
    let all: Vec<_> = rows.iter().filter_map(logins).collect();
    let Some(storage) = all.first().map(|login| login.storage.clone()) else { return };
    let snapshot = Arc::new(storage.snapshot(all.iter().flat_map(|login| login.keys())));
    for row in rows {
        let login = row.subject.as_mut().ok().and_then(|subject| subject.login.as_mut());
        if let Some(login) =
            login.filter(|login| login.storage.shared_file() == storage.shared_file())
        {
            login.snapshot = Some(Arc::clone(&snapshot));
        }
    }
}

/// Builds the report from the file's content.
fn report(
    name: &str,
    config: &ConfigFile,
    resolved: Result<&Resolved, &ResolveError>,
    default: Option<&str>,
    asks: bool,
) -> ProfileReport {
    let get = |key| config.get(name, key).filter(|text| !text.is_empty()).map(str::to_owned);
    let host = get("host").and_then(|text| Host::typed(&text).ok());
    let hints = host.as_ref().map(|(_, hints)| hints.clone()).unwrap_or_default();
    let host = host.map(|(host, _)| host);
    let by_name = || host.as_ref().map(|host| Cloud::of(host, None));
    let cloud = resolved.ok().and_then(|resolved| resolved.cloud(None)).or_else(by_name);
    let profile = config.profile(name);
    let issuer = profile.and_then(|profile| profile.issuer()).map(|(issuer, _)| issuer.to_owned());
    let leads_to = || match issuer {
        Some(_) => Some(ISSUER.to_owned()),
        None => resolved.ok().and_then(|resolved| resolved.auth_type(false)).map(str::to_owned),
    };
    ProfileReport {
        name: name.to_owned(),
        host: host.map(|host| host.as_str().to_owned()).or_else(|| get("host")),
        account_id: get("account_id").or(hints.account_id),
        workspace_id: get("workspace_id").or(hints.workspace_id),
        cloud,
        auth_type: get("auth_type").or_else(|| leads_to().filter(|_| asks)),
        issuer,
        is_default: default == Some(name),
        validity: Validity::Unknown(None),
        expiry: None,
        storage: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_looked_up_together_and_then_known() {
        let home = tempfile::tempdir().unwrap();
        let env = |name: &str| match name {
            "HOME" | "USERPROFILE" => Some(home.path().as_os_str().to_owned()),
            "DATABRICKS_AUTH_STORAGE" => Some("plaintext".into()),
            _ => None,
        };
        let text = "[a]\nhost = https://a.example\nauth_type = databricks-cli\n\
                    [b]\nhost = https://b.example\nauth_type = databricks-cli\n\
                    [pat]\nhost = https://c.example\ntoken = t\n";
        let config = ConfigFile::parse(text).unwrap();
        let around = Environment { env: &env, config: &config };
        let mut rows = rows(&around, Path::new("cfg"), false);
        let at_hand = |rows: &[ProfileToCheck]| {
            rows.iter().map(ProfileToCheck::is_at_hand).collect::<Vec<_>>()
        };
        assert_eq!(
            at_hand(&rows),
            [false, false, true],
            "a token of one's own is nowhere to look up"
        );
        look_together(&mut rows);
        let has_snapshot = |row: &ProfileToCheck| {
            let login = row.subject.as_ref().ok().and_then(|subject| subject.login.as_ref());
            login.is_some_and(|login| login.snapshot.is_some())
        };
        assert_eq!(rows.iter().map(has_snapshot).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(at_hand(&rows), [false, false, true], "nothing was read yet");
        // The first one reads the file for all of them.
        let first = rows[0].subject.as_ref().unwrap().login.as_ref().unwrap();
        assert_eq!(first.end_and_place().unwrap(), None);
        assert_eq!(at_hand(&rows), [true, true, true]);
    }
}
