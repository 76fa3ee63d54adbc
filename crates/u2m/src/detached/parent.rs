//! The caller's side: starts the small process, hands the lock over, and waits for the answer.

use super::answer::Answer;
use super::job::Job;
use super::{Detached, WORD};
use crate::keeper::{Keeper, Landed};
use std::fs::File;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use u2m_cache::EntryLock;
use u2m_core::{Ask, Timestamp, TokenError};
use zeroize::Zeroizing;

/// More than any answer has.
const LIMIT: u64 = 4 << 20;

/// How a refresh ended that another process was to carry out.
pub(crate) enum Finished {
    /// It cannot be done there; the lock is back.
    Not(Box<dyn EntryLock>),
    Landed(Box<Landed>),
}

/// Has the refresh carried out by a process of its own, which goes on with `lock`.
pub(crate) fn finish(
    detached: &Detached,
    keeper: &Keeper,
    lock: Box<dyn EntryLock>,
    ask: &Ask,
    asked_at: Timestamp,
) -> Finished {
    let Some(mut job) = Job::of(keeper, ask, asked_at) else { return Finished::Not(lock) };
    let file = lock.hand_over();
    job.has_lock = file.is_some();
    let started = file.as_ref().map(File::try_clone).transpose().and_then(|copy| {
        let text = job.text()?;
        start(detached, copy, &text)
    });
    match (started, file) {
        (Ok(child), _) => {
            Finished::Landed(Box::new(wait(child, job.limit() + Duration::from_secs(5))))
        }
        (Err(_), Some(file)) => match keeper.store.adopt(&keeper.key, file) {
            Ok(lock) => Finished::Not(lock),
            Err(_) => Finished::Landed(Box::new(Err(TokenError::Unfinished))),
        },
        // The lock went with the attempt; the next caller takes it again.
        (Err(_), None) => Finished::Landed(Box::new(Err(TokenError::Unfinished))),
    }
}

fn start(detached: &Detached, lock: Option<File>, job: &str) -> io::Result<Child> {
    let mut command = Command::new(&detached.program);
    command.args(&detached.words).arg(WORD).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(lock.map_or_else(Stdio::null, Stdio::from));
    platform::separate(&mut command);
    let mut child = command.spawn()?;
    let told = match child.stdin.take() {
        Some(mut pipe) => pipe.write_all(job.as_bytes()),
        None => Err(io::ErrorKind::BrokenPipe.into()),
    };
    if let Err(error) = told {
        // It has not been told enough to spend anything.
        let _ = child.kill().and_then(|()| child.wait());
        return Err(error);
    }
    Ok(child)
}

/// Waits for the answer; for longer than the process may live only if something has stopped it.
fn wait(mut child: Child, limit: Duration) -> Landed {
    let (send, receive) = mpsc::sync_channel(1);
    let pipe = child.stdout.take();
    let body = move || {
        let _ = send.send(read(pipe));
        // Not before it has ended: until then it is nobody's corpse.
        let _ = child.wait();
    };
    let reader = std::thread::Builder::new().name("u2m-answer".into()).spawn(body);
    let answer = match reader {
        Ok(_) => receive.recv_timeout(limit).ok().flatten(),
        Err(_) => None,
    };
    answer.map_or(Err(TokenError::Unfinished), Answer::landed)
}

fn read(pipe: Option<ChildStdout>) -> Option<Answer> {
    let mut text = Zeroizing::new(String::new());
    pipe?.take(LIMIT).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(windows)]
mod platform {
    use std::os::windows::process::CommandExt;
    use std::process::Command;

    /// `DETACHED_PROCESS` and `CREATE_NEW_PROCESS_GROUP`: no console, and no Ctrl-C from it.
    pub(super) fn separate(command: &mut Command) {
        command.creation_flags(0x0000_0008 | 0x0000_0200);
    }
}

#[cfg(not(windows))]
mod platform {
    /// The process itself begins a session of its own, before it reads what it is to do.
    pub(super) fn separate(_: &mut std::process::Command) {}
}
