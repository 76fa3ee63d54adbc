//! The lines of a question on the terminal: drawn, drawn again in the same place, and left as an answer.

use super::NoAnswer;
use super::keys::{Key, key};
use crate::{output, screen};
use crossterm::event::{self, Event};
use std::time::Duration;

/// How often is looked whether the process was continued after a stop.
const LOOK: Duration = Duration::from_millis(200);

/// Lines that fit the width each, and where the cursor stands in them.
pub(super) struct Frame {
    pub(super) lines: Vec<String>,
    pub(super) row: usize,
    pub(super) column: usize,
}

/// What came from the terminal.
pub(super) enum Input {
    Key(Key),
    Paste(String),
    /// The size is another one, or the screen another's until now.
    Redraw,
}

/// A terminal whose keys come one by one.
pub(super) struct Canvas {
    /// The widths of the lines down to that of the cursor, of what was drawn last.
    above: Vec<usize>,
    column: usize,
    _kept: screen::TerminalModes,
}

impl Canvas {
    pub(super) fn open() -> Result<Self, NoAnswer> {
        let kept = screen::TerminalModes::by_key().ok_or(NoAnswer::Impossible)?;
        output::ask(BRACKETED);
        Ok(Self { above: Vec::new(), column: 0, _kept: kept })
    }

    /// Draws `frame` in the place of the last one.
    pub(super) fn draw(&mut self, frame: &Frame) {
        let mut out = self.back();
        out += &frame.lines.join("\u{1b}[K\r\n");
        out += "\u{1b}[K\u{1b}[J\r";
        match frame.lines.len().saturating_sub(frame.row + 1) {
            0 => {}
            up => out += &format!("\u{1b}[{up}A"),
        }
        if frame.column > 0 {
            out += &format!("\u{1b}[{}C", frame.column);
        }
        output::ask(&out);
        let lines = frame.lines.iter().take(frame.row);
        self.above = lines.map(|line| screen::width_of(&plain(line))).collect();
        self.column = frame.column;
    }

    /// To the beginning of what was drawn. A terminal that has become narrower breaks its lines.
    fn back(&self) -> String {
        let width = screen::width();
        let rows = |columns: usize| columns.max(1).div_ceil(width.max(1));
        let up =
            self.above.iter().map(|line| rows(*line)).sum::<usize>() + self.column / width.max(1);
        match up {
            0 => "\r".to_owned(),
            up => format!("\r\u{1b}[{up}A"),
        }
    }

    /// Takes the question away; `answer` stays in its place.
    pub(super) fn close(self, answer: &str) {
        output::ask(&format!("{}\u{1b}[J{answer}{PLAIN}\r\n", self.back()));
    }

    /// Leaves the question as it is; what is said next begins below it.
    pub(super) fn leave(mut self, frame: &Frame) {
        let last = frame.lines.len().saturating_sub(1);
        self.draw(&Frame { lines: frame.lines.clone(), row: last, column: 0 });
        output::ask(&format!("{PLAIN}\r\n"));
    }

    /// Stops the process as Ctrl-Z does anywhere, and goes on when it is continued.
    fn suspend(&mut self) {
        output::ask(&format!("{}\u{1b}[J{PLAIN}", self.back()));
        self.above.clear();
        self.column = 0;
        screen::suspend();
        output::ask(BRACKETED);
    }

    /// The next key, paste or reason to draw.
    pub(super) fn next(&mut self) -> Result<Input, NoAnswer> {
        loop {
            if screen::was_resumed() {
                // Whatever stands there now is another's.
                self.above.clear();
                self.column = 0;
                output::ask(BRACKETED);
                return Ok(Input::Redraw);
            }
            if !event::poll(LOOK).map_err(|_| NoAnswer::Ended)? {
                continue;
            }
            match event::read().map_err(|_| NoAnswer::Ended)? {
                Event::Key(event) => match key(event) {
                    Some(Key::Suspend) => {
                        self.suspend();
                        return Ok(Input::Redraw);
                    }
                    Some(key) => return Ok(Input::Key(key)),
                    None => {}
                },
                Event::Paste(text) => return Ok(Input::Paste(text)),
                Event::Resize(..) => return Ok(Input::Redraw),
                _ => {}
            }
        }
    }
}

/// Pastes come in brackets, so that the end of a line in one is no answer.
const BRACKETED: &str = "\u{1b}[?2004h";
const PLAIN: &str = "\u{1b}[?2004l";

/// Bold, and the reverse of the ground: both are read on any ground, as no colour of a palette is.
pub(super) fn bold(text: &str) -> String {
    styled("1", text)
}

pub(super) fn reverse(text: &str) -> String {
    styled("7", text)
}

fn styled(style: &str, text: &str) -> String {
    match screen::has_colour() {
        true => format!("\u{1b}[{style}m{text}\u{1b}[0m"),
        false => text.to_owned(),
    }
}

/// A line without its styles.
fn plain(line: &str) -> String {
    ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[7m"]
        .iter()
        .fold(line.to_owned(), |line, style| line.replace(style, ""))
}
