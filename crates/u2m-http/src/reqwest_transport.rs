//! The transport that is used unless a program brings its own.

use crate::transport::Transport;
use async_trait::async_trait;
use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Certificate, Client, ClientBuilder, redirect, retry};
use std::error::Error;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;
use u2m_core::{
    Answer, Foreign, Host, HttpRequest, Timestamp, TransportFailure, TransportFailureKind,
};
use url::Url;

/// How often a GET follows a redirect on its own origin.
const REDIRECTS: u32 = 3;

/// HTTP over `reqwest` and `rustls`: the system's certificates and proxies, no redirects of a POST, no cookies, no
/// compression, bodies cut off at their limit. Loopback is reached directly, past every proxy.
///
/// Nothing is read, resolved or connected before the first request.
///
/// ```
/// let transport = u2m_http::ReqwestTransport::new();
/// # drop(transport);
/// ```
pub struct ReqwestTransport {
    user_agent: String,
    extra_ca: Vec<Certificate>,
    connect_timeout: Duration,
    /// To loopback without TLS; to loopback with TLS; to everywhere else.
    clients: [OnceLock<Result<Client, String>>; 3],
}

#[derive(Clone, Copy)]
enum Route {
    LoopbackPlain,
    LoopbackTls,
    World,
}

impl ReqwestTransport {
    /// A transport with the system's settings: certificates of the system or of `SSL_CERT_FILE`, proxies of
    /// `HTTPS_PROXY` and `NO_PROXY`.
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
            connect_timeout: Duration::from_secs(5),
            clients: Default::default(),
        }
    }

    /// Also trusts the certificates of a PEM bundle.
    ///
    /// # Errors
    /// It is not a PEM bundle.
    pub fn with_extra_ca(mut self, pem: &[u8]) -> Result<Self, TransportFailure> {
        let bundle = Certificate::from_pem_bundle(pem).map_err(|error| failure(&error))?;
        self.extra_ca.extend(bundle);
        Ok(self)
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

    fn client(&self, route: Route) -> Result<&Client, TransportFailure> {
        let built = self.clients[route as usize].get_or_init(|| {
            // Whoever has installed a provider before has chosen it for the whole program.
            let _ = rustls::crypto::ring::default_provider().install_default();
            self.builder(route).build().map_err(|error| reasons(&error))
        });
        let refused = |text: &String| {
            TransportFailure::new(TransportFailureKind::NotSent)
                .because(std::io::Error::other(text.clone()))
        };
        built.as_ref().map_err(refused)
    }

    fn builder(&self, route: Route) -> ClientBuilder {
        let builder = Client::builder()
            .user_agent(&self.user_agent)
            .connect_timeout(self.connect_timeout)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            // A connection does not outlive the runtime of its request; a login makes few requests.
            .pool_max_idle_per_host(0);
        let extra = self.extra_ca.iter().cloned();
        match route {
            // No certificate is ever looked at: reading the system's would take longer than the request.
            Route::LoopbackPlain => builder.no_proxy().tls_certs_only([]),
            Route::LoopbackTls => builder.no_proxy().tls_certs_merge(extra),
            Route::World => builder.https_only(true).tls_certs_merge(extra),
        }
    }

    async fn once(
        &self,
        url: &Url,
        request: &HttpRequest,
    ) -> Result<reqwest::Response, TransportFailure> {
        let client = self.client(route(url)?)?;
        let builder = match request.form() {
            Some(form) => client
                .post(url.clone())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.to_owned()),
            None => client.get(url.clone()),
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
        builder.header(ACCEPT, "application/json").send().await.map_err(|error| failure(&error))
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
    async fn send(&self, request: &HttpRequest) -> Result<Answer, TransportFailure> {
        let mut url = request.url().clone();
        let mut response = self.once(&url, request).await?;
        let mut followed = 0;
        while request.form().is_none() && response.status().is_redirection() && followed < REDIRECTS
        {
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| url.join(location).ok());
            let Some(next) = next.filter(|next| next.origin() == url.origin()) else { break };
            url = next;
            response = self.once(&url, request).await?;
            followed += 1;
        }
        answer(response, request.limit()).await
    }
}

/// Codes and tokens leave in clear text to loopback alone; every other URL is refused before a socket is opened.
fn route(url: &Url) -> Result<Route, TransportFailure> {
    let host = Host::of(url)
        .map_err(|error| TransportFailure::new(TransportFailureKind::NotSent).because(error))?;
    Ok(match (host.is_loopback(), url.scheme()) {
        (true, "http") => Route::LoopbackPlain,
        (true, _) => Route::LoopbackTls,
        (false, _) => Route::World,
    })
}

async fn answer(mut response: reqwest::Response, limit: usize) -> Result<Answer, TransportFailure> {
    let status = response.status().as_u16();
    let header = |name| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let (content_type, retry_after) = (header(CONTENT_TYPE), header(RETRY_AFTER));
    let date = header(DATE).and_then(|text| Timestamp::from_http_date(&text));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + chunk.len() > limit {
            return Err(TransportFailure::new(TransportFailureKind::TooLarge));
        }
        body.extend_from_slice(&chunk);
    }
    let mut answer = Answer::new(status, body);
    if let Some(value) = content_type {
        answer = answer.with_content_type(value);
    }
    if let Some(date) = date {
        answer = answer.with_date(date);
    }
    // The form with a date is rare, and a token endpoint's budget is too short for it to matter.
    if let Some(seconds) = retry_after.and_then(|text| text.trim().parse().ok()) {
        answer = answer.with_retry_after(Duration::from_secs(seconds));
    }
    Ok(answer)
}

fn failure(error: &reqwest::Error) -> TransportFailure {
    let kind = if error.is_connect() || error.is_builder() {
        TransportFailureKind::NotSent
    } else if error.is_timeout() {
        TransportFailureKind::TimedOut
    } else {
        TransportFailureKind::Broken
    };
    TransportFailure::new(kind).because(std::io::Error::other(reasons(error)))
}

/// The innermost reason, which says most and names no URL.
fn reasons(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<reqwest::Error>() {
        Some(_) => "the request could not be made".to_owned(),
        None => Foreign::new(&innermost.to_string()).to_string(),
    }
}
