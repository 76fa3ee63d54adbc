//! A Redis server of a story's own: a free port, a private folder, gone when the story ends.
#![allow(dead_code, reason = "each story uses its part")]
#![allow(clippy::print_stderr, clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct RedisServer {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
    options: Vec<String>,
}

impl RedisServer {
    /// `None` where there is no `redis-server`; with `U2M_REQUIRE_ALL=1` that is a failure.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        let is_there = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        if !is_there.is_ok_and(|status| status.success()) {
            let must = std::env::var("U2M_REQUIRE_ALL").is_ok_and(|value| value == "1");
            assert!(!must, "redis-server is not on PATH");
            eprintln!("skipped: redis-server is not on PATH");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        // Somebody else may take the port between asking for it and using it.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut process = run(port, folder.path(), &options);
            if is_ready(port, &mut process) {
                return Some(Self { process, port, folder, options });
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        panic!("redis-server does not start: {}", log(folder.path()));
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts it again after [`RedisServer::kill`], with what it finds in its folder.
    pub(crate) fn revive(&mut self) {
        let started = Instant::now();
        loop {
            self.process = run(self.port, self.folder.path(), &self.options);
            if is_ready(self.port, &mut self.process) {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "{}", log(self.folder.path()));
        }
    }

    /// Kills it, forgets everything it had, and starts it again.
    pub(crate) fn revive_empty(&mut self) {
        self.kill();
        for entry in std::fs::read_dir(self.folder.path()).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
        }
        self.revive();
    }

    /// Stops it without ending it, or lets it go on.
    pub(crate) fn pause(&self, is_paused: bool) {
        let signal = if is_paused { "-STOP" } else { "-CONT" };
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Asks it something; lists come as lines.
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        ask(self.port, words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    pub(crate) fn number(&self, words: &[&str]) -> i64 {
        self.ask(words).trim().parse().unwrap()
    }

    /// The entries.
    pub(crate) fn records(&self) -> Vec<String> {
        self.keys("}")
    }

    /// Takes all leases and claims away, as when they run out while their holders cannot renew them.
    pub(crate) fn lapse(&self) {
        self.keys(":lease").iter().for_each(|lease| drop(self.ask(&["DEL", lease])));
        self.set_of_claims("until");
    }

    /// The time is over within which an answer of the authorization server may come, to whoever has not saved one yet.
    pub(crate) fn time_is_over(&self) {
        self.set_of_claims("sent");
    }

    /// Forgets all leases and claims.
    pub(crate) fn forget_claims(&self) {
        let keys = [self.keys(":lease"), self.keys(":token")].concat();
        keys.iter().for_each(|key| drop(self.ask(&["DEL", key])));
    }

    fn set_of_claims(&self, field: &str) {
        for token in self.keys(":token") {
            if self.ask(&["HEXISTS", &token, field]).trim() == "1" {
                self.ask(&["HSET", &token, field, "0"]);
            }
        }
    }

    fn keys(&self, end: &str) -> Vec<String> {
        let keys = self.ask(&["KEYS", "u2m:*"]);
        keys.lines().filter(|key| key.ends_with(end)).map(str::to_owned).collect()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(port: u16, folder: &Path, options: &[String]) -> Child {
    let log =
        std::fs::File::options().create(true).append(true).open(folder.join("redis.log")).unwrap();
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"])
        .arg(folder)
        .args(["--save", "", "--enable-debug-command", "yes"])
        .args(options)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn is_ready(port: u16, process: &mut Child) -> bool {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(30) {
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        if ask(port, &["PING"]).is_ok_and(|answer| answer.trim() == "PONG") {
            // Somebody else's server on this port would answer too.
            let of = ask(port, &["INFO", "server"]).unwrap_or_default();
            return of.contains(&format!("process_id:{}", process.id()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("redis.log")).unwrap_or_default()
}

fn ask(port: u16, words: &[&str]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut request = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| request.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    read(&mut BufReader::new(stream), &mut answer)?;
    Ok(answer)
}

/// Reads one answer of the protocol, as lines.
fn read(from: &mut BufReader<TcpStream>, into: &mut String) -> std::io::Result<()> {
    let mut head = String::new();
    from.read_line(&mut head)?;
    let head = head.trim_end();
    let number = || head[1..].parse::<i64>().unwrap_or(0);
    match head.as_bytes().first() {
        Some(b'$') if number() >= 0 => {
            let mut bytes = vec![0; usize::try_from(number()).unwrap() + 2];
            from.read_exact(&mut bytes)?;
            into.push_str(String::from_utf8_lossy(&bytes).trim_end_matches("\r\n"));
        }
        Some(b'*') => {
            for _ in 0..number() {
                read(from, into)?;
            }
            return Ok(());
        }
        Some(b'$') => {}
        Some(b'-') => return Err(std::io::Error::other(head.to_owned())),
        Some(_) => into.push_str(&head[1..]),
        None => return Err(std::io::ErrorKind::UnexpectedEof.into()),
    }
    into.push('\n');
    Ok(())
}
