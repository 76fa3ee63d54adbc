//! `cargo xtask mutants [--sample N] [--seed N] [--jobs N] [--in TEXT] [--least PERCENT] [AREA…]`: changes lines at random,
//! and tells which changes no test notices.
//!
//! An area is a crate, and what has to notice is that crate's own tests: a test that stands two crates away is no help to
//! whoever changes the line. Of all changes that cargo-mutants knows, N are drawn; the same seed draws the same ones. What
//! does not compile on this machine, or only for tests or fuzzing, is not drawn.
//!
//! The work is done on copies of the tree under the target folder, one for each job, which stay for the next run. A change is
//! one build without debug information, and then the tests up to the first program of them that fails. Where an area has many
//! test programs, the unit tests and a few programs that see much in little time come first; only what these let through is
//! tried with all the others, and the slow ones come last: building them is most of the time.

mod draw;
mod here;
mod report;
mod rounds;
mod tree;

use crate::run::{self, Failure};
use crate::{Outcome, programs, test};
use here::Here;
use report::{Found, Mutant, Score};
use rounds::Round;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use tree::Tree;

/// Installed under the target folder where it is missing: its version decides which changes there are.
const CARGO_MUTANTS: (&str, &str) = ("cargo-mutants", "27.1.0");

/// A crate whose lines are changed.
struct Area {
    name: &'static str,
    package: &'static str,
    /// The features that are on.
    features: &'static [&'static str],
    /// The test programs that come first, with the unit tests: those that see much of the crate in a second or two. Without
    /// any, all that are not slow are tried together.
    first: &'static [&'static str],
    /// The test programs that come last: those that take ten seconds and more.
    last: &'static [&'static str],
    /// What the names of slow unit tests have in them; they come after all else.
    slow: Option<&'static str>,
}

const STORES: &[&str] = &["encrypted", "keyring", "redis"];

const AREAS: &[Area] = &[
    Area { name: "core", package: "u2m-core", features: &[], first: &[], last: &[], slow: None },
    Area {
        name: "config",
        package: "u2m-config",
        features: &[],
        first: &[],
        last: &[],
        slow: None,
    },
    Area {
        name: "http",
        package: "u2m-http",
        features: &["reqwest"],
        first: &[],
        last: &[],
        slow: None,
    },
    Area {
        name: "cache",
        package: "u2m-cache",
        features: STORES,
        first: FIRST_OF_CACHE,
        last: LAST_OF_CACHE,
        slow: Some("fault::"),
    },
    Area {
        name: "u2m",
        package: "u2m",
        features: STORES,
        first: FIRST_OF_U2M,
        last: LAST_OF_U2M,
        slow: None,
    },
];

const FIRST_OF_CACHE: &[&str] = &[
    "a_damaged_file_is_set_aside",
    "a_keyring_keeps_logins",
    "a_login_is_moved_whole",
    "copies_under_the_hosts_key",
    "links_are_kept_and_followed",
    "one_refreshes_and_the_others_wait",
    "one_store_stands_for_several",
    "one_token_is_one_lock",
    "redis_agrees_with_a_model",
    "redis_one_refreshes_and_the_others_wait",
    "sealed_file",
    "the_file_is_gos_byte_for_byte",
    "what_is_newer_or_gone_stays",
];

const LAST_OF_CACHE: &[&str] = &[
    "a_keyring_that_lies_or_hangs",
    "a_login_is_found_where_it_was_saved",
    "modes_are_private_whatever_the_umask",
    "pythons_own_sdk_agrees",
    "what_is_written_is_read",
    "writers_lose_nothing",
];

const FIRST_OF_U2M: &[&str] = &[
    "choosing",
    "custom_parts",
    "doctor",
    "ending_a_login",
    "inspecting",
    "login",
    "revoking",
    "what_a_logout_leaves",
    "what_is_known_of_a_login",
];

const LAST_OF_U2M: &[&str] =
    &["cancelled", "failures", "killed", "redis_faults", "redis_killed", "store_faults"];

pub(crate) fn run(args: &[String]) -> Outcome {
    let plan = Plan::of(args)?;
    if let Err(missing) = programs::provide(programs::OF_TESTS) {
        eprintln!("{missing}");
    }
    let tool = tool()?;
    println!("seed {}: {} of each area", plan.seed, plan.sample);
    let mut scores = Vec::new();
    for area in &plan.areas {
        let trees: Vec<Tree> =
            (1..=plan.jobs).map(|job| Tree::copied(&folder(), job)).collect::<Result<_, _>>()?;
        let all = report::listed(&run::output(
            trees[0].mutants(&tool, area.package).args(["--list", "--json"]),
        )?)?;
        let known = possible(&all, area, &trees[0], &plan.within)?;
        let drawn = draw::some(&known, plan.sample, plan.seed);
        println!(
            "\n== {}: {} of {} changes that are possible",
            area.name,
            drawn.len(),
            known.len()
        );
        let found = tried(&tool, area, &trees, &all, &drawn)?;
        scores.push(Score { area: area.name, found });
    }
    println!("\n{}", report::table(&scores, plan.seed));
    let least = plan.least.unwrap_or(0);
    let wanting = scores.iter().filter(|score| score.percent() < f64::from(least));
    let wanting: Vec<_> = wanting.map(|score| score.area).collect();
    if wanting.is_empty() {
        Ok(())
    } else {
        Err(format!("fewer than {least} % are caught: {}", wanting.join(", ")).into())
    }
}

/// What the arguments ask for.
struct Plan {
    sample: usize,
    seed: u64,
    jobs: usize,
    /// Only changes in files whose path has this text in it.
    within: String,
    least: Option<u32>,
    areas: Vec<&'static Area>,
}

impl Plan {
    fn of(args: &[String]) -> Result<Self, Failure> {
        let (areas, within) = (Vec::new(), String::new());
        let seed = draw::any_seed();
        let mut plan = Self { sample: 30, seed, jobs: 1, within, least: None, areas };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut word = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            let number = |word: &String| {
                word.parse::<u64>().map_err(|_| format!("{arg} needs a number, not {word:?}"))
            };
            match arg.as_str() {
                "--sample" => plan.sample = usize::try_from(number(word()?)?)?.max(1),
                "--seed" => plan.seed = number(word()?)?,
                "--jobs" => plan.jobs = usize::try_from(number(word()?)?)?.max(1),
                "--in" => plan.within.clone_from(word()?),
                "--least" => plan.least = Some(number(word()?)?.try_into()?),
                name => {
                    let known = AREAS.iter().find(|area| area.name == name);
                    plan.areas.push(known.ok_or_else(|| usage(name))?);
                }
            }
        }
        if plan.areas.is_empty() {
            plan.areas = AREAS.iter().collect();
        }
        Ok(plan)
    }
}

fn usage(other: &str) -> String {
    let areas: Vec<_> = AREAS.iter().map(|area| area.name).collect();
    format!(
        "usage: cargo xtask mutants [--sample N] [--seed N] [--jobs N] [--in TEXT] [--least PERCENT] [AREA…]; no area is called {other:?}, there are {}",
        areas.join(", ")
    )
}

/// Where the program, the copies and what was built of them stay.
fn folder() -> PathBuf {
    run::target().join("mutants")
}

/// The program, after installing it where it is missing.
fn tool() -> Result<PathBuf, Failure> {
    let (name, version) = CARGO_MUTANTS;
    let root = folder().join("tool");
    let tool = root.join("bin").join(name);
    let says = run::output(Command::new(&tool).args(["mutants", "--version"]));
    if !says.is_ok_and(|says| says.split_whitespace().any(|word| word == version)) {
        println!("{name} {version} is missing; installing it takes some minutes");
        let mut install = run::cargo(&["install", "--locked", "--force", "--version", version]);
        install.arg(name).arg("--root").arg(&root).stdin(Stdio::null());
        run::must(install.arg("--target-dir").arg(root.join("build")))?;
        // What it was built from is of no use afterwards.
        fs::remove_dir_all(root.join("build"))?;
    }
    Ok(tool)
}

/// Those of `all` that this machine can try, in files whose path has `within` in it.
fn possible(
    all: &[Mutant],
    area: &Area,
    tree: &Tree,
    within: &str,
) -> Result<Vec<Mutant>, Failure> {
    let cfg = run::output(Command::new("rustc").args(["--print", "cfg"]))?;
    let read = |file: &str| fs::read_to_string(tree.path().join(file));
    let mut possible = Here::new(&cfg, area.features).only(all.to_vec(), read)?;
    possible.retain(|mutant| mutant.file.contains(within));
    Ok(possible)
}

/// Tries the changes, shared among the copies of the tree, and returns what became of each.
fn tried(
    tool: &Path,
    area: &Area,
    trees: &[Tree],
    all: &[Mutant],
    drawn: &[Mutant],
) -> Result<Vec<Found>, Failure> {
    if drawn.is_empty() {
        return Ok(Vec::new());
    }
    let each = drawn.len().div_ceil(trees.len());
    thread::scope(|scope| {
        let jobs: Vec<_> = trees
            .iter()
            .zip(drawn.chunks(each))
            .map(|(tree, share)| {
                scope
                    .spawn(move || in_tree(tool, area, tree, all, share).map_err(|e| e.to_string()))
            })
            .collect();
        let mut found = Vec::new();
        for job in jobs {
            found.extend(job.join().map_err(|_| "a job broke")??);
        }
        Ok(found)
    })
}

/// Tries the changes in one copy of the tree, in rounds: what one round of tests let through is left to the next.
fn in_tree(
    tool: &Path,
    area: &Area,
    tree: &Tree,
    all: &[Mutant],
    share: &[Mutant],
) -> Result<Vec<Found>, Failure> {
    let folder = tree.path().join("crates").join(area.package).join("tests");
    let rounds = rounds::of(&rounds::programs(&folder)?, area.first, area.last, area.slow)?;
    let mut found: Vec<Found> = Vec::new();
    let mut left = share.to_vec();
    for (at, round) in rounds.iter().enumerate() {
        if left.is_empty() {
            break;
        }
        let out = tree.path().with_file_name(format!("{}-{}", area.name, at + 1));
        println!("{}: round {} of {}, {} changes", area.name, at + 1, rounds.len(), left.len());
        let now = in_round(tool, area, tree, &out, all, &left, round)?;
        left.retain(|mutant| now.iter().any(|found| found.let_through(mutant)));
        report::later(&mut found, now);
    }
    Ok(found)
}

fn in_round(
    tool: &Path,
    area: &Area,
    tree: &Tree,
    out: &Path,
    all: &[Mutant],
    share: &[Mutant],
    round: &Round,
) -> Result<Vec<Found>, Failure> {
    let results = out.join("mutants.out");
    if results.exists() {
        fs::remove_dir_all(&results)?;
    }
    fs::create_dir_all(&results)?;
    // Its filters by name let some kinds of changes through. What it takes for caught by an earlier run it leaves out for sure.
    let others = all.iter().filter(|mutant| !share.contains(mutant));
    let others: String = others.map(|mutant| format!("{}\n", mutant.name)).collect();
    fs::write(results.join("previously_caught.txt"), others)?;
    let mut command = tree.mutants(tool, area.package);
    command.arg("--in-place").arg("--iterate").arg("--output").arg(out);
    // Of a quiet machine's time three times, as a busy one takes; who hangs is found out early enough.
    command.args(["--timeout-multiplier", "3", "--minimum-test-timeout", "60"]);
    command.args(["--annotations", "none", "--colors", "never"]);
    for feature in area.features {
        command.args(["--features", feature]);
    }
    // For the build as well. Examples in the docs are in no round: each of them is a build.
    for target in &round.targets {
        command.arg(format!("--cargo-arg={target}"));
    }
    if !round.words.is_empty() {
        // The first two dashes end the words of cargo-mutants, the second those of cargo.
        command.args(["--", "--"]).args(&round.words);
    }
    command.env("RUST_TEST_THREADS", test::threads().to_string());
    let status = command.stdin(Stdio::null()).status()?;
    // 2 is for changes that nobody noticed, 3 for tests that hung.
    if !matches!(status.code(), Some(0 | 2 | 3)) {
        return Err(
            format!("{}: {status}; its logs are in {}", area.package, results.display()).into()
        );
    }
    report::found(&fs::read_to_string(results.join("outcomes.json"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(line: &str) -> Result<Plan, Failure> {
        Plan::of(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_choose_areas_and_how_many() {
        let plan = plan("--sample 5 cache --seed 7 --jobs 2 core --in file/ --least 95").unwrap();
        let areas: Vec<_> = plan.areas.iter().map(|area| area.name).collect();
        assert_eq!((plan.sample, plan.seed, plan.jobs, plan.least), (5, 7, 2, Some(95)));
        assert_eq!((areas, plan.within.as_str()), (vec!["cache", "core"], "file/"));
    }

    #[test]
    fn without_arguments_thirty_of_every_area_are_drawn_anew() {
        let (one, other) = (plan("").unwrap(), plan("").unwrap());
        assert_eq!((one.sample, one.jobs, one.areas.len()), (30, 1, AREAS.len()));
        assert_ne!(one.seed, other.seed);
    }

    #[test]
    fn an_unknown_area_is_answered_with_the_known_ones() {
        let error = plan("cacke").err().unwrap().to_string();
        assert!(error.contains("\"cacke\"") && error.contains("core, config"), "{error}");
        for bad in ["--sample", "--sample x", "--least -1", "--help"] {
            assert!(plan(bad).is_err(), "{bad}");
        }
    }
}
