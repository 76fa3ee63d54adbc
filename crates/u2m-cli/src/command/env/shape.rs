//! How variables are written down, so that what reads them gets back every byte.

use crate::failure::{Class, Failure};
use crate::output;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::Deref;
use u2m::text::SecretText;
use zeroize::Zeroizing;

/// A form of writing variables down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EnvFormat {
    /// `NAME=value` lines, for programs that read them from a file. They agree on little; only that is written.
    Dotenv,
    /// One object in another, as the reference prints it.
    Json,
    /// `export` lines for `eval` in a POSIX shell.
    Shell,
}

/// The variables of one object.
#[derive(Serialize)]
struct EnvJson<'a> {
    env: BTreeMap<&'a str, &'a str>,
}

impl EnvFormat {
    /// Writes all of `variables`, in their order.
    pub(crate) fn print<T: Deref<Target = String>>(
        self,
        variables: &BTreeMap<&'static str, T>,
    ) -> Result<Zeroizing<String>, Failure> {
        if self == Self::Json {
            let env = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
            return Ok(output::secret_json(&EnvJson { env }));
        }
        let mut text = SecretText::new();
        for (name, value) in variables {
            let (before, word) = match self {
                Self::Dotenv => ("", dotenv(value)),
                _ => ("export ", Some(shell(value))),
            };
            let refused = || {
                let what = "holds what programs that read dotenv files disagree about";
                let text = format!("the value of {name} {what}; use --format shell or json");
                Failure::new(Class::Other, text)
            };
            let word = word.ok_or_else(refused)?;
            [before, name, "=", &word, "\n"].iter().for_each(|part| text.push_str(part));
        }
        Ok(text.finish())
    }
}

/// One word of a POSIX shell: between single quotes, nothing has a meaning but the quote itself.
fn shell(value: &str) -> Zeroizing<String> {
    let mut word = SecretText::with_capacity(value.len() + 2);
    word.push('\'');
    for (at, part) in value.split('\'').enumerate() {
        word.push_str(if at == 0 { "" } else { "'\\''" });
        word.push_str(part);
    }
    word.push('\'');
    word.finish()
}

/// A value that shells and the dotenv readers of Python, Node.js and Docker Compose read alike, if there is such a form of it.
fn dotenv(value: &str) -> Option<Zeroizing<String>> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    let is_lost =
        value.contains(char::is_control) || value.contains("\\\\") || value.ends_with('\\');
    let quote = match value {
        _ if value.chars().all(is_plain) => "",
        _ if is_lost => return None,
        _ if !value.contains('\'') => "'",
        // Between double quotes, everything that could have a meaning has one for some reader.
        _ if !value.contains(['"', '\\', '$', '`', '!']) => "\"",
        _ => return None,
    };
    let mut word = SecretText::with_capacity(value.len() + 2);
    [quote, value, quote].iter().for_each(|part| word.push_str(part));
    Some(word.finish())
}

#[cfg(test)]
#[path = "shape/tests.rs"]
mod tests;
