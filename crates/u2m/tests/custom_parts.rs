//! Parts of a program's own: its transport, its endpoints, its person at the keyboard.
#![allow(clippy::unwrap_used)]

mod common;

use async_trait::async_trait;
use common::{World, name, runtime};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use u2m::login::{Browser, BrowserError, PasteLines, PasteProblem, PastedLine, Person, browser_fn};
use u2m::oauth::{MetadataError, ServerMetadata};
use u2m::source::{Bearer, HeaderSource, TokenSource};
use u2m::transport::{
    BasicEndpoints, EndpointSupplier, ReqwestTransport, Transport, TransportFailure,
};
use u2m::{AccountId, Host, PersistentAuth, SignedIn, Target};
use u2m_core::{HttpRequest, HttpResponse};
use url::Url;

/// Writes down what it sends.
#[derive(Clone, Debug, Default)]
struct Recording {
    inner: Arc<ReqwestTransport>,
    paths: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Transport for Recording {
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
        self.paths.lock().unwrap().push(request.url().path().to_owned());
        self.inner.send(request).await
    }
}

fn sign_in(auth: &PersistentAuth) -> SignedIn {
    runtime().block_on(auth.challenge()).unwrap()
}

fn following(builder: u2m::Builder) -> u2m::Builder {
    let browser = browser_fn(|url: Url| async move {
        drop(u2m_testkit::follow_login_in_background(url.as_str()));
        Ok(())
    });
    builder.with_browser(browser).with_port(0)
}

#[test]
fn flow_2_a_transport_of_its_own_carries_every_request() {
    let world = World::new();
    let transport = Recording::default();
    let builder = following(world.builder()).with_transport(transport.clone());
    let auth = builder.build().unwrap();
    let token = sign_in(&auth).token();
    auth.blocking().refresh_rejected(&token).unwrap();
    let paths = transport.paths.lock().unwrap().clone();
    assert_eq!(paths, [METADATA, "/oidc/v1/token", "/oidc/v1/token"]);
    let counts = world.server.counts();
    assert_eq!(
        counts.metadata + counts.exchanges + counts.refreshes,
        3,
        "and there were no others"
    );
}

const METADATA: &str = "/oidc/.well-known/oauth-authorization-server";

#[test]
fn flow_2_a_discovery_login_goes_over_it_too() {
    let world = World::new();
    let transport = Recording::default();
    let target = Target::discovery(u2m::ProfileName::parse("dev").unwrap());
    let builder = PersistentAuth::builder(target).with_store(world.store());
    let builder = builder.with_discovery_host(world.server.base_url());
    let auth = following(builder).with_transport(transport.clone()).build().unwrap();
    sign_in(&auth);
    assert_eq!(*transport.paths.lock().unwrap(), [METADATA, "/oidc/v1/token"]);
}

/// Knows its endpoints, and is asked for nothing else.
#[derive(Clone, Debug)]
struct Known {
    base: String,
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl Known {
    fn answer(&self, what: &'static str) -> Result<ServerMetadata, MetadataError> {
        self.asked.lock().unwrap().push(what);
        let url = |tail: &str| Url::parse(&format!("{}/oidc/v1/{tail}", self.base)).unwrap();
        ServerMetadata::new(format!("{}/oidc", self.base), url("authorize"), url("token"))
    }
}

#[async_trait]
impl EndpointSupplier for Known {
    async fn workspace(&self, _: &Host) -> Result<ServerMetadata, MetadataError> {
        self.answer("workspace")
    }

    async fn account(&self, _: &Host, _: &AccountId) -> Result<ServerMetadata, MetadataError> {
        self.answer("account")
    }

    async fn unified(&self, _: &Host, _: &AccountId) -> Result<ServerMetadata, MetadataError> {
        self.answer("unified")
    }

    async fn at_url(&self, _: &Url) -> Result<ServerMetadata, MetadataError> {
        self.answer("url")
    }
}

#[test]
fn flow_2_endpoints_of_its_own_are_used_for_logins_and_refreshes() {
    use u2m::store::TokenStore;
    let world = World::new();
    let supplier =
        Known { base: world.server.base_url().to_owned(), asked: Arc::new(Mutex::default()) };
    let unified = Target::unified(world.host(), AccountId::parse("acc-1").unwrap());
    for (target, what) in [(world.target(), "workspace"), (unified, "unified")] {
        let builder = PersistentAuth::builder(target.clone()).with_store(world.store());
        let auth = following(builder).with_endpoints(supplier.clone()).build().unwrap();
        sign_in(&auth);
        assert_eq!(supplier.asked.lock().unwrap().pop(), Some(what));
        // A login of another program, whose endpoints nobody knows.
        world.store().save(&target.cache_key(), &world.bare_session(-5)).unwrap();
        let builder = PersistentAuth::builder(target).with_store(world.store());
        let auth = builder.with_endpoints(supplier.clone()).build().unwrap();
        auth.blocking().token().unwrap();
        assert_eq!(supplier.asked.lock().unwrap().pop(), Some(what));
    }
    assert_eq!(world.server.counts().metadata, 0);
}

#[test]
fn endpoints_on_a_host_that_nobody_named_are_refused_before_anything_is_sent() {
    use u2m::store::TokenStore;
    let (world, elsewhere) = (World::new(), u2m_testkit::RunningServer::start().unwrap());
    let base = elsewhere.base_url().to_owned();
    let supplier = Known { base: base.clone(), asked: Arc::new(Mutex::default()) };
    let build = |trust| {
        let builder = PersistentAuth::builder(world.target()).with_store(world.store());
        let builder = following(builder).with_endpoints(supplier.clone()).with_trust(trust);
        builder.build().unwrap()
    };
    let (auth, key) = (build(u2m::oauth::IssuerTrust::databricks()), world.target().cache_key());
    let error = runtime().block_on(auth.challenge()).unwrap_err();
    assert!(u2m::text::chain(&error).contains("another host"), "{error:?}");
    world.store().save(&key, &world.bare_session(-5)).unwrap();
    let error = auth.blocking().token().unwrap_err();
    assert!(matches!(error, u2m::TokenError::Endpoints(_)), "{error:?}");
    assert_eq!(elsewhere.counts().requests, 0);
    // Named once, at the login, it is the login's own.
    let named = u2m::oauth::IssuerTrust::databricks().with_host(Host::parse(&base).unwrap());
    let signed_in = sign_in(&build(named));
    let stored = world.store().load(&key).unwrap().unwrap();
    assert_eq!(stored.binding.unwrap().allowed, [Host::parse(&base).unwrap()]);
    auth.blocking().refresh_rejected(&signed_in.token()).unwrap();
    assert_eq!(elsewhere.counts().refreshes, 1);
}

/// Knows the endpoints of an issuer that publishes none.
#[derive(Clone, Debug)]
struct OfIssuer(Known, String);

#[async_trait]
impl EndpointSupplier for OfIssuer {
    async fn workspace(&self, host: &Host) -> Result<ServerMetadata, MetadataError> {
        self.0.workspace(host).await
    }

    async fn account(&self, h: &Host, id: &AccountId) -> Result<ServerMetadata, MetadataError> {
        self.0.account(h, id).await
    }

    async fn unified(&self, h: &Host, id: &AccountId) -> Result<ServerMetadata, MetadataError> {
        self.0.unified(h, id).await
    }

    async fn issuer(&self, _: &str) -> Result<ServerMetadata, MetadataError> {
        let mut server = self.0.answer("issuer")?;
        server.issuer.clone_from(&self.1);
        Ok(server)
    }

    async fn at_url(&self, url: &Url) -> Result<ServerMetadata, MetadataError> {
        self.0.at_url(url).await
    }
}

#[test]
fn flow_2_endpoints_of_its_own_are_used_for_an_issuer_and_hold_for_that_one_alone() {
    use u2m::store::TokenStore;
    let world = World::new();
    let base = world.server.base_url().to_owned();
    let known = Known { base: base.clone(), asked: Arc::new(Mutex::default()) };
    let (target, issuer) =
        (Target::issuer(format!("{base}/oidc")).unwrap(), format!("{base}/oidc"));
    let build = |issuer: &str| {
        let builder = PersistentAuth::builder(target.clone()).with_store(world.store());
        let supplier = OfIssuer(known.clone(), issuer.to_owned());
        let builder = following(builder).with_client_id("databricks-cli").with_endpoints(supplier);
        builder.build().unwrap()
    };
    sign_in(&build(&issuer));
    assert_eq!(*known.asked.lock().unwrap(), ["issuer"]);
    let stored = world.store().load(&target.cache_key()).unwrap().unwrap();
    assert_eq!(stored.binding.unwrap().issuer, issuer);
    let error = runtime().block_on(build(&format!("{base}/other")).challenge()).unwrap_err();
    assert!(u2m::text::chain(&error).contains("/other"), "{}", u2m::text::chain(&error));
    assert_eq!(world.server.counts().metadata, 0);
}

#[test]
fn flow_2_a_discovery_login_takes_no_endpoints_of_its_own_and_says_so_at_once() {
    let known = Known { base: "https://a.example".to_owned(), asked: Arc::new(Mutex::default()) };
    let target = Target::discovery(u2m::ProfileName::parse("dev").unwrap());
    let builder = PersistentAuth::builder(target).with_store(u2m::store::MemoryStore::new());
    let error = builder.with_endpoints(known).build().unwrap_err();
    assert!(matches!(error, u2m::BuildError::EndpointsOfDiscovery), "{error}");
}

/// Pastes what the browser would have shown, after some other things.
struct Pasting {
    lines: Mutex<Option<PasteLines>>,
    sender: tokio::sync::mpsc::Sender<PastedLine>,
    wrong: Arc<Mutex<Vec<String>>>,
}

impl Pasting {
    fn new() -> Self {
        let (sender, lines) = PasteLines::channel();
        Self { lines: Mutex::new(Some(lines)), sender, wrong: Arc::default() }
    }
}

impl Person for Pasting {
    fn opened(&self, url: &Url, outcome: Result<(), &BrowserError>) {
        assert!(outcome.is_err());
        let (url, sender) = (url.clone(), self.sender.clone());
        std::thread::spawn(move || {
            sender.blocking_send(PastedLine::new("")).unwrap();
            sender.blocking_send(PastedLine::new("http://localhost:1/?code=a&state=b")).unwrap();
            sender.blocking_send(PastedLine::new(last_address(&url))).unwrap();
        });
    }

    fn paste(&self) -> Option<PasteLines> {
        self.lines.lock().unwrap().take()
    }

    fn wrong_paste(&self, wrong: &PasteProblem) {
        self.wrong.lock().unwrap().push(wrong.to_string());
    }
}

/// Where the server sends the browser, which cannot go there.
fn last_address(url: &Url) -> String {
    let mut stream = TcpStream::connect(&*url.socket_addrs(|| None).unwrap()).unwrap();
    let target = &url[url::Position::BeforePath..];
    let host = url.authority();
    write!(stream, "GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
    location.unwrap().trim().to_owned()
}

fn pasted(builder: u2m::Builder) -> (SignedIn, Vec<String>) {
    let person = Pasting::new();
    let wrong = Arc::clone(&person.wrong);
    let browser = browser_fn(|_: Url| async { Err(BrowserError::Disabled) });
    let auth = builder.with_browser(browser).with_person(person).build().unwrap();
    let signed_in = sign_in(&auth);
    (
        signed_in,
        Arc::try_unwrap(wrong)
            .map_or_else(|kept| kept.lock().unwrap().clone(), |own| own.into_inner().unwrap()),
    )
}

#[test]
fn brow_4_a_login_that_only_pastes_needs_no_port() {
    let world = World::new();
    let (signed_in, wrong) = pasted(world.builder().without_listener());
    assert_eq!(name(&world.stored().token()), name(&signed_in.token()));
    assert!(wrong.len() == 1 && wrong[0].contains("http://localhost:8020"), "{wrong:?}");
}

#[test]
fn brow_4_pasting_works_beside_the_listener_and_where_no_port_is_free() {
    let world = World::new();
    pasted(world.builder().with_port(0));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    pasted(world.builder().with_port(port));
    world.assert_alive();
}

/// Says which of its parts a shared one is asked for.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Vec<&'static str>>>);

impl Told {
    fn note(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }
}

impl Person for Told {
    fn opened(&self, _: &Url, _: Result<(), &BrowserError>) {
        self.note("opened");
    }

    fn called_back(&self) {
        self.note("called back");
    }
}

#[test]
fn parts_that_are_shared_or_boxed_fit_as_they_are() {
    let (world, recording, told) = (World::new(), Recording::default(), Told::default());
    let transport: Arc<dyn Transport> = Arc::new(recording.clone());
    let person: Arc<dyn Person> = Arc::new(told.clone());
    let browser: Box<dyn Browser> = Box::new(browser_fn(|url: Url| async move {
        drop(u2m_testkit::follow_login_in_background(url.as_str()));
        Ok(())
    }));
    let endpoints: Arc<dyn EndpointSupplier> =
        Arc::new(BasicEndpoints::new(Arc::clone(&transport)));
    let builder = world.builder().with_transport(Arc::clone(&transport)).with_endpoints(endpoints);
    let auth = builder.with_browser(browser).with_person(person).with_port(0).build().unwrap();
    let token = sign_in(&auth).token();
    assert_eq!(*told.0.lock().unwrap(), ["opened", "called back"]);
    assert_eq!(*recording.paths.lock().unwrap(), [METADATA, "/oidc/v1/token"]);
    // And a login is a source of tokens wherever one is wanted.
    let source: Arc<dyn TokenSource> = Arc::new(auth);
    let headers: Box<dyn HeaderSource> = Box::new(Bearer::new(Arc::clone(&source)));
    let authorization = headers.fresh().unwrap().authorization().unwrap().expose().to_owned();
    assert_eq!(authorization, token.authorization().expose());
}
