//! The fake server of `cargo xtask demo`, and the browser that signs in to it by itself.
//!
//! `demo-server allow|ask` prints its base URL, and then answers each line of standard input: `counts` with what it has
//! counted, `expire` after an hour has passed on its clock. It ends with its input.
//! `demo-server browse URL` follows a login to its end.

use std::io::BufRead;
use std::time::Duration;
use u2m_testkit::{
    Consent, Endpoint, Fault, Lifetime, RunningServer, Settings, Times, follow_login,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["browse", url] => {
            follow_login(url)?;
            Ok(())
        }
        ["allow"] => serve(Consent::Allow),
        ["ask"] => serve(Consent::Ask),
        _ => Err("usage: demo-server allow | ask | browse URL".into()),
    }
}

#[allow(clippy::print_stdout)]
fn serve(consent: Consent) -> Result<(), Box<dyn std::error::Error>> {
    let server = RunningServer::start_with(Settings::new().with_consent(consent))?;
    println!("{}", server.base_url());
    for line in std::io::stdin().lock().lines() {
        match line?.trim() {
            "expire" => {
                server.advance(Lifetime::from_seconds(3600));
                server.inject(
                    Endpoint::Token,
                    Times::Always,
                    Fault::delay(Duration::from_millis(50)),
                );
                println!("expired");
            }
            _ => {
                let counts = server.counts();
                println!("refreshes={} rejected={}", counts.refreshes, counts.rejected);
            }
        }
    }
    Ok(())
}
