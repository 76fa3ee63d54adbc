//! Determines the proxy for a request from environment variables, by the rules of Go programs.
//!
//! The proxy is `HTTPS_PROXY`, else `ALL_PROXY`. Upper-case names take precedence over lower-case
//! ones, and an empty value counts as unset. This machine, and hosts that `NO_PROXY` names, are
//! reached directly. If a proxy is named but cannot be used, that is an error: a request never
//! takes another route than the one that was configured.

use crate::no_proxy::NoProxy;
use std::ffi::OsString;
use std::fmt;
use u2m_core::Sanitized;
use url::Url;

/// The proxies that the environment names.
///
/// ```
/// use u2m_http::Proxies;
/// let env = |name: &str| match name {
///     "HTTPS_PROXY" => Some("p.example:3128".into()),
///     "NO_PROXY" => Some("*.internal.example".into()),
///     _ => None,
/// };
/// let proxies = Proxies::of_env(&env);
/// let proxy = |url: &str| proxies.of(&url.parse().unwrap());
/// assert_eq!(proxy("https://a.example")?.unwrap().to_string(), "p.example:3128 (HTTPS_PROXY)");
/// assert!(proxy("https://ws.internal.example")?.is_none());
/// assert!(proxy("https://localhost:8443")?.is_none());
/// # Ok::<(), u2m_http::ProxyError>(())
/// ```
#[derive(Clone)]
pub struct Proxies {
    named: Option<NamedProxy>,
    exceptions: NoProxy,
    /// The variable that names the exceptions, if it is set.
    exceptions_by: Option<&'static str>,
}

#[derive(Clone)]
struct NamedProxy {
    variable: &'static str,
    value: OsString,
}

/// A proxy, and the variable that names it, or `the proxy setting` if the program does. It never
/// shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    variable: &'static str,
    url: Url,
}

/// The error for a variable, or a setting of the program, that does not name a usable proxy. The
/// value may hold a password and is not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {why}")]
pub struct ProxyError {
    variable: &'static str,
    why: String,
}

impl ProxyError {
    /// Returns the name of the variable.
    pub fn variable(&self) -> &'static str {
        self.variable
    }
}

/// Upper case first, as in Go programs.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

impl Proxies {
    /// Reads the variables. Resolves and connects nothing.
    pub fn of_env(env: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let first = |names: &[&'static str]| {
            let mut set = names.iter().filter_map(|name| Some((*name, env(name)?)));
            set.find(|(_, value)| !value.is_empty())
        };
        let exceptions = first(&EXCEPTIONS);
        let list = exceptions.as_ref().map(|(_, list)| list.to_string_lossy().into_owned());
        Self {
            named: first(&PROXIES).map(|(variable, value)| NamedProxy { variable, value }),
            exceptions: NoProxy::parse(&list.unwrap_or_default()),
            exceptions_by: exceptions.map(|(name, _)| name),
        }
    }

    /// Uses one proxy for everything except this machine, whatever the environment says.
    ///
    /// # Errors
    /// Fails if it is not the address of a proxy.
    ///
    /// ```
    /// use u2m_http::Proxies;
    /// let proxies = Proxies::only("socks5://p.example")?;
    /// let proxy = proxies.of(&"https://a.example".parse().unwrap())?.unwrap();
    /// assert_eq!(proxy.to_string(), "p.example:1080 (the proxy setting)");
    /// # Ok::<(), u2m_http::ProxyError>(())
    /// ```
    pub fn only(proxy: &str) -> Result<Self, ProxyError> {
        let named = NamedProxy { variable: "the proxy setting", value: proxy.into() };
        named.proxy()?;
        Ok(Self { named: Some(named), exceptions: NoProxy::parse(""), exceptions_by: None })
    }

    /// Returns whether no proxy is named. Then the system's own settings decide, if it has any.
    pub fn is_empty(&self) -> bool {
        self.named.is_none()
    }

    /// Returns the name of the variable that exempts `url` from the proxy, if one does.
    pub fn excepted_by(&self, url: &Url) -> Option<&'static str> {
        self.exceptions_by.filter(|_| self.exceptions.has(url))
    }

    /// Returns the proxy for a request to `url`, or `None` if the request goes directly.
    ///
    /// # Errors
    /// Fails if a proxy is named for it but cannot be used.
    pub fn of(&self, url: &Url) -> Result<Option<Proxy>, ProxyError> {
        let Some(named) = &self.named else { return Ok(None) };
        // Requests without TLS only go to this machine.
        if url.scheme() != "https" || is_here(url) || self.exceptions.has(url) {
            return Ok(None);
        }
        named.proxy().map(Some)
    }
}

/// Shows only the variable's name, because its value may hold a password.
impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variable = self.named.as_ref().map(|named| named.variable);
        f.debug_struct("Proxies").field("by", &variable).finish_non_exhaustive()
    }
}

/// Returns whether the host is `localhost` or a loopback address.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl NamedProxy {
    fn proxy(&self) -> Result<Proxy, ProxyError> {
        let wrong = |why: String| ProxyError { variable: self.variable, why };
        let no_address = || wrong("is not the address of a proxy".to_owned());
        let text = self.value.to_str().ok_or_else(no_address)?.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let (scheme, port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => ("http", 80),
            "https" => ("https", 443),
            // As in Go programs, the proxy resolves the host name.
            "socks" | "socks5" | "socks5h" => ("socks5h", 1080),
            "socks4" => ("socks4", 1080),
            "socks4a" => ("socks4a", 1080),
            // Only a short word is shown: the text in front of a password is not a scheme.
            other if other.len() < 10 && other.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                return Err(wrong(format!("names a proxy of a kind that is not known: {other}")));
            }
            _ => return Err(no_address()),
        };
        // Parsed as an `http` URL, because that is checked more strictly than other schemes.
        let read: Url = format!("http://{rest}").parse().map_err(|_| no_address())?;
        let host = read.host_str().filter(|host| !host.is_empty()).ok_or_else(no_address)?;
        // The parser omits the default port of the scheme.
        let said = rest.rsplit('@').next().unwrap_or_default();
        let is_80 = said.split('/').next().is_some_and(|place| place.ends_with(":80"));
        let port = read.port().unwrap_or(if is_80 { 80 } else { port });
        let mut secret = read.username().to_owned();
        if let Some(password) = read.password() {
            secret = format!("{secret}:{password}");
        }
        let at = if secret.is_empty() { "" } else { "@" };
        let url = format!("{scheme}://{secret}{at}{host}:{port}").parse().map_err(|_| no_address());
        Ok(Proxy { variable: self.variable, url: url? })
    }
}

impl Proxy {
    /// Returns the name of the variable that names it.
    pub fn variable(&self) -> &'static str {
        self.variable
    }

    /// Returns its host and port, without a user name or a password.
    pub fn place(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn is_socks(&self) -> bool {
        self.url.scheme().starts_with("socks")
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn has_user(&self) -> bool {
        !self.url.username().is_empty()
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", Sanitized::new(&self.place()), self.variable)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(vars: &[(&str, &str)]) -> Proxies {
        let vars: Vec<(String, OsString)> =
            vars.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
        Proxies::of_env(&|name| {
            vars.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        })
    }

    fn of(vars: &[(&str, &str)], url: &str) -> Result<Option<String>, String> {
        let found = proxies(vars).of(&url.parse().unwrap());
        found.map(|found| found.map(|proxy| proxy.url.to_string())).map_err(|it| it.to_string())
    }

    #[test]
    fn capitals_come_first_and_https_before_all_and_empty_is_unset() {
        let place = |vars: &[(&str, &str)]| {
            let found = proxies(vars).of(&"https://a.example".parse().unwrap()).unwrap();
            found.map(|proxy| proxy.to_string())
        };
        let all = [
            ("all_proxy", "d:4"),
            ("ALL_PROXY", "c:3"),
            ("https_proxy", "b:2"),
            ("HTTPS_PROXY", "a:1"),
        ];
        assert_eq!(place(&all).unwrap(), "a:1 (HTTPS_PROXY)");
        assert_eq!(place(&all[..3]).unwrap(), "b:2 (https_proxy)");
        assert_eq!(place(&all[..2]).unwrap(), "c:3 (ALL_PROXY)");
        assert_eq!(place(&all[..1]).unwrap(), "d:4 (all_proxy)");
        assert_eq!(
            place(&[all[0], ("HTTPS_PROXY", ""), ("https_proxy", "")]).unwrap(),
            "d:4 (all_proxy)"
        );
        assert_eq!(place(&[("HTTP_PROXY", "a:1"), ("http_proxy", "a:1")]), None);
        assert_eq!(place(&[]), None);
        // A program that a web server has started gets `HTTP_PROXY` from strangers, but none of the others.
        assert!(place(&[("REQUEST_METHOD", "GET"), ("HTTPS_PROXY", "a:1")]).is_some());
    }

    #[test]
    fn a_proxy_is_read_with_and_without_a_scheme() {
        for (text, read) in [
            ("p.example", "http://p.example/"),
            ("p.example:3128", "http://p.example:3128/"),
            (" http://p.example:80/ ", "http://p.example/"),
            ("HTTP://P.example", "http://p.example/"),
            ("https://p.example/path", "https://p.example/"),
            ("https://p.example:80", "https://p.example:80/"),
            ("socks5://p.example", "socks5h://p.example:1080"),
            ("socks5h://p.example:9", "socks5h://p.example:9"),
            ("socks://p.example", "socks5h://p.example:1080"),
            ("socks4://p.example", "socks4://p.example:1080"),
            ("socks4a://p.example", "socks4a://p.example:1080"),
            ("socks5h://p.example:80", "socks5h://p.example:80"),
            ("me:p%40ss@p.example:1", "http://me:p%40ss@p.example:1/"),
            ("socks5://me:pass@[::1]:1", "socks5h://me:pass@[::1]:1"),
        ] {
            let found = of(&[("HTTPS_PROXY", text)], "https://a.example");
            assert_eq!(found, Ok(Some(read.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_an_error_that_names_the_variable_and_shows_no_value() {
        for (text, why) in [
            ("http://", "is not the address of a proxy"),
            ("p.example:canary", "is not the address of a proxy"),
            ("me:canary@", "is not the address of a proxy"),
            ("http://me:canary@p.example:70000", "is not the address of a proxy"),
            ("canary of a sentence", "is not the address of a proxy"),
            ("me:canary://x", "is not the address of a proxy"),
            ("ftp://p.example", "names a proxy of a kind that is not known: ftp"),
            ("ninechars://x", "names a proxy of a kind that is not known: ninechars"),
            ("tencharsss://x", "is not the address of a proxy"),
        ] {
            for variable in ["HTTPS_PROXY", "all_proxy"] {
                let found = of(&[(variable, text)], "https://a.example");
                assert_eq!(found, Err(format!("{variable} {why}")), "{text}");
            }
            // Requests that go directly do not need the proxy.
            assert_eq!(of(&[("HTTPS_PROXY", text)], "https://127.0.0.1:1"), Ok(None));
            let excepted = [("HTTPS_PROXY", text), ("NO_PROXY", "a.example")];
            assert_eq!(of(&excepted, "https://a.example"), Ok(None));
        }
    }

    #[test]
    fn t8_this_machine_is_reached_past_every_proxy() {
        for here in
            ["https://localhost", "https://127.9.9.9:1", "https://[::1]", "http://localhost:1"]
        {
            assert_eq!(of(&[("HTTPS_PROXY", "p:1")], here), Ok(None), "{here}");
        }
        assert!(of(&[("HTTPS_PROXY", "p:1")], "https://localhost.example").unwrap().is_some());
    }

    #[test]
    fn it_is_shown_which_variable_names_which_proxy() {
        let proxies = proxies(&[("HTTPS_PROXY", "http://p.example:1")]);
        assert_eq!(format!("{proxies:?}"), "Proxies { by: Some(\"HTTPS_PROXY\"), .. }");
        let proxy = proxies.of(&"https://a.example".parse().unwrap()).unwrap().unwrap();
        assert_eq!(format!("{proxy:?}"), "Proxy(p.example:1 (HTTPS_PROXY))");
    }

    #[test]
    fn it_is_told_which_variable_names_a_proxy_and_which_excepts_a_host() {
        let (a, b): (Url, Url) =
            ("https://a.example".parse().unwrap(), "https://b.example".parse().unwrap());
        let named = proxies(&[("all_proxy", "p.example"), ("no_proxy", "b.example")]);
        assert!(!named.is_empty() && proxies(&[("no_proxy", "b.example")]).is_empty());
        assert_eq!(named.of(&a).unwrap().unwrap().variable(), "all_proxy");
        assert_eq!((named.excepted_by(&a), named.excepted_by(&b)), (None, Some("no_proxy")));
        let wrong = proxies(&[("HTTPS_PROXY", "ftp://p.example")]).of(&a).unwrap_err();
        assert_eq!(wrong.variable(), "HTTPS_PROXY");
    }

    #[test]
    fn no_password_is_shown() {
        let proxies = proxies(&[("HTTPS_PROXY", "http://canary:canary@p.example:1")]);
        let proxy = proxies.of(&"https://a.example".parse().unwrap()).unwrap().unwrap();
        let shown = format!("{proxies:?} {proxy:?} {proxy} {}", proxy.place());
        assert!(!shown.contains("canary") && shown.contains("p.example:1"), "{shown}");
    }
}
