//! The arithmetic of a login: PKCE, state and URL; the callback; the token endpoint's answer.
//!
//! Once per login, so these figures guard against regressions; nobody waits for them.

mod hand;
mod libraries;

use measure::Contest;
use std::error::Error;

const AUTHORIZE: &str = "https://workspace.example.com/oidc/v1/authorize";
const CLIENT: &str = "databricks-cli";
const REDIRECT: &str = "http://localhost:8020";
const SCOPES: [&str; 2] = ["all-apis", "offline_access"];
const CALLBACK: &str = "/?code=dcod8f0c2b1a9e7d6c5b4a3928171605f4e3&state=Zk3mVb1xq9TtHcW2yLr0Aa";

fn main() -> Result<(), Box<dyn Error>> {
    let mut start = Contest::new("login-start", 1);
    start.call("floor", hand::start);
    libraries::enter_start(&mut start)?;
    start.run();

    let mut callback = Contest::new("login-callback", 1);
    callback.call("floor", || hand::callback(std::hint::black_box(CALLBACK)));
    libraries::enter_callback(&mut callback);
    callback.run();

    let mut response = Contest::new("login-answer", 1);
    let body = answer();
    response.call("floor", {
        let body = body.clone();
        move || hand::answer(&body).map(|answer| answer.is_bearer())
    });
    libraries::enter_answer(&mut response, &body);
    response.run();
    Ok(())
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
