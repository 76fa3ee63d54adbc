//! Questions to the person at the terminal. They are asked on standard error, so that standard output stays the result's, and
//! only where somebody can answer: standard input and standard error are terminals, and neither `--no-input` nor
//! `U2M_NO_INPUT` is set. `NO_COLOR` takes the colours away, and a plain terminal the arrows; neither takes the questions.
//!
//! Breaking a question off ends the program with 130, as Ctrl-C does anywhere else.

mod canvas;
mod field;
mod keys;
mod line;
mod picker;
mod plain;
mod profiles;

pub(crate) use profiles::{ProfileChoice, profile};

use crate::failure::{Class, Failure};
use crate::{guard, screen};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many rows of a list are shown at a time.
const ROWS: usize = 7;

static IS_FORBIDDEN: AtomicBool = AtomicBool::new(false);

/// Nothing is asked from here on.
pub(crate) fn forbid() {
    IS_FORBIDDEN.store(true, Ordering::Relaxed);
}

/// Whether there is somebody who may be asked.
pub(crate) fn is_allowed() -> bool {
    let is_off = |value: std::ffi::OsString| ["", "0", "false"].iter().any(|off| value == *off);
    !IS_FORBIDDEN.load(Ordering::Relaxed)
        && std::env::var_os("U2M_NO_INPUT").is_none_or(is_off)
        && std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal()
}

/// One of the things to choose from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PickerRow {
    /// What it is called, fit to be shown.
    pub(crate) name: String,
    /// What else there is to know, fit to be shown.
    pub(crate) about: String,
    /// What finds it besides: all in lower case.
    pub(crate) found_by: String,
    /// It is something to do rather than to choose, and is there whatever is searched for.
    pub(crate) is_action: bool,
}

impl PickerRow {
    pub(crate) fn new(name: &str, about: &str) -> Self {
        let (name, about) = (shown(name), shown(about));
        let found_by = format!("{name} {about}").to_lowercase();
        Self { name, about, found_by, is_action: false }
    }

    pub(crate) fn action(name: &str) -> Self {
        Self { name: name.into(), about: String::new(), found_by: String::new(), is_action: true }
    }

    /// One line of this width; what a name is made of is dropped last.
    fn line(&self, width: usize) -> String {
        let text = match self.about.as_str() {
            "" => self.name.clone(),
            about => format!("{} {about}", self.name),
        };
        screen::cut(&text, width)
    }

    fn matches(&self, part: &str) -> bool {
        self.is_action || self.found_by.contains(&part.to_lowercase())
    }
}

fn shown(text: &str) -> String {
    u2m::text::Sanitized::new(text).to_string()
}

/// One of the rows, by its place. There is at least one.
pub(crate) fn pick(title: &str, rows: &[PickerRow]) -> Result<usize, Failure> {
    asked(|is_plain| match is_plain {
        true => plain::pick(title, rows),
        false => picker::pick(title, rows),
    })
}

/// A line of text; an empty answer is `suggestion`. Asked again until `check` has no complaint.
pub(crate) fn text(
    label: &str,
    suggestion: Option<&str>,
    check: &dyn Fn(&str) -> Result<(), String>,
) -> Result<String, Failure> {
    asked(|is_plain| match is_plain {
        true => plain::text(label, suggestion, check),
        false => {
            let question = match suggestion {
                Some(suggestion) => format!("{label} [{suggestion}]:"),
                None => format!("{label}:"),
            };
            field::ask(&question, &|typed| match (typed.trim(), suggestion) {
                ("", None) => Err("an answer is needed here".to_owned()),
                ("", Some(suggestion)) => check(suggestion).map(|()| suggestion.to_owned()),
                (typed, _) => check(typed).map(|()| typed.to_owned()),
            })
        }
    })
}

/// A line of text, whatever it is; the end of the input is an empty one.
pub(crate) fn answer(question: &str) -> Result<String, Failure> {
    asked(|is_plain| {
        let answer = match is_plain {
            true => plain::answer(question),
            false => field::ask(question, &|typed| Ok(typed.to_owned())),
        };
        match answer {
            Err(NoAnswer::Ended) => Ok(String::new()),
            answer => answer,
        }
    })
}

/// How a question ended without an answer.
#[derive(Debug)]
enum NoAnswer {
    /// The person broke it off.
    BrokenOff,
    /// The input ended.
    Ended,
    /// It could not be asked this way.
    Impossible,
}

fn asked<T>(ask: impl Fn(bool) -> Result<T, NoAnswer>) -> Result<T, Failure> {
    // A signal must find the terminal's way back.
    guard::watch_signals();
    let outcome = {
        let _kept = screen::TerminalModes::now();
        match ask(screen::is_plain()) {
            Err(NoAnswer::Impossible) => ask(true),
            outcome => outcome,
        }
    };
    outcome.map_err(|unanswered| {
        if matches!(unanswered, NoAnswer::BrokenOff) {
            guard::break_off();
        }
        Failure::new(Class::Other, "the input ended before an answer came")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_printable_line_that_fits() {
        let row = PickerRow::new("dev\u{1b}[31m\n", "(https://a.example)");
        assert!(!row.line(80).contains(['\u{1b}', '\n']), "{row:?}");
        assert_eq!(row.line(9).chars().count(), 9);
        assert!(row.line(9).ends_with('…'));
    }

    #[test]
    fn a_row_is_found_by_any_part_in_any_case_and_an_action_by_all() {
        let row = PickerRow::new("Dev", "(https://a.example)");
        assert!(
            row.matches("") && row.matches("DEV") && row.matches("a.EX") && !row.matches("x.y")
        );
        assert!(PickerRow::action("+ Create").matches("x.y"));
    }
}
