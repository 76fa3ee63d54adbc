//! Finds the profile file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::{ConfigError, variable};

const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// Returns the path of the profile file: the value of `DATABRICKS_CONFIG_FILE`, else
/// `.databrickscfg` in the home directory.
///
/// `env` looks up an environment variable; an empty one counts as unset. Only `~` and `~/` are
/// expanded, to `HOME` (`USERPROFILE` on Windows). Nothing is opened, so the file need not exist.
///
/// # Errors
///
/// Fails with [`ConfigError::HomeUnknown`] if the home directory is needed but not set, and with
/// [`ConfigError::TildeUser`] for `~name`, which Databricks' CLI expands in two different ways.
///
/// ```
/// use std::ffi::OsString;
/// let env = |name: &str| (name == "DATABRICKS_CONFIG_FILE").then(|| OsString::from("/etc/cfg"));
/// assert_eq!(u2m_config::locate(&env)?.to_str(), Some("/etc/cfg"));
/// # Ok::<(), u2m_config::ConfigError>(())
/// ```
pub fn locate(env: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, ConfigError> {
    match variable(env, "DATABRICKS_CONFIG_FILE") {
        Some(path) => expand(PathBuf::from(path), env),
        None => Ok(home(env)?.join(".databrickscfg")),
    }
}

/// Shortens a path for display: replaces the home directory with `~`. Only whole path components match.
///
///
/// ```
/// use std::ffi::OsString;
/// use std::path::Path;
/// let env = |name: &str| matches!(name, "HOME" | "USERPROFILE").then(|| OsString::from("/home/a"));
/// let shown = u2m_config::abbreviate(Path::new("/home/a/.databrickscfg"), &env);
/// assert_eq!(shown, Path::new("~/.databrickscfg"));
/// assert_eq!(u2m_config::abbreviate(Path::new("/home/ab/x"), &env), Path::new("/home/ab/x"));
/// ```
pub fn abbreviate(path: &Path, env: &dyn Fn(&str) -> Option<OsString>) -> PathBuf {
    match home(env).ok().and_then(|home| Some(path.strip_prefix(home).ok()?.to_owned())) {
        Some(rest) => Path::new("~").join(rest),
        None => path.to_owned(),
    }
}

fn expand(path: PathBuf, env: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, ConfigError> {
    if !path.as_os_str().as_encoded_bytes().starts_with(b"~") {
        return Ok(path);
    }
    match path.strip_prefix("~") {
        Ok(rest) if rest.as_os_str().is_empty() => home(env),
        Ok(rest) => Ok(home(env)?.join(rest)),
        Err(_) => Err(ConfigError::TildeUser { path }),
    }
}

fn home(env: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, ConfigError> {
    let home = env(HOME).filter(|home| !home.is_empty()).ok_or(ConfigError::HomeUnknown)?;
    Ok(PathBuf::from(home))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(home: Option<&str>, file: Option<&str>) -> Result<PathBuf, ConfigError> {
        locate(&|name| match name {
            HOME => home.map(OsString::from),
            "DATABRICKS_CONFIG_FILE" => file.map(OsString::from),
            _ => None,
        })
    }

    #[test]
    fn without_an_override_the_file_is_at_home() {
        assert_eq!(located(Some("/h"), None).unwrap(), Path::new("/h/.databrickscfg"));
        assert_eq!(located(Some("/h"), Some("")).unwrap(), Path::new("/h/.databrickscfg"));
    }

    #[test]
    fn an_override_is_taken_as_it_is() {
        assert_eq!(located(None, Some("/a/my cfg\r\n")).unwrap(), Path::new("/a/my cfg"));
        assert_eq!(located(None, Some("rel/cfg")).unwrap(), Path::new("rel/cfg"));
        assert_eq!(located(None, Some("/a/~b")).unwrap(), Path::new("/a/~b"));
    }

    #[test]
    fn a_leading_tilde_is_home() {
        assert_eq!(located(Some("/h"), Some("~/cfg")).unwrap(), Path::new("/h/cfg"));
        assert_eq!(located(Some("/h"), Some("~")).unwrap(), Path::new("/h"));
    }

    #[test]
    fn the_home_alone_is_spelt_as_it_is_given() {
        // Paths compare as equal with and without a final separator.
        assert_eq!(located(Some("/h"), Some("~")).unwrap().as_os_str(), "/h");
    }

    #[test]
    fn only_what_is_in_the_home_is_shown_with_a_tilde() {
        let shown = |home: Option<&str>, path: &str| {
            abbreviate(path.as_ref(), &|name| home.filter(|_| name == HOME).map(OsString::from))
        };
        assert_eq!(shown(Some("/h"), "/h/a/cfg"), Path::new("~/a/cfg"));
        for (home, path) in [(Some("/h"), "/ha/cfg"), (Some("/h"), "h/cfg"), (None, "/h/cfg")] {
            assert_eq!(shown(home, path), Path::new(path), "{home:?}");
        }
    }

    #[test]
    fn another_users_home_is_refused_with_advice() {
        let error = located(Some("/h"), Some("~bob/cfg")).unwrap_err();
        assert!(matches!(error, ConfigError::TildeUser { .. }));
        assert!(error.to_string().contains("write the path out in full"));
    }

    #[test]
    fn an_unset_or_empty_home_is_an_error() {
        assert!(matches!(located(None, None), Err(ConfigError::HomeUnknown)));
        assert!(matches!(located(Some(""), Some("~/cfg")), Err(ConfigError::HomeUnknown)));
    }
}
