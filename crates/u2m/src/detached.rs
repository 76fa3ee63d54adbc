//! Detached refreshes: refreshes that outlive the process that asked for them.
//!
//! Programs are often killed exactly while they wait for the token endpoint: by their caller's time limit, by a cancelled job,
//! or by Ctrl-C to the whole process group. If the server rotates refresh tokens, the successor is then lost, and the login with
//! it. The process that is killed cannot prevent that. So the part of a refresh that must not be interrupted (prove, request,
//! save) runs in a small process of its own:
//!
//! - It is started only when a refresh is due, under the entry's lock, and takes over that very lock.
//! - It runs in a session of its own, without a terminal, and ignores SIGHUP, SIGINT and SIGTERM.
//! - Its job, secrets included, arrives over a pipe, and its answer goes back over another. Its arguments and environment hold
//!   no secret.
//! - It ends by itself, at the latest when the time for its requests is over and their results are saved. It leaves nothing
//!   behind.
//!
//! The caller waits for the answer, and may die. The refresh runs in the program itself, as it does without this feature, if no
//! process can be started, if the process ends before it reports that it has begun, or if the store, the transport or the
//! endpoints are the program's own.
//!
//! What ends a whole container or machine ends this process too, and so does a `kill -9` of the process itself.

mod answer;
mod job;
mod parent;
mod place;
mod worker;

pub use worker::serve_detached;

pub(crate) use parent::{DetachedOutcome, finish};

use std::ffi::OsString;
use std::path::PathBuf;

/// The argument that tells a program to be the refresh process.
const WORD: &str = "__u2m-refresh";

/// An environment variable set only for the refresh process: the argument alone could be anything, such as a profile's name.
const MARK: &str = "U2M_DETACHED_REFRESH";

/// The line that the refresh process writes before it may spend anything. Until then, whatever happens to it, nothing was spent.
const BEGUN: &[u8] = b"begun\n";

/// Says which program to start for detached refreshes; see
/// [`Builder::with_detached_refresh`](crate::Builder::with_detached_refresh).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detached {
    program: PathBuf,
    words: Vec<OsString>,
}

impl Detached {
    /// Uses this program itself, whose `main` must begin with [`serve_detached`]:
    ///
    /// ```no_run
    /// use std::process::ExitCode;
    /// use u2m::{Host, PersistentAuth, Target};
    /// use u2m::process::{Detached, serve_detached};
    ///
    /// fn main() -> ExitCode {
    ///     if let Some(code) = serve_detached() {
    ///         return code;
    ///     }
    ///     let target = Target::workspace(Host::parse("https://my-workspace.cloud.databricks.com").unwrap());
    ///     let builder = PersistentAuth::builder(target);
    ///     let builder = match Detached::this_program() {
    ///         Ok(detached) => builder.with_detached_refresh(detached),
    ///         Err(_) => builder,
    ///     };
    ///     println!("{:?}", builder.build().unwrap().blocking().token());
    ///     ExitCode::SUCCESS
    /// }
    /// ```
    ///
    /// # Errors
    /// Fails if the system does not say which program this is.
    pub fn this_program() -> std::io::Result<Self> {
        // With this path, a program that was replaced by a newer version since it started still finds itself. If the file does
        // not exist, the process cannot be started and the refresh stays here.
        let program = match cfg!(target_os = "linux") {
            true => PathBuf::from("/proc/self/exe"),
            false => std::env::current_exe()?,
        };
        Ok(Self { program, words: Vec::new() })
    }

    /// Uses another program built with the same version of this crate, such as an installed `u2m`. It receives the login's
    /// secrets.
    ///
    /// ```
    /// let detached = u2m::process::Detached::program("/usr/local/bin/u2m");
    /// # drop(detached);
    /// ```
    pub fn program(path: impl Into<PathBuf>) -> Self {
        Self { program: path.into(), words: Vec::new() }
    }

    /// Adds arguments before the one that makes the program the refresh process, for a program that expects a subcommand first.
    ///
    /// ```
    /// let detached = u2m::process::Detached::program("/usr/bin/mine").with_words(["auth"]);
    /// # drop(detached);
    /// ```
    #[must_use]
    pub fn with_words(mut self, words: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.words = words.into_iter().map(Into::into).collect();
        self
    }
}
