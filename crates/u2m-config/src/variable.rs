//! Reads environment variables, without the white space around their values.

use std::ffi::OsString;

/// Returns the value of an environment variable without surrounding white space, or `None` if
/// nothing is left.
///
/// Lists of variables that were written on Windows leave a carriage return at the end of each
/// value. A value that is not UTF-8 is returned unchanged.
///
/// ```
/// use std::ffi::OsString;
/// let env = |name: &str| (name == "DATABRICKS_CONFIG_PROFILE").then(|| OsString::from("dev\r"));
/// assert_eq!(u2m_config::variable(&env, "DATABRICKS_CONFIG_PROFILE"), Some("dev".into()));
/// assert_eq!(u2m_config::variable(&|_| Some(" \r\n".into()), "DATABRICKS_HOST"), None);
/// ```
pub fn variable(env: &dyn Fn(&str) -> Option<OsString>, name: &str) -> Option<OsString> {
    let value = env(name)?;
    let trimmed = value.to_str().map(|text| OsString::from(text.trim()));
    let value = trimmed.unwrap_or(value);
    (!value.is_empty()).then_some(value)
}
