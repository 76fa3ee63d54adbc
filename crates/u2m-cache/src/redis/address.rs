//! Parses a URL: where the server is and which credentials to use.

use std::fmt;
use u2m_core::Sanitized;
use url::{Host, Url};
use zeroize::Zeroizing;

/// The network address or socket of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ServerEndpoint {
    Tcp {
        host: String,
        port: u16,
    },
    #[cfg(unix)]
    Unix(std::path::PathBuf),
}

/// A server, one of its databases, and the credentials.
pub(super) struct ServerAddress {
    pub(super) door: ServerEndpoint,
    pub(super) user: Option<String>,
    pub(super) password: Option<Zeroizing<String>>,
    pub(super) database: u32,
}

const PORT: u16 = 6379;

const FORM: &str =
    "its URL has to be redis://[user:password@]host[:port][/database] or unix://path";

impl ServerAddress {
    /// Parses a URL. Errors do not quote it, because it may contain a password.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| FORM)?;
        match url.scheme() {
            "redis" | "valkey" => Self::tcp(&url),
            "rediss" | "valkeys" => {
                Err("its URL asks for TLS, which this program was built without")
            }
            #[cfg(unix)]
            "unix" | "redis+unix" => Self::unix(&url),
            _ => Err(FORM),
        }
    }

    fn tcp(url: &Url) -> Result<Self, &'static str> {
        let host = match url.host() {
            Some(Host::Domain(name)) => decoded(name).ok_or(FORM)?.to_string(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(FORM),
        };
        let database = match url.path().trim_matches('/') {
            "" => 0,
            number => number.parse().map_err(|_| "the database in its URL has to be a number")?,
        };
        let user = match url.username() {
            "" => None,
            user => Some(decoded(user).ok_or(FORM)?.to_string()),
        };
        let password = match url.password() {
            None => None,
            Some(password) => Some(decoded(password).ok_or(FORM)?),
        };
        let door = ServerEndpoint::Tcp { host, port: url.port().unwrap_or(PORT) };
        Ok(Self { door, user, password, database })
    }

    #[cfg(unix)]
    fn unix(url: &Url) -> Result<Self, &'static str> {
        let path = decoded(url.path()).ok_or(FORM)?;
        if !url.host_str().unwrap_or_default().is_empty() || path.len() < 2 {
            return Err(FORM);
        }
        let door = ServerEndpoint::Unix(path.as_str().into());
        let mut address = Self { door, user: None, password: None, database: 0 };
        for (name, value) in url.query_pairs() {
            match &*name {
                "db" => address.database = value.parse().map_err(|_| FORM)?,
                "user" => address.user = Some(value.into_owned()),
                "pass" => address.password = Some(Zeroizing::new(value.into_owned())),
                _ => {}
            }
        }
        Ok(address)
    }

    /// Returns the server's name for messages, without credentials.
    pub(super) fn name(&self) -> String {
        Sanitized::new(&format!("Redis at {}/{}", self.door, self.database)).to_string()
    }
}

impl fmt::Display for ServerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Decodes percent-encoding (RFC 3986 section 2.1). Returns `None` if the result is not text.
fn decoded(text: &str) -> Option<Zeroizing<String>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let pair = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match (first, pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ServerAddress {
        ServerAddress::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn a_url_says_where_who_and_which_database() {
        let address = parse("redis://me:p%40ss@db.example:7000/3");
        assert_eq!(address.name(), "Redis at db.example:7000/3");
        assert_eq!(address.user.as_deref(), Some("me"));
        assert_eq!(address.password.unwrap().as_str(), "p@ss");
        assert_eq!(parse("redis://:x@[::1]").name(), "Redis at [::1]:6379/0");
        assert_eq!(parse("redis://:x@h").user, None);
        #[cfg(unix)]
        {
            let address = parse("unix:///run/redis.sock?db=2&pass=x");
            assert_eq!(address.name(), "Redis at /run/redis.sock/2");
            assert_eq!(address.password.unwrap().as_str(), "x");
        }
    }

    #[test]
    fn t14_what_is_wrong_with_a_url_is_said_without_quoting_it() {
        for url in
            ["canary", "redis://u:canary@[", "rediss://u:canary@localhost", "redis://h/canary"]
        {
            let why = ServerAddress::parse(url).err().unwrap();
            assert!(!why.contains("canary"), "{why}");
        }
        assert!(ServerAddress::parse("rediss://localhost").err().unwrap().contains("TLS"));
    }
}
