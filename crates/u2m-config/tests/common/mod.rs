//! A file, an environment, and what they come to.
#![allow(dead_code, clippy::unwrap_used)]

use std::ffi::OsString;

use u2m_config::{ConfigFile, ResolveError, Resolved, SelectionArgs, resolve};

/// A profile file and an environment.
pub(crate) struct World {
    file: ConfigFile,
    variables: Vec<(&'static str, &'static str)>,
}

pub(crate) fn world(file: &str, variables: &[(&'static str, &'static str)]) -> World {
    World { file: ConfigFile::parse(file).unwrap(), variables: variables.to_vec() }
}

impl World {
    pub(crate) fn without_file(mut self) -> Self {
        self.file = ConfigFile::read("/nowhere/at/all").unwrap();
        self
    }

    pub(crate) fn settle(&self, given: SelectionArgs<'_>) -> Result<Resolved, ResolveError> {
        let env = |name: &str| {
            let found = self.variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        resolve(&given, &env, &self.file, "/home/a/.databrickscfg".as_ref())
    }

    pub(crate) fn nothing_said(&self) -> Result<Resolved, ResolveError> {
        self.settle(SelectionArgs::default())
    }

    pub(crate) fn profile(&self, name: &str) -> Result<Resolved, ResolveError> {
        self.settle(SelectionArgs { profile: Some(name), ..SelectionArgs::default() })
    }

    pub(crate) fn host(&self, host: &str) -> Result<Resolved, ResolveError> {
        self.settle(SelectionArgs { host: Some(host), ..SelectionArgs::default() })
    }
}

/// A value and where it comes from, in words.
pub(crate) fn told(found: &Resolved, key: &str) -> String {
    found
        .value(key)
        .map(|value| format!("{} from {}", value.expose(), value.source()))
        .unwrap_or_default()
}

/// The name of the profile that was chosen.
pub(crate) fn chosen(found: &Resolved) -> Option<&str> {
    found.profile().map(|profile| profile.name())
}
