//! `u2m profiles`: every profile of the file, and whether it works.

use crate::args::{Args, Format};
use crate::command::describe::{Problem, SAVING};
use crate::failure::Failure;
use crate::{guard, output, place, screen, waiting};
use serde::Serialize;
use std::time::Duration;
use u2m::check::{Inspector, ProfileReport};
use u2m::config::{Cloud, Environment};
use u2m::process::Detached;
use u2m::text::{Sanitized, chain, format_local};

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
    let patience = args.timeout.unwrap_or(PATIENCE);
    let inspector = Inspector::for_user(&place::env).with_timeout(patience);
    let inspector = args.ca_file.iter().cloned().fold(inspector, Inspector::with_ca_file);
    let inspector = match Detached::this_program() {
        Ok(detached) => inspector.with_detached_refresh(detached),
        Err(_) => inspector,
    };
    let what = match config.profiles().len() {
        1 => "Waiting for the server of 1 profile".to_owned(),
        many => format!("Waiting for the servers of {many} profiles"),
    };
    let survey = || inspector.survey_blocking(&around, &path, asks);
    let reports = waiting::during(&what, Some(patience), survey).into_iter();
    let rows: Vec<ProfileJson> = match args.stands_in {
        true => reports.map(row).map(ProfileJson::into_theirs).collect(),
        false => reports.map(row).collect(),
    };
    u2m::process::wait_for_saves(SAVING);
    output::warn_of(inspector.take_notices());
    match output::format(args) {
        Format::Json => output::result(output::json(&ProfilesJson { profiles: rows }) + "\n"),
        Format::Text => output::result(table(&rows, screen::width_of_output())),
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

/// The columns of the reference; one more where there is a reason to tell. On a terminal, whose `width` is known, no line is
/// longer than that: names and hosts are cut, and reasons stand below their rows where there is no room beside them.
fn table(rows: &[ProfileJson], width: Option<usize>) -> String {
    let name = |row: &ProfileJson| {
        let mark = if row.default { " (Default)" } else { "" };
        format!("{}{mark}", Sanitized::new(&row.name))
    };
    let host = |row: &ProfileJson| {
        let place = row.host.as_deref().or(row.issuer.as_deref());
        Sanitized::new(place.unwrap_or_default()).to_string()
    };
    let reason = |row: &ProfileJson| {
        row.error.as_ref().map_or("", |error| error.message.as_str()).to_owned()
    };
    let widest = |title: &str, cell: &dyn Fn(&ProfileJson) -> String| {
        let widest = rows.iter().map(|row| screen::width_of(&cell(row))).max().unwrap_or(0);
        widest.max(title.len())
    };
    let (mut names, mut hosts) = (widest("Name", &name), widest("Host", &host));
    if let Some(width) = width {
        names = names.min((width / 3).max(4));
        hosts = hosts.min(width.saturating_sub(names + FIXED).max(4));
    }
    let room = width.map(|width| width.saturating_sub(names + hosts + FIXED + 2));
    let is_beside = room.is_none_or(|room| widest("Reason", &reason) <= room);
    let tells = is_beside && rows.iter().any(|row| row.error.is_some());
    let line = |name: &str, host: &str, valid: &str, reason: &str| {
        let (name, host) = (padded(name, names), padded(host, hosts));
        let line = format!("{name}  {host}  {valid:<5}  {reason}");
        format!("{}\n", line.trim_end())
    };
    let mut out = line("Name", "Host", "Valid", if tells { "Reason" } else { "" });
    for row in rows {
        let valid = match row.valid {
            Some(true) => "YES",
            Some(false) => "NO",
            None => "-",
        };
        let reason = reason(row);
        out += &line(&name(row), &host(row), valid, if is_beside { &reason } else { "" });
        if !is_beside && !reason.is_empty() {
            let lines = screen::wrapped(&reason, width.unwrap_or(80).saturating_sub(4));
            out.extend(lines.into_iter().map(|line| format!("    {line}\n")));
        }
    }
    out
}

/// What stands between the columns, and the column that says whether a profile is valid.
const FIXED: usize = 2 + 2 + 5;

/// A cell of so many columns.
fn padded(text: &str, width: usize) -> String {
    let text = screen::cut(text, width);
    let blanks = width.saturating_sub(screen::width_of(&text));
    text + &" ".repeat(blanks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, host: &str, error: Option<&str>) -> ProfileJson {
        let message = |error: &str| Problem { category: "network", message: error.to_owned() };
        ProfileJson {
            name: name.into(),
            host: Some(host.into()),
            account_id: None,
            workspace_id: None,
            cloud: "",
            auth_type: String::new(),
            valid: Some(error.is_none()),
            default: false,
            error: error.map(message),
            expiry: None,
            storage: None,
            issuer: None,
        }
    }

    #[test]
    fn a_table_fits_the_terminal_and_loses_no_reason() {
        let why =
            "the server did not answer in time, and nobody knows what it would have said if it had";
        let rows = [
            row("dev", "https://a-workspace-with-a-name.cloud.databricks.com", None),
            row("日本語の名前はとても幅が広い", "https://b.example", Some(why)),
        ];
        for width in [20, 40, 80, 200] {
            let table = table(&rows, Some(width));
            assert!(table.lines().all(|line| screen::width_of(line) <= width), "{width}: {table}");
            let words: Vec<&str> = table.split_whitespace().collect();
            let is_there =
                width < 40 || words.join(" ").replace(" ", "").contains(&why.replace(' ', ""));
            assert!(is_there, "{table}");
        }
        assert!(table(&rows, None).lines().nth(2).unwrap().ends_with(why));
    }
}
