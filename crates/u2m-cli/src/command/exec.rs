//! `u2m exec`: runs a program with a login in its environment.
//!
//! On Unix the program takes this process's place, so that its streams, its signals and its end are its own. It inherits that
//! it leaves no core dump: a token is in its environment.

use super::token::{ObtainedToken, obtain};
use crate::args::Args;
use crate::failure::{Class, Failure};
use crate::{guard, output, place};
use std::ffi::OsString;
use std::io::{ErrorKind, IsTerminal};
use std::process::{Command, ExitCode};
use std::time::SystemTime;
use u2m::Timestamp;
use u2m::process::lend;
use u2m::text::Sanitized;

/// What shells end with where there is no such program, and where it cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// Ends with the code of the command that it ran, or with that of its own failure.
pub(crate) fn run(args: &Args, name: &str) -> ExitCode {
    let obtained =
        words(args, name).and_then(|words| Ok((words, obtain(args, &args.said(), name)?)));
    let ((program, arguments), obtained) = match obtained {
        Ok(both) => both,
        Err(failure) => return crate::finish(Err(failure.of(args.command)), name),
    };
    // From here on nothing of this process is left that a signal would have to wait for. The command can do its work with a
    // token that was not saved; that the login is lost is said now, because the end is the command's own.
    if let Err(failure) = obtained.saved() {
        output::error(&failure, name);
    }
    guard::settle_aloud();
    if guard::interrupted().is_some() {
        return crate::finish(Ok(()), name);
    }
    tell(&obtained);
    let mut command = Command::new(program);
    command.args(arguments);
    lend(&mut command, &obtained.target, workspace(args, &obtained).as_deref(), &obtained.token);
    let error = match instead(&mut command) {
        Ok(code) => return code,
        Err(error) => error,
    };
    let why = match error.kind() {
        ErrorKind::NotFound => "there is no such program".to_owned(),
        ErrorKind::PermissionDenied => "it may not be executed".to_owned(),
        _ => error.to_string(),
    };
    let text = format!("cannot run \"{}\": {why}", Sanitized::new(&program.to_string_lossy()));
    output::error(&Failure::new(Class::Other, text), name);
    match error.kind() {
        ErrorKind::NotFound => ExitCode::from(NOT_FOUND),
        _ => ExitCode::from(NOT_EXECUTABLE),
    }
}

/// The program, and its arguments.
fn words<'a>(args: &'a Args, name: &str) -> Result<(&'a OsString, &'a [OsString]), Failure> {
    let usage = |text: String| Err(Failure::new(Class::Usage, text));
    let Some((program, rest)) = args.rest.split_first() else {
        return usage(format!(
            "there is no command to run. Usage: {name} exec [FLAGS] -- COMMAND [ARGUMENTS]"
        ));
    };
    if rest.first().is_some_and(|word| word == "--") && !is_behind_dashes(args.rest.len()) {
        let shown = Sanitized::new(&program.to_string_lossy());
        return usage(format!(
            "\"{shown}\" stands before the --: name a profile with --profile, a host with --host"
        ));
    }
    Ok((program, rest))
}

/// Whether a `--` stands before the last `count` words of the command line.
fn is_behind_dashes(count: usize) -> bool {
    let all: Vec<OsString> = std::env::args_os().collect();
    all.len().checked_sub(count + 1).is_some_and(|at| all[at] == "--")
}

/// The workspace of the login: as it was said, of its profile, or beside the host in the environment.
fn workspace(args: &Args, obtained: &ObtainedToken) -> Option<String> {
    let is_said = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    if is_said(&args.workspace_id) {
        return args.workspace_id.clone();
    }
    match obtained.target.profile() {
        Some(profile) => {
            let profile = obtained.config.profile(profile.as_str());
            profile.and_then(|profile| profile.workspace_id()).map(str::to_owned)
        }
        None if is_said(&args.host) => None,
        None => place::env("DATABRICKS_WORKSPACE_ID").and_then(|id| id.into_string().ok()),
    }
}

/// A person has to know when the program will be signed out: its token cannot be renewed from outside.
fn tell(obtained: &ObtainedToken) {
    let Some(expiry) = obtained.token.expiry().filter(|_| std::io::stderr().is_terminal()) else {
        return;
    };
    let left = Timestamp::from(SystemTime::now()).until(expiry).seconds();
    output::inform(&match left {
        ..120 => format!("The command's token lives for {left} seconds."),
        _ => format!("The command's token lives for {} minutes.", left / 60),
    });
}

/// The program takes this one's place; returns only why it does not.
#[cfg(unix)]
fn instead(command: &mut Command) -> std::io::Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec())
}

/// Runs it to its end.
#[cfg(not(unix))]
fn instead(command: &mut Command) -> std::io::Result<ExitCode> {
    let code = command.status()?.code().unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
