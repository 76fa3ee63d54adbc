//! Reads the pasted redirect URI, for sessions that no browser can connect back to (SSH, containers).
//!
//! It runs beside the live [`Listener`](crate::Listener), and the first of the two to receive the
//! response wins. A login that only pastes needs no port. Pasted text contains an authorization
//! code: it is read from the terminal rather than from arguments, is checked before anything else,
//! and never gets into a message, a log or an error (T22).

mod terminal;

use std::collections::VecDeque;
use std::time::Duration;
use std::{fmt, io};
use tokio::sync::mpsc;
use tokio::time::timeout;
use u2m_core::{Browse, Callback, CallbackMatch, IgnoredReason};
use zeroize::Zeroizing;

/// The number of lines that are buffered for a busy reader.
const WAITING: usize = 4;

/// The maximum number of lines that an address may be broken into.
const PIECES: usize = 8;

/// How long to wait for the rest of an address if its first line may be incomplete. A user who
/// pastes several lines must end the last one with the Enter key.
const REST: Duration = Duration::from_secs(3);

/// The maximum total length of these lines in bytes.
const LIMIT: usize = 16 << 10;

/// A line that the user typed or pasted. Hidden in `Debug`, cleared from memory on drop.
pub struct PastedLine(Zeroizing<String>);

impl PastedLine {
    /// Wraps a line.
    ///
    /// ```
    /// let line = u2m_http::PastedLine::new("canary");
    /// assert_eq!(line.expose(), "canary");
    /// assert!(!format!("{line:?}").contains("canary"));
    /// ```
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Returns the line itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PastedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PastedLine(redacted)")
    }
}

/// A stream of lines. Dropping it stops reading.
#[derive(Debug)]
pub struct PasteLines {
    lines: mpsc::Receiver<PastedLine>,
    /// Dropped together with the lines, which tells the reading thread to stop.
    _leash: Option<terminal::Leash>,
}

impl PasteLines {
    /// Returns a sender and the lines that it sends. The input ends when the sender is dropped.
    ///
    /// ```
    /// use u2m_http::{PasteLines, PastedLine};
    /// let (sender, lines) = PasteLines::channel();
    /// sender.try_send(PastedLine::new("http://localhost:8020/?code=c&state=s")).unwrap();
    /// # drop(lines);
    /// ```
    pub fn channel() -> (mpsc::Sender<PastedLine>, Self) {
        let (sender, lines) = mpsc::channel(WAITING);
        (sender, Self { lines, _leash: None })
    }

    /// Reads lines from the user's terminal, even if standard input is something else. Dropping the
    /// lines stops reading, so that later input goes to other readers.
    ///
    /// # Errors
    /// Fails if this process has no terminal, or runs in its background.
    ///
    /// ```no_run
    /// let lines = u2m_http::PasteLines::from_terminal()?;
    /// # drop(lines);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_terminal() -> io::Result<Self> {
        terminal::lines()
    }

    /// Returns the next line, or `None` at the end of the input. Nothing is lost if the future is
    /// dropped. While these lines exist, answers of the user to other questions must be read from
    /// them too, because two readers of one terminal take lines from each other.
    pub async fn next_line(&mut self) -> Option<PastedLine> {
        self.lines.recv().await
    }
}

/// What to tell a user whose pasted text is not the response. It repeats nothing that was pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasteProblem {
    redirect_uri: String,
    junk: IgnoredReason,
}

impl PasteProblem {
    /// Returns what was wrong.
    pub fn junk(&self) -> IgnoredReason {
        self.junk
    }
}

impl fmt::Display for PasteProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uri = &self.redirect_uri;
        match self.junk {
            IgnoredReason::Empty | IgnoredReason::Repeated => {
                write!(
                    f,
                    "That address is not complete. Paste all of it, as the browser shows it; it begins with {uri}"
                )
            }
            IgnoredReason::State => {
                write!(
                    f,
                    "That is not the answer to this sign-in. Paste the whole address that begins with {uri}"
                )
            }
        }
    }
}

/// Reads lines until one of them is the response to this sign-in, or until several form one that a
/// mail program or a terminal has broken up.
///
/// Blank lines are skipped. For every other line that is not the response, `wrong` is called with
/// what to tell the user. Returns `None` at the end of the input, which only ends the paste, not a
/// listener. If a line may be broken within the code, another one is waited for, for at most 3
/// seconds. If the future is dropped, the function can be called again. Must be called within a
/// tokio runtime with time enabled.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use u2m_core::{AccountId, BeforeCallback, Entropy, Host, LoginRequest, Target};
/// use u2m_http::{PasteLines, PastedLine, Ports, read_callback};
///
/// let host = Host::parse("https://accounts.cloud.databricks.com").unwrap();
/// let target = Target::account(host, AccountId::parse("abc").unwrap());
/// let BeforeCallback::Listen(listen) = LoginRequest::new(target).start(Entropy::new([7; 64])) else { unreachable!() };
/// // Nobody listens, so the port is a name only.
/// let browse = listen.bound(Ports::default().first());
///
/// let (sender, mut lines) = PasteLines::channel();
/// sender.try_send(PastedLine::new("http://localhost:8020/?code=c&state=another")).unwrap();
/// drop(sender);
/// let mut said = Vec::new();
/// let callback = read_callback(&mut lines, &browse, |wrong| said.push(wrong.to_string())).await;
/// assert!(callback.is_none());
/// assert!(said[0].ends_with("begins with http://localhost:8020"));
/// # });
/// ```
pub async fn read_callback(
    lines: &mut PasteLines,
    browse: &Browse,
    mut wrong: impl FnMut(&PasteProblem),
) -> Option<Callback> {
    let mut before: VecDeque<PastedLine> = VecDeque::with_capacity(PIECES);
    while let Some(line) = lines.next_line().await {
        if line.expose().trim().is_empty() {
            continue;
        }
        match browse.hear_pasted(line.expose()) {
            CallbackMatch::Callback(callback) => {
                return Some(with_rest(lines, browse, line.0, callback).await);
            }
            CallbackMatch::Ignored(junk) => {
                if let Some((text, callback)) = joined(&before, &line, browse) {
                    return Some(with_rest(lines, browse, text, callback).await);
                }
                if before.len() == PIECES {
                    before.pop_front();
                }
                before.push_back(line);
                wrong(&PasteProblem { redirect_uri: browse.redirect_uri().to_owned(), junk });
            }
        }
    }
    None
}

/// Returns the response that `last` completes with the lines `before` it, and the text of all these lines.
fn joined(
    before: &VecDeque<PastedLine>,
    last: &PastedLine,
    browse: &Browse,
) -> Option<(Zeroizing<String>, Callback)> {
    let mut text = Zeroizing::new(last.expose().to_owned());
    for earlier in before.iter().rev() {
        text = Zeroizing::new([earlier.expose(), &text].join("\n"));
        if text.len() > LIMIT {
            return None;
        }
        if let CallbackMatch::Callback(callback) = browse.hear_pasted(&text) {
            return Some((text, callback));
        }
    }
    None
}

/// Appends following lines that belong to the response `text`. Any other line, or none in time, ends it.
async fn with_rest(
    lines: &mut PasteLines,
    browse: &Browse,
    mut text: Zeroizing<String>,
    mut callback: Callback,
) -> Callback {
    for _ in 1..PIECES {
        if !browse.may_go_on(&text) {
            break;
        }
        let Ok(Some(next)) = timeout(REST, lines.next_line()).await else { break };
        let is_blank = next.expose().trim().is_empty();
        // The whole address was pasted again.
        //
        let is_whole = matches!(browse.hear_pasted(next.expose()), CallbackMatch::Callback(_));
        let more =
            if is_whole { next.0 } else { Zeroizing::new([&text, next.expose()].join("\n")) };
        match browse.hear_pasted(&more) {
            CallbackMatch::Callback(longer) if !is_blank && more.len() <= LIMIT => {
                (text, callback) = (more, longer);
            }
            _ => break,
        }
    }
    callback
}
