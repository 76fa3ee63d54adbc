//! The profile of a login: what is written, where, and how that is told.

use super::manners::whom;
use super::places::ProfilePlaces;
use crate::failure::{Class, Failure};
use crate::{output, place};
use serde::Serialize;
use std::path::Path;
use u2m::config::{CA_FILE_KEY, ConfigFile, Editor, LOGIN_CLEARS, LoginChoice};
use u2m::store::{CacheKey, Storage, StorageMode};
use u2m::text::{Sanitized, chain};
use u2m::{Scopes, SignedIn};

/// The result for programs. A member that has no value is `null`.
#[derive(Serialize)]
pub(super) struct LoginReport {
    profile: String,
    host: String,
    account_id: Option<String>,
    workspace_id: Option<String>,
    cluster_id: Option<String>,
    serverless_compute_id: Option<String>,
    scopes: Vec<String>,
    /// As they went to the server, and as it said that it granted them.
    asked_scopes: Vec<String>,
    granted_scopes: Option<Vec<String>>,
    storage: StorageJson,
    config_file: String,
    /// The keys of the profile that were set.
    written: Vec<&'static str>,
}

#[derive(Serialize)]
struct StorageJson {
    mode: &'static str,
    location: String,
}

fn listed(scopes: &Scopes) -> Vec<String> {
    scopes.iter().map(ToString::to_string).collect()
}

/// A login, and the profile that leads to it.
pub(super) struct SavedLogin<'a> {
    pub(super) path: &'a Path,
    pub(super) choice: &'a LoginChoice,
    pub(super) signed_in: &'a SignedIn,
    pub(super) scopes: &'a Scopes,
    pub(super) places: &'a ProfilePlaces,
    pub(super) storage: &'a Storage,
    pub(super) key: &'a CacheKey,
    /// The profile that was the default before.
    pub(super) default: Option<String>,
}

impl SavedLogin<'_> {
    /// Writes the profile: the keys of this login, without the credentials of another kind that SDKs would trip over, and
    /// without what belongs to another host or other compute.
    pub(super) fn write(&self) -> Result<(), Failure> {
        let values = self.values();
        let values: Vec<_> = values.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let mut clear = LOGIN_CLEARS.to_vec();
        if self.choice.host.is_none() {
            // What belonged to the host before must not lead to the wrong place on this one.
            clear.extend(["account_id", "workspace_id", "cluster_id", "serverless_compute_id"]);
        }
        if self.places.cluster_id.is_some() {
            clear.push("serverless_compute_id");
        }
        if self.places.is_serverless {
            clear.push("cluster_id");
        }
        let name = self.choice.profile.as_str();
        let pin = self.storage.to_pin(self.key);
        let saved = Editor::new(self.path).edit(|draft| {
            draft.merge_profile(name, &values, &clear)?;
            pin.map_or(Ok(()), |mode| draft.set_setting("auth_storage", mode.as_str()))
        });
        let host = self.host();
        let default = || ConfigFile::read(self.path).ok()?.default_profile().map(str::to_owned);
        saved.map_err(|error| {
            let text = format!(
                "signed in to {host}, and the login is stored under '{}', but the profile could not be saved: {}",
                Sanitized::new(name),
                chain(&error)
            );
            Failure::new(Class::Other, text)
        })?;
        if !crate::events::are_on() {
            output::inform(&format!("Signed in to {host}{}.", whom(self.signed_in)));
            let is_news =
                default().as_deref() == Some(name) && self.default.as_deref() != Some(name);
            output::inform(&format!(
                "Profile {} was successfully saved in {}{}.",
                Sanitized::new(name),
                place::shown(self.path),
                if is_news { ", and is the default now" } else { "" }
            ));
            let kept = format!("The login is kept in {}.", self.kept_in());
            match self.mode() {
                // Everybody should hear of a file that any program of theirs can read.
                StorageMode::Plaintext => output::note(&kept),
                _ => output::inform(&kept),
            }
            self.tell_rivals();
        }
        Ok(())
    }

    /// Says, where several profiles ask for the one copy under their host's key, whose it is now, and what moves it.
    fn tell_rivals(&self) {
        let rivals = self.storage.mirror_rivals();
        if rivals.is_empty() || self.mode() != StorageMode::Plaintext {
            return;
        }
        let names: Vec<_> = rivals.iter().map(|name| Sanitized::new(name).to_string()).collect();
        output::note(&format!(
            "The copy of it for programs that know no profiles is that of {} now. mirror_host_key = true stands in {} too: the next \
             login of one of them moves it.",
            self.choice.profile,
            names.join(", ")
        ));
    }

    pub(super) fn report(&self) -> LoginReport {
        let of = |key| self.values().into_iter().find(|(known, _)| *known == key).map(|(_, v)| v);
        LoginReport {
            profile: self.choice.profile.to_string(),
            host: self.host(),
            account_id: of("account_id"),
            workspace_id: of("workspace_id"),
            cluster_id: of("cluster_id"),
            serverless_compute_id: of("serverless_compute_id"),
            scopes: listed(self.scopes),
            asked_scopes: listed(self.signed_in.asked_scopes()),
            granted_scopes: self.signed_in.granted_scopes().map(listed),
            storage: StorageJson { mode: self.mode().as_str(), location: self.kept_in() },
            config_file: place::shown(self.path),
            written: self.values().iter().map(|(key, _)| *key).collect(),
        }
    }

    /// The keys in the order of the reference; only those that have a value.
    fn values(&self) -> Vec<(&'static str, String)> {
        let places = self.places;
        // What has no name in text can be trusted once, and not be written down.
        let ca_file = self.choice.ca_file.as_ref().and_then(|path| path.to_str());
        let ca_file = ca_file.map(str::to_owned);
        let given = |value: &Option<String>| value.clone().unwrap_or_default();
        let values = [
            ("host", self.host()),
            ("cluster_id", given(&places.cluster_id)),
            (
                "serverless_compute_id",
                if places.is_serverless { "auto".to_owned() } else { String::new() },
            ),
            ("account_id", given(&places.account_id)),
            ("workspace_id", given(&places.workspace_id)),
            ("scopes", self.scopes.iter().collect::<Vec<_>>().join(",")),
            ("auth_type", "databricks-cli".to_owned()),
            (CA_FILE_KEY, ca_file.unwrap_or_default()),
        ];
        values.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    fn host(&self) -> String {
        self.signed_in.target().host().map(ToString::to_string).unwrap_or_default()
    }

    fn kept_in(&self) -> String {
        self.storage.location(self.mode(), &place::shown)
    }

    fn mode(&self) -> StorageMode {
        self.storage.home(self.key).unwrap_or_else(|| self.storage.choice().mode())
    }
}
