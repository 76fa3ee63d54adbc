//! Cache updates by several processes at once: what is lost, what is torn, and how long it takes.
//!
//! `files ROUNDS PROCESSES UPDATES`. Each worker owns one key and counts it up. An update is lost
//! when the worker does not find the count that it wrote last; a read is torn when the file does
//! not parse. Each round starts from a file with five foreign entries, which must all survive.

mod cache;
mod dbx;
mod hand;
mod u2m;

use cache::{Cache, Entry, FILE};
use measure::Samples;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// A way to keep counts in one shared file.
trait Counts {
    /// Writes `count + 1` under `key`, leaves all other keys alone, and tells which count it found:
    /// zero for a missing key, `None` when the file could not be read.
    fn count_up(&self, key: &str, count: u64) -> Option<u64>;
}

/// How many entries the file has before the workers come.
const SEEDS: usize = 5;

const MODES: [&str; 4] = ["rename", "flock-fsync", "u2m", "dbx-tools-auth"];

fn open(mode: &str, folder: &Path) -> Result<Box<dyn Counts>, Box<dyn Error>> {
    Ok(match mode {
        "rename" => Box::new(hand::Rename::at(folder)),
        "flock-fsync" => Box::new(hand::FlockFsync::at(folder)),
        "u2m" => Box::new(u2m::U2m::at(folder)),
        "dbx-tools-auth" => Box::new(dbx::Dbx::at(folder)?),
        _ => return Err(format!("no mode {mode}").into()),
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["worker", mode, folder, key, updates] => {
            work(&*open(mode, Path::new(folder))?, key, updates.parse()?);
            Ok(())
        }
        [rounds, processes, updates] => {
            let (rounds, processes): (u32, u32) = (rounds.parse()?, processes.parse()?);
            let mut samples = Samples::of("files");
            for _ in 0..rounds.min(100) {
                for mode in MODES {
                    round(mode, processes.min(32), updates.parse()?, &mut samples)?;
                }
            }
            samples.print();
            Ok(())
        }
        _ => Err("usage: files ROUNDS PROCESSES UPDATES".into()),
    }
}

/// Counts up, and prints how many updates were lost and how many reads were torn.
fn work(counts: &dyn Counts, key: &str, updates: u64) {
    let (mut lost, mut torn) = (0, 0);
    for count in 0..updates {
        match counts.count_up(key, count) {
            Some(found) => lost += u64::from(found != count),
            None => torn += 1,
        }
    }
    print!("{lost} {torn}");
}

/// Lets all workers of `mode` run at once in a fresh folder.
fn round(
    mode: &str,
    processes: u32,
    updates: u64,
    samples: &mut Samples,
) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut seeded = Cache { version: 1, tokens: BTreeMap::new() };
    for seed in 0..SEEDS {
        seeded.tokens.insert(format!("seed-{seed}"), Entry::counting(0));
    }
    seeded.write(&folder.path().join(FILE))?;
    let start = Instant::now();
    let workers = (0..processes)
        .map(|id| {
            Command::new(std::env::current_exe()?)
                .args(["worker", mode])
                .arg(folder.path())
                .args([format!("worker-{id}"), updates.to_string()])
                .stdout(Stdio::piped())
                .spawn()
        })
        .collect::<Result<Vec<_>, _>>()?;
    let (mut lost, mut torn) = (0.0, 0.0);
    for worker in workers {
        let output = worker.wait_with_output()?;
        let text = String::from_utf8(output.stdout)?;
        let (its_lost, its_torn) = text.split_once(' ').ok_or("a worker failed")?;
        lost += its_lost.parse::<f64>()?;
        torn += its_torn.parse::<f64>()?;
    }
    let wall = start.elapsed().as_secs_f64() * 1e3;
    let end = Cache::read(&folder.path().join(FILE)).unwrap_or_default();
    let seeds = end.tokens.keys().filter(|key| key.starts_with("seed-")).count();
    samples.add(mode, "lost", lost);
    samples.add(mode, "torn", torn);
    samples.add(mode, "foreign lost", (SEEDS - seeds) as f64);
    samples.add(mode, "ms", wall);
    Ok(())
}
