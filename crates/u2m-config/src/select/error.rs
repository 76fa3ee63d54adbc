//! Errors of selecting a profile and a host.

use u2m_core::{Host, HostError, IssuerError, Sanitized, TargetError};

/// Why no profile and host could be selected. The user must specify more, or something else.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChooseError {
    /// Several profiles are for the host.
    #[error("{} match {host}", joined(.names, " and "))]
    Ambiguous {
        /// The host, as it was given.
        host: Sanitized,
        /// The profiles that are for it.
        names: Vec<Sanitized>,
    },
    /// A positional argument was given together with `--host` or `--profile`.
    #[error("the argument '{0}' cannot be combined with --host or --profile")]
    ArgumentWithFlag(Sanitized),
    /// A profile was named together with a host that is not its own.
    #[error("profile {profile} is for {own}, not for {wanted}")]
    Conflict {
        /// The profile.
        profile: Sanitized,
        /// Its host.
        own: Host,
        /// The host that was named.
        wanted: Host,
    },
    /// A flag that only makes sense together with a host.
    #[error("--{0} requires --host to be specified")]
    FlagNeedsHost(&'static str),
    /// The given host is invalid.
    #[error(transparent)]
    Host(HostError),
    /// The profile signs in to an issuer other than Databricks'.
    #[error("profile {profile} is for the issuer {issuer}")]
    IssuerProfile {
        /// The profile.
        profile: Sanitized,
        /// Its issuer.
        issuer: Sanitized,
    },
    /// The environment has the credentials of a service, so there is no user to sign in.
    #[error(
        "the environment signs in with a client id and secret; only logins by a person are served here"
    )]
    MachineEnvironment,
    /// The profile has the credentials of a service, so there is no user to sign in.
    #[error(
        "profile {0} signs in with a client id and secret; only logins by a person are served here"
    )]
    MachineProfile(Sanitized),
    /// A login to an account console needs an account id.
    #[error("signing in to {0} needs an account id")]
    NoAccount(Host),
    /// The profile has no host, and no host was given.
    #[error("profile {0} has no host")]
    NoHost(Sanitized),
    /// Neither a profile nor a host was given, and there is no default.
    #[error("no profile specified. Use --profile <name> to specify which profile to use")]
    NoProfileChosen,
    /// Neither a profile nor a host was given, and there are no profiles.
    #[error("no profiles configured")]
    NoProfiles,
    /// The value of an environment variable is not UTF-8.
    #[error("the value of {0} is not UTF-8")]
    NotUtf8(&'static str),
    /// The issuer of the profile is invalid.
    #[error("the issuer of profile {0} cannot be used")]
    ProfileIssuer(Sanitized, #[source] IssuerError),
    /// The host of the profile is invalid.
    #[error("the host of profile {0} cannot be used")]
    ProfileHost(Sanitized, #[source] HostError),
    /// `__settings__` was named as a profile.
    #[error("__settings__ is a reserved section name and cannot be a profile")]
    Reserved,
    /// An account id or a profile name is invalid.
    #[error(transparent)]
    Target(TargetError),
    /// No profile is for the host that was named.
    #[error("no profile is for {host}; {}", known(.names))]
    UnknownHost {
        /// The host.
        host: Host,
        /// All profiles.
        names: Vec<Sanitized>,
    },
    /// There is no profile with that name.
    #[error("no matching profile found: \"{name}\"{}", alike(.near))]
    UnknownProfile {
        /// The name that was given.
        name: Sanitized,
        /// Profiles with similar names.
        near: Vec<Sanitized>,
    },
    /// The host in an environment variable is invalid.
    #[error("the host from {0} environment variable cannot be used")]
    VariableHost(&'static str, #[source] HostError),
    /// A workspace id is invalid.
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

/// The maximum number of names in a message. More are hard to read.
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
