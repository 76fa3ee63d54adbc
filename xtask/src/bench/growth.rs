//! The block `growth`: commands that look at every login or change one, in homes of ten, a thousand and ten thousand.

use super::Measured;
use super::programs::Programs;
use super::warm::{access_token, private, text};
use crate::run::Failure;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(super) const TABLE: &str = "growth";

/// The rows that bars speak of.
pub(super) const STORAGE: [&str; 3] =
    ["`u2m storage`, 10", "`u2m storage`, 1,000", "`u2m storage`, 10,000"];
pub(super) const PROFILES: [&str; 3] = [
    "`u2m profiles --skip-validate`, 10",
    "`u2m profiles --skip-validate`, 1,000",
    "`u2m profiles --skip-validate`, 10,000",
];
pub(super) const REFRESH: [&str; 3] = ["a refresh, 10", "a refresh, 1,000", "a refresh, 10,000"];
pub(super) const TOKEN: [&str; 3] =
    ["`u2m token`, 10", "`u2m token`, 1,000", "`u2m token`, 10,000"];

const SIZES: [usize; 3] = [10, 1_000, 10_000];
const ROUNDS: usize = 5;

/// A refresh that is forced is satisfied with a token which another process has fetched in the last 5 seconds.
const NEWER: Duration = Duration::from_millis(5_500);

/// The login that is asked for.
const PROFILE: &str = "p5";

/// The cases of all sizes, and what each of them runs.
const CASES: [([&str; 3], &[&str]); 4] = [
    (STORAGE, &["storage"]),
    (PROFILES, &["profiles", "--skip-validate"]),
    (REFRESH, &["token", "--profile", PROFILE, "--force-refresh"]),
    (TOKEN, &["token", "--profile", PROFILE]),
];

pub(super) fn measure(programs: &Programs) -> Result<Measured, Failure> {
    of(programs.product())
}

fn of(product: &Path) -> Result<Measured, Failure> {
    let issuer = issuer()?;
    let mut homes = Vec::new();
    for size in SIZES {
        homes.push(Home::new(size, &issuer)?);
    }
    // What other programs have saved gets a record of its own by its first refresh; and each file is in memory then.
    for home in &homes {
        for (_, words) in CASES {
            home.run(product, words)?;
        }
    }
    let mut times = vec![[const { Vec::new() }; SIZES.len()]; CASES.len()];
    for _ in 0..ROUNDS {
        std::thread::sleep(NEWER);
        for (case, (_, words)) in CASES.iter().enumerate() {
            for (at, home) in homes.iter().enumerate() {
                let start = Instant::now();
                home.run(product, words)?;
                times[case][at].push(start.elapsed().as_secs_f64() * 1_000.0);
            }
        }
    }
    let mut lines = String::new();
    for ((names, _), times) in CASES.iter().zip(times) {
        for (name, rounds) in names.iter().zip(times) {
            let rounds: Vec<String> = rounds.iter().map(f64::to_string).collect();
            writeln!(lines, "{TABLE}\t{name}\tms\t{}", rounds.join("\t"))?;
        }
    }
    let mut measured = Measured::default();
    measured.samples.take(&lines)?;
    Ok(measured)
}

/// A home folder of its own, gone when dropped.
struct Home(PathBuf);

impl Home {
    fn new(logins: usize, issuer: &str) -> Result<Self, Failure> {
        let name = format!("u2m-growth-{}-{logins}", std::process::id());
        let home = Self(std::env::temp_dir().join(name));
        for folder in ["", ".databricks"] {
            fs::DirBuilder::new().mode(0o700).create(home.0.join(folder))?;
        }
        let (mut profiles, mut entries, mut homes) = (String::new(), Vec::new(), Vec::new());
        for at in 0..logins {
            let name = format!("p{at}");
            let host = match name == PROFILE {
                true => issuer.to_owned(),
                false => format!("https://w{at}.example.com"),
            };
            write!(profiles, "[{name}]\nhost = {host}\nauth_type = databricks-cli\n\n")?;
            entries.push(format!(
                "    \"{name}\": {{\n      \"access_token\": \"{}\",\n      \"token_type\": \"Bearer\",\n      \
                 \"refresh_token\": \"rt-{}-{logins}-{at}\",\n      \"expiry\": \"2099-01-01T00:00:00.000001Z\"\n    }}",
                access_token(&name),
                std::process::id(),
            ));
            homes.push(format!("\"{name}\": \"plaintext\""));
        }
        let cache =
            format!("{{\n  \"version\": 1,\n  \"tokens\": {{\n{}\n  }}\n}}", entries.join(",\n"));
        let side =
            format!("{{\"version\": 1, \"sessions\": {{}}, \"homes\": {{{}}}}}", homes.join(", "));
        private(&home.0.join(".databrickscfg"), &profiles)?;
        private(&home.0.join(".databricks/token-cache.json"), &cache)?;
        private(&home.0.join(".databricks/token-cache.u2m.json"), &side)?;
        Ok(home)
    }

    fn run(&self, product: &Path, words: &[&str]) -> Result<(), Failure> {
        let mut command = Command::new(product);
        command.args(words).env_clear().env("HOME", &self.0).stdin(Stdio::null());
        let output = command.env("DATABRICKS_AUTH_STORAGE", "plaintext").output()?;
        match output.status.success() {
            true => Ok(()),
            false => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Err(format!("{} {}: {said}", text(product), words.join(" ")).into())
            }
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What is left behind is in the system's folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Starts a server that renews every login at once; its address. It ends with this process.
fn issuer() -> Result<String, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let base = format!("http://{}", listener.local_addr()?);
    let own = base.clone();
    std::thread::spawn(move || {
        for (at, stream) in listener.incoming().enumerate() {
            // Who goes away hears no answer.
            let _ = stream.and_then(|stream| answer(stream, &own, at));
        }
    });
    Ok(base)
}

fn answer(stream: TcpStream, base: &str, at: usize) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    reader.by_ref().take(length).read_to_end(&mut Vec::new())?;
    let (status, body) = if first.starts_with("POST ") {
        let token = access_token(&at.to_string());
        let next = format!("rt-{}-next-{at}", std::process::id());
        (
            "200 OK",
            format!(
                r#"{{"access_token":"{token}","refresh_token":"{next}","token_type":"Bearer","expires_in":86400}}"#
            ),
        )
    } else if first.contains("/oidc/.well-known/oauth-authorization-server") {
        (
            "200 OK",
            format!(
                r#"{{"issuer":"{base}/oidc","authorization_endpoint":"{base}/oidc/v1/authorize","token_endpoint":"{base}/oidc/v1/token"}}"#
            ),
        )
    } else {
        ("404 Not Found", "{}".to_owned())
    };
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a program that is there: `U2M_GROWTH_PRODUCT=target/debug/u2m cargo test -p xtask -- --ignored growth`.
    #[test]
    #[ignore = "needs a program that was built"]
    fn growth_is_measured_with_any_build() {
        let Some(product) = std::env::var_os("U2M_GROWTH_PRODUCT") else { return };
        let measured = of(Path::new(&product)).unwrap();
        for (names, _) in CASES {
            for name in names {
                let found = measured.samples.find(TABLE, name, "ms").unwrap();
                println!("{name}: {:?}", found.rounds);
            }
        }
    }
}
