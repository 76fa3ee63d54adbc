//! The small process's side.

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

/// More than any job has.
const LIMIT: u64 = 1 << 20;

/// The longest that an answer takes on its way.
const ANSWERING: Duration = Duration::from_secs(5);

/// A job is written at once.
const READING: Duration = Duration::from_secs(10);

/// To be called first in `main` by a program that refreshes by [`Detached::this_program`](super::Detached::this_program).
/// `Some` means that this process was started for one refresh, which is done: `main` returns the code. `None` means that it is
/// an ordinary start.
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
        // Whoever asked is not told that it has begun, or not how it ended.
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
    // A caller that has died since is no reason to stop.
    let _ = tell(BEGUN);
    let (landed, _) = auth.keeper().fly(&ask, asked_at, held);
    let answer = ChildReply::of(&landed, auth.take_notices());
    let text = answer.text()?;
    let told = tell(text.as_bytes());
    // Nobody is left to hear of it when the caller has died; what was fetched is saved all the same. What could not be saved is
    // tried once more, and what was saved is looked after.
    match &landed {
        Ok(issued) if matches!(issued.how(), TokenOrigin::Renewed) => {
            auth.keeper().look_after(issued.session());
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

/// Ends this process if no job comes, or when the time that is sent for it is over, whatever it hangs on; but not between
/// spending a secret and saving what it bought, if that ends at all.
///
/// All of it is this process's own time: one that was stopped for an hour goes on where it was.
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
                // What is saved by now has still to be told.
                sleep(ANSWERING);
            }
            // It is ending already.
            Some(Err(_)) => return,
            None => {}
        }
        #[allow(clippy::exit)]
        std::process::exit(1);
    };
    std::thread::Builder::new().name("u2m-limit".into()).spawn(body)?;
    Ok(send)
}

/// Sleeps for `limit` of this process's own time.
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

    /// Leaves the caller's session, terminal and signals; returns the open file at standard error, which the lock is on.
    pub(super) fn separate() -> Option<File> {
        // Fails only where this is the first of a group already, and then no terminal sends it signals.
        let _ = rustix::process::setsid();
        // A signal that is listened for ends nothing any more.
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
        // Words of a panic must not be written into the lock's file.
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
