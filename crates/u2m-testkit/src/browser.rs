//! A stand-in for the browser and the person using it.

use std::{
    error::Error,
    fmt,
    io::{self, BufReader, Write as _},
    net::TcpStream,
    thread::{self, JoinHandle},
    time::Duration,
};

use http::{StatusCode, header};
use url::{Host, Url};

use crate::wire::{Framing, WireError, read_body, read_head};

/// About as many redirects as browsers follow.
const REDIRECTS: usize = 20;

/// A callback page may wait for a whole login.
const PATIENCE: Duration = Duration::from_secs(30);

/// The page that a browser ended up on.
#[derive(Clone)]
pub struct Page {
    status: StatusCode,
    url: Url,
    body: String,
}

impl Page {
    /// The status of the last answer.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The URL of the last answer. It may contain a code.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The text of the page.
    pub fn body(&self) -> &str {
        &self.body
    }
}

/// Shows neither query nor body.
impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("status", &self.status)
            .field("path", &self.url.path())
            .finish_non_exhaustive()
    }
}

/// Why the browser shows no page.
#[derive(Debug)]
#[non_exhaustive]
pub enum BrowseError {
    /// The address, or one that it redirects to, is not `http` on this machine.
    NotLoopback,
    /// The answer is not HTTP, or it is too large.
    NotHttp,
    /// There were too many redirects.
    TooManyRedirects,
    /// No connection could be made, or it broke.
    Unreachable(io::Error),
}

impl fmt::Display for BrowseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotLoopback => "the address is not http on this machine",
            Self::NotHttp => "the answer is not HTTP",
            Self::TooManyRedirects => "too many redirects",
            Self::Unreachable(_) => "nothing answered",
        })
    }
}

impl Error for BrowseError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreachable(error) => Some(error),
            Self::NotLoopback | Self::NotHttp | Self::TooManyRedirects => None,
        }
    }
}

/// Opens `url` as a browser would and follows redirects, including the one to the program's own callback. It only connects to
/// this machine.
///
/// ```
/// let server = u2m_testkit::RunningServer::start()?;
/// let page = u2m_testkit::follow_login(server.base_url())?;
/// assert_eq!(page.status(), 200);
/// assert!(page.body().contains("Fake server for testing"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn follow_login(url: &str) -> Result<Page, BrowseError> {
    let mut url = Url::parse(url).map_err(|_| BrowseError::NotLoopback)?;
    for _ in 0..=REDIRECTS {
        let (status, location, body) = open(&url)?;
        match location.filter(|_| status.is_redirection()) {
            Some(location) => url = url.join(&location).map_err(|_| BrowseError::NotHttp)?,
            None => return Ok(Page { status, url, body }),
        }
    }
    Err(BrowseError::TooManyRedirects)
}

/// Runs [`follow_login`] in a thread of its own, for programs that open the browser and then wait for the callback.
///
/// ```
/// let server = u2m_testkit::RunningServer::start()?;
/// let browser = u2m_testkit::follow_login_in_background(server.base_url());
/// let page = browser.join().expect("no panic")?;
/// assert_eq!(page.status(), 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn follow_login_in_background(url: impl Into<String>) -> JoinHandle<Result<Page, BrowseError>> {
    let url = url.into();
    thread::spawn(move || follow_login(&url))
}

/// Sends one GET on a connection of its own; returns status, location and body.
fn open(url: &Url) -> Result<(StatusCode, Option<String>, String), BrowseError> {
    let mut stream = connect(url)?;
    let mut authority = url.host_str().unwrap_or_default().to_owned();
    if let Some(port) = url.port() {
        authority = format!("{authority}:{port}");
    }
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let request = format!(
        "GET {target} HTTP/1.1\r\nhost: {authority}\r\naccept: text/html\r\n\
         user-agent: u2m-testkit\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).map_err(BrowseError::Unreachable)?;
    let mut reader = BufReader::new(stream);
    let head = loop {
        let head = read_head(&mut reader)?.ok_or_else(|| {
            BrowseError::Unreachable(io::Error::from(io::ErrorKind::UnexpectedEof))
        })?;
        let status = head.start.split(' ').nth(1).and_then(|text| text.parse().ok());
        let status: StatusCode = status.ok_or(BrowseError::NotHttp)?;
        if !status.is_informational() {
            break (status, head.headers);
        }
    };
    let (status, headers) = head;
    let bodiless = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    let framing = match Framing::of(&headers, Framing::UntilClose)? {
        _ if bodiless => Framing::Length(0),
        framing => framing,
    };
    let body = read_body(&mut reader, framing)?;
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok((status, location.map(str::to_owned), body))
}

/// Connects to this machine by whichever of its addresses answers.
fn connect(url: &Url) -> Result<TcpStream, BrowseError> {
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() != "http" || !is_local {
        return Err(BrowseError::NotLoopback);
    }
    let connected = url.socket_addrs(|| None).and_then(|addresses| {
        let stream = TcpStream::connect(&*addresses)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    });
    connected.map_err(BrowseError::Unreachable)
}

impl From<WireError> for BrowseError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Io(error) => Self::Unreachable(error),
            WireError::Malformed | WireError::TooLarge => Self::NotHttp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_goes_nowhere_but_to_this_machine() {
        for url in ["https://localhost:1/", "http://example.com/", "http://localhost.evil:1/", "x"]
        {
            assert!(matches!(follow_login(url), Err(BrowseError::NotLoopback)), "{url}");
        }
    }
}
