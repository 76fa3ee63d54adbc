//! Text from elsewhere, made safe to show on one line of a terminal.

use crate::sent::SentSecrets;
use std::error::Error;
use std::fmt;

/// An error and its causes on one line, without repetition.
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

/// How many characters of foreign text are shown.
const SHOWN: usize = 200;

/// How many characters of it are examined.
const READ: usize = 1 << 16;

/// One line of untrusted text: without control characters, escape sequences or bidirectional overrides, and with at most 200
/// characters. Servers, web pages and files choose its contents, so nothing must be decided by it.
///
/// ```
/// use u2m_core::Sanitized;
/// assert_eq!(Sanitized::new("fine\u{1b}[31m\r\nprint").to_string(), "fine print");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sanitized(String);

impl Sanitized {
    /// Sanitizes `text`.
    ///
    /// ```
    /// assert_eq!(u2m_core::Sanitized::new("a\tb").as_str(), "a b");
    /// ```
    pub fn new(text: &str) -> Self {
        Self(shorten(clean(text, SHOWN * 16)))
    }

    /// Sanitizes `text`, and removes the secrets that were sent to whoever wrote it. That happens after cleaning, which joins
    /// what an escape sequence separates, and before shortening, which would leave the beginning of a secret at the end.
    pub(crate) fn without(text: &str, sent: &SentSecrets) -> Self {
        Self(shorten(clean(&sent.cut(&clean(text, READ)), READ)))
    }

    /// The sanitized text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is left of it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Sanitized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn clean(text: &str, most: usize) -> String {
    // Of a long text, no more is examined than could be shown.
    let text = text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end]);
    let mut out = String::new();
    let mut rest = text;
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
                }
            }
            c if is_invisible(c) => {}
            c => out.push(c),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

fn shorten(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.truncate(text.trim_end().len());
        text.push('…');
    }
    text
}

/// What follows an escape sequence whose escape character was just read.
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

/// Operating-system commands and similar strings run to BEL or to a string terminator.
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

/// Whether a character is visible by itself: it is not a control character, does not change how others are shown, and does not
/// show as nothing.
///
/// ```
/// assert!(u2m_core::is_printable('é') && u2m_core::is_printable(' '));
/// assert!(!u2m_core::is_printable('\u{1b}') && !u2m_core::is_printable('\u{202e}'));
/// ```
pub fn is_printable(c: char) -> bool {
    !c.is_control() && !is_invisible(c)
}

/// Characters that change how others are shown, or that show as nothing.
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
            assert_eq!(Sanitized::new(raw).as_str(), shown, "{raw:?}");
        }
    }

    #[test]
    fn t17_a_megabyte_is_cut_to_what_can_be_read() {
        let shown = Sanitized::new(&"x".repeat(1 << 20));
        assert_eq!(shown.as_str().chars().count(), SHOWN + 1);
    }

    #[test]
    fn cleaning_twice_changes_nothing() {
        for end in 190..210 {
            let text = format!("{} {}", "x".repeat(end), "y".repeat(20));
            let shown = Sanitized::new(&text);
            assert_eq!(Sanitized::new(shown.as_str()), shown, "{end}");
        }
        let whole = "x".repeat(SHOWN);
        assert_eq!(Sanitized::new(&whole).as_str(), whole, "nothing of it was left out");
    }

    #[test]
    fn no_beginning_of_a_secret_stays_where_a_text_was_shortened() {
        let secret = "q7Zk2Xp9Lw4Vn8Tb3Rm6Yc1Hd5Jf0Gs";
        let sent: SentSecrets = [secret].into_iter().collect();
        for before in 150..220 {
            let text = format!("{} {secret} and more", "x".repeat(before));
            let shown = Sanitized::without(&text, &sent);
            assert!(!shown.as_str().contains("q7Z"), "{shown}");
        }
        let apart = format!("{}\u{1b}[31m{}", &secret[..9], &secret[9..]);
        assert_eq!(Sanitized::without(&apart, &sent).as_str(), "[secret]");
        let far = format!("{}{secret}", " ".repeat((1 << 16) - 10));
        assert_eq!(Sanitized::without(&far, &sent).as_str(), "[secret]");
    }

    proptest::proptest! {
        #[test]
        fn a50_whatever_comes_in_one_printable_line_comes_out(raw in "\\PC*|(?s).{0,400}") {
            let shown = Sanitized::new(&raw);
            proptest::prop_assert!(!shown.as_str().chars().any(|c| c.is_control() || is_invisible(c)));
            proptest::prop_assert!(shown.as_str().chars().count() <= SHOWN + 1);
        }
    }
}
