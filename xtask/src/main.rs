//! Every habit of the project as a command: `cargo xtask help` lists them.

mod bench;
mod check;
mod ci;
mod demo;
mod e2e;
mod fuzz;
mod mutants;
mod programs;
mod run;
mod soak;
mod test;

use std::process::ExitCode;

/// What each command returns; the text of an error is printed as it is.
pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A command: its name, what it does, and the function that does it.
type Command = (&'static str, &'static str, fn(&[String]) -> Outcome);

const COMMANDS: &[Command] = &[
    ("demo", "sign in against a fake server, and watch one refresh serve 16 processes", demo::run),
    ("test", "all tests that need nothing but this machine", test::run),
    ("check", "formatting, lints, docs, crate arrows, licences", check::run),
    ("e2e", "the world: a certified OpenID provider and Chromium", e2e::run),
    ("fuzz", "coverage-guided search for inputs that break a parser", fuzz::run),
    (
        "soak",
        "logins against kills, suspensions, other programs and chance, for as long as you like",
        soak::run,
    ),
    ("mutants", "changes to lines that the tests of their crate do not notice", mutants::run),
    ("bench", "each figure beside its anchor, into BENCHMARKS.md", bench::run),
    ("ci", "test, check, demo, e2e and fuzz, as the CI machine runs them", ci::run),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name = args.first().map_or("help", String::as_str);
    let Some((_, _, run)) = COMMANDS.iter().find(|(known, ..)| *known == name) else {
        println!("cargo xtask COMMAND\n");
        for (name, what, _) in COMMANDS {
            println!("  {name:<7} {what}");
        }
        return ExitCode::from(if name == "help" { 0 } else { 2 });
    };
    match run(&args[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {name}: {error}");
            ExitCode::FAILURE
        }
    }
}
