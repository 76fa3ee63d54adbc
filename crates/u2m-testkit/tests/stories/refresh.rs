//! Refreshing: rotation, reuse, grace, and the ways a token answer may look.

use u2m_testkit::{
    AccessTokenForm, ExpiresIn, Lifetime, Rotation, Settings,
    http::{Request, StatusCode},
};

use crate::world::{World, read, refresh_form};

fn logged_in(settings: Settings) -> (World, String) {
    let mut world = World::new(settings);
    let token = world.log_in().text("refresh_token").to_owned();
    (world, token)
}

#[test]
fn each_refresh_spends_its_token_and_brings_the_next() {
    let (mut world, first) = logged_in(Settings::new());
    let second = world.refresh(&first).text("refresh_token").to_owned();
    assert_ne!(first, second);
    assert!(!world.server.is_refreshable(&first, world.now));
    assert!(world.server.is_refreshable(&second, world.now));
    assert_eq!(world.refresh(&second).0, 200);
    let counts = world.server.counts();
    assert_eq!((counts.refreshes, counts.issued, counts.rejected), (2, 3, 0));
}

#[test]
fn reuse_of_a_spent_token_revokes_the_whole_family() {
    let (mut world, first) = logged_in(Settings::new());
    let second = world.refresh(&first);
    let refused = world.refresh(&first);
    assert_eq!((refused.0, refused.text("error")), (400, "invalid_grant"));
    assert_eq!(refused.text("error_description"), "Refresh token is invalid");
    assert!(!world.server.is_login_alive(world.now));
    assert!(!world.server.is_active(second.text("access_token"), world.now));
    assert_eq!(world.refresh(second.text("refresh_token")).0, 400);
    let counts = world.server.counts();
    assert_eq!((counts.reuse_detections, counts.revoked_families, counts.rejected), (1, 1, 2));
}

#[test]
fn one_family_falls_and_another_stands() {
    let (mut world, first) = logged_in(Settings::new());
    let other = world.log_in().text("refresh_token").to_owned();
    world.refresh(&first);
    world.refresh(&first);
    assert_eq!(world.refresh(&other).0, 200);
}

#[test]
fn within_the_grace_the_previous_token_works_once_more() {
    let settings = Settings::new().with_retry_grace(Lifetime::from_seconds(30));
    let (mut world, first) = logged_in(settings);
    world.refresh(&first);
    world.wait(30);
    assert!(world.server.is_refreshable(&first, world.now), "once more");
    let retried = world.refresh(&first);
    assert_eq!(retried.0, 200);
    assert!(world.server.is_refreshable(retried.text("refresh_token"), world.now));
    assert_eq!(world.refresh(&first).0, 400, "once only");
    assert!(!world.server.is_login_alive(world.now));
}

#[test]
fn the_grace_ends_and_never_covers_older_tokens() {
    let settings = Settings::new().with_retry_grace(Lifetime::from_seconds(30));
    let (mut late, first) = logged_in(settings.clone());
    late.refresh(&first);
    late.wait(31);
    assert!(!late.server.is_refreshable(&first, late.now));
    assert_eq!(late.refresh(&first).0, 400);
    let (mut old, first) = logged_in(settings);
    let second = old.refresh(&first).text("refresh_token").to_owned();
    old.refresh(&second);
    assert_eq!(old.refresh(&first).0, 400);
}

#[test]
fn without_rotation_the_token_stays_and_is_not_repeated() {
    let (mut world, token) = logged_in(Settings::new().with_rotation(Rotation::Off));
    for _ in 0..3 {
        let refreshed = world.refresh(&token);
        assert_eq!((refreshed.0, refreshed.text("refresh_token")), (200, ""));
    }
}

#[test]
fn a_refresh_token_may_die_of_age() {
    let settings = Settings::new().with_refresh_lifetime(Lifetime::from_seconds(100));
    let (mut world, token) = logged_in(settings);
    world.wait(100);
    assert!(!world.server.is_login_alive(world.now));
    assert_eq!(world.refresh(&token).0, 400);
    assert_eq!(world.server.counts().reuse_detections, 0);
}

#[test]
fn an_administrator_ends_every_login() {
    let (mut world, token) = logged_in(Settings::new());
    world.server.revoke_all();
    assert_eq!(world.refresh(&token).0, 400);
    assert!(!world.server.is_login_alive(world.now));
}

#[test]
fn the_refusal_can_look_like_any_of_the_real_ones() {
    let settings =
        Settings::new().with_refresh_refusal(StatusCode::UNAUTHORIZED, "invalid_request");
    let refused = World::new(settings).refresh("doau-unknown");
    assert_eq!((refused.0, refused.text("error")), (401, "invalid_request"));
    assert_eq!(refused.text("error_description"), "Refresh token is invalid");
}

#[test]
fn a_refresh_may_ask_for_less_and_loses_nothing_by_asking_for_more() {
    let (mut world, token) = logged_in(Settings::new());
    let form = |scope| [refresh_form(&token).to_vec(), vec![("scope", scope)]].concat();
    let refused = world.post("/oidc/v1/token", &form("all-apis sql"));
    assert_eq!(refused.text("error"), "invalid_scope");
    assert_eq!(world.post("/oidc/v1/token", &form("all-apis")).text("scope"), "all-apis");
}

#[test]
fn the_lifetime_is_told_in_every_known_way() {
    let tell = |how| {
        let mut world = World::new(Settings::new().with_expires_in(how));
        world.log_in()
    };
    assert_eq!(tell(ExpiresIn::Number).1["expires_in"], 3600);
    assert_eq!(tell(ExpiresIn::Text).1["expires_in"], "3600");
    assert_eq!(tell(ExpiresIn::Absent).1.get("expires_in"), None);
    assert_eq!(tell(ExpiresIn::Raw("3600.5".into())).1["expires_in"], 3600.5);
    assert!(tell(ExpiresIn::Raw("soon".into())).1.is_null(), "no longer JSON");
}

#[test]
fn token_type_and_form_are_as_told() {
    let settings =
        Settings::new().with_token_type("bearer").with_access_token_form(AccessTokenForm::Opaque);
    let tokens = World::new(settings).log_in();
    assert_eq!(tokens.text("token_type"), "bearer");
    assert!(!tokens.text("access_token").contains('.'));
}

#[test]
fn runs_repeat_exactly() {
    let run = || World::new(Settings::new()).log_in().1;
    assert_eq!(run(), run());
}

#[test]
fn what_is_not_a_token_request_is_refused() {
    let mut world = World::new(Settings::new());
    let json = Request::post("/oidc/v1/token").body(b"{}".to_vec()).unwrap();
    assert_eq!(read(&world.server.respond(&json, world.now)).text("error"), "invalid_request");
    assert_eq!(world.get("/oidc/v1/token").status(), 405);
    let mut error = |form: &[(&str, &str)]| {
        let answer = world.post("/oidc/v1/token", form);
        (answer.0, answer.text("error").to_owned())
    };
    let client = ("client_id", "databricks-cli");
    assert_eq!(error(&[client]), (400, "invalid_request".into()));
    assert_eq!(error(&[client, client]), (400, "invalid_request".into()));
    assert_eq!(error(&[client, ("grant_type", "x")]), (400, "unsupported_grant_type".into()));
    assert_eq!(error(&[("client_id", "stranger")]), (401, "invalid_client".into()));
    assert_eq!(world.server.counts().rejected, 5);
}
