//! What issuers other than Databricks' do: revoke on request, sign devices in, publish metadata elsewhere.

use crate::world::{World, form_request};
use u2m_testkit::{Client, Device, DeviceAnswer, Settings, WellKnown};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn revoke(world: &mut World, client: &str, token: &str) -> u16 {
    let form = [("client_id", client), ("token", token)];
    let request = form_request("/oidc/v1/revoke", &form);
    world.server.respond(&request, world.now).status().as_u16()
}

#[test]
fn a_login_ends_with_either_of_its_tokens_and_only_for_its_own_client() {
    for member in ["refresh_token", "access_token"] {
        let mut world =
            World::new(Settings::new().with_revocation().with_client(Client::public("other")));
        let tokens = world.log_in();
        assert_eq!(revoke(&mut world, "databricks-cli", "never issued"), 200);
        assert_eq!(revoke(&mut world, "other", tokens.text(member)), 200);
        assert!(world.server.is_refreshable(tokens.text("refresh_token"), world.now));
        assert_eq!(revoke(&mut world, "nobody", tokens.text(member)), 401);
        assert_eq!(revoke(&mut world, "databricks-cli", tokens.text(member)), 200);
        assert!(!world.server.is_refreshable(tokens.text("refresh_token"), world.now));
        assert!(!world.server.is_active(tokens.text("access_token"), world.now));
        let counts = world.server.counts();
        assert_eq!((counts.revocations, counts.revoked_families), (4, 1));
    }
}

#[test]
fn what_was_not_asked_for_is_not_there() {
    let mut world = World::new(Settings::new());
    let tokens = world.log_in();
    assert_eq!(revoke(&mut world, "databricks-cli", tokens.text("refresh_token")), 404);
    assert_eq!(world.post("/oidc/v1/device", &[("client_id", "databricks-cli")]).0, 404);
    let document = world.get("/oidc/.well-known/oauth-authorization-server");
    let text = String::from_utf8_lossy(document.body()).into_owned();
    assert!(!text.contains("revocation") && !text.contains("device"), "{text}");
    for path in
        ["/oidc/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/oidc"]
    {
        assert_eq!(world.get(path).status(), 404, "{path}");
    }
}

#[test]
fn metadata_stands_where_it_is_told_to() {
    for (well_known, path) in [
        (WellKnown::OAuth, "/.well-known/oauth-authorization-server/oidc"),
        (WellKnown::OpenId, "/oidc/.well-known/openid-configuration"),
    ] {
        let mut world = World::new(Settings::new().with_well_known(well_known));
        assert_eq!(world.get(path).status(), 200, "{path}");
    }
}

#[test]
fn a_device_is_told_to_wait_and_gets_its_tokens_once() {
    let answers = [DeviceAnswer::Pending, DeviceAnswer::SlowDown, DeviceAnswer::Approved];
    let device = Device::new(answers).with_interval(Some(5));
    let mut world = World::new(Settings::new().with_device(device));
    let form = [("client_id", "databricks-cli"), ("scope", "offline_access all-apis")];
    let codes = world.post("/oidc/v1/device", &form);
    assert_eq!((codes.0, codes.1["interval"].as_i64()), (200, Some(5)));
    let code = codes.text("device_code").to_owned();
    let poll = |world: &mut World, wait: i64| {
        world.wait(wait);
        let form =
            [("client_id", "databricks-cli"), ("device_code", &code), ("grant_type", DEVICE)];
        world.post("/oidc/v1/token", &form)
    };
    assert_eq!(poll(&mut world, 5).text("error"), "authorization_pending");
    assert_eq!(poll(&mut world, 5).text("error"), "slow_down");
    let tokens = poll(&mut world, 10);
    assert!(world.server.is_refreshable(tokens.text("refresh_token"), world.now));
    assert_eq!(poll(&mut world, 10).text("error"), "invalid_grant", "the code is spent");
    let counts = world.server.counts();
    assert_eq!((counts.device_requests, counts.device_polls, counts.early_polls), (1, 4, 0));
}

#[test]
fn a_poll_that_comes_too_early_is_counted_and_codes_run_out() {
    let device = Device::new([DeviceAnswer::Pending]).with_interval(Some(5)).with_expires_in(60);
    let mut world = World::new(Settings::new().with_device(device));
    let codes = world.post("/oidc/v1/device", &[("client_id", "databricks-cli"), ("scope", "x")]);
    let code = codes.text("device_code").to_owned();
    let form = [("client_id", "databricks-cli"), ("device_code", &code), ("grant_type", DEVICE)];
    world.wait(4);
    assert_eq!(world.post("/oidc/v1/token", &form).text("error"), "slow_down");
    world.wait(9);
    assert_eq!(world.post("/oidc/v1/token", &form).text("error"), "slow_down", "five were added");
    assert_eq!(world.server.counts().early_polls, 2);
    world.wait(60);
    assert_eq!(world.post("/oidc/v1/token", &form).text("error"), "expired_token");
}
