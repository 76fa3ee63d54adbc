//! The words of the command line: commands, and the flags that each of them takes.

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

/// The words for the commands. A command of two words is found by both; of several words for one, the first is its name.
const COMMANDS: &[(&str, Command)] = &[
    ("completion", Command::Completion),
    ("describe", Command::Describe),
    ("status", Command::Describe),
    ("doctor", Command::Doctor),
    ("env", Command::Env),
    ("exec", Command::Exec),
    ("import", Command::Import),
    ("login", Command::Login),
    ("logout", Command::Logout),
    ("man", Command::Man),
    ("profiles", Command::Profiles),
    ("storage migrate", Command::StorageMigrate),
    ("storage show", Command::StorageShow),
    ("switch", Command::Switch),
    ("token", Command::Token),
    ("version", Command::Version),
];

/// A flag: its name, what it takes, and the commands that know it; no command means all.
pub(super) struct Flag(pub(super) &'static str, pub(super) Takes, pub(super) &'static [Command]);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Value,
}

/// What a host says something to, and `version`, which SDKs may ask with whatever they ask for tokens with.
const FOR_HOSTS: &[Command] = &[
    Command::Describe,
    Command::Doctor,
    Command::Env,
    Command::Exec,
    Command::Login,
    Command::Logout,
    Command::Token,
    Command::Version,
];

/// Those that may ask a server.
const WITH_SERVER: &[Command] = &[
    Command::Describe,
    Command::Doctor,
    Command::Env,
    Command::Exec,
    Command::Login,
    Command::Logout,
    Command::Profiles,
    Command::Token,
    Command::Version,
];

/// The flags that SDKs and scripts pass to the reference are accepted everywhere, those that change nothing here too.
const FLAGS: &[Flag] = &[
    Flag("account-id", Takes::Value, FOR_HOSTS),
    Flag("all", Takes::Nothing, &[Command::Logout, Command::StorageMigrate]),
    Flag("allow-issuer", Takes::Value, &[Command::Login]),
    Flag("auto-approve", Takes::Nothing, &[Command::Logout]),
    Flag("callback-port", Takes::Value, &[Command::Login]),
    Flag("clear", Takes::Nothing, &[Command::Switch]),
    Flag("client-id", Takes::Value, &[Command::Login]),
    Flag("configure-cluster", Takes::Nothing, &[Command::Login]),
    Flag("configure-serverless", Takes::Nothing, &[Command::Login]),
    Flag("debug", Takes::Nothing, &[]),
    Flag("delete", Takes::Nothing, &[Command::Logout]),
    Flag("device", Takes::Nothing, &[Command::Login]),
    Flag("events", Takes::Nothing, &[Command::Login]),
    Flag("exit-zero", Takes::Nothing, &[Command::Describe]),
    Flag("force-refresh", Takes::Nothing, &[Command::Token]),
    Flag("format", Takes::Value, &[Command::Env]),
    Flag("from", Takes::Value, &[Command::Import]),
    Flag("help", Takes::Nothing, &[]),
    Flag("host", Takes::Value, FOR_HOSTS),
    Flag("issuer", Takes::Value, &[Command::Login]),
    Flag("log-file", Takes::Value, &[]),
    Flag("log-format", Takes::Value, &[]),
    Flag("log-level", Takes::Value, &[]),
    Flag("no-browser", Takes::Nothing, &[Command::Login]),
    Flag("no-input", Takes::Nothing, &[]),
    Flag("no-revoke", Takes::Nothing, &[Command::Logout]),
    Flag("offline", Takes::Nothing, &[Command::Describe, Command::Doctor]),
    Flag("output", Takes::Value, &[]),
    Flag("paste", Takes::Nothing, &[Command::Login]),
    Flag("port", Takes::Value, &[Command::Login]),
    Flag("profile", Takes::Value, &[]),
    Flag("scopes", Takes::Value, &[Command::Login]),
    Flag("sensitive", Takes::Nothing, &[Command::Describe, Command::Env]),
    Flag("skip-validate", Takes::Nothing, &[Command::Profiles]),
    Flag("skip-workspace", Takes::Nothing, &[Command::Login]),
    Flag("target", Takes::Value, &[]),
    Flag("timeout", Takes::Value, WITH_SERVER),
    Flag("to", Takes::Value, &[Command::Man, Command::StorageMigrate]),
    Flag("with-token", Takes::Nothing, &[Command::Env]),
    Flag("workspace-id", Takes::Value, FOR_HOSTS),
];

impl Command {
    /// The words for it.
    pub(crate) fn name(self) -> &'static str {
        COMMANDS.iter().find(|(_, command)| *command == self).map_or("", |(name, _)| name)
    }

    /// The command that `word` begins or is, behind `group`, the word that begins it.
    pub(super) fn of(group: Option<&str>, word: &str) -> Result<Named, Failure> {
        let full = group.map_or_else(|| word.to_owned(), |group| format!("{group} {word}"));
        if let Some((_, command)) = COMMANDS.iter().find(|(name, _)| *name == full) {
            return Ok(Named::Command(*command));
        }
        let begins = |name: &&str| name.split_once(' ').is_some_and(|(first, _)| first == full);
        match COMMANDS.iter().map(|(name, _)| *name).find(begins) {
            Some(name) => Ok(Named::Group(name.split(' ').next().unwrap_or(name))),
            None => Err(unknown_command(&full)),
        }
    }

    /// The command of a group that changes nothing.
    pub(super) fn that_shows(group: &str) -> Option<Self> {
        let name = format!("{group} show");
        COMMANDS.iter().find(|(known, _)| *known == name).map(|(_, command)| *command)
    }

    pub(super) fn knows(self, flag: &Flag) -> bool {
        flag.2.is_empty() || flag.2.contains(&self)
    }
}

/// What a word stands for.
pub(super) enum Named {
    Command(Command),
    /// The first of two.
    Group(&'static str),
}

impl Flag {
    pub(super) fn of(name: &str) -> Result<&'static Self, Failure> {
        let near = || FLAGS.iter().map(|flag| flag.0).find(|known| u2m::is_near(known, name));
        FLAGS
            .iter()
            .find(|flag| flag.0 == name)
            .ok_or_else(|| unknown_flag(&format!("--{name}"), near()))
    }
}

pub(super) fn unknown_flag(flag: &str, near: Option<&str>) -> Failure {
    let hint = near.map(|name| format!("; did you mean --{name}?")).unwrap_or_default();
    usage(format!("unknown flag: {}{hint}", u2m::Foreign::new(flag)))
}

fn unknown_command(word: &str) -> Failure {
    let near = COMMANDS.iter().map(|(name, _)| *name).find(|known| u2m::is_near(known, word));
    let hint = near.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    usage(format!("unknown command \"{}\"{hint}", u2m::Foreign::new(word)))
}
