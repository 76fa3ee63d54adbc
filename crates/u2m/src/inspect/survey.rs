//! Every profile of a file, checked side by side.

use super::error::CheckError;
use super::subject::ISSUER;
use super::{Identity, Inspector, LoginFacts, Subject, blocking};
use crate::choose::Surroundings;
use crate::runtime::OwnRuntime;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use u2m_cache::StorageMode;
use u2m_config::{Cloud, ConfigFile, Given, ResolveError, Resolved, resolve};
use u2m_core::{Host, Timestamp};

/// How many profiles work at a time. What works is a name that is looked up, a handshake, a keyring.
const AT_A_TIME: usize = 8;

/// After this long a profile only waits for a host, which costs a socket and nothing else: it gives its place up, and goes
/// on waiting beside the others. If it kept its place, ten silent hosts would hold eight places for five seconds, and then
/// two more for another five. As it is, each eight silent hosts delay the rest by a tenth of a second, and all of them are
/// done little more than their own bound after the start.
const GIVES_WAY_AFTER: Duration = Duration::from_millis(100);

/// One profile, and whether it works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProfileReport {
    /// Its name.
    pub name: String,
    /// Its host: the canonical one, or what stands there if it is none.
    pub host: Option<String>,
    /// The issuer that it signs in to, where that is not Databricks.
    pub issuer: Option<String>,
    /// Its account, or the one that its host names.
    pub account_id: Option<String>,
    /// Its workspace as it is written, `none` included.
    pub workspace_id: Option<String>,
    /// Where its host runs, if it has one.
    pub cloud: Option<Cloud>,
    /// How it authenticates: what is written, else, unless nothing was to be checked, what it leads to.
    pub auth_type: Option<String>,
    /// Whether `default_profile` names it.
    pub is_default: bool,
    /// Whether it works.
    pub validity: Validity,
    /// When the access token of its login ends.
    pub expiry: Option<Timestamp>,
    /// Where its login is kept, if there is one.
    pub storage: Option<StorageMode>,
}

/// Whether a profile works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Validity {
    /// It does: this is who it is.
    Valid(Identity),
    /// It does not.
    Invalid(CheckError),
    /// Nobody knows: nothing was to be checked, or this one cannot be.
    Unknown(Option<CheckError>),
}

impl Validity {
    /// Yes, no, or unknown.
    pub fn is_valid(&self) -> Option<bool> {
        match self {
            Self::Valid(_) => Some(true),
            Self::Invalid(_) => Some(false),
            Self::Unknown(_) => None,
        }
    }

    /// What is wrong, or why it is not known.
    pub fn error(&self) -> Option<&CheckError> {
        match self {
            Self::Valid(_) => None,
            Self::Invalid(error) => Some(error),
            Self::Unknown(error) => error.as_ref(),
        }
    }
}

/// A profile before it is checked, owning all that it needs.
struct Row {
    report: ProfileReport,
    resolved: Option<Resolved>,
    subject: Result<Subject, CheckError>,
}

impl Inspector {
    /// Looks at every profile of `config`, which was read from `path`, in the order of the file: those with a host, an
    /// account or an issuer. With `asks`, each of them is checked, all at once; no profile takes longer than
    /// [`Inspector::with_timeout`], and silent hosts hold up no others. The environment has no say in what a profile is,
    /// only in where logins are kept. Runs within a tokio runtime.
    pub async fn survey(
        &self,
        around: &Surroundings<'_>,
        path: &Path,
        asks: bool,
    ) -> Vec<ProfileReport> {
        let places = Arc::new(Semaphore::new(AT_A_TIME));
        let mut running = JoinSet::new();
        let rows = rows(around, path, asks);
        let mut done: Vec<Option<ProfileReport>> = Vec::new();
        for (at, row) in rows.into_iter().enumerate() {
            done.push(Some(row.report.clone()));
            let (inspector, places) = (self.clone(), Arc::clone(&places));
            running.spawn(async move {
                // Nobody closes it.
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

    /// As [`Inspector::survey`], for plain code. Not to be called within an async runtime. Empty if the system gives no
    /// runtime.
    pub fn survey_blocking(
        &self,
        around: &Surroundings<'_>,
        path: &Path,
        asks: bool,
    ) -> Vec<ProfileReport> {
        OwnRuntime::default().block_on(self.survey(around, path, asks)).unwrap_or_default()
    }

    async fn look(&self, row: Row, asks: bool) -> ProfileReport {
        let Row { mut report, resolved, subject } = row;
        let subject = match subject {
            Ok(subject) => subject,
            Err(error) if asks => {
                report.validity = Validity::Invalid(error);
                return report;
            }
            Err(_) => return report,
        };
        let end = Instant::now() + self.timeout;
        let held = self.within(end, self.held(&subject)).await;
        let (facts, known) = match held {
            Ok((facts, known)) => (facts, known),
            Err(error) => (None, Err(error)),
        };
        if let Some(facts) = facts {
            report.expiry = facts.expiry;
            report.storage = Some(facts.storage);
        }
        if !asks {
            return report;
        }
        // What is wrong without anybody's answer needs no question.
        let checked = match known {
            Ok(()) => self.within(end, self.ask(&subject, false)).await,
            Err(error) => Err(error),
        };
        if let Some(host) = &subject.host
            && let Some(said) = self.hosts.known(host)
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

    /// What is known without asking a server: of the login, and of what is wrong.
    async fn held(
        &self,
        subject: &Subject,
    ) -> Result<(Option<LoginFacts>, Result<(), CheckError>), CheckError> {
        if subject.login.is_none() {
            return Ok((None, self.check_offline(subject)));
        }
        let (inspector, subject) = (self.clone(), subject.clone());
        blocking(move || Ok((subject.facts()?, inspector.check_offline(&subject)))).await
    }
}

fn rows(around: &Surroundings<'_>, path: &Path, asks: bool) -> Vec<Row> {
    let config = around.config;
    let listed = config.profiles().into_iter();
    let listed = listed.filter(|profile| {
        profile.host().is_some() || profile.account_id().is_some() || profile.issuer().is_some()
    });
    let default = config.setting("default_profile");
    let row = |name: &str| {
        let given = Given { profile: Some(name), ..Given::default() };
        let resolved = resolve(&given, &|_| None, config, path);
        let report = report(name, config, resolved.as_ref(), default, asks);
        let subject = resolved.clone().map_err(CheckError::Resolve);
        let subject = subject.and_then(|resolved| Subject::of(&resolved, around));
        Row { report, resolved: resolved.ok(), subject }
    };
    listed.map(|profile| row(profile.name())).collect()
}

/// What the file says.
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
