//! What the sources may not say: I/O in the core, secrets, the `plain` method, and more than a reader can hold.

use super::rust::Source;
use super::{CheckResult, graph, verdict};
use crate::run::Failure;

const LONGEST: usize = 500;

/// What no line of `u2m-core` may say outside tests. `std::time::SystemTime` as a type to convert from is fine, and so are
/// the address types of `core::net`.
const IMPURE: &[&str] = &[
    "SystemTime::now",
    "Instant::now",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "async fn",
    "async move",
    "async {",
    ".await",
    "println!",
    "print!",
    "dbg!",
];

/// The same modules inside a grouped `use std::{…}`.
const IMPURE_MODULES: &[&str] = &["env", "fs", "net", "process", "thread"];

pub(super) fn purity() -> CheckResult {
    let (mut wrong, crates) = graph::impure()?;
    let core = core()?;
    for source in &core {
        wrong.extend(impure_lines(source));
    }
    verdict(wrong, format!("{} files, {crates} crates in the tree", core.len()))
}

fn impure_lines(source: &Source) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut grouped = false;
    for (number, line) in source.code() {
        grouped |= line.starts_with("use std::{");
        let words = |line: &str| -> Vec<String> {
            line.split(|c: char| !c.is_alphanumeric()).map(String::from).collect()
        };
        let module = IMPURE_MODULES
            .iter()
            .find(|module| grouped && words(line).iter().any(|word| word == *module));
        if let Some(found) = IMPURE.iter().find(|needle| line.contains(**needle)).or(module) {
            wrong.push(format!("{}:{number} says {found}", source.path));
        }
        grouped &= !line.ends_with(';');
    }
    wrong
}

pub(super) fn size() -> CheckResult {
    let mut wrong = Vec::new();
    let mut sources = Source::all("crates")?;
    sources.extend(Source::all("xtask")?);
    for source in &sources {
        let lines = source.production().len();
        if lines > LONGEST {
            wrong.push(format!("{} has {lines} lines before its tests", source.path));
        }
    }
    verdict(wrong, format!("{} files", sources.len()))
}

pub(super) fn secrets() -> CheckResult {
    let sources = Source::all("crates")?;
    let found = |source: &Source| -> Vec<String> {
        let lines = source.code().into_iter().filter(|(_, line)| has_secret(line));
        lines.map(|(number, _)| format!("{}:{number} holds a client secret", source.path)).collect()
    };
    verdict(sources.iter().flat_map(found).collect(), format!("{} files", sources.len()))
}

/// Says whether `line` gives a client secret its value: a name with `client_secret` in it, and after it a text that is no
/// word, because it is long and has a digit; or whether it holds a text with the first letters of a known kind of secret.
fn has_secret(line: &str) -> bool {
    let lower = line.to_lowercase();
    let named =
        lower.split_once("client_secret").is_some_and(|(_, rest)| rest.split('"').any(is_random));
    named || line.split('"').skip(1).any(|text| is_random(text) && has_known_start(text))
}

fn is_random(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~+/=".contains(c));
    plain && text.len() >= 12 && text.contains(|c: char| c.is_ascii_digit())
}

/// The first letters of the secrets and personal tokens of Databricks, and of Google's secrets.
fn has_known_start(text: &str) -> bool {
    ["dose", "dapi", "GOCSPX-"].iter().any(|start| text.starts_with(start))
}

pub(super) fn pkce() -> CheckResult {
    let core = core()?;
    let mut wrong = Vec::new();
    for source in &core {
        let lines = source.code().into_iter().filter(|(_, line)| names_plain(line));
        wrong.extend(
            lines.map(|(number, _)| format!("{}:{number} names the method `plain`", source.path)),
        );
    }
    verdict(wrong, format!("{} files", core.len()))
}

fn names_plain(line: &str) -> bool {
    let variant =
        line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "Plain");
    variant || line.contains("\"plain\"")
}

fn core() -> Result<Vec<Source>, Failure> {
    Source::all("crates/u2m-core/src")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn impure(text: &str) -> usize {
        impure_lines(&Source::of("crates/u2m-core/src/lib.rs", text)).len()
    }

    #[test]
    fn a_clock_a_file_or_a_future_in_the_core_is_found() {
        for text in [
            "let now = SystemTime::now();",
            "use std::fs;",
            "use std::{env, fmt};",
            "use std::{\n    fmt,\n    thread,\n};",
            "pub async fn answered() {}",
            "    step.await;",
            "    println!(\"x\");",
        ] {
            assert_eq!(impure(text), 1, "{text}");
        }
    }

    #[test]
    fn words_in_comments_tests_and_conversions_are_no_input_or_output() {
        for text in [
            "use std::time::SystemTime;",
            "use std::{fmt, iter};\nlet fs = 1;",
            "/// Not `std::fs`.",
            "#[cfg(test)]\nmod tests {\n    use std::fs;\n}",
        ] {
            assert_eq!(impure(text), 0, "{text}");
        }
    }

    #[test]
    fn a_secret_is_told_from_a_name() {
        assert!(has_secret(r#"const CLIENT_SECRET: &str = "b6yT0pQx91LmZ4aa";"#));
        assert!(has_secret(r#"form.append("client_secret", "b6yT0pQx91LmZ4aa");"#));
        assert!(has_secret(&format!("let x = \"{}0123456789abcdef\";", "dose")));
        assert!(!has_secret(r#"form.append("client_secret", secret.expose());"#));
        assert!(!has_secret(r#"const CLIENT_SECRET: &str = "client_secret";"#));
        assert!(!has_secret(r#""client_secret_basic" => Method::Basic,"#));
    }

    #[test]
    fn the_plain_method_is_told_from_plain_words() {
        assert!(names_plain("    Plain,") && names_plain(r#"method == "plain""#));
        assert!(!names_plain("plaintext") && !names_plain("// plain words"));
    }
}
