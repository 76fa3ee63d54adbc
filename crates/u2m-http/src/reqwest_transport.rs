//! The transport that is used unless a program brings its own.

mod answer;

use crate::awake::AwakeClock;
use crate::obstacle::Obstacle;
use crate::proxy::{Proxies, Proxy};
use crate::tls::{self, Trust};
use crate::transport::Transport;
use answer::{answer, failure, reasons};
use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, ClientBuilder, redirect, retry};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use u2m_core::{Answer, Host, HttpRequest, Redirects, TransportFailure, TransportFailureKind};
use url::Url;
use zeroize::Zeroizing;

/// How often a GET follows a redirect on its own origin.
const REDIRECTS: u32 = 3;

/// A connection on which nothing happens is kept known to what lies in between, and is not taken for dead by the system before
/// the last answer has been waited for: how long that is, the caller says.
const PROBE: Duration = Duration::from_secs(15);
const PROBES: u32 = 40;

/// How many fields the head of an answer may have. What proxies add is no reason to lose a login.
const FIELDS: usize = 1_000;

/// HTTP over `reqwest` and `rustls`: the system's certificates and proxies, no redirects of a POST, no cookies, no
/// compression, bodies cut off at their limit. Loopback is reached directly, past every proxy.
///
/// Nothing is read, resolved or connected before the first request. Its cryptography is its own (*ring*, or
/// [what it was given](Self::with_crypto_provider)): it neither needs nor installs a provider for the process, and what a
/// program switches on in its own `reqwest` or `rustls` changes nothing here.
///
/// ```
/// let transport = u2m_http::ReqwestTransport::new();
/// # drop(transport);
/// ```
pub struct ReqwestTransport {
    user_agent: String,
    extra_ca: Vec<CertificateDer<'static>>,
    provider: Option<Arc<CryptoProvider>>,
    connect_timeout: Duration,
    ca_files: Vec<PathBuf>,
    /// What the environment says of proxies, once it was asked.
    proxies: OnceLock<Proxies>,
    /// To loopback without TLS; to loopback with TLS; to everywhere else, directly or by the proxy.
    clients: [OnceLock<Result<Client, Obstacle>>; 4],
}

enum Route {
    LoopbackPlain,
    LoopbackTls,
    World,
    Over(Proxy),
}

impl ReqwestTransport {
    /// A transport with the system's settings: certificates of the system or of `SSL_CERT_FILE` and `SSL_CERT_DIR`, proxies
    /// of `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` ([`Proxies`]). A setting that cannot be used is an error of the requests
    /// that it is for.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use u2m_http::{ReqwestTransport, Transport};
    /// let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new());
    /// # drop(transport);
    /// ```
    pub fn new() -> Self {
        Self {
            user_agent: concat!("u2m/", env!("CARGO_PKG_VERSION")).to_owned(),
            extra_ca: Vec::new(),
            provider: None,
            ca_files: Vec::new(),
            proxies: OnceLock::new(),
            connect_timeout: Duration::from_secs(5),
            clients: Default::default(),
        }
    }

    /// Also trusts the certificates of a PEM bundle.
    ///
    /// # Errors
    /// It is not a PEM bundle.
    pub fn with_extra_ca(mut self, pem: &[u8]) -> Result<Self, TransportFailure> {
        let bundle = tls::certificates(pem).map_err(|text| blocked(Obstacle::Handshake(text)))?;
        self.extra_ca.extend(bundle);
        Ok(self)
    }

    /// Also trusts the certificates in a file in PEM form. It is read when the first connection under TLS is made, and one
    /// that cannot be used is an error then.
    ///
    /// ```
    /// let transport = u2m_http::ReqwestTransport::new().with_ca_file("/etc/corp/ca.pem");
    /// # drop(transport);
    /// ```
    #[must_use]
    pub fn with_ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_files.push(path.into());
        self
    }

    /// Looks whether a file could be used [so](Self::with_ca_file), before anything depends on it.
    ///
    /// # Errors
    /// It is not there, cannot be read, or holds no certificate.
    ///
    /// ```
    /// use u2m_http::ReqwestTransport;
    /// let wrong = ReqwestTransport::check_ca_file("/nonexistent/ca.pem".as_ref()).unwrap_err();
    /// assert_eq!(wrong.to_string(), "the CA file /nonexistent/ca.pem is not there");
    /// ```
    pub fn check_ca_file(path: &Path) -> Result<(), Obstacle> {
        tls::ca_file(path).map(drop)
    }

    /// Uses the cryptography of `provider` instead of *ring*'s, for this transport alone.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use u2m_http::{CryptoProvider, ReqwestTransport};
    /// /// With what the program has chosen for its own connections.
    /// fn transport(provider: Arc<CryptoProvider>) -> ReqwestTransport {
    ///     ReqwestTransport::new().with_crypto_provider(provider)
    /// }
    /// ```
    #[must_use]
    pub fn with_crypto_provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Sets the `User-Agent`.
    #[must_use]
    pub fn with_user_agent(mut self, text: impl Into<String>) -> Self {
        self.user_agent = text.into();
        self
    }

    /// Sets how long connecting may take: 5 seconds unless set.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    fn client(&self, route: &Route) -> Result<&Client, TransportFailure> {
        let slot = match route {
            Route::LoopbackPlain => 0,
            Route::LoopbackTls => 1,
            Route::World => 2,
            Route::Over(_) => 3,
        };
        let built = self.clients[slot].get_or_init(|| {
            let provider = self.provider.clone().unwrap_or_else(tls::own_provider);
            let trust = match route {
                // No certificate is ever looked at: reading the system's would take longer than the request.
                Route::LoopbackPlain => Trust::Nobody,
                _ => Trust::System { extra: &self.extra_ca, files: &self.ca_files },
            };
            let tls = tls::config(&provider, &trust, &env)?;
            let client = self.builder(route, tls).and_then(ClientBuilder::build);
            client.map_err(|error| Obstacle::Handshake(reasons(&error)))
        });
        built.as_ref().map_err(|obstacle| blocked(obstacle.clone()))
    }

    fn builder(
        &self,
        route: &Route,
        tls: rustls::ClientConfig,
    ) -> Result<ClientBuilder, reqwest::Error> {
        let builder = Client::builder()
            .user_agent(&self.user_agent)
            .connect_timeout(self.connect_timeout)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            // A connection does not outlive the runtime of its request; a login makes few requests.
            .pool_max_idle_per_host(0)
            .tcp_keepalive(PROBE)
            .tcp_keepalive_interval(PROBE)
            .tcp_keepalive_retries(PROBES)
            // Nothing follows on this connection that an odd head could be mistaken for.
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_max_headers(FIELDS)
            // What a program switches on for its own reqwest counts here too, unless it is switched off.
            .http1_only()
            .no_brotli()
            .no_deflate()
            .no_gzip()
            .no_zstd()
            .no_hickory_dns()
            .tls_backend_preconfigured(tls);
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        let builder = builder.tcp_user_timeout(None);
        Ok(match route {
            Route::LoopbackPlain | Route::LoopbackTls => builder.no_proxy(),
            // Where no variable names a proxy, macOS and Windows may have one of their own.
            Route::World if self.proxies().is_empty() => builder.https_only(true),
            Route::World => builder.https_only(true).no_proxy(),
            Route::Over(proxy) => {
                let proxy = reqwest::Proxy::all(proxy.url().clone())?;
                builder.https_only(true).no_proxy().proxy(proxy)
            }
        })
    }

    fn proxies(&self) -> &Proxies {
        self.proxies.get_or_init(|| Proxies::of_env(&env))
    }

    /// Codes and tokens leave in clear text to loopback alone; every other URL is refused before a socket is opened.
    fn route(&self, url: &Url) -> Result<Route, TransportFailure> {
        let host = Host::of(url)
            .map_err(|error| TransportFailure::new(TransportFailureKind::NotSent).because(error))?;
        Ok(match (host.is_loopback(), url.scheme()) {
            (true, "http") => Route::LoopbackPlain,
            (true, _) => Route::LoopbackTls,
            (false, _) => match self.proxies().of(url) {
                Ok(Some(proxy)) => Route::Over(proxy),
                Ok(None) => Route::World,
                Err(error) => return Err(blocked(error.into())),
            },
        })
    }

    async fn once(
        &self,
        url: &Url,
        request: &HttpRequest,
    ) -> Result<reqwest::Response, TransportFailure> {
        let route = self.route(url)?;
        let client = self.client(&route)?;
        let mut builder = client.request(method(request), url.clone());
        let is_named = |name: &HeaderName| request.headers().any(|(named, _)| named == name);
        if !is_named(&ACCEPT) {
            builder = builder.header(ACCEPT, "application/json");
        }
        if let Some(kind) = request.content_type().filter(|_| !is_named(&CONTENT_TYPE)) {
            builder = builder.header(CONTENT_TYPE, kind);
        }
        builder = match request.body() {
            None => builder,
            // Nothing is said of an empty body by itself, and some servers insist.
            Some([]) => builder.header(CONTENT_LENGTH, 0),
            Some(body) => builder.body(cleared(body)),
        };
        let builder = request.headers().try_fold(builder, |builder, (name, value)| {
            // The value may be a secret: it is in no text.
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                let text = format!("the value for the header {name} cannot be sent");
                TransportFailure::new(TransportFailureKind::NotSent)
                    .because(std::io::Error::other(text))
            })?;
            value.set_sensitive(true);
            Ok(builder.header(name, value))
        })?;
        builder.send().await.map_err(|error| match route {
            Route::Over(proxy) => failure(&error, Some(&proxy)),
            _ => failure(&error, None),
        })
    }

    /// Sends a request, also where its own origin redirects it to, if it follows there.
    async fn followed(&self, request: &HttpRequest) -> Result<reqwest::Response, TransportFailure> {
        let mut url = request.url().clone();
        let mut response = self.once(&url, request).await?;
        let mut followed = 0;
        let follows = request.redirects() == Redirects::SameOrigin;
        while follows && response.status().is_redirection() && followed < REDIRECTS {
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| url.join(location).ok());
            let Some(next) = next.filter(|next| next.origin() == url.origin()) else { break };
            url = next;
            response = self.once(&url, request).await?;
            followed += 1;
        }
        Ok(response)
    }
}

impl Default for ReqwestTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReqwestTransport({} extra certificates)", self.extra_ca.len())
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    /// The proxy, and the files of certificates, by what tells that one was changed.
    fn way(&self, url: &Url) -> String {
        let proxy = match self.proxies().of(url) {
            Ok(proxy) => proxy.map(|proxy| format!("{}: {proxy}", proxy.url().scheme())),
            Err(error) => Some(error.to_string()),
        };
        let files = self.ca_files.iter().map(|file| {
            let state = std::fs::metadata(file).ok().map(|meta| (meta.len(), meta.modified().ok()));
            (file, state)
        });
        let extra: Vec<&[u8]> = self.extra_ca.iter().map(AsRef::as_ref).collect();
        let systems = ["SSL_CERT_FILE", "SSL_CERT_DIR"].map(env);
        format!("{proxy:?} {:?} {extra:?} {systems:?}", files.collect::<Vec<_>>())
    }

    async fn send(&self, request: &HttpRequest) -> Result<Answer, TransportFailure> {
        self.send_within(request, &mut AwakeClock::default(), Duration::MAX).await
    }

    async fn send_within(
        &self,
        request: &HttpRequest,
        clock: &mut AwakeClock,
        end: Duration,
    ) -> Result<Answer, TransportFailure> {
        match clock.wait(end, self.followed(request)).await {
            Some(response) => answer(response?, request.limit(), clock, end).await,
            None => Err(TransportFailure::new(TransportFailureKind::TimedOut)),
        }
    }
}

fn method(request: &HttpRequest) -> reqwest::Method {
    let name = request.method().as_str();
    reqwest::Method::from_bytes(name.as_bytes()).expect("names of methods are tokens")
}

/// A copy of a body, which may be a secret, that is cleared when it has been sent.
fn cleared(body: &[u8]) -> Bytes {
    Bytes::from_owner(Zeroizing::new(body.to_vec()))
}

fn env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn blocked(obstacle: Obstacle) -> TransportFailure {
    TransportFailure::new(TransportFailureKind::NotSent).because(obstacle)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The way of a transport in whose environment these variables stand.
    fn way(transport: ReqwestTransport, vars: &[(&'static str, &'static str)]) -> String {
        let env =
            |name: &str| vars.iter().find(|(is, _)| *is == name).map(|(_, value)| (*value).into());
        transport.proxies.set(Proxies::of_env(&env)).unwrap();
        transport.way(&Url::parse("https://ws.example/").unwrap())
    }

    #[test]
    fn a_way_is_told_by_its_proxy_and_by_its_files_of_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("corp.pem");
        std::fs::write(&file, "one").unwrap();
        let with_file = || ReqwestTransport::new().with_ca_file(&file);
        let (by_http, by_socks) = ("http://me:canary@p.example:8080", "socks5h://p.example:8080");
        let mut ways = vec![
            way(ReqwestTransport::new(), &[]),
            way(ReqwestTransport::new(), &[("HTTPS_PROXY", by_http)]),
            way(ReqwestTransport::new(), &[("HTTPS_PROXY", by_socks)]),
            way(ReqwestTransport::new(), &[("HTTPS_PROXY", "ftp://canary")]),
            way(with_file(), &[]),
        ];
        let excepted = [("HTTPS_PROXY", by_http), ("NO_PROXY", "ws.example")];
        assert_eq!(way(ReqwestTransport::new(), &excepted), ways[0]);
        assert_eq!(way(with_file(), &[]), ways[4]);
        std::fs::write(&file, "another one").unwrap();
        ways.push(way(with_file(), &[]));
        for (at, one) in ways.iter().enumerate() {
            assert!(!one.contains("canary"), "{one}");
            assert!(!ways[..at].contains(one), "{one}");
        }
    }
}
