//! `cargo xtask fuzz [--seconds N] [--runs N] [--jobs N] [--seed N] [TARGET…]`: coverage-guided fuzzing of the parsers, without
//! `cargo fuzz` and on a stable toolchain.
//!
//! The targets are the `[[bin]]`s of `fuzz/Cargo.toml`. Each replays its seeds one by one, and then searches on from them
//! and from what earlier runs have found. libFuzzer comes as C++ sources; its counters come from a pass that stable
//! compilers have, too.

use crate::run::{self, Failure};
use crate::{Outcome, programs};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How the code under test is built: each edge counted, each comparison shown to libFuzzer, each overflow a panic. What is
/// built for this machine itself, such as macros, is left alone, because a `--target` is given.
const FLAGS: &[&str] = &[
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
    "-Coverflow-checks",
];

/// Longer than this no input has to take, in seconds.
const TIMEOUT: u32 = 10;

/// More memory than this no input has to take, in MiB.
const MEMORY: u32 = 1024;

pub(crate) fn run(args: &[String]) -> Outcome {
    let plan = Plan::of(args, &targets()?)?;
    match std::env::var("CXX") {
        Ok(named) if run::found(&named).is_some() => {}
        Ok(named) => return Err(format!("CXX names {named}, and PATH has no such program").into()),
        Err(_) => programs::provide(programs::OF_FUZZING)?,
    }
    let built = build()?;
    let waiting = Mutex::new(plan.targets.iter());
    let failed = Mutex::new(Vec::new());
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
    thread::scope(|scope| {
        for _ in 0..plan.jobs.min(plan.targets.len()) {
            scope.spawn(|| {
                while let Some(name) = next() {
                    match fuzz(name, &built, &plan) {
                        Ok(line) => println!("{name:<18} {line}"),
                        Err(error) => {
                            println!("{name:<18} FAILED: {error}");
                            failed.lock().map(|mut failed| failed.push(name.as_str())).ok();
                        }
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort_unstable();
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    seconds: u32,
    /// After how many inputs a search ends at the latest: the same number and seed find the same, however fast the machine.
    runs: Option<u32>,
    /// Where the search begins: the same number, the same way. 0 is another way each time.
    seed: u32,
    jobs: usize,
    targets: Vec<String>,
}

impl Plan {
    fn of(args: &[String], known: &[String]) -> Result<Self, Failure> {
        let jobs = thread::available_parallelism().map_or(1, usize::from);
        let mut plan = Self { seconds: 60, runs: None, seed: 0, jobs, targets: Vec::new() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut number = || {
                let text = args.next().ok_or_else(|| format!("{arg} needs a number"))?;
                let number = text.parse().ok().filter(|number| *number > 0);
                number.ok_or_else(|| format!("{arg} needs a number above 0, not {text:?}"))
            };
            match arg.as_str() {
                "--seconds" => plan.seconds = number()?,
                "--runs" => plan.runs = Some(number()?),
                "--seed" => plan.seed = number()?,
                "--jobs" => plan.jobs = number()?.try_into()?,
                name if known.iter().any(|known| known == name) => plan.targets.push(name.into()),
                other => {
                    let known = known.join(", ");
                    return Err(format!(
                        "usage: cargo xtask fuzz [--seconds N] [--runs N] [--jobs N] [--seed N] [TARGET…]; no target is called {other:?}, there are {known}"
                    )
                    .into());
                }
            }
        }
        if plan.targets.is_empty() {
            plan.targets = known.to_vec();
        }
        Ok(plan)
    }
}

/// The names of all targets.
fn targets() -> Result<Vec<String>, Failure> {
    let found = binaries(&fs::read_to_string(folder().join("Cargo.toml"))?);
    if found.is_empty() { Err("fuzz/Cargo.toml has no target".into()) } else { Ok(found) }
}

/// The names of the `[[bin]]`s of a manifest.
fn binaries(manifest: &str) -> Vec<String> {
    let sections = manifest.split("\n[[bin]]\n").skip(1);
    let name = |section: &str| {
        let line = section.lines().find_map(|line| line.strip_prefix("name = \""))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    sections.filter_map(name).collect()
}

fn folder() -> PathBuf {
    run::root().join("fuzz")
}

/// Builds all targets, in a folder of its own, and returns where they are.
fn build() -> Result<PathBuf, Failure> {
    let version = run::output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("rustc does not say what it builds for")?;
    let target = run::target().join("fuzz");
    let mut build = run::cargo(&["build", "--release", "--bins", "--locked", "--target", host]);
    build.arg("--manifest-path").arg(folder().join("Cargo.toml"));
    build.arg("--target-dir").arg(&target).stdin(Stdio::null());
    build.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    run::must(&mut build)?;
    Ok(target.join(host).join("release"))
}

/// Replays and searches; returns what was covered, in one line.
fn fuzz(name: &str, built: &Path, plan: &Plan) -> Result<String, Failure> {
    let (seeds, corpus) = (folder().join("seeds").join(name), folder().join("corpus").join(name));
    let artifacts = folder().join("artifacts").join(name);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let mut paths: Vec<PathBuf> =
        fs::read_dir(&seeds)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    let run = |what: &str, args: &mut dyn FnMut(&mut Command)| {
        let log = built.join(format!("{name}.{what}.log"));
        let mut command = started(&built.join(name), plan);
        command.arg(format!("-timeout={TIMEOUT}")).arg(format!("-rss_limit_mb={MEMORY}"));
        command.arg(format!("-artifact_prefix={}/", artifacts.display()));
        args(&mut command);
        let output = File::create(&log)?;
        let status = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let status = status.status()?;
        let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        if status.success() { Ok(said) } else { Err(finding(name, &said, &log)) }
    };
    run("seeds", &mut |command| {
        command.args(&paths);
    })?;
    let said = run("search", &mut |command| {
        let dictionary = folder().join("dict").join(format!("{name}.dict"));
        if dictionary.is_file() {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        command.arg(format!("-max_total_time={}", plan.seconds)).arg("-print_final_stats=1");
        command.arg(format!("-seed={}", plan.seed));
        if let Some(runs) = plan.runs {
            command.arg(format!("-runs={runs}"));
        }
        command.arg(&corpus).arg(&seeds);
    })?;
    summary(&said, paths.len())
}

/// A target, about to be started. What libFuzzer counts depends on addresses: with the same seed they are to be the same, where
/// this machine can do that.
fn started(target: &Path, plan: &Plan) -> Command {
    let fixed = || {
        let mut command = Command::new("setarch");
        command.arg("--addr-no-randomize");
        command
    };
    let is_possible =
        || fixed().arg("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    let mut command = Command::new(target);
    if plan.seed != 0 && is_possible() {
        command = fixed();
        command.arg(target);
    }
    // Nobody else adds to the corpus meanwhile.
    command.arg("-reload=0");
    command
}

/// What went wrong, where the input is, and how to keep it.
fn finding(name: &str, said: &str, log: &Path) -> Failure {
    let lines: Vec<&str> = said.lines().collect();
    let at = lines.iter().position(|line| line.contains("panicked at") || line.contains("ERROR:"));
    let reason = at.map_or(&[][..], |at| &lines[at..lines.len().min(at + 4)]).join("\n    ");
    let written = said.split("Test unit written to ").nth(1).and_then(|rest| rest.lines().next());
    let replayed = said.rsplit("Running: ").next().and_then(|rest| rest.lines().next());
    let replayed = replayed.filter(|_| said.contains("Running: "));
    let keep = match (replayed, written) {
        (Some(seed), _) => format!("the input is the seed {seed}"),
        (None, Some(input)) => {
            let mark: String =
                input.rsplit('-').next().unwrap_or_default().chars().take(8).collect();
            format!("the input is {input}\n    keep it: cp {input} fuzz/seeds/{name}/found-{mark}")
        }
        (None, None) => "no input was written".to_owned(),
    };
    format!("{reason}\n    {keep}\n    all of it: {}", log.display()).into()
}

/// How far a search came. A search that counted nothing is a broken build.
fn summary(said: &str, seeds: usize) -> Result<String, Failure> {
    let number = |line: &str, name: &str| -> Option<u64> {
        line.split_once(name)?.1.split_whitespace().next()?.parse().ok()
    };
    let covered: Vec<u64> = said.lines().filter_map(|line| number(line, "cov: ")).collect();
    let features = said.lines().rev().find_map(|line| number(line, "ft: ")).unwrap_or(0);
    let stat = |name: &str| said.lines().find_map(|line| number(line, name)).unwrap_or(0);
    match (covered.first(), covered.last()) {
        (Some(first), Some(last)) if *last > 0 => Ok(format!(
            "ok: {seeds} seeds, cov {first} to {last}, ft {features}, {} runs, {} a second",
            stat("stat::number_of_executed_units:"),
            stat("stat::average_exec_per_sec:"),
        )),
        _ => Err("no coverage was counted: is the toolchain's LLVM without sancov-module?".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn targets_are_what_the_manifest_builds() {
        let manifest = "[package]\nname = \"x\"\n\n[[bin]]\nname = \"a\"\npath = \"a.rs\"\n\n[[bin]]\nname = \"b\"\n";
        assert_eq!(binaries(manifest), ["a", "b"]);
        let known = targets().unwrap();
        for name in &known {
            assert!(fs::read_dir(folder().join("seeds").join(name)).unwrap().count() > 0, "{name}");
        }
    }

    #[test]
    fn arguments_choose_targets_and_time() {
        let known = words("a b");
        let plan = Plan::of(&words("--seconds 5 b --jobs 3 --seed 7 --runs 9"), &known).unwrap();
        assert_eq!(plan, Plan { seconds: 5, runs: Some(9), seed: 7, jobs: 3, targets: words("b") });
        assert_eq!(Plan::of(&[], &known).unwrap().targets, known);
        for bad in ["c", "--seconds", "--seconds 0", "--jobs x", "--help"] {
            assert!(Plan::of(&words(bad), &known).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_finding_says_which_input_and_how_to_keep_it() {
        let said = "#9 NEW\nthread panicked at x.rs:1:\nleft\nright\nend\nartifact_prefix='y/'; Test unit written to y/crash-0123456789abcdef\nBase64: x\n";
        let error = finding("a", said, Path::new("log")).to_string();
        assert!(error.starts_with("thread panicked at x.rs:1:\n    left"), "{error}");
        assert!(
            error.contains("cp y/crash-0123456789abcdef fuzz/seeds/a/found-01234567"),
            "{error}"
        );
        let replay = finding(
            "a",
            "Running: s/one\nExecuted\nRunning: s/two\nERROR: libFuzzer",
            Path::new("log"),
        );
        assert!(replay.to_string().contains("the input is the seed s/two"), "{replay}");
    }

    #[test]
    fn a_search_that_counts_nothing_is_a_failure() {
        let said = "#2 INITED cov: 10 ft: 12 corp: 1\n#9 NEW cov: 30 ft: 50 corp: 2\nstat::number_of_executed_units: 99\nstat::average_exec_per_sec:     7\n";
        assert_eq!(
            summary(said, 3).unwrap(),
            "ok: 3 seeds, cov 10 to 30, ft 50, 99 runs, 7 a second"
        );
        assert!(summary("#2 INITED exec/s: 0\n", 3).is_err());
        assert!(summary("#2 INITED cov: 0 ft: 0\n", 3).is_err());
    }
}
