//! The small process's side.

use super::WORD;
use super::answer::Answer;
use super::job::Job;
use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;
use u2m_core::TokenError;
use zeroize::Zeroizing;

/// More than any job has.
const LIMIT: u64 = 1 << 20;

/// To be called first in `main` by a program that refreshes by [`Detached::this_program`](super::Detached::this_program).
/// `Some` means that this process was started for one refresh, which is done: `main` returns the code. `None` means that it is
/// an ordinary start.
///
/// ```
/// assert!(u2m::serve_detached().is_none(), "nobody asked for it here");
/// ```
pub fn serve_detached() -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    if words.next_back()? != WORD {
        return None;
    }
    Some(match serve() {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever asked is told nothing, and takes it for unfinished.
        Err(_) => ExitCode::FAILURE,
    })
}

fn serve() -> io::Result<()> {
    let lock = platform::separate();
    let mut text = Zeroizing::new(String::new());
    io::stdin().lock().take(LIMIT).read_to_string(&mut text)?;
    let job = Job::parse(&text)?;
    drop(text);
    end_after(job.limit())?;
    let (builder, key, has_lock) = (job.builder()?, job.key(), job.has_lock);
    let auth = builder.build().map_err(io::Error::other)?;
    let (ask, asked_at) = job.asked();
    let held = match lock.filter(|_| has_lock) {
        Some(file) => auth.keeper.store.adopt(&key, file).map(Some),
        None => Ok(None),
    };
    let landed = match held {
        Ok(held) => auth.keeper.fly(&ask, asked_at, held),
        Err(error) => Err(TokenError::Store(u2m_core::StoreFailure::new(error))),
    };
    let text = serde_json::to_string(&Answer::of(&landed)).map_err(io::Error::other)?;
    let text = Zeroizing::new(text);
    let told = io::stdout().lock().write_all(text.as_bytes());
    // Nobody is left to hear of it when the caller has died; what was fetched is saved all the same. And what could not be
    // saved is tried once more.
    auth.keeper.is_saved();
    told
}

/// Ends this process when its time is over, whatever it hangs on.
fn end_after(limit: Duration) -> io::Result<()> {
    let body = move || {
        std::thread::sleep(limit);
        #[allow(clippy::exit)]
        std::process::exit(1);
    };
    std::thread::Builder::new().name("u2m-limit".into()).spawn(body).map(drop)
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
            for kind in [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()] {
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
