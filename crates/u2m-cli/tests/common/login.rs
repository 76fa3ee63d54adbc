//! A login that the test itself is the browser of.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used)]

use crate::common::{Ran, Running, World, free_port, printed_token};
use u2m_testkit::{Page, follow_login};

pub(crate) fn sign_in_by(_: &World, mut command: std::process::Command) -> (Page, Ran) {
    command.args(["--no-browser", "--port", &free_port().to_string()]);
    let mut running = Running::start(command);
    let page = follow_login(&running.url()).unwrap();
    (page, running.done())
}

pub(crate) fn assert_signed_in(world: &World, ran: &Ran, profile: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    assert!(
        ran.stderr.ends_with(&format!(
            "Signed in to {}{}.\nProfile {profile} was successfully saved in ~/.databrickscfg{}.\nThe login is kept in \
             ~/.databricks/token-cache.json.\n",
            world.url(),
            whom(world, profile),
            if is_default(world, profile) { ", and is the default now" } else { "" }
        )),
        "{}",
        ran.stderr
    );
    world.assert_alive(profile);
    let before = world.server.counts().requests;
    let token = world.run(&format!("token --profile {profile}"));
    assert!(world.server.is_active(&printed_token(&token.stdout)), "{}", token.stderr);
    assert_eq!(world.server.counts().requests, before, "a token that was just issued is fresh");
}

/// Who signed in, where the token says so.
fn whom(world: &World, profile: &str) -> String {
    let session = world.stored(profile);
    let claims = u2m::oauth::UnverifiedClaims::read(session.access_token.expose());
    let user = claims.and_then(|claims| claims.sub);
    user.map(|user| format!(" as {user}")).unwrap_or_default()
}

/// Whether a login has made the profile the default: it was the first one.
fn is_default(world: &World, profile: &str) -> bool {
    world.read(".databrickscfg").contains(&format!("default_profile = {profile}\n"))
}

/// A login that fails leaves nothing: no cache, no profile.
pub(crate) fn assert_failed(world: &World, ran: &Ran, code: i32, parts: &[&str]) {
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{}", ran.stderr);
    let error = ran.stderr.lines().find(|line| line.starts_with("Error: ")).unwrap();
    for part in parts {
        assert!(error.contains(part), "'{part}' in {error}");
    }
    assert!(!error.contains("databricks OAuth is not"), "{error}");
    assert!(!world.config().exists() && !world.cache().exists(), "{:?}", world.tree().keys());
}
