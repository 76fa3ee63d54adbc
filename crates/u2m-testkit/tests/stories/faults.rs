//! What goes wrong when it is told to, without a socket.

use std::time::Duration;

use u2m_testkit::{
    Endpoint, Fault, Outcome, RotateOn, Settings, Times,
    http::{Response, StatusCode},
};

use crate::world::{World, form_request, refresh_form};

const LATE: Duration = Duration::from_millis(50);

/// A logged-in world whose next token request meets `fault`, and what became of that request.
fn refresh_meets(fault: Fault, settings: Settings) -> (World, String, Duration, Outcome) {
    let mut world = World::new(settings);
    let token = world.log_in().text("refresh_token").to_owned();
    world.server.inject(Endpoint::Token, Times::Once, fault);
    let request = form_request("/oidc/v1/token", &refresh_form(&token));
    let reply = world.server.receive(&request, world.now);
    assert_eq!(world.server.counts().faults, 1);
    (world, token, reply.delay, reply.outcome)
}

fn answer(outcome: Outcome) -> Response<Vec<u8>> {
    match outcome {
        Outcome::Answer(response) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_delayed_answer_is_right_and_its_effect_immediate() {
    let (world, token, delay, outcome) = refresh_meets(Fault::delay(LATE), Settings::new());
    assert_eq!(delay, LATE);
    assert_eq!(answer(outcome).status(), 200);
    assert!(!world.server.is_refreshable(&token, world.now));
}

#[test]
fn rotation_can_wait_for_the_end_of_the_delay() {
    let settings = Settings::new().with_rotate_on(RotateOn::Answer);
    let (mut world, token, delay, outcome) = refresh_meets(Fault::delay(LATE), settings);
    assert_eq!(delay, LATE);
    assert!(world.server.is_refreshable(&token, world.now));
    let Outcome::Deferred(deferred) = outcome else { panic!("{outcome:?}") };
    assert_eq!(answer(world.server.finish(deferred, world.now)).status(), 200);
    assert!(!world.server.is_refreshable(&token, world.now));
    assert_eq!(world.server.counts().refreshes, 1);
}

#[test]
fn a_connection_drops_before_or_after_the_token_is_spent() {
    let (world, token, _, outcome) = refresh_meets(Fault::drop_connection(), Settings::new());
    assert!(matches!(outcome, Outcome::Drop));
    assert!(world.server.is_refreshable(&token, world.now));
    let lost = Fault::drop_connection().once_processed();
    let (world, token, _, outcome) = refresh_meets(lost, Settings::new());
    assert!(matches!(outcome, Outcome::Drop));
    assert!(!world.server.is_refreshable(&token, world.now));
    assert!(world.server.is_login_alive(world.now), "but nobody holds its token");
}

#[test]
fn a_gateway_may_fail_before_or_after_the_token_is_spent() {
    let fault = || Fault::status(StatusCode::BAD_GATEWAY, "text/html", "<h1>502</h1>").after(LATE);
    for (fault, still_good) in [(fault(), true), (fault().once_processed(), false)] {
        let (world, token, delay, outcome) = refresh_meets(fault, Settings::new());
        let response = answer(outcome);
        assert_eq!((delay, response.status()), (LATE, StatusCode::BAD_GATEWAY));
        assert_eq!(response.headers()["content-type"], "text/html");
        assert_eq!(response.body(), b"<h1>502</h1>");
        assert_eq!(world.server.is_refreshable(&token, world.now), still_good);
    }
}

#[test]
fn junk_arrives_as_if_it_were_json() {
    let (_, _, _, outcome) = refresh_meets(Fault::junk(*b"\xff<"), Settings::new());
    let response = answer(outcome);
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.body(), b"\xff<");
}

#[test]
fn too_many_requests_may_say_when_to_come_back() {
    let (_, _, _, outcome) = refresh_meets(Fault::too_many_requests(Some(7)), Settings::new());
    let response = answer(outcome);
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    let (_, _, _, outcome) = refresh_meets(Fault::too_many_requests(None), Settings::new());
    assert!(!answer(outcome).headers().contains_key("retry-after"));
}

#[test]
fn a_token_request_may_be_redirected() {
    let fault = Fault::redirect(StatusCode::TEMPORARY_REDIRECT, "http://evil.example/");
    let (_, _, _, outcome) = refresh_meets(fault, Settings::new());
    let response = answer(outcome);
    assert_eq!(response.status(), 307);
    assert_eq!(response.headers()["location"], "http://evil.example/");
}

#[test]
fn an_answer_may_never_come_or_break_off() {
    let (world, token, _, outcome) = refresh_meets(Fault::never_answer(), Settings::new());
    assert!(matches!(outcome, Outcome::Hang));
    assert!(world.server.is_refreshable(&token, world.now));
    let (world, token, _, outcome) = refresh_meets(Fault::cut_short(), Settings::new());
    assert!(matches!(outcome, Outcome::CutShort(_)));
    assert!(!world.server.is_refreshable(&token, world.now));
}

#[test]
fn a_pure_caller_sees_504_where_no_answer_would_come() {
    let mut world = World::new(Settings::new());
    world.server.inject(Endpoint::Metadata, Times::Always, Fault::drop_connection());
    let path = "/oidc/.well-known/oauth-authorization-server";
    assert_eq!(world.get(path).status(), 504);
    assert_eq!(world.get("/.well-known/databricks-config").status(), 200);
    world.server.clear_faults();
    assert_eq!(world.get(path).status(), 200);
}
