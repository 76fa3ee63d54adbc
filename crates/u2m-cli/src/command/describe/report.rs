//! The report, for people and for programs.

use crate::failure::Failure;
use crate::{output, place};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;
use u2m::check::{CheckError, CheckSubject, Identity, LoginFacts};
use u2m::config::{Attribute, Resolved, Value, ValueSource};
use u2m::store::StorageSource;
use u2m::text::{Sanitized, chain, format_local};
use u2m::{Scopes, Timestamp};

/// What is wrong, for programs and for people.
#[derive(Serialize)]
pub(crate) struct Problem {
    pub(crate) category: &'static str,
    pub(crate) message: String,
}

/// What came of the check.
pub(super) enum CheckStatus {
    Works(Identity),
    Failed(CheckError),
    /// Nobody asked, or nobody can.
    Unchecked(Option<CheckError>),
}

/// All that is shown.
pub(super) struct DescribeReport<'a> {
    pub(super) resolved: &'a Resolved,
    pub(super) auth_type: Option<&'a str>,
    pub(super) subject: Option<&'a CheckSubject>,
    pub(super) facts: Option<&'a LoginFacts>,
    pub(super) status: &'a CheckStatus,
    /// What is wrong, with advice.
    pub(super) failure: Option<&'a Failure>,
    /// The profile file.
    pub(super) path: &'a Path,
    pub(super) sensitive: bool,
    /// Whether what is known of the token is shown, which Databricks' CLI does not.
    pub(super) shows_token: bool,
}

/// One value of the configuration.
struct ConfigLine {
    key: &'static str,
    value: String,
    source: ValueSource,
    /// Whether another way of signing in would use it.
    mismatch: bool,
}

/// The members of the reference in its order, then ours.
#[derive(Serialize)]
struct DescribeJson<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    details: Details<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_storage: Option<StorageFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<TokenFacts<'a>>,
}

#[derive(Serialize)]
struct Details<'a> {
    auth_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    configuration: BTreeMap<&'static str, Configured>,
}

#[derive(Serialize)]
struct Configured {
    value: String,
    source: SourceJson,
    auth_type_mismatch: bool,
}

#[derive(Serialize)]
struct SourceJson {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// Where tokens are.
#[derive(Serialize)]
struct StorageFacts {
    mode: &'static str,
    location: String,
    source: String,
}

/// What is known of the token, which is not shown.
#[derive(Serialize)]
struct TokenFacts<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry: Option<String>,
    /// In seconds; 0 once it has run out.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<String>,
    refreshable: bool,
    /// Whether the server has ended the login.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ended: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<&'a str>,
    /// What the profile asks for besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_not_granted: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
}

impl DescribeReport<'_> {
    pub(super) fn json(&self) -> String {
        let configuration = self.lines().into_iter().map(|line| {
            let source = SourceJson { r#type: line.source.kind(), name: line.source.name() };
            let mismatch = line.mismatch;
            (line.key, Configured { value: line.value, source, auth_type_mismatch: mismatch })
        });
        let identity = self.identity();
        output::json(&DescribeJson {
            status: match self.status {
                CheckStatus::Works(_) => "success",
                CheckStatus::Failed(_) => "error",
                CheckStatus::Unchecked(_) => "unchecked",
            },
            error: self.problem(),
            username: identity.and_then(|found| found.user_name.as_ref()).map(Sanitized::as_str),
            account_id: identity.and_then(|found| found.account_id.as_deref()),
            details: Details {
                auth_type: self.auth_type.unwrap_or_default(),
                host: self.host(),
                configuration: configuration.collect(),
            },
            token_storage: self.kept(),
            token: self
                .facts
                .filter(|_| self.shows_token)
                .map(|facts| token_facts(facts, &self.not_granted())),
        })
    }

    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let mut line = |label: &str, text: &str| {
            if !text.is_empty() {
                out += &format!("{label}: {text}\n");
            }
        };
        let auth_type = Sanitized::new(self.auth_type.unwrap_or_default());
        let host = self.host().unwrap_or_default();
        match self.status {
            CheckStatus::Works(found) => {
                line("Host", host);
                line("Account ID", found.account_id.as_deref().unwrap_or_default());
                line("User", found.user_name.as_ref().map_or("", Sanitized::as_str));
                line("Authenticated with", auth_type.as_str());
            }
            CheckStatus::Failed(error) => {
                let text =
                    self.failure.map_or_else(|| chain(error), |failure| failure.text.clone());
                line("Unable to authenticate", &text);
            }
            CheckStatus::Unchecked(why) => {
                line("Host", host);
                line("Would authenticate with", auth_type.as_str());
                line(
                    "Checked",
                    &why.as_ref().map_or("no, because of --offline".to_owned(), |why| {
                        format!("no, {}", chain(why).trim_start_matches("not checked: "))
                    }),
                );
            }
        }
        if let Some(kept) = self.kept() {
            line(
                "Token storage",
                &format!("{}, {} (from {})", kept.mode, kept.location, kept.source),
            );
        }
        if let Some(facts) = self.facts.filter(|_| self.shows_token) {
            tell(facts, &self.not_granted(), &mut line);
        }
        out += "-----\nCurrent configuration:\n";
        for line in self.lines() {
            out += &self.configured(&line);
        }
        output::fit(&out)
    }

    fn configured(&self, line: &ConfigLine) -> String {
        let ConfigLine { key, source, .. } = line;
        let value = Sanitized::new(&line.value);
        let auth_type = Sanitized::new(self.auth_type.unwrap_or_default());
        let is_told = !matches!(source, ValueSource::Derived);
        let from = match (is_told, line.mismatch) {
            (true, true) => format!(" (from {source}, not used for auth type {auth_type})"),
            (true, false) => format!(" (from {source})"),
            (false, true) => format!(" (not used for auth type {auth_type})"),
            (false, false) => String::new(),
        };
        let mark = if line.mismatch { '~' } else { '✓' };
        format!("  {mark} {key}: {value}{from}\n")
    }

    /// Every value that is set, in the order of the table. The profile and the way of signing in are always told.
    fn lines(&self) -> Vec<ConfigLine> {
        let line = |attribute: &'static Attribute| {
            let key = attribute.key();
            let found = self.resolved.value(key);
            let (value, source) = match (found, key) {
                // Databricks' CLI names none: it is where this program is, whoever said so.
                (Some(found), "databricks_cli_path") => (self.shown(found), ValueSource::Derived),
                (Some(found), _) => (self.shown(found), found.source().clone()),
                (None, "profile") => ("default".to_owned(), ValueSource::Derived),
                (None, "auth_type") => (self.auth_type?.to_owned(), ValueSource::Derived),
                _ => return None,
            };
            let is_other = |auth_type: &str| !attribute.is_for(auth_type);
            // What is no credential is nobody's in particular.
            let mismatch = attribute.method().is_some() && self.auth_type.is_some_and(is_other);
            Some(ConfigLine { key, value, source, mismatch })
        };
        Attribute::ALL.iter().filter_map(line).collect()
    }

    fn shown(&self, value: &Value) -> String {
        if self.sensitive { value.expose() } else { value.shown() }.to_owned()
    }

    /// Whoever signs in to an issuer of another kind has none, whatever the environment says.
    fn host(&self) -> Option<&str> {
        let resolved = self.resolved.host();
        let host = self.subject.map_or(resolved, |subject| subject.host());
        host.map(|host| host.as_str())
    }

    /// Of the scopes that the profile names, those that the login was not granted, as far as anybody says what it was.
    fn not_granted(&self) -> Scopes {
        let granted = self.facts.map(|facts| facts.scopes.as_slice()).unwrap_or_default();
        let named = self.resolved.value("scopes").map(|value| Scopes::split(value.expose()));
        let Some(named) = named.filter(|_| !granted.is_empty()) else { return Scopes::default() };
        named.missing_from(&Scopes::new(granted.iter().map(Sanitized::as_str))).of_apis()
    }

    fn identity(&self) -> Option<&Identity> {
        match self.status {
            CheckStatus::Works(found) => Some(found),
            _ => None,
        }
    }

    fn problem(&self) -> Option<Problem> {
        let (CheckStatus::Failed(error) | CheckStatus::Unchecked(Some(error))) = self.status else {
            return None;
        };
        let message = self.failure.map_or_else(|| chain(error), |failure| failure.text.clone());
        Some(Problem { category: error.category(), message })
    }

    fn kept(&self) -> Option<StorageFacts> {
        let storage = self.subject?.storage()?;
        let choice = storage.choice();
        let mode = self.facts.map_or(choice.mode(), |facts| facts.storage);
        let source = match choice.source() {
            StorageSource::Settings => {
                let path = Sanitized::new(&self.path.to_string_lossy().replace('\\', "/"));
                format!("auth_storage in [__settings__] section of {path}")
            }
            source => source.label().to_owned(),
        };
        let source = match choice.is_explicit() && mode != choice.mode() {
            true => format!("where it was saved; {source} names {}", choice.mode()),
            false => source,
        };
        let location = storage.location(mode, &place::shown);
        Some(StorageFacts { mode: mode.as_str(), location, source })
    }
}

/// What is known of the token, a line each.
fn tell(facts: &LoginFacts, not_granted: &Scopes, line: &mut impl FnMut(&str, &str)) {
    let expires = facts.expiry.map(|expiry| format!("{} ({})", format_local(expiry), left(expiry)));
    line("Token expires", expires.as_deref().unwrap_or("nobody knows when"));
    line(
        "Refreshable",
        match (facts.is_refreshable, facts.is_ended) {
            (true, _) => "yes",
            (false, true) => "no, the server has ended this login",
            (false, false) => "no",
        },
    );
    let scopes: Vec<&str> = facts.scopes.iter().map(Sanitized::as_str).collect();
    line("Scopes", &scopes.join(" "));
    line("Scopes not granted", &not_granted.to_string());
    line("Issuer", facts.issuer.as_ref().map_or("", Sanitized::as_str));
    line("Subject", facts.subject.as_ref().map_or("", Sanitized::as_str));
    line("Storage key", Sanitized::new(facts.key.as_str()).as_str());
}

/// How long a token is still good, in words.
fn left(expiry: Timestamp) -> String {
    match seconds_until(expiry) {
        0 => "expired".to_owned(),
        left if left < 120 => format!("{left} s left"),
        left if left < 7200 => format!("{} min left", left / 60),
        left => format!("{} h left", left / 3600),
    }
}

fn seconds_until(expiry: Timestamp) -> i64 {
    Timestamp::from(SystemTime::now()).until(expiry).seconds().max(0)
}

fn token_facts<'a>(facts: &'a LoginFacts, not_granted: &Scopes) -> TokenFacts<'a> {
    TokenFacts {
        key: facts.key.as_str(),
        expiry: facts.expiry.map(format_local),
        expires_in: facts.expiry.map(seconds_until),
        issued_at: facts.issued_at.map(format_local),
        refreshable: facts.is_refreshable,
        ended: facts.is_ended,
        scopes: facts.scopes.iter().map(Sanitized::as_str).collect(),
        scopes_not_granted: not_granted.iter().map(str::to_owned).collect(),
        issuer: facts.issuer.as_ref().map(Sanitized::as_str),
        subject: facts.subject.as_ref().map(Sanitized::as_str),
    }
}
