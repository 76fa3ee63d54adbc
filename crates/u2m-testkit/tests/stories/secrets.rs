//! What must not be shown is not shown.

use u2m_testkit::{Client, Settings};

use crate::world::{AUTHORIZE, VERIFIER, World, form_request, parameter, refresh_form};

#[test]
fn no_code_and_no_token_reaches_debug() {
    let settings = Settings::new().with_client(Client::confidential("web", "s3cret"));
    assert!(!format!("{settings:?}").contains("s3cret"));
    let mut world = World::new(settings);
    let code = parameter(&world.browse(AUTHORIZE), "code").unwrap();
    let tokens = world.exchange(&code, VERIFIER);
    let (access, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
    let request = form_request("/oidc/v1/token", &refresh_form(refresh));
    let reply = world.server.receive(&request, world.now);
    let signed_in = world.server.sign_in("databricks-cli", "offline_access", world.now);
    let mut shown = format!("{:?} {reply:?} {signed_in:?}", world.server);
    for seen in world.server.seen() {
        shown.push_str(&format!("{seen:?}"));
    }
    for secret in [&code, access, refresh, VERIFIER, signed_in.access_token(), "doau", "eyJ"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
