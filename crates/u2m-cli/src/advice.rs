//! From errors to advice: what went wrong, what to do next, and the class of the exit code. The one place that knows.
//!
//! Some words are load-bearing: SDKs step aside when they find `databricks OAuth is not` in what is said, and only then.

mod check;
mod choice;
mod reach;
pub(crate) mod way;

pub(crate) use check::check;
pub(crate) use choice::{choice, unclear};
pub(crate) use reach::told;

use crate::failure::{Class, Failure};
use crate::place;
use u2m::config::LoginChoice;
use u2m::login::{ListenError, LoginError};
use u2m::oauth::{MetadataError, Revocation, RevokeError};
use u2m::source::{ReportedStep, SpendState};
use u2m::store::StoreFailure;
use u2m::text::{Sanitized, chain};
use u2m::{BuildError, ChallengeError, Host, Target, TokenError};

/// Whose token was asked for, in the words that sign in to it anew.
pub(crate) struct TokenSubject {
    login: String,
    /// Who that is, to begin a sentence with: a profile or a host.
    who: Option<String>,
}

impl TokenSubject {
    pub(crate) fn new(target: &Target, name: &str) -> Self {
        let what = match (target.profile(), target.host(), target.account_id()) {
            (Some(profile), ..) => format!("--profile {}", quoted(profile.as_str())),
            (None, Some(host), Some(account)) => format!("--host {host} --account-id {account}"),
            (None, Some(host), None) => format!("--host {host}"),
            (None, None, _) => String::new(),
        };
        let who = match (target.profile(), target.host()) {
            (Some(profile), _) => Some(named(profile.as_str())),
            (None, host) => host.map(ToString::to_string),
        };
        Self { login: format!("{name} login {what}").trim_end().to_owned(), who }
    }

    /// For a profile, or else a host.
    pub(crate) fn of(profile: Option<&str>, host: Option<&Host>, name: &str) -> Self {
        let what = match (profile, host) {
            (Some(profile), _) => format!("--profile {}", quoted(profile)),
            (None, Some(host)) => format!("--host {host}"),
            (None, None) => String::new(),
        };
        let who = profile.map(named).or_else(|| host.map(ToString::to_string));
        Self { login: format!("{name} login {what}").trim_end().to_owned(), who }
    }

    /// What is said where nobody is signed in. SDKs know the words of the program that is stood in for.
    fn not_signed_in(&self) -> String {
        let login = &self.login;
        match &self.who {
            _ if place::stands_in() => format!(
                "cache: databricks OAuth is not configured for this host. no cached credentials; run `{login}` to sign in"
            ),
            Some(who) if who.starts_with("profile ") => {
                format!("{who} is not signed in. Run: {login}")
            }
            Some(host) => format!("you are not signed in to {host}. Run: {login}"),
            None => format!("you are not signed in. Run: {login}"),
        }
    }

    /// What begins the words on a token that was not renewed.
    fn not_renewed(&self, forced: bool) -> String {
        let prefix = if forced { "forced token refresh" } else { "token refresh" };
        match &self.who {
            _ if place::stands_in() => prefix.to_owned(),
            Some(who) => format!("the token of {who} was not renewed"),
            None => "the token was not renewed".to_owned(),
        }
    }

    /// What is said where the server has ended the login.
    fn ended(&self) -> String {
        let login = &self.login;
        match &self.who {
            _ if place::stands_in() => format!(
                "A new access token could not be retrieved because the refresh token is invalid. To reauthenticate, run the \
                 following command:\n  $ {login}"
            ),
            who => format!(
                "the login of {} has ended: the server does not renew it any more. Sign in again:\n  $ {login}",
                who.as_deref().unwrap_or("this host")
            ),
        }
    }
}

/// A profile, to begin a sentence with.
fn named(profile: &str) -> String {
    format!("profile {}", quoted(profile))
}

/// An argument that a shell takes for one. What would play with the terminal is left out.
pub(crate) fn quoted(text: &str) -> String {
    if text.contains(char::is_control) {
        return quoted(Sanitized::new(text).as_str());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@/:+".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

pub(crate) fn token(error: &TokenError, subject: &TokenSubject, forced: bool) -> Failure {
    let login = &subject.login;
    let prefix = subject.not_renewed(forced);
    let text = reported(error);
    let say =
        |class, advice: &str| Failure::new(class, format!("{prefix}: {} {advice}", stopped(&text)));
    let sign_in = format!("Sign in again:\n  $ {login}");
    match error {
        TokenError::NotFound => Failure::new(Class::NotConfigured, subject.not_signed_in()),
        TokenError::Endpoints(MetadataError::NotSupported) => {
            Failure::new(Class::Other, format!("{prefix}: {}", chain(error)))
        }
        _ if blames(error, ReportedStep::Endpoints) && error.is_transient() => {
            say(Class::Network, way::or_network(error))
        }
        _ if blames(error, ReportedStep::Endpoints) => say(
            Class::Other,
            &format!("Check that the host is the right one, or sign in again with `{login}`"),
        ),
        TokenError::Rejected(_) => Failure::new(Class::NeedsLogin, subject.ended()),
        TokenError::MissingRefreshToken => Failure::new(
            Class::NeedsLogin,
            format!("{prefix}: {text}, so it cannot be renewed. {sign_in}"),
        ),
        TokenError::SpentElsewhere(_) => say(
            Class::NeedsLogin,
            &format!(
                "A refresh token works once: use the login that is kept there, or sign in again:\n  $ {login}"
            ),
        ),
        TokenError::SpentInVain(_) => say(
            Class::NeedsLogin,
            &format!(
                "It is not sent again by itself; if its server lets refresh tokens be used more than once, --force-refresh tries \
                 it. Otherwise sign in again:\n  $ {login}"
            ),
        ),
        TokenError::StillWaiting => say(
            Class::Network,
            "The refresh goes on in the background. Ask again in a moment, which also shows if it failed, or allow more time with \
             --timeout",
        ),
        TokenError::OutOfTime => say(Class::Network, "Allow more time with --timeout"),
        TokenError::Panicked => say(
            Class::Other,
            "This is a fault of the program: report what it has printed before this. It is not known whether the server has used \
             the refresh token up",
        ),
        TokenError::LockTimeout => {
            say(Class::Network, "This call has sent nothing; try again later")
        }
        TokenError::NoHost | TokenError::SameTokenAgain => say(Class::NeedsLogin, &sign_in),
        TokenError::Mismatch { .. } => Failure::new(
            Class::NeedsLogin,
            format!("{text}, so its token was not used. Sign in to replace it:\n  $ {login}"),
        ),
        TokenError::Postponed { left, .. } => {
            let seconds = left.seconds();
            say(
                Class::Network,
                &format!("Nothing was sent, and the login is kept; try again in {seconds} s"),
            )
        }
        _ if error.needs_login() => say(Class::NeedsLogin, &sign_in),
        _ if blames(error, ReportedStep::Refresh) && !error.is_transient() => {
            say(Class::Other, &format!("Try logging in again with `{login}` before retrying"))
        }
        _ if blames(error, ReportedStep::Store) => {
            Failure::new(Class::Storage, format!("{} Nothing was refreshed", stopped(&text)))
        }
        _ => match error.fate() {
            SpendState::Kept => {
                let advice = way::through(error).unwrap_or("The login is kept; try again later");
                say(Class::Network, advice)
            }
            _ => say(
                Class::Network,
                "It is not known whether the server has used the refresh token up; the next call tries it",
            ),
        },
    }
}

/// What is said when a new token is good and nobody will have it but this caller.
pub(crate) fn unsaved(subject: &TokenSubject) -> Failure {
    let login = &subject.login;
    Failure::new(
        Class::Storage,
        format!(
            "the new token could not be saved, and the login ends with it. Mend the store and sign in again:\n  $ {login}"
        ),
    )
}

/// What is said of a login that could not be saved and was given back to `place`, as far as that went; `again` are the words of it.
pub(crate) fn given_up(
    why: &StoreFailure,
    revoked: Option<&Result<Revocation, RevokeError>>,
    place: &str,
    again: &str,
) -> Failure {
    let place = Sanitized::new(place);
    let fate = match revoked {
        None => "What was granted is what a stored login holds too, and was left alone".to_owned(),
        Some(Ok(Revocation::Revoked)) => {
            format!("What was granted was revoked at {place}, so that nothing is left of it")
        }
        Some(Ok(_)) => format!(
            "{place} offers no revocation: what was granted ends there by itself, and nobody has it"
        ),
        Some(Err(error)) => format!(
            "It is not known whether {place} has revoked what was granted ({}); nobody has it",
            chain(error)
        ),
    };
    let text = format!(
        "signed in, but the login could not be saved: {} {fate}. Mend that and sign in again, or keep the login elsewhere \
         (DATABRICKS_AUTH_STORAGE=plaintext for the file, U2M_TOKEN_CACHE for another one):\n  $ {again}",
        stopped(&chain(why))
    );
    Failure::new(Class::Storage, text)
}

/// What is said of a failed refresh. What is around its cause would repeat the prefix, and a server's own words must not
/// make SDKs step aside.
fn reported(error: &TokenError) -> String {
    let text = match error {
        TokenError::Refresh(cause) => chain(cause),
        TokenError::Store(cause) => chain(cause),
        TokenError::Reported(report) if report.blame != ReportedStep::Endpoints => {
            report.text.clone()
        }
        _ => chain(error),
    };
    reach::plain(&text).replace("databricks OAuth is not", "Databricks OAuth is not")
}

/// A sentence with its end.
pub(crate) fn stopped(text: &str) -> String {
    if text.ends_with(['.', '?', '!', '…']) { text.to_owned() } else { format!("{text}.") }
}

/// Whether `error` is about that, seen here or reported by another process.
fn blames(error: &TokenError, blame: ReportedStep) -> bool {
    match error {
        TokenError::Endpoints(_) => blame == ReportedStep::Endpoints,
        TokenError::Refresh(_) => blame == ReportedStep::Refresh,
        TokenError::Reported(report) => blame == report.blame,
        TokenError::Store(_) => blame == ReportedStep::Store,
        _ => false,
    }
}

pub(crate) fn build(error: &BuildError) -> Failure {
    let class = match error {
        BuildError::Store(_) => Class::Storage,
        _ => Class::Usage,
    };
    Failure::new(class, chain(error))
}

/// What is said of a login that came to nothing: first of all that it did.
pub(crate) fn not_signed_in(text: &str) -> String {
    format!("you were not signed in: {text}")
}

/// The server's "no", or the person's own: whoever was at the browser.
pub(crate) fn denied(error: &LoginError, place: &str) -> Option<String> {
    let LoginError::Denied(refusal) = error else { return None };
    let said = chain(error);
    let said = said.trim_start_matches("authorize: ");
    Some(match refusal.code().to_string().as_str() {
        "access_denied" => format!("access to {place} was refused in the browser ({said})"),
        _ => format!("{place} refused the sign-in ({said})"),
    })
}

pub(crate) fn login(error: &ChallengeError, choice: &LoginChoice, name: &str) -> Failure {
    let place = choice.host.as_ref().map_or("the host".to_owned(), ToString::to_string);
    let text = match error {
        ChallengeError::Login(error) => denied(error, &place).unwrap_or_else(|| told(error)),
        error => told(error),
    };
    let text = not_signed_in(&text);
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
        ChallengeError::Store(_) => {
            Failure::new(Class::Storage, format!("{} Nobody was asked to sign in", stopped(&text)))
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
        ChallengeError::Login(LoginError::Endpoints(MetadataError::NotSupported)) => {
            Failure::new(Class::Other, text)
        }
        ChallengeError::Login(LoginError::Endpoints(cause)) => {
            let (class, what) = match cause {
                MetadataError::EndpointElsewhere(..) | MetadataError::WrongIssuer(_) => (
                    Class::Other,
                    "If the other host belongs to this one, name it with --allow-issuer HOST",
                ),
                _ if cause.is_transient() => (Class::Network, way::or_network(error)),
                _ => (Class::Other, "Check that the host is the right one"),
            };
            Failure::new(class, format!("{} {what}", stopped(&text)))
        }
        ChallengeError::Login(LoginError::Exchange(_)) if choice.host.is_some() => {
            let class = if error.is_transient() { Class::Network } else { Class::Other };
            let text = stopped(&text);
            Failure::new(class, format!("{text} Start again for a new code"))
        }
        error if error.is_transient() => Failure::new(Class::Network, format!("{text}{again}")),
        _ => Failure::new(Class::Other, format!("{text}{again}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t17_an_argument_in_advice_plays_neither_with_the_shell_nor_with_the_terminal() {
        assert_eq!(quoted("a-b_c.d@e/f:g+h"), "a-b_c.d@e/f:g+h");
        assert_eq!(quoted("my cli; touch x"), "'my cli; touch x'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("my\u{1b}c cli"), "'my cli'");
    }
}
