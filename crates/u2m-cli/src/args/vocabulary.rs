//! The words of the command line: the commands. What flags they take stands in `flags`.

use super::usage;
use crate::failure::Failure;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Completion,
    Describe,
    Doctor,
    Env,
    Exec,
    Import,
    Login,
    Logout,
    Man,
    Profiles,
    StorageMigrate,
    StorageShow,
    Switch,
    Token,
    Version,
}

/// A command: its words, what it is, and the line that shows how to call it.
pub(crate) struct CommandWords {
    pub(crate) name: &'static str,
    pub(crate) command: Command,
    pub(crate) about: &'static str,
    pub(crate) usage: &'static str,
}

const fn word(
    name: &'static str,
    command: Command,
    about: &'static str,
    usage: &'static str,
) -> CommandWords {
    CommandWords { name, command, about, usage }
}

/// The words for the commands, in the order in which people meet them. Of several words for one command the first is its
/// name; a command of two words is found by both.
pub(crate) const WORDS: &[CommandWords] = &[
    word(
        "login",
        Command::Login,
        "sign in, and save the login and a profile",
        "login [PROFILE|HOST] [FLAGS]",
    ),
    word(
        "token",
        Command::Token,
        "print a token, refreshed when it is time",
        "token [PROFILE|HOST] [FLAGS]",
    ),
    word(
        "exec",
        Command::Exec,
        "run a command with a login in its environment",
        "exec [FLAGS] -- COMMAND [ARGUMENTS]",
    ),
    word(
        "logout",
        Command::Logout,
        "end a login, wherever it is kept",
        "logout [PROFILE|HOST] [FLAGS]",
    ),
    word(
        "profiles",
        Command::Profiles,
        "list the profiles, and which of them work",
        "profiles [FLAGS]",
    ),
    word("ls", Command::Profiles, "the same as profiles", "ls [FLAGS]"),
    word(
        "describe",
        Command::Describe,
        "show which login is used, from where, and whether it works",
        "describe [PROFILE|HOST] [FLAGS]",
    ),
    word("status", Command::Describe, "the same as describe", "status [PROFILE|HOST] [FLAGS]"),
    word("whoami", Command::Describe, "the same as describe", "whoami [PROFILE|HOST] [FLAGS]"),
    word(
        "switch",
        Command::Switch,
        "choose the profile that is used when none is named",
        "switch [PROFILE] [FLAGS]",
    ),
    word(
        "env",
        Command::Env,
        "print the settings of a profile as variables",
        "env [PROFILE|HOST] [FLAGS]",
    ),
    word(
        "doctor",
        Command::Doctor,
        "look for what keeps logins from working",
        "doctor [PROFILE|HOST] [FLAGS]",
    ),
    word(
        "storage show",
        Command::StorageShow,
        "show where logins are kept",
        "storage show [FLAGS]",
    ),
    word(
        "storage migrate",
        Command::StorageMigrate,
        "move logins to another store",
        "storage migrate --to STORE [PROFILE|HOST] [FLAGS]",
    ),
    word(
        "import",
        Command::Import,
        "bring in logins of other programs",
        "import [PROFILE] [FLAGS]",
    ),
    word(
        "completion",
        Command::Completion,
        "print what makes a shell complete this program's words",
        "completion bash|zsh|fish|powershell",
    ),
    word("man", Command::Man, "print the manual, or write its pages", "man [--to FOLDER]"),
    word("version", Command::Version, "print the version that SDKs ask for", "version [FLAGS]"),
];

impl Command {
    /// The words for it, and what it is.
    pub(crate) fn word(self) -> &'static CommandWords {
        // The test below holds the list to it.
        WORDS.iter().find(|word| word.command == self).unwrap_or(&WORDS[0])
    }

    /// The words for it.
    pub(crate) fn name(self) -> &'static str {
        self.word().name
    }

    /// The command that `word` begins or is, behind `group`, the word that begins it.
    pub(super) fn of(group: Option<&str>, word: &str) -> Result<WordMeaning, Failure> {
        let full = group.map_or_else(|| word.to_owned(), |group| format!("{group} {word}"));
        if let Some(found) = WORDS.iter().find(|word| word.name == full) {
            return Ok(WordMeaning::Command(found.command));
        }
        let begins = |name: &&str| name.split_once(' ').is_some_and(|(first, _)| first == full);
        match WORDS.iter().map(|word| word.name).find(begins) {
            Some(name) => Ok(WordMeaning::Group(name.split(' ').next().unwrap_or(name))),
            None => Err(unknown_command(&full)),
        }
    }

    /// The command of a group that changes nothing.
    pub(super) fn that_shows(group: &str) -> Option<Self> {
        let name = format!("{group} show");
        WORDS.iter().find(|word| word.name == name).map(|word| word.command)
    }
}

/// What a word stands for.
pub(super) enum WordMeaning {
    Command(Command),
    /// The first of two.
    Group(&'static str),
}

fn unknown_command(word: &str) -> Failure {
    let near = u2m::alike(word, WORDS.iter().map(|known| known.name)).into_iter().next();
    let hint = near.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    usage(format!("unknown command \"{}\"{hint}", u2m::text::Sanitized::new(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_words_and_a_line_that_begins_with_them() {
        for word in WORDS {
            assert!(word.usage.starts_with(word.name), "{}", word.name);
            assert!(word.about.len() <= 60, "{}: {}", word.name, word.about.len());
        }
        assert_eq!(Command::Version.name(), "version");
        assert_eq!(Command::Describe.name(), "describe");
    }
}
