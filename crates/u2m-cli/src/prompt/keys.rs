//! What the keys mean in a question: those of bash's and zsh's own lines.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// A change of the line, or of the place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    Insert(char),
    Left,
    Right,
    WordLeft,
    WordRight,
    Start,
    End,
    Backspace,
    Delete,
    KillToEnd,
    KillToStart,
    /// To the last blank.
    KillBlankWord,
    KillWordLeft,
    KillWordRight,
    /// What was killed last comes back.
    Yank,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Edit(Edit),
    Up,
    Down,
    PageUp,
    PageDown,
    Enter,
    /// The person breaks the question off.
    Stop,
    /// The end of the input where nothing is typed, and else the deletion of a letter.
    EndOrDelete,
    Suspend,
    Redraw,
}

/// `None` for what means nothing here.
pub(super) fn key(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let is = |modifier| event.modifiers.contains(modifier);
    match event.code {
        // Windows reports AltGr, which types letters, as both.
        KeyCode::Char(c) if is(KeyModifiers::CONTROL) && !is(KeyModifiers::ALT) => with_control(c),
        KeyCode::Char(c) if is(KeyModifiers::ALT) && !is(KeyModifiers::CONTROL) => with_alt(c),
        KeyCode::Char(c) => (!c.is_control()).then_some(Key::Edit(Edit::Insert(c))),
        KeyCode::Left if is(KeyModifiers::CONTROL) || is(KeyModifiers::ALT) => {
            Some(Key::Edit(Edit::WordLeft))
        }
        KeyCode::Right if is(KeyModifiers::CONTROL) || is(KeyModifiers::ALT) => {
            Some(Key::Edit(Edit::WordRight))
        }
        KeyCode::Backspace if is(KeyModifiers::ALT) => Some(Key::Edit(Edit::KillWordLeft)),
        KeyCode::Left => Some(Key::Edit(Edit::Left)),
        KeyCode::Right => Some(Key::Edit(Edit::Right)),
        KeyCode::Home => Some(Key::Edit(Edit::Start)),
        KeyCode::End => Some(Key::Edit(Edit::End)),
        KeyCode::Backspace => Some(Key::Edit(Edit::Backspace)),
        KeyCode::Delete => Some(Key::Edit(Edit::Delete)),
        KeyCode::Up => Some(Key::Up),
        KeyCode::Down => Some(Key::Down),
        KeyCode::PageUp => Some(Key::PageUp),
        KeyCode::PageDown => Some(Key::PageDown),
        KeyCode::Enter => Some(Key::Enter),
        KeyCode::Esc => Some(Key::Stop),
        _ => None,
    }
}

fn with_control(letter: char) -> Option<Key> {
    Some(match letter.to_ascii_lowercase() {
        'a' => Key::Edit(Edit::Start),
        'b' => Key::Edit(Edit::Left),
        // Terminals send a byte for Ctrl-\ that stands for Ctrl-4 as well.
        'c' | '\\' | '4' => Key::Stop,
        'd' => Key::EndOrDelete,
        'e' => Key::Edit(Edit::End),
        'f' => Key::Edit(Edit::Right),
        'h' => Key::Edit(Edit::Backspace),
        'j' | 'm' => Key::Enter,
        'k' => Key::Edit(Edit::KillToEnd),
        'l' => Key::Redraw,
        'n' => Key::Down,
        'p' => Key::Up,
        'u' => Key::Edit(Edit::KillToStart),
        'w' => Key::Edit(Edit::KillBlankWord),
        'y' => Key::Edit(Edit::Yank),
        'z' => Key::Suspend,
        _ => return None,
    })
}

fn with_alt(letter: char) -> Option<Key> {
    Some(Key::Edit(match letter.to_ascii_lowercase() {
        'b' => Edit::WordLeft,
        'd' => Edit::KillWordRight,
        'f' => Edit::WordRight,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_with_control_or_alt_types_a_letter() {
        for c in ' '..='~' {
            for modifiers in [KeyModifiers::CONTROL, KeyModifiers::ALT] {
                let found = key(KeyEvent::new(KeyCode::Char(c), modifiers));
                assert!(!matches!(found, Some(Key::Edit(Edit::Insert(_)))), "{modifiers} {c}");
            }
        }
        let typed = key(KeyEvent::new(KeyCode::Char('A'), KeyModifiers::SHIFT));
        assert_eq!(typed, Some(Key::Edit(Edit::Insert('A'))));
        let both = KeyModifiers::CONTROL | KeyModifiers::ALT;
        let typed = key(KeyEvent::new(KeyCode::Char('@'), both));
        assert_eq!(typed, Some(Key::Edit(Edit::Insert('@'))));
    }
}
