//! How a program of yours is tested: against the fake server of `u2m-testkit`, which goes wrong when it is told to, and by whose
//! clock an hour passes at once.
//!
//!     cargo run --example tests_with_the_testkit
//!
//! In your crate these are functions under `#[test]`, and `u2m-testkit` is among the `dev-dependencies`.
#![allow(clippy::print_stdout)]

use u2m::login::browser_fn;
use u2m::store::MemoryStore;
use u2m::{Host, PersistentAuth, Target, Token, TokenError, Url};
use u2m_testkit::{
    Endpoint, Fault, Lifetime, RunningServer, Times, follow_login_in_background, http,
};

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// The program under test.
fn token_for_my_report(auth: &PersistentAuth) -> Result<Token, TokenError> {
    auth.blocking().token()
}

/// Signed in to the fake server, with nothing on disk.
fn signed_in(server: &RunningServer) -> Result<PersistentAuth, Box<dyn std::error::Error>> {
    let browser = browser_fn(|page: Url| async move {
        drop(follow_login_in_background(page));
        Ok(())
    });
    let target = Target::workspace(Host::parse(server.base_url())?);
    let builder = PersistentAuth::builder(target).with_store(MemoryStore::new());
    let builder = builder.with_browser(browser).with_port(0).with_clock(server.clock());
    let auth = builder.build()?;
    auth.blocking().challenge()?;
    Ok(auth)
}

fn a_token_that_has_run_out_is_renewed_once() -> TestResult {
    let server = RunningServer::start()?;
    let auth = signed_in(&server)?;
    let first = token_for_my_report(&auth)?;
    server.advance(Lifetime::from_seconds(3600));
    let second = token_for_my_report(&auth)?;
    assert!(second.access_token() != first.access_token());
    assert_eq!(server.counts().refreshes, 1);
    assert!(server.is_active(second.access_token().expose()));
    Ok(())
}

fn a_server_that_is_away_is_told_as_something_that_passes() -> TestResult {
    let server = RunningServer::start()?;
    let auth = signed_in(&server)?;
    server.advance(Lifetime::from_seconds(3600));
    let away = Fault::status(http::StatusCode::SERVICE_UNAVAILABLE, "text/html", "<h1>503</h1>");
    server.inject(Endpoint::Token, Times::Always, away);
    assert!(token_for_my_report(&auth).is_err_and(|error| error.is_transient()));
    server.clear_faults();
    assert!(server.is_login_alive(), "nothing was lost");
    Ok(())
}

fn a_login_that_was_ended_asks_for_a_new_one() -> TestResult {
    let server = RunningServer::start()?;
    let auth = signed_in(&server)?;
    server.revoke_all();
    server.advance(Lifetime::from_seconds(3600));
    assert!(token_for_my_report(&auth).is_err_and(|error| error.needs_login()));
    Ok(())
}

fn main() -> TestResult {
    a_token_that_has_run_out_is_renewed_once()?;
    a_server_that_is_away_is_told_as_something_that_passes()?;
    a_login_that_was_ended_asks_for_a_new_one()?;
    println!("3 tests passed.");
    Ok(())
}
