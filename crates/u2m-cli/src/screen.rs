//! The terminal as this process found it, and its way back there, however the process ends.

use std::io::{IsTerminal, Write};
#[cfg(unix)]
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a line stands on the screen that is to go.
static HAS_LINE: AtomicBool = AtomicBool::new(false);

/// Whether standard error shows what is drawn on it.
pub(crate) fn can_draw() -> bool {
    std::io::stderr().is_terminal() && !is_plain()
}

/// A terminal that only takes line by line: one that says so, and the one of Git for Windows, which is a pipe underneath.
pub(crate) fn is_plain() -> bool {
    let term = std::env::var_os("TERM");
    let is_dumb = match &term {
        Some(name) => name == "dumb" || name.is_empty(),
        None => cfg!(unix),
    };
    is_dumb || std::env::var_os("MSYSTEM").is_some_and(|value| !value.is_empty())
}

/// Whether colours are wished.
pub(crate) fn has_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !is_plain()
}

/// How many characters fit into a line.
pub(crate) fn width() -> usize {
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stderr())
        && size.ws_col > 0
    {
        return size.ws_col.into();
    }
    80
}

/// Draws a line in the place of the last one; `None` takes it away.
pub(crate) fn draw(line: Option<&str>) {
    let text: String = line.unwrap_or_default().chars().take(width().saturating_sub(1)).collect();
    if line.is_none() && !HAS_LINE.swap(false, Ordering::Relaxed) {
        return;
    }
    HAS_LINE.store(line.is_some(), Ordering::Relaxed);
    crate::output::ask(&format!("\r\u{1b}[K{text}"));
}

/// Keeps how the terminal is set, and sets it so again at its end.
#[cfg_attr(not(unix), allow(dead_code, reason = "consoles are set back by what changes them"))]
pub(crate) struct Kept(());

#[cfg(unix)]
static FOUND: Mutex<Option<rustix::termios::Termios>> = Mutex::new(None);

impl Kept {
    /// `None` where there is no terminal, or one that belongs to another program just now.
    #[cfg(unix)]
    pub(crate) fn now() -> Option<Self> {
        let terminal = own_terminal()?;
        let found = rustix::termios::tcgetattr(&terminal).ok()?;
        FOUND.lock().ok()?.get_or_insert(found);
        Some(Self(()))
    }

    /// The same; and what is typed does not show, because it would stand where a line is drawn again and again, and because
    /// it holds a code.
    #[cfg(unix)]
    pub(crate) fn without_echo() -> Option<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let kept = Self::now()?;
        let terminal = own_terminal()?;
        let mut modes = tcgetattr(&terminal).ok()?;
        modes.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Now, &modes).ok()?;
        Some(kept)
    }

    #[cfg(not(unix))]
    pub(crate) fn now() -> Option<Self> {
        None
    }

    #[cfg(not(unix))]
    pub(crate) fn without_echo() -> Option<Self> {
        None
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        set_back();
    }
}

/// Leaves the terminal as it was found, at the end of a process that does not run to its end.
pub(crate) fn restore() {
    draw(None);
    if set_back() && !is_plain() {
        // Prompts hide the cursor, and let pastes come in brackets.
        let _ = write!(std::io::stderr().lock(), "\u{1b}[?25h\u{1b}[?2004l\r\n");
    }
}

/// Whether there was anything to set back.
#[cfg(unix)]
fn set_back() -> bool {
    let Some(found) = FOUND.lock().ok().and_then(|mut found| found.take()) else { return false };
    if let Some(terminal) = own_terminal() {
        // Nothing more can be done for it.
        let _ =
            rustix::termios::tcsetattr(&terminal, rustix::termios::OptionalActions::Now, &found);
    }
    true
}

#[cfg(not(unix))]
fn set_back() -> bool {
    false
}

/// The terminal, if we are in its foreground: others are stopped when they change it.
#[cfg(unix)]
fn own_terminal() -> Option<std::fs::File> {
    let terminal = std::fs::File::open("/dev/tty").ok()?;
    let group = rustix::termios::tcgetpgrp(&terminal).ok()?;
    (group == rustix::process::getpgrp()).then_some(terminal)
}
