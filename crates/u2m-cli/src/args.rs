//! The command line, parsed: flags may stand anywhere, `auth X` is `X`, the last of a repeated flag counts.

mod flags;
mod value;
mod vocabulary;

pub(crate) use flags::{FLAGS, Flag};
pub(crate) use vocabulary::{Command, CommandWords, WORDS};

use crate::failure::{Class, Failure};
use lexopt::{Arg, Parser};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use u2m::config::TargetArgs;
use u2m::transport::ReqwestTransport;
use value::{duration, truth};
use vocabulary::WordMeaning;

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Text,
}

/// Everything that was said.
#[derive(Debug, Default)]
pub(crate) struct Args {
    /// None where only help was asked for.
    pub(crate) command: Option<Command>,
    pub(crate) wants_help: bool,
    /// Whether it was called in the place of Databricks' CLI, as `databricks` or with `auth`: by callers who read results as
    /// that one prints them.
    pub(crate) stands_in: bool,
    pub(crate) argument: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) account_id: Option<String>,
    /// Absolute, and looked at.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) scopes: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) port: Option<u16>,
    pub(crate) allow_issuer: Vec<String>,
    pub(crate) format: Option<Format>,
    pub(crate) force_refresh: bool,
    pub(crate) no_browser: bool,
    pub(crate) paste: bool,
    pub(crate) all: bool,
    pub(crate) auto_approve: bool,
    pub(crate) delete: bool,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) workspace_id: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) configure_cluster: bool,
    pub(crate) configure_serverless: bool,
    pub(crate) skip_workspace: bool,
    pub(crate) device: bool,
    pub(crate) qr: bool,
    pub(crate) copy: bool,
    pub(crate) web: bool,
    /// Nothing is said but warnings, errors and questions; or also what was chosen.
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    /// Whether the version was asked for by a flag.
    pub(crate) is_version_flag: bool,
    pub(crate) events: bool,
    pub(crate) no_input: bool,
    pub(crate) no_revoke: bool,
    pub(crate) clear: bool,
    pub(crate) sensitive: bool,
    pub(crate) exit_zero: bool,
    pub(crate) offline: bool,
    pub(crate) skip_validate: bool,
    pub(crate) with_token: bool,
    /// How `env` writes: `shell`, `json` or `dotenv`.
    pub(crate) shape: Option<String>,
    /// The command line that `exec` runs, or that is being completed.
    pub(crate) rest: Vec<OsString>,
}

impl Args {
    pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, Failure> {
        let mut parser = Parser::from_iter(words);
        let mut args = Self::default();
        let (mut named, mut group, mut is_auth, mut seen) = (None, None, false, Vec::new());
        while let Some(arg) = parser.next().map_err(|error| usage(error.to_string()))? {
            match arg {
                Arg::Short('h') => args.wants_help = true,
                Arg::Short('v' | 'V') | Arg::Long("version") if named.is_none() => {
                    args.is_version_flag = true;
                    named = Some(Command::Version)
                }
                Arg::Short(letter) => {
                    let Some(flag) = Flag::lettered(letter) else {
                        let command = named.or_else(|| ahead(group, &mut parser));
                        return Err(flags::unknown_letter(letter, command));
                    };
                    if flag.value.is_some() {
                        args.take(flag.name, &mut parser)?;
                    } else {
                        args.switch(flag.name, true);
                    }
                    seen.push(flag.name);
                }
                Arg::Long("help") => args.wants_help = true,
                Arg::Long(name) => {
                    let Some(flag) = Flag::named(name) else {
                        let name = name.to_owned();
                        let command = named.or_else(|| ahead(group, &mut parser));
                        return Err(flags::unknown(&name, command));
                    };
                    if flag.value.is_some() {
                        args.take(flag.name, &mut parser)?;
                    } else {
                        let on = truth(flag.name, parser.optional_value())?;
                        args.switch(flag.name, on);
                    }
                    seen.push(flag.name);
                }
                Arg::Value(word) => {
                    let is_theirs = match named {
                        Some(Command::Exec) => true,
                        Some(Command::Completion) => args.argument.is_some(),
                        _ => false,
                    };
                    if is_theirs {
                        args.rest.push(word);
                        let more = parser.raw_args().map_err(|error| usage(error.to_string()))?;
                        args.rest.extend(more);
                        break;
                    }
                    let word =
                        word.into_string().map_err(|_| usage("an argument is not UTF-8".into()))?;
                    match (named, word.as_str()) {
                        (None, "auth") if !is_auth => is_auth = true,
                        (None, "help") => args.wants_help = true,
                        (None, other) => match Command::of(group, other)? {
                            WordMeaning::Command(command) => named = Some(command),
                            WordMeaning::Group(first) => group = Some(first),
                        },
                        (Some(_), _) if args.argument.is_none() => args.argument = Some(word),
                        (Some(_), _) => {
                            return Err(usage("at most one profile or host can be given".into()));
                        }
                    }
                }
            }
        }
        args.stands_in = is_auth || parser.bin_name().is_some_and(crate::place::is_databricks);
        // One that begins several commands and stands alone means the one that only shows.
        let Some(command) = named.or(group.and_then(Command::that_shows)) else {
            args.wants_help = true;
            return Ok(args);
        };
        args.command = Some(command);
        if args.wants_help {
            return Ok(args);
        }
        let knows = |name: &str| {
            flags::knows(command, name) || args.stands_in && flags::is_of_all(command, name)
        };
        if let Some(name) = seen.into_iter().find(|name| !knows(name)) {
            let text = format!("unknown flag: --{name}; {} does not take it", command.name());
            return Err(usage(text).of(Some(command)));
        }
        let alone = [Command::Man, Command::Profiles, Command::StorageShow, Command::Version];
        if args.argument.is_some() && alone.contains(&command) {
            let text = format!("{} takes no argument", command.name());
            return Err(usage(text).of(Some(command)));
        }
        Ok(args)
    }

    /// The words that choose a profile or a host.
    pub(crate) fn said(&self) -> TargetArgs {
        TargetArgs {
            either: self.argument.clone(),
            profile: self.profile.clone(),
            host: self.host.clone(),
            account_id: self.account_id.clone(),
            workspace_id: self.workspace_id.clone(),
            ca_file: self.ca_file.clone(),
        }
    }

    fn take(&mut self, name: &str, parser: &mut Parser) -> Result<(), Failure> {
        let value = parser.value().map_err(|error| usage(error.to_string()))?;
        let value = value
            .into_string()
            .map_err(|_| usage(format!("the value of --{name} is not UTF-8")))?;
        let wrong = |what: &str| usage(format!("the value of --{name} is not {what}"));
        match name {
            "account-id" => self.account_id = Some(value),
            "ca-file" => {
                // Kept with a profile, it is found from any folder.
                let path = std::path::absolute(&value).map_err(|_| wrong("a file"))?;
                ReqwestTransport::check_ca_file(&path)
                    .map_err(|error| usage(format!("--ca-file: {error}")))?;
                self.ca_file = Some(path);
            }
            "from" => self.from = Some(value),
            "to" => self.to = Some(value),
            "allow-issuer" => self.allow_issuer.push(value),
            "client-id" => self.client_id = Some(value),
            "format" => self.shape = Some(value),
            "issuer" => self.issuer = Some(value),
            "workspace-id" => self.workspace_id = Some(value),
            "host" => self.host = Some(value),
            "output" => {
                self.format = Some(match value.to_ascii_lowercase().as_str() {
                    "json" => Format::Json,
                    "text" => Format::Text,
                    _ => return Err(wrong("json or text")),
                });
            }
            // Port 0 would be any port; the redirect has to name one.
            "callback-port" | "port" => match value.parse() {
                Ok(0) | Err(_) => return Err(wrong("a port (1 to 65535)")),
                Ok(port) => self.port = Some(port),
            },
            "profile" => self.profile = Some(value),
            "scopes" => self.scopes = Some(value),
            "timeout" => {
                self.timeout =
                    Some(duration(&value).ok_or_else(|| wrong("a duration such as 90s or 1h30m"))?)
            }
            // Said by callers that mean the reference; nothing here depends on them.
            _ => {}
        }
        Ok(())
    }

    fn switch(&mut self, name: &str, on: bool) {
        match name {
            "all" => self.all = on,
            "auto-approve" => self.auto_approve = on,
            "clear" => self.clear = on,
            "copy" => self.copy = on,
            "configure-cluster" => self.configure_cluster = on,
            "configure-serverless" => self.configure_serverless = on,
            "delete" => self.delete = on,
            "device" => self.device = on,
            "events" => self.events = on,
            "exit-zero" => self.exit_zero = on,
            "force-refresh" => self.force_refresh = on,
            "json" => self.format = on.then_some(Format::Json).or(self.format),
            "no-browser" => self.no_browser = on,
            "no-input" => self.no_input = on,
            "no-revoke" => self.no_revoke = on,
            "offline" => self.offline = on,
            "paste" => self.paste = on,
            "qr" => self.qr = on,
            "quiet" => self.quiet = on,
            "sensitive" => self.sensitive = on,
            "skip-validate" => self.skip_validate = on,
            "skip-workspace" => self.skip_workspace = on,
            "verbose" => self.verbose = on,
            "web" => self.web = on,
            "with-token" => self.with_token = on,
            _ => {}
        }
    }
}

fn usage(text: String) -> Failure {
    Failure::new(Class::Usage, text)
}

/// The command that stands further on: for words about a flag before it.
fn ahead(mut group: Option<&'static str>, parser: &mut Parser) -> Option<Command> {
    // What the flag itself may have been given.
    let _ = parser.optional_value();
    for word in parser.raw_args().ok()? {
        match word.to_str().map(|word| Command::of(group, word)) {
            Some(Ok(WordMeaning::Command(command))) => return Some(command),
            Some(Ok(WordMeaning::Group(first))) => group = Some(first),
            _ => {}
        }
    }
    group.and_then(Command::that_shows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, Failure> {
        Args::parse(std::iter::once("u2m").chain(line.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn flags_stand_before_between_and_after_the_words() {
        for line in [
            "--profile x auth token",
            "auth --profile=x token",
            "token -p x",
            "token -px",
            "auth token --profile x",
        ] {
            let args = parse(line).unwrap();
            assert_eq!(
                (args.command, args.profile.as_deref()),
                (Some(Command::Token), Some("x")),
                "{line}"
            );
        }
        assert_eq!(parse("token --host a --host b").unwrap().host.as_deref(), Some("b"));
        assert_eq!(parse("token -- --host").unwrap().argument.as_deref(), Some("--host"));
    }

    #[test]
    fn switches_take_a_value_only_behind_an_equals_sign() {
        assert!(parse("token --force-refresh").unwrap().force_refresh);
        assert!(!parse("token --force-refresh=false").unwrap().force_refresh);
        assert_eq!(parse("token --force-refresh dev").unwrap().argument.as_deref(), Some("dev"));
        assert_eq!(parse("token --force-refresh=maybe").unwrap_err().class, Class::Usage);
    }

    #[test]
    fn unknown_flags_are_refused_with_the_nearest_name() {
        assert_eq!(
            parse("token --profil x").unwrap_err().text,
            "unknown flag: --profil; did you mean --profile?"
        );
        assert_eq!(
            parse("token --paste").unwrap_err().text,
            "unknown flag: --paste; token does not take it"
        );
        assert_eq!(parse("token -z").unwrap_err().class, Class::Usage);
        // Of what a command does not take, nothing is suggested for it, wherever the command stands.
        for line in ["token --fro x", "--fro x token", "--fro=x auth token", "auth token --fro"] {
            assert_eq!(parse(line).unwrap_err().text, "unknown flag: --fro", "{line}");
        }
        for (line, near) in [("import --fro x", "--from"), ("storage migrate --t x", "--to")] {
            let text = parse(line).unwrap_err().text;
            assert!(text.ends_with(&format!("did you mean {near}?")), "{line}: {text}");
        }
        assert_eq!(parse("token --debog").unwrap_err().text, "unknown flag: --debog");
        for word in WORDS {
            for flag in FLAGS {
                let typed = format!("{}x", flag.name);
                let text = parse(&format!("{} --{typed}", word.name)).unwrap_err().text;
                if let Some((_, near)) = text.split_once("did you mean --") {
                    let near = near.trim_end_matches('?');
                    assert!(flags::knows(word.command, near), "{} --{typed}: {text}", word.name);
                }
            }
        }
        assert_eq!(parse("tokken").unwrap_err().class, Class::Usage);
    }

    #[test]
    fn what_databricks_cli_takes_for_every_command_is_taken_in_its_place_alone() {
        for line in ["profiles -p dev", "switch --host a", "logout dev --workspace-id 1"] {
            assert!(parse(line).is_err(), "{line}");
            assert!(parse(&format!("auth {line}")).unwrap().stands_in, "{line}");
        }
        assert!(parse("auth profiles --paste").is_err());
    }

    /// Flags that callers of Databricks' CLI pass, and that change nothing here.
    const WITHOUT_EFFECT: [&str; 8] = [
        "debug",
        "environment",
        "help",
        "log-file",
        "log-format",
        "log-level",
        "progress-format",
        "target",
    ];

    /// A value that each flag with one takes, and that is none of its defaults.
    fn value_of(flag: &Flag) -> String {
        match flag.name {
            "ca-file" => concat!(env!("CARGO_MANIFEST_DIR"), "/../u2m-http/tests/tls/root.pem"),
            "output" => "json",
            "port" | "callback-port" => "8021",
            "timeout" => "90s",
            name if WITHOUT_EFFECT.contains(&name) => "warn",
            _ => "some-value",
        }
        .to_owned()
    }

    #[test]
    fn every_flag_of_the_table_reaches_its_argument_in_every_command_that_knows_it() {
        for word in WORDS {
            let bare = format!("{:?}", parse(word.name).unwrap());
            for flag in FLAGS.iter().filter(|flag| flag.is_for(word.command)) {
                let value = flag.value.map(|_| format!(" {}", value_of(flag))).unwrap_or_default();
                let letter = flag.letter.map(|letter| format!("-{letter}"));
                for typed in [Some(format!("--{}", flag.name)), letter].into_iter().flatten() {
                    let line = format!("{} {typed}{value}", word.name);
                    let args = parse(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
                    let is_heard = format!("{args:?}") != bare;
                    let is_old = flag.about.is_empty() && WITHOUT_EFFECT.contains(&flag.name);
                    assert!(is_heard || is_old, "{line} changes nothing");
                }
            }
        }
    }

    #[test]
    fn the_port_has_two_names() {
        for name in ["port", "callback-port"] {
            assert_eq!(parse(&format!("login --{name} 8021")).unwrap().port, Some(8021));
            assert_eq!(parse(&format!("login --{name} 0")).unwrap_err().class, Class::Usage);
        }
    }

    #[test]
    fn what_sdks_pass_to_the_reference_is_accepted() {
        parse("auth token --host h --account-id a --workspace-id 1 --output json --debug --log-level trace --target t --timeout 1h --force-refresh")
            .unwrap();
        parse("version --output json").unwrap();
    }
}
