//! Signing in through a browser, from the first request to the saved login.
#![allow(clippy::unwrap_used)]

mod common;

use common::{LONG, World, eventually, name, runtime, within};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use u2m::login::{Browser, LoginError, Ports, browser_fn};
use u2m::process::wait_for_saves;
use u2m::store::{CacheKey, MemoryStore, Session, StoreError, TokenStore};
use u2m::{
    AccountId, Builder, ChallengeError, Host, PersistentAuth, ProfileName, Scopes, SignedIn, Target,
};
use u2m_testkit::{
    BrowseError, Consent, Endpoint, Fault, Iss, Page, Settings, Times, http::StatusCode,
};
use url::Url;

type Showing = std::thread::JoinHandle<Result<Page, BrowseError>>;

/// A browser that goes where it is sent, and what it shows in the end.
fn browser() -> (impl Browser, Arc<Mutex<Vec<Showing>>>) {
    let pages = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&pages);
    let open = browser_fn(move |url: Url| {
        kept.lock().unwrap().push(u2m_testkit::follow_login_in_background(url.as_str()));
        async { Ok(()) }
    });
    (open, pages)
}

/// A browser in which nothing happens.
fn idle() -> impl Browser {
    browser_fn(|_: Url| async { Ok(()) })
}

fn shown(pages: &Mutex<Vec<Showing>>) -> Page {
    pages.lock().unwrap().pop().unwrap().join().unwrap().unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// Signs in on any port; how it ended, and what the browser shows.
fn sign_in(builder: Builder) -> (PersistentAuth, Result<SignedIn, ChallengeError>, Page) {
    let (browser, pages) = browser();
    let auth = builder.with_browser(browser).with_port(0).build().unwrap();
    let outcome = runtime().block_on(auth.challenge());
    (auth, outcome, shown(&pages))
}

fn account() -> AccountId {
    AccountId::parse("acc-1").unwrap()
}

fn profile() -> ProfileName {
    ProfileName::parse("dev").unwrap()
}

#[test]
fn each_kind_of_target_is_signed_in_to_and_gives_tokens() {
    let world = World::new();
    let host = world.host();
    let of_account = format!("{}/oidc/accounts/acc-1", host.as_str());
    for (target, key, path) in [
        (world.target(), host.as_str(), "/oidc/v1/token"),
        (world.target().with_profile(profile()), "dev", "/oidc/v1/token"),
        (Target::account(host.clone(), account()), &*of_account, "/oidc/accounts/acc-1/v1/token"),
        (Target::unified(host.clone(), account()), &*of_account, "/oidc/accounts/acc-1/v1/token"),
        (Target::discovery(profile()), "dev", "/oidc/v1/token"),
    ] {
        let store = MemoryStore::new();
        let builder = PersistentAuth::builder(target.clone()).with_store(store.clone());
        let builder = builder.with_discovery_host(world.server.base_url());
        let (auth, outcome, page) = sign_in(builder);
        let signed_in = outcome.unwrap();
        assert_eq!(signed_in.host(), Some(&host), "{target:?}");
        assert!(signed_in.unsaved().is_none() && signed_in.missing_scopes().is_empty());
        assert_eq!(page.status(), StatusCode::OK);
        assert!(page.body().contains("You are signed in") && page.url().query().is_none());
        assert_eq!(auth.cache_key().as_str(), key);
        let token = auth.blocking().token().unwrap();
        assert_eq!(name(&token), name(&signed_in.token()));
        assert!(world.server.is_active(token.access_token().expose()));
        // What was signed in to is enough to go on with, in another process, say.
        let builder = PersistentAuth::builder(signed_in.target()).with_store(store);
        let next = builder.build().unwrap().blocking().refresh_rejected(&token).unwrap();
        assert!(world.server.is_active(next.access_token().expose()));
        assert_eq!(world.token_requests().last().unwrap().path(), path);
    }
}

#[test]
fn a_login_may_lead_to_the_account_picker_and_is_then_an_account_s() {
    let world = World::with(Settings::new().with_principal_in("acc-7", None));
    let builder = PersistentAuth::builder(Target::discovery(profile())).with_store(world.store());
    let builder = builder.with_discovery_host(world.server.base_url()).with_account_picker();
    let (_, outcome, _) = sign_in(builder);
    let target = outcome.unwrap().target();
    assert_eq!(target.account_id().map(AccountId::as_str), Some("acc-7"));
    assert_eq!(target.cache_key().as_str(), "dev");
}

#[test]
fn the_blocking_front_signs_in_without_a_runtime() {
    let world = World::new();
    let (browser, pages) = browser();
    let auth = world.builder().with_browser(browser).with_port(0).build().unwrap().blocking();
    let signed_in = auth.challenge().unwrap();
    assert_eq!(auth.token().unwrap(), signed_in.token());
    assert_eq!(world.stored().token(), signed_in.token());
    assert!(shown(&pages).body().contains("You are signed in"));
}

#[test]
fn a_person_who_says_no_is_told_so_in_both_places() {
    let (error, description) = ("access_denied".to_owned(), "not <today>".to_owned());
    let world = World::with(Settings::new().with_consent(Consent::Deny { error, description }));
    let (auth, outcome, page) = sign_in(world.builder());
    let error = outcome.unwrap_err();
    assert_eq!(error.to_string(), "authorize: access_denied: not <today>");
    assert!(matches!(error, ChallengeError::Login(LoginError::Denied(_))));
    assert!(page.body().contains("You are not signed in") && !page.body().contains("today"));
    assert!(auth.blocking().token().unwrap_err().needs_login());
    assert_eq!(world.server.counts().exchanges, 0);
}

#[test]
fn flow_5_a_login_that_nobody_answers_ends_and_frees_its_port() {
    let world = World::new();
    let port = free_port();
    let builder = world.builder().with_browser(idle()).with_port(port);
    let auth = builder.with_login_timeout(Duration::from_millis(300)).build().unwrap();
    let outcome = runtime().block_on(auth.challenge());
    assert!(matches!(outcome, Err(ChallengeError::TimedOut(_))));
    assert!(is_free(port));
}

#[test]
fn a_login_that_nobody_answers_says_in_plain_words_how_long_it_waited() {
    for (seconds, said) in [(0, "0 seconds"), (1, "1 second"), (90, "90 seconds")] {
        let error = ChallengeError::TimedOut(Duration::from_secs(seconds));
        assert_eq!(error.to_string(), format!("nobody signed in within {said}"));
    }
}

#[test]
fn flow_5_a_login_whose_future_is_dropped_frees_its_port() {
    let world = World::new();
    let port = free_port();
    let auth = world.builder().with_browser(idle()).with_port(port).build().unwrap();
    let runtime = runtime();
    let login = runtime.spawn(async move { auth.challenge().await.is_ok() });
    eventually("a listener", || !is_free(port));
    let start = Instant::now();
    login.abort();
    eventually("a free port", || is_free(port));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn two_logins_at_once_take_two_ports_and_both_succeed() {
    let world = World::new();
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let urls = Arc::new(Mutex::new(Vec::new()));
    let first = free_port().min(60_000);
    let auth = || {
        let (both, urls) = (Arc::clone(&both), Arc::clone(&urls));
        let browser = browser_fn(move |url: Url| {
            let (both, urls) = (Arc::clone(&both), Arc::clone(&urls));
            async move {
                let back = url.query_pairs().find(|(key, _)| key == "redirect_uri").unwrap();
                urls.lock().unwrap().push(back.1.into_owned());
                both.wait().await;
                drop(u2m_testkit::follow_login_in_background(url.as_str()));
                Ok(())
            }
        });
        let builder = world.builder().with_browser(browser);
        builder.with_ports(Ports::range(first..=first + 20)).build().unwrap()
    };
    let (one, two) = (auth(), auth());
    let (one, two) = runtime().block_on(async { tokio::join!(one.challenge(), two.challenge()) });
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(name(&one.token()), name(&two.token()));
    let urls = urls.lock().unwrap();
    assert_ne!(urls[0], urls[1]);
    assert!([one.token(), two.token()].contains(&world.stored().token()));
}

#[test]
fn refr_1_a_login_during_a_refresh_of_the_same_key_is_what_remains() {
    let world = World::expired();
    let late = Fault::delay(Duration::from_millis(700));
    world.server.inject(Endpoint::Token, Times::Once, late);
    let (browser, _pages) = browser();
    let auth = world.builder().with_browser(browser).with_port(0).build().unwrap();
    let refreshing = auth.clone().blocking();
    let refreshing = std::thread::spawn(move || refreshing.token());
    eventually("a refresh", || world.refreshes() == 1);
    let signed_in = runtime().block_on(auth.challenge()).unwrap();
    assert!(signed_in.unsaved().is_none());
    within(LONG, move || refreshing.join().unwrap()).unwrap();
    assert_eq!(name(&world.stored().token()), name(&signed_in.token()));
    assert_eq!(name(&auth.blocking().token().unwrap()), name(&signed_in.token()));
    world.assert_alive();
}

#[test]
fn a_port_that_is_taken_is_told_so() {
    let world = World::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let auth = world.builder().with_browser(idle()).with_port(port).build().unwrap();
    let error = runtime().block_on(auth.challenge()).unwrap_err();
    assert!(matches!(error, ChallengeError::Listen(_)), "{error:?}");
    assert!(common::chain(&error).contains("no port available to listen on"));
}

#[test]
fn cb_3_a26_an_exchange_that_fails_is_not_repeated_and_the_page_does_not_say_success() {
    let in_trouble = Fault::status(StatusCode::INTERNAL_SERVER_ERROR, "text/html", "<h1>oh</h1>");
    for fault in [
        in_trouble,
        Fault::status(StatusCode::SERVICE_UNAVAILABLE, "text/html", "busy"),
        Fault::drop_connection().once_processed(),
        Fault::redirect(StatusCode::TEMPORARY_REDIRECT, "http://127.0.0.1:9/t"),
    ] {
        let world = World::new();
        world.server.inject(Endpoint::Token, Times::Once, fault);
        let (auth, outcome, page) = sign_in(world.builder());
        let error = outcome.unwrap_err();
        assert!(matches!(error, ChallengeError::Login(LoginError::Exchange(_))), "{error:?}");
        assert!(page.body().contains("The sign-in did not finish"));
        assert_eq!(world.server.counts().exchanges, 1);
        assert!(auth.peek().is_none());
    }
}

#[test]
fn t29_a_code_that_is_being_redeemed_is_redeemed_and_saved_although_nobody_waits() {
    let world = World::new();
    let late = Fault::delay(Duration::from_millis(300));
    world.server.inject(Endpoint::Token, Times::Once, late);
    let (browser, _pages) = browser();
    let auth = world.builder().with_browser(browser).with_port(0).build().unwrap();
    let runtime = runtime();
    let caller = auth.clone();
    runtime.spawn(async move { caller.challenge().await.is_ok() });
    eventually("an exchange", || world.server.counts().exchanges == 1);
    runtime.shutdown_background();
    assert!(wait_for_saves(LONG));
    world.assert_alive();
    assert_eq!(auth.blocking().token().unwrap(), world.stored().token());
}

#[test]
fn disc_1_t6_a_discovery_login_sends_nothing_to_an_issuer_that_is_not_trusted() {
    for forged in [
        "https://evil.example/oidc",
        "https://cloud.databricks.com.evil.example/oidc",
        "http://127.0.0.1.evil.example/oidc",
        "https://user@dev.cloud.databricks.com/oidc",
        "https://unconfirmed.databricks.com/oidc",
    ] {
        let world = World::with(Settings::new().with_iss(Iss::Forged(forged.to_owned())));
        let target = Target::discovery(profile());
        let builder = PersistentAuth::builder(target).with_store(world.store());
        let builder = builder.with_discovery_host(world.server.base_url());
        let before = world.server.counts();
        let (_, outcome, page) = sign_in(builder.with_transport(Nowhere));
        let error = outcome.unwrap_err();
        assert!(matches!(error, ChallengeError::Login(_)), "{error:?}");
        assert!(page.body().contains("The sign-in did not finish"), "{forged}");
        assert_eq!(world.server.counts().exchanges, before.exchanges);
    }
}

/// Nothing may leave.
#[derive(Debug)]
struct Nowhere;

#[async_trait::async_trait]
impl u2m::transport::Transport for Nowhere {
    async fn send(
        &self,
        request: &u2m_core::HttpRequest,
    ) -> Result<u2m_core::HttpResponse, u2m::transport::TransportFailure> {
        panic!("{request:?}")
    }
}

#[test]
fn a27_a_callback_of_another_issuer_ends_the_login_before_the_exchange() {
    for differs in ["/", "/x", "%2f"] {
        let world = World::new();
        let iss = format!("{}/oidc{differs}", world.server.base_url());
        world.server.reconfigure(|settings| settings.with_iss(Iss::Forged(iss)));
        let (_, outcome, _) = sign_in(world.builder());
        let error = outcome.unwrap_err();
        assert!(matches!(error, ChallengeError::Login(LoginError::WrongIssuer)), "{error:?}");
        assert_eq!(world.server.counts().exchanges, 0);
    }
}

#[test]
fn endp_1_a_host_that_does_not_speak_oauth_is_told_so_before_a_port_is_taken() {
    let world = World::new();
    let fault = Fault::status(StatusCode::NOT_FOUND, "text/html", "nothing");
    world.server.inject(Endpoint::Metadata, Times::Once, fault);
    let builder = world.builder().with_browser(idle()).with_port(1);
    let error = runtime().block_on(builder.build().unwrap().challenge()).unwrap_err();
    let text = common::chain(&error);
    assert!(text.contains("databricks OAuth is not supported for this host"), "{text}");
}

#[test]
fn a_discovery_host_that_is_not_one_is_refused_when_built() {
    let builder = PersistentAuth::builder(Target::discovery(profile()));
    let builder = builder.with_store(MemoryStore::new()).with_discovery_host("http://a.example");
    assert!(matches!(builder.build(), Err(u2m::BuildError::DiscoveryHost(_))));
    assert!(Host::parse("http://127.0.0.1.attacker.example").is_err()); // ARG-1
}

#[test]
fn what_was_asked_for_and_what_was_granted_is_told() {
    let words = |scopes: &Scopes| scopes.iter().map(str::to_owned).collect::<Vec<_>>();
    let world = World::new();
    let (_, outcome, _) = sign_in(world.builder());
    let signed_in = outcome.unwrap();
    let asked = words(signed_in.asked_scopes());
    assert!(asked.contains(&"offline_access".to_owned()), "{asked:?}");
    assert_eq!(signed_in.granted_scopes().map(words), Some(asked.clone()));
    assert!(!signed_in.is_granted_otherwise() && signed_in.is_renewable());
    assert_eq!(signed_in.clock_skew(), None);
    // A server that grants less, and no refresh token.
    let world = World::with(Settings::new().with_scopes_limited_to(["all-apis"]));
    let (_, outcome, _) = sign_in(world.builder());
    let signed_in = outcome.unwrap();
    assert_eq!(words(signed_in.asked_scopes()), asked);
    assert_eq!(signed_in.granted_scopes().map(words), Some(vec!["all-apis".to_owned()]));
    assert!(signed_in.is_granted_otherwise() && !signed_in.is_renewable());
}

/// Nothing can be saved, and it is known before or found out after.
#[derive(Debug)]
struct Unwritable {
    is_known: bool,
}

impl TokenStore for Unwritable {
    fn load(&self, _: &CacheKey) -> Result<Option<Session>, StoreError> {
        Ok(None)
    }

    fn save(&self, _: &CacheKey, _: &Session) -> Result<(), StoreError> {
        Err(StoreError::NoHome)
    }

    fn delete(&self, _: &CacheKey) -> Result<(), StoreError> {
        Ok(())
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        Ok(Vec::new())
    }

    fn prepare_login(&self, _: &CacheKey) -> Result<(), StoreError> {
        if self.is_known { Err(StoreError::NoHome) } else { Ok(()) }
    }

    fn lock(
        &self,
        _: &CacheKey,
        _: Duration,
    ) -> Result<Option<Box<dyn u2m::store::EntryLock>>, StoreError> {
        Ok(None)
    }
}

#[test]
fn key_1_where_a_login_could_not_be_kept_nobody_is_asked() {
    let world = World::new();
    let (browser, pages) = browser();
    let builder = PersistentAuth::builder(world.target()).with_store(Unwritable { is_known: true });
    let auth = builder.with_browser(browser).with_port(0).build().unwrap();
    let error = runtime().block_on(auth.challenge()).unwrap_err();
    assert!(matches!(error, ChallengeError::Store(_)), "{error:?}");
    assert!(pages.lock().unwrap().is_empty());
    assert_eq!(world.server.counts().requests, 0);
}

#[test]
fn a_sign_in_outside_a_runtime_is_an_error_and_nobody_is_asked() {
    use std::task::{Context, Poll, Waker};
    let world = World::new();
    let (browser, pages) = browser();
    let auth = world.builder().with_browser(browser).with_port(0).build().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let outcomes = [
        Box::pin(auth.challenge()).as_mut().poll(&mut context),
        Box::pin(auth.challenge_device()).as_mut().poll(&mut context),
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Poll::Ready(Err(ChallengeError::NoRuntime))), "{outcome:?}");
    }
    assert!(pages.lock().unwrap().is_empty());
    assert_eq!(world.server.counts().requests, 0);
}

#[test]
fn a_browser_is_not_told_of_a_login_that_could_not_be_saved() {
    let world = World::new();
    let builder =
        PersistentAuth::builder(world.target()).with_store(Unwritable { is_known: false });
    let (auth, outcome, page) = sign_in(builder);
    assert!(outcome.unwrap().unsaved().is_some());
    assert!(!page.body().contains("You are signed in"), "{}", page.body());
    // Nothing is left to be tried for: others wait until nothing is.
    let late = auth.blocking().save_or_give_up(|| true);
    assert!(matches!(late, u2m::process::LateSave::GivenUp { .. }), "{late:?}");
}

/// Counts what comes that is not the answer.
#[derive(Clone, Default)]
struct Watchful(Arc<Mutex<Vec<bool>>>);

impl u2m::login::Person for Watchful {
    fn stray_callback(&self, stray: &u2m::login::UnmatchedCallback) {
        self.0.lock().unwrap().push(stray.refusal().is_some());
    }
}

#[test]
fn of_words_without_the_state_the_first_of_each_kind_is_told() {
    use std::io::{Read, Write};
    let world = World::new();
    let open = browser_fn(|url: Url| async move {
        let redirect = url.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1;
        let port = Url::parse(&redirect).unwrap().port().unwrap();
        std::thread::spawn(move || {
            for query in ["error=access_denied", "error=access_denied", "code=x", "code=y"] {
                let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
                let text = format!("GET /?{query} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
                stream.write_all(text.as_bytes()).unwrap();
                let _ = stream.read_to_end(&mut Vec::new());
            }
            let _ = u2m_testkit::follow_login(url.as_str());
        });
        Ok(())
    });
    let watchful = Watchful::default();
    let builder = world.builder().with_person(watchful.clone()).with_browser(open).with_port(0);
    runtime().block_on(builder.build().unwrap().challenge()).unwrap();
    let mut told = watchful.0.lock().unwrap().clone();
    told.sort_unstable();
    assert_eq!(told, [false, true]);
}
