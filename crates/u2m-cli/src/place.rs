//! Where this process stands: its name, its profiles, its token store.

use crate::failure::{Class, Failure};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use u2m::{ConfigFile, Storage, StorageError, Surroundings, abbreviate};

/// A variable of the environment.
pub(crate) fn env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The words that start this program: `databricks auth` when it stands in for that one.
pub(crate) fn invoked_as() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&path)
        .file_stem()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    if name == "databricks" { "databricks auth".to_owned() } else { "u2m".to_owned() }
}

/// The profile file, and its profiles.
pub(crate) fn config() -> Result<(PathBuf, ConfigFile), Failure> {
    let path = u2m::locate(&env)?;
    let config = ConfigFile::read(&path)?;
    Ok((path, config))
}

/// Whether the profile file is another than the usual one.
pub(crate) fn is_config_named() -> bool {
    env("DATABRICKS_CONFIG_FILE").is_some_and(|path| !path.is_empty())
}

/// A path as it is shown: the home folder is `~`.
pub(crate) fn shown(path: &Path) -> String {
    u2m::Foreign::new(&abbreviate(path, &env).to_string_lossy()).to_string()
}

/// Where the logins are, by the setting that users share with the reference.
pub(crate) fn storage(config: &ConfigFile, profile: Option<&str>) -> Result<Storage, Failure> {
    opened(Storage::open(None, &Surroundings { env: &env, config }, profile))
}

/// The same, for a command with a person before it.
pub(crate) fn storage_with_person(
    config: &ConfigFile,
    profile: Option<&str>,
) -> Result<Storage, Failure> {
    opened(Storage::open_with_person(None, &Surroundings { env: &env, config }, profile))
}

fn opened(storage: Result<Storage, StorageError>) -> Result<Storage, Failure> {
    storage.map_err(|error| {
        let class = match error {
            StorageError::UnknownMode { .. } => Class::Usage,
            _ => Class::Storage,
        };
        Failure::new(class, u2m::chain(&error))
    })
}
