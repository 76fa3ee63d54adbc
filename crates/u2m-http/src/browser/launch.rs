//! Starts a program that outlives this process, and detects if it fails at once.

use super::choose::{OpenerCommand, shown};
use super::env::BrowserEnv;
use super::needs::needed;
use std::process::{self, Stdio};
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long to wait for a failure.
const SOON: Duration = Duration::from_secs(1);

/// Starts the program. Succeeds if it is still running after a second, or has exited successfully by then.
pub(super) async fn launch(command: &OpenerCommand, env: &BrowserEnv) -> Result<(), String> {
    let name = shown(&command.program);
    let mut child = process::Command::new(&command.program);
    child.args(&command.arguments).env_clear().envs(needed(env));
    // Our standard output is for programs that read it, and the terminal is for the user.
    child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    {
        // A process group of its own, so that Ctrl-C in the terminal does not close the browser.
        std::os::unix::process::CommandExt::process_group(&mut child, 0);
    }
    let mut child = child.spawn().map_err(|error| format!("{name}: {}", error.kind()))?;
    let (sender, ended) = oneshot::channel();
    // Waits for the child as long as it runs, so that it does not remain as a zombie. Ends with our process.
    let reaper = thread::Builder::new().name("u2m-browser".to_owned()).spawn(move || {
        let _ = sender.send(child.wait());
    });
    if reaper.is_err() {
        return Ok(());
    }
    match timeout(SOON, ended).await {
        Ok(Ok(Ok(status))) if !status.success() => Err(format!("{name}: {status}")),
        _ => Ok(()),
    }
}
