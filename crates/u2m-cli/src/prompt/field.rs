//! A line of text that is asked for, on a terminal that can move its cursor.

use super::NoAnswer;
use super::canvas::{Canvas, Frame, Input, bold};
use super::keys::{Edit, Key};
use super::line::Line;
use crate::screen::{self, width_of};

/// A question needs as much room beside it, or the answer stands below it.
const ROOM: usize = 16;

/// Asks until `check` has no complaint. What was typed stays to be mended, with the complaint above it.
pub(super) fn ask(
    question: &str,
    check: &dyn Fn(&str) -> Result<String, String>,
) -> Result<String, NoAnswer> {
    let mut canvas = Canvas::open()?;
    let (mut line, mut complaint) = (Line::default(), String::new());
    loop {
        let frame = frame(question, &line, &complaint, screen::width());
        canvas.draw(&frame);
        match canvas.next()? {
            Input::Key(Key::Enter) => match check(&line.text()) {
                Ok(answer) => {
                    let shown = screen::cut(&format!("? {question} {answer}"), screen::width());
                    canvas.close(&shown);
                    return Ok(answer);
                }
                Err(text) => complaint = text,
            },
            Input::Key(Key::Edit(edit)) => {
                line.edit(edit);
            }
            Input::Key(Key::EndOrDelete) if !line.is_empty() => {
                line.edit(Edit::Delete);
            }
            Input::Key(Key::EndOrDelete) => {
                canvas.leave(&frame);
                return Err(NoAnswer::Ended);
            }
            Input::Key(Key::Stop) => {
                canvas.leave(&frame);
                return Err(NoAnswer::BrokenOff);
            }
            Input::Paste(text) => paste(&mut line, &text),
            Input::Key(_) | Input::Redraw => {}
        }
    }
}

/// A paste is one line, whatever is in it.
pub(super) fn paste(line: &mut Line, text: &str) {
    for c in text.trim().chars().filter(|c| !c.is_control()) {
        line.edit(Edit::Insert(c));
    }
}

fn frame(question: &str, line: &Line, complaint: &str, width: usize) -> Frame {
    let mut lines = match complaint {
        "" => Vec::new(),
        complaint => screen::wrapped(&format!("# {complaint}"), width),
    };
    let beside = width_of(question) + 3;
    let is_below = beside + ROOM > width;
    if is_below {
        lines
            .extend(screen::wrapped(&format!("? {question}"), width).iter().map(|part| bold(part)));
    }
    let (mark, start) = match is_below {
        true => ("> ".to_owned(), 2),
        false => (format!("{} ", bold(&format!("? {question}"))), beside),
    };
    let (seen, at) = line.view(width.saturating_sub(start));
    lines.push(mark + &seen);
    Frame { row: lines.len() - 1, lines, column: start + at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_leaves_no_room_beside_it_has_its_answer_below() {
        let mut line = Line::default();
        paste(&mut line, " https://a.example\n");
        for (width, count) in [(40, 1), (30, 2), (16, 3)] {
            let frame = frame("Databricks host:", &line, "", width);
            assert_eq!(frame.lines.len(), count, "{:?}", frame.lines);
            assert!(frame.lines.iter().all(|line| !line.contains('\n')));
            assert!(frame.column < width);
        }
        let complained = frame("Databricks host:", &line, "that is not a host", 80);
        assert_eq!(complained.row, 1);
        assert!(complained.lines[0].contains("# that is not a host"));
    }
}
