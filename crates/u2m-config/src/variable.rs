//! What a variable of the environment says, as people mean it.

use std::ffi::OsString;

/// The value of a variable without the white space around it, or `None` where nothing is left: lists of variables that were
/// written on Windows leave a carriage return at the end of each value. What is no UTF-8 stays as it is.
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
