//! Why a configuration cannot be settled.

use super::{AUTH_TYPES, ValueSource};
use crate::{ChooseError, WrongValue};
use u2m_core::Sanitized;

/// Why it is not clear how to authenticate, or to whom. No message repeats a credential.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// It is not clear which profile or which host is meant.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// Credentials of several methods, and no `auth_type` to choose among them.
    #[error(
        "more than one authorization method configured: {} ({}); remove one, or choose one with auth_type",
        methods(.0), origins(.0)
    )]
    ManyMethods(Vec<(&'static str, ValueSource)>),
    /// No way of authenticating is called that.
    #[error("auth_type \"{text}\" from {from} does not exist; there are: {}", AUTH_TYPES.join(", "))]
    UnknownAuthType {
        /// What it says.
        text: Sanitized,
        /// Where it stands.
        from: ValueSource,
    },
    /// A switch or a number that is none.
    #[error("the value of {key} from {from} cannot be used")]
    WrongValue {
        /// What it is the value of.
        key: &'static str,
        /// Where it stands.
        from: ValueSource,
        /// What was expected.
        #[source]
        source: WrongValue,
    },
}

fn methods(found: &[(&'static str, ValueSource)]) -> String {
    found.iter().map(|(method, _)| *method).collect::<Vec<_>>().join(" and ")
}

fn origins(found: &[(&'static str, ValueSource)]) -> String {
    let said = found.iter().map(|(method, source)| format!("{method} from {source}"));
    said.collect::<Vec<_>>().join(", ")
}
