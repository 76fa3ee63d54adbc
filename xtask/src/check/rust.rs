//! Rust sources as the checks read them: their lines outside tests, and the code on a line.
//!
//! This is no parser. It relies on rustfmt, which the check `fmt` makes sure of: an item ends with a brace or a semicolon
//! at the indentation at which it began.

use crate::run::{self, Failure};
use std::fs;
use std::path::Path;

/// A source file.
pub(super) struct Source {
    /// From the root of the workspace.
    pub(super) path: String,
    text: String,
}

impl Source {
    /// The Rust files in `folder`, which is relative to the root of the workspace, and in the folders in it.
    pub(super) fn all(folder: &str) -> Result<Vec<Source>, Failure> {
        let mut found = Vec::new();
        collect(&run::root(), Path::new(folder), &mut found)?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    #[cfg(test)]
    pub(super) fn of(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    /// Says whether the whole file is part of the tests.
    pub(super) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
            || self.path.contains("/benches/")
    }

    /// The lines outside tests, with their numbers.
    pub(super) fn production(&self) -> Vec<(usize, &str)> {
        let mut kept = Vec::new();
        let mut lines = (1..).zip(self.text.lines());
        while let Some((number, line)) = lines.next() {
            if line.trim_start().starts_with("#[cfg(test)]") {
                skip_item(indentation(line), &mut lines);
            } else {
                kept.push((number, line));
            }
        }
        kept
    }

    /// The code outside tests and comments, with line numbers.
    pub(super) fn code(&self) -> Vec<(usize, &str)> {
        let lines = if self.is_test() { Vec::new() } else { self.production() };
        let lines = lines.into_iter().map(|(number, line)| (number, without_comment(line)));
        lines.filter(|(_, line)| !line.trim().is_empty()).collect()
    }
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) -> Result<(), Failure> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            collect(root, &path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(root.join(&path))?;
            found.push(Source { path: path.to_string_lossy().into_owned(), text });
        }
    }
    Ok(())
}

/// Skips the item that follows an attribute at `indent`.
fn skip_item<'a>(indent: usize, lines: &mut impl Iterator<Item = (usize, &'a str)>) {
    for (_, line) in lines {
        let at_start = indentation(line) == indent;
        let opens = line.trim_start().starts_with("#[");
        let ends =
            line.ends_with(';') || line.trim_start().starts_with('}') || line.ends_with("{}");
        if at_start && ends && !opens {
            return;
        }
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") {
        return "";
    }
    line.split_once(" // ").map_or(line, |(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
//! Doc.
use a::B; // why
#[cfg(test)]
mod world;
const URL: &str = \"https://example.com\";
impl B {
    #[cfg(test)]
    #[allow(x)]
    fn hidden() {
        call();
    }
    fn shown() {}
}
#[cfg(test)]
mod tests {
    fn hidden() {}
}
fn after() {}
";

    #[test]
    fn tests_are_no_production_code_and_what_follows_them_is() {
        let source = Source::of("src/lib.rs", TEXT);
        let numbers: Vec<_> = source.production().into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [1, 2, 5, 6, 12, 13, 18]);
    }

    #[test]
    fn comments_are_no_code_and_addresses_are_no_comments() {
        let source = Source::of("src/lib.rs", TEXT);
        let code = source.code();
        assert_eq!(code[0], (2, "use a::B;"));
        assert_eq!(code[1], (5, "const URL: &str = \"https://example.com\";"));
    }

    #[test]
    fn a_file_of_tests_has_no_code() {
        assert!(Source::of("src/token/tests.rs", "fn a() {}\n").code().is_empty());
        assert!(Source::of("crates/u2m/tests/login.rs", "fn a() {}\n").code().is_empty());
    }
}
