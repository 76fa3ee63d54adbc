//! Prints the address of a fake authorization server, and serves until standard input closes.

use std::{
    env,
    error::Error,
    io::{self, Write as _},
};

use u2m_testkit::{Consent, Lifetime, Rotation, RunningServer, Settings};

const USAGE: &str =
    "usage: fake-server [--port PORT] [--lifetime SECONDS] [--no-rotation] [--interactive]";

fn main() -> Result<(), Box<dyn Error>> {
    let mut settings = Settings::new();
    let mut port = 0;
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        settings = match argument.as_str() {
            "--interactive" => settings.with_consent(Consent::Ask),
            "--lifetime" => {
                let seconds = arguments.next().ok_or(USAGE)?.parse()?;
                settings.with_lifetime(Lifetime::from_seconds(seconds))
            }
            "--no-rotation" => settings.with_rotation(Rotation::Off),
            "--port" => {
                port = arguments.next().ok_or(USAGE)?.parse()?;
                settings
            }
            _ => return Err(USAGE.into()),
        };
    }
    let server = RunningServer::start_on(port, settings)?;
    writeln!(io::stdout(), "{}", server.base_url())?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
