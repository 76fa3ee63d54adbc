//! Why a configuration cannot be settled.

use std::path::PathBuf;

use u2m_core::{Foreign, Host, HostError};

use super::Source;
use crate::WrongValue;

/// Why it is not clear how to authenticate, or to whom. No message repeats a credential.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// Several profiles are on the host, and none of them is the default.
    #[error("{} match {host}; name one with --profile", joined(.names))]
    Ambiguous {
        /// The host.
        host: Host,
        /// The profiles.
        names: Vec<Foreign>,
    },
    /// A profile was named together with another host than its own.
    #[error("profile {profile} is for {own}, not for {wanted}")]
    Conflict {
        /// The profile.
        profile: Foreign,
        /// Its host.
        own: Host,
        /// The host that was named.
        wanted: Host,
    },
    /// What should be a host is none.
    #[error("the host from {from} cannot be used")]
    Host {
        /// Where it stands.
        from: Source,
        /// What is wrong with it.
        #[source]
        source: HostError,
    },
    /// Credentials of several methods, and no `auth_type` to choose among them.
    #[error(
        "more than one authorization method configured: {} ({}); remove one, or choose one with auth_type",
        methods(.0), origins(.0)
    )]
    ManyMethods(Vec<(&'static str, Source)>),
    /// A profile was named, and there is no file to hold it.
    #[error("no configuration file found at {}, so there is no profile {name}", path.display())]
    NoFile {
        /// Where it was looked for.
        path: PathBuf,
        /// The profile.
        name: Foreign,
    },
    /// The file holds no such profile.
    #[error("{} has no {name} profile configured", path.display())]
    NoProfile {
        /// The file.
        path: PathBuf,
        /// The profile.
        name: Foreign,
    },
    /// A variable holds bytes that are no text.
    #[error("the value of {0} is not UTF-8")]
    NotUtf8(&'static str),
    /// The section of settings was named as a profile.
    #[error("__settings__ is a reserved section name and cannot be a profile")]
    Reserved,
    /// A host was named that no profile is for.
    #[error("no profile is for {host}; {}", known(.names))]
    UnknownHost {
        /// The host.
        host: Host,
        /// All profiles.
        names: Vec<Foreign>,
    },
    /// A switch or a number that is none.
    #[error("the value of {key} from {from} cannot be used")]
    WrongValue {
        /// What it is the value of.
        key: &'static str,
        /// Where it stands.
        from: Source,
        /// What was expected.
        #[source]
        source: WrongValue,
    },
}

fn joined(names: &[Foreign]) -> String {
    names.iter().map(Foreign::as_str).collect::<Vec<_>>().join(" and ")
}

fn methods(found: &[(&'static str, Source)]) -> String {
    found.iter().map(|(method, _)| *method).collect::<Vec<_>>().join(" and ")
}

fn origins(found: &[(&'static str, Source)]) -> String {
    let said = found.iter().map(|(method, source)| format!("{method} from {source}"));
    said.collect::<Vec<_>>().join(", ")
}

fn known(names: &[Foreign]) -> String {
    match names {
        [] => "there are no profiles".to_owned(),
        names => format!(
            "there are: {}",
            names.iter().map(Foreign::as_str).collect::<Vec<_>>().join(", ")
        ),
    }
}
