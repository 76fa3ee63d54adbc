//! `u2m describe`: which credentials would be used, from where, and whether they work.

mod report;

pub(crate) use report::Problem;

use crate::advice::{self, TokenSubject};
use crate::args::{Args, Format};
use crate::failure::Failure;
use crate::settle::{goes_elsewhere, settled};
use crate::{guard, output, place, told, waiting};
use report::{CheckStatus, DescribeReport};
use std::time::{Duration, Instant};
use u2m::check::{CheckError, CheckSubject, Inspector};
use u2m::config::{ChooseError, Environment, Resolved};
use u2m::process::Detached;

/// How long the check may take, unless somebody says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a refresh that was sent and is not saved yet is waited for, once the time of its check is over: the login would be
/// lost without. Mostly it runs in a process of its own, which is not waited for.
pub(crate) const SAVING: Duration = Duration::from_secs(15);

pub(crate) fn run(args: &Args, name: &str) -> Result<(), Failure> {
    let (path, config) = place::config()?;
    let around = Environment { env: &place::env, config: &config };
    let resolved = settled(args, &path, &config, false, name)?;
    if !args.offline && goes_elsewhere(&resolved) {
        // It is most likely a slip: nobody has a profile, a login or a token for it.
        settled(args, &path, &config, true, name)?;
    }
    let subject = CheckSubject::of(&resolved, &around);
    let (begun, patience) = (Instant::now(), args.timeout.unwrap_or(PATIENCE));
    let hosts = told::hosts(args, &resolved, &config);
    let inspector =
        Inspector::for_user(&place::env).with_hosts(hosts.clone()).with_timeout(patience);
    let inspector = args.ca_file.iter().cloned().fold(inspector, Inspector::with_ca_file);
    let inspector = match Detached::this_program() {
        Ok(detached) => inspector.with_detached_refresh(detached),
        Err(_) => inspector,
    };
    let status = match &subject {
        Err(error) => CheckStatus::Failed(error.clone()),
        Ok(subject) => check(&inspector, subject, args.offline, patience),
    };
    // After the check, which may have renewed the login.
    let subject = subject.ok();
    let facts = subject.as_ref().and_then(|subject| subject.facts().ok().flatten());
    if facts.is_none() && is_unknown_host(&resolved, &status) {
        // It is most likely a slip: nobody has a profile, a login or a token for it.
        settled(args, &path, &config, true, name)?;
    }
    output::warn_of(inspector.take_notices());
    let advised = advised(&resolved, name);
    let auth_type =
        subject.as_ref().and_then(CheckSubject::auth_type).or(resolved.auth_type(false));
    let failure = match &status {
        CheckStatus::Failed(error) if is_nothing(&resolved, error) => {
            let nothing = match config.profiles().is_empty() {
                true => ChooseError::NoProfiles,
                false => ChooseError::NoProfileChosen,
            };
            Some(advice::choice(&nothing, &path, &config, name))
        }
        CheckStatus::Failed(error) => Some(advice::check(error, &advised, auth_type)),
        _ => None,
    };
    // Databricks' CLI asks the host whatever else is wrong. Ours shows what the check has learnt.
    let left = patience.saturating_sub(begun.elapsed());
    let limit = Some(left).filter(|_| args.stands_in && !args.offline);
    let shown = match told::is_for_issuer(&resolved, &config) {
        true => resolved.clone(),
        false => told::completed(&resolved, args, &hosts, limit),
    };
    let report = DescribeReport {
        resolved: &shown,
        auth_type,
        subject: subject.as_ref(),
        facts: facts.as_ref(),
        status: &status,
        failure: failure.as_ref(),
        path: &path,
        sensitive: args.sensitive,
        shows_token: !args.stands_in,
    };
    match output::format(args) {
        Format::Json => output::result(report.json() + "\n")?,
        Format::Text => output::result(report.text())?,
    }
    match failure {
        // Databricks' CLI ends well once it has told what is wrong.
        Some(failure) if !args.exit_zero && !args.stands_in => Err(failure),
        _ => Ok(()),
    }
}

fn check(
    inspector: &Inspector,
    subject: &CheckSubject,
    offline: bool,
    limit: Duration,
) -> CheckStatus {
    // What can be told here needs no time, and no network.
    if let Err(error) = inspector.check_offline(subject) {
        return match error.is_unchecked() {
            true => CheckStatus::Unchecked(Some(error)),
            false => CheckStatus::Failed(error),
        };
    }
    if offline {
        return CheckStatus::Unchecked(None);
    }
    // A login that has run out is renewed.
    guard::watch_signals();
    let what = match subject.host() {
        Some(host) => format!("Waiting for the server: {host}"),
        None => "Waiting for the server".to_owned(),
    };
    let checked = waiting::during(&what, Some(limit), || {
        let checked = inspector.check_blocking(subject);
        u2m::process::wait_for_saves(SAVING);
        checked
    });
    match checked {
        Ok(identity) => CheckStatus::Works(identity),
        Err(error) => CheckStatus::Failed(error),
    }
}

fn is_unknown_host(resolved: &Resolved, status: &CheckStatus) -> bool {
    resolved.profile().is_none() && matches!(status, CheckStatus::Failed(CheckError::NoLogin))
}

/// Whether nothing at all says where to sign in.
fn is_nothing(resolved: &Resolved, error: &CheckError) -> bool {
    resolved.profile().is_none() && matches!(error, CheckError::NoHost)
}

fn advised(resolved: &Resolved, name: &str) -> TokenSubject {
    TokenSubject::of(resolved.profile().map(|profile| profile.name()), resolved.host(), name)
}
