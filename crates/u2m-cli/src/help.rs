//! What `help` says, from the tables of words and flags.

use crate::args::{Command, CommandWords, FLAGS, Flag, WORDS};
use crate::prose::{self, Prose};
use std::collections::BTreeSet;

/// The column that explanations begin in, and the one that they end before.
const COLUMN: usize = 24;
const WIDTH: usize = 80;

/// The text on a command, or on all of them, with the name that the program was called by.
pub(crate) fn text(command: Option<Command>, name: &str) -> String {
    let Some(command) = command else { return all(name) };
    let Prose { purpose, more, examples } = prose::of(command);
    let mut text = format!("{purpose}\n\nUsage: ");
    for (at, usage) in usages(command).enumerate() {
        text += if at == 0 { "" } else { "       " };
        text += &format!("{name} {usage}\n");
    }
    let lines: String = flags(command).map(|flag| line(&signature(flag), flag.about)).collect();
    text += &format!("\nFlags:\n{lines}{}", listed(examples, name));
    if !more.is_empty() {
        text += &format!("\n{more}");
    }
    text
}

fn all(name: &str) -> String {
    let Prose { purpose, more, examples } = prose::ALL;
    let shown = WORDS.iter();
    let width = shown.clone().map(|word| word.name.len()).max().unwrap_or_default();
    let words: String =
        shown.map(|word| format!("  {:width$}  {}\n", word.name, word.about)).collect();
    format!(
        "{purpose}\n\nUsage: {name} COMMAND [PROFILE|HOST] [FLAGS]\n\nCommands:\n{words}{}\n{more}",
        listed(examples, name)
    )
}

/// Examples, each with what it does above it.
fn listed(examples: &[(&str, &str)], name: &str) -> String {
    let lines = examples.iter().map(|(line, what)| format!("  # {what}\n  {name} {line}\n"));
    format!("\nExamples:\n{}", lines.collect::<String>())
}

/// The commands that are explained together: those of one group.
fn together(command: Command) -> impl Iterator<Item = &'static CommandWords> + Clone {
    let name = command.name();
    let group = name.split_once(' ').map(|(group, _)| group);
    WORDS.iter().filter(move |word| match group {
        Some(group) => word.name.split_once(' ').is_some_and(|(first, _)| first == group),
        None => word.command == command,
    })
}

/// How to call a command, and those that are explained with it.
pub(crate) fn usages(command: Command) -> impl Iterator<Item = &'static str> {
    together(command).map(|word| word.usage)
}

/// The flags of a command, and of those that are explained with it.
pub(crate) fn flags(command: Command) -> impl Iterator<Item = &'static Flag> {
    let mut seen = BTreeSet::new();
    let known = move |flag: &&Flag| {
        !flag.about.is_empty()
            && together(command).any(|word| flag.is_for(word.command))
            && seen.insert(flag.name)
    };
    FLAGS.iter().filter(known)
}

/// A flag as it is typed: `-p, --profile NAME`.
pub(crate) fn signature(flag: &Flag) -> String {
    let letter = flag.letter.map(|letter| format!("-{letter}, ")).unwrap_or_default();
    let value = flag.value.map(|value| format!(" {value}")).unwrap_or_default();
    format!("{letter}--{}{value}", flag.name)
}

/// One flag, its explanation beside it, in as many lines as that takes.
fn line(signature: &str, about: &str) -> String {
    let mut line = format!("  {signature}");
    if line.len() + 1 > COLUMN {
        line.push('\n');
        line += &" ".repeat(COLUMN);
    } else {
        line += &" ".repeat(COLUMN - line.len());
    }
    let mut column = COLUMN;
    for (at, word) in about.split(' ').enumerate() {
        if at > 0 && column + 1 + word.len() > WIDTH {
            line += &format!("\n{}", " ".repeat(COLUMN));
            column = COLUMN;
        } else if at > 0 {
            line.push(' ');
            column += 1;
        }
        line += word;
        column += word.len();
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explanations_stand_beside_each_other_and_within_the_width() {
        for word in WORDS {
            for line in text(Some(word.command), "u2m").lines() {
                assert!(line.chars().count() <= WIDTH, "{}: {line}", word.name);
            }
        }
        assert_eq!(line("--x", "one two"), format!("  --x{}one two\n", " ".repeat(19)));
        let long = line("--configure-serverless", "save it");
        assert_eq!(long.lines().count(), 2);
    }

    #[test]
    fn every_command_has_examples_and_each_of_them_is_understood() {
        let all = WORDS.iter().map(|word| prose::of(word.command)).chain([prose::ALL]);
        for (line, what) in all.flat_map(|prose| prose.examples) {
            let words = ["u2m"].into_iter().chain(line.split(' ')).map(Into::into);
            let args =
                crate::args::Args::parse(words).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert!(args.command.is_some() && !what.is_empty(), "{line}");
        }
        for word in WORDS {
            assert!(text(Some(word.command), "u2m").contains("\nExamples:\n  # "), "{}", word.name);
        }
    }

    #[test]
    fn help_is_called_as_the_program_was() {
        let text = text(Some(Command::StorageShow), "databricks auth");
        assert!(text.contains("Usage: databricks auth storage show"), "{text}");
        assert!(text.contains("       databricks auth storage migrate"), "{text}");
    }
}
