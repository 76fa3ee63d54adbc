//! From errors to advice: what went wrong, what to do next, and the class of the exit code. The one place that knows.
//!
//! Some words are load-bearing: SDKs step aside when they find `databricks OAuth is not` in what is said, and only then.

use crate::failure::{Class, Failure};
use crate::place::shown;
use std::error::Error;
use std::path::Path;
use u2m::{
    BuildError, ChallengeError, ChooseError, ConfigError, ListenError, LoginChoice, LoginError,
    MetadataError, StoreFailure, Target, TokenEndpointError, TokenError,
};

/// Whose token was asked for, in the words that sign in to it anew.
pub(crate) struct Subject {
    login: String,
}

impl Subject {
    pub(crate) fn new(target: &Target, name: &str) -> Self {
        let what = match (target.profile(), target.host(), target.account_id()) {
            (Some(profile), ..) => format!("--profile {}", quoted(profile.as_str())),
            (None, Some(host), Some(account)) => format!("--host {host} --account-id {account}"),
            (None, Some(host), None) => format!("--host {host}"),
            (None, None, _) => String::new(),
        };
        Self { login: format!("{name} login {what}").trim_end().to_owned() }
    }
}

/// An argument that a shell takes for one.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@/:+".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// An error and its causes, each once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

pub(crate) fn token(error: &TokenError, subject: &Subject, forced: bool) -> Failure {
    let login = &subject.login;
    let prefix = if forced { "forced token refresh" } else { "token refresh" };
    let text = chain(error);
    match error {
        TokenError::NotFound => Failure::new(
            Class::NotConfigured,
            format!(
                "cache: databricks OAuth is not configured for this host. no cached credentials; run `{login}` to sign in"
            ),
        ),
        TokenError::Endpoints(MetadataError::NotSupported) => {
            Failure::new(Class::Other, format!("{prefix}: {text}"))
        }
        TokenError::Endpoints(error) if error.is_transient() => Failure::new(
            Class::Network,
            format!("{prefix}: {text}. Check the network and the host, then try again"),
        ),
        TokenError::Endpoints(_) => Failure::new(
            Class::Other,
            format!(
                "{prefix}: {text}. Check that the host is the right one, or sign in again: {login}"
            ),
        ),
        TokenError::Rejected(_) => Failure::new(
            Class::NeedsLogin,
            format!(
                "A new access token could not be retrieved because the refresh token is invalid. To reauthenticate, run the \
                 following command:\n  $ {login}"
            ),
        ),
        TokenError::MissingRefreshToken => Failure::new(
            Class::NeedsLogin,
            format!("{prefix}: {text}, so it cannot be renewed. Sign in again:\n  $ {login}"),
        ),
        TokenError::NoHost => Failure::new(
            Class::NeedsLogin,
            format!("{prefix}: {text}. Sign in again:\n  $ {login}"),
        ),
        TokenError::Mismatch { .. } => Failure::new(
            Class::NeedsLogin,
            format!("{text}, so its token was not used. Sign in to replace it:\n  $ {login}"),
        ),
        TokenError::Refresh(TokenEndpointError::Refused(_)) if !error.is_transient() => {
            Failure::new(
                Class::Other,
                format!(
                    "{prefix}: {}. Try logging in again with `{login}` before retrying",
                    last(error)
                ),
            )
        }
        TokenError::Refresh(_) if !error.is_transient() => Failure::new(
            Class::Other,
            format!(
                "{prefix}: {}. Try logging in again with `{login}` before retrying",
                last(error)
            ),
        ),
        TokenError::Store(failure) => store(failure),
        TokenError::SameTokenAgain => {
            Failure::new(Class::NeedsLogin, format!("{text}. Sign in again:\n  $ {login}"))
        }
        _ => Failure::new(
            Class::Network,
            format!("{prefix}: {text}. The login is kept; try again later"),
        ),
    }
}

/// The cause alone, where what is around it says nothing more.
fn last(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), chain)
}

fn store(failure: &StoreFailure) -> Failure {
    Failure::new(Class::Storage, format!("{}. No login was used up", chain(failure)))
}

pub(crate) fn build(error: &BuildError) -> Failure {
    let class = match error {
        BuildError::Store(_) => Class::Storage,
        _ => Class::Usage,
    };
    Failure::new(class, chain(error))
}

pub(crate) fn config(error: &ConfigError) -> Failure {
    Failure::new(Class::Other, chain(error))
}

pub(crate) fn choice(error: &ChooseError, path: &Path, name: &str) -> Failure {
    let text = chain(error);
    match error {
        ChooseError::Ambiguous { .. } => Failure::new(
            Class::Unclear,
            format!("{text} in {}. Use --profile to specify which profile to use", shown(path)),
        ),
        ChooseError::ArgumentWithFlag(_)
        | ChooseError::FlagNeedsHost(_)
        | ChooseError::Target(_) => Failure::new(Class::Usage, text),
        ChooseError::NoAccount(_) => {
            Failure::new(Class::Usage, format!("{text}: pass it with --account-id"))
        }
        ChooseError::NoHost(profile) => Failure::new(
            Class::Usage,
            format!(
                "{text}: pass it with --host, or sign in with: {name} login --host <url> --profile {}",
                quoted(profile.as_str())
            ),
        ),
        ChooseError::NoProfiles => {
            Failure::new(Class::Unclear, format!("{text}. Run '{name} login' to create a profile"))
        }
        ChooseError::Conflict { .. } => Failure::new(
            Class::Usage,
            format!("{text}: leave one of the two out, or use another profile"),
        ),
        _ => Failure::new(Class::Unclear, text),
    }
}

pub(crate) fn login(error: &ChallengeError, choice: &LoginChoice, name: &str) -> Failure {
    let text = chain(error);
    let again = match &choice.host {
        Some(_) => String::new(),
        None => format!(". If you know your host, use: {name} login --host <url>"),
    };
    match error {
        ChallengeError::Listen(cause) => {
            let advice = match cause.as_ref() {
                ListenError::AllTaken { .. } => {
                    "; end the program that holds it, name another with --port, or use --paste"
                }
                _ => "",
            };
            Failure::new(Class::Other, format!("{text}{advice}"))
        }
        ChallengeError::TimedOut(_) => Failure::new(
            Class::Network,
            format!(
                "{text}. Start again, allow more time with --timeout, or use --paste if the browser is on another machine"
            ),
        ),
        ChallengeError::Login(LoginError::UntrustedIssuer(host)) => Failure::new(
            Class::Other,
            format!(
                "{text}; nothing was sent there. If you trust it, sign in to it by name: {name} login --host {host}"
            ),
        ),
        ChallengeError::Login(LoginError::NotConfirmed(host)) => Failure::new(
            Class::Other,
            format!("{text}. If it is yours, sign in to it by name: {name} login --host {host}"),
        ),
        ChallengeError::Login(LoginError::Denied(_)) => {
            Failure::new(Class::Other, format!("{text}{again}"))
        }
        error if error.is_transient() => Failure::new(Class::Network, format!("{text}{again}")),
        _ => Failure::new(Class::Other, format!("{text}{again}")),
    }
}
