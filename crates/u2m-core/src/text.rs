//! Text that came from elsewhere, made fit to be shown on one line of a terminal.

use std::error::Error;
use std::fmt;

/// An error and its causes on one line, each once.
///
/// ```
/// let error = std::io::Error::other("disk full");
/// assert_eq!(u2m_core::chain(&error), "disk full");
/// ```
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

/// How many characters of foreign text are worth showing.
const SHOWN: usize = 200;

/// One line of foreign text: no control characters, no escape sequences, no bidirectional overrides,
/// at most 200 characters. Servers, web pages and files choose what stands in it, so it never decides anything.
///
/// ```
/// use u2m_core::Foreign;
/// assert_eq!(Foreign::new("fine\u{1b}[31m\r\nprint").to_string(), "fine print");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Foreign(String);

impl Foreign {
    /// Cleans `text`.
    ///
    /// ```
    /// assert_eq!(u2m_core::Foreign::new("a\tb").as_str(), "a b");
    /// ```
    pub fn new(text: &str) -> Self {
        Self(clean(text))
    }

    /// The cleaned text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing was left of it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn clean(text: &str) -> String {
    // A megabyte is looked at no further than what could be shown.
    let text: String = text.chars().take(SHOWN * 16).collect();
    let mut out = String::new();
    let mut count = 0;
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\u{1b}' => rest = after_escape(rest),
            // The one-character forms of "CSI" and of the strings that run to a terminator.
            '\u{9b}' => rest = after_csi(rest),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => rest = after_string(rest),
            c if c.is_whitespace() || c.is_control() => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                    count += 1;
                }
            }
            c if is_invisible(c) => {}
            c => {
                out.push(c);
                count += 1;
            }
        }
        if count >= SHOWN {
            out.push('…');
            break;
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// What follows one escape sequence of which the escape character was just read.
fn after_escape(rest: &str) -> &str {
    match rest.chars().next() {
        Some('[') => after_csi(&rest[1..]),
        Some(']' | 'P' | 'X' | '^' | '_') => after_string(&rest[1..]),
        Some(c) if c.is_ascii() => &rest[1..],
        _ => rest,
    }
}

fn after_csi(rest: &str) -> &str {
    let end = rest.find(|c: char| ('\u{40}'..='\u{7e}').contains(&c));
    end.map_or("", |end| &rest[end + 1..])
}

/// Operating-system commands and their like run to BEL or to a string terminator.
fn after_string(rest: &str) -> &str {
    let bell = rest.find(['\u{7}', '\u{9c}']);
    let bell = bell.map(|at| (at, at + rest[at..].chars().next().map_or(0, char::len_utf8)));
    let st = rest.find("\u{1b}\\").map(|at| (at, at + 2));
    let first = match (bell, st) {
        (Some(a), Some(b)) => Some(if a.0 < b.0 { a } else { b }),
        (a, b) => a.or(b),
    };
    first.map_or("", |(_, end)| &rest[end..])
}

/// Characters that change how others are shown, or show as nothing.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t17_escape_sequences_of_every_kind_are_dropped() {
        for (raw, shown) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]8;;https://evil.test\u{7}link\u{1b}]8;;\u{7}", "link"),
            ("\u{1b}]52;c;aGk=\u{1b}\\copied", "copied"),
            ("\u{9b}2Jgone", "gone"),
            ("a\rb\nc", "a b c"),
            ("safe\u{202e}evil", "safeevil"),
            ("never ends \u{1b}]0;title", "never ends"),
            ("\u{1b}", ""),
        ] {
            assert_eq!(Foreign::new(raw).as_str(), shown, "{raw:?}");
        }
    }

    #[test]
    fn t17_a_megabyte_is_cut_to_what_can_be_read() {
        let shown = Foreign::new(&"x".repeat(1 << 20));
        assert_eq!(shown.as_str().chars().count(), SHOWN + 1);
    }

    proptest::proptest! {
        #[test]
        fn a50_whatever_comes_in_one_printable_line_comes_out(raw in "\\PC*|(?s).{0,400}") {
            let shown = Foreign::new(&raw);
            proptest::prop_assert!(!shown.as_str().chars().any(|c| c.is_control() || is_invisible(c)));
            proptest::prop_assert!(shown.as_str().chars().count() <= SHOWN + 1);
        }
    }
}
