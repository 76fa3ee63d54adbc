//! Many processes and threads ask for one expired token at once, at a server that rotates refresh
//! tokens and takes 50 ms to answer.
//!
//! `storm ROUNDS`. The processes are this program itself (`storm callers NAME FOLDER URL THREADS`);
//! `callers` says how they talk to the one that starts them.

mod callers;
mod dbx;
mod u2m;

use callers::{Answered, Callers};
use measure::Samples;
use serde_json::{Value, json};
use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;
use u2m_testkit::{Endpoint, Fault, RunningServer, Times};

/// How long the server takes to answer a refresh.
const ANSWER: Duration = Duration::from_millis(50);

/// A library in the storm, reduced to what the storm needs.
trait Library: Send + Sync {
    /// Waits for a fresh token.
    fn token(&self) -> Result<String, Box<dyn Error>>;
}

type Opened = Result<Box<dyn Library>, Box<dyn Error>>;

/// One way into the storm.
struct Contender {
    name: &'static str,
    /// The key of the login in `token-cache.json`, given the server's address.
    key: fn(&str) -> String,
    /// Opens the login in `folder` at the server; the threads of a process share what it returns.
    open: fn(&Path, &str) -> Opened,
    /// Processes and threads of each.
    sizes: &'static [(u32, u32)],
}

const CONTENDERS: &[Contender] = &[
    Contender { name: "u2m", key: u2m::key, open: u2m::open, sizes: &[(8, 8), (32, 32)] },
    Contender { name: "dbx-tools-auth", key: dbx::key, open: dbx::open, sizes: &[(8, 8)] },
];

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["callers", name, folder, url, threads] => {
            let contender = CONTENDERS.iter().find(|known| known.name == name);
            let open = contender.ok_or("no such contender")?.open;
            callers::call(&*open(Path::new(folder), url)?, threads.parse()?)
        }
        [rounds] => {
            let mut samples = Samples::of("storm");
            for _ in 0..rounds.parse::<u32>()?.min(100) {
                for contender in CONTENDERS {
                    for &(processes, threads) in contender.sizes {
                        round(contender, processes, threads, &mut samples)?;
                    }
                }
            }
            samples.print();
            Ok(())
        }
        _ => Err("usage: storm ROUNDS".into()),
    }
}

/// One storm on a new server and a new login, and a single caller when it is over.
fn round(
    contender: &Contender,
    processes: u32,
    threads: u32,
    samples: &mut Samples,
) -> Result<(), Box<dyn Error>> {
    let server = RunningServer::start()?;
    server.inject(Endpoint::Token, Times::Always, Fault::delay(ANSWER));
    let folder = tempfile::tempdir()?;
    let cache = folder.path().join("token-cache.json");
    let tokens = server.sign_in("databricks-cli", "all-apis offline_access");
    let login = json!({
        "access_token": tokens.access_token(), "token_type": "Bearer",
        "refresh_token": tokens.refresh_token(), "expiry": "",
    });
    let key = (contender.key)(server.base_url());
    write_expired(&cache, json!({"version": 1, "tokens": {key: login}}))?;

    let name = contender.name;
    let answers =
        Callers::start(name, folder.path(), server.base_url(), processes, threads)?.release()?;
    let counts = server.counts();
    let helped = |answer: &Answered| answer.token().is_some_and(|token| server.is_active(token));
    let without = answers.iter().filter(|answer| !helped(answer)).count();
    let slowest = answers.iter().map(|answer| answer.ms).fold(0.0, f64::max);

    write_expired(&cache, serde_json::from_slice(&std::fs::read(&cache)?)?)?;
    let later = Callers::start(name, folder.path(), server.base_url(), 1, 1)?.release()?;
    let alive = later.iter().all(helped);

    let case = format!("{name}, {processes} x {threads}");
    samples.add(&case, "requests", counts.refreshes as f64);
    samples.add(&case, "rejected", counts.rejected as f64);
    samples.add(&case, "without a token", without as f64);
    samples.add(&case, "slowest ms", slowest);
    samples.add(&case, "by the server's time", slowest / (ANSWER.as_secs_f64() * 1e3));
    samples.add(&case, "logins lost", f64::from(u8::from(!alive)));
    Ok(())
}

/// Writes `cache` with every login's access token expired.
fn write_expired(path: &Path, mut cache: Value) -> Result<(), Box<dyn Error>> {
    for (_, login) in cache["tokens"].as_object_mut().ok_or("a cache without tokens")? {
        login["expiry"] = json!("2020-01-01T00:00:00.5Z");
    }
    let mut file =
        OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    Ok(file.write_all(&serde_json::to_vec_pretty(&cache)?)?)
}
