//! The chain of credentials: who is not logged in steps aside for the next one; who fails does not.

use crate::common::{U2M, World};
use crate::program::{Program, with_u2m};
use u2m_testkit::{Endpoint, Fault, Times, http::StatusCode};

/// A default chain in which another credential comes behind u2m: the one of model serving.
fn chain(world: &World) -> Option<Program> {
    let other = world.sign_in();
    let secret = serde_json::json!({"OAUTH_TOKEN": [{"oauthTokenValue": other.access_token()}]});
    world.write("secrets/model-dependencies-oauth-token", &secret.to_string());
    let secrets = world.path("secrets").display().to_string();
    let program = Program::start(
        world,
        &[
            ("DATABRICKS_CLI_PATH", U2M.to_owned()),
            ("DATABRICKS_HOST", world.url().to_owned()),
            ("IS_IN_DB_MODEL_SERVING_ENV", "true".to_owned()),
            ("SERVING_CREDENTIALS_DIR", secrets),
        ],
    )?;
    program.ready();
    Some(program)
}

#[test]
fn where_nobody_is_logged_in_the_chain_goes_on_to_the_next_credential() {
    let world = World::new();
    let Some(mut program) = chain(&world) else { return };
    assert_eq!(program.ask("client {}").unwrap(), "model-serving");
    program.calls(1);
    let asked = format!("auth token --host {} --force-refresh", world.url());
    assert_eq!(program.called(), ["version --output json", &asked]);
}

#[test]
fn where_somebody_is_logged_in_the_next_credential_is_not_reached() {
    let world = World::new();
    let Some(mut program) = chain(&world) else { return };
    world.seed(world.url(), 1800);
    assert_eq!(program.ask("client {}").unwrap(), "databricks-cli");
    program.calls(1);
}

#[test]
fn a_login_that_the_server_ended_stops_the_chain_and_says_how_to_sign_in() {
    let world = World::new();
    let Some(mut program) = chain(&world) else { return };
    world.seed(world.url(), -5);
    world.server.revoke_all();
    let error = program.ask("client {}").unwrap_err();
    assert!(error.contains("the refresh token is invalid"), "{error}");
    assert!(error.contains(&format!("u2m login --host {}", world.url())), "{error}");
}

#[test]
fn a_server_in_trouble_and_a_store_in_trouble_stop_the_chain() {
    let world = World::new();
    let Some(mut program) = chain(&world) else { return };
    world.seed(world.url(), -5);
    let fault = || Fault::status(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "no");
    world.server.inject(Endpoint::Token, Times::Always, fault());
    let error = program.ask("client {}").unwrap_err();
    assert!(error.contains("forced token refresh: "), "{error}");
    world.write(".databricks/token-cache.json", "{ this is no cache");
    let error = program.ask("client {}").unwrap_err();
    assert!(error.contains("token-cache.json") && !error.contains("OAuth is not"), "{error}");
}

#[test]
fn alone_a_program_that_nobody_logged_in_hears_that_there_are_no_credentials() {
    let world = World::new();
    let Some(mut program) = Program::start(&world, &with_u2m()) else { return };
    program.ready();
    let error = program.ask(&format!(r#"client {{"host": "{}"}}"#, world.url())).unwrap_err();
    assert!(error.contains("cannot configure default credentials"), "{error}");
}
