//! Questions on a terminal that takes line by line.

use super::{NoAnswer, PickerRow};
use crate::output::{ask, note};

/// More than these are not listed before something was searched for.
const MANY: usize = 20;

pub(super) fn pick(title: &str, rows: &[PickerRow]) -> Result<usize, NoAnswer> {
    let every: Vec<usize> = (0..rows.len()).collect();
    note(title);
    list(rows, &every);
    loop {
        ask("Number, or part of a name: ");
        match choice(&line()?, rows) {
            PlainAnswer::One(index) => return Ok(index),
            PlainAnswer::Several(found) => list(rows, &found),
            PlainAnswer::None => note("Nothing is called that."),
        }
    }
}

fn list(rows: &[PickerRow], which: &[usize]) {
    let is_shown = |(place, index): &(usize, &usize)| rows[**index].is_action || *place < MANY;
    let (shown, hidden): (Vec<_>, Vec<_>) = which.iter().enumerate().partition(is_shown);
    for (_, &index) in shown {
        note(&format!("{:>3}  {}", index + 1, rows[index].line(usize::MAX)));
    }
    if !hidden.is_empty() {
        note(&format!("     and {} more", hidden.len()));
    }
}

#[derive(Debug, PartialEq, Eq)]
enum PlainAnswer {
    One(usize),
    Several(Vec<usize>),
    None,
}

/// A whole name goes before a number, and a number before a part.
fn choice(said: &str, rows: &[PickerRow]) -> PlainAnswer {
    let said = said.trim();
    if said.is_empty() {
        return PlainAnswer::Several((0..rows.len()).collect());
    }
    if let Some(index) = rows.iter().position(|row| row.name == said) {
        return PlainAnswer::One(index);
    }
    if let Ok(number) = said.parse::<usize>()
        && (1..=rows.len()).contains(&number)
    {
        return PlainAnswer::One(number - 1);
    }
    let found: Vec<_> =
        (0..rows.len()).filter(|&at| !rows[at].is_action && rows[at].matches(said)).collect();
    match found.as_slice() {
        [] => PlainAnswer::None,
        [one] => PlainAnswer::One(*one),
        _ => PlainAnswer::Several(found),
    }
}

pub(super) fn text(
    label: &str,
    suggestion: Option<&str>,
    check: &dyn Fn(&str) -> Result<(), String>,
) -> Result<String, NoAnswer> {
    loop {
        match suggestion {
            Some(suggestion) => ask(&format!("{label} [{suggestion}]: ")),
            None => ask(&format!("{label}: ")),
        }
        let line = line()?;
        let said = match (line.trim(), suggestion) {
            ("", None) => continue,
            ("", Some(suggestion)) => suggestion,
            (said, _) => said,
        };
        match check(said) {
            Ok(()) => return Ok(said.to_owned()),
            Err(complaint) => note(&complaint),
        }
    }
}

pub(super) fn answer(question: &str) -> Result<String, NoAnswer> {
    ask(&format!("{question} "));
    line()
}

fn line() -> Result<String, NoAnswer> {
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(1..) => Ok(line),
        _ => {
            note("");
            Err(NoAnswer::Ended)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_a_number_or_a_part_of_a_name_chooses() {
        let rows = [
            PickerRow::new("2", "(https://two.example)"),
            PickerRow::new("dev", "(https://a.example)"),
            PickerRow::new("dev-2", "(https://b.example)"),
            PickerRow::action("+ Create a new profile"),
        ];
        for (said, expected) in [
            ("dev\n", PlainAnswer::One(1)),
            ("2", PlainAnswer::One(0)),
            ("3", PlainAnswer::One(2)),
            (" 4 ", PlainAnswer::One(3)),
            ("B.EXAMPLE", PlainAnswer::One(2)),
            ("de", PlainAnswer::Several(vec![1, 2])),
            ("", PlainAnswer::Several(vec![0, 1, 2, 3])),
            ("nothing", PlainAnswer::None),
            ("5", PlainAnswer::None),
        ] {
            assert_eq!(choice(said, &rows), expected, "{said}");
        }
    }
}
