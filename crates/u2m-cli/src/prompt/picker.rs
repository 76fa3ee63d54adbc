//! A list to choose from, on a terminal that can move its cursor.

use super::canvas::{Canvas, Frame, Input, bold, reverse};
use super::field::paste;
use super::keys::{Edit, Key};
use super::line::Line;
use super::{NoAnswer, PickerRow, ROWS};
use crate::screen::{self, width_of};

pub(super) fn pick(title: &str, rows: &[PickerRow]) -> Result<usize, NoAnswer> {
    let mut canvas = Canvas::open()?;
    let mut list = List::new(title, rows);
    loop {
        let (width, height) = (screen::width(), screen::height());
        let frame = list.frame(width, height);
        canvas.draw(&frame);
        let size = page(height);
        match canvas.next()? {
            Input::Key(Key::Enter) => {
                let Some(chosen) = list.chosen() else { continue };
                let answer = format!("? {title} {}", rows[chosen].name);
                canvas.close(&screen::cut(&answer, width));
                return Ok(chosen);
            }
            Input::Key(Key::Up) => list.go(-1, true),
            Input::Key(Key::Down) => list.go(1, true),
            Input::Key(Key::PageUp) => list.go(-size.cast_signed(), false),
            Input::Key(Key::PageDown) => list.go(size.cast_signed(), false),
            Input::Key(Key::Edit(edit)) => list.edit(edit),
            Input::Key(Key::EndOrDelete) if !list.part.is_empty() => list.edit(Edit::Delete),
            Input::Key(end @ (Key::Stop | Key::EndOrDelete)) => {
                canvas.leave(&frame);
                return Err(match end {
                    Key::Stop => NoAnswer::BrokenOff,
                    _ => NoAnswer::Ended,
                });
            }
            Input::Paste(text) => {
                paste(&mut list.part, &text);
                list.search();
            }
            Input::Key(_) | Input::Redraw => {}
        }
    }
}

/// How many rows are shown at a time: beside them stand the title and a line of help.
fn page(height: usize) -> usize {
    ROWS.min(height.saturating_sub(3)).max(1)
}

/// What is searched for, what was found, and which of it is chosen.
struct List<'a> {
    title: &'a str,
    rows: &'a [PickerRow],
    part: Line,
    found: Vec<usize>,
    at: usize,
    /// The first row that is shown.
    top: usize,
}

impl<'a> List<'a> {
    fn new(title: &'a str, rows: &'a [PickerRow]) -> Self {
        let mut list =
            Self { title, rows, part: Line::default(), found: Vec::new(), at: 0, top: 0 };
        list.search();
        list
    }

    fn edit(&mut self, edit: Edit) {
        if self.part.edit(edit) {
            self.search();
        }
    }

    fn search(&mut self) {
        let part = self.part.text();
        let found = self.rows.iter().enumerate().filter(|(_, row)| row.matches(part.trim()));
        let mut found: Vec<_> = found.map(|(at, row)| (at, i64::from(row.is_action))).collect();
        order(&mut found, ROWS);
        self.found = found.into_iter().map(|(at, _)| at).collect();
        (self.at, self.top) = (0, 0);
    }

    fn chosen(&self) -> Option<usize> {
        self.found.get(self.at).copied()
    }

    /// By so many rows; past an end to the other one, or only to it.
    fn go(&mut self, by: isize, wraps: bool) {
        let Some(last) = self.found.len().checked_sub(1) else { return };
        self.at = match self.at.checked_add_signed(by) {
            Some(at) if at <= last => at,
            Some(_) if wraps => 0,
            None if wraps => last,
            Some(_) => last,
            None => 0,
        };
    }

    fn frame(&mut self, width: usize, height: usize) -> Frame {
        let size = page(height);
        self.top = self.top.min(self.at).max((self.at + 1).saturating_sub(size));
        // In the last column some terminals break the line.
        let width = width.max(4) - 1;
        let title = screen::cut(&format!("? {}", self.title), width.saturating_sub(8).max(2));
        let start = width_of(&title) + 1;
        let (seen, at) = self.part.view(width.saturating_sub(start));
        let mut lines = vec![format!("{} {seen}", bold(&title))];
        let shown = self.found.iter().enumerate().skip(self.top).take(size);
        for (place, &index) in shown {
            let text = self.rows[index].line(width - 2);
            lines.push(match place == self.at {
                true => reverse(&format!("> {text}")),
                false => format!("  {text}"),
            });
        }
        lines.push(screen::cut(&self.help(width), width));
        Frame { lines, row: 0, column: start + at }
    }

    /// How many there are, and the keys, as far as there is room for them.
    fn help(&self, width: usize) -> String {
        let choices =
            |rows: &mut dyn Iterator<Item = &PickerRow>| rows.filter(|row| !row.is_action).count();
        let all = choices(&mut self.rows.iter());
        let found = choices(&mut self.found.iter().map(|&at| &self.rows[at]));
        let count = match (found, all) {
            (0, 0) => String::new(),
            (0, _) => format!("no match among {all}, "),
            _ if found == all => format!("{all} in all, "),
            _ => format!("{found} of {all} match, "),
        };
        let keys = [
            "↑↓ to move, type to search, Enter to choose, Ctrl-C to stop",
            "type to search, Enter to choose",
            "type to search",
        ];
        let fits = |keys: &&str| width_of(&count) + width_of(keys) <= width;
        count.clone() + keys.iter().find(|keys| fits(keys)).unwrap_or(&keys[2])
    }
}

/// As given, but with the actions on the first page: whoever scrolls has not seen what to do otherwise.
fn order(found: &mut [(usize, i64)], page: usize) {
    found.sort_by_key(|(index, is_action)| (*is_action, *index));
    let actions = found.iter().filter(|(_, is_action)| *is_action != 0).count();
    let first = page.saturating_sub(actions).min(found.len() - actions);
    found[first..].rotate_right(actions);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_stand_on_the_first_page_and_below_the_first_profiles() {
        let mut many: Vec<_> = (0..10).map(|index| (index, i64::from(index > 7))).collect();
        order(&mut many, ROWS);
        let order_of = |found: &[(usize, i64)]| found.iter().map(|(at, _)| *at).collect::<Vec<_>>();
        assert_eq!(order_of(&many), [0, 1, 2, 3, 4, 8, 9, 5, 6, 7]);
        let mut few = vec![(9, 1), (3, 0), (8, 1)];
        order(&mut few, ROWS);
        assert_eq!(order_of(&few), [3, 8, 9]);
        let mut none = Vec::new();
        order(&mut none, ROWS);
        assert!(none.is_empty());
    }

    fn rows(count: usize) -> Vec<PickerRow> {
        (0..count).map(|n| PickerRow::new(&format!("profile-{n}"), "(https://a.example)")).collect()
    }

    #[test]
    fn what_is_searched_for_in_vain_says_so_and_how_many_there_are() {
        let rows = rows(12);
        let mut list = List::new("Sign in to", &rows);
        assert!(list.help(79).starts_with("12 in all, ↑↓"), "{}", list.help(79));
        paste(&mut list.part, "profile-1");
        list.search();
        assert!(list.help(39).starts_with("3 of 12 match, type"), "{}", list.help(39));
        paste(&mut list.part, "x");
        list.search();
        assert!(list.help(79).starts_with("no match among 12, "), "{}", list.help(79));
        assert_eq!(list.chosen(), None);
        list.go(1, true);
    }

    #[test]
    fn a_frame_fits_the_terminal_whatever_its_size() {
        let mut rows = rows(30);
        rows.push(PickerRow::new(
            "日本語の名前はとても幅が広い日本語の名前はとても幅が広い",
            "(x)",
        ));
        rows.push(PickerRow::action("+ Create a new profile"));
        for (width, height) in [(40, 24), (80, 24), (200, 60), (20, 5), (10, 2)] {
            let mut list = List::new("Sign in to a place with a long name", &rows);
            for _ in 0..rows.len() + 2 {
                let frame = list.frame(width, height);
                assert!(frame.lines.len() <= height.max(3), "{width}x{height}: {:?}", frame.lines);
                let shown = list.rows[list.chosen().unwrap()].line(width - 3);
                assert!(frame.lines.iter().any(|line| line.contains(&format!("> {shown}"))));
                for line in &frame.lines {
                    let line = line.replace("\u{1b}[1m", "").replace("\u{1b}[7m", "");
                    assert!(width_of(&line.replace("\u{1b}[0m", "")) < width, "{width}: {line}");
                }
                list.go(1, true);
            }
        }
    }
}
