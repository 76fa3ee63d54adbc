//! The refresh process's side.

use super::answer::ChildReply;
use super::job::RefreshJob;
use super::{BEGUN, MARK, WORD};
use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::time::Duration;
use u2m_core::TokenOrigin;
use u2m_http::AwakeClock;
use zeroize::Zeroizing;

/// Larger than any job.
const LIMIT: u64 = 1 << 20;

/// The longest time that sending the answer takes.
const ANSWERING: Duration = Duration::from_secs(5);

/// How long to wait for the job, which is written at once.
const READING: Duration = Duration::from_secs(10);

/// Runs a detached refresh if this process was started for one. A program that uses
/// [`Detached::this_program`](super::Detached::this_program) must call it first in `main`. `Some` means that the refresh is done
/// and `main` must return the code. `None` means that this is an ordinary start.
///
/// ```
/// assert!(u2m::process::serve_detached().is_none(), "nobody asked for it here");
/// ```
pub fn serve_detached() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next_back()? != WORD || std::env::var_os(MARK).is_none() {
        return None;
    }
    if io::stdin().is_terminal() {
        return None;
    }
    Some(match serve() {
        Ok(()) => ExitCode::SUCCESS,
        // The caller is not told that it has begun, or not how it ended.
        Err(_) => ExitCode::FAILURE,
    })
}

fn serve() -> io::Result<()> {
    let lock = platform::separate();
    let deadline = end_in_time()?;
    let mut text = Zeroizing::new(String::with_capacity(1 << 16));
    io::stdin().lock().take(LIMIT).read_line(&mut text)?;
    let job = RefreshJob::parse(&text)?;
    drop(text);
    let _ = deadline.send((job.limit(), job.finishing()));
    let (builder, key, has_lock) = (job.builder()?, job.key(), job.has_lock);
    let auth = builder.build().map_err(io::Error::other)?;
    let (ask, asked_at) = job.asked();
    let held = match (has_lock, lock) {
        (true, Some(file)) => {
            Some(auth.keeper().store.adopt(&key, file).map_err(io::Error::other)?)
        }
        (true, None) => return Err(io::Error::other("a lock that did not come")),
        (false, _) => None,
    };
    // A caller that has died meanwhile is no reason to stop.
    let _ = tell(BEGUN);
    let (landed, _) = auth.keeper().fly(&ask, asked_at, held);
    let answer = ChildReply::of(&landed, auth.take_notices());
    let text = answer.text()?;
    let told = tell(text.as_bytes());
    // If the caller has died, nobody hears the outcome, but what was fetched is saved all the same. Saving is retried once if it
    // failed, and a saved entry is watched for a while.
    match &landed {
        Ok(issued) if matches!(issued.how(), TokenOrigin::Renewed) => {
            auth.keeper().restore_if_overwritten(issued.session());
        }
        _ => {
            auth.keeper().is_saved();
        }
    }
    told
}

fn tell(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Ends this process if no job arrives, or when the time for its requests is over, whatever it hangs on. It does not end the
/// process between spending a secret and saving the result, if that ends at all.
///
/// Only time during which this process runs counts: one that was stopped for an hour goes on where it was.
fn end_in_time() -> io::Result<SyncSender<(Duration, Duration)>> {
    let (send, receive) = mpsc::sync_channel(1);
    let body = move || {
        let look = |tick| match receive.recv_timeout(tick) {
            Err(RecvTimeoutError::Timeout) => None,
            heard => Some(heard),
        };
        match AwakeClock::default().wait_blocking(READING, look) {
            Some(Ok((limit, finishing))) => {
                sleep(limit);
                u2m_http::wait_for_saves_and_refuse(finishing);
                // What is saved by now must still be reported.
                sleep(ANSWERING);
            }
            // The process is already ending.
            Some(Err(_)) => return,
            None => {}
        }
        #[allow(clippy::exit)]
        std::process::exit(1);
    };
    std::thread::Builder::new().name("u2m-limit".into()).spawn(body)?;
    Ok(send)
}

/// Sleeps for `limit` of this process's own running time.
fn sleep(limit: Duration) {
    let nothing = |tick| -> Option<()> {
        std::thread::sleep(tick);
        None
    };
    AwakeClock::default().wait_blocking(limit, nothing);
}

#[cfg(unix)]
mod platform {
    use super::File;
    use crate::runtime::OwnRuntime;
    use tokio::signal::unix::{SignalKind, signal};

    /// Leaves the caller's session, terminal and signals. Returns the open file at standard error, which holds the lock.
    pub(super) fn separate() -> Option<File> {
        // Fails only if this process leads a group already, and then no terminal sends it signals.
        let _ = rustix::process::setsid();
        // A signal that is listened for no longer ends the process.
        let _ = OwnRuntime::default().block_on(async {
            let kinds = [
                SignalKind::alarm(),
                SignalKind::hangup(),
                SignalKind::interrupt(),
                SignalKind::io(),
                SignalKind::quit(),
                SignalKind::terminate(),
                SignalKind::user_defined1(),
                SignalKind::user_defined2(),
            ];
            for kind in kinds {
                drop(signal(kind));
            }
        });
        let lock = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 3).ok()?;
        // Keeps the text of a panic out of the lock's file.
        let nowhere = File::options().write(true).open("/dev/null").ok()?;
        rustix::stdio::dup2_stderr(nowhere).ok()?;
        Some(File::from(lock))
    }
}

#[cfg(not(unix))]
mod platform {
    pub(super) fn separate() -> Option<super::File> {
        None
    }
}
