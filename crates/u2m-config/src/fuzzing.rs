//! Gives fuzz targets access to the internals of the editor. Built only with `--cfg fuzzing`.

use std::ops::Range;

use crate::document::IniDocument;
use crate::file::DEFAULT;
use crate::rules::{check_key, check_name, check_value};
use crate::syntax::{ItemKind, Scanner};
use crate::{ConfigError, ConfigFile, Draft, SETTINGS, SyntaxError};

/// One construct of a text: its position, its section and its content.
#[derive(Debug)]
pub struct Piece {
    /// The whole lines, including their line ends.
    pub span: Range<usize>,
    /// The section that contains it. A header is in its own section.
    pub section: String,
    /// The key and the value, if it is such a pair.
    pub pair: Option<(String, String)>,
}

/// Returns all constructs of a text.
///
/// # Errors
/// Fails with the first malformed construct.
pub fn pieces(text: &str) -> Result<Vec<Piece>, SyntaxError> {
    let mut section = DEFAULT.to_owned();
    let mut found = Vec::new();
    for item in Scanner::new(text) {
        let item = item?;
        if let ItemKind::Header { name } = &item.kind {
            section = text[name.clone()].to_owned();
        }
        let pair = match &item.kind {
            ItemKind::Pair(pair) => {
                Some((text[pair.key.clone()].to_owned(), pair.value.text(text).to_owned()))
            }
            _ => None,
        };
        found.push(Piece { span: item.span, section: section.clone(), pair });
    }
    Ok(found)
}

/// Returns a well-formed text with one key set and nothing else changed.
///
/// # Errors
/// Fails if the section, the key or the value cannot be written.
pub fn set(text: &str, section: &str, key: &str, value: &str) -> Result<String, ConfigError> {
    if section != SETTINGS {
        check_name(section)?;
    }
    check_key(key)?;
    check_value(key, value)?;
    let mut document = IniDocument::new(text);
    document.set(section, &[(key, value)]);
    Ok(document.text().to_owned())
}

/// Returns a well-formed text without a key.
pub fn remove(text: &str, section: &str, key: &str) -> String {
    let mut document = IniDocument::new(text);
    document.remove(section, key);
    document.text().to_owned()
}

/// Returns whether a well-formed text can be edited.
pub fn is_editable(file: ConfigFile) -> bool {
    Draft::of(file).is_ok()
}

/// Applies `change` to a text that can be edited. Returns the new text, and the backup that would
/// be written beside it.
///
/// # Errors
/// Fails with the error that `change` returned.
pub fn edit(
    file: ConfigFile,
    change: impl FnOnce(&mut Draft) -> Result<(), ConfigError>,
) -> Result<(String, String), ConfigError> {
    let mut draft = Draft::of(file).expect("it can be edited");
    change(&mut draft)?;
    Ok((draft.text().to_owned(), draft.backup()))
}
