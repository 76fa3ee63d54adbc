//! A small runtime for an ordinary thread that has to wait for async work.

use std::io;
use tokio::runtime::{Builder, Runtime};

/// A runtime on the caller's own thread, built when it is first needed. Dropping it does not wait for what still runs on it,
/// such as a name lookup, which may take longer than the caller waits.
#[derive(Default)]
pub(crate) struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    /// Waits for `work`. Must not be called within an async runtime.
    pub(crate) fn block_on<T>(&mut self, work: impl Future<Output = T>) -> io::Result<T> {
        let runtime = match self.0.take() {
            Some(runtime) => runtime,
            None => Builder::new_current_thread().enable_all().build()?,
        };
        Ok(self.0.insert(runtime).block_on(work))
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
