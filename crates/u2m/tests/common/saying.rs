//! Choices in a few words: what is said, the variables that are set, and the profile file, as texts.

use std::collections::HashMap;
use std::ffi::OsString;
use u2m::config::{ChooseError, ConfigFile, Environment, TargetArgs};

/// `profile=…`, `host=…`, `account=…`, `workspace=…`, or a word alone.
fn said(line: &str) -> TargetArgs {
    let mut said = TargetArgs::default();
    for word in line.split_whitespace() {
        match word.split_once('=') {
            Some(("profile", value)) => said.profile = Some(value.to_owned()),
            Some(("host", value)) => said.host = Some(value.to_owned()),
            Some(("account", value)) => said.account_id = Some(value.to_owned()),
            Some(("workspace", value)) => said.workspace_id = Some(value.to_owned()),
            _ => said.either = Some(word.to_owned()),
        }
    }
    said
}

/// What `by` chooses.
pub(crate) fn choose<T>(
    line: &str,
    env: &[(&str, &str)],
    config: &str,
    by: impl Fn(&TargetArgs, &Environment<'_>) -> Result<T, ChooseError>,
) -> Result<T, ChooseError> {
    let env: HashMap<_, _> = env.iter().copied().collect();
    let get = |name: &str| env.get(name).map(OsString::from);
    let config = ConfigFile::parse(config).unwrap();
    by(&said(line), &Environment { env: &get, config: &config })
}
