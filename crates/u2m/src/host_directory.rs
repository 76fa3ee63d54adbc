//! Host metadata, asked for once and kept for a while.
//!
//! A stored token never needs it: only commands that contact a server anyway use it.

mod file;

use crate::runtime::OwnRuntime;
use file::DirectoryFile;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use u2m_cache::FileStore;
use u2m_core::{Fingerprint, Host, HostMetadata};
use u2m_http::{RetryPolicy, Transport, drive};
use url::Url;

/// A host with metadata answers at once; a silent one must leave time for the requests that follow.
const PATIENCE: Duration = Duration::from_secs(3);

/// Turns the cache off. The name comes from Databricks' CLI.
const VARIABLE: &str = "DATABRICKS_CACHE_ENABLED";

/// Names the folder for the cache. The name comes from Databricks' CLI.
const FOLDER: &str = "DATABRICKS_CACHE_DIR";

/// The name of the cache file, in that folder or beside the logins.
const FILE: &str = "u2m-hosts.json";

/// Asks hosts for their metadata ([`HostMetadata`]) and remembers the answers. Each host is asked once in the lifetime of this
/// value. With a file to remember answers in, a host is asked again only an hour after an answer, or a minute after no answer
/// over the same route ([`Transport::way`]). Cheap to clone; clones share everything.
///
/// ```no_run
/// # async fn example() {
/// use std::sync::Arc;
/// use u2m::Host;
/// use u2m::databricks::HostDirectory;
/// use u2m::transport::ReqwestTransport;
/// let hosts = HostDirectory::for_user(Arc::new(ReqwestTransport::new()), &|name| std::env::var_os(name));
/// let host = Host::parse("https://my-company.databricks.com").unwrap();
/// let is_unified = hosts.ask(&host).await.is_some_and(|metadata| metadata.serves_accounts());
/// # drop(is_unified);
/// # }
/// ```
#[derive(Clone)]
pub struct HostDirectory(Arc<DirectoryInner>);

struct DirectoryInner {
    transport: Arc<dyn Transport>,
    file: Option<DirectoryFile>,
    asked: Mutex<PendingAnswer>,
}

/// A question to one host over one route.
type PendingAnswer = HashMap<(Host, AskPath), watch::Receiver<Option<HostAnswer>>>;

/// Identifies the route to a host, including proxy and certificate authorities. No answer over one route says nothing about
/// another.
type AskPath = Fingerprint;

/// A host's answer; `None` if it did not give one.
type HostAnswer = Option<HostMetadata>;

impl HostDirectory {
    /// Remembers answers only as long as this value lives.
    ///
    /// ```
    /// use std::sync::Arc;
    /// let hosts = u2m::databricks::HostDirectory::new(Arc::new(u2m::transport::ReqwestTransport::new()));
    /// # drop(hosts);
    /// ```
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self(Arc::new(DirectoryInner { transport, file: None, asked: Mutex::default() }))
    }

    /// Also remembers answers in the file at `path`. The file is private to the user and is replaced as a whole. A file that
    /// cannot be read or written is ignored without an error. Its folder must exist.
    ///
    /// ```
    /// use std::sync::Arc;
    /// # let folder = tempfile::tempdir()?;
    /// let transport = Arc::new(u2m::transport::ReqwestTransport::new());
    /// let hosts = u2m::databricks::HostDirectory::new(transport).with_file(folder.path().join("hosts.json"));
    /// # drop(hosts);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn with_file(self, path: impl Into<PathBuf>) -> Self {
        self.keeping(DirectoryFile::at(path.into()))
    }

    fn keeping(self, file: DirectoryFile) -> Self {
        let transport = Arc::clone(&self.0.transport);
        Self(Arc::new(DirectoryInner { transport, file: Some(file), asked: Mutex::default() }))
    }

    /// Also remembers answers in the folder that `DATABRICKS_CACHE_DIR` names, which is created, or else beside the user's
    /// logins. Remembers nothing in a file if `DATABRICKS_CACHE_ENABLED` is `0`, `f`, `false`, `no`, `off` or empty.
    ///
    /// ```
    /// use std::sync::Arc;
    /// let hosts = u2m::databricks::HostDirectory::for_user(Arc::new(u2m::transport::ReqwestTransport::new()), &|_| None);
    /// # drop(hosts);
    /// ```
    pub fn for_user(transport: Arc<dyn Transport>, env: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let hosts = Self::new(transport);
        if !is_enabled(env) {
            return hosts;
        }
        let folder = env(FOLDER).filter(|folder| !folder.is_empty()).map(PathBuf::from);
        match (folder, FileStore::from_env(env)) {
            (Some(folder), _) => hosts.keeping(DirectoryFile::in_cache(&folder, FILE)),
            (None, Ok(store)) => hosts.with_file(store.path().with_file_name(FILE)),
            (None, Err(_)) => hosts,
        }
    }

    /// Returns the metadata of `host`, within 3 seconds; `None` if the host gives none. Concurrent callers share one request,
    /// which goes on if some of them stop waiting. Must be called within a tokio runtime.
    pub async fn ask(&self, host: &Host) -> Option<HostMetadata> {
        self.ask_through(host, &self.0.transport).await
    }

    /// As [`HostDirectory::ask`], over another transport than its own.
    pub(crate) async fn ask_through(
        &self,
        host: &Host,
        transport: &Arc<dyn Transport>,
    ) -> Option<HostMetadata> {
        let mut answer = self.begin(host, transport);
        // If the runtime of the request has ended, the answer never comes and counts as none.
        let said = answer.wait_for(Option::is_some).await.ok()?;
        said.clone().flatten()
    }

    /// As [`HostDirectory::ask`], for blocking code. Must not be called within an async runtime.
    pub fn ask_blocking(&self, host: &Host) -> Option<HostMetadata> {
        OwnRuntime::default().block_on(self.ask(host)).ok().flatten()
    }

    /// As [`HostDirectory::ask_blocking`], but waits at most `limit`. A known answer is returned at once.
    pub fn ask_blocking_within(&self, host: &Host, limit: Duration) -> Option<HostMetadata> {
        if let Some(said) = self.known(host) {
            return said;
        }
        let answer = async { timeout(limit, self.ask(host)).await.ok().flatten() };
        OwnRuntime::default().block_on(answer).ok().flatten()
    }

    /// Returns the answer that is known without a request. The outer `None` means that nothing is known.
    pub fn known(&self, host: &Host) -> Option<Option<HostMetadata>> {
        self.known_through(host, &self.0.transport)
    }

    /// As [`HostDirectory::known`], over another transport than its own.
    pub(crate) fn known_through(
        &self,
        host: &Host,
        transport: &Arc<dyn Transport>,
    ) -> Option<Option<HostMetadata>> {
        let way = way(host, transport);
        let asked = self.asked();
        let answer = answered(&asked, host, &way);
        if let Some(said) = answer.and_then(|answer| answer.borrow().clone()) {
            return Some(said);
        }
        self.0.file.as_ref().and_then(|file| file.get(host, &way))
    }

    fn begin(
        &self,
        host: &Host,
        transport: &Arc<dyn Transport>,
    ) -> watch::Receiver<Option<HostAnswer>> {
        let way = way(host, transport);
        let mut asked = self.asked();
        // Ask again if the runtime of the earlier request has ended.
        if let Some(answer) = answered(&asked, host, &way)
            && (answer.borrow().is_some() || answer.has_changed().is_ok())
        {
            return answer.clone();
        }
        let (tell, answer) = watch::channel(None);
        asked.insert((host.clone(), way.clone()), answer.clone());
        drop(asked);
        match self.0.file.as_ref().and_then(|file| file.get(host, &way)) {
            Some(said) => {
                tell.send_replace(Some(said));
            }
            None => {
                let (inner, host) = (Arc::clone(&self.0), host.clone());
                let transport = Arc::clone(transport);
                tokio::spawn(async move {
                    let said = look(transport.as_ref(), &host).await;
                    if let Some(file) = &inner.file {
                        file.put(&host, &way, said.as_ref());
                    }
                    tell.send_replace(Some(said));
                });
            }
        }
        answer
    }

    fn asked(&self) -> MutexGuard<'_, PendingAnswer> {
        self.0.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn way(host: &Host, transport: &Arc<dyn Transport>) -> AskPath {
    let way = Url::parse(host.as_str()).map(|url| transport.way(&url)).unwrap_or_default();
    Fingerprint::of_text(&way)
}

/// The answer of a host over any route; otherwise the one that came or will come over this route.
fn answered<'a>(
    asked: &'a PendingAnswer,
    host: &Host,
    way: &AskPath,
) -> Option<&'a watch::Receiver<Option<HostAnswer>>> {
    let spoke =
        |answer: &watch::Receiver<Option<HostAnswer>>| matches!(*answer.borrow(), Some(Some(_)));
    let mut of_host = asked.iter().filter(|((asked, _), _)| asked == host);
    let spoken = of_host.find(|(_, answer)| spoke(answer)).map(|(_, answer)| answer);
    spoken.or_else(|| asked.get(&(host.clone(), way.clone())))
}

/// Empty metadata counts as no answer.
async fn look(transport: &dyn Transport, host: &Host) -> HostAnswer {
    let patience = RetryPolicy::default().with_budget(PATIENCE).with_repeats(0);
    let said = drive(transport, HostMetadata::lookup(host), &patience).await;
    said.ok().filter(|metadata| *metadata != HostMetadata::default())
}

impl fmt::Debug for HostDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostDirectory").field("file", &self.0.file).finish_non_exhaustive()
    }
}

fn is_enabled(env: &dyn Fn(&str) -> Option<OsString>) -> bool {
    let Some(value) = env(VARIABLE) else { return true };
    let value = value.to_string_lossy().to_ascii_lowercase();
    !matches!(value.trim(), "" | "0" | "f" | "false" | "no" | "off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_that_switch_it_off_are_the_references() {
        let says = |word: &str| is_enabled(&|_| Some(word.into()));
        for off in ["", "0", "f", "FALSE", "no", "Off"] {
            assert!(!says(off), "{off}");
        }
        assert!(says("1") && says("yes") && is_enabled(&|_| None));
    }
}
