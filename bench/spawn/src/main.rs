//! Whole processes, in turn: each round runs every command once.
//!
//! - `spawn time TABLE ROUNDS 'NAME=COMMAND' …`: milliseconds from start to exit.
//! - `spawn peak TABLE ROUNDS 'NAME=COMMAND' …`: peak resident MiB. This process counts only the
//!   children it has waited for, so it starts itself anew for each command (`spawn weigh COMMAND`).
//!
//! The words of a command are parted by tabs.

use measure::Samples;
use nix::sys::resource::{UsageWho, getrusage};
use std::error::Error;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Rounds that warm the caches and are not counted.
const WARM_UP: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["time", table, rounds, ref commands @ ..] => {
            rounds_of(table, rounds, commands, "ms", milliseconds)
        }
        ["peak", table, rounds, ref commands @ ..] => {
            rounds_of(table, rounds, commands, "MiB", mebibytes)
        }
        ["weigh", command] => {
            run(command)?;
            // Linux counts in KiB.
            println!("{}", getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss());
            Ok(())
        }
        _ => Err("usage: spawn time|peak TABLE ROUNDS NAME=COMMAND…".into()),
    }
}

fn rounds_of(
    table: &str,
    rounds: &str,
    commands: &[&str],
    figure: &'static str,
    sample: fn(&str) -> Result<f64, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let commands: Vec<_> = commands.iter().filter_map(|command| command.split_once('=')).collect();
    let mut samples = Samples::of(table);
    for round in 0..rounds.parse::<usize>()?.min(1000) + WARM_UP {
        for (name, command) in &commands {
            let sample = sample(command)?;
            if round >= WARM_UP {
                samples.add(name, figure, sample);
            }
        }
    }
    samples.print();
    Ok(())
}

fn milliseconds(command: &str) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    run(command)?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

fn mebibytes(command: &str) -> Result<f64, Box<dyn Error>> {
    let weighed = Command::new(std::env::current_exe()?).args(["weigh", command]).output()?;
    if !weighed.status.success() {
        return Err(format!("{command}: {}", String::from_utf8_lossy(&weighed.stderr)).into());
    }
    Ok(String::from_utf8(weighed.stdout)?.trim().parse::<f64>()? / 1024.0)
}

/// Runs `command` to its successful end, with all streams closed.
fn run(command: &str) -> Result<(), Box<dyn Error>> {
    let mut words = command.split('\t');
    let status = Command::new(words.next().unwrap_or_default())
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("{command}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command}: {status}").into()) }
}
