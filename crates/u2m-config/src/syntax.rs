//! Parses the INI dialect of the Go library into items, each with its position in the text.
//!
//! The scanner keeps spans instead of copies, because the reader must be cheap and the editor must
//! replace single values. A value is copied only if continuation lines are joined.

use std::fmt;
use std::ops::Range;

/// The first malformed line of a profile file, and what is wrong with it. Its content is never shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct SyntaxError {
    line: usize,
    fault: SyntaxFault,
}

impl SyntaxError {
    /// Returns an error for the line that follows `before`.
    fn after(before: &[u8], fault: SyntaxFault) -> Self {
        Self { line: 1 + before.iter().filter(|&&byte| byte == b'\n').count(), fault }
    }

    pub(crate) fn not_utf8(text: &[u8], valid_up_to: usize) -> Self {
        Self::after(&text[..valid_up_to], SyntaxFault::NotUtf8)
    }

    /// Returns the number of the line on which the malformed construct begins, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Returns what is wrong with the line.
    pub fn fault(&self) -> SyntaxFault {
        self.fault
    }
}

/// What can be wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyntaxFault {
    /// There is no key before the `=` or `:`.
    EmptyKey,
    /// A section header has no name.
    EmptySection,
    /// The line is neither a comment, a header nor `key = value`.
    NoSeparator,
    /// The text is not UTF-8.
    NotUtf8,
    /// A quoted key is not closed on its line.
    UnclosedKeyQuote,
    /// A section header has no `]`.
    UnclosedSection,
    /// A backquoted or triple-quoted value is not closed before the end of the file.
    UnclosedValueQuote,
}

impl fmt::Display for SyntaxFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyKey => "there is no key before the separator",
            Self::EmptySection => "the section has no name",
            Self::NoSeparator => "there is no = between key and value",
            Self::NotUtf8 => "the text is not UTF-8",
            Self::UnclosedKeyQuote => "the key lacks its closing quote",
            Self::UnclosedSection => "the section header lacks its closing bracket",
            Self::UnclosedValueQuote => "the value lacks its closing quote",
        })
    }
}

/// One construct of the file. `span` covers whole lines, including their line ends.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) span: Range<usize>,
    pub(crate) kind: ItemKind,
}

#[derive(Debug)]
pub(crate) enum ItemKind {
    Blank,
    Comment,
    Header { name: Range<usize> },
    Pair(KeyValue),
}

#[derive(Debug)]
pub(crate) struct KeyValue {
    /// The key without quotes.
    pub(crate) key: Range<usize>,
    /// The position of the `=` or `:`.
    pub(crate) separator: usize,
    pub(crate) value: ValueText,
    /// The part to replace to give the key another value: includes quotes, excludes the comment.
    pub(crate) slot: Range<usize>,
    /// Whether the value ends in a `\` that would join the next line, so that nothing may be
    /// inserted right below.
    pub(crate) open: bool,
}

#[derive(Debug)]
pub(crate) enum ValueText {
    Literal(Range<usize>),
    Joined(String),
}

impl ValueText {
    pub(crate) fn text<'a>(&'a self, whole: &'a str) -> &'a str {
        match self {
            Self::Literal(span) => &whole[span.clone()],
            Self::Joined(text) => text,
        }
    }
}

/// Yields the items of a text in order, and stops after the first error.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 } }
    }

    fn line_end(&self, from: usize) -> usize {
        self.text[from..].find('\n').map_or(self.text.len(), |index| from + index + 1)
    }

    fn kind(&mut self, start: usize) -> Result<ItemKind, SyntaxFault> {
        let end = self.line_end(start);
        self.at = end;
        let line = self.text[start..end].trim_start();
        let begin = end - line.len();
        match line.bytes().next() {
            None => Ok(ItemKind::Blank),
            Some(b'#' | b';') => Ok(ItemKind::Comment),
            Some(b'[') => {
                // A name may contain `]`, so the last one closes the header.
                let close = line.rfind(']').ok_or(SyntaxFault::UnclosedSection)?;
                if close == 1 {
                    return Err(SyntaxFault::EmptySection);
                }
                Ok(ItemKind::Header { name: begin + 1..begin + close })
            }
            Some(_) => {
                let (key, separator) = self.key(begin, end)?;
                self.pair(key, separator, end).map(ItemKind::Pair)
            }
        }
    }

    fn key(&self, begin: usize, end: usize) -> Result<(Range<usize>, usize), SyntaxFault> {
        let line = &self.text[begin..end];
        let quote = match line.as_bytes() {
            [b'"', b'"', b'"', ..] if line.len() > 6 => "\"\"\"",
            [b'"', ..] => "\"",
            [b'`', ..] => "`",
            _ => "",
        };
        let inside = begin + quote.len();
        let (close, after) = if quote.is_empty() {
            (None, begin)
        } else {
            let length = self.text[inside..end].find(quote).ok_or(SyntaxFault::UnclosedKeyQuote)?;
            (Some(inside + length), inside + length + quote.len())
        };
        let offset = self.text[after..end].find(['=', ':']).ok_or(SyntaxFault::NoSeparator)?;
        let separator = after + offset;
        let key = self.trimmed(inside..close.unwrap_or(separator));
        if key.is_empty() {
            return Err(SyntaxFault::EmptyKey);
        }
        Ok((key, separator))
    }

    fn pair(
        &mut self,
        key: Range<usize>,
        separator: usize,
        end: usize,
    ) -> Result<KeyValue, SyntaxFault> {
        let begin = end - self.text[separator + 1..end].trim_start().len();
        let line = &self.text[begin..end];
        if line.is_empty() {
            let slot = separator + 1..self.text[..end].trim_end_matches(['\r', '\n']).len();
            let value = ValueText::Literal(separator + 1..separator + 1);
            return Ok(KeyValue { key, separator, value, slot, open: false });
        }
        if line.len() > 3 && line.starts_with("\"\"\"") {
            return self.quoted(key, separator, begin, end, "\"\"\"");
        }
        if line.starts_with('`') {
            return self.quoted(key, separator, begin, end, "`");
        }
        let line = line.trim_end();
        if line.ends_with('\\') {
            return Ok(self.continued(key, separator, begin, line));
        }
        // Comments are cut off before quotes are interpreted, so quotes do not protect a `#` or `;`.
        let cut = line.find(" #").or_else(|| line.find(" ;")).unwrap_or(line.len());
        let slot = begin..begin + line[..cut].trim_end().len();
        let value = ValueText::Literal(unquoted(self.text, slot.clone()));
        Ok(KeyValue { key, separator, value, slot, open: false })
    }

    /// Parses a value in backquotes or triple quotes, which ends at the last such quote of a line.
    fn quoted(
        &mut self,
        key: Range<usize>,
        separator: usize,
        begin: usize,
        end: usize,
        quote: &str,
    ) -> Result<KeyValue, SyntaxFault> {
        let inside = begin + quote.len();
        let (mut from, mut to) = (inside, end);
        let close = loop {
            if let Some(index) = self.text[from..to].rfind(quote) {
                break from + index;
            }
            if to == self.text.len() {
                return Err(SyntaxFault::UnclosedValueQuote);
            }
            (from, to) = (to, self.line_end(to));
        };
        self.at = to;
        let slot = begin..self.slot_end(close + quote.len(), to);
        Ok(KeyValue { key, separator, value: ValueText::Literal(inside..close), slot, open: false })
    }

    /// Parses a value whose line ends in `\`: it is joined with the next lines, up to a blank line.
    fn continued(
        &mut self,
        key: Range<usize>,
        separator: usize,
        begin: usize,
        line: &str,
    ) -> KeyValue {
        let mut value = line[..line.len() - 1].to_owned();
        let mut slot = begin..begin + line.len();
        let mut open = true;
        while open && self.at < self.text.len() {
            let end = self.line_end(self.at);
            let next = self.trimmed(self.at..end);
            if next.is_empty() {
                break;
            }
            value.push_str(&self.text[next.clone()]);
            slot.end = next.end;
            self.at = end;
            open = value.ends_with('\\');
            if open {
                value.pop();
            }
        }
        KeyValue { key, separator, value: ValueText::Joined(value), slot, open }
    }

    /// Returns the end of the slot of a quoted value. This is the position after the quote if the
    /// rest of the line would be read as a comment after an unquoted value too, and the end of the
    /// line otherwise.
    fn slot_end(&self, close: usize, line_end: usize) -> usize {
        let end = self.content_end(close, line_end);
        let tail = &self.text[close..end];
        let hash = tail.starts_with(" #");
        let semicolon = tail.starts_with(" ;") && !tail.contains(" #");
        if (hash || semicolon) && !tail.ends_with('\\') { close } else { end }
    }

    fn content_end(&self, from: usize, to: usize) -> usize {
        from + self.text[from..to].trim_end().len()
    }

    fn trimmed(&self, span: Range<usize>) -> Range<usize> {
        let start = span.end - self.text[span.clone()].trim_start().len();
        start..self.content_end(start, span.end)
    }
}

impl Iterator for Scanner<'_> {
    type Item = Result<Item, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        if start >= self.text.len() {
            return None;
        }
        Some(match self.kind(start) {
            Ok(kind) => Ok(Item { span: start..self.at, kind }),
            Err(fault) => {
                self.at = self.text.len();
                Err(SyntaxError::after(&self.text.as_bytes()[..start], fault))
            }
        })
    }
}

/// Removes one surrounding pair of `'` or `"`, unless the same quote also occurs inside.
///
fn unquoted(text: &str, span: Range<usize>) -> Range<usize> {
    match text.as_bytes()[span.clone()] {
        [first @ (b'"' | b'\''), ref inner @ .., last]
            if first == last && !inner.contains(&first) =>
        {
            span.start + 1..span.end - 1
        }
        _ => span,
    }
}

#[cfg(test)]
#[path = "syntax/tests.rs"]
mod tests;
