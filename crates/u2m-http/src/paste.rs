//! Pasting the address that the browser ended at: for sessions that no browser can reach back to (SSH, containers).
//!
//! It runs beside the live [`Listener`](crate::Listener), and the first of the two to bring the answer wins; a login
//! that only pastes needs no port at all. What is pasted holds a code: it is read from the terminal rather than from
//! arguments, is compared before anything else, and reaches no text, log or error (T22).

mod terminal;

use std::collections::VecDeque;
use std::time::Duration;
use std::{fmt, io};
use tokio::sync::mpsc;
use tokio::time::timeout;
use u2m_core::{Browse, Callback, CallbackMatch, IgnoredReason};
use zeroize::Zeroizing;

/// Lines that may be held for a reader that is busy.
const WAITING: usize = 4;

/// Into so many lines an address may have been broken.
const PIECES: usize = 8;

/// How long the rest of an answer is waited for, where its first line may not be all of it: who pastes several lines has to end the
/// last one by hand.
const REST: Duration = Duration::from_secs(3);

/// What all of them may weigh.
const LIMIT: usize = 16 << 10;

/// One line that a person typed or pasted. Redacted in `Debug`, cleared on drop.
pub struct PastedLine(Zeroizing<String>);

impl PastedLine {
    /// Takes the line over.
    ///
    /// ```
    /// let line = u2m_http::PastedLine::new("canary");
    /// assert_eq!(line.expose(), "canary");
    /// assert!(!format!("{line:?}").contains("canary"));
    /// ```
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The line itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PastedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PastedLine(redacted)")
    }
}

/// Lines as they come. Dropping this ends whatever reads them.
#[derive(Debug)]
pub struct PasteLines {
    lines: mpsc::Receiver<PastedLine>,
    /// Dropped with us, which the reading thread notices.
    _leash: Option<terminal::Leash>,
}

impl PasteLines {
    /// Lines of the caller's own making; the input ends when the sender is dropped.
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

    /// Reads the person's terminal, whatever standard input is. Dropping the lines ends the reading, so that what is typed
    /// afterwards goes to others.
    ///
    /// # Errors
    /// This process has no terminal, or runs in its background.
    ///
    /// ```no_run
    /// let lines = u2m_http::PasteLines::from_terminal()?;
    /// # drop(lines);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_terminal() -> io::Result<Self> {
        terminal::lines()
    }

    /// The next line; `None` at the end of the input. Nothing is lost when the future is dropped. Questions to the person
    /// while this is alive have to be answered through it, because two readers of one terminal take lines from each other.
    pub async fn next_line(&mut self) -> Option<PastedLine> {
        self.lines.recv().await
    }
}

/// What to tell somebody whose paste was not the answer. It repeats nothing of what was pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasteProblem {
    redirect_uri: String,
    junk: IgnoredReason,
}

impl PasteProblem {
    /// What was wrong.
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

/// Reads lines until one is the answer to this sign-in, or several that a mail or a terminal has made of one. Blank lines are
/// passed over; for every other line that is not the answer, `wrong` is told what to say. `None` is the end of the input, which
/// ends only the paste: a listener goes on. Where a line may have been broken within the code, a further one is waited for, for 3
/// seconds at most. The future may be dropped and another one made. Runs within a tokio runtime with time enabled.
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

/// The answer of which `last` is the end, and the lines `before` it the rest; and all of these.
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

/// The answer that `text` is, with the lines behind it that belong to it. Whatever else comes, or nothing, ends it.
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
        // Pasted again, all of it.
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
