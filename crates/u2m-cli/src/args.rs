//! The command line, parsed: flags may stand anywhere, `auth X` is `X`, the last of a repeated flag counts.

use crate::failure::{Class, Failure};
use lexopt::{Arg, Parser};
use std::ffi::OsString;
use std::time::Duration;
use u2m::Said;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help(Topic),
    Login,
    Token,
    Version,
}

/// What help is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    All,
    Login,
    Token,
    Version,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Text,
}

/// Everything that was said.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) command: Command,
    pub(crate) argument: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) account_id: Option<String>,
    pub(crate) scopes: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) port: Option<u16>,
    pub(crate) allow_issuer: Vec<String>,
    pub(crate) format: Option<Format>,
    pub(crate) force_refresh: bool,
    pub(crate) no_browser: bool,
    pub(crate) paste: bool,
}

/// A flag: its name, what it takes, and the commands that know it; no command means all.
struct Flag(&'static str, Takes, &'static [Command]);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
}

/// The flags that SDKs and scripts pass to the reference are accepted everywhere, those that change nothing here too.
const FLAGS: &[Flag] = &[
    Flag("account-id", Takes::Value, &[]),
    Flag("allow-issuer", Takes::Value, &[Command::Login]),
    Flag("debug", Takes::Nothing, &[]),
    Flag("force-refresh", Takes::Nothing, &[Command::Token]),
    Flag("help", Takes::Nothing, &[]),
    Flag("host", Takes::Value, &[]),
    Flag("log-file", Takes::Value, &[]),
    Flag("log-format", Takes::Value, &[]),
    Flag("log-level", Takes::Value, &[]),
    Flag("no-browser", Takes::Nothing, &[Command::Login]),
    Flag("output", Takes::Value, &[]),
    Flag("paste", Takes::Nothing, &[Command::Login]),
    Flag("port", Takes::Value, &[Command::Login]),
    Flag("profile", Takes::Value, &[]),
    Flag("scopes", Takes::Value, &[Command::Login]),
    Flag("target", Takes::Value, &[]),
    Flag("timeout", Takes::Value, &[]),
    Flag("workspace-id", Takes::Value, &[]),
];

impl Args {
    pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, Failure> {
        let mut parser = Parser::from_iter(words);
        let mut args = Self {
            command: Command::Help(Topic::All),
            argument: None,
            profile: None,
            host: None,
            account_id: None,
            scopes: None,
            timeout: None,
            port: None,
            allow_issuer: Vec::new(),
            format: None,
            force_refresh: false,
            no_browser: false,
            paste: false,
        };
        let (mut named, mut is_auth, mut wants_help, mut seen) = (None, false, false, Vec::new());
        while let Some(arg) = parser.next().map_err(|error| usage(error.to_string()))? {
            match arg {
                Arg::Short('h') => wants_help = true,
                Arg::Short('v') | Arg::Long("version") if named.is_none() => {
                    named = Some(Command::Version)
                }
                Arg::Short(letter) => {
                    let name = match letter {
                        'o' => "output",
                        'p' => "profile",
                        't' => "target",
                        other => return Err(unknown(&format!("-{other}"), None)),
                    };
                    args.take(name, &mut parser)?;
                }
                Arg::Long("help") => wants_help = true,
                Arg::Long(name) => {
                    let Some(flag) = FLAGS.iter().find(|flag| flag.0 == name) else {
                        return Err(unknown(&format!("--{name}"), near(name)));
                    };
                    match flag.1 {
                        Takes::Value => args.take(flag.0, &mut parser)?,
                        Takes::Nothing => {
                            let on = truth(flag.0, parser.optional_value())?;
                            args.switch(flag.0, on);
                        }
                    }
                    seen.push(flag);
                }
                Arg::Value(word) => {
                    let word =
                        word.into_string().map_err(|_| usage("an argument is not UTF-8".into()))?;
                    match (named, word.as_str()) {
                        (None, "auth") if !is_auth => is_auth = true,
                        (None, "help") => wants_help = true,
                        (None, "login") => named = Some(Command::Login),
                        (None, "token") => named = Some(Command::Token),
                        (None, "version") => named = Some(Command::Version),
                        (None, other) => {
                            return Err(unknown_command(other));
                        }
                        (Some(_), _) if args.argument.is_none() => args.argument = Some(word),
                        (Some(_), _) => {
                            return Err(usage("at most one profile or host can be given".into()));
                        }
                    }
                }
            }
        }
        args.command = match named {
            Some(command) if wants_help => Command::Help(Topic::of(command)),
            Some(command) => command,
            None => Command::Help(Topic::All),
        };
        let knows = |flag: &&&Flag| flag.2.is_empty() || flag.2.contains(&args.command);
        if let Some(Flag(name, ..)) = seen.iter().find(|flag| !knows(flag) && !wants_help) {
            return Err(usage(format!(
                "unknown flag: --{name}; {} does not take it",
                args.command.name()
            )));
        }
        if args.argument.is_some() && args.command == Command::Version {
            return Err(usage("version takes no argument".into()));
        }
        Ok(args)
    }

    /// The words that choose a profile or a host.
    pub(crate) fn said(&self) -> Said {
        Said {
            either: self.argument.clone(),
            profile: self.profile.clone(),
            host: self.host.clone(),
            account_id: self.account_id.clone(),
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
            "allow-issuer" => self.allow_issuer.push(value),
            "host" => self.host = Some(value),
            "output" => {
                self.format = Some(match value.to_ascii_lowercase().as_str() {
                    "json" => Format::Json,
                    "text" => Format::Text,
                    _ => return Err(wrong("json or text")),
                });
            }
            // Port 0 would be any port; the redirect has to name one.
            "port" => match value.parse() {
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
            "force-refresh" => self.force_refresh = on,
            "no-browser" => self.no_browser = on,
            "paste" => self.paste = on,
            _ => {}
        }
    }
}

impl Command {
    /// The word for it.
    fn name(self) -> &'static str {
        match self {
            Self::Help(_) => "help",
            Self::Login => "login",
            Self::Token => "token",
            Self::Version => "version",
        }
    }
}

impl Topic {
    fn of(command: Command) -> Self {
        match command {
            Command::Help(topic) => topic,
            Command::Login => Self::Login,
            Command::Token => Self::Token,
            Command::Version => Self::Version,
        }
    }
}

fn usage(text: String) -> Failure {
    Failure::new(Class::Usage, text)
}

fn unknown(flag: &str, near: Option<&str>) -> Failure {
    let hint = near.map(|name| format!("; did you mean --{name}?")).unwrap_or_default();
    usage(format!("unknown flag: {}{hint}", u2m::Foreign::new(flag)))
}

fn unknown_command(word: &str) -> Failure {
    let near = ["login", "token", "version"].into_iter().find(|known| u2m::is_near(known, word));
    let hint = near.map(|name| format!("did you mean {name}?"));
    let hint = hint.unwrap_or_else(|| "there are login, token and version".to_owned());
    usage(format!("unknown command \"{}\"; {hint}", u2m::Foreign::new(word)))
}

/// A flag at most two slips away.
fn near(name: &str) -> Option<&'static str> {
    FLAGS.iter().map(|flag| flag.0).find(|known| u2m::is_near(known, name))
}

/// The value of a switch, as the reference's parser takes it.
fn truth(name: &str, value: Option<OsString>) -> Result<bool, Failure> {
    let Some(value) = value else { return Ok(true) };
    match value.to_string_lossy().as_ref() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(usage(format!("the value of --{name} is not true or false"))),
    }
}

/// A sequence of numbers with units, such as `1h30m`, `90s` or `1.5h`; a bare `0` is no time at all.
fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let tail = &rest[end..];
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let unit = match &tail[..unit_end] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += number * unit;
        rest = &tail[unit_end..];
    }
    Duration::try_from_secs_f64(seconds).ok().filter(|_| !text.is_empty())
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
                (Command::Token, Some("x")),
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
        assert_eq!(parse("tokken").unwrap_err().class, Class::Usage);
    }

    #[test]
    fn what_sdks_pass_to_the_reference_is_accepted() {
        parse("auth token --host h --account-id a --workspace-id 1 --output json --debug --log-level trace --target t --timeout 1h --force-refresh")
            .unwrap();
        parse("version --output json").unwrap();
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, seconds) in
            [("90s", 90.0), ("1h30m", 5400.0), ("1.5h", 5400.0), ("0", 0.0), ("250ms", 0.25)]
        {
            assert_eq!(duration(text).unwrap().as_secs_f64(), seconds, "{text}");
        }
        for bad in ["", "90", "s", "1x", "-1s", "1h 2m"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
