//! The ids of threats and requirements: each that the code names has a line in `docs/THREATS.md`, and each line there has a
//! test that names it.

mod found;
mod page;

use super::{CheckResult, verdict};
use crate::run::{self, Failure};
use found::Found;
use page::Page;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

const PAGE: &str = "docs/THREATS.md";

/// Where ids stand. Other tracked files hold none: what looks like one there is something else.
const WHERE: &[&str] = &["beside", "bench", "crates", "examples", "fuzz/fuzz_targets", "xtask"];

pub(super) fn ids() -> CheckResult {
    let page = Page::of(&fs::read_to_string(run::root().join(PAGE))?);
    let mut found = Found::default();
    let mut files = BTreeSet::new();
    for path in tracked()? {
        // The tests of this check hold ids that mean nothing.
        if path.starts_with("xtask/src/check/ids") {
            continue;
        }
        found.read(&path, &fs::read_to_string(run::root().join(&path))?);
        files.insert(path);
    }
    let seen = format!("{} ids in {} files", page.lines.len(), files.len());
    verdict(faults(&page, &found, &files), seen)
}

/// Everything that is wrong, sorted.
fn faults(page: &Page, found: &Found, files: &BTreeSet<String>) -> Vec<String> {
    let mut wrong: Vec<String> =
        page.twice.iter().map(|id| format!("{id} has two lines in {PAGE}")).collect();
    for (id, places) in &found.everywhere {
        if !page.lines.contains_key(id) {
            wrong.push(format!("{id} has no line in {PAGE}; it is named at {}", few(places)));
        }
    }
    let none = BTreeMap::new();
    for (id, file) in &page.lines {
        let tests = found.in_tests.get(id).unwrap_or(&none);
        if tests.is_empty() {
            wrong.push(format!("{id} of {PAGE} is named by no test"));
        } else if !files.contains(file) {
            wrong.push(format!("{id} of {PAGE}: there is no {file:?}; tests in {}", few(tests)));
        } else if !tests.contains_key(file) {
            wrong.push(format!("{id} of {PAGE}: no test in {file} names it; see {}", few(tests)));
        }
    }
    wrong.sort();
    wrong
}

/// The first places of some, which are enough to find the others.
fn few(places: &BTreeMap<String, usize>) -> String {
    const SHOWN: usize = 3;
    let mut shown: Vec<String> =
        places.iter().take(SHOWN).map(|(path, line)| format!("{path}:{line}")).collect();
    if places.len() > SHOWN {
        shown.push(format!("{} more files", places.len() - SHOWN));
    }
    shown.join(", ")
}

/// The tracked files that may hold ids: Rust sources, and the cases of the command line.
fn tracked() -> Result<Vec<String>, Failure> {
    let mut git = Command::new("git");
    git.current_dir(run::root()).args(["ls-files", "-z", "--"]).args(WHERE);
    let listed = run::output(&mut git)?;
    let holds = |path: &&str| path.ends_with(".rs") || path.ends_with(".case");
    // A file that is deleted and not yet committed is still listed.
    let there = |path: &&str| run::root().join(path).is_file();
    Ok(listed.split('\0').filter(holds).filter(there).map(String::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "\
## REFR: refreshing

Words.

| id | what it is | held by |
|---|---|---|
| REFR-1 | One lock. | `a.rs` |
| T20 | A host is swapped. | `a.rs` |
";
    const BOTH: &str = "\
#[test]
fn refr_1_t20_something_holds() {}
";

    /// What is wrong with a repository of these files and this page.
    fn wrong(page: &str, files: &[(&str, &str)]) -> Vec<String> {
        let mut found = Found::default();
        for (path, text) in files {
            found.read(path, text);
        }
        let files = files.iter().map(|(path, _)| path.to_string()).collect();
        faults(&Page::of(page), &found, &files)
    }

    #[test]
    fn a_page_and_tests_that_agree_are_right() {
        assert_eq!(wrong(TWO, &[("a.rs", BOTH)]), [""; 0]);
    }

    #[test]
    fn an_id_that_the_page_lacks_is_reported_with_its_places() {
        let code = "// It is held (REFR-7).\n#[test]\nfn t3_x() {}\n";
        assert_eq!(
            wrong(TWO, &[("a.rs", BOTH), ("b.rs", code), ("c.rs", "fn x() {} // REFR-7\n")]),
            [
                "REFR-7 has no line in docs/THREATS.md; it is named at b.rs:1, c.rs:1",
                "T3 has no line in docs/THREATS.md; it is named at b.rs:3",
            ]
        );
    }

    #[test]
    fn an_id_without_a_test_is_reported_although_the_code_names_it() {
        let code = "// REFR-1 stands here, and in no test.\nfn refr_1_is_no_test() {}\n";
        let test = "#[test]\nfn t20_x() {}\n";
        assert_eq!(
            wrong(TWO, &[("a.rs", test), ("b.rs", code)]),
            ["REFR-1 of docs/THREATS.md is named by no test"]
        );
    }

    #[test]
    fn a_file_that_is_not_there_or_does_not_hold_the_id_is_reported_with_one_that_does() {
        let page =
            TWO.replacen("`a.rs`", "`gone.rs`", 1).replacen("swapped. | `a.rs`", "x | `b.rs`", 1);
        assert_eq!(
            wrong(&page, &[("a.rs", BOTH), ("b.rs", "fn main() {}\n")]),
            [
                "REFR-1 of docs/THREATS.md: there is no \"gone.rs\"; tests in a.rs:2",
                "T20 of docs/THREATS.md: no test in b.rs names it; see a.rs:2",
            ]
        );
    }

    #[test]
    fn an_id_with_two_lines_is_reported() {
        let page = format!("{TWO}| T20 | Again. | `a.rs` |\n");
        assert_eq!(wrong(&page, &[("a.rs", BOTH)]), ["T20 has two lines in docs/THREATS.md"]);
    }

    #[test]
    fn of_many_places_the_first_are_shown() {
        let files: Vec<(String, &str)> =
            (1..=5).map(|n| (format!("{n}.rs"), "// (T9)\n")).collect();
        let mut files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        files.push(("a.rs", BOTH));
        assert_eq!(
            wrong(TWO, &files),
            [
                "T9 has no line in docs/THREATS.md; it is named at 1.rs:1, 2.rs:1, 3.rs:1, 2 more files"
            ]
        );
    }
}
