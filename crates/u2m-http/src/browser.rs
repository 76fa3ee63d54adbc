//! Opens the user's own browser, without a shell and without an embedded view (RFC 8252 section 8.12).
//!
//! What is tried, in this order:
//!
//! 1. `BROWSER`: words, which may be quoted, with `%s` for the URL and colons between alternatives.
//!    `none` means that no browser is opened.
//! 2. The opener of the platform: `open`; `rundll32 url.dll`; under WSL `wslview`, then
//!    PowerShell's `Start-Process`, then `xdg-open`; elsewhere `xdg-open`, `x-www-browser`,
//!    `www-browser`, `sensible-browser`.
//! 3. Nothing: the caller shows the URL, which it should do first in any case.
//!
//! If an opener cannot be started, or fails within a second, the next one is tried. The child
//! process gets the URL as one argument, no terminal, and only the environment variables that
//! browsers are known to need and those that `U2M_BROWSER_ENV` names. Nobody waits for it to end.

mod choose;
mod env;
mod launch;
mod needs;
mod words;

pub use env::{BrowserEnv, Platform};

use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;
use url::Url;

/// Opens a URL in a browser. Supply your own with [`browser_fn`].
///
/// It is called on the runtime of the caller of the login, within the caller's future and beside
/// the wait for the callback. It must not block the thread. A panic propagates to that future, and
/// dropping the future drops the call.
#[async_trait]
pub trait Browser: Send + Sync {
    /// Opens `url`. If it fails, the caller shows the URL. Must not wait for the user.
    async fn open(&self, url: &Url) -> Result<(), BrowserError>;
}

macro_rules! pass_on {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<B: Browser + ?Sized> Browser for $pointer {
            async fn open(&self, url: &Url) -> Result<(), BrowserError> {
                (**self).open(url).await
            }
        }
    )*};
}

pass_on!(Arc<B>, Box<B>, &B);

/// Why no browser was opened. The caller shows the URL and continues to wait.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// `BROWSER` is `none`.
    #[error("BROWSER is set to none")]
    Disabled,
    /// Every program that was tried failed. The message does not contain the URL.
    #[error("could not open a browser ({0})")]
    Failed(String),
    /// There is no screen: no display on Linux, or a remote session on other systems.
    #[error("this session has no display")]
    Headless,
    /// None of the programs that open URLs is installed.
    #[error("no program to open a URL with was found")]
    NoneFound,
    /// The error of a browser that the caller supplied.
    #[error("could not open a browser")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The URL is neither `https` nor `http` on this machine.
    #[error("refusing to open a URL that is neither https nor on this machine")]
    Unsafe,
}

/// Returns the program that a login would try first, without opening anything.
///
/// # Errors
/// Fails if no browser would be opened, and says why.
///
/// ```
/// use u2m_http::{BrowserEnv, BrowserError, Platform, find_browser};
/// let env = BrowserEnv::new(Platform::Linux, [("BROWSER", "none")]);
/// assert!(matches!(find_browser(&env), Err(BrowserError::Disabled)));
/// ```
pub fn find_browser(env: &BrowserEnv) -> Result<std::path::PathBuf, BrowserError> {
    let page = Url::parse("https://login.databricks.com").map_err(|_| BrowserError::Unsafe)?;
    let choice = choose::choose(env, &page)?;
    match (choice.commands.into_iter().next(), choice.problems.is_empty()) {
        (Some(command), _) => Ok(command.program),
        (None, true) => Err(choice.otherwise),
        (None, false) => Err(BrowserError::Failed(choice.problems.join(", "))),
    }
}

/// Turns a function into a [`Browser`].
///
/// ```
/// use u2m_http::{Browser, BrowserError, browser_fn};
/// let browser = browser_fn(|url: url::Url| async move {
///     if url.scheme() == "https" { Ok(()) } else { Err(BrowserError::Unsafe) }
/// });
/// let browser: Box<dyn Browser> = Box::new(browser);
/// ```
pub fn browser_fn<F, Opening>(open: F) -> impl Browser
where
    F: Fn(Url) -> Opening + Send + Sync,
    Opening: Future<Output = Result<(), BrowserError>> + Send,
{
    FunctionBrowser(open)
}

struct FunctionBrowser<F>(F);

#[async_trait]
impl<F, Opening> Browser for FunctionBrowser<F>
where
    F: Fn(Url) -> Opening + Send + Sync,
    Opening: Future<Output = Result<(), BrowserError>> + Send,
{
    async fn open(&self, url: &Url) -> Result<(), BrowserError> {
        (self.0)(url.clone()).await
    }
}

/// Opens URLs with the browser of this machine.
#[derive(Clone)]
pub struct SystemBrowser {
    env: BrowserEnv,
}

impl SystemBrowser {
    /// Uses the current environment of this process.
    ///
    /// ```
    /// let browser: Box<dyn u2m_http::Browser> = Box::new(u2m_http::SystemBrowser::new());
    /// ```
    pub fn new() -> Self {
        Self::with_env(BrowserEnv::current())
    }

    /// Uses an environment that the caller supplies.
    ///
    /// ```
    /// use u2m_http::{Browser, BrowserEnv, BrowserError, Platform, SystemBrowser};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let browser = SystemBrowser::with_env(BrowserEnv::new(Platform::Linux, [("BROWSER", "none")]));
    /// let url = url::Url::parse("https://a.example").unwrap();
    /// assert!(matches!(browser.open(&url).await, Err(BrowserError::Disabled)));
    /// # });
    /// ```
    pub fn with_env(env: BrowserEnv) -> Self {
        Self { env }
    }
}

impl Default for SystemBrowser {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows the platform, but no environment variables.
impl fmt::Debug for SystemBrowser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemBrowser").field("env", &self.env).finish()
    }
}

#[async_trait]
impl Browser for SystemBrowser {
    async fn open(&self, url: &Url) -> Result<(), BrowserError> {
        if !may_be_opened(url) {
            return Err(BrowserError::Unsafe);
        }
        let choice = choose::choose(&self.env, url)?;
        let mut failures = choice.problems;
        for command in &choice.commands {
            match launch::launch(command, &self.env).await {
                Ok(()) => return Ok(()),
                Err(problem) => failures.push(problem),
            }
        }
        Err(if failures.is_empty() {
            choice.otherwise
        } else {
            BrowserError::Failed(failures.join("; "))
        })
    }
}

/// Returns whether the URL is `https`, or `http` with a loopback host, as the URL parser sees it, and contains no
/// credentials. Such a URL begins with its scheme, so no program takes it for an option (T19).
fn may_be_opened(url: &Url) -> bool {
    let on_this_machine = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    let plain = url.username().is_empty() && url.password().is_none();
    plain && (url.scheme() == "https" || (url.scheme() == "http" && on_this_machine))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_shown_as_its_environment() {
        let env = BrowserEnv::new(Platform::Linux, [("BROWSER", "canary")]);
        let shown = format!("{:?}", SystemBrowser::with_env(env));
        assert_eq!(shown, "SystemBrowser { env: BrowserEnv { platform: Linux, .. } }");
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn t19_only_https_and_this_machine_may_be_opened() {
        for (url, expected) in [
            ("https://a.example/authorize?a=b", true),
            ("http://localhost:8020/", true),
            ("http://127.0.0.1:1", true),
            ("http://[::1]:1", true),
            ("http://a.example", false),
            ("http://127.0.0.1.a.example", false),
            ("https://user@a.example", false),
            ("file:///etc/passwd", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("vscode://a", false),
            ("ms-settings:x", false),
        ] {
            assert_eq!(may_be_opened(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
