//! Errors of resolving a configuration.

use super::{AUTH_TYPES, ValueSource};
use crate::{ChooseError, WrongValue};
use u2m_core::Sanitized;

/// Why a configuration could not be resolved. No message repeats a credential.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// It is ambiguous which profile or which host to use.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// There are credentials of several methods, and no `auth_type` to choose one.
    #[error(
        "more than one authorization method configured: {} ({}); remove one, or choose one with auth_type",
        methods(.0), origins(.0)
    )]
    ManyMethods(Vec<(&'static str, ValueSource)>),
    /// The `auth_type` does not exist.
    #[error("auth_type \"{text}\" from {from} does not exist; there are: {}", AUTH_TYPES.join(", "))]
    UnknownAuthType {
        /// The text that was configured.
        text: Sanitized,
        /// Where it was configured.
        from: ValueSource,
    },
    /// A value does not fit its type: for example, a switch or a number that cannot be parsed.
    #[error("the value of {key} from {from} cannot be used")]
    WrongValue {
        /// The key of the value.
        key: &'static str,
        /// Where it was configured.
        from: ValueSource,
        /// The type that was expected.
        ///
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
