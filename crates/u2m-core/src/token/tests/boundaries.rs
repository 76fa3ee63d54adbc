//! Where tokens may be sent: only to the host they were issued for and the login's endpoint, and into no text.

use super::*;
use crate::oauth::MetadataError;

fn metadata(token_endpoint: &str) -> String {
    format!(
        r#"{{"issuer":"https://a.example/oidc","authorization_endpoint":"https://a.example/oidc/v1/authorize",
        "token_endpoint":"{token_endpoint}"}}"#
    )
}

fn paths(shelf: &RecordStore) -> Vec<&str> {
    shelf.sent.iter().map(|request| request.url().path()).collect()
}

fn what_differs(shelf: &mut RecordStore, ask: WhichToken) -> &'static str {
    let error = shelf.ask(ask).unwrap_err();
    assert!(error.needs_login() && !error.is_transient());
    assert_eq!(
        (shelf.locks, shelf.sent.len()),
        (0, 0),
        "it is refused before the lock and before any request"
    );
    let TokenError::Mismatch { what, .. } = error else { panic!("{error:?}") };
    what
}

#[test]
fn t20_a_login_of_another_host_account_client_or_scope_is_refused_before_any_request() {
    let id = |text| AccountId::parse(text).unwrap();
    // Neither a fresh token nor a forced refresh gets past the check.
    for (left, ask) in [
        (3000, WhichToken::Usable),
        (-1, WhichToken::Usable),
        (3000, WhichToken::Newer(None)),
        (3000, WhichToken::Other(seen("x"))),
    ] {
        let mut shelf = RecordStore::with(left);
        shelf.request.target = Target::workspace(host("https://attacker.example"));
        assert_eq!(what_differs(&mut shelf, ask.clone()), "host");
        let mut shelf = RecordStore::with(left);
        shelf.request.target = Target::workspace(host("https://a.example:444"));
        assert_eq!(what_differs(&mut shelf, ask.clone()), "host");
        let mut shelf = RecordStore::with(left);
        shelf.request.target = Target::unified(host("https://a.example"), id("mine"));
        assert_eq!(what_differs(&mut shelf, ask.clone()), "account");
        let theirs =
            session("old", left).with_binding(binding().with_account_id(Some("theirs".into())));
        let mut shelf = RecordStore::holding(Some(theirs));
        shelf.request.target = Target::account(host("https://a.example"), id("mine"));
        assert_eq!(what_differs(&mut shelf, ask.clone()), "account");
        let mut shelf = RecordStore::with(left);
        shelf.request.client_id = "another-app".into();
        assert_eq!(what_differs(&mut shelf, ask.clone()), "client");
        let narrow =
            session("old", left).with_binding(binding().with_scopes(Some(Scopes::new(["sql"]))));
        let mut shelf = RecordStore::holding(Some(narrow));
        shelf.request.scopes = Scopes::new(["sql", "jobs"]);
        assert_eq!(what_differs(&mut shelf, ask), "scopes");
    }
}

#[test]
fn t20_a_login_that_changes_hands_while_the_lock_is_awaited_is_refused_too() {
    let mut shelf = RecordStore::with(-1);
    let TokenStep::Load(load) = shelf.request.clone().start(WhichToken::Usable, NOW) else {
        panic!("loads first")
    };
    let waiting = load.loaded(shelf.entry.clone(), NOW).unwrap();
    let elsewhere = Binding::new(
        "https://b.example/oidc",
        Url::parse(TOKEN_URL).unwrap(),
        "x",
        host("https://b.example"),
    );
    shelf.entry = Some(session("theirs", 3600).with_binding(elsewhere));
    assert!(matches!(shelf.go_on(waiting), Err(TokenError::Mismatch { what: "host", .. })));
    assert!(shelf.sent.is_empty());
}

#[test]
fn t20_an_issuers_login_is_that_of_the_issuer_by_its_own_word() {
    let of = |issuer: &str| Target::issuer(issuer).unwrap();
    for (left, ask) in
        [(3000, WhichToken::Usable), (-1, WhichToken::Usable), (3000, WhichToken::Newer(None))]
    {
        let mut shelf = RecordStore::with(left);
        shelf.request.target = of("https://a.example/other");
        assert_eq!(what_differs(&mut shelf, ask.clone()), "issuer");
        shelf.request.target = of("https://a.example/oidc/");
        assert_eq!(what_differs(&mut shelf, ask.clone()), "issuer");
        // An entry that another program saved under this key says nothing about any issuer.
        let unbound = Session { binding: None, ..session("old", left) };
        let mut shelf = RecordStore::holding(Some(unbound));
        shelf.request.target = of("https://a.example/oidc");
        assert_eq!(what_differs(&mut shelf, ask), "issuer");
    }
    let mut shelf = RecordStore::with(3000);
    shelf.request.target = of("https://a.example/oidc");
    assert!(shelf.ask(WhichToken::Usable).is_ok());
}

#[test]
fn a7_scopes_that_are_about_the_person_need_not_be_listed() {
    let granted =
        session("old", 3000).with_binding(binding().with_scopes(Some(Scopes::new(["reports"]))));
    let mut shelf = RecordStore::holding(Some(granted));
    shelf.request.target = Target::issuer("https://a.example/oidc").unwrap();
    shelf.request.scopes = Scopes::split("openid profile offline_access reports");
    assert!(shelf.ask(WhichToken::Usable).is_ok());
    shelf.request.scopes = Scopes::split("openid ledgers");
    assert_eq!(what_differs(&mut shelf, WhichToken::Usable), "scopes");
}

#[test]
fn scopes_that_were_granted_or_never_stated_are_no_mismatch() {
    for granted in [None, Some(Scopes::new(["jobs", "sql"]))] {
        let mut shelf = RecordStore::holding(Some(
            session("old", 3000).with_binding(binding().with_scopes(granted)),
        ));
        shelf.request.scopes = Scopes::new(["offline_access", "sql"]);
        assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "old-access");
    }
}

#[test]
fn a33_the_refresh_token_goes_to_the_endpoint_pinned_at_login_without_asking_for_metadata() {
    let mut shelf = RecordStore::with(-1).answering(200, RENEWED);
    shelf.ask(WhichToken::Usable).unwrap();
    let request = &shelf.sent[0];
    assert_eq!(request.url().as_str(), TOKEN_URL);
    assert_eq!(
        request.form(),
        Some("client_id=databricks-cli&grant_type=refresh_token&refresh_token=old-refresh")
    );
}

#[test]
fn an_entry_of_another_program_learns_its_endpoint_and_is_bound_from_then_on() {
    let mut entry = session("old", -1);
    entry.binding = None;
    let mut shelf = RecordStore::holding(Some(entry))
        .answering(200, &metadata(TOKEN_URL))
        .answering(200, RENEWED);
    shelf.ask(WhichToken::Usable).unwrap();
    assert_eq!(paths(&shelf), [METADATA_PATH, "/oidc/v1/token"]);
    assert!(shelf.sent[0].form().is_none() && !shelf.sent[0].url().as_str().contains("old"));
    assert_eq!(shelf.entry.unwrap().binding, Some(binding()));
}

#[test]
fn an_account_has_a_fixed_endpoint_and_asks_nobody_for_it() {
    let mut entry = session("old", -1);
    entry.binding = None;
    let mut shelf = RecordStore::holding(Some(entry)).answering(200, RENEWED);
    shelf.request.target =
        Target::account(host("https://accounts.a.example"), AccountId::parse("abc").unwrap());
    shelf.ask(WhichToken::Usable).unwrap();
    assert_eq!(paths(&shelf), ["/oidc/accounts/abc/v1/token"]);
    assert_eq!(shelf.entry.unwrap().binding.unwrap().account_id.as_deref(), Some("abc"));
}

#[test]
fn endp_2_a_pinned_endpoint_that_is_gone_is_looked_for_once() {
    let moved = metadata("https://a.example/oidc/v2/token");
    for gone in [404, 405] {
        let mut shelf = RecordStore::with(-1)
            .answering(gone, "")
            .answering(200, &moved)
            .answering(200, RENEWED);
        assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access");
        assert_eq!(paths(&shelf), ["/oidc/v1/token", METADATA_PATH, "/oidc/v2/token"]);
        let pinned = shelf.entry.unwrap().binding.unwrap().token_endpoint;
        assert_eq!(pinned.path(), "/oidc/v2/token", "the next refresh goes there at once");
        let mut shelf =
            RecordStore::with(-1).answering(gone, "").answering(200, &moved).answering(gone, "");
        let error = shelf.ask(WhichToken::Usable).unwrap_err();
        assert!(matches!(error, TokenError::Refresh(_)), "{error:?}");
        assert_eq!(shelf.sent.len(), 3);
    }
}

#[test]
fn a32_a33_metadata_that_points_elsewhere_does_not_get_the_refresh_token() {
    for elsewhere in
        ["https://evil.example/token", "https://a.example:444/token", "http://a.example/token"]
    {
        let mut shelf =
            RecordStore::with(-1).answering(404, "").answering(200, &metadata(elsewhere));
        let error = shelf.ask(WhichToken::Usable).unwrap_err();
        assert!(matches!(error, TokenError::Endpoints(_)), "{error:?}");
        assert_eq!(shelf.spent(), ["old-refresh"], "sent to the pinned endpoint alone");
        let mut entry = session("old", -1);
        entry.binding = None;
        let mut shelf = RecordStore::holding(Some(entry)).answering(200, &metadata(elsewhere));
        shelf.ask(WhichToken::Usable).unwrap_err();
        assert!(shelf.spent().is_empty());
    }
}

#[test]
fn a33_neither_a_supplier_nor_a_fixed_layout_moves_a_pinned_login_to_another_origin() {
    let url = |text: &str| Url::parse(text).unwrap();
    let own = Binding { token_endpoint: url("https://id.example/token"), ..binding() };
    let gone = || Ok(answer(404, ""));
    let refreshing = |request: TokenRequest, entry: Session| {
        let mut shelf = RecordStore { request, ..RecordStore::holding(Some(entry)) };
        let TokenStep::Load(load) = shelf.request.clone().start(WhichToken::Usable, NOW) else {
            panic!("loads first")
        };
        let TokenStep::Lock(lock) = load.loaded(shelf.entry.clone(), NOW).unwrap() else {
            panic!("locks")
        };
        let TokenStep::Reload(reload) = lock.locked() else { panic!("reloads") };
        let TokenStep::CheckWritable(prove) = reload.loaded(shelf.entry.take(), None, NOW).unwrap()
        else {
            panic!("proves")
        };
        let TokenStep::Refresh(call) = prove.proven(NOW).unwrap() else { panic!("refreshes") };
        call
    };
    let mut request = TokenRequest::new(Target::workspace(host("https://a.example")));
    request.own_endpoints = true;
    let call = refreshing(request, session("old", -1).with_binding(own.clone()));
    let TokenStep::Discover(call) = call.answered(gone(), NOW).unwrap() else {
        panic!("looks for the endpoint")
    };
    let swapped = crate::ServerMetadata::new(
        "https://id.example",
        url("https://evil.example/a"),
        url("https://evil.example/t"),
    );
    assert!(matches!(call.supplied(swapped, NOW), Err(TokenError::Endpoints(_))));
    let request = TokenRequest::new(Target::account(
        host("https://a.example"),
        AccountId::parse("abc").unwrap(),
    ));
    let call = refreshing(
        request,
        session("old", -1).with_binding(own.with_account_id(Some("abc".into()))),
    );
    assert!(matches!(call.answered(gone(), NOW), Err(TokenError::Endpoints(_))));
}

#[test]
fn a33_a_login_with_endpoints_on_allowed_hosts_stays_on_those_that_its_record_names() {
    let document = |token: &str| {
        format!(
            r#"{{"issuer":"https://a.example/oidc","authorization_endpoint":"https://pages.example/a",
            "token_endpoint":"{token}"}}"#
        )
    };
    let own = Binding {
        token_endpoint: Url::parse("https://tokens.example/v1").unwrap(),
        allowed: vec![host("https://tokens.example"), host("https://pages.example")],
        ..binding()
    };
    let issuer = Target::issuer("https://a.example/oidc").unwrap();
    let discovery = Target::discovery(ProfileName::parse("dev").unwrap());
    let workspace = Target::workspace(host("https://a.example"));
    for target in [issuer, discovery, workspace] {
        let holding = |binding: &Binding| {
            let mut shelf =
                RecordStore::holding(Some(session("old", -1).with_binding(binding.clone())));
            shelf.request.target = target.clone();
            shelf.answering(404, "")
        };
        let mut shelf = holding(&own)
            .answering(200, &document("https://tokens.example/v2"))
            .answering(200, RENEWED);
        assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access");
        let renewed = shelf.entry.unwrap().binding.unwrap();
        assert_eq!(renewed.token_endpoint.as_str(), "https://tokens.example/v2");
        assert_eq!(renewed.allowed, own.allowed);
        // Neither another allowed origin, nor one that is not allowed; and a host that was not allowed at the login is not
        // allowed now.
        let narrow = Binding { allowed: vec![host("https://tokens.example")], ..own.clone() };
        for (binding, moved) in [
            (&own, "https://pages.example/v2"),
            (&own, "https://a.example/v2"),
            (&own, "https://evil.example/v2"),
            (&narrow, "https://tokens.example/v2"),
        ] {
            let answer = document(moved);
            let mut shelf = holding(binding).answering(200, &answer).answering(404, "");
            let error = shelf.ask(WhichToken::Usable).unwrap_err();
            assert!(matches!(error, TokenError::Endpoints(_)), "{moved}: {error:?}");
            assert_eq!(shelf.spent(), ["old-refresh"], "{moved}");
        }
    }
}

#[test]
fn a30_a_login_is_renewed_at_a_host_whose_metadata_names_no_issuer() {
    let unbound = Session { binding: None, ..session("old", -1) };
    for name in ["null", "\"\"", "\"https://a.example\"", "\"https://a.example/oidc/\""] {
        let body = metadata(TOKEN_URL).replace("\"https://a.example/oidc\"", name);
        let mut shelf = RecordStore::holding(Some(unbound.clone()))
            .answering(200, &body)
            .answering(200, RENEWED);
        assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access", "{name}");
        let renewed = shelf.entry.unwrap().binding.unwrap();
        assert_eq!(renewed.issuer, "https://a.example/oidc", "{name}");
        assert_eq!(renewed.host.as_str(), "https://a.example", "{name}");
    }
    for name in ["https://b.example/oidc", "https://a.example:444/oidc", "http://a.example/oidc"] {
        let name = format!("\"{name}\"");
        let body = metadata(TOKEN_URL).replace("\"https://a.example/oidc\"", &name);
        let mut shelf = RecordStore::holding(Some(unbound.clone())).answering(200, &body);
        let error = shelf.ask(WhichToken::Usable).unwrap_err();
        let TokenError::Endpoints(MetadataError::WrongIssuer(_)) = error else {
            panic!("{error:?}")
        };
        assert!(shelf.spent().is_empty(), "{name}");
    }
}

#[test]
fn endp_1_failing_to_find_the_endpoint_spends_nothing_and_keeps_a_good_token() {
    for left in [-1, 240] {
        let mut entry = session("old", left);
        entry.binding = None;
        for (status, body) in [(404, ""), (200, "<html>"), (500, "")] {
            let mut shelf = RecordStore::holding(Some(entry.clone())).answering(status, body);
            match shelf.ask(WhichToken::Usable) {
                Ok(issued) => {
                    assert!(
                        left > 0
                            && matches!(issued.how(), TokenOrigin::Kept(TokenError::Endpoints(_)))
                    )
                }
                Err(error) => assert!(left < 0 && matches!(error, TokenError::Endpoints(_))),
            }
            assert!(shelf.spent().is_empty());
        }
    }
}

#[test]
fn disc_2_a_discovered_login_refreshes_where_it_signed_in_and_asks_its_own_issuer_when_that_is_gone()
 {
    let profile = Target::discovery(ProfileName::parse("dev").unwrap());
    let mut shelf = RecordStore::with(-1)
        .answering(404, "")
        .answering(200, &metadata(TOKEN_URL))
        .answering(200, RENEWED);
    shelf.request.target = profile.clone();
    assert_eq!(access(&shelf.ask(WhichToken::Usable).unwrap()), "new-access");
    assert_eq!(paths(&shelf), ["/oidc/v1/token", METADATA_PATH, "/oidc/v1/token"]);
    // An entry from another program does not say which host it is for.
    let mut entry = session("old", -1);
    entry.binding = None;
    let mut shelf = RecordStore::holding(Some(entry));
    shelf.request.target = profile;
    let error = shelf.ask(WhichToken::Usable).unwrap_err();
    assert!(matches!(error, TokenError::NoHost) && error.needs_login());
}

#[test]
fn t14_no_step_shows_a_token_or_a_body() {
    let mut entry = session("canary", -1);
    entry.binding = None;
    let hides = |step: &TokenStep| assert!(!format!("{step:?}").contains("canary"), "{step:?}");
    let request = TokenRequest::new(Target::workspace(host("https://a.example")));
    for last in [
        r#"{"access_token":"canary","refresh_token":"canary"}"#,
        r#"{"error":"invalid_grant","x":"canary"}"#,
    ] {
        let mut step = request.clone().start(WhichToken::Other(seen("canary")), NOW);
        loop {
            hides(&step);
            step = match step {
                TokenStep::Load(load) => load.loaded(Some(entry.clone()), NOW).unwrap(),
                TokenStep::Lock(lock) => lock.locked(),
                TokenStep::Reload(reload) => reload.loaded(Some(entry.clone()), None, NOW).unwrap(),
                TokenStep::CheckWritable(prove) => prove.proven(NOW).unwrap(),
                TokenStep::Discover(call) => {
                    call.answered(Ok(answer(200, &metadata(TOKEN_URL))), NOW).unwrap()
                }
                TokenStep::Refresh(call) => call.answered(Ok(answer(200, last)), NOW).unwrap(),
                TokenStep::ReloadAfterRejection(recheck) => {
                    recheck.loaded(Some(entry.clone()), NOW).unwrap()
                }
                TokenStep::Save(_) | TokenStep::RecordFailure(_) | TokenStep::Done(_) => break,
            };
        }
    }
    hides(&TokenStep::Done(IssuedToken::stored(session("canary", 9))));
}

#[test]
fn a_supplier_that_names_another_host_gets_no_refresh_token_unless_the_host_was_named() {
    let url = |text: &str| Url::parse(text).unwrap();
    let server = || {
        crate::ServerMetadata::new(
            "https://id.example",
            url("https://id.example/a"),
            url("https://id.example/t"),
        )
    };
    let ask = |trust: IssuerTrust| {
        let mut request = TokenRequest::new(Target::workspace(host("https://a.example")));
        (request.own_endpoints, request.trust) = (true, trust);
        let unbound = Session { binding: None, ..session("old", -1) };
        let mut shelf = RecordStore { request, ..RecordStore::holding(Some(unbound)) };
        let TokenStep::Load(load) = shelf.request.clone().start(WhichToken::Usable, NOW) else {
            panic!("loads first")
        };
        let TokenStep::Lock(lock) = load.loaded(shelf.entry.clone(), NOW).unwrap() else {
            panic!("locks")
        };
        let TokenStep::Reload(reload) = lock.locked() else { panic!("reloads") };
        let TokenStep::CheckWritable(prove) = reload.loaded(shelf.entry.take(), None, NOW).unwrap()
        else {
            panic!("proves")
        };
        let TokenStep::Discover(call) = prove.proven(NOW).unwrap() else { panic!("asks") };
        call
    };
    let refused = ask(IssuerTrust::databricks()).supplied(server(), NOW);
    let Err(TokenError::Endpoints(MetadataError::EndpointElsewhere(..))) = refused else {
        panic!("{refused:?}")
    };
    let named = IssuerTrust::databricks().with_host(host("https://id.example"));
    let TokenStep::Refresh(call) = ask(named).supplied(server(), NOW).unwrap() else {
        panic!("refreshes")
    };
    assert_eq!(call.request().url().as_str(), "https://id.example/t");
}
