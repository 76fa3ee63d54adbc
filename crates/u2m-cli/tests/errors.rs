//! The table of errors in `docs/ERRORS.md` is what the tests provoke.
#![allow(clippy::unwrap_used)]

#[path = "common/case.rs"]
#[allow(dead_code, reason = "the cases themselves use more of it")]
mod case;

use case::Case;
use std::path::{Path, PathBuf};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// The rows: what is said, the exit code, the test.
fn rows() -> Vec<(String, String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ERRORS.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |"));
    rows.map(|row| {
        let row = row.trim_start_matches("| ").trim_end_matches("` |");
        let (rest, test) = row.rsplit_once(" | `").unwrap();
        let (said, code) = rest.rsplit_once(" | ").unwrap();
        (said.replace("\\|", "|"), code.to_owned(), test.to_owned())
    })
    .collect()
}

#[test]
fn each_of_the_sixty_errors_is_said_so_by_the_test_that_is_named() {
    let rows = rows();
    assert!(rows.len() >= 60, "{}", rows.len());
    for (said, code, test) in rows {
        if test.ends_with(".rs") {
            // What is the same in every run of it.
            let text = std::fs::read_to_string(tests().join(&test)).unwrap();
            let part = said.rsplit("{URL}").next().unwrap().trim();
            let part = part.trim_start_matches("you were not signed in: ");
            assert!(text.contains(part), "{test} does not know '{part}'");
            continue;
        }
        let case = Case::read(&tests().join("cases").join(&test));
        assert_eq!(case.one("exit").unwrap_or("0"), code, "{test}");
        let all = case.blocks.iter().filter(|(title, _)| title.starts_with("stderr"));
        let line = format!("Error: {said}");
        let is_said = all.flat_map(|(_, text)| text.lines()).any(|known| known.trim_end() == line);
        assert!(is_said, "{test} does not know '{said}'");
    }
}
