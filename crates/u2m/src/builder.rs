//! How a `PersistentAuth` is described: the target is required, all else has a default.

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

/// Describes a login. A later call wins over an earlier one; nothing is written or connected before it is used, and only the
/// environment and the profile file are read, for where logins are kept.
///
/// | part | default |
/// |---|---|
/// | store | [`Storage::for_user`](crate::store::Storage::for_user): where the user keeps logins, shared with Databricks' own programs |
/// | transport | [`ReqwestTransport`](crate::transport::ReqwestTransport); without the feature `reqwest` there is none, and [`build`](Self::build) fails unless the program brings one |
/// | endpoints | Databricks' layout |
/// | browser | [`SystemBrowser`](crate::login::SystemBrowser) |
/// | ports | 8020 to 8040, in order |
/// | scopes | `all-apis`, or none in particular of another issuer than Databricks'; with a refresh token, where it is offered |
/// | trust | Databricks' zones |
/// | refreshes | in this process |
/// | patience | 10 seconds a request, 90 for the answer to a spent token, 3 minutes for another process's refresh, 10 minutes for the person |
/// | clock | the system's |
/// | a caller's wait | until the outcome is known |
/// | renewals | one caller waits for them, others have the old token meanwhile |
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
    /// Begins with what is to be signed in to.
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

    /// Also trusts the certificates in a file in PEM form, such as those of a company's own authority, where requests leave by
    /// the usual transport. One that cannot be used is an error of those requests.
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

    /// Names the profile file that the target was read from. It is recorded when a login that another program saved is used for
    /// the first time, so that a person can be told where its host came from.
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

    /// Uses a custom OAuth app instead of `databricks-cli`. Required for a [`Target::issuer`]: a public client that is registered
    /// there, with the redirect address `http://localhost` and any port, or with the ports that it listens on.
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

    /// Has the client show who it is, as one that is registered with a secret must: at the exchange of a code, at every refresh, and
    /// when it asks for a device's codes. Such a client runs where nobody else reads its memory; a refresh of its login stays in this
    /// process, because the secret goes over to no other ([`with_detached_refresh`](Self::with_detached_refresh)).
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

    /// Has the client show who it is by a statement that `sign` signs for each request (RFC 7523 section 2.2), for the endpoint that it
    /// is given: a statement lives for minutes, and a login for months. It is called where the request is sent from
    /// ([`Transport`]), and may block there.
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

    /// Asks for these scopes instead of `all-apis`; `openid` is among them only if it is named here, because nothing is done with
    /// ID tokens. A stored login that was granted fewer is a mismatch.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = scopes;
        self
    }

    /// Does not ask for a refresh token: the login ends with its first token. Without this, `offline_access` is asked for, unless
    /// the metadata of an issuer that is not Databricks' lists scopes and leaves it out.
    #[must_use]
    pub fn without_offline_access(mut self) -> Self {
        self.offline_access = false;
        self
    }

    /// Sets which issuers a discovery login may follow. Hosts that are trusted by name may also have the endpoints of any other
    /// login, and those of [`with_endpoints`](Self::with_endpoints), which are on the target's own host otherwise; and its
    /// metadata may name its issuer there.
    #[must_use]
    pub fn with_trust(mut self, trust: IssuerTrust) -> Self {
        self.trust = trust;
        self
    }

    /// Begins discovery logins elsewhere than at `https://login.databricks.com`; `https://` is added where no scheme is
    /// given. An issuer on this very host is trusted: whoever names it decides where people sign in.
    #[must_use]
    pub fn with_discovery_host(mut self, host: impl Into<String>) -> Self {
        self.discovery_host = Some(host.into());
        self
    }

    /// Leads discovery logins to the account picker.
    #[must_use]
    pub fn with_account_picker(mut self) -> Self {
        self.to_account = true;
        self
    }

    /// Sets when a token is good, and when it is renewed. On Azure, one that has less than 40 seconds left is good for nothing,
    /// whatever is set.
    #[must_use]
    pub fn with_rules(mut self, rules: FreshnessRules) -> Self {
        self.rules = rules;
        self
    }

    /// Keeps logins in a store of the caller's choice.
    #[must_use]
    pub fn with_store(self, store: impl TokenStore + 'static) -> Self {
        self.with_shared_store(Arc::new(store))
    }

    /// Keeps logins in a store that others use too.
    #[must_use]
    pub fn with_shared_store(mut self, store: Arc<dyn TokenStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Sends all requests over a transport of the caller's own: metadata, code exchange and refresh.
    #[must_use]
    pub fn with_transport(mut self, transport: impl Transport + 'static) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Asks a supplier of the caller's own for endpoints, for every kind of target but discovery, where the issuer that signs in says
    /// where they are: there [`build`](Self::build) refuses one. They are on the target's host, or on one that is trusted by name
    /// ([`with_trust`](Self::with_trust)); others are refused, and so are those of another issuer than the one that was named.
    #[must_use]
    pub fn with_endpoints(mut self, endpoints: impl EndpointSupplier + 'static) -> Self {
        self.endpoints = Some(Arc::new(endpoints));
        self
    }

    /// Opens URLs by other means than the system's browser.
    #[must_use]
    pub fn with_browser(mut self, browser: impl Browser + 'static) -> Self {
        self.browser = Some(Arc::new(browser));
        self
    }

    /// Talks to the person by the caller's means.
    #[must_use]
    pub fn with_person(mut self, person: impl Person + 'static) -> Self {
        self.person = Arc::new(person);
        self
    }

    /// Listens on this port alone.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        self.with_ports(Ports::fixed(port))
    }

    /// Listens on the first free one of these ports.
    #[must_use]
    pub fn with_ports(mut self, ports: Ports) -> Self {
        self.ports = ports;
        self
    }

    /// Takes no port: the person pastes the address that the browser ends at ([`Person::paste`]).
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

    /// Sets how long a caller of [`PersistentAuth::token`](crate::PersistentAuth::token) and its like waits: then it gets
    /// [`TokenError::StillWaiting`](crate::TokenError::StillWaiting), or
    /// [`TokenError::OutOfTime`](crate::TokenError::OutOfTime) where nothing was sent yet, or the old token while that is good. It
    /// bounds nothing else: a refresh goes on without its caller, and what it brings is saved. A program that is about to end calls
    /// [`PersistentAuth::close`](crate::PersistentAuth::close), unless its refreshes are [detached](Builder::with_detached_refresh).
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

    /// Sets who waits for a renewal ahead of time: by default the first caller who finds the token due, while others have the old
    /// one. With [`Renewal::Behind`] nobody does: all have the old token at once, while one refresh runs behind them.
    ///
    /// That is for a program that lives long, and it is asked for, because a program may end while a renewal runs behind it.
    /// Where the server has spent the refresh token by then and its successor is not saved, the login is lost. Such a
    /// program calls [`PersistentAuth::close`](crate::PersistentAuth::close) (or [`settle`](crate::process::wait_for_saves)) before it ends, on a signal too, or has its
    /// refreshes [detached](Builder::with_detached_refresh). A failure behind is told to nobody while the old token is good; whoever
    /// asks when it is not waits for the next try, and is told of that one. The first token that the process asks for is waited for
    /// in any case.
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

    /// Sets how long one request is waited for, and how often it may be repeated. None of it is a caller's limit, which is
    /// [`Builder::with_wait`].
    #[must_use]
    pub fn with_retry_policy(mut self, patience: RetryPolicy) -> Self {
        self.patience = patience;
        self
    }

    /// Sets how long another process's refresh is waited for: longer than one request, and than the answer to a spent token.
    #[must_use]
    pub fn with_lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }

    /// Lets refreshes run in a process of their own, which goes on when this one is killed. It needs a store that another
    /// process can open ([`TokenStore::address`]), the usual transport and the usual endpoints; with others, and where no
    /// process can be started, refreshes happen here.
    #[must_use]
    pub fn with_detached_refresh(mut self, detached: Detached) -> Self {
        self.detached = Some(detached);
        self
    }

    /// Sets whether the login under the host's key is used where the profile has none of its own: programs that know no profiles keep
    /// theirs there. It stays the host's, is renewed there and never copied, and a notice says that it is used. The profile's own
    /// goes first, from the moment that it is stored.
    ///
    /// Off, unless what was chosen says that exactly one profile names the host ([`TokenChoice::builder`](crate::config::TokenChoice::builder),
    /// [`Builder::for_profile`]): it may be another person's login otherwise.
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

    /// Goes by another clock than the system's: for tests, which let an hour pass at once, as with the testkit's server
    /// (`RunningServer::clock`). Refreshes stay in this process then. How long something is waited for is no matter of this clock.
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

    /// For the process that lives for one refresh alone: it tries to save for all its time before it says how it ended.
    pub(crate) fn for_one_refresh(mut self) -> Self {
        self.saves_for = SAVING;
        self
    }
}

/// What requests leave by unless a program brings its own: trusting this file besides. `None` where this build has none.
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
