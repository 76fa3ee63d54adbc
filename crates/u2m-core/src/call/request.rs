//! An HTTP request: method, URL, headers, body, and the rules for sending it.

use crate::form;
use crate::oauth;
use crate::sent::SentSecrets;
use std::borrow::Cow;
use std::fmt;
use url::Url;
use zeroize::Zeroizing;

/// An HTTP request for the driver to send exactly as given, without cookies.
///
/// `Accept` is `application/json` unless a header overrides it. Body and headers may hold secrets: `Debug` shows
/// neither them nor the query, and they are cleared from memory when the last copy is dropped.
#[derive(Clone)]
pub struct HttpRequest {
    method: Method,
    url: Url,
    body: RequestBody,
    headers: Vec<(Cow<'static, str>, Zeroizing<String>)>,
    redirects: RedirectPolicy,
    route: Route,
    /// Other secrets that the server knows: from an earlier request, or from a body that is not parsed.
    known: SentSecrets,
    limit: usize,
}

/// The HTTP method (RFC 9110 section 9.3, RFC 5789 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// `DELETE`: removes the resource.
    Delete,
    /// `GET`: reads the resource.
    Get,
    /// `PATCH`: changes a part of the resource.
    Patch,
    /// `POST`: submits data to the resource.
    Post,
    /// `PUT`: replaces the resource.
    Put,
}

impl Method {
    /// The method's name as it is sent, such as `GET`.
    ///
    /// ```
    /// assert_eq!(u2m_core::Method::Patch.as_str(), "PATCH");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// Which redirects of a request are followed. Only a GET ever follows any: other requests would send their contents
/// to a place that nothing has checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectPolicy {
    /// Follows none: the redirect itself is the response.
    None,
    /// Follows a few, within the origin of the request.
    SameOrigin,
}

/// The network route a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To a metadata service of the machine that this process runs on, such as `http://169.254.169.254`: in clear
    /// text, without a proxy or redirects. The transport refuses any other address before it sends anything.
    Metadata,
    /// To any host, over TLS and through the configured proxy. Loopback also works without them.
    World,
}

#[derive(Clone)]
enum RequestBody {
    /// No body, and no header that says so.
    Absent,
    /// An empty body, declared in the headers.
    Empty,
    Form(Zeroizing<String>),
    Json(Zeroizing<String>),
}

/// The form parameters whose values are not secret.
const OPEN: [&str; 11] = [
    "audience",
    "client_assertion_type",
    "client_id",
    "grant_type",
    "redirect_uri",
    "requested_token_type",
    "resource",
    "response_type",
    "scope",
    "subject_token_type",
    "token_type_hint",
];

/// The headers whose values are not secret.
const PLAIN: [&str; 8] = [
    "accept",
    "content-type",
    "metadata",
    "metadata-flavor",
    "user-agent",
    "x-databricks-host",
    "x-databricks-org-id",
    "x-databricks-workspace-id",
];

impl HttpRequest {
    fn new(method: Method, url: Url, body: RequestBody) -> Self {
        let redirects = match method {
            Method::Get => RedirectPolicy::SameOrigin,
            Method::Delete | Method::Patch | Method::Post | Method::Put => RedirectPolicy::None,
        };
        Self {
            method,
            url,
            body,
            headers: Vec::new(),
            redirects,
            route: Route::World,
            known: SentSecrets::default(),
            limit: oauth::METADATA_LIMIT,
        }
    }

    /// Makes a GET request.
    ///
    /// ```
    /// use u2m_core::{HttpRequest, RedirectPolicy};
    /// let request = HttpRequest::get("https://a.example/metadata".parse()?);
    /// assert_eq!((request.method().as_str(), request.body()), ("GET", None));
    /// assert_eq!(request.redirects(), RedirectPolicy::SameOrigin);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get(url: Url) -> Self {
        Self::new(Method::Get, url, RequestBody::Absent)
    }

    /// Makes a DELETE request.
    ///
    /// ```
    /// let request = u2m_core::HttpRequest::delete("https://a.example/apps/1".parse()?);
    /// assert_eq!((request.method().as_str(), request.body()), ("DELETE", None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete(url: Url) -> Self {
        Self::new(Method::Delete, url, RequestBody::Absent)
    }

    /// Makes a POST request with a form, as token endpoints expect it (RFC 6749 appendix B). Every value counts as a
    /// secret, except those of parameters known to be public, such as `client_id`.
    ///
    /// ```
    /// use u2m_core::HttpRequest;
    /// let form = [("grant_type", "client_credentials"), ("client_secret", "a+b")];
    /// let request = HttpRequest::post_form("https://a.example/token".parse()?, &form);
    /// assert_eq!(request.form(), Some("grant_type=client_credentials&client_secret=a%2Bb"));
    /// assert_eq!(request.content_type(), Some("application/x-www-form-urlencoded"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn post_form(url: Url, members: &[(&str, &str)]) -> Self {
        Self::encoded(url, oauth::form(members))
    }

    /// The same for a form that is already encoded.
    pub(crate) fn encoded(url: Url, form: Zeroizing<String>) -> Self {
        Self::new(Method::Post, url, RequestBody::Form(form))
    }

    /// Replaces the form.
    pub(crate) fn with_form(mut self, form: Zeroizing<String>) -> Self {
        self.body = RequestBody::Form(form);
        self
    }

    /// Makes a POST request with an empty body.
    ///
    /// ```
    /// let request = u2m_core::HttpRequest::post("https://a.example/oidctoken".parse()?);
    /// assert_eq!((request.body(), request.content_type()), (Some(&b""[..]), None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn post(url: Url) -> Self {
        Self::new(Method::Post, url, RequestBody::Empty)
    }

    /// Makes a POST request with a JSON body, which is sent as given. The body is not parsed: name the secrets in it
    /// with [`with_secret`](Self::with_secret).
    ///
    /// ```
    /// let request = u2m_core::HttpRequest::post_json("https://a.example/apps".parse()?, r#"{"name":"x"}"#);
    /// assert_eq!(request.content_type(), Some("application/json"));
    /// assert_eq!(request.body(), Some(&br#"{"name":"x"}"#[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn post_json(url: Url, json: impl Into<String>) -> Self {
        Self::new(Method::Post, url, RequestBody::Json(Zeroizing::new(json.into())))
    }

    /// Makes a PUT request with a JSON body; otherwise like [`post_json`](Self::post_json).
    ///
    /// ```
    /// let request = u2m_core::HttpRequest::put_json("https://a.example/apps/1".parse()?, "{}");
    /// assert_eq!((request.method().as_str(), request.body()), ("PUT", Some(&b"{}"[..])));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn put_json(url: Url, json: impl Into<String>) -> Self {
        Self::new(Method::Put, url, RequestBody::Json(Zeroizing::new(json.into())))
    }

    /// Makes a PATCH request with a JSON body; otherwise like [`post_json`](Self::post_json).
    ///
    /// ```
    /// let request = u2m_core::HttpRequest::patch_json("https://a.example/apps/1".parse()?, "{}");
    /// assert_eq!((request.method().as_str(), request.body()), ("PATCH", Some(&b"{}"[..])));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn patch_json(url: Url, json: impl Into<String>) -> Self {
        Self::new(Method::Patch, url, RequestBody::Json(Zeroizing::new(json.into())))
    }

    /// Adds a header, or replaces the one of this name; case does not matter. Its value counts as a secret, unless
    /// the header is known to be public, such as `User-Agent`. A name or value that is not valid in HTTP fails when
    /// the request is sent.
    ///
    /// ```
    /// use u2m_core::HttpRequest;
    /// let request = HttpRequest::get("http://169.254.169.254/token".parse()?)
    ///     .with_header("Metadata-Flavor", "Google")
    ///     .with_header("metadata-flavor", "Azure");
    /// assert_eq!(request.headers().collect::<Vec<_>>(), [("metadata-flavor", "Azure")]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_header(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        let (mut name, value) = (name.into(), Zeroizing::new(value.into()));
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            name = Cow::Owned(name.to_ascii_lowercase());
        }
        match self.headers.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.headers.push((name, value)),
        }
        self
    }

    /// Sets which redirects to follow. Only a GET that does not go to a metadata service follows any.
    ///
    /// ```
    /// use u2m_core::{HttpRequest, RedirectPolicy};
    /// let request = HttpRequest::get("https://a.example/aad/auth".parse()?);
    /// assert_eq!(request.with_redirects(RedirectPolicy::None).redirects(), RedirectPolicy::None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_redirects(mut self, redirects: RedirectPolicy) -> Self {
        self.redirects = redirects;
        self
    }

    /// Sets the network route.
    ///
    /// ```
    /// use u2m_core::{HttpRequest, RedirectPolicy, Route};
    /// let request = HttpRequest::get("http://169.254.169.254/token".parse()?).with_route(Route::Metadata);
    /// assert_eq!((request.route(), request.redirects()), (Route::Metadata, RedirectPolicy::None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// Sets how many bytes of body the response may have after decompression. The default is 1 MiB.
    ///
    /// ```
    /// let request = u2m_core::HttpRequest::get("https://a.example".parse()?).with_limit(64 << 10);
    /// assert_eq!(request.limit(), 65_536);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Names a secret that the server knows from an earlier request, or from this one's JSON, and might repeat in its
    /// response.
    ///
    /// ```
    /// let request = u2m_core::HttpRequest::get("https://a.example".parse()?).with_secret("canary");
    /// assert_eq!(request.without_secrets("no canary here"), "no [secret] here");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_secret(mut self, secret: &str) -> Self {
        self.known.add(secret);
        self
    }

    /// Removes from `text` every secret that this request gives to the server, however the server has encoded it.
    /// Anything a server says must pass through this before it is shown or stored.
    ///
    /// ```
    /// use u2m_core::HttpRequest;
    /// let form = [("client_id", "my-app"), ("client_secret", "canary-1")];
    /// let request = HttpRequest::post_form("https://a.example/token".parse()?, &form);
    /// assert_eq!(request.without_secrets("my-app: canary%2D1 is wrong"), "my-app: [secret] is wrong");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn without_secrets(&self, text: &str) -> String {
        self.sent().cut(text)
    }

    /// Every secret that this request gives to the server: all form values and headers that are not known to be
    /// public.
    pub(crate) fn sent(&self) -> SentSecrets {
        let mut sent = self.known.clone();
        for (name, value) in form::pairs(self.form().unwrap_or_default().as_bytes()) {
            if !OPEN.contains(&name.as_str()) {
                sent.add(&value);
            }
        }
        for (name, value) in self.headers().filter(|(name, _)| !PLAIN.contains(name)) {
            // The scheme before the credentials is not secret.
            let credentials = value.split_once(' ').filter(|_| name == "authorization");
            sent.add(credentials.map_or(value, |(_, credentials)| credentials));
        }
        sent
    }

    /// The HTTP method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The URL to send it to.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The body, which may be empty; `None` if there is none and no header declares one.
    pub fn body(&self) -> Option<&[u8]> {
        match &self.body {
            RequestBody::Absent => None,
            RequestBody::Empty => Some(b""),
            RequestBody::Form(text) | RequestBody::Json(text) => Some(text.as_bytes()),
        }
    }

    /// The body's media type; `None` if the body is absent or empty.
    pub fn content_type(&self) -> Option<&'static str> {
        match self.body {
            RequestBody::Absent | RequestBody::Empty => None,
            RequestBody::Form(_) => Some("application/x-www-form-urlencoded"),
            RequestBody::Json(_) => Some("application/json"),
        }
    }

    /// The body, if it is a form.
    pub fn form(&self) -> Option<&str> {
        match &self.body {
            RequestBody::Form(form) => Some(form.as_str()),
            RequestBody::Absent | RequestBody::Empty | RequestBody::Json(_) => None,
        }
    }

    /// The headers to send in addition to `Accept` and `Content-Type`, or in place of them. Names are in lower case
    /// and occur once; values may be secret. Send them only to the request's own origin.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (&**name, value.as_str()))
    }

    /// Which redirects to follow.
    pub fn redirects(&self) -> RedirectPolicy {
        match (self.method, self.route) {
            (Method::Get, Route::World) => self.redirects,
            _ => RedirectPolicy::None,
        }
    }

    /// The network route.
    pub fn route(&self) -> Route {
        self.route
    }

    /// How many bytes of body the response may have after decompression.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, origin) = (self.method.as_str(), self.url.origin().ascii_serialization());
        write!(f, "{method} {origin}{}", self.url.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url() -> Url {
        Url::parse("https://a.example/x?code=canary").unwrap()
    }

    #[test]
    fn a49_debug_shows_where_a_request_goes_and_nothing_of_what_it_says() {
        for request in [
            HttpRequest::get(url()),
            HttpRequest::delete(url()),
            HttpRequest::post(url()),
            HttpRequest::post_form(url(), &[("a", "canary")]),
            HttpRequest::post_json(url(), "canary"),
            HttpRequest::put_json(url(), "canary"),
            HttpRequest::patch_json(url(), "canary"),
        ] {
            let request = request.with_header("x-canary", "canary").with_secret("canary");
            let shown = format!("{request:?}");
            assert_eq!(shown, format!("{} https://a.example/x", request.method().as_str()));
        }
    }

    #[test]
    fn t8_nothing_but_a_get_to_the_world_follows_a_redirect_whatever_was_asked_for() {
        let follows = |request: HttpRequest| {
            request.with_redirects(RedirectPolicy::SameOrigin).redirects()
                == RedirectPolicy::SameOrigin
        };
        assert!(follows(HttpRequest::get(url())));
        assert!(!follows(HttpRequest::get(url()).with_route(Route::Metadata)));
        for request in [
            HttpRequest::delete(url()),
            HttpRequest::post(url()),
            HttpRequest::post_form(url(), &[]),
            HttpRequest::post_json(url(), "{}"),
            HttpRequest::put_json(url(), "{}"),
            HttpRequest::patch_json(url(), "{}"),
        ] {
            assert!(!follows(request.clone()), "{request:?}");
        }
    }

    #[test]
    fn a49_what_a_head_holds_is_cut_from_what_is_shown_and_what_it_is_called_is_not() {
        let request = HttpRequest::get(url())
            .with_header("Authorization", "Bearer canary-1")
            .with_header("X-Identity-Header", "canary-2")
            .with_header("Metadata-Flavor", "Google");
        assert_eq!(
            request.without_secrets("Google: Bearer canary-1 and canary-2"),
            "Google: Bearer [secret] and [secret]"
        );
    }

    #[test]
    fn a_name_stands_in_a_head_once() {
        let request = HttpRequest::get(url()).with_header("A-B", "1").with_header("a-b", "2");
        let request = request.with_header(String::from("c"), "3");
        assert_eq!(request.headers().collect::<Vec<_>>(), [("a-b", "2"), ("c", "3")]);
    }
}
