//! A tool without a runtime that says until when the login of a saved profile is good, and signs in where it has ended.
//!
//!     cargo run --example blocking_tool -- my-profile
//!
//! Without a profile it tries itself out, against a fake server and with a browser that agrees to everything.
#![allow(clippy::print_stdout)]

use std::error::Error;
use u2m::login::browser_fn;
use u2m::store::MemoryStore;
use u2m::{Host, PersistentAuth, Target, Url, blocking};
use u2m_testkit::{RunningServer, follow_login_in_background};

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        // As `u2m token --profile NAME` does: the host, the scopes and the store are the profile's.
        Some(profile) => say_until_when(&PersistentAuth::for_profile(&profile)?.blocking()),
        None => try_out(),
    }
}

fn say_until_when(auth: &blocking::PersistentAuth) -> Result<(), Box<dyn Error>> {
    // A token that is fresh is read on this thread: nothing is started, connected or written.
    let token = match auth.token() {
        Err(error) if error.needs_login() => auth.challenge()?.token(),
        token => token?,
    };
    match token.expiry() {
        Some(end) => println!("Signed in; the token is good until {end}."),
        None => println!("Signed in; the server does not say until when the token is good."),
    }
    Ok(())
}

fn try_out() -> Result<(), Box<dyn Error>> {
    let server = RunningServer::start()?;
    let browser = browser_fn(|page: Url| async move {
        drop(follow_login_in_background(page));
        Ok(())
    });
    let target = Target::workspace(Host::parse(server.base_url())?);
    let builder = PersistentAuth::builder(target).with_store(MemoryStore::new());
    let auth = builder.with_browser(browser).with_port(0).build()?.blocking();
    say_until_when(&auth)?;
    // The second time, the token is at hand.
    say_until_when(&auth)
}
