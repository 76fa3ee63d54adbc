//! Runs other programs, and says in one line which one failed.

use crate::Outcome;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What can go wrong in a command; the text is printed as it is.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map(PathBuf::from).unwrap_or_default()
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// A cargo command that runs in the root of the workspace.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Runs `command` to its end with the streams of this process; not succeeding is an error.
pub(crate) fn must(command: &mut Command) -> Outcome {
    let status = command.status().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

/// Runs `command` without input and returns what it wrote to its output.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot start {command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Where `PATH` has the program `name`.
pub(crate) fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Runs `command`, and returns its status and what it wrote to stderr; no status where it took longer than `patience`.
pub(crate) fn bounded(
    command: &mut Command,
    patience: Duration,
) -> Result<(Option<ExitStatus>, String), Failure> {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let mut stderr = child.stderr.take().ok_or("the command has no stderr")?;
    let reader = thread::spawn(move || {
        let mut said = Vec::new();
        // What could be read is enough: the text is only shown.
        let _ = stderr.read_to_end(&mut said);
        String::from_utf8_lossy(&said).into_owned()
    });
    let Some(status) = wait(&mut child, patience)? else {
        child.kill()?;
        child.wait()?;
        // The reader is left alone: a child of the child may hold its pipe open.
        return Ok((None, String::new()));
    };
    Ok((Some(status), reader.join().unwrap_or_default()))
}

fn wait(child: &mut Child, patience: Duration) -> Result<Option<ExitStatus>, Failure> {
    let start = Instant::now();
    while start.elapsed() < patience {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(None)
}
