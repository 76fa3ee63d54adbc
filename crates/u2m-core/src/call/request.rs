//! What is sent: a method, an address, a head, a body, and the rules by which it leaves.

use crate::form;
use crate::oauth;
use crate::sent::SentSecrets;
use std::borrow::Cow;
use std::fmt;
use url::Url;
use zeroize::Zeroizing;

/// A request that a driver sends as it is, without cookies.
///
/// `Accept` is `application/json` unless the request says otherwise. Body and head may hold secrets: `Debug` shows neither
/// them nor the query, and they are cleared from memory with the last copy.
#[derive(Clone)]
pub struct HttpRequest {
    method: Method,
    url: Url,
    body: RequestBody,
    headers: Vec<(Cow<'static, str>, Zeroizing<String>)>,
    redirects: RedirectPolicy,
    route: Route,
    /// What the server knows besides: from an earlier request, or from a body that is not looked into.
    known: SentSecrets,
    limit: usize,
}

/// What is done with a resource (RFC 9110 section 9.3, RFC 5789 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// Remove it.
    Delete,
    /// Ask for it.
    Get,
    /// Change a part of it.
    Patch,
    /// Hand something to it.
    Post,
    /// Put something in its place.
    Put,
}

impl Method {
    /// Its name in a request.
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

/// Which redirects of a request are followed. Nothing but a GET ever is: what it sends would go to a place that nobody has
/// looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectPolicy {
    /// None: the redirect is the answer.
    None,
    /// Those to the origin that was asked, a few of them.
    SameOrigin,
}

/// By which way a request leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To a metadata service of the machine that this process runs on, such as `http://169.254.169.254`: in clear text, past
    /// every proxy and without redirects. A transport refuses all other addresses before it sends anything.
    Metadata,
    /// To anywhere, under TLS, by the proxy that is set; to this machine itself also without.
    World,
}

#[derive(Clone)]
enum RequestBody {
    /// Nothing, and nothing is said of it.
    Absent,
    /// Nothing, and the head says so.
    Empty,
    Form(Zeroizing<String>),
    Json(Zeroizing<String>),
}

/// The members of a form that are no secrets: names of things, and what is asked for.
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

/// The headers whose values are no secrets.
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

    /// Asks for what is at `url`.
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

    /// Removes what is at `url`.
    ///
    /// ```
    /// let request = u2m_core::HttpRequest::delete("https://a.example/apps/1".parse()?);
    /// assert_eq!((request.method().as_str(), request.body()), ("DELETE", None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete(url: Url) -> Self {
        Self::new(Method::Delete, url, RequestBody::Absent)
    }

    /// Sends a form, as token endpoints take it (RFC 6749 appendix B). All of its values but names of things count as secrets.
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

    /// The same for a form that is encoded already.
    pub(crate) fn encoded(url: Url, form: Zeroizing<String>) -> Self {
        Self::new(Method::Post, url, RequestBody::Form(form))
    }

    /// The same request with another form.
    pub(crate) fn with_form(mut self, form: Zeroizing<String>) -> Self {
        self.body = RequestBody::Form(form);
        self
    }

    /// Sends a request without content to `url`.
    ///
    /// ```
    /// let request = u2m_core::HttpRequest::post("https://a.example/oidctoken".parse()?);
    /// assert_eq!((request.body(), request.content_type()), (Some(&b""[..]), None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn post(url: Url) -> Self {
        Self::new(Method::Post, url, RequestBody::Empty)
    }

    /// Sends JSON, which is taken over as it is. It is not looked into: secrets in it are to be named
    /// ([`with_secret`](Self::with_secret)).
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

    /// Puts JSON in the place of what is at `url`; else as [`post_json`](Self::post_json).
    ///
    /// ```
    /// let request = u2m_core::HttpRequest::put_json("https://a.example/apps/1".parse()?, "{}");
    /// assert_eq!((request.method().as_str(), request.body()), ("PUT", Some(&b"{}"[..])));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn put_json(url: Url, json: impl Into<String>) -> Self {
        Self::new(Method::Put, url, RequestBody::Json(Zeroizing::new(json.into())))
    }

    /// Changes by JSON what is at `url`; else as [`post_json`](Self::post_json).
    ///
    /// ```
    /// let request = u2m_core::HttpRequest::patch_json("https://a.example/apps/1".parse()?, "{}");
    /// assert_eq!((request.method().as_str(), request.body()), ("PATCH", Some(&b"{}"[..])));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn patch_json(url: Url, json: impl Into<String>) -> Self {
        Self::new(Method::Patch, url, RequestBody::Json(Zeroizing::new(json.into())))
    }

    /// Adds a field to the head, or replaces the one of this name, whose case does not matter. Its value counts as a secret,
    /// unless its name says otherwise. What no head can hold is an error when it is sent.
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

    /// Sets which redirects are followed. Only a GET that does not go to a metadata service follows any.
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

    /// Sets by which way it leaves.
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

    /// Sets how many bytes of body, after decompression, the answer may have: 1 MiB unless set.
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

    /// Names a secret that the server has from an earlier request, or from this one's JSON, and may repeat in its answer.
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

    /// A text of the answer without the secrets that the server has with this request, however it has encoded them. Whatever
    /// a server says goes through this before it is shown or kept.
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

    /// Every secret that the server has with this request: all of its form but names, and what its head holds.
    pub(crate) fn sent(&self) -> SentSecrets {
        let mut sent = self.known.clone();
        for (name, value) in form::pairs(self.form().unwrap_or_default().as_bytes()) {
            if !OPEN.contains(&name.as_str()) {
                sent.add(&value);
            }
        }
        for (name, value) in self.headers().filter(|(name, _)| !PLAIN.contains(name)) {
            // The scheme before credentials is no secret.
            let credentials = value.split_once(' ').filter(|_| name == "authorization");
            sent.add(credentials.map_or(value, |(_, credentials)| credentials));
        }
        sent
    }

    /// What is done.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Where to send it.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The body, which may be empty; `None` where there is none, and nothing is said of it.
    pub fn body(&self) -> Option<&[u8]> {
        match &self.body {
            RequestBody::Absent => None,
            RequestBody::Empty => Some(b""),
            RequestBody::Form(text) | RequestBody::Json(text) => Some(text.as_bytes()),
        }
    }

    /// What the body is.
    pub fn content_type(&self) -> Option<&'static str> {
        match self.body {
            RequestBody::Absent | RequestBody::Empty => None,
            RequestBody::Form(_) => Some("application/x-www-form-urlencoded"),
            RequestBody::Json(_) => Some("application/json"),
        }
    }

    /// The body of a POST that is a form.
    pub fn form(&self) -> Option<&str> {
        match &self.body {
            RequestBody::Form(form) => Some(form.as_str()),
            RequestBody::Absent | RequestBody::Empty | RequestBody::Json(_) => None,
        }
    }

    /// What goes into the head besides `Accept` and `Content-Type`, or in their place: names in lower case, each once, and
    /// values that may be secrets. They are for the request's own origin alone.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (&**name, value.as_str()))
    }

    /// Which redirects are followed.
    pub fn redirects(&self) -> RedirectPolicy {
        match (self.method, self.route) {
            (Method::Get, Route::World) => self.redirects,
            _ => RedirectPolicy::None,
        }
    }

    /// By which way it leaves.
    pub fn route(&self) -> Route {
        self.route
    }

    /// How many bytes of body, after decompression, the answer may have.
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
