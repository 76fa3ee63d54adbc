//! Each example of this crate runs as it stands, without an argument: against a fake server that it starts itself.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Each example, and a line that it prints when all went well.
const EXAMPLES: [(&str, &str); 7] = [
    ("async_tool", "It took 1 refresh."),
    ("blocking_tool", "Signed in; the token is good until "),
    ("custom_store", "The login is saved: true."),
    ("custom_transport", "Signed in, and renewed 1 time."),
    ("other_issuer", "Signed in at http://127.0.0.1:"),
    ("service", "200 tasks have done "),
    ("tests_with_the_testkit", "3 tests passed."),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// Where cargo puts examples: beside the folder that this test is in. It builds them before the tests, unless only some
/// tests were asked for: then what is missing or old is built here.
fn program(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let built = this.ancestors().nth(2).unwrap().join("examples");
    let program = built.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let source = folder().join(format!("{name}.rs"));
    let changed = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
    if changed(&program) < changed(&source) {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--locked", "--quiet", "--package", "u2m", "--example", name]);
        assert!(build.status().unwrap().success());
    }
    program
}

#[test]
fn every_example_runs_without_an_account_and_says_that_it_went_well() {
    let home = tempfile::tempdir().unwrap();
    for (name, line) in EXAMPLES {
        let mut example = Command::new(program(name));
        // What a person has set up here is none of its business.
        let env = [("HOME", home.path()), ("XDG_RUNTIME_DIR", home.path())];
        example.env_remove("DATABRICKS_CONFIG_PROFILE").envs(env).stdin(Stdio::null());
        let output = example.output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {printed}{output:?}");
        assert!(printed.lines().any(|said| said.starts_with(line)), "{name}: {printed}");
    }
}

#[test]
fn every_example_is_among_them_and_short() {
    let mut names: Vec<String> = Vec::new();
    for file in std::fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 90, "{} has {lines} lines", path.display());
        names.push(path.file_stem().unwrap().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(names, EXAMPLES.map(|(name, _)| name));
}
