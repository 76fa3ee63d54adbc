//! `cargo xtask ci [--quick]`: what the CI machine runs, in its order, with the time of each step.
//!
//! Every step runs, whatever the ones before it said. The last lines are the summaries of the test runner, repeated, and
//! their total in the same form. `--quick` leaves out the end-to-end tests and fuzzing.

use crate::{Outcome, check, run};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::Instant;

pub(crate) fn run(args: &[String]) -> Outcome {
    let quick = match args {
        [] => false,
        [only] if only == "--quick" => true,
        _ => return Err("usage: cargo xtask ci [--quick]".into()),
    };
    let mut summaries = Vec::new();
    let mut steps = Steps::default();
    steps.run("test", || test(&mut summaries));
    steps.run("check", || check::run(&[]));
    steps.run("demo", || xtask("demo"));
    if !quick {
        steps.run("e2e", || xtask("e2e"));
        // The same search each time, as long as the machine is not very slow: what another one finds is for those who look
        // for it.
        steps.run("fuzz", || xtask("fuzz --seed 1 --runs 300000 --seconds 150"));
    }
    steps.report();
    if summaries.is_empty() {
        println!("no test ran");
    }
    for summary in &summaries {
        println!("{summary}");
    }
    println!("{}", total(&summaries));
    steps.outcome()
}

/// What ran, how long it took, and what it said.
#[derive(Default)]
struct Steps(Vec<(&'static str, f64, Outcome)>);

impl Steps {
    fn run(&mut self, name: &'static str, step: impl FnOnce() -> Outcome) {
        println!("\n== {name}");
        let start = Instant::now();
        let outcome = step();
        if let Err(error) = &outcome {
            println!("{name}: {error}");
        }
        self.0.push((name, start.elapsed().as_secs_f64(), outcome));
    }

    fn report(&self) {
        println!("\n== all steps");
        for (name, seconds, outcome) in &self.0 {
            println!(
                "{name:<6} {seconds:>7.1} s  {}",
                if outcome.is_ok() { "ok" } else { "FAILED" }
            );
        }
        println!();
    }

    fn outcome(self) -> Outcome {
        let failed: Vec<&str> =
            self.0.iter().filter(|step| step.2.is_err()).map(|step| step.0).collect();
        if failed.is_empty() {
            Ok(())
        } else {
            Err(format!("failed: {}", failed.join(", ")).into())
        }
    }
}

/// Runs a command of this program as a person would.
fn xtask(words: &str) -> Outcome {
    run::must(run::cargo(&["xtask"]).args(words.split(' ')).stdin(Stdio::null()))
}

/// Runs the test command, shows its output as it comes, and keeps the summaries.
fn test(summaries: &mut Vec<String>) -> Outcome {
    let mut command = run::cargo(&["xtask", "test"]);
    // Nothing is skipped here.
    command.env("U2M_REQUIRE_ALL", "1");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().ok_or("the tests have no output")?;
    let copied = copy(BufReader::new(output), std::io::stdout(), summaries);
    let status = child.wait()?;
    copied?;
    if status.success() { Ok(()) } else { Err(status.to_string().into()) }
}

/// Copies all lines to `to`, and those that sum up a run to `summaries` too.
fn copy(mut from: impl BufRead, mut to: impl Write, summaries: &mut Vec<String>) -> Outcome {
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        let text = String::from_utf8_lossy(&line);
        if text.starts_with(SUMMARY) {
            summaries.push(text.trim_end().to_owned());
        }
        line.clear();
    }
    Ok(())
}

const SUMMARY: &str = "test result: ";

/// One line for all of `summaries`, in their form.
fn total(summaries: &[String]) -> String {
    let sum = |what: &str| -> u64 { summaries.iter().filter_map(|line| number(line, what)).sum() };
    let ok = !summaries.is_empty()
        && summaries.iter().all(|line| line[SUMMARY.len()..].starts_with("ok."));
    format!(
        "{SUMMARY}{}. {} passed; {} failed; {} ignored; {} measured; {} filtered out; finished in {:.2}s",
        if ok { "ok" } else { "FAILED" },
        sum(" passed"),
        sum(" failed"),
        sum(" ignored"),
        sum(" measured"),
        sum(" filtered out"),
        seconds(summaries),
    )
}

/// The number in `line` before the word `what`.
fn number(line: &str, what: &str) -> Option<u64> {
    let before = &line[..line.find(what)?];
    before.rsplit(' ').next()?.parse().ok()
}

fn seconds(summaries: &[String]) -> f64 {
    let of =
        |line: &String| line.rsplit_once("finished in ")?.1.strip_suffix('s')?.parse::<f64>().ok();
    // Not `sum`, which is -0.0 for nothing.
    summaries.iter().filter_map(of).fold(0.0, |sum, seconds| sum + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 1.25s";
    const BAD: &str = "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.50s";

    #[test]
    fn the_total_has_the_form_of_its_parts() {
        assert_eq!(total(&[GOOD.into()]), GOOD);
        assert_eq!(
            total(&[GOOD.into(), BAD.into()]),
            "test result: FAILED. 15 passed; 1 failed; 1 ignored; 0 measured; 2 filtered out; finished in 1.75s"
        );
    }

    #[test]
    fn no_tests_at_all_is_a_failure() {
        assert!(total(&[]).starts_with("test result: FAILED. 0 passed;"));
    }

    #[test]
    fn only_summaries_are_kept() {
        let text = format!(
            "running 1 test
{GOOD}
"
        );
        let (mut shown, mut kept) = (Vec::new(), Vec::new());
        copy(text.as_bytes(), &mut shown, &mut kept).unwrap();
        assert_eq!(shown, text.as_bytes());
        assert_eq!(kept, [GOOD]);
    }
}
