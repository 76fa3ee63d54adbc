//! Where this process stands: its name, its profiles, its token store.

use crate::failure::{Class, Failure};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use u2m::{ConfigFile, FileStore, abbreviate};

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

/// The token store, by the setting that users share with the reference. Its default there is the system's keyring, which
/// this version does not have yet; a person who asks for it is told so rather than given a file.
pub(crate) fn store(path: &Path, config: &ConfigFile) -> Result<FileStore, Failure> {
    const VARIABLE: &str = "DATABRICKS_AUTH_STORAGE";
    let named = env(VARIABLE)
        .filter(|value| !value.is_empty())
        .map(|value| (VARIABLE.to_owned(), value.to_string_lossy().into_owned()));
    let setting = || config.setting("auth_storage");
    let in_file =
        || setting().map(|value| (format!("auth_storage in {}", shown(path)), value.to_owned()));
    let named = named.or_else(in_file);
    if let Some((source, value)) = named {
        match value.trim().to_ascii_lowercase().as_str() {
            "plaintext" => {}
            "secure" => {
                return Err(Failure::new(
                    Class::Storage,
                    format!(
                        "{source} asks for the storage \"secure\" (the system's keyring), which this version does not have \
                         yet; set {VARIABLE}=plaintext to use the file ~/.databricks/token-cache.json"
                    ),
                ));
            }
            _ => {
                let value = u2m::Foreign::new(&value);
                let text = format!("{source} is \"{value}\"; it must be plaintext or secure");
                return Err(Failure::new(Class::Usage, text));
            }
        }
    }
    FileStore::from_env(&env).map_err(|error| Failure::new(Class::Storage, error.to_string()))
}
