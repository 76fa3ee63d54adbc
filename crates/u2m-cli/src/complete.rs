//! What may stand next on a command line: one set of rules for every shell.

use crate::args::{Command, FLAGS, Flag, WORDS};

/// One way to go on, and what it means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    pub(crate) text: String,
    pub(crate) about: String,
}

pub(crate) const SHELLS: [&str; 4] = ["bash", "zsh", "fish", "powershell"];

/// Ways to go on with the last of `words`, which follow the program's name. `profiles` is asked only where one may stand.
pub(crate) fn candidates(
    words: &[String],
    profiles: &dyn Fn() -> Vec<Candidate>,
) -> Vec<Candidate> {
    let (begun, done) =
        words.split_last().map_or(("", &[][..]), |(last, rest)| (last.as_str(), rest));
    let typed = TypedWords::of(done);
    // A shell that takes `--output=json` apart leaves the sign as a word.
    let begun = if begun == "=" { "" } else { begun };
    let found = match typed.waiting {
        Some(flag) => values(flag, typed.command, profiles),
        None if begun.starts_with('-') => flags(typed.command),
        None => match typed.command {
            None => next_words(typed.group),
            Some(_) if typed.has_argument => Vec::new(),
            Some(Command::Completion) => SHELLS.iter().map(|shell| bare(shell)).collect(),
            Some(command) if command.word().usage.contains("[PROFILE") => profiles(),
            Some(_) => Vec::new(),
        },
    };
    found.into_iter().filter(|candidate| candidate.text.starts_with(begun)).collect()
}

/// What the words before say.
#[derive(Default)]
struct TypedWords<'a> {
    command: Option<Command>,
    /// The first word of a command of two.
    group: Option<&'a str>,
    has_argument: bool,
    /// The flag whose value comes next.
    waiting: Option<&'static Flag>,
}

impl<'a> TypedWords<'a> {
    fn of(words: &'a [String]) -> Self {
        let mut typed = Self::default();
        for word in words.iter().map(String::as_str) {
            if word == "=" {
                continue;
            }
            if typed.waiting.take().is_some() {
                continue;
            }
            if word.starts_with('-') {
                let flag = FLAGS.iter().find(|flag| is_named(flag, word));
                typed.waiting = flag.filter(|flag| flag.value.is_some());
            } else if typed.command.is_some() {
                typed.has_argument = true;
            } else if word != "auth" || typed.group.is_some() {
                let full =
                    typed.group.map_or_else(|| word.to_owned(), |group| format!("{group} {word}"));
                typed.command =
                    WORDS.iter().find(|known| known.name == full).map(|known| known.command);
                typed.group = Some(word).filter(|_| typed.command.is_none());
            }
        }
        typed
    }
}

fn is_named(flag: &Flag, word: &str) -> bool {
    word.strip_prefix("--").is_some_and(|name| name == flag.name)
        || flag
            .letter
            .is_some_and(|letter| word.strip_prefix('-') == Some(letter.encode_utf8(&mut [0; 4])))
}

fn next_words(group: Option<&str>) -> Vec<Candidate> {
    let shown = WORDS.iter();
    let mut found: Vec<Candidate> = Vec::new();
    for word in shown {
        let (text, about) = match (group, word.name.split_once(' ')) {
            (None, None) => (word.name, word.about),
            (None, Some((first, _))) => (first, "where logins are kept, and moving them"),
            (Some(group), Some((first, second))) if first == group => (second, word.about),
            _ => continue,
        };
        if found.last().is_none_or(|last| last.text != text) {
            found.push(Candidate { text: text.to_owned(), about: about.to_owned() });
        }
    }
    found
}

fn flags(command: Option<Command>) -> Vec<Candidate> {
    let known = |flag: &&Flag| {
        !flag.about.is_empty()
            && command.map_or(flag.name == "help", |command| flag.is_for(command))
    };
    let shown = FLAGS.iter().filter(known);
    shown
        .map(|flag| Candidate { text: format!("--{}", flag.name), about: flag.about.to_owned() })
        .collect()
}

fn values(
    flag: &Flag,
    command: Option<Command>,
    profiles: &dyn Fn() -> Vec<Candidate>,
) -> Vec<Candidate> {
    let all = |words: &[&str]| words.iter().map(|word| bare(word)).collect();
    match (flag.name, command) {
        ("profile", _) => profiles(),
        ("output", _) => all(&["json", "text"]),
        ("to", Some(Command::StorageMigrate)) => all(&["secure", "encrypted", "plaintext"]),
        ("from", _) => all(&["python", "java"]),
        ("format", _) => all(&["json", "shell", "dotenv"]),
        _ => Vec::new(),
    }
}

fn bare(text: &str) -> Candidate {
    Candidate { text: text.to_owned(), about: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let profiles = || vec![bare("dev"), bare("prod")];
        candidates(&words, &profiles).into_iter().map(|candidate| candidate.text).collect()
    }

    #[test]
    fn commands_come_first_and_groups_have_a_second_word() {
        assert_eq!(after("tok"), ["token"]);
        assert_eq!(after("auth tok"), ["token"]);
        assert_eq!(after("st"), ["status", "storage"]);
        assert_eq!(after("storage "), ["show", "migrate"]);
        assert!(after("").len() > 10);
        assert!(after("frobnicate ").is_empty());
    }

    #[test]
    fn flags_are_those_of_the_command() {
        assert_eq!(after("token --f"), ["--force-refresh"]);
        assert!(after("version --f").is_empty());
        assert_eq!(after("--h"), ["--help"]);
    }

    #[test]
    fn a_flag_s_value_is_completed_and_then_the_argument() {
        assert_eq!(after("token --profile "), ["dev", "prod"]);
        assert_eq!(after("token -p d"), ["dev"]);
        assert_eq!(after("token --output = j"), ["json"]);
        assert_eq!(after("token --host x p"), ["prod"]);
        assert!(after("token dev ").is_empty());
        assert!(after("version ").is_empty());
        assert_eq!(after("storage migrate --to e"), ["encrypted"]);
        assert_eq!(after("completion z"), ["zsh"]);
    }
}
