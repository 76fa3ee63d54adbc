//! Why it is not clear what is meant.

use u2m_core::{Host, HostError, IssuerError, Sanitized, TargetError};

/// Why it is not clear what is meant. A person has to say more, or something else.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChooseError {
    /// Several profiles are on the host.
    #[error("{} match {host}", joined(.names, " and "))]
    Ambiguous {
        /// The host, as it was said.
        host: Sanitized,
        /// The profiles.
        names: Vec<Sanitized>,
    },
    /// A positional argument beside a flag that says the same.
    #[error("the argument '{0}' cannot be combined with --host or --profile")]
    ArgumentWithFlag(Sanitized),
    /// A profile was named together with another host than its own.
    #[error("profile {profile} is for {own}, not for {wanted}")]
    Conflict {
        /// The profile.
        profile: Sanitized,
        /// Its host.
        own: Host,
        /// The host that was named.
        wanted: Host,
    },
    /// A flag that means nothing while the host is not known.
    #[error("--{0} requires --host to be specified")]
    FlagNeedsHost(&'static str),
    /// What was given is not a host.
    #[error(transparent)]
    Host(HostError),
    /// The profile signs in to an issuer of its own.
    #[error("profile {profile} is for the issuer {issuer}")]
    IssuerProfile {
        /// The profile.
        profile: Sanitized,
        /// Its issuer.
        issuer: Sanitized,
    },
    /// The environment signs in as a machine, and nobody is signed in.
    #[error(
        "the environment signs in with a client id and secret; only logins by a person are served here"
    )]
    MachineEnvironment,
    /// The profile signs in as a machine.
    #[error(
        "profile {0} signs in with a client id and secret; only logins by a person are served here"
    )]
    MachineProfile(Sanitized),
    /// An account console without an account.
    #[error("signing in to {0} needs an account id")]
    NoAccount(Host),
    /// The profile has no host, and none was given.
    #[error("profile {0} has no host")]
    NoHost(Sanitized),
    /// Nothing was said, and there is nothing to fall back on.
    #[error("no profile specified. Use --profile <name> to specify which profile to use")]
    NoProfileChosen,
    /// Nothing was said, and there are no profiles.
    #[error("no profiles configured")]
    NoProfiles,
    /// A variable holds bytes that are no text.
    #[error("the value of {0} is not UTF-8")]
    NotUtf8(&'static str),
    /// The profile's issuer is not one.
    #[error("the issuer of profile {0} cannot be used")]
    ProfileIssuer(Sanitized, #[source] IssuerError),
    /// The profile's host is not one.
    #[error("the host of profile {0} cannot be used")]
    ProfileHost(Sanitized, #[source] HostError),
    /// The section of settings was named as a profile.
    #[error("__settings__ is a reserved section name and cannot be a profile")]
    Reserved,
    /// An account id or a profile's name that is not one.
    #[error(transparent)]
    Target(TargetError),
    /// A host was named that no profile is for.
    #[error("no profile is for {host}; {}", known(.names))]
    UnknownHost {
        /// The host.
        host: Host,
        /// All profiles.
        names: Vec<Sanitized>,
    },
    /// No such profile.
    #[error("no matching profile found: \"{name}\"{}", alike(.near))]
    UnknownProfile {
        /// What was said.
        name: Sanitized,
        /// Profiles with a name like it.
        near: Vec<Sanitized>,
    },
    /// What a variable gives for a host is not one.
    #[error("the host from {0} environment variable cannot be used")]
    VariableHost(&'static str, #[source] HostError),
    /// A workspace id that is not one.
    #[error("not a workspace id: '{0}'")]
    WorkspaceId(Sanitized),
}

fn joined(names: &[Sanitized], by: &str) -> String {
    names.iter().map(Sanitized::as_str).collect::<Vec<_>>().join(by)
}

fn alike(near: &[Sanitized]) -> String {
    match near {
        [] => String::new(),
        near => format!("; did you mean {}?", joined(near, " or ")),
    }
}

/// More names than these are not read at a glance.
const SHOWN: usize = 20;

fn known(names: &[Sanitized]) -> String {
    match names {
        [] => "there are no profiles".to_owned(),
        names if names.len() > SHOWN => {
            let (shown, rest) = names.split_at(SHOWN);
            format!("there are: {}, and {} more", joined(shown, ", "), rest.len())
        }
        names => format!("there are: {}", joined(names, ", ")),
    }
}
