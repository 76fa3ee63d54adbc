//! The page of ids, as far as the check reads it: the lines of its tables.

use std::collections::{BTreeMap, BTreeSet};

/// What `docs/THREATS.md` says.
pub(super) struct Page {
    /// Each id, with the file whose tests hold it.
    pub(super) lines: BTreeMap<String, String>,
    /// Ids that have more than one line.
    pub(super) twice: BTreeSet<String>,
}

impl Page {
    pub(super) fn of(text: &str) -> Self {
        let mut page = Self { lines: BTreeMap::new(), twice: BTreeSet::new() };
        for (id, file) in text.lines().filter_map(line) {
            if page.lines.insert(id.to_owned(), file.to_owned()).is_some() {
                page.twice.insert(id.to_owned());
            }
        }
        page
    }
}

/// The id and the file of a line `| id | words | file |`; nothing for heads of tables and all other lines.
fn line(text: &str) -> Option<(&str, &str)> {
    let cells = text.trim().strip_prefix('|')?.strip_suffix('|')?;
    let (id, rest) = cells.split_once('|')?;
    let (words, file) = rest.rsplit_once('|')?;
    let (id, file) = (id.trim(), file.trim().trim_matches('`'));
    let is_id = id.ends_with(|c: char| c.is_ascii_digit()) && !words.trim().is_empty();
    is_id.then_some((id, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_rules_and_prose_are_no_lines() {
        for text in
            ["| id | what it is | held by |", "|---|---|---|", "REFR-1 | x | y", "", "| T1 |"]
        {
            assert_eq!(line(text), None, "{text}");
        }
    }

    #[test]
    fn a_line_may_have_bars_in_its_words() {
        assert_eq!(line("| T1 | a | b | `c.rs` |"), Some(("T1", "c.rs")));
    }
}
