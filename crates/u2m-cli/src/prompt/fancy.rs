//! Questions on a terminal that can move its cursor.

use super::{ROWS, Row, Unanswered};
use crate::screen;
use inquire::ui::RenderConfig;
use inquire::validator::Validation;
use inquire::{InquireError, Select, Text};
use std::fmt;

/// A row as it is drawn.
struct Drawn<'a>(&'a Row, usize);

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.line(self.1))
    }
}

pub(super) fn pick(title: &str, rows: &[Row]) -> Result<usize, Unanswered> {
    // The mark in front, and a last column in which some terminals break the line.
    let width = screen::width().saturating_sub(4);
    let drawn: Vec<_> = rows.iter().map(|row| Drawn(row, width)).collect();
    let score = |part: &str, row: &Drawn<'_>, _: &str, _: usize| {
        row.0.matches(part).then_some(i64::from(row.0.is_action))
    };
    let sort = |found: &mut [(usize, i64)]| order(found);
    let help = match screen::width() {
        0..50 => "type to search, Enter to choose",
        _ => "↑↓ to move, type to search, Enter to choose, Ctrl-C to stop",
    };
    let name = |chosen: inquire::list_option::ListOption<&Drawn<'_>>| chosen.value.0.name.clone();
    Select::new(title, drawn)
        .with_page_size(ROWS)
        .with_scorer(&score)
        .with_sorter(&sort)
        .with_formatter(&name)
        .with_help_message(help)
        .with_render_config(colours())
        .raw_prompt()
        .map(|chosen| chosen.index)
        .map_err(|error| unanswered(&error))
}

/// As given, but with the actions on the first page: whoever scrolls has not seen what to do otherwise.
fn order(found: &mut [(usize, i64)]) {
    found.sort_by_key(|(index, is_action)| (*is_action, *index));
    let actions = found.iter().filter(|(_, is_action)| *is_action != 0).count();
    let first = ROWS.saturating_sub(actions).min(found.len() - actions);
    found[first..].rotate_right(actions);
}

pub(super) fn text(
    label: &str,
    suggestion: Option<&str>,
    check: &dyn Fn(&str) -> Result<(), String>,
) -> Result<String, Unanswered> {
    let question = match suggestion {
        Some(suggestion) => format!("{label} [{suggestion}]:"),
        None => format!("{label}:"),
    };
    let chosen = |text: &str| match text.trim() {
        "" => suggestion.unwrap_or_default().to_owned(),
        said => said.to_owned(),
    };
    // What was typed stays to be mended, with the complaint above it.
    let validate = |text: &str| {
        Ok(match chosen(text) {
            said if said.is_empty() => Validation::Invalid("Something has to be said here".into()),
            said => match check(&said) {
                Ok(()) => Validation::Valid,
                Err(complaint) => Validation::Invalid(complaint.into()),
            },
        })
    };
    let said = Text::new(&question)
        .with_validator(validate)
        .with_render_config(colours())
        .prompt()
        .map_err(|error| unanswered(&error))?;
    Ok(chosen(&said))
}

fn colours() -> RenderConfig<'static> {
    match screen::has_colour() {
        true => RenderConfig::default_colored(),
        false => RenderConfig::empty(),
    }
}

fn unanswered(error: &InquireError) -> Unanswered {
    match error {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => {
            // The question stays on the screen; what is said next begins below it.
            crate::output::ask("\r\n");
            Unanswered::BrokenOff
        }
        _ => Unanswered::Impossible,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_stand_on_the_first_page_and_below_the_first_profiles() {
        let mut many: Vec<_> = (0..10).map(|index| (index, i64::from(index > 7))).collect();
        order(&mut many);
        let order_of = |found: &[(usize, i64)]| found.iter().map(|(at, _)| *at).collect::<Vec<_>>();
        assert_eq!(order_of(&many), [0, 1, 2, 3, 4, 8, 9, 5, 6, 7]);
        let mut few = vec![(9, 1), (3, 0), (8, 1)];
        order(&mut few);
        assert_eq!(order_of(&few), [3, 8, 9]);
        let mut none = Vec::new();
        order(&mut none);
        assert!(none.is_empty());
    }
}
