//! `login --events`: what programs read in place of prose.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Ran, Running, World, free_port};
use u2m_testkit::follow_login;

/// Every line of standard error is an event.
fn events(ran: &Ran) -> Vec<serde_json::Value> {
    let parsed = ran.stderr.lines().map(|line| serde_json::from_str(line).expect(line));
    parsed.collect()
}

fn names(events: &[serde_json::Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[test]
fn a_program_reads_events_in_place_of_prose_and_no_secret_is_among_them() {
    let (world, port) = (World::new(), free_port());
    let mut command = world.command("login --host {URL} --profile dev --events --no-browser");
    command.args(["--port", &port.to_string()]);
    let mut running = Running::start(command);
    let line = running.line(|line| line.contains("\"authorize\""));
    let authorize: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(authorize["redirect_port"], port);
    let url = authorize["url"].as_str().unwrap();
    let mut parameters: Vec<_> = url::Url::parse(url).unwrap().query_pairs().into_owned().collect();
    parameters.sort();
    let known: Vec<_> = parameters.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        known,
        [
            "client_id",
            "code_challenge",
            "code_challenge_method",
            "redirect_uri",
            "response_type",
            "scope",
            "state"
        ]
    );
    follow_login(url).unwrap();
    let ran = running.done();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    let events = events(&ran);
    assert_eq!(names(&events), ["authorize", "browser_failed", "waiting", "callback", "saved"]);
    assert_eq!(events[2]["seconds"], 600);
    let saved = &events[4];
    assert_eq!(
        (&saved["profile"], &saved["workspace_id"]),
        (&"dev".into(), &"900800700600".into())
    );
    let stored = world.stored("dev");
    for secret in [stored.access_token.expose(), stored.refresh_token.as_ref().unwrap().expose()] {
        assert!(!ran.stderr.contains(secret));
    }
}

#[test]
fn a_program_reads_a_failure_as_the_last_event() {
    let world = World::new();
    let ran = world.run("login --host {URL} --profile dev --events --no-browser --timeout 1s");
    assert_eq!(ran.code, Some(6), "{}", ran.stderr);
    let events = events(&ran);
    let error = events.last().unwrap();
    assert_eq!(
        (error["event"].as_str(), error["class"].as_str()),
        (Some("error"), Some("network"))
    );
    assert_eq!(error["exit_code"], 6);
    assert!(error["message"].as_str().unwrap().contains("nobody signed in within 1 second"));
}

#[test]
fn a_discovery_login_names_its_port_to_programs_too() {
    let (world, port) = (World::new(), free_port());
    let mut command = world.command("login --profile dev --events --no-browser");
    command.env("DATABRICKS_DISCOVERY_HOST", world.url()).args(["--port", &port.to_string()]);
    let mut running = Running::start(command);
    let line = running.line(|line| line.contains("\"authorize\""));
    let authorize: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(authorize["redirect_port"], port);
    follow_login(authorize["url"].as_str().unwrap()).unwrap();
    assert_eq!(names(&events(&running.done())).last(), Some(&"saved"));
}
