//! The terminal as this process found it, and its way back there, however the process ends.

use std::io::{IsTerminal, Write};
#[cfg(unix)]
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use unicode_width::UnicodeWidthChar;

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

/// How many columns a line has.
pub(crate) fn width() -> usize {
    size().map_or(80, |(columns, _)| columns)
}

/// How many columns a line of standard output has, if that is a terminal.
pub(crate) fn width_of_output() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    #[cfg(unix)]
    return rustix::termios::tcgetwinsize(std::io::stdout())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|columns| *columns > 0);
    #[cfg(not(unix))]
    size().map(|(columns, _)| columns)
}

/// How many lines there are.
pub(crate) fn height() -> usize {
    size().map_or(24, |(_, lines)| lines)
}

#[cfg(unix)]
fn size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then(|| (size.ws_col.into(), size.ws_row.into()))
}

#[cfg(not(unix))]
fn size() -> Option<(usize, usize)> {
    let (columns, lines) = crossterm::terminal::size().ok()?;
    Some((columns.into(), lines.into()))
}

/// Draws a line in the place of the last one; `None` takes it away.
pub(crate) fn draw(line: Option<&str>) {
    let text = cut(line.unwrap_or_default(), width().saturating_sub(1));
    if line.is_none() && !HAS_LINE.swap(false, Ordering::Relaxed) {
        return;
    }
    HAS_LINE.store(line.is_some(), Ordering::Relaxed);
    crate::output::ask(&format!("\r\u{1b}[K{text}"));
}

/// Keeps how the terminal is set, and sets it so again at its end.
pub(crate) struct TerminalModes(());

/// How the terminal was found, and how it is set now.
#[cfg(unix)]
struct Modes {
    found: rustix::termios::Termios,
    set: Option<rustix::termios::Termios>,
}

#[cfg(unix)]
static MODES: Mutex<Option<Modes>> = Mutex::new(None);

/// Whether the process was stopped, and goes on.
static RESUMED: AtomicBool = AtomicBool::new(false);

impl TerminalModes {
    /// `None` where there is no terminal, or one that belongs to another program just now.
    #[cfg(unix)]
    pub(crate) fn now() -> Option<Self> {
        let terminal = own_terminal()?;
        let found = rustix::termios::tcgetattr(&terminal).ok()?;
        MODES.lock().ok()?.get_or_insert(Modes { found, set: None });
        Some(Self(()))
    }

    /// The same; and what is typed does not show, because it would stand where a line is drawn again and again, and because
    /// it holds a code.
    #[cfg(unix)]
    pub(crate) fn without_echo() -> Option<Self> {
        use rustix::termios::LocalModes;
        Self::with(|modes| modes.local_modes.remove(LocalModes::ECHO))
    }

    /// The same; and keys come one by one, those too that are signals otherwise.
    #[cfg(unix)]
    pub(crate) fn by_key() -> Option<Self> {
        use rustix::termios::{InputModes, LocalModes, SpecialCodeIndex};
        Self::with(|modes| {
            modes.local_modes.remove(
                LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN,
            );
            modes.input_modes.remove(InputModes::ICRNL | InputModes::IXON);
            modes.special_codes[SpecialCodeIndex::VMIN] = 1;
            modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        })
    }

    #[cfg(unix)]
    fn with(change: impl FnOnce(&mut rustix::termios::Termios)) -> Option<Self> {
        use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
        let kept = Self::now()?;
        let terminal = own_terminal()?;
        let mut modes = tcgetattr(&terminal).ok()?;
        change(&mut modes);
        tcsetattr(&terminal, OptionalActions::Now, &modes).ok()?;
        if let Some(known) = MODES.lock().ok()?.as_mut() {
            known.set = Some(modes);
        }
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

    #[cfg(not(unix))]
    pub(crate) fn by_key() -> Option<Self> {
        crossterm::terminal::enable_raw_mode().ok().map(|()| Self(()))
    }
}

/// Stops this process and those beside it, as Ctrl-Z does; returns when they are continued. Where nobody could continue
/// them, nothing happens.
#[cfg(unix)]
pub(crate) fn suspend() {
    use rustix::process::{Signal, kill_current_process_group};
    let found = MODES.lock().ok().and_then(|modes| modes.as_ref().map(|modes| modes.found.clone()));
    if let Some(found) = found {
        set(&found);
    }
    // Who may not stop it goes on.
    let _ = kill_current_process_group(Signal::TSTP);
    resume();
}

#[cfg(not(unix))]
pub(crate) fn suspend() {}

/// The process was continued: shells set a terminal as they like it meanwhile.
#[cfg(unix)]
pub(crate) fn resume() {
    let wanted =
        MODES.lock().ok().and_then(|modes| modes.as_ref().and_then(|modes| modes.set.clone()));
    if let Some(wanted) = wanted {
        set(&wanted);
    }
    RESUMED.store(true, Ordering::Relaxed);
}

/// Whether the process was continued since this was asked last.
pub(crate) fn was_resumed() -> bool {
    RESUMED.swap(false, Ordering::Relaxed)
}

impl Drop for TerminalModes {
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
    let Some(modes) = MODES.lock().ok().and_then(|mut modes| modes.take()) else { return false };
    set(&modes.found);
    true
}

#[cfg(not(unix))]
fn set_back() -> bool {
    crossterm::terminal::disable_raw_mode().is_ok()
}

#[cfg(unix)]
fn set(modes: &rustix::termios::Termios) {
    if let Some(terminal) = own_terminal() {
        // Nothing more can be done for it.
        let _ = rustix::termios::tcsetattr(&terminal, rustix::termios::OptionalActions::Now, modes);
    }
}

/// The terminal, if we are in its foreground: others are stopped when they change it.
#[cfg(unix)]
fn own_terminal() -> Option<std::fs::File> {
    let terminal = std::fs::File::open("/dev/tty").ok()?;
    let group = rustix::termios::tcgetpgrp(&terminal).ok()?;
    (group == rustix::process::getpgrp()).then_some(terminal)
}

/// How many columns these characters take.
pub(crate) fn columns<'a>(text: impl Iterator<Item = &'a char>) -> usize {
    text.map(|c| c.width().unwrap_or(0)).sum()
}

/// How many columns a text takes.
pub(crate) fn width_of(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// As much of a text as takes no more columns.
fn head(text: &str, width: usize) -> &str {
    let mut left = width;
    for (at, c) in text.char_indices() {
        match left.checked_sub(c.width().unwrap_or(0)) {
            Some(rest) => left = rest,
            None => return &text[..at],
        }
    }
    text
}

/// The same; that it goes on is shown.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if width == 0 || width_of(text) <= width {
        return head(text, width).to_owned();
    }
    format!("{}…", head(text, width - 1))
}

/// A text in lines that fit, broken at blanks where there are some.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(3) - 1;
    let mut lines = vec![String::new()];
    for mut word in text.split(' ') {
        let line = lines.last().map_or(0, |line| width_of(line));
        if line > 0 && line + 1 + width_of(word) <= width {
            if let Some(line) = lines.last_mut() {
                *line += " ";
                *line += word;
            }
            continue;
        }
        if line > 0 {
            lines.push(String::new());
        }
        while width_of(word) > width {
            let part = head(word, width);
            word = &word[part.len()..];
            lines.insert(lines.len() - 1, part.to_owned());
        }
        if let Some(line) = lines.last_mut() {
            *line += word;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_and_broken_by_the_columns_that_it_takes() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("https://a.example", 8), ["https:/", "/a.exam", "ple"]);
    }
}
