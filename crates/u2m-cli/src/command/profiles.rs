//! `u2m profiles`: every profile of the file, and whether it works.

use crate::args::{Args, Format};
use crate::command::describe::{Problem, SAVING};
use crate::failure::Failure;
use crate::{guard, output, place};
use serde::Serialize;
use std::time::Duration;
use u2m::{Cloud, Detached, Environment, Inspector, ProfileReport, Sanitized, chain, format_local};

/// How long one profile is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct ProfilesJson {
    profiles: Vec<ProfileJson>,
}

/// The members of the reference in its order, then ours.
#[derive(Serialize)]
struct ProfileJson {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_id: Option<String>,
    cloud: &'static str,
    auth_type: String,
    /// `null` if nobody knows.
    valid: Option<bool>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    default: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
}

pub(crate) fn run(args: &Args, _: &str) -> Result<(), Failure> {
    let (path, config) = place::config()?;
    let around = Environment { env: &place::env, config: &config };
    let asks = !args.skip_validate;
    if asks {
        // A login that has run out is renewed.
        guard::watch_signals();
    }
    let inspector = Inspector::for_user(&place::env).with_timeout(args.timeout.unwrap_or(PATIENCE));
    let inspector = args.ca_file.iter().cloned().fold(inspector, Inspector::with_ca_file);
    let inspector = match Detached::this_program() {
        Ok(detached) => inspector.with_detached_refresh(detached),
        Err(_) => inspector,
    };
    let reports = inspector.survey_blocking(&around, &path, asks).into_iter();
    let rows: Vec<ProfileJson> = match args.stands_in {
        true => reports.map(row).map(ProfileJson::into_theirs).collect(),
        false => reports.map(row).collect(),
    };
    u2m::wait_for_saves(SAVING);
    output::warn_of(inspector.take_notices());
    match output::format(args) {
        Format::Json => output::result(output::json(&ProfilesJson { profiles: rows }) + "\n"),
        Format::Text => output::result(table(&rows)),
    }
}

impl ProfileJson {
    /// As Databricks' CLI tells it, for whoever calls us in its place: what is not known to be valid is not, and nothing says
    /// why.
    fn into_theirs(self) -> Self {
        let valid = Some(self.valid.unwrap_or_default());
        Self { valid, error: None, expiry: None, storage: None, issuer: None, ..self }
    }
}

fn row(report: ProfileReport) -> ProfileJson {
    let error = report
        .validity
        .error()
        .map(|error| Problem { category: error.category(), message: chain(error) });
    ProfileJson {
        valid: report.validity.is_valid(),
        error,
        name: report.name,
        host: report.host,
        issuer: report.issuer,
        account_id: report.account_id,
        workspace_id: report.workspace_id,
        cloud: report.cloud.map_or("", Cloud::as_str),
        auth_type: report.auth_type.unwrap_or_default(),
        default: report.is_default,
        expiry: report.expiry.map(format_local),
        storage: report.storage.map(|mode| mode.as_str()),
    }
}

/// The columns of the reference; one more where there is a reason to tell.
fn table(rows: &[ProfileJson]) -> String {
    let name = |row: &ProfileJson| {
        let mark = if row.default { " (Default)" } else { "" };
        format!("{}{mark}", Sanitized::new(&row.name))
    };
    let host = |row: &ProfileJson| {
        let place = row.host.as_deref().or(row.issuer.as_deref());
        Sanitized::new(place.unwrap_or_default()).to_string()
    };
    let width = |title: &str, cell: &dyn Fn(&ProfileJson) -> String| {
        let widest = rows.iter().map(|row| cell(row).chars().count()).max().unwrap_or(0);
        widest.max(title.len())
    };
    let (names, hosts) = (width("Name", &name), width("Host", &host));
    let tells = rows.iter().any(|row| row.error.is_some());
    let line = |name: &str, host: &str, valid: &str, reason: &str| {
        let line = format!("{name:<names$}  {host:<hosts$}  {valid:<5}  {reason}");
        format!("{}\n", line.trim_end())
    };
    let mut out = line("Name", "Host", "Valid", if tells { "Reason" } else { "" });
    for row in rows {
        let valid = match row.valid {
            Some(true) => "YES",
            Some(false) => "NO",
            None => "-",
        };
        let reason = row.error.as_ref().map_or("", |error| error.message.as_str());
        out += &line(&name(row), &host(row), valid, reason);
    }
    out
}
