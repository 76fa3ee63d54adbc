//! A host to sign in to: a canonical origin, parsed once and compared as such.

use crate::text::Sanitized;
use core::net::{Ipv4Addr, Ipv6Addr};
use std::fmt;
use url::Url;

/// A canonical origin, `https://name[:port]`, in lower case, without default port, user info, path, query or fragment. Plain
/// `http` is accepted only for loopback addresses and `localhost` (RFC 8252 section 7.3). The parsed host is compared, so
/// `http://127.0.0.1.attacker.example` is refused.
///
/// ```
/// use u2m_core::Host;
/// assert_eq!(Host::parse("https://A.Example:443")?.as_str(), "https://a.example");
/// assert!(Host::parse("http://a.example").is_err());
/// # Ok::<(), u2m_core::HostError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host {
    text: String,
}

impl Host {
    /// Parses an origin, for example from a configuration. Anything beyond the origin is refused rather than dropped.
    ///
    /// # Errors
    /// Fails if the text is not https, has a trailing slash, a path, a query or user info, or is not a URL at all.
    ///
    /// ```
    /// use u2m_core::{Host, HostError};
    /// assert!(Host::parse("http://127.0.0.1:5656").is_ok());
    /// assert!(matches!(Host::parse("https://a.example/"), Err(HostError::TrailingSlash(_))));
    /// ```
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let lower = text.to_ascii_lowercase();
        if !lower.starts_with("https://") && !lower.starts_with("http://") {
            return Err(HostError::NotHttps(Sanitized::new(text)));
        }
        let url = Url::parse(text).map_err(|_| HostError::NotAHost(Sanitized::new(text)))?;
        let host = Self::of(&url)?;
        if text.ends_with('/') {
            return Err(HostError::TrailingSlash(host.text));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(HostError::MoreThanAHost(host.text));
        }
        Ok(host)
    }

    /// Parses what a person typed or pasted. The scheme may be missing. A path, query or fragment is dropped, after reading the
    /// ids that Databricks' web pages put into the query.
    ///
    /// # Errors
    /// As for [`Host::parse`], except for what is dropped. Also fails if the URL names two different workspaces.
    ///
    /// ```
    /// use u2m_core::Host;
    /// let (host, hints) = Host::typed("a.example/browse?o=12345&a=abc")?;
    /// assert_eq!(host.as_str(), "https://a.example");
    /// assert_eq!(hints.workspace_id.as_deref(), Some("12345"));
    /// assert_eq!(hints.account_id.as_deref(), Some("abc"));
    /// # Ok::<(), u2m_core::HostError>(())
    /// ```
    pub fn typed(text: &str) -> Result<(Self, HostHints), HostError> {
        let text = text.trim();
        let full = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        if text.is_empty() || text.starts_with('/') || text.contains(char::is_whitespace) {
            return Err(HostError::NotAHost(Sanitized::new(text)));
        }
        let url = Url::parse(&full).map_err(|_| HostError::NotAHost(Sanitized::new(text)))?;
        let host = Self::of(&url)?;
        Ok((host, HostHints::from_query(&url)?))
    }

    /// The origin of `url`.
    ///
    /// # Errors
    /// As for [`Host::parse`], except that path, query and fragment are ignored.
    ///
    /// ```
    /// let url = url::Url::parse("https://a.example:8443/x?y").unwrap();
    /// assert_eq!(u2m_core::Host::of(&url)?.as_str(), "https://a.example:8443");
    /// # Ok::<(), u2m_core::HostError>(())
    /// ```
    pub fn of(url: &Url) -> Result<Self, HostError> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(HostError::UserInfo);
        }
        let name = url.host_str().unwrap_or_default();
        // `https://https://a.example`, `https//a.example`: no host has such a name.
        if let Some(scheme) = ["https", "http"].into_iter().find(|scheme| *scheme == name) {
            return Err(HostError::SchemeForName(scheme));
        }
        if name.is_empty() || name.ends_with('.') {
            return Err(HostError::NotAHost(Sanitized::new(name)));
        }
        let plain_ok = url.scheme() == "http" && is_loopback(url);
        if url.scheme() != "https" && !plain_ok {
            return Err(HostError::NotHttps(Sanitized::new(&format!("{}://{name}", url.scheme()))));
        }
        let port = url.port().map_or(String::new(), |port| format!(":{port}"));
        Ok(Self { text: format!("{}://{name}{port}", url.scheme()) })
    }

    /// The origin as used in files, keys and URLs, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name or address only, without scheme and port.
    pub fn name(&self) -> &str {
        let rest = self.text.split_once("://").map_or("", |(_, rest)| rest);
        match rest.rfind(':') {
            Some(colon) if !rest[colon..].contains(']') => &rest[..colon],
            _ => rest,
        }
    }

    /// Whether this is the local machine, with or without TLS.
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.text).is_ok_and(|url| is_loopback(&url))
    }

    /// Whether this is a classic account console: `accounts.…` or `accounts-dod.…` over https.
    pub fn is_account_console(&self) -> bool {
        ["https://accounts.", "https://accounts-dod."].iter().any(|p| self.text.starts_with(p))
    }

    /// Whether its name belongs to Azure Databricks, in any of its clouds, test systems included.
    ///
    /// ```
    /// use u2m_core::Host;
    /// assert!(Host::parse("https://adb-1.2.azuredatabricks.net")?.is_on_azure());
    /// assert!(!Host::parse("https://azuredatabricks.net.example")?.is_on_azure());
    /// # Ok::<(), u2m_core::HostError>(())
    /// ```
    pub fn is_on_azure(&self) -> bool {
        [".azuredatabricks.net", ".databricks.azure.us", ".databricks.azure.cn"]
            .iter()
            .any(|end| self.name().ends_with(end))
    }

    /// The URL of `path` on this host. Returns `None` unless `path` is empty or begins with a slash and is written as in a URL:
    /// joined blindly, `oidc` or `@other.example/` would become part of another host's name.
    pub(crate) fn at(&self, path: &str) -> Option<Url> {
        let url = Url::parse(&self.join(path)).ok()?;
        // So it has neither a query nor a fragment.
        let is_path = url.path() == path || path.is_empty();
        (is_path && Self::of(&url).as_ref() == Ok(self)).then_some(url)
    }

    /// Appends `path`, which must begin with a slash, to this host.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({})", self.text)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Ids from the query of a pasted URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostHints {
    /// `w`, else a numeric `o`, else a numeric `workspace_id`.
    pub workspace_id: Option<String>,
    /// `a`, else `account_id`.
    pub account_id: Option<String>,
}

impl HostHints {
    fn from_query(url: &Url) -> Result<Self, HostError> {
        let all = |name: &'static str| {
            let pairs = url.query_pairs().filter(move |(key, id)| key == name && !id.is_empty());
            pairs.map(|(_, id)| id.into_owned())
        };
        let numeric = |name| all(name).filter(|id| id.parse::<i64>().is_ok());
        let mut ids = all("w").chain(numeric("o")).chain(numeric("workspace_id"));
        let workspace_id = ids.next();
        if ids.any(|other| Some(&other) != workspace_id.as_ref()) {
            return Err(HostError::TwoWorkspaces);
        }
        let account_id = all("a").chain(all("account_id")).next();
        Ok(Self { workspace_id, account_id })
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => Ipv4Addr::is_loopback(&address),
        Some(url::Host::Ipv6(address)) => Ipv6Addr::is_loopback(&address),
        None => false,
    }
}

/// Why a text is not a host to sign in to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// There is more than an origin; only the origin is named.
    #[error("host must be an origin without path, query or fragment, such as {0}")]
    MoreThanAHost(String),
    /// There is a scheme where the name should be.
    #[error(
        "'{0}' stands where the name of the host should; give a host such as https://my-workspace.cloud.databricks.com"
    )]
    SchemeForName(&'static str),
    /// There is nothing that can be connected to.
    #[error("not a host: '{0}'; give one such as https://my-workspace.cloud.databricks.com")]
    NotAHost(Sanitized),
    /// It is not https: codes and tokens would be sent in clear text (RFC 6749 section 3.1).
    #[error("host must start with 'https://': {0}")]
    NotHttps(Sanitized),
    /// It ends with a slash. The Go SDK refuses this too, because it would change the cache key.
    #[error("host must not have a trailing slash: {0}/")]
    TrailingSlash(String),
    /// `o`, `w` and `workspace_id` name different workspaces.
    #[error(
        "the URL names two different workspaces; remove one of the parameters o, w and workspace_id"
    )]
    TwoWorkspaces,
    /// There is a user name or password before an `@`. It is not repeated here.
    #[error("host must not carry a user name or password")]
    UserInfo,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_that_stands_twice_is_named_and_is_no_host() {
        for (text, part) in [
            ("https://https://ws", "https"),
            ("https://https://ws.example/?o=1", "https"),
            ("http://http://127.0.0.1", "http"),
            ("https://http://ws", "http"),
            ("HTTPS://HTTPS://WS", "https"),
            ("https//ws", "https"),
            ("https:/ws", "https"),
        ] {
            assert_eq!(Host::typed(text), Err(HostError::SchemeForName(part)), "{text}");
            let said = HostError::SchemeForName(part).to_string();
            assert!(said.starts_with(&format!("'{part}' stands where")), "{said}");
        }
        assert_eq!(Host::parse("https://https://ws"), Err(HostError::SchemeForName("https")));
        for fine in ["https://https.example", "https://httpbin.example"] {
            assert!(Host::typed(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn a_path_stays_on_its_host() {
        let host = Host::parse("https://a.example:8443").unwrap();
        assert_eq!(host.at("/oidc/x").unwrap().as_str(), "https://a.example:8443/oidc/x");
        assert_eq!(host.at("").unwrap().as_str(), "https://a.example:8443/");
        for bad in [
            "oidc",
            "@evil.example/",
            ":99999",
            "9/x",
            ".evil.example/x",
            "?x",
            "#x",
            "/x?y",
            "/x#y",
            "/../x",
            "/a/./b",
            "/a b",
            "/a\nb",
            "\\evil",
            "/\\evil.example",
            "\t/x",
        ] {
            assert_eq!(host.at(bad), None, "{bad:?}");
        }
        // A host without a port could be given one.
        let host = Host::parse("https://a.example").unwrap();
        for bad in ["oidc", ":1/x", ":99999", "@evil.example/", ".evil.example"] {
            assert_eq!(host.at(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn arg_1_only_a_real_loopback_host_may_do_without_tls() {
        for ok in
            ["http://127.0.0.1", "http://127.0.0.1:1", "http://[::1]:9", "http://localhost:8080"]
        {
            assert_eq!(Host::parse(ok).unwrap().as_str(), ok);
        }
        for bad in [
            "http://127.0.0.1.attacker.example",
            "http://127.0.0.1@attacker.example",
            "http://10.0.0.1",
        ] {
            assert!(Host::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn arg_2_what_is_more_than_an_origin_is_refused_with_the_rule() {
        use HostError::*;
        assert!(matches!(Host::parse("a.example"), Err(NotHttps(_))));
        assert!(matches!(Host::parse("ftp://a.example"), Err(NotHttps(_))));
        assert!(matches!(Host::parse("https://a.example/"), Err(TrailingSlash(_))));
        assert!(matches!(Host::parse("https://a.example/p"), Err(MoreThanAHost(_))));
        assert!(matches!(Host::parse("https://a.example?o=1"), Err(MoreThanAHost(_))));
        assert!(matches!(Host::parse("https://u:p@a.example"), Err(UserInfo)));
        assert!(matches!(Host::parse("https://:443"), Err(NotAHost(_))));
        assert_eq!(
            Host::parse("http://a.example").unwrap_err().to_string(),
            "host must start with 'https://': http://a.example"
        );
    }

    #[test]
    fn what_a_person_types_is_made_canonical() {
        for (typed, canonical) in [
            ("https://a.com/", "https://a.com"),
            ("https://a.com//", "https://a.com"),
            ("https://a.com/path?x=1#f", "https://a.com"),
            ("https://a.com/#/job/1", "https://a.com"),
            ("a.com", "https://a.com"),
            ("a.com:443", "https://a.com"),
            ("localhost:8080", "https://localhost:8080"),
            ("127.0.0.1:8080", "https://127.0.0.1:8080"),
            ("HTTPS://A.COM", "https://a.com"),
        ] {
            assert_eq!(Host::typed(typed).unwrap().0.as_str(), canonical, "{typed}");
        }
        for bad in ["", "my workspace", "https://", "//a.com", "https://user:pw@a.com", "file:///x"]
        {
            assert!(Host::typed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn host_1_ids_come_from_w_then_o_then_workspace_id() {
        let hints = |query: &str| Host::typed(&format!("a.com?{query}")).map(|(_, hints)| hints);
        assert_eq!(hints("o=12345").unwrap().workspace_id.as_deref(), Some("12345"));
        assert_eq!(hints("w=abc").unwrap().workspace_id.as_deref(), Some("abc"));
        assert_eq!(hints("o=abc").unwrap().workspace_id, None);
        assert_eq!(hints("workspace_id=99").unwrap().workspace_id.as_deref(), Some("99"));
        assert_eq!(hints("account_id=abc").unwrap().account_id.as_deref(), Some("abc"));
        assert_eq!(hints("o=1&w=2"), Err(HostError::TwoWorkspaces));
        assert_eq!(hints("w=1&w=2"), Err(HostError::TwoWorkspaces));
        assert_eq!(hints("o=2&w=2").unwrap().workspace_id.as_deref(), Some("2"));
        assert_eq!(hints("o=abc&w=2&workspace_id=").unwrap().workspace_id.as_deref(), Some("2"));
        let both = hints("o=12345&a=abc").unwrap();
        assert_eq!(
            (both.workspace_id.as_deref(), both.account_id.as_deref()),
            (Some("12345"), Some("abc"))
        );
        assert_eq!(hints("account_id=b&a=a").unwrap().account_id.as_deref(), Some("a"));
        let uuid = "00000000-0000-4000-8000-00000000000a";
        assert_eq!(hints(&format!("w={uuid}")).unwrap().workspace_id.as_deref(), Some(uuid));
        assert_eq!(hints("o=99999999999999999999").unwrap().workspace_id, None);
    }

    #[test]
    fn the_name_leaves_scheme_and_port_out() {
        for (host, name) in
            [("https://a.com:1", "a.com"), ("http://[::1]:9", "[::1]"), ("http://[::1]", "[::1]")]
        {
            assert_eq!(Host::parse(host).unwrap().name(), name);
        }
    }

    #[test]
    fn a_password_alone_is_no_host_either() {
        for text in ["https://:secret@a.example", "https://me@a.example", "https://me:x@a.example"]
        {
            assert_eq!(Host::of(&text.parse().unwrap()), Err(HostError::UserInfo), "{text}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names_and_addresses() {
        for (host, is_here) in [
            ("http://127.0.0.1:8080", true),
            ("https://127.0.0.1", true),
            ("http://localhost:1", true),
            ("https://[::1]:1", true),
            ("https://a.example", false),
            ("https://localhost.example", false),
        ] {
            assert_eq!(Host::parse(host).unwrap().is_loopback(), is_here, "{host}");
        }
    }

    #[test]
    fn a_path_is_put_on_a_host_as_it_is_or_not_at_all() {
        let host = Host::parse("https://a.example").unwrap();
        let at = |path| host.at(path).map(|url| url.to_string());
        assert_eq!(at("").as_deref(), Some("https://a.example/"));
        assert_eq!(at("/oidc/x").as_deref(), Some("https://a.example/oidc/x"));
        for path in ["oidc", "@other.example/", "/a?b", "/a#b", "/a/../b", "?b", "#b", ":1/"] {
            assert_eq!(at(path), None, "{path}");
        }
    }
}
