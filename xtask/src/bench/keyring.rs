//! The block `keyring`: whole processes that print a token which is in the keyring.

use super::Measured;
use super::programs::Programs;
use super::session::{Session, version};
use super::warm::{FLOOR, Home, PROFILE, U2M, access_token, counted, text};
use crate::run::{Failure, output};
use std::process::Command;

/// What people read a keyring with.
pub(super) const SECRET_TOOL: &str = "`secret-tool lookup`";

const ROUNDS: &str = "100";

pub(super) fn measure(programs: &Programs) -> Result<Measured, Failure> {
    let mut measured = Measured::default();
    if let Some(missing) = Session::missing() {
        measured.notes.push(format!("Not measured: there is no `{missing}` here."));
        measured.is_lacking = true;
        return Ok(measured);
    }
    let home = Home::new()?;
    home.keep_in_keyring()?;
    let session = Session::start(home.path())?;
    let secret = format!(
        r#"{{"token":{{"access_token":"{}","token_type":"Bearer","refresh_token":"doau{}","expiry":"2099-01-01T00:00:00.000001Z","expires_in":3600}}}}"#,
        access_token(PROFILE),
        "0f".repeat(32)
    );
    session.store(PROFILE, &secret)?;
    let surround = |command: &mut Command| {
        session.invite(home.for_command(command)).env("DATABRICKS_AUTH_STORAGE", "secure");
    };
    let of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let rows = [
        (FLOOR, of(&[&text(&programs.floor()), &text(&home.cache()), PROFILE])),
        (U2M, of(&[&text(programs.product()), "token", "--profile", PROFILE])),
        (
            SECRET_TOOL,
            of(&["secret-tool", "lookup", "service", "databricks-cli", "username", PROFILE]),
        ),
    ];
    for (name, words) in &rows {
        let mut command = Command::new(&words[0]);
        surround(command.args(&words[1..]));
        if !output(&mut command)?.contains(&access_token(PROFILE)) {
            return Err(format!("{name} does not print the token").into());
        }
    }
    let mut spawn = programs.peer("spawn");
    spawn.args(["time", "keyring", ROUNDS]);
    spawn.args(rows.iter().map(|(name, words)| format!("{name}={}", words.join("\t"))));
    surround(&mut spawn);
    measured.samples.take(&output(&mut spawn)?)?;
    for (name, words) in &rows {
        match counted(&home, words, &surround) {
            Ok(counted) => measured.samples.take(&counted.lines("keyring-calls", name))?,
            Err(why) => measured.notes.push(format!("System calls of {name}: {why}.")),
        }
    }
    measured.notes.push(format!("The keyring is {}.", version()));
    Ok(measured)
}
