//! `Builder`: describes a `PersistentAuth`. The target is required; everything else has a default.

mod build;

pub use build::BuildError;

use crate::bounds::{LOCK_WAIT, SAVING, SAVING_FIRST};
use crate::detached::Detached;
use crate::person::{Person, SilentPerson};
use crate::prover::ClientProver;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use u2m_cache::TokenStore;
use u2m_core::{ClientAssertion, ClientAuth, FreshnessRules, IssuerTrust, Scopes, Target};
use u2m_http::{Browser, Clock, EndpointSupplier, Ports, Renewal, RetryPolicy, Transport};
use url::Url;

/// Describes a login and builds its [`PersistentAuth`](crate::PersistentAuth). A later call overrides an earlier one. Nothing is
/// written and no connection is opened before the login is used; [`build`](Self::build) only reads the environment and the
/// profile file, to find out where logins are kept.
///
/// | part | default |
/// |---|---|
/// | store | [`Storage::for_user`](crate::store::Storage::for_user): where the user keeps logins, shared with Databricks' own programs |
/// | transport | [`ReqwestTransport`](crate::transport::ReqwestTransport); without the feature `reqwest` there is none, and [`build`](Self::build) fails unless the program brings one |
/// | endpoints | Databricks' layout |
/// | browser | [`SystemBrowser`](crate::login::SystemBrowser) |
/// | ports | 8020 to 8040, in order |
/// | scopes | `all-apis`, or no particular ones at another issuer than Databricks'; with a refresh token, where the server offers one |
/// | trust | Databricks' zones |
/// | refreshes | in this process |
/// | patience | 10 seconds per request, 90 for the answer to a spent refresh token, 3 minutes for another process's refresh, 10 minutes for the person |
/// | clock | the system's |
/// | a caller's wait | until the outcome is known |
/// | renewals | one caller waits for them, the others get the old token meanwhile |
pub struct Builder {
    target: Target,
    client_id: Option<String>,
    prover: ClientProver,
    scopes: Scopes,
    offline_access: bool,
    trust: IssuerTrust,
    discovery_host: Option<String>,
    to_account: bool,
    rules: FreshnessRules,
    store: Option<Arc<dyn TokenStore>>,
    transport: Option<Arc<dyn Transport>>,
    endpoints: Option<Arc<dyn EndpointSupplier>>,
    browser: Option<Arc<dyn Browser>>,
    person: Arc<dyn Person>,
    ports: Ports,
    listens: bool,
    login_timeout: Duration,
    patience: RetryPolicy,
    lock_wait: Duration,
    wait: Option<Duration>,
    renewal: Renewal,
    saves_for: Duration,
    detached: Option<Detached>,
    profile_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    host_key_fallback: bool,
    clock: Clock,
}

impl Builder {
    /// Starts describing a login to `target`.
    ///
    /// ```
    /// use u2m::{Builder, Host, Target};
    /// use u2m::store::MemoryStore;
    /// let target = Target::workspace(Host::parse("https://a.example")?);
    /// let auth = Builder::new(target).with_store(MemoryStore::new()).build()?;
    /// # drop(auth);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(target: Target) -> Self {
        Self {
            target,
            client_id: None,
            prover: ClientProver::default(),
            scopes: Scopes::default(),
            offline_access: true,
            trust: IssuerTrust::databricks(),
            discovery_host: None,
            to_account: false,
            rules: FreshnessRules::default(),
            store: None,
            transport: None,
            endpoints: None,
            browser: None,
            person: Arc::new(SilentPerson),
            ports: Ports::default(),
            listens: true,
            login_timeout: Duration::from_secs(600),
            patience: RetryPolicy::default(),
            lock_wait: LOCK_WAIT,
            wait: None,
            renewal: Renewal::default(),
            saves_for: SAVING_FIRST,
            detached: None,
            profile_file: None,
            ca_file: None,
            host_key_fallback: false,
            clock: Clock::system(),
        }
    }

    /// Also trusts the certificates in a PEM file, such as those of a company's own certificate authority. This applies to the
    /// default transport only. If the file cannot be used, requests fail with an error that says so.
    ///
    /// ```
    /// use u2m::{Builder, Host, Target};
    /// use u2m::store::MemoryStore;
    /// let target = Target::workspace(Host::parse("https://a.example")?);
    /// let builder = Builder::new(target).with_ca_file("/etc/corp/ca.pem".into());
    /// assert!(builder.with_store(MemoryStore::new()).build().is_ok());
    /// # Ok::<(), u2m::HostError>(())
    /// ```
    #[must_use]
    pub fn with_ca_file(mut self, path: PathBuf) -> Self {
        self.ca_file = Some(path);
        self
    }

    /// Names the profile file that the target was read from. The path is recorded when a login that another program saved is
    /// used for the first time, so that a person can find out where its host came from.
    ///
    /// ```
    /// use u2m::{Builder, Host, Target};
    /// use u2m::store::MemoryStore;
    /// let target = Target::workspace(Host::parse("https://a.example")?);
    /// let builder = Builder::new(target).with_profile_file("/home/me/.databrickscfg".into());
    /// assert!(builder.with_store(MemoryStore::new()).build().is_ok());
    /// # Ok::<(), u2m::HostError>(())
    /// ```
    #[must_use]
    pub fn with_profile_file(mut self, path: PathBuf) -> Self {
        self.profile_file = Some(path);
        self
    }

    /// Uses this OAuth client instead of `databricks-cli`. A [`Target::issuer`] needs one: a public client that is registered
    /// there, with the redirect URI `http://localhost` and either any port or the ports that the program listens on.
    ///
    /// ```
    /// use u2m::{Builder, Target};
    /// use u2m::store::MemoryStore;
    /// let builder = Builder::new(Target::issuer("https://id.example")?).with_store(MemoryStore::new());
    /// let auth = builder.with_client_id("my-command-line").build()?;
    /// assert_eq!(auth.cache_key().as_str(), "https://id.example");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = Some(id.into());
        self
    }

    /// Authenticates the client, as one that is registered with a secret must: when a code is exchanged, at every refresh, and
    /// when device codes are requested. Use such a client only where nobody else can read the program's memory. Its refreshes
    /// stay in this process, because the secret is not passed to another one
    /// ([`with_detached_refresh`](Self::with_detached_refresh)).
    ///
    /// ```
    /// use u2m::{Builder, Target};
    /// use u2m::oauth::{ClientAuth, ClientSecret};
    /// use u2m::store::MemoryStore;
    /// let builder = Builder::new(Target::issuer("https://id.example")?).with_client_id("my-web-app");
    /// let builder = builder.with_client_auth(ClientAuth::Basic(ClientSecret::new("secret")));
    /// assert!(builder.with_store(MemoryStore::new()).build().is_ok());
    /// # Ok::<(), u2m::oauth::IssuerError>(())
    /// ```
    #[must_use]
    pub fn with_client_auth(mut self, auth: ClientAuth) -> Self {
        self.prover = ClientProver::new(auth);
        self
    }

    /// Authenticates the client with an assertion that `sign` makes for each request and endpoint (RFC 7523 section 2.2). One
    /// per request, because an assertion lives for minutes and a login for months. `sign` runs where the request is sent from
    /// ([`Transport`]) and may block there.
    ///
    /// ```
    /// use u2m::{Builder, Target};
    /// use u2m::oauth::ClientAssertion;
    /// use u2m::store::MemoryStore;
    /// # fn sign(audience: &str) -> Result<String, std::io::Error> { Ok(audience.to_owned()) }
    /// let builder = Builder::new(Target::issuer("https://id.example")?).with_client_id("my-web-app");
    /// let builder = builder.with_client_assertions(|endpoint| sign(endpoint.as_str()).map(ClientAssertion::new));
    /// assert!(builder.with_store(MemoryStore::new()).build().is_ok());
    /// # Ok::<(), u2m::oauth::IssuerError>(())
    /// ```
    #[must_use]
    pub fn with_client_assertions<E>(
        mut self,
        sign: impl Fn(&Url) -> Result<ClientAssertion, E> + Send + Sync + 'static,
    ) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.prover = ClientProver::signing(sign);
        self
    }

    /// Requests these scopes instead of `all-apis`. `openid` is requested only if it is named here, because u2m does not use ID
    /// tokens. A stored login that was granted fewer scopes counts as a mismatch.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Does not request a refresh token, so that the login ends with its first access token. Without this call `offline_access`
    /// is requested, unless an issuer that is not Databricks' lists its scopes in its metadata and leaves it out.
    #[must_use]
    pub fn without_offline_access(mut self) -> Self {
        self.offline_access = false;
        self
    }

    /// Sets which issuers a discovery login may follow. Hosts that are trusted by name may also serve the endpoints of any other
    /// login, and those of [`with_endpoints`](Self::with_endpoints), which must otherwise be on the target's own host. The
    /// target's metadata may also name an issuer on such a host.
    #[must_use]
    pub fn with_trust(mut self, trust: IssuerTrust) -> Self {
        self.trust = trust;
        self
    }

    /// Starts discovery logins at this host instead of `https://login.databricks.com`. Without a scheme, `https://` is added. An
    /// issuer on exactly this host is trusted, because whoever names the host decides where people sign in.
    #[must_use]
    pub fn with_discovery_host(mut self, host: impl Into<String>) -> Self {
        self.discovery_host = Some(host.into());
        self
    }

    /// Sends discovery logins to the account picker.
    #[must_use]
    pub fn with_account_picker(mut self) -> Self {
        self.to_account = true;
        self
    }

    /// Sets when a token counts as good and when it is renewed. On Azure, a token with less than 40 seconds left never counts as
    /// good, whatever these rules say.
    #[must_use]
    pub fn with_rules(mut self, rules: FreshnessRules) -> Self {
        self.rules = rules;
        self
    }

    /// Keeps logins in the given store.
    #[must_use]
    pub fn with_store(self, store: impl TokenStore + 'static) -> Self {
        self.with_shared_store(Arc::new(store))
    }

    /// Keeps logins in a store that other parts of the program use too.
    #[must_use]
    pub fn with_shared_store(mut self, store: Arc<dyn TokenStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Sends all requests over this transport: metadata, code exchange and refresh.
    #[must_use]
    pub fn with_transport(mut self, transport: impl Transport + 'static) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Gets endpoints from this supplier, for every kind of target except discovery. In a discovery login the issuer says where
    /// its endpoints are, so [`build`](Self::build) fails if a supplier is set. The endpoints must be on the target's host or on
    /// one that is trusted by name ([`with_trust`](Self::with_trust)). Others are refused, and so are endpoints of another
    /// issuer than the one that was named.
    #[must_use]
    pub fn with_endpoints(mut self, endpoints: impl EndpointSupplier + 'static) -> Self {
        self.endpoints = Some(Arc::new(endpoints));
        self
    }

    /// Opens URLs with this browser instead of the system's.
    #[must_use]
    pub fn with_browser(mut self, browser: impl Browser + 'static) -> Self {
        self.browser = Some(Arc::new(browser));
        self
    }

    /// Talks to the person who signs in through this implementation.
    #[must_use]
    pub fn with_person(mut self, person: impl Person + 'static) -> Self {
        self.person = Arc::new(person);
        self
    }

    /// Listens for the redirect on this port only.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        self.with_ports(Ports::fixed(port))
    }

    /// Listens for the redirect on the first free one of these ports.
    #[must_use]
    pub fn with_ports(mut self, ports: Ports) -> Self {
        self.ports = ports;
        self
    }

    /// Listens on no port: the person pastes the address where the browser ends up ([`Person::paste`]).
    #[must_use]
    pub fn without_listener(mut self) -> Self {
        self.listens = false;
        self
    }

    /// Sets how long a login waits for the person.
    #[must_use]
    pub fn with_login_timeout(mut self, timeout: Duration) -> Self {
        self.login_timeout = timeout;
        self
    }

    /// Sets how long [`PersistentAuth::token`](crate::PersistentAuth::token) and similar calls wait. After that they return the
    /// old token while it is still good; otherwise they fail with [`TokenError::StillWaiting`](crate::TokenError::StillWaiting),
    /// or with [`TokenError::OutOfTime`](crate::TokenError::OutOfTime) if nothing was sent yet. Only the wait is limited: a
    /// refresh goes on without its caller, and its result is saved. A program that is about to end should call
    /// [`PersistentAuth::close`](crate::PersistentAuth::close), unless its refreshes are
    /// [detached](Builder::with_detached_refresh).
    ///
    /// ```
    /// use std::time::Duration;
    /// use u2m::{Builder, Host, Target};
    /// use u2m::store::MemoryStore;
    /// let builder = Builder::new(Target::workspace(Host::parse("https://a.example")?));
    /// let auth = builder.with_store(MemoryStore::new()).with_wait(Duration::from_secs(5)).build()?;
    /// # drop(auth);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// Sets who waits for a renewal ahead of time. By default the first caller that finds the token due waits, and the others
    /// get the old token. With [`Renewal::Behind`] nobody waits: all callers get the old token at once while one refresh runs in
    /// the background.
    ///
    /// This is for long-lived programs, and off by default, because a program may end while a renewal runs in the background. If
    /// the server has spent the refresh token by then and its successor is not saved, the login is lost. Such a program should
    /// call [`PersistentAuth::close`](crate::PersistentAuth::close) (or [`wait_for_saves`](crate::process::wait_for_saves))
    /// before it ends, also on a signal, or have its refreshes [detached](Builder::with_detached_refresh). A background failure
    /// is not reported while the old token is good. Once it is not, the next caller waits for another attempt and gets the error
    /// of that one. The first token that the process asks for is always waited for.
    ///
    /// ```
    /// use u2m::{Builder, Host, Target};
    /// use u2m::source::Renewal;
    /// use u2m::store::MemoryStore;
    /// let builder = Builder::new(Target::workspace(Host::parse("https://a.example")?));
    /// let auth = builder.with_store(MemoryStore::new()).with_renewal(Renewal::Behind).build()?;
    /// # drop(auth);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_renewal(mut self, renewal: Renewal) -> Self {
        self.renewal = renewal;
        self
    }

    /// Sets how long to wait for one request, and how often it may be repeated. A caller's own limit is [`Builder::with_wait`].
    #[must_use]
    pub fn with_retry_policy(mut self, patience: RetryPolicy) -> Self {
        self.patience = patience;
        self
    }

    /// Sets how long to wait for another process's refresh. It must be longer than one request and than the wait for the answer
    /// to a spent refresh token.
    #[must_use]
    pub fn with_lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }

    /// Runs refreshes in a process of their own, which goes on when this one is killed. This needs a store that another process
    /// can open ([`TokenStore::address`]), the default transport and the default endpoints. With others, and where no process
    /// can be started, refreshes run in this process.
    #[must_use]
    pub fn with_detached_refresh(mut self, detached: Detached) -> Self {
        self.detached = Some(detached);
        self
    }

    /// Sets whether a profile without a login of its own uses the login under its host's key, where programs without profiles
    /// keep theirs. The login stays the host's: it is renewed there and never copied, and a notice says that it is used. As soon
    /// as the profile has a login of its own, that one is used.
    ///
    /// Off by default, unless the profile file shows that exactly one profile names the host
    /// ([`TokenChoice::builder`](crate::config::TokenChoice::builder), [`Builder::for_profile`]): the login may be another
    /// person's otherwise.
    ///
    /// ```
    /// use u2m::{Builder, Host, ProfileName, Target};
    /// use u2m::store::{FileStore, TokenStore};
    /// use u2m::{AccessToken, Timestamp};
    /// use u2m::store::{CacheKey, Session};
    /// let folder = tempfile::tempdir()?;
    /// let store = FileStore::at(folder.path().join("token-cache.json"));
    /// let of_host = Session::new(AccessToken::new("t")).with_expiry(Timestamp::from_unix(4_000_000_000));
    /// store.save(&CacheKey::new("https://a.example"), &of_host)?;
    /// let target = Target::workspace(Host::parse("https://a.example")?).with_profile(ProfileName::parse("dev")?);
    /// let builder = |is_on| Builder::new(target.clone()).with_store(store.clone()).with_host_key_fallback(is_on);
    /// assert!(builder(false).build()?.blocking().stored().is_err());
    /// assert!(builder(true).build()?.blocking().stored()?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_host_key_fallback(mut self, is_on: bool) -> Self {
        self.host_key_fallback = is_on;
        self
    }

    /// Uses this clock instead of the system's. It is for tests, which can let an hour pass at once, together with the testkit's
    /// server (`RunningServer::clock`). Refreshes then stay in this process. How long u2m waits for something does not depend on
    /// this clock.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use u2m::{Builder, Host, Target};
    /// use u2m::store::MemoryStore;
    /// let target = Target::workspace(Host::parse("https://a.example")?);
    /// let builder = Builder::new(target).with_clock(|| SystemTime::now() + Duration::from_secs(3600));
    /// assert!(builder.with_store(MemoryStore::new()).build().is_ok());
    /// # Ok::<(), u2m::HostError>(())
    /// ```
    #[must_use]
    pub fn with_clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::new(now);
        self
    }

    /// Tries to save for the whole time before it reports the outcome. For the process that exists for one refresh only.
    pub(crate) fn for_one_refresh(mut self) -> Self {
        self.saves_for = SAVING;
        self
    }
}

/// The default transport, which also trusts the certificates in this file. `None` if this build has none.
#[cfg(feature = "reqwest")]
pub(crate) fn usual_transport(ca_file: Option<&Path>) -> Option<Arc<dyn Transport>> {
    use u2m_http::ReqwestTransport;
    let usual = ca_file.into_iter().fold(ReqwestTransport::new(), ReqwestTransport::with_ca_file);
    Some(Arc::new(usual))
}

#[cfg(not(feature = "reqwest"))]
pub(crate) fn usual_transport(_: Option<&Path>) -> Option<Arc<dyn Transport>> {
    None
}
