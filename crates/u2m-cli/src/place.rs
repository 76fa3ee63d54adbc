//! Where this process stands: its name, its profiles, its token store.

use crate::failure::{Class, Failure};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use u2m::config::{ConfigFile, Environment, abbreviate};
use u2m::store::{Storage, StorageError};
use u2m::transport::ReqwestTransport;

/// A variable of the environment. Those that are shared with Databricks' programs are read as people mean them.
pub(crate) fn env(name: &str) -> Option<OsString> {
    match name.starts_with("DATABRICKS_") {
        true => u2m::config::variable(&|name| std::env::var_os(name), name),
        false => std::env::var_os(name),
    }
}

/// The words that start this program: `databricks auth` when it stands in for that one.
pub(crate) fn invoked_as() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    let name = if is_databricks(&path.to_string_lossy()) { "databricks auth" } else { "u2m" };
    name.to_owned()
}

static STANDS_IN: AtomicBool = AtomicBool::new(false);

/// From here on what is said is for callers that mean Databricks' CLI, where they know its words.
pub(crate) fn stand_in() {
    STANDS_IN.store(true, Ordering::Relaxed);
}

/// Whether this program was called in the place of Databricks' CLI.
pub(crate) fn stands_in() -> bool {
    STANDS_IN.load(Ordering::Relaxed)
}

/// Whether a program is called by the name of Databricks' CLI.
pub(crate) fn is_databricks(path: &str) -> bool {
    Path::new(path).file_stem().is_some_and(|name| name == "databricks")
}

/// The profile file, and its profiles.
pub(crate) fn config() -> Result<(PathBuf, ConfigFile), Failure> {
    let path = u2m::config::locate(&env)?;
    let config = ConfigFile::read(&path)?;
    crate::output::explain(|| {
        let state = if config.is_missing() { ", which does not exist" } else { "" };
        format!("Profile file: {}{state}.", shown(&path))
    });
    Ok((path, config))
}

/// Whether the profile file is another than the usual one.
pub(crate) fn is_config_named() -> bool {
    env("DATABRICKS_CONFIG_FILE").is_some_and(|path| !path.is_empty())
}

/// A path as it is shown: the home folder is `~`.
pub(crate) fn shown(path: &Path) -> String {
    u2m::text::Sanitized::new(&abbreviate(path, &env).to_string_lossy()).to_string()
}

/// What requests leave by that trusts this file of certificates besides the system's.
pub(crate) fn transport(ca_file: Option<&Path>) -> ReqwestTransport {
    ca_file.into_iter().fold(ReqwestTransport::new(), ReqwestTransport::with_ca_file)
}

/// Where the logins are, by the setting that users share with the reference.
pub(crate) fn storage(config: &ConfigFile, profile: Option<&str>) -> Result<Storage, Failure> {
    explained(opened(Storage::open(None, &Environment { env: &env, config }, profile))?, profile)
}

/// The same, for a command with a person before it.
pub(crate) fn storage_with_person(
    config: &ConfigFile,
    profile: Option<&str>,
) -> Result<Storage, Failure> {
    let storage = Storage::open_with_person(None, &Environment { env: &env, config }, profile);
    explained(opened(storage)?, profile)
}

fn explained(storage: Storage, profile: Option<&str>) -> Result<Storage, Failure> {
    crate::output::explain(|| {
        let whose = profile.map(|name| format!(" of profile {}", u2m::text::Sanitized::new(name)));
        let choice = storage.choice();
        format!(
            "Store for new logins{}: {}, by {}.",
            whose.unwrap_or_default(),
            choice.mode(),
            choice.source().label()
        )
    });
    Ok(storage)
}

fn opened(storage: Result<Storage, StorageError>) -> Result<Storage, Failure> {
    storage.map_err(|error| {
        let class = match error {
            StorageError::UnknownMode { .. } => Class::Usage,
            _ => Class::Storage,
        };
        Failure::new(class, u2m::text::chain(&error))
    })
}
