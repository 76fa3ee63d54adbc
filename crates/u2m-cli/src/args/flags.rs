//! The flags: what each of them is called, takes and means, and which commands know it. Help, manual and completion are made
//! from this table, so that they cannot tell another story.

use super::usage;
use super::vocabulary::Command::{self, *};
use crate::failure::Failure;

/// A flag as some commands know it; one that means something else elsewhere stands here once for each meaning.
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) letter: Option<char>,
    /// What its value is called; a switch has none.
    pub(crate) value: Option<&'static str>,
    /// The commands that know it; none means all of them.
    pub(super) of: &'static [Command],
    /// What it means; nothing for those that are accepted from callers who mean the reference, and change nothing.
    pub(crate) about: &'static str,
}

const fn switch(name: &'static str, of: &'static [Command], about: &'static str) -> Flag {
    Flag { name, letter: None, value: None, of, about }
}

const fn value(
    name: &'static str,
    value: &'static str,
    of: &'static [Command],
    about: &'static str,
) -> Flag {
    Flag { name, letter: None, value: Some(value), of, about }
}

const fn short(letter: char, flag: Flag) -> Flag {
    Flag { letter: Some(letter), ..flag }
}

const CONSOLE: &str = "the account, for an account console or a unified host";
const FORMATS: &str = "text (default) or json";

/// In the order in which help shows them.
pub(crate) const FLAGS: &[Flag] = &[
    value("host", "URL", &[Login], "the host to sign in to"),
    value("host", "URL", &[Token, Exec, Env, Describe, Doctor], "the host that was signed in to"),
    value("host", "URL", &[Logout], "the host whose login ends: its profile's, or its own"),
    value("account-id", "ID", &[Login, Token, Exec, Env, Describe, Doctor], CONSOLE),
    value("account-id", "ID", &[Logout], "which account of that host"),
    value(
        "workspace-id",
        "ID",
        &[Login],
        "the workspace (else the URL's, the profile's, the host's)",
    ),
    short(
        'p',
        value("profile", "NAME", &[Login], "the profile to save as (else made from the host)"),
    ),
    short(
        'p',
        value(
            "profile",
            "NAME",
            &[Token, Exec, Env, Describe, Doctor],
            "the profile (else DATABRICKS_CONFIG_PROFILE, DATABRICKS_HOST, or the default profile)",
        ),
    ),
    short('p', value("profile", "NAME", &[Logout], "the profile whose login ends")),
    short('p', value("profile", "NAME", &[Switch], "the profile that becomes the default")),
    short('p', value("profile", "NAME", &[StorageMigrate, Import], "whose login it is")),
    // Login.
    value(
        "scopes",
        "A,B",
        &[Login],
        "scopes to ask for (else the profile's, else all-apis; with --issuer, else none but offline_access, where it is offered)",
    ),
    value("timeout", "DURATION", &[Login], "how long to wait for you, such as 90s (default 10m)"),
    switch(
        "web",
        &[Login],
        "choose the workspace in the browser, and ask nothing here; with a host, only sign in there",
    ),
    switch("no-browser", &[Login], "only print the address to open"),
    switch(
        "paste",
        &[Login],
        "also read the address that the browser ends at from the terminal; needs no free port",
    ),
    switch(
        "device",
        &[Login],
        "show a code to enter on another device, where the server offers that",
    ),
    switch("qr", &[Login], "with --device: also show the address as a QR code"),
    switch("copy", &[Login], "with --device: put the code on the terminal's clipboard (OSC 52)"),
    value("port", "N", &[Login], "the port that the browser comes back to (else 8020 to 8040)"),
    switch("skip-workspace", &[Login], "use the account alone; without a host, pick an account"),
    switch("configure-cluster", &[Login], "choose a cluster for the profile"),
    switch("configure-serverless", &[Login], "use serverless compute in the profile"),
    value(
        "issuer",
        "URL",
        &[Login],
        "any OAuth or OpenID issuer instead of Databricks, exactly as its metadata writes it",
    ),
    value(
        "client-id",
        "ID",
        &[Login],
        "with --issuer: a public client (no secret) that is registered there with the redirect address http://localhost and any port, or http://localhost:N and --port N",
    ),
    value(
        "allow-issuer",
        "HOST",
        &[Login],
        "a host that a login without --host may lead to; with --host or --issuer, another one that may have the endpoints, or the name, of its issuer",
    ),
    value(
        "ca-file",
        "FILE",
        &[Login],
        "certificates (PEM) to trust besides the system's, as of a company's authority; kept with the profile",
    ),
    value(
        "ca-file",
        "FILE",
        &[Token, Exec, Env, Describe, Profiles, Logout, Doctor],
        "certificates (PEM) to trust besides the system's (else the profile's)",
    ),
    switch("events", &[Login], "say what happens in JSON, an object a line, on standard error"),
    // Token.
    switch(
        "force-refresh",
        &[Token],
        "a token newer than the stored one; one that another process fetched in the last 5 seconds counts, and a pause that the server asked for is kept",
    ),
    value(
        "timeout",
        "DURATION",
        &[Token, Exec, Env],
        "how long to wait for a new token; a refresh that was sent goes on, and is saved",
    ),
    // Logout.
    switch("all", &[Logout], "end every login"),
    switch("delete", &[Logout], "also remove the profile from the profile file"),
    switch("auto-approve", &[Logout], "do not ask"),
    switch("no-revoke", &[Logout], "do not tell the server that the login has ended"),
    value("timeout", "DURATION", &[Logout], "how long to wait for the server (default 5s)"),
    // Storage, import.
    value("to", "STORE", &[StorageMigrate], "secure, encrypted or plaintext"),
    switch("all", &[StorageMigrate], "every login"),
    value("from", "SDK", &[Import], "python or java (else both)"),
    // Profiles, describe, env, doctor, switch.
    switch("skip-validate", &[Profiles], "ask no server"),
    value("timeout", "DURATION", &[Profiles], "give up on a profile after this long (default 5s)"),
    value("timeout", "DURATION", &[Describe, Doctor], "how long to wait for servers (default 10s)"),
    switch("offline", &[Describe, Doctor], "ask no server"),
    switch("sensitive", &[Describe, Env], "show secrets of the configuration"),
    switch("exit-zero", &[Describe], "end with 0 even if the login does not work"),
    switch(
        "with-token",
        &[Env],
        "add DATABRICKS_TOKEN, refreshed when it is time, and leave out what would keep programs from using it",
    ),
    value("format", "FORMAT", &[Env], "json (default), shell or dotenv"),
    switch("clear", &[Switch], "no profile is the default any more"),
    // Manual.
    value("to", "FOLDER", &[Man], "write a page for each command to this folder"),
    // All, or nearly.
    short('o', value("output", "FORMAT", &[Token], "json (default) or text")),
    short(
        'o',
        value(
            "output",
            "FORMAT",
            &[
                Describe,
                Doctor,
                Import,
                Login,
                Logout,
                Profiles,
                StorageMigrate,
                StorageShow,
                Switch,
                Version,
            ],
            FORMATS,
        ),
    ),
    switch(
        "json",
        &[
            Describe,
            Doctor,
            Import,
            Login,
            Logout,
            Profiles,
            StorageMigrate,
            StorageShow,
            Switch,
            Token,
            Version,
        ],
        "the same as --output json",
    ),
    switch("json", &[Env], "the same as --format json"),
    switch(
        "no-input",
        &[Login, Token, Logout, Switch],
        "ask nothing, even on a terminal (as U2M_NO_INPUT does)",
    ),
    short('q', switch("quiet", &[], "say no more than warnings, errors and what is asked")),
    switch("verbose", &[], "also say what was chosen, and why"),
    short('h', switch("help", &[], "show this")),
    // Accepted from callers who mean the reference; nothing here depends on them.
    value("account-id", "ID", &[Version], ""),
    switch("debug", &[], ""),
    value("host", "URL", &[Version], ""),
    value("log-file", "PATH", &[], ""),
    value("log-format", "FORMAT", &[], ""),
    value("log-level", "LEVEL", &[], ""),
    value("callback-port", "N", &[Login], ""),
    switch("no-input", &[], ""),
    short('o', value("output", "FORMAT", &[], "")),
    short('p', value("profile", "NAME", &[Version], "")),
    short('e', value("environment", "NAME", &[], "")),
    value("progress-format", "FORMAT", &[], ""),
    short('t', value("target", "NAME", &[], "")),
    value("timeout", "DURATION", &[Version], ""),
    value("workspace-id", "ID", &[Describe, Doctor, Env, Exec, Token, Version], ""),
];

impl Flag {
    /// A flag of this name, whoever knows it.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        FLAGS.iter().find(|flag| flag.name == name)
    }

    /// A flag of this letter, whoever knows it.
    pub(super) fn lettered(letter: char) -> Option<&'static Self> {
        FLAGS.iter().find(|flag| flag.letter == Some(letter))
    }

    /// Whether a command knows it.
    pub(crate) fn is_for(&self, command: Command) -> bool {
        self.of.is_empty() || self.of.contains(&command)
    }
}

/// Whether `command` knows a flag of this name.
pub(super) fn knows(command: Command, name: &str) -> bool {
    FLAGS.iter().any(|flag| flag.name == name && flag.is_for(command))
}

/// Those that may be suggested: what `command` shows, or, where there is none, what any of them does.
fn shown(command: Option<Command>) -> impl Iterator<Item = &'static Flag> {
    let is_shown = move |flag: &&Flag| {
        !flag.about.is_empty() && command.is_none_or(|command| flag.is_for(command))
    };
    FLAGS.iter().filter(is_shown)
}

/// Nobody knows a flag of this name.
pub(super) fn unknown(name: &str, command: Option<Command>) -> Failure {
    let near = u2m::alike(name, shown(command).map(|flag| flag.name)).into_iter().next();
    unknown_flag(&format!("--{name}"), near.map(|near| format!("--{near}")), command)
}

/// Nobody knows a flag of this letter.
pub(super) fn unknown_letter(letter: char, command: Option<Command>) -> Failure {
    let is_near = |known: &char| known.eq_ignore_ascii_case(&letter);
    let near = shown(command).filter_map(|flag| flag.letter).find(is_near);
    unknown_flag(&format!("-{letter}"), near.map(|near| format!("-{near}")), command)
}

/// Whether a flag is one that each `auth` command of Databricks' CLI takes, whether it means anything there or not.
pub(super) fn is_of_all(command: Command, name: &str) -> bool {
    let is_theirs = matches!(command, Logout | Profiles | Switch);
    is_theirs && matches!(name, "account-id" | "host" | "profile" | "workspace-id")
}

fn unknown_flag(flag: &str, near: Option<String>, command: Option<Command>) -> Failure {
    let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    usage(format!("unknown flag: {}{hint}", u2m::text::Sanitized::new(flag))).of(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::vocabulary::WORDS;
    use std::collections::HashMap;

    #[test]
    fn a_flag_takes_the_same_wherever_it_is_known() {
        let mut takes = HashMap::new();
        for flag in FLAGS {
            let kind = (flag.value.is_some(), flag.letter);
            assert_eq!(*takes.entry(flag.name).or_insert(kind), kind, "{}", flag.name);
        }
    }

    #[test]
    fn no_command_is_shown_a_flag_twice() {
        for word in WORDS {
            let shown = |flag: &&Flag| !flag.about.is_empty() && flag.is_for(word.command);
            let mut names: Vec<_> = FLAGS.iter().filter(shown).map(|flag| flag.name).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{}", word.name);
        }
    }
}
