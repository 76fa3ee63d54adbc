//! A refresh that outlives its caller.
//!
//! Programs are killed exactly while they wait for the token endpoint: by the time limit of whoever called them, by a
//! cancelled job, by Ctrl-C to the whole group. Where the server rotates refresh tokens, the successor is lost then, and the
//! login with it. No client can prevent that from within the process that is killed. So the part of a refresh that must not be
//! interrupted (prove, request, save) runs in a small process of its own:
//!
//! - It is started only when a refresh is due, under the entry's lock, and goes on with that very lock.
//! - It is in a session of its own, without a terminal, and stops neither for SIGHUP, SIGINT nor SIGTERM.
//! - What it has to do, secrets included, comes over a pipe, and its answer goes back over another. Nothing secret stands in
//!   its arguments or its environment.
//! - It ends by itself, at the latest when the time for its requests is over and what they bought is saved. It leaves nothing
//!   behind.
//!
//! The caller waits for the answer, and may die. Where no process can be started, where it ends before it says that it has
//! begun, or where the store, the transport or the endpoints are the program's own, the refresh happens in the program, as it
//! does without this.
//!
//! What ends a whole container or machine ends this too; so does a `kill -9` of the small process itself.

mod answer;
mod job;
mod parent;
mod place;
mod worker;

pub use worker::serve_detached;

pub(crate) use parent::{DetachedOutcome, finish};

use std::ffi::OsString;
use std::path::PathBuf;

/// The word that tells a program to be the small process.
const WORD: &str = "__u2m-refresh";

/// Set for the small process alone: the word by itself may be anybody's, the name of a profile, say.
const MARK: &str = "U2M_DETACHED_REFRESH";

/// The line that the small process says before it may spend anything. Until then, whatever happens to it, nothing was.
const BEGUN: &[u8] = b"begun\n";

/// How to start the process that a refresh runs in: see [`Builder::with_detached_refresh`](crate::Builder::with_detached_refresh).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detached {
    program: PathBuf,
    words: Vec<OsString>,
}

impl Detached {
    /// This very program, whose `main` begins with [`serve_detached`]:
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
    /// The system does not say what program this is.
    pub fn this_program() -> std::io::Result<Self> {
        // By this name, a program that was replaced by a newer one since it started still finds itself. Where there is no
        // such file the process cannot be started, and the refresh stays here.
        let program = match cfg!(target_os = "linux") {
            true => PathBuf::from("/proc/self/exe"),
            false => std::env::current_exe()?,
        };
        Ok(Self { program, words: Vec::new() })
    }

    /// Another program of the same version of this crate: an installed `u2m`, say. It is given the login's secrets.
    ///
    /// ```
    /// let detached = u2m::process::Detached::program("/usr/local/bin/u2m");
    /// # drop(detached);
    /// ```
    pub fn program(path: impl Into<PathBuf>) -> Self {
        Self { program: path.into(), words: Vec::new() }
    }

    /// Puts words before the one that makes the program the small process, for one that has subcommands of its own.
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
