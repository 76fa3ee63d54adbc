//! A line of text that is being edited, with the keys of a shell. It draws nothing.

use super::keys::Edit;
use crate::screen::columns;

/// The text, and the place in it where the next letter goes.
#[derive(Debug, Default)]
pub(super) struct Line {
    text: Vec<char>,
    at: usize,
    /// What was deleted last in one piece, for Ctrl-Y.
    killed: Vec<char>,
}

impl Line {
    pub(super) fn text(&self) -> String {
        self.text.iter().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Does what a key means; whether the text is another one now.
    pub(super) fn edit(&mut self, edit: Edit) -> bool {
        let end = self.text.len();
        match edit {
            Edit::Insert(c) => {
                self.text.insert(self.at, c);
                self.at += 1;
                return true;
            }
            Edit::Left => self.at = self.at.saturating_sub(1),
            Edit::Right => self.at = (self.at + 1).min(end),
            Edit::WordLeft => self.at = self.start_of_word(char::is_alphanumeric),
            Edit::WordRight => self.at = self.end_of_word(),
            Edit::Start => self.at = 0,
            Edit::End => self.at = end,
            Edit::Backspace => return self.cut(self.at.saturating_sub(1), self.at, false),
            Edit::Delete => return self.cut(self.at, (self.at + 1).min(end), false),
            Edit::KillToEnd => return self.cut(self.at, end, true),
            Edit::KillToStart => return self.cut(0, self.at, true),
            Edit::KillBlankWord => {
                let start = self.start_of_word(|c| !c.is_whitespace());
                return self.cut(start, self.at, true);
            }
            Edit::KillWordLeft => {
                let start = self.start_of_word(char::is_alphanumeric);
                return self.cut(start, self.at, true);
            }
            Edit::KillWordRight => return self.cut(self.at, self.end_of_word(), true),
            Edit::Yank => {
                let killed = self.killed.clone();
                self.text.splice(self.at..self.at, killed.iter().copied());
                self.at += killed.len();
                return !killed.is_empty();
            }
        }
        false
    }

    fn cut(&mut self, from: usize, to: usize, is_kept: bool) -> bool {
        if from == to {
            return false;
        }
        let cut: Vec<char> = self.text.drain(from..to).collect();
        if is_kept {
            self.killed = cut;
        }
        self.at = from;
        true
    }

    fn start_of_word(&self, is_part: impl Fn(char) -> bool) -> usize {
        let mut at = self.at;
        while at > 0 && !is_part(self.text[at - 1]) {
            at -= 1;
        }
        while at > 0 && is_part(self.text[at - 1]) {
            at -= 1;
        }
        at
    }

    fn end_of_word(&self) -> usize {
        let (mut at, end) = (self.at, self.text.len());
        while at < end && !self.text[at].is_alphanumeric() {
            at += 1;
        }
        while at < end && self.text[at].is_alphanumeric() {
            at += 1;
        }
        at
    }

    /// As much of the text around the cursor as fits into so many columns, and the column of the cursor in it.
    pub(super) fn view(&self, width: usize) -> (String, usize) {
        // The cursor may stand behind the last letter, where it takes a column too.
        let room = width.max(2) - 1;
        let mut start = 0;
        while columns(self.text[start..self.at].iter()) > room {
            start += 1;
        }
        let mut end = self.text.len();
        while end > self.at && columns(self.text[start..end].iter()) > room {
            end -= 1;
        }
        (self.text[start..end].iter().collect(), columns(self.text[start..self.at].iter()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, at: usize) -> Line {
        Line { text: text.chars().collect(), at, killed: Vec::new() }
    }

    #[test]
    fn each_key_does_what_it_does_in_a_shell() {
        for (text, at, edit, after, place) in [
            ("ab", 1, Edit::Insert('x'), "axb", 2),
            ("ab", 2, Edit::Left, "ab", 1),
            ("ab", 0, Edit::Left, "ab", 0),
            ("ab", 2, Edit::Right, "ab", 2),
            ("one two-three", 13, Edit::WordLeft, "one two-three", 8),
            ("one two-three", 8, Edit::WordLeft, "one two-three", 4),
            ("one two", 0, Edit::WordRight, "one two", 3),
            ("one two", 3, Edit::WordRight, "one two", 7),
            ("ab", 2, Edit::Start, "ab", 0),
            ("ab", 0, Edit::End, "ab", 2),
            ("abc", 2, Edit::Backspace, "ac", 1),
            ("abc", 0, Edit::Backspace, "abc", 0),
            ("abc", 1, Edit::Delete, "ac", 1),
            ("abc", 1, Edit::KillToEnd, "a", 1),
            ("abc", 1, Edit::KillToStart, "bc", 0),
            ("one two-three ", 14, Edit::KillBlankWord, "one ", 4),
            ("one two-three", 13, Edit::KillWordLeft, "one two-", 8),
            ("one two", 0, Edit::KillWordRight, " two", 0),
            ("ab", 1, Edit::Yank, "ab", 1),
        ] {
            let mut line = line(text, at);
            let is_changed = line.edit(edit);
            assert_eq!((line.text().as_str(), line.at), (after, place), "{edit:?} in {text}");
            assert_eq!(is_changed, text != after, "{edit:?} in {text}");
        }
    }

    #[test]
    fn what_was_cut_comes_back() {
        let mut line = line("one two", 3);
        line.edit(Edit::KillToEnd);
        line.edit(Edit::Start);
        line.edit(Edit::Yank);
        assert_eq!((line.text().as_str(), line.at), (" twoone", 4));
    }

    #[test]
    fn the_cursor_is_always_in_view_and_nothing_is_wider_than_the_room() {
        for text in ["", "short", "a-name-that-is-not-short-at-all", "日本語の名前はとても幅が広い"]
        {
            for at in 0..=text.chars().count() {
                for width in [2, 3, 10, 80] {
                    let (seen, column) = line(text, at).view(width);
                    assert!(columns(seen.chars().collect::<Vec<_>>().iter()) < width, "{seen}");
                    assert!(column < width, "{text} at {at} in {width}: {column}");
                }
            }
        }
        assert_eq!(line("abcdef", 6).view(4), ("def".into(), 3));
        assert_eq!(line("abcdef", 0).view(4), ("abc".into(), 0));
    }
}
