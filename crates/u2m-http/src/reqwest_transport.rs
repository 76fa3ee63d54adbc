//! The default transport.

mod answer;
mod clients;
mod gate;
mod once;
mod request_path;

use crate::awake::AwakeClock;
use crate::metadata::MetadataHosts;
use crate::obstacle::Obstacle;
use crate::proxy::{Proxies, ProxyError};
use crate::tls::{self, ClientIdentity};
use crate::transport::{RequestLimits, Transport};
use answer::answer;
use async_trait::async_trait;
use clients::ClientPool;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use u2m_core::{HttpRequest, HttpResponse, TransportFailure, TransportFailureKind};
use url::Url;

/// The default [`Transport`]: HTTP over `reqwest` and `rustls`.
///
/// It uses the system's certificates and proxies, follows no redirects of a POST, sends no cookies,
/// uses no compression, and cuts off bodies at their limit. Loopback addresses and metadata
/// services are reached directly, without a proxy.
///
/// Nothing is read, resolved or connected before the first request. Its cryptography is its own
/// (*ring*, or [what it was given](Self::with_crypto_provider)): it neither needs nor installs a
/// provider for the process, and features that a program enables in its own `reqwest` or `rustls`
/// change nothing here.
///
/// It runs on the tokio runtime that it is called on ([`Transport`]). A connection belongs to the
/// runtime on which it was opened. Each request opens a new one, unless [connections are
/// kept](Self::with_kept_connections).
///
/// ```
/// let transport = u2m_http::ReqwestTransport::new();
/// # drop(transport);
/// ```
pub struct ReqwestTransport {
    /// `None` means the default, or that of the program's own client.
    user_agent: Option<String>,
    extra_ca: Vec<CertificateDer<'static>>,
    provider: Option<Arc<CryptoProvider>>,
    identity: Option<ClientIdentity>,
    connect_timeout: Duration,
    ca_files: Vec<PathBuf>,
    keeps: bool,
    metadata: MetadataHosts,
    /// The proxies of the environment, once they were read, or the one that was set explicitly.
    proxies: OnceLock<Proxies>,
    clients: ClientPool,
    /// The client that the program supplied.
    over: Option<reqwest::Client>,
}

impl ReqwestTransport {
    /// Creates a transport with the system's settings: certificates of the system, or of `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR`; proxies from `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` ([`Proxies`]). A setting that
    /// cannot be used is reported as an error of the requests that need it.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use u2m_http::{ReqwestTransport, Transport};
    /// let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new());
    /// # drop(transport);
    /// ```
    pub fn new() -> Self {
        Self {
            user_agent: None,
            extra_ca: Vec::new(),
            provider: None,
            identity: None,
            connect_timeout: Duration::from_secs(5),
            ca_files: Vec::new(),
            keeps: false,
            metadata: MetadataHosts::default(),
            proxies: OnceLock::new(),
            clients: ClientPool::default(),
            over: None,
        }
    }

    /// Creates a transport that sends requests with the program's own client, and so with its
    /// proxies, certificates, resolver and connections. Settings of this transport for these have
    /// no effect. Requests to metadata services are still sent with a client of this crate, and no
    /// other request leaves without TLS except to this machine.
    ///
    /// Pass a client that follows no redirects and keeps no idle connections, as in the example:
    ///
    /// - A client that follows redirects itself sends the request's headers to any host that a
    ///   response names. It cannot send the body again, and a response from another host is
    ///   rejected, but the request has been made by then.
    /// - A kept connection depends on the runtime that opened it, and a refresh has a small runtime
    ///   of its own ([`Transport`]). If the other runtime is blocked, nothing sends the request,
    ///   and it is given up after the [time for connecting](Self::with_connect_timeout). That costs
    ///   time but no token, because the request was certainly not sent. If the other runtime ends
    ///   meanwhile, the response to a refresh token that was sent is lost with it.
    ///
    /// ```
    /// use u2m_http::{CryptoProvider, ReqwestTransport};
    /// /// Over a client that looks names up in the program's own way.
    /// fn transport(builder: reqwest::ClientBuilder) -> reqwest::Result<ReqwestTransport> {
    ///     let builder = builder.redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(0);
    ///     Ok(ReqwestTransport::over(builder.build()?))
    /// }
    /// ```
    pub fn over(client: reqwest::Client) -> Self {
        Self { over: Some(client), ..Self::new() }
    }

    /// Also trusts the CA certificates in a PEM bundle.
    ///
    /// # Errors
    /// Fails if the bundle holds no certificate, or if a PEM section is malformed or not a valid certificate.
    pub fn with_extra_ca(mut self, pem: &[u8]) -> Result<Self, TransportFailure> {
        let bundle = tls::certificates(pem).map_err(|text| blocked(Obstacle::Handshake(text)))?;
        if bundle.is_empty() {
            let text = "the CA bundle holds no certificate".to_owned();
            return Err(blocked(Obstacle::Handshake(text)));
        }
        self.extra_ca.extend(bundle);
        Ok(self)
    }

    /// Also trusts the CA certificates in a PEM file. The file is read when the first TLS
    /// connection is opened; if it cannot be used, that request fails.
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

    /// Checks whether a file can be used [as a CA file](Self::with_ca_file), before anything
    /// depends on it.
    ///
    /// # Errors
    /// Fails if the file does not exist, cannot be read, or contains no certificate.
    ///
    /// ```
    /// use u2m_http::ReqwestTransport;
    /// let wrong = ReqwestTransport::check_ca_file("/nonexistent/ca.pem".as_ref()).unwrap_err();
    /// assert_eq!(wrong.to_string(), "the CA file /nonexistent/ca.pem is not there");
    /// ```
    pub fn check_ca_file(path: &Path) -> Result<(), Obstacle> {
        tls::ca_file(path).map(drop)
    }

    /// Sets the client certificate for servers that ask for one (mutual TLS). The PEM bundle
    /// contains the certificate chain, the client's own certificate first, and its private key. The
    /// key must be RSA, ECDSA on P-256 or P-384, or Ed25519, without a passphrase.
    ///
    /// # Errors
    /// Fails if the bundle lacks a chain or a key, or if one of them cannot be used.
    ///
    /// ```
    /// use u2m_http::ReqwestTransport;
    /// assert!(ReqwestTransport::new().with_client_certificate(b"not PEM").is_err());
    /// ```
    pub fn with_client_certificate(mut self, pem: &[u8]) -> Result<Self, TransportFailure> {
        let read = ClientIdentity::read(pem);
        self.identity = Some(read.map_err(|text| blocked(Obstacle::Identity(text)))?);
        Ok(self)
    }

    /// Sends all requests through this proxy, whatever the environment says, except those to this
    /// machine and to metadata services. The scheme is `http`, `https`, `socks5` or `socks4`, and
    /// the URL may contain a user name and a password.
    ///
    /// # Errors
    /// Fails if it is not the address of a proxy.
    ///
    /// ```
    /// use u2m_http::ReqwestTransport;
    /// let transport = ReqwestTransport::new().with_proxy("http://me:secret@p.example:3128")?;
    /// assert!(!format!("{transport:?}").contains("secret"));
    /// # Ok::<(), u2m_http::ProxyError>(())
    /// ```
    pub fn with_proxy(mut self, proxy: &str) -> Result<Self, ProxyError> {
        self.proxies = OnceLock::from(Proxies::only(proxy)?);
        Ok(self)
    }

    /// Uses the cryptography of `provider` instead of *ring*'s, only for this transport.
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

    /// Keeps connections open for the next requests on the same runtime, which saves handshakes for
    /// programs that send many requests. A connection never serves a request of another runtime,
    /// where it could be blocked or end with its own runtime.
    ///
    /// Forms, which is what token endpoints receive, still use a new connection each: if the server
    /// is just closing a kept one, nobody can tell whether a refresh token sent on it was spent.
    ///
    /// ```
    /// let transport = u2m_http::ReqwestTransport::new().with_kept_connections();
    /// # drop(transport);
    /// ```
    #[must_use]
    pub fn with_kept_connections(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// Also sends requests for a metadata service ([`Route::Metadata`](u2m_core::Route::Metadata))
    /// to this host, for example the one that `GCE_METADATA_HOST` names. It must include the port
    /// unless that is 80. Without this setting, such requests go only to this machine itself, to
    /// `169.254.169.254`, `[fd00:ec2::254]` and `metadata.google.internal`.
    ///
    /// # Errors
    /// Fails if it is not a host.
    ///
    /// ```
    /// use u2m_http::ReqwestTransport;
    /// assert!(ReqwestTransport::new().with_metadata_host("169.254.170.23").is_ok());
    /// assert!(ReqwestTransport::new().with_metadata_host("me@a.example/path").is_err());
    /// ```
    pub fn with_metadata_host(mut self, host: &str) -> Result<Self, TransportFailure> {
        let named = self.metadata.name(host);
        named.map_err(blocked)?;
        Ok(self)
    }

    /// Sets the `User-Agent` header.
    #[must_use]
    pub fn with_user_agent(mut self, text: impl Into<String>) -> Self {
        self.user_agent = Some(text.into());
        self
    }

    /// Sets how long connecting may take. The default is 5 seconds.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    fn proxies(&self) -> &Proxies {
        self.proxies.get_or_init(|| Proxies::of_env(&env))
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
    /// Contains the proxy and the CA files, with what shows that a file has changed.
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

    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportFailure> {
        self.send_within(request, &mut AwakeClock::default(), Duration::MAX).await
    }

    async fn send_within(
        &self,
        request: &HttpRequest,
        clock: &mut AwakeClock,
        end: Duration,
    ) -> Result<HttpResponse, TransportFailure> {
        self.send_bounded(request, clock, RequestLimits::until(end)).await
    }

    async fn send_bounded(
        &self,
        request: &HttpRequest,
        clock: &mut AwakeClock,
        limits: RequestLimits,
    ) -> Result<HttpResponse, TransportFailure> {
        let response = self.followed(request, clock, limits).await?;
        answer(response, request.limit(), clock, limits.end).await
    }
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
    use super::request_path::RequestPath;
    use super::*;

    /// Returns the `way` of a transport with these environment variables.
    fn way(transport: ReqwestTransport, vars: &[(&'static str, &'static str)]) -> String {
        let env =
            |name: &str| vars.iter().find(|(is, _)| *is == name).map(|(_, value)| (*value).into());
        transport.proxies.set(Proxies::of_env(&env)).unwrap();
        transport.way(&Url::parse("https://ws.example/").unwrap())
    }

    #[test]
    fn another_cryptography_changes_nothing_else_and_is_used() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls/root.pem");
        // A provider without cipher suites.
        let mute = CryptoProvider { cipher_suites: Vec::new(), ..(*tls::own_provider()).clone() };
        let transport = ReqwestTransport::new().with_extra_ca(&std::fs::read(path).unwrap());
        let transport = transport.unwrap().with_crypto_provider(Arc::new(mute));
        assert_eq!(format!("{transport:?}"), "ReqwestTransport(1 extra certificates)");
        assert!(transport.client(&RequestPath::LoopbackTls, false).is_err());
        assert!(ReqwestTransport::new().client(&RequestPath::LoopbackTls, false).is_ok());
    }

    #[test]
    fn a_file_of_certificates_is_looked_at_before_it_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let broken = folder.path().join("broken.pem");
        let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(&broken, text).unwrap();
        for (path, why) in [
            (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls/root.pem"), None),
            (folder.path().join("missing.pem"), Some("is not there")),
            (broken, Some("holds no certificate that can be read")),
        ] {
            let told = ReqwestTransport::check_ca_file(&path).err().map(|error| error.to_string());
            assert_eq!(told, why.map(|why| format!("the CA file {} {why}", path.display())));
        }
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
