//! The binary `u2m`: arguments in, one call into the library, text or JSON out.
//!
//! A token that is fresh in the store is printed from a plain `main`: no runtime, no TLS, no thread, no network, no lock
//! and no write come before it is known to be missing.

mod advice;
mod args;
mod command;
mod complete;
mod events;
mod failure;
mod guard;
mod help;
mod link;
mod output;
mod person;
mod place;
mod prompt;
mod prose;
mod screen;
mod settle;
mod told;
mod waiting;

use args::{Args, Command};
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    guard::harden();
    if let Some(code) = u2m::process::serve_detached() {
        return code;
    }
    let args = match Args::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(failure) => return finish(Err(failure), &place::invoked_as()),
    };
    output::set_loudness(args.quiet, args.verbose);
    if args.stands_in {
        place::stand_in();
    }
    if args.no_input || args.events {
        prompt::forbid();
    }
    let name = place::invoked_as();
    let outcome = match args.command {
        command if args.wants_help => output::result(help::text(command, &name)),
        Some(Command::Completion) => command::completion::run(&args, &name),
        Some(Command::Describe) => command::describe::run(&args, &name),
        Some(Command::Doctor) => command::doctor::run(&args, &name),
        Some(Command::Env) => command::env::run(&args, &name),
        Some(Command::Exec) => return command::exec::run(&args, &name),
        Some(Command::Man) => command::man::run(&args, &name),
        Some(Command::Profiles) => command::profiles::run(&args, &name),
        Some(Command::Switch) => command::switch::run(&args, &name),
        Some(Command::Import) => command::import::run(&args, &name),
        Some(Command::Login) if command::login_issuer::is_meant(&args) => {
            command::login_issuer::run(&args, &name)
        }
        Some(Command::Login) => command::login::run(&args, &name),
        Some(Command::Logout) => command::logout::run(&args, &name),
        Some(Command::StorageMigrate) => command::storage::migrate(&args, &name),
        Some(Command::StorageShow) => command::storage::show(&args),
        Some(Command::Token) => command::token::run(&args, &name),
        Some(Command::Version) => command::version::run(&args),
        None => output::result(help::text(None, &name)),
    };
    finish(outcome.map_err(|failure| failure.of(args.command)), &name)
}

/// Says what went wrong and what to do about it, and ends with the code of its class; or, if a signal came, with the
/// signal's, whatever was reached by then.
fn finish(outcome: Result<(), Failure>, name: &str) -> ExitCode {
    let code = match outcome {
        _ if guard::interrupted().is_some() => 0,
        Ok(()) => 0,
        Err(failure) => {
            output::error(&failure, name);
            failure.class.code()
        }
    };
    // A caller's limit does not end what has been sent.
    guard::settle_aloud();
    ExitCode::from(guard::interrupted().unwrap_or(code))
}
