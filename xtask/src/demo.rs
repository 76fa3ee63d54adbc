//! A newcomer's first minute: signs in against a fake server on loopback, and shows that 16 processes whose token has run
//! out cost one refresh. No account, no root, no question; nothing is left behind.

use crate::Outcome;
use crate::run::{Failure, cargo, must, target};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

const CALLERS: usize = 16;
const HELP: &str = "cargo xtask demo [--manual]\n\n  --manual  sign in with your own browser instead of a stand-in";

pub(crate) fn run(args: &[String]) -> Outcome {
    let manual = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--manual"] => true,
        _ => return Err(HELP.into()),
    };
    println!("Building u2m and a fake authorization server ...");
    let parts = ["-p", "u2m-cli", "-p", "u2m-testkit", "--bins", "--examples"];
    must(cargo(&["build", "--quiet", "--locked"]).args(parts))?;
    let home = Home::new()?;
    let mut server = Server::start(manual)?;
    println!("The fake server listens on {}.\n", server.url);

    sign_in(&home, &server, manual)?;
    let first = token(&home)?;
    println!("\n$ u2m token --profile demo\n{}\n", shortened(&first));

    let before = server.ask("counts")?;
    server.ask("expire")?;
    println!(
        "The server's clock and the token's end: an hour has passed. {CALLERS} processes ask at once ..."
    );
    home.let_expire()?;
    let started = Instant::now();
    let tokens = storm(&home)?;
    let took = started.elapsed();
    let after = server.ask("counts")?;
    let refreshes = number(&after, "refreshes")? - number(&before, "refreshes")?;
    let rejected = number(&after, "rejected")? - number(&before, "rejected")?;
    let same = tokens.iter().all(|token| *token == tokens[0]) && tokens[0] != first;
    println!(
        "They had their tokens after {} ms; the server took 50 ms for its answer.\n",
        took.as_millis()
    );
    drop(server);
    drop(home);
    println!("{} callers", tokens.len());
    println!("{refreshes} refresh{}", if refreshes == 1 { "" } else { "es" });
    match (tokens.len() == CALLERS, refreshes, rejected, same) {
        (true, 1, 0, true) => Ok(()),
        _ => Err(format!(
            "this is not how it should be ({rejected} rejected, one token for all: {same})"
        )
        .into()),
    }
}

fn sign_in(home: &Home, server: &Server, manual: bool) -> Outcome {
    println!("$ u2m login --host {} --profile demo", server.url);
    let mut login = home.u2m(&["login", "--host", &server.url, "--profile", "demo"]);
    if manual {
        for name in [
            "BROWSER",
            "DISPLAY",
            "WAYLAND_DISPLAY",
            "WSL_DISTRO_NAME",
            "WSL_INTEROP",
            "PATH",
            "XDG_RUNTIME_DIR",
        ] {
            if let Some(value) = std::env::var_os(name) {
                login.env(name, value);
            }
        }
        return must(&mut login);
    }
    // A browser that agrees to everything: it follows the redirects to the end, as a real one would.
    login.env("BROWSER", format!("{} browse", quoted(&server.program)));
    must(login.stdin(Stdio::null()))
}

/// A program's path as one word of `BROWSER`.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}

fn token(home: &Home) -> Result<String, Failure> {
    finished(home.u2m(&["token", "--profile", "demo"]).output()?)
}

fn finished(output: Output) -> Result<String, Failure> {
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn storm(home: &Home) -> Result<Vec<String>, Failure> {
    let start = |_| {
        home.u2m(&["token", "--profile", "demo", "--output", "text"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    };
    let callers: Vec<Child> = (0..CALLERS).map(start).collect::<Result<_, _>>()?;
    callers.into_iter().map(|caller| finished(caller.wait_with_output()?)).collect()
}

/// The printed object with the middle of its token left out.
fn shortened(json: &str) -> String {
    let line = |line: &str| match line.len() > 100 {
        true => format!("{}...{}", &line[..60], &line[line.len() - 8..]),
        false => line.to_owned(),
    };
    json.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn number(counts: &str, name: &str) -> Result<u64, Failure> {
    let found = counts.split_whitespace().find_map(|word| word.strip_prefix(&format!("{name}=")));
    Ok(found.ok_or("the fake server does not count")?.parse()?)
}

/// A home folder of its own, gone when dropped.
struct Home(PathBuf);

impl Home {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("u2m-demo-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn u2m(&self, args: &[&str]) -> Command {
        let mut command = Command::new(
            target().join("debug").join(format!("u2m{}", std::env::consts::EXE_SUFFIX)),
        );
        command.args(args).env_clear().env("HOME", &self.0).env("USERPROFILE", &self.0);
        command.env("DATABRICKS_AUTH_STORAGE", "plaintext");
        command
    }

    /// Does to the stored token what an hour would.
    fn let_expire(&self) -> Outcome {
        let path = self.0.join(".databricks").join("token-cache.json");
        let text = std::fs::read_to_string(&path)?;
        let mut cache: serde_json::Value = serde_json::from_str(&text)?;
        cache["tokens"]["demo"]["expiry"] = "2020-01-01T00:00:00.000001Z".into();
        std::fs::write(path, serde_json::to_string_pretty(&cache)?)?;
        Ok(())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The fake server, and the pipe over which it is told what to do. It ends with the pipe.
struct Server {
    url: String,
    program: PathBuf,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Server {
    fn start(manual: bool) -> Result<Self, Failure> {
        let program = target()
            .join("debug")
            .join("examples")
            .join(format!("demo-server{}", std::env::consts::EXE_SUFFIX));
        let mut command = Command::new(&program);
        command
            .arg(if manual { "ask" } else { "allow" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the fake server cannot be talked to".into());
        };
        let mut server = Self {
            url: String::new(),
            program,
            child,
            orders: Some(orders),
            answers: BufReader::new(answers),
        };
        server.url = server.line()?;
        Ok(server)
    }

    fn ask(&mut self, order: &str) -> Result<String, Failure> {
        let orders = self.orders.as_mut().ok_or("the fake server is gone")?;
        writeln!(orders, "{order}")?;
        self.line()
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if line.is_empty() {
            Err("the fake server is gone".into())
        } else {
            Ok(line.trim().to_owned())
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.orders.take());
        let end = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
