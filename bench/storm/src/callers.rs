//! The processes of a storm, from both sides.
//!
//! A process prints `ready` when all of its threads wait, is given the instant to start in
//! milliseconds since 1970, and prints one line for each thread: milliseconds, a space, and
//! `token TOKEN` or `error TEXT`.

use crate::Library;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// From the release until the first call, so that every process has heard of it.
const NOTICE: Duration = Duration::from_millis(100);

/// What one thread got.
pub(crate) struct Answered {
    pub(crate) ms: f64,
    result: Result<String, String>,
}

impl Answered {
    /// The token, unless the caller got an error.
    pub(crate) fn token(&self) -> Option<&str> {
        self.result.as_deref().ok()
    }

    fn parse(line: &str) -> Result<Self, Box<dyn Error>> {
        let mut words = line.splitn(3, ' ');
        let ms = words.next().unwrap_or_default().parse()?;
        let result = match (words.next(), words.next().unwrap_or_default()) {
            (Some("token"), token) => Ok(token.to_owned()),
            (_, error) => Err(error.to_owned()),
        };
        Ok(Self { ms, result })
    }
}

/// Started processes whose threads all wait for the release.
pub(crate) struct Callers(Vec<(Child, BufReader<ChildStdout>)>);

impl Callers {
    /// Starts the processes, and waits until the threads of each are ready.
    pub(crate) fn start(
        name: &str,
        folder: &Path,
        url: &str,
        processes: u32,
        threads: u32,
    ) -> Result<Self, Box<dyn Error>> {
        let start = |_| {
            let mut child = Command::new(std::env::current_exe()?)
                .args(["callers", name])
                .arg(folder)
                .args([url, &threads.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?;
            let stdout = child.stdout.take().ok_or("no standard output")?;
            Ok::<_, Box<dyn Error>>((child, BufReader::new(stdout)))
        };
        let mut children = (0..processes).map(start).collect::<Result<Vec<_>, _>>()?;
        for (_, stdout) in &mut children {
            let mut line = String::new();
            stdout.read_line(&mut line)?;
            if line != "ready\n" {
                return Err(format!("a process of {name} did not get ready").into());
            }
        }
        Ok(Self(children))
    }

    /// Lets all threads call at the same instant, and gathers what they got.
    pub(crate) fn release(mut self) -> Result<Vec<Answered>, Box<dyn Error>> {
        let start = (SystemTime::now() + NOTICE).duration_since(UNIX_EPOCH)?.as_millis();
        for (child, _) in &mut self.0 {
            // Closed at once: the process reads one line.
            let mut stdin = child.stdin.take().ok_or("no standard input")?;
            writeln!(stdin, "{start}")?;
        }
        let mut answers = Vec::new();
        for (child, stdout) in &mut self.0 {
            let mut text = String::new();
            stdout.read_to_string(&mut text)?;
            if !child.wait()?.success() {
                return Err("a process failed".into());
            }
            for line in text.lines() {
                answers.push(Answered::parse(line)?);
            }
        }
        if let Some(error) = answers.iter().find_map(|answer| answer.result.as_ref().err()) {
            eprintln!("storm: a caller was told: {error}");
        }
        Ok(answers)
    }
}

/// The side of a started process: calls once from each thread, and prints what they got.
pub(crate) fn call(library: &dyn Library, threads: usize) -> Result<(), Box<dyn Error>> {
    let (ready, start) = (Barrier::new(threads + 1), OnceLock::new());
    let one = || {
        ready.wait();
        let Some(start): Option<Instant> = *start.wait() else {
            return (Duration::ZERO, Err("never released".to_owned()));
        };
        thread::sleep(start.saturating_duration_since(Instant::now()));
        let result = library.token().map_err(|error| error.to_string());
        (start.elapsed(), result)
    };
    thread::scope(|scope| {
        let callers: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        ready.wait();
        println!("ready");
        let told = told_start();
        // Set once, and in any case: the threads wait for it.
        let _ = start.set(told.as_ref().ok().copied());
        told?;
        for caller in callers {
            let (took, result) = caller.join().map_err(|_| "a caller panicked")?;
            let ms = took.as_secs_f64() * 1e3;
            match result {
                Ok(token) => println!("{ms} token {token}"),
                Err(error) => println!("{ms} error {}", error.replace('\n', " ")),
            }
        }
        Ok(())
    })
}

/// Waits for the line that names the instant to start.
fn told_start() -> Result<Instant, Box<dyn Error>> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let start = UNIX_EPOCH + Duration::from_millis(line.trim().parse()?);
    // A process that hears of the start too late would spare the others its load.
    let notice = start.duration_since(SystemTime::now()).map_err(|_| "told too late")?;
    Ok(Instant::now() + notice)
}
