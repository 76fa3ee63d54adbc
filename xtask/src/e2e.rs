//! `cargo xtask e2e`: the real program against the real world, a certified OpenID provider and Chromium.
//!
//! The tests are in `e2e/` and run under node's own test runner, whose summary is printed; the pictures that they take of
//! u2m's pages are in `e2e/out/`. What is missing is installed where that can be done without a question: the packages of
//! npm into `e2e/node_modules`, and Chromium by apt-get for root. `--debug` tests the debug build, `--binary FILE` tests
//! that file and builds nothing; what stands after `--` goes to node, as in `-- --test-name-pattern=denies`.

use crate::{Outcome, programs, run};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const USAGE: &str = "usage: cargo xtask e2e [--debug] [--binary FILE] [-- ARGUMENTS OF NODE]";

/// Names of the browser: Debian's, Ubuntu's, Google's.
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome"];

/// The first release of node whose test runner knows `--test-concurrency`.
const NODE: (u32, u32) = (20, 10);

pub(crate) fn run(args: &[String]) -> Outcome {
    let options = Options::parse(args)?;
    let node = node()?;
    packages()?;
    let browser = browser()?;
    let binary = options.binary()?;
    let mut tests = Command::new(node);
    tests
        .args(["--test", "--test-reporter=spec"])
        // The files share the ports of the callback.
        .arg("--test-concurrency=1")
        .args(&options.node)
        .args(files()?)
        .current_dir(folder())
        .env("U2M_E2E_BINARY", binary)
        .env("U2M_E2E_CHROMIUM", browser)
        .stdin(Stdio::null());
    run::must(&mut tests)
}

#[derive(Debug, Default, PartialEq)]
struct Options {
    debug: bool,
    binary: Option<PathBuf>,
    node: Vec<String>,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self, run::Failure> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--debug" => options.debug = true,
                "--binary" => options.binary = Some(args.next().ok_or(USAGE)?.into()),
                "--" => options.node = args.by_ref().cloned().collect(),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }

    /// The program to test, built unless it was given.
    fn binary(&self) -> Result<PathBuf, run::Failure> {
        if let Some(given) = &self.binary {
            let full = given.canonicalize();
            return full.map_err(|error| format!("{}: {error}", given.display()).into());
        }
        let profile = if self.debug { "debug" } else { "release" };
        let mut build = run::cargo(&["build", "--package", "u2m-cli", "--locked"]);
        if !self.debug {
            build.arg("--release");
        }
        run::must(build.stdin(Stdio::null()))?;
        Ok(run::target().join(profile).join("u2m"))
    }
}

fn folder() -> PathBuf {
    run::root().join("e2e")
}

/// The test files, in the order of their names.
fn files() -> Result<Vec<PathBuf>, run::Failure> {
    let mut files = Vec::new();
    for entry in folder().read_dir()? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() { Err("e2e/ has no tests".into()) } else { Ok(files) }
}

/// Node, in a release that is new enough.
fn node() -> Result<PathBuf, run::Failure> {
    let wanted = format!("node {}.{} or later, with npm", NODE.0, NODE.1);
    let node = run::found("node").ok_or_else(|| format!("node is missing; install {wanted}"))?;
    let version = run::output(Command::new(&node).arg("--version"))?;
    if release(&version).is_none_or(|found| found < NODE) {
        return Err(format!("node is {}; install {wanted}", version.trim()).into());
    }
    Ok(node)
}

/// The first two numbers of what `node --version` prints, such as `v20.20.2`.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim().strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The packages of `e2e/package-lock.json`, installed unless they are there already.
fn packages() -> Outcome {
    let folder = folder();
    if is_newer(&folder.join("node_modules/.package-lock.json"), &folder.join("package-lock.json"))
    {
        return Ok(());
    }
    let npm = run::found("npm").ok_or("npm is missing; install it beside node")?;
    let mut install = Command::new(npm);
    install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    run::must(install.current_dir(folder).stdin(Stdio::null()))
}

fn is_newer(file: &Path, than: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
    matches!((modified(file), modified(than)), (Ok(file), Ok(than)) if file > than)
}

/// Chromium; root gets it installed, where there is apt-get.
fn browser() -> Result<PathBuf, run::Failure> {
    let search = || BROWSERS.iter().find_map(|name| run::found(name));
    if let Some(browser) = search() {
        return Ok(browser);
    }
    let missing = "Chromium is missing; install it (on Debian: the package `chromium`)";
    programs::install(&["chromium"]).map_err(|_| missing)?;
    search().ok_or_else(|| missing.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let args: Vec<String> = line.split_whitespace().map(String::from).collect();
        Options::parse(&args).map_err(|error| error.to_string())
    }

    #[test]
    fn arguments_choose_the_binary_and_reach_node() {
        assert_eq!(parse(""), Ok(Options::default()));
        let all = parse("--debug --binary u2m -- --test-only -- x").unwrap();
        assert!(all.debug);
        assert_eq!(all.binary, Some("u2m".into()));
        assert_eq!(all.node, ["--test-only", "--", "x"]);
        for wrong in ["--binary", "--release", "denies"] {
            assert_eq!(parse(wrong), Err(USAGE.into()), "{wrong}");
        }
    }

    #[test]
    fn the_release_of_node_is_read_as_numbers() {
        assert_eq!(release("v20.9.0\n"), Some((20, 9)));
        assert!(release("v20.9.0") < Some(NODE) && release("v20.10.0") == Some(NODE));
        assert!(release("v22.1.0") > Some(NODE));
        assert_eq!(release("20"), None);
    }
}
