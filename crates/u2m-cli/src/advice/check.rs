//! Advice on a configuration that does not work.

use super::{TokenSubject, stopped, token, told};
use crate::failure::{Class, Failure};
use u2m::TokenError;
use u2m::check::CheckError;
use u2m::databricks::ApiError;

/// A configuration that was settled and does not work; the advice is that of its way of signing in. One line.
pub(crate) fn check(
    error: &CheckError,
    subject: &TokenSubject,
    auth_type: Option<&str>,
) -> Failure {
    let login = &subject.login;
    let text = told(error);
    let of_token = |error: &TokenError| {
        let failure = token(error, subject, false);
        Failure::new(failure.class, failure.text.replace("\n  $ ", " "))
    };
    match error {
        CheckError::NoLogin => of_token(&TokenError::NotFound),
        CheckError::Token(error) => of_token(error),
        CheckError::Api(api) if api.rejects_the_token() => {
            let what = match auth_type {
                Some("pat") => {
                    "Make a new personal token, and put it in the place of this one".into()
                }
                _ => format!("Sign in again: {login}"),
            };
            Failure::new(Class::NeedsLogin, format!("{} {what}", stopped(&text)))
        }
        CheckError::Api(api) if api.is_forbidden() => {
            let what = "Ask an administrator for the permission, or use another profile";
            Failure::new(Class::Other, format!("{} {what}", stopped(&text)))
        }
        CheckError::NoHost => Failure::new(
            Class::Unclear,
            format!(
                "there is no host to sign in to; name a profile with --profile, or sign in: {login}"
            ),
        ),
        CheckError::NoAccount => Failure::new(
            Class::Unclear,
            format!("{text}; name it with --account-id, or as account_id in the profile"),
        ),
        CheckError::NoToken(_) => Failure::new(Class::NeedsLogin, text),
        CheckError::Choose(_) => Failure::new(Class::Unclear, text),
        CheckError::Storage(..) if error.category() == "storage-mode" => {
            Failure::new(Class::Usage, text)
        }
        CheckError::Storage(..) => Failure::new(Class::Storage, text),
        CheckError::Api(ApiError::Network(_)) | CheckError::TimedOut(_) => {
            let text = stopped(&text);
            Failure::new(Class::Network, format!("{text} {}", super::way::or_network(error)))
        }
        CheckError::Api(api) if api.is_transient() => {
            Failure::new(Class::Network, format!("{} Try again later", stopped(&text)))
        }
        _ => Failure::new(Class::Other, text),
    }
}
