//! The crates as crates.io and docs.rs see them.

use super::{CheckResult, graph, verdict};
use crate::run;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;

/// What crates.io takes.
const MOST_KEYWORDS: usize = 5;
const LONGEST_KEYWORD: usize = 20;

/// Makes sure that each crate that is published can be found, and packs all of them as `cargo publish` would.
pub(super) fn package() -> CheckResult {
    let all = graph::metadata()?;
    let (published, private): (Vec<_>, Vec<_>) = all.iter().partition(|one| is_published(one));
    let wrong: Vec<String> = published.iter().flat_map(|package| missing(package)).collect();
    if !wrong.is_empty() {
        return verdict(wrong, String::new());
    }
    // Building what was packed is left out: the other checks build it.
    let mut pack = run::cargo(&[
        "package",
        "--workspace",
        "--no-verify",
        "--allow-dirty",
        "--quiet",
        "--locked",
    ]);
    for package in &private {
        pack.args(["--exclude", text(package, "name")]);
    }
    run::must(pack.stdin(Stdio::null()))?;
    verdict(wrong, format!("{} crates", published.len()))
}

/// `publish = false` is an empty list of registries.
fn is_published(package: &Value) -> bool {
    package["publish"].as_array().is_none_or(|registries| !registries.is_empty())
}

fn text<'a>(package: &'a Value, key: &str) -> &'a str {
    package[key].as_str().unwrap_or_default()
}

/// What a stranger who looks for this crate, or at it, would miss.
fn missing(package: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for key in ["description", "license", "repository", "rust_version"] {
        if text(package, key).is_empty() {
            wrong.push(format!("has no {key}"));
        }
    }
    let manifest = Path::new(text(package, "manifest_path"));
    let readme = manifest.with_file_name(text(package, "readme"));
    if text(package, "readme").is_empty() || !readme.is_file() {
        wrong.push("has no README".into());
    }
    let list = |key: &str| package[key].as_array().map(Vec::as_slice).unwrap_or_default();
    for key in ["keywords", "categories"] {
        if list(key).is_empty() || list(key).len() > MOST_KEYWORDS {
            wrong.push(format!("has {} {key}; 1 to {MOST_KEYWORDS} are taken", list(key).len()));
        }
    }
    for keyword in list("keywords").iter().filter_map(Value::as_str) {
        if keyword.len() > LONGEST_KEYWORD {
            wrong.push(format!("has the keyword {keyword:?}, longer than {LONGEST_KEYWORD}"));
        }
    }
    if package["metadata"]["docs"]["rs"]["all-features"] != true {
        wrong.push("does not ask docs.rs for all features".into());
    }
    wrong.iter().map(|what| format!("{} {what}", text(package, "name"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn whole() -> Value {
        json!({
            "name": "a",
            "description": "What it is for",
            "license": "MIT",
            "repository": "https://example.com",
            "rust_version": "1.88",
            "manifest_path": concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
            "readme": "src/main.rs",
            "keywords": ["token"],
            "categories": ["authentication"],
            "metadata": {"docs": {"rs": {"all-features": true}}},
            "publish": null,
        })
    }

    #[test]
    fn a_crate_that_says_everything_misses_nothing() {
        assert_eq!(missing(&whole()), [""; 0]);
    }

    #[test]
    fn whatever_is_missing_is_named() {
        for (key, value, said) in [
            ("repository", Value::Null, "a has no repository"),
            ("readme", json!("gone.md"), "a has no README"),
            ("readme", Value::Null, "a has no README"),
            ("keywords", json!([]), "a has 0 keywords; 1 to 5 are taken"),
            (
                "categories",
                json!(["a", "b", "c", "d", "e", "f"]),
                "a has 6 categories; 1 to 5 are taken",
            ),
            (
                "keywords",
                json!(["a-keyword-of-21-letters"]),
                "a has the keyword \"a-keyword-of-21-letters\", longer than 20",
            ),
            ("metadata", Value::Null, "a does not ask docs.rs for all features"),
        ] {
            let mut package = whole();
            package[key] = value;
            assert_eq!(missing(&package), [said]);
        }
    }

    #[test]
    fn what_is_never_published_is_told_from_what_is() {
        let with = |publish: Value| {
            let mut package = whole();
            package["publish"] = publish;
            is_published(&package)
        };
        assert!(with(Value::Null) && with(json!(["crates-io"])));
        assert!(!with(json!([])));
    }
}
