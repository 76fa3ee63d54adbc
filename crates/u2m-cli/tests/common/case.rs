//! A case of the command line, as its file says it.
#![allow(clippy::unwrap_used)]

use std::path::Path;

/// One file: its lines `key: value`, and its blocks `--- title` with their texts.
pub(crate) struct Case {
    pub(crate) name: String,
    lines: Vec<(String, String)>,
    pub(crate) blocks: Vec<(String, String)>,
}

impl Case {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let (mut lines, mut blocks): (Vec<_>, Vec<(String, String)>) = (Vec::new(), Vec::new());
        for line in text.lines() {
            if let Some(title) = line.strip_prefix("--- ") {
                blocks.push((title.to_owned(), String::new()));
            } else if let Some((_, text)) = blocks.last_mut() {
                *text += &format!("{line}\n");
            } else if let Some((key, value)) =
                line.split_once(": ").filter(|_| !line.starts_with('#'))
            {
                lines.push((key.to_owned(), value.to_owned()));
            } else {
                assert!(
                    line.is_empty() || line.starts_with('#'),
                    "{}: what is '{line}'?",
                    path.display()
                );
            }
        }
        let known = "args env unset server fault login sealed before then mode chmod chown link as unprivileged exit token changed requests refreshes terminal varies own revocations alive browser workspace cluster iss auth";
        for (key, _) in &lines {
            assert!(
                known.split(' ').any(|word| word == key),
                "{}: what is '{key}'?",
                path.display()
            );
        }
        Self { name: path.display().to_string(), lines, blocks }
    }

    /// The same case, at a server that is also of this kind.
    pub(crate) fn at_a_server(mut self, word: &str) -> Self {
        self.lines.push(("server".to_owned(), word.to_owned()));
        self
    }

    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter(move |(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    pub(crate) fn one<'a>(&'a self, key: &'a str) -> Option<&'a str> {
        let mut all = self.all(key);
        let one = all.next();
        assert!(all.next().is_none(), "{}: '{key}' twice", self.name);
        one
    }

    pub(crate) fn block(&self, title: &str) -> Option<&str> {
        self.blocks.iter().find(|(known, _)| known == title).map(|(_, text)| text.as_str())
    }
}
