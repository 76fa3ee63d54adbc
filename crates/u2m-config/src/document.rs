//! Edits the text of a profile file in place. Every byte that an edit does not concern stays as it is.

use std::ops::Range;

use crate::file::DEFAULT;
use crate::syntax::{Item, ItemKind, KeyValue, Scanner};

/// A well-formed text that can be edited.
///
/// Every operation scans the text again. That is simpler than keeping spans up to date, and edits are rare.
#[derive(Clone)]
pub(crate) struct IniDocument {
    text: String,
}

/// The position and the keys of a section, across all its headers.
#[derive(Default)]
struct SectionSurvey {
    pairs: Vec<(usize, KeyValue)>,
    /// Where to insert the next key, if the section exists.
    anchor: Option<usize>,
    /// Whether a continued value at the anchor would join the next line.
    open: bool,
}

impl IniDocument {
    /// Creates a document from a text that has been parsed without error.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns whether the text has no content worth keeping.
    pub(crate) fn is_blank(&self) -> bool {
        self.text.trim_start_matches('\u{feff}').trim().is_empty()
    }

    /// Sets the values of keys. Existing values are changed where they are, new keys are added
    /// below the last key of the section, and a new section is added at the end.
    pub(crate) fn set(&mut self, section: &str, values: &[(&str, &str)]) {
        let mut new: Vec<(&str, &str)> = Vec::new();
        for &(key, value) in values {
            if let Some(earlier) = new.iter_mut().find(|(known, _)| *known == key) {
                earlier.1 = value;
            } else if !self.update(section, key, value) {
                new.push((key, value));
            }
        }
        if new.is_empty() {
            return;
        }
        let survey = self.survey(section);
        let style =
            PairStyle::of(&self.text, &survey.pairs).unwrap_or_else(|| PairStyle::fresh(&new));
        let eol = self.line_ending();
        let mut lines: String =
            new.iter().map(|(key, value)| style.line(key, value) + eol).collect();
        let at = survey.anchor.unwrap_or(self.text.len());
        let mut gap = String::new();
        let above = self.text[..at].strip_prefix('\u{feff}').unwrap_or(&self.text[..at]);
        if !above.is_empty() && !above.ends_with('\n') {
            gap.push_str(eol);
        }
        if survey.anchor.is_none() {
            let last = self.text.trim_start_matches('\u{feff}').lines().next_back();
            if last.is_some_and(|line| !line.trim().is_empty()) {
                gap.push_str(eol);
            }
            lines = format!("[{section}]{eol}{lines}");
        } else if survey.open {
            gap.push_str(eol);
        }
        self.text.insert_str(at, &(gap + &lines));
    }

    /// Removes every occurrence of a key from a section, ignoring case, because Python reads
    /// `Token` as `token`.
    pub(crate) fn remove(&mut self, section: &str, key: &str) {
        let mut doomed = Vec::new();
        self.walk(|name, item| {
            if let ItemKind::Pair(pair) = item.kind
                && name == section
                && self.text[pair.key].eq_ignore_ascii_case(key)
            {
                doomed.push(item.span);
            }
        });
        self.cut(doomed);
    }

    /// Removes a whole section, with the comment right above each of its headers. `DEFAULT` only
    /// loses its keys. A comment below the last key stays, because it may belong to what follows.
    pub(crate) fn remove_section(&mut self, section: &str) {
        let mut doomed: Vec<Range<usize>> = Vec::new();
        let mut comment = None;
        let mut within = false;
        let items: Vec<Item> = Scanner::new(&self.text).map_while(Result::ok).collect();
        for item in &items {
            match &item.kind {
                ItemKind::Header { name } => {
                    within = &self.text[name.clone()] == section;
                    if within {
                        doomed.push(comment.take().unwrap_or(item.span.start)..item.span.end);
                    }
                }
                ItemKind::Pair(_) if within => {
                    if let Some(range) = doomed.last_mut() {
                        range.end = item.span.end;
                    }
                }
                _ => {}
            }
            comment = match item.kind {
                ItemKind::Comment => comment.or(Some(item.span.start)),
                _ => None,
            };
        }
        if section == DEFAULT {
            doomed.clear();
            self.walk(|name, item| {
                if matches!(item.kind, ItemKind::Pair(_)) && name == section {
                    doomed.push(item.span);
                }
            });
        } else {
            doomed.iter_mut().for_each(|range| self.widen(range, &items));
        }
        self.cut(doomed);
    }

    /// Replaces the value of every occurrence of a key, ignoring case.
    pub(crate) fn overwrite(&mut self, section: &str, key: &str, value: &str) {
        let mut slots = Vec::new();
        self.walk(|name, item| {
            if let ItemKind::Pair(pair) = item.kind
                && name == section
                && self.text[pair.key].eq_ignore_ascii_case(key)
            {
                slots.push(pair.slot);
            }
        });
        for slot in slots.into_iter().rev() {
            self.text.replace_range(slot, value);
        }
    }

    /// Changes the occurrence of the key that readers use. Returns whether there is one.
    fn update(&mut self, section: &str, key: &str, value: &str) -> bool {
        let survey = self.survey(section);
        let spelled = |pair: &KeyValue| &self.text[pair.key.clone()];
        let mut pairs = survey.pairs.iter().rev().map(|(_, pair)| pair);
        // For Python, a key that differs only in case is the same key, and a duplicate is an error.
        let twin = |pair: &&KeyValue| spelled(pair).eq_ignore_ascii_case(key);
        let Some(pair) =
            pairs.clone().find(|pair| spelled(pair) == key).or_else(|| pairs.find(twin))
        else {
            return false;
        };
        let (name, slot) = (pair.key.clone(), pair.slot.clone());
        if pair.value.text(&self.text) != value {
            let roomy =
                slot.start == pair.separator + 1 && self.text[..pair.separator].ends_with(' ');
            self.text.replace_range(slot, &[if roomy { " " } else { "" }, value].concat());
        }
        if &self.text[name.clone()] != key {
            self.text.replace_range(name, key);
        }
        true
    }

    fn survey(&self, section: &str) -> SectionSurvey {
        let mut survey = SectionSurvey::default();
        self.walk(|name, item| match item.kind {
            ItemKind::Header { .. } if name == section && survey.pairs.is_empty() => {
                survey.anchor = Some(item.span.end);
            }
            ItemKind::Pair(pair) if name == section => {
                survey.anchor = Some(item.span.end);
                survey.open = pair.open;
                survey.pairs.push((item.span.start, pair));
            }
            _ => {}
        });
        survey
    }

    /// Calls `visit` with each item and its section. The text is well-formed, so no item is skipped.
    fn walk<'a>(&'a self, mut visit: impl FnMut(&'a str, Item)) {
        let mut section = DEFAULT;
        for item in Scanner::new(&self.text).map_while(Result::ok) {
            if let ItemKind::Header { name } = &item.kind {
                section = &self.text[name.clone()];
            }
            visit(section, item);
        }
    }

    /// Extends a cut to the blank lines below it, or above it at the end of the text.
    fn widen(&self, range: &mut Range<usize>, items: &[Item]) {
        let blanks = || items.iter().filter(|item| matches!(item.kind, ItemKind::Blank));
        for item in blanks() {
            if item.span.start == range.end {
                range.end = item.span.end;
            }
        }
        if range.end == self.text.len() {
            for item in blanks().rev() {
                if item.span.end == range.start {
                    range.start = item.span.start;
                }
            }
        }
    }

    /// Removes ranges, which are in order and may overlap, because two cuts can include the same
    /// blank line. A byte-order mark inside the text is part of a key. It must not become the first
    /// character of the text, so an empty line is put above it.
    fn cut(&mut self, ranges: Vec<Range<usize>>) {
        let (marked, eol) = (self.text.starts_with('\u{feff}'), self.line_ending());
        let mut limit = self.text.len();
        for range in ranges.into_iter().rev() {
            let end = range.end.min(limit);
            limit = range.start.min(end);
            self.text.replace_range(limit..end, "");
        }
        if !marked && self.text.starts_with('\u{feff}') {
            self.text.insert_str(0, eol);
        }
    }

    /// Returns CRLF if every line of the text uses it, else LF.
    fn line_ending(&self) -> &'static str {
        let lines = self.text.matches('\n').count();
        if lines > 0 && self.text.matches("\r\n").count() == lines { "\r\n" } else { "\n" }
    }
}

/// How the lines of a section arrange key and value.
struct PairStyle {
    width: usize,
    equals: &'static str,
}

impl PairStyle {
    /// Returns the style for a section without keys: keys are padded to the longest one.
    fn fresh(values: &[(&str, &str)]) -> Self {
        Self { width: values.iter().map(|(key, _)| key.len()).max().unwrap_or(0), equals: " = " }
    }

    /// Returns the style of the existing keys. If their separators are aligned, new ones are aligned too.
    fn of(text: &str, pairs: &[(usize, KeyValue)]) -> Option<Self> {
        let (_, last) = pairs.last()?;
        if text[last.separator..].starts_with('=') && !text[..last.separator].ends_with([' ', '\t'])
        {
            let spaced = text[last.separator..].starts_with("= ");
            return Some(Self { width: 0, equals: if spaced { "= " } else { "=" } });
        }
        let column =
            |(start, pair): &(usize, KeyValue)| text[*start..pair.separator].chars().count();
        let width = column(pairs.last()?);
        let common = pairs.iter().all(|pair| column(pair) == width);
        Some(Self { width: if common { width.saturating_sub(1) } else { 0 }, equals: " = " })
    }

    fn line(&self, key: &str, value: &str) -> String {
        format!("{key:width$}{equals}{value}", width = self.width, equals = self.equals)
    }
}

#[cfg(test)]
#[path = "document/tests.rs"]
mod tests;
