//! The ids in a file: at the beginning of the names of tests, and in comments.
//!
//! An id is one capital letter with one or two digits (`T20`), or a word in capitals with a number behind a hyphen
//! (`REFR-4`). In the name of a test it is written in lower case, with an underscore where the hyphen was (`refr_4_…`).
//! Names of standards and of other things look the same; those are listed.

use std::collections::BTreeMap;

/// Words that make no id with the number behind them.
const NO_FAMILIES: &[&str] = &[
    "AES", "AFL", "BSD", "CP", "ECMA", "GPL", "IPV", "ISO", "LGPL", "OF", "PKCS", "RFC", "SHA",
    "SSH", "TLS", "UTF", "WSL",
];

/// Letters with numbers that are no ids: sets of control characters, versions of the Internet protocol, a processor.
const NO_IDS: &[&str] = &["C0", "C1", "V4", "V6", "X86"];

/// For each id the files that name it, and the first line in each.
pub(super) type Places = BTreeMap<String, BTreeMap<String, usize>>;

#[derive(Default)]
pub(super) struct Found {
    pub(super) everywhere: Places,
    /// In the name of a test, in a comment in or directly above one, or in a case of the command line.
    pub(super) in_tests: Places,
}

impl Found {
    pub(super) fn read(&mut self, path: &str, text: &str) {
        let mut place = Place::Outside { above: Vec::new() };
        for (number, line) in (1..).zip(text.lines()) {
            let comment = if path.ends_with(".case") { case_comment(line) } else { comment(line) };
            let ids = comment.map(in_text).unwrap_or_default();
            keep(&mut self.everywhere, path, number, &ids);
            if path.ends_with(".case") {
                keep(&mut self.in_tests, path, number, &ids);
                continue;
            }
            place = place.after(line, number, &ids);
            match &mut place {
                Place::Outside { .. } => {}
                Place::Attributes { above } => {
                    for (number, ids) in above.drain(..) {
                        keep(&mut self.in_tests, path, number, &ids);
                    }
                    keep(&mut self.in_tests, path, number, &ids);
                }
                Place::Test { .. } => {
                    let named = test_name(line).map(in_name).unwrap_or_default();
                    keep(&mut self.everywhere, path, number, &named);
                    keep(&mut self.in_tests, path, number, &named);
                    keep(&mut self.in_tests, path, number, &ids);
                }
            }
        }
    }
}

fn keep(places: &mut Places, path: &str, line: usize, ids: &[String]) {
    for id in ids {
        places.entry(id.clone()).or_default().entry(path.into()).or_insert(line);
    }
}

/// Where a line stands.
enum Place {
    /// With the comments directly above it, which are a test's if one follows.
    Outside { above: Vec<(usize, Vec<String>)> },
    /// Between the attribute that makes a function a test and its name.
    Attributes { above: Vec<(usize, Vec<String>)> },
    /// From the name of a test, which begins at this indentation, to its end.
    Test { indent: usize, open: bool },
}

impl Place {
    fn after(self, line: &str, number: usize, ids: &[String]) -> Self {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        match self {
            Self::Test { indent: began, open: true }
                if began == indent && trimmed.starts_with('}') =>
            {
                Self::Test { indent, open: false }
            }
            Self::Test { open: true, indent } => Self::Test { indent, open: true },
            Self::Attributes { .. } if test_name(line).is_some() => {
                // A function on one line ends where it began.
                Self::Test { indent, open: !line.ends_with("{}") }
            }
            Self::Attributes { above } => Self::Attributes { above },
            Self::Test { open: false, .. } => {
                Self::Outside { above: Vec::new() }.after(line, number, ids)
            }
            Self::Outside { above } if is_test_attribute(trimmed) => Self::Attributes { above },
            Self::Outside { mut above } => {
                if trimmed.starts_with("//") {
                    above.push((number, ids.to_vec()));
                } else if !trimmed.starts_with("#[") {
                    above.clear();
                }
                Self::Outside { above }
            }
        }
    }
}

/// `#[test]`, and those of runtimes, such as `#[tokio::test(…)]`.
fn is_test_attribute(trimmed: &str) -> bool {
    let Some(attribute) = trimmed.strip_prefix("#[") else { return false };
    let path = attribute.split(['(', ']']).next().unwrap_or_default();
    path == "test" || path.ends_with("::test")
}

/// The name of the function that this line begins.
fn test_name(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("async ").unwrap_or(line);
    let name = line.strip_prefix("fn ")?;
    name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()
}

fn comment(line: &str) -> Option<&str> {
    match line.trim_start().strip_prefix("//") {
        Some(comment) => Some(comment),
        None => line.split_once(" // ").map(|(_, comment)| comment),
    }
}

fn case_comment(line: &str) -> Option<&str> {
    line.strip_prefix("# ")
}

/// The ids that stand in a text as words of their own.
fn in_text(text: &str) -> Vec<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.split(|c: char| !word(c)).filter(|word| is_id(word)).map(String::from).collect()
}

/// The ids with which the name of a test begins.
fn in_name(name: &str) -> Vec<String> {
    let words: Vec<String> = name.split('_').map(str::to_ascii_uppercase).collect();
    let mut rest = &words[..];
    let mut ids = Vec::new();
    loop {
        rest = match rest {
            [letter, after @ ..] if is_id(letter) => {
                ids.push(letter.clone());
                after
            }
            [family, number, after @ ..] if is_id(&format!("{family}-{number}")) => {
                ids.push(format!("{family}-{number}"));
                after
            }
            _ => return ids,
        };
    }
}

fn is_id(word: &str) -> bool {
    let is_number =
        |text: &str| matches!(text.len(), 1 | 2) && text.chars().all(|c| c.is_ascii_digit());
    let is_family =
        |text: &str| (2..=8).contains(&text.len()) && text.chars().all(|c| c.is_ascii_uppercase());
    match word.split_once('-') {
        Some((family, number)) => {
            is_family(family) && is_number(number) && !NO_FAMILIES.contains(&family)
        }
        None => {
            word.starts_with(|c: char| c.is_ascii_uppercase())
                && is_number(&word[1..])
                && !NO_IDS.contains(&word)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> (Vec<String>, Vec<String>) {
        let mut found = Found::default();
        found.read(path, text);
        let ids = |places: Places| places.into_keys().collect();
        (ids(found.everywhere), ids(found.in_tests))
    }

    #[test]
    fn what_looks_like_an_id_and_is_none_is_passed_over() {
        for text in [
            "RFC 6749, RFC-6749, RFC 8259 section 8.1 and ECMA-48",
            "SHA256, SHA-256, S256, P-256 and RS256",
            "UTF8, UTF-8 and UTF-16",
            "HTTP2, HTTP/2 and HTTP/1.1",
            "AFL-2.1 or GPL-2.0",
            "IpAddr::V4, X86 and MD5",
            "a-T1, T1-b, T1_b, T123, t20 and refr-4",
        ] {
            assert_eq!(in_text(text), [""; 0], "{text}");
        }
        for name in
            ["utf_8_is_read", "of_45_seconds_35_are_left", "sha256_is_right", "of_16", "a_503_is"]
        {
            assert_eq!(in_name(name), [""; 0], "{name}");
        }
    }

    #[test]
    fn ids_are_found_in_parentheses_in_lists_and_before_a_full_stop() {
        assert_eq!(
            in_text(" as it must (T3, REFR-4): see HTTP-1. A5"),
            ["T3", "REFR-4", "HTTP-1", "A5"]
        );
    }

    #[test]
    fn a_name_may_begin_with_several_ids_and_a_number_after_them_is_none() {
        assert_eq!(in_name("refr_1_a23_t5_8_processes_of_8_threads"), ["REFR-1", "A23", "T5"]);
        assert_eq!(in_name("http_1_http_4_x"), ["HTTP-1", "HTTP-4"]);
    }

    #[test]
    fn names_of_tests_and_comments_in_and_above_them_are_a_tests() {
        let text = "\
//! T1: of the file.
/// T2: of a function.
fn helper_t3() {}

// T4: above.
#[test]
#[ignore = \"T5\"]
fn t6_x() {
    // T7: inside.
    if true {
    }
    call(); // T8
}
/// T9: of the next item.
struct S;
/// T10: of a test of a runtime.
#[tokio::test(flavor = \"multi_thread\")]
// T12: between the two.
async fn x() {}
// T11: after it.
";
        let (everywhere, in_tests) = found("a.rs", text);
        assert_eq!(in_tests, ["T10", "T12", "T4", "T6", "T7", "T8"]);
        assert_eq!(everywhere, ["T1", "T10", "T11", "T12", "T2", "T4", "T6", "T7", "T8", "T9"]);
    }

    #[test]
    fn tests_in_a_macro_and_with_arguments_over_lines_are_tests() {
        let text = "proptest! {\n    #[test]\n    fn t6_x(\n        n in 0..9,\n    ) {\n        // T7\n    }\n}\n// T8\n";
        assert_eq!(found("a.rs", text).1, ["T6", "T7"]);
    }

    #[test]
    fn the_comment_of_a_case_is_a_tests_and_its_text_is_not_read() {
        let text = "# As it was (HINT-1).\nargs: token\n--- stdout\nT20 REFR-4\n";
        assert_eq!(found("x.case", text), (vec!["HINT-1".into()], vec!["HINT-1".into()]));
    }
}
