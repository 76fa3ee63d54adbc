//! `cargo xtask soak [STORY ...] [--runs N] [--seed N]`: logins against chance, with the release program.
//!
//! The stories are those of `crates/u2m-cli/tests/soak/`, which every test run tells briefly. Here each has as many rounds as
//! it is told to, with waits as long as in life, from a seed that is printed, so that a search can be repeated.

use crate::{Outcome, run};
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

/// A story's module, and how many rounds show something.
const STORIES: &[(&str, u64)] = &[
    ("kills", 1000),
    ("paths", 100),
    ("neighbours", 20),
    ("moves", 84),
    ("intruders", 20),
    ("outages", 60),
    ("echoes", 1),
];

const HELP: &str = "cargo xtask soak [STORY ...] [--runs N] [--seed N]\n\nStories: kills, paths, neighbours, moves, intruders, outages, echoes";

#[derive(Debug, PartialEq, Eq)]
struct Plan {
    stories: Vec<(String, u64)>,
    seed: Option<u64>,
}

impl Plan {
    fn parse(args: &[String]) -> Option<Self> {
        let (mut names, mut runs, mut seed) = (Vec::new(), None, None);
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--runs" => runs = Some(args.next()?.parse().ok()?),
                "--seed" => seed = Some(args.next()?.parse().ok()?),
                name => names.push(STORIES.iter().find(|(known, _)| *known == name)?),
            }
        }
        if names.is_empty() {
            names.extend(STORIES);
        }
        let stories =
            names.iter().map(|(name, usual)| ((*name).to_owned(), runs.unwrap_or(*usual)));
        Some(Self { stories: stories.collect(), seed })
    }
}

pub(crate) fn run(args: &[String]) -> Outcome {
    let plan = Plan::parse(args).ok_or(HELP)?;
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let seed = plan.seed.unwrap_or_else(clock);
    let mut failed = Vec::new();
    for (story, runs) in &plan.stories {
        println!("\n== {story}, {runs} rounds, seed {seed}");
        let mut test = run::cargo(&[
            "test",
            "--release",
            "--locked",
            "--package",
            "u2m-cli",
            "--test",
            "soak",
        ]);
        test.args([
            "--",
            "--nocapture",
            "--test-threads",
            "1",
            "--include-ignored",
            &format!("{story}::"),
        ]);
        test.env("U2M_SOAK_RUNS", runs.to_string()).env("U2M_SOAK_SEED", seed.to_string());
        if run::must(test.stdin(Stdio::null())).is_err() {
            failed.push(story.as_str());
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(format!("failed: {} (seed {seed})", failed.join(", ")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(line: &str) -> Option<Plan> {
        Plan::parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_story_has_its_usual_rounds_or_as_many_as_it_is_told_to() {
        let usual = plan("paths").unwrap();
        assert_eq!((usual.stories, usual.seed), (vec![("paths".to_owned(), 100)], None));
        let told = plan("kills --runs 7 --seed 3").unwrap();
        assert_eq!((told.stories, told.seed), (vec![("kills".to_owned(), 7)], Some(3)));
        assert_eq!(plan("").unwrap().stories.len(), STORIES.len());
        for wrong in ["tales", "--runs", "--seed x"] {
            assert_eq!(plan(wrong), None, "{wrong}");
        }
    }
}
