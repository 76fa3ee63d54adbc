//! From the browser to the first tokens.

use u2m_testkit::{Client, Consent, HostMetadata, Iss, Settings, http::Request};

use crate::world::{AUTHORIZE, BASE, VERIFIER, World, exchange_form, location, parameter, read};

#[test]
fn a_login_ends_with_tokens_for_the_scopes_that_were_asked_for() {
    let mut world = World::new(Settings::new());
    let callback = world.browse(AUTHORIZE);
    assert_eq!(callback.origin().ascii_serialization(), "http://localhost:8020");
    assert_eq!(parameter(&callback, "state").as_deref(), Some("ST"));
    assert_eq!(parameter(&callback, "iss"), None);
    let tokens = world.exchange(&parameter(&callback, "code").unwrap(), VERIFIER);
    assert_eq!(tokens.0, 200);
    assert_eq!(tokens.text("scope"), "offline_access all-apis");
    assert_eq!(tokens.text("token_type"), "Bearer");
    assert_eq!(tokens.1["expires_in"], 3600);
    assert!(world.server.is_active(tokens.text("access_token"), world.now));
    assert!(world.server.is_refreshable(tokens.text("refresh_token"), world.now));
    assert!(world.server.is_login_alive(world.now));
}

#[test]
fn a_wrong_verifier_is_refused_and_burns_the_code() {
    let mut world = World::new(Settings::new());
    let code = world.code();
    let wrong = VERIFIER.replace('d', "e");
    let refused = world.exchange(&code, &wrong);
    assert_eq!((refused.0, refused.text("error")), (400, "invalid_grant"));
    assert_eq!(refused.text("error_description"), "PKCE verification failed");
    assert_eq!(world.exchange(&code, VERIFIER).0, 400);
    assert_eq!(world.server.counts().rejected, 2);
}

#[test]
fn a_replayed_code_is_refused_and_revokes_what_it_gave() {
    let mut world = World::new(Settings::new());
    let code = world.code();
    let tokens = world.exchange(&code, VERIFIER);
    assert_eq!(world.exchange(&code, VERIFIER).text("error"), "invalid_grant");
    assert!(!world.server.is_active(tokens.text("access_token"), world.now));
    assert_eq!(world.refresh(tokens.text("refresh_token")).0, 400);
    let counts = world.server.counts();
    assert_eq!((counts.code_replays, counts.revoked_families), (1, 1));
}

#[test]
fn a_code_lives_for_a_minute() {
    let mut world = World::new(Settings::new());
    let (early, late) = (world.code(), world.code());
    world.wait(59);
    assert_eq!(world.exchange(&early, VERIFIER).0, 200);
    world.wait(1);
    assert_eq!(world.exchange(&late, VERIFIER).text("error_description"), "the code has expired");
}

#[test]
fn a_code_is_bound_to_address_client_and_issuer() {
    let settings = Settings::new().with_client(Client::public("other"));
    for (name, value, path) in [
        ("redirect_uri", "http://localhost:8021", "/oidc/v1/token"),
        ("client_id", "other", "/oidc/v1/token"),
        ("grant_type", "authorization_code", "/oidc/accounts/acc/v1/token"),
    ] {
        let mut world = World::new(settings.clone());
        let code = world.code();
        let mut form = exchange_form(&code, VERIFIER);
        form.iter_mut().filter(|(known, _)| *known == name).for_each(|pair| pair.1 = value);
        assert_eq!(world.post(path, &form).text("error"), "invalid_grant", "{name} {path}");
    }
}

#[test]
fn a_browser_is_never_sent_to_an_address_that_is_not_registered() {
    let mut world = World::new(Settings::new());
    for (from, to) in [
        ("localhost%3A8020", "localhost.evil%3A8020"),
        ("client_id=databricks-cli", "client_id=stranger"),
        ("&state=ST", "&state=ST&redirect_uri=http%3A%2F%2Flocalhost%3A1"),
    ] {
        let response = world.get(&AUTHORIZE.replace(from, to));
        assert_eq!(response.status(), 400, "{to}");
        assert!(!response.headers().contains_key("location"));
    }
}

#[test]
fn a_faulty_request_comes_back_with_an_error_for_the_program() {
    let mut world = World::new(Settings::new().with_scopes_limited_to(["all-apis"]));
    for (from, to, error) in [
        ("response_type=code", "response_type=token", "unsupported_response_type"),
        ("S256", "plain", "invalid_request"),
        ("code_challenge=E9", "code_challenge=", "invalid_request"),
        ("&state=ST", "", "invalid_request"),
        ("scope=offline_access+all-apis", "scope=sql", "invalid_scope"),
    ] {
        let callback = world.browse(&AUTHORIZE.replace(from, to));
        assert_eq!(parameter(&callback, "error").as_deref(), Some(error), "{to}");
        assert_eq!(parameter(&callback, "code"), None);
    }
}

#[test]
fn fewer_scopes_may_be_granted_than_asked_for() {
    let mut world = World::new(Settings::new().with_scopes_limited_to(["all-apis"]));
    let tokens = world.log_in();
    assert_eq!(tokens.text("scope"), "all-apis");
    assert_eq!(tokens.text("refresh_token"), "", "offline_access was not granted");
}

#[test]
fn a_person_may_refuse() {
    let (error, description) = ("access_denied".to_owned(), "not today".to_owned());
    let mut world = World::new(Settings::new().with_consent(Consent::Deny { error, description }));
    let callback = world.browse(AUTHORIZE);
    assert_eq!(parameter(&callback, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&callback, "error_description").as_deref(), Some("not today"));
    assert_eq!(parameter(&callback, "state").as_deref(), Some("ST"));
}

#[test]
fn a_person_may_be_asked() {
    let mut world = World::new(Settings::new().with_consent(Consent::Ask));
    let response = world.get(AUTHORIZE);
    let page = String::from_utf8(response.body().clone()).unwrap();
    assert!(page.contains("<title>Fake authorization server for testing</title>"));
    let link = |id: &str| {
        let (_, rest) = page.split_once(&format!("id=\"{id}\" href=\"")).unwrap();
        rest.split_once('"').unwrap().0.replace("&amp;", "&")
    };
    let allowed = world.browse(&link("allow"));
    let code = parameter(&allowed, "code").unwrap();
    assert_eq!(world.exchange(&code, VERIFIER).0, 200);
    let denied = world.browse(&link("deny"));
    assert_eq!(parameter(&denied, "error").as_deref(), Some("access_denied"));
}

#[test]
fn a_discovery_login_carries_the_issuer_that_was_picked() {
    let mut world = World::new(Settings::new().with_principal_in("acc-7", Some(7)));
    let encoded: String = url::form_urlencoded::byte_serialize(AUTHORIZE.as_bytes()).collect();
    for (target, issuer) in [("", "/oidc"), ("&target=ACCOUNT", "/oidc/accounts/acc-7")] {
        let on = world.browse(&format!("/?destination_url={encoded}{target}"));
        assert!(on.as_str().starts_with(&format!("{BASE}{issuer}/v1/authorize?client_id=")));
        let callback = world.browse(on.as_str());
        assert_eq!(parameter(&callback, "iss"), Some(format!("{BASE}{issuer}")));
        let code = parameter(&callback, "code").unwrap();
        let tokens = world.post(&format!("{issuer}/v1/token"), &exchange_form(&code, VERIFIER));
        assert_eq!(tokens.0, 200);
    }
}

#[test]
fn a_discovery_login_may_end_on_another_host_but_starts_only_consent() {
    let elsewhere = "http://127.0.0.1:9999";
    let mut world = World::new(Settings::new().with_login_destination(elsewhere));
    let on = world.browse("/?destination_url=%2Foidc%2Fv1%2Fauthorize%3Fa%3Db");
    assert!(on.as_str().starts_with("http://127.0.0.1:9999/oidc/v1/authorize?a=b&"));
    assert_eq!(world.get("/?destination_url=https%3A%2F%2Fevil.example%2F").status(), 200);
}

#[test]
fn answers_name_their_issuer_when_told_to_even_a_wrong_one() {
    let mut world = World::new(Settings::new().with_iss(Iss::Present));
    let own = format!("{BASE}/oidc");
    assert_eq!(parameter(&world.browse(AUTHORIZE), "iss"), Some(own));
    let forged = "https://evil.example/oidc";
    world.server.reconfigure(|settings| settings.with_iss(Iss::Forged(forged.into())));
    assert_eq!(parameter(&world.browse(AUTHORIZE), "iss").as_deref(), Some(forged));
}

#[test]
fn metadata_describes_each_issuer() {
    let mut world = World::new(Settings::new().with_iss(Iss::Present));
    for issuer in ["/oidc", "/oidc/accounts/acc-7"] {
        let document =
            read(&world.get(&format!("{issuer}/.well-known/oauth-authorization-server")));
        assert_eq!(document.text("issuer"), format!("{BASE}{issuer}"));
        assert_eq!(document.text("token_endpoint"), format!("{BASE}{issuer}/v1/token"));
        assert_eq!(document.1["code_challenge_methods_supported"][0], "S256");
        assert_eq!(document.1["authorization_response_iss_parameter_supported"], true);
    }
}

#[test]
fn host_metadata_is_what_it_was_told_to_be() {
    let mut world = World::new(Settings::new());
    let document = read(&world.get("/.well-known/databricks-config"));
    assert_eq!(document.text("oidc_endpoint"), format!("{BASE}/oidc"));
    assert_eq!(document.text("workspace_id"), "900800700600");
    world.server.reconfigure(|settings| settings.with_host_metadata(HostMetadata::absent()));
    assert_eq!(world.get("/.well-known/databricks-config").status(), 404);
    assert_eq!(world.server.counts().host_metadata, 2);
}

#[test]
fn a_web_application_proves_itself_with_its_secret() {
    let back = "https://app.example.com/back?x=1";
    let client = Client::confidential("web", "s:3 cret").with_redirect_uri(back);
    let mut world = World::new(Settings::new().with_client(client));
    let encoded: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
    let target = AUTHORIZE
        .replace("databricks-cli", "web")
        .replace("http%3A%2F%2Flocalhost%3A8020", &encoded);
    let mut answers = Vec::new();
    for secret in [None, Some("wrong"), Some("s:3 cret")] {
        let code = parameter(&location(&world.get(&target)), "code").unwrap();
        let mut form = exchange_form(&code, VERIFIER).to_vec();
        form[0].1 = "web";
        form[4].1 = back;
        form.extend(secret.map(|secret| ("client_secret", secret)));
        answers.push(world.post("/oidc/v1/token", &form).0);
    }
    assert_eq!(answers, [401, 401, 200]);
}

#[test]
fn introspection_tells_where_a_token_belongs() {
    let mut world = World::new(Settings::new().with_principal_in("test-account-123", Some(12345)));
    let token = world.log_in().text("access_token").to_owned();
    let request = |token: &str| {
        Request::get("/api/2.0/tokens/introspect")
            .header("authorization", format!("Bearer {token}"))
            .body(Vec::new())
            .unwrap()
    };
    let answer = read(&world.server.respond(&request(&token), world.now));
    let scope = &answer.1["principal_context"]["authentication_scope"];
    assert_eq!(
        (&scope["account_id"], &scope["workspace_id"]),
        (&"test-account-123".into(), &12345.into())
    );
    world.wait(3600);
    assert_eq!(world.server.respond(&request(&token), world.now).status(), 401);
    assert_eq!(world.server.respond(&request("other"), world.now).status(), 401);
}
