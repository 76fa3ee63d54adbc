//! The arithmetic of a login: PKCE, state and URL; the callback; and all of it with the answer of
//! the token endpoint.
//!
//! Once per login, so these figures guard against regressions; nobody waits for them.

mod hand;
mod libraries;
mod u2m;

use measure::Contest;
use std::error::Error;

const AUTHORIZE: &str = "https://workspace.example.com/oidc/accounts/5f1e0a52/v1/authorize";
const CLIENT: &str = "databricks-cli";
const REDIRECT: &str = "http://localhost:8020";
const SCOPES: [&str; 2] = ["all-apis", "offline_access"];

fn main() -> Result<(), Box<dyn Error>> {
    let mut start = Contest::new("login-start", 1);
    start.call("floor", hand::start);
    u2m::enter_start(&mut start)?;
    libraries::enter_start(&mut start)?;
    start.run();

    let mut callback = Contest::new("login-callback", 1);
    let target = callback_with("Zk3mVb1xq9TtHcW2yLr0AaZk3mVb1xq9TtHcW2yLr0A");
    callback.call("floor", {
        let target = target.clone();
        move || hand::callback(std::hint::black_box(&target)).is_some()
    });
    u2m::enter_callback(&mut callback)?;
    libraries::enter_callback(&mut callback, target);
    callback.run();

    let mut whole = Contest::new("login-whole", 1);
    let body = answer();
    whole.call("floor", move || {
        let (verifier, url) = hand::start();
        let called_back = hand::callback(&callback_with(state_of(&url))).is_some();
        (verifier, called_back, hand::answer(&body).is_some_and(|answer| answer.is_bearer()))
    });
    u2m::enter_whole(&mut whole)?;
    libraries::enter_whole(&mut whole)?;
    whole.run();
    Ok(())
}

/// The target of the request with which the browser comes back.
fn callback_with(state: &str) -> String {
    format!("/?code=dcod8f0c2b1a9e7d6c5b4a3928171605f4e3&state={state}")
}

/// The state in an authorization URL.
fn state_of(url: &str) -> &str {
    let state = url.split_once("&state=").map_or("", |(_, rest)| rest);
    state.split('&').next().unwrap_or_default()
}

/// The answer of a token endpoint to a code.
fn answer() -> String {
    serde_json::json!({
        "access_token": format!("eyJ{}", "aZ9-_".repeat(180)), "token_type": "Bearer",
        "expires_in": 3600, "refresh_token": format!("doau{}", "0f".repeat(32)),
        "scope": SCOPES.join(" "),
    })
    .to_string()
}
