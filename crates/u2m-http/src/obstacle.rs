//! Describes what prevented a request: a proxy, a certificate or a setting. Each kind has its own message.

use crate::proxy::{Proxy, ProxyError};
use crate::tls::CertificateProblem;
use std::error::Error;
use std::io;
use std::sync::Arc;
use u2m_core::Sanitized;

/// Why a request was not sent: a proxy, a certificate or a setting prevented it. It is among the
/// sources of a [`TransportFailure`](u2m_core::TransportFailure).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// A variable or a setting does not name a usable proxy.
    #[error(transparent)]
    ProxySetting(#[from] ProxyError),
    /// A proxy did not let the request through.
    #[error("the proxy {proxy} {trouble}")]
    Proxy {
        /// Its host and port, and the variable that names it.
        proxy: String,
        /// What the proxy did.
        trouble: ProxyTrouble,
    },
    /// There are no CA certificates to verify a server with.
    #[error("there are no CA certificates on this machine{}", .0.iter().map(|one| format!("; {one}")).collect::<String>())]
    NoAuthorities(Vec<String>),
    /// A file of CA certificates that was configured cannot be used.
    #[error("the CA file {path} {why}")]
    CaFile {
        /// The path of the file.
        path: Sanitized,
        /// What is wrong with it.
        why: String,
    },
    /// The server's certificate was rejected.
    #[error(transparent)]
    Certificate(#[from] CertificateProblem),
    /// The certificate of this client cannot be used.
    #[error("the certificate of this client cannot be used: {0}")]
    Identity(String),
    /// A request for the metadata service of this machine would have gone to another host.
    #[error("{host} {why}")]
    Metadata {
        /// The host that it was for.
        host: Sanitized,
        /// What is wrong with that host.
        why: &'static str,
    },
    /// The TLS handshake failed.
    #[error("{0}")]
    Handshake(String),
}

/// What a proxy did instead of letting a request through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyTrouble {
    /// Its host name cannot be resolved.
    #[error("is not found: {0}")]
    NotFound(Sanitized),
    /// It could not be reached.
    #[error("could not be reached: {0}")]
    NotReached(Sanitized),
    /// It requires a user name and a password, and none were configured.
    #[error("wants a user name and a password")]
    WantsPassword,
    /// It rejected the user name and the password.
    #[error("does not accept the user name and the password")]
    WrongPassword,
    /// It refused to connect to the host.
    #[error("refused to connect to the host")]
    Refused,
    /// It did not connect to the host within the time for connecting.
    #[error("did not connect to the host in time")]
    Silent,
    /// It closed the connection.
    #[error("closed the connection instead of connecting to the host")]
    HungUp,
    /// Its own certificate was rejected.
    #[error("could not be trusted: {0}")]
    Certificate(CertificateProblem),
    /// It is a SOCKS proxy that reported this error.
    #[error("did not connect to the host: {0}")]
    Socks(Sanitized),
}

impl Obstacle {
    /// Finds the obstacle among an error and its sources.
    pub fn among<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        // The source of a shared failure is behind a pointer, which is an error itself.
        let shared = |error: &'e (dyn Error + 'static)| {
            error.downcast_ref::<Arc<dyn Error + Send + Sync>>()?.downcast_ref()
        };
        chain(error).find_map(|error| error.downcast_ref().or_else(|| shared(error)))
    }

    /// Determines the obstacle from an error of the HTTP client, if the error reveals it.
    pub(crate) fn of(error: &(dyn Error + 'static), proxy: Option<&Proxy>) -> Option<Self> {
        let tls = chain(error).find_map(tls_among);
        let certificate = tls.and_then(CertificateProblem::among);
        if let Some(proxy) = proxy
            && let Some(trouble) = trouble(error, proxy, certificate)
        {
            return Some(Self::Proxy { proxy: proxy.to_string(), trouble });
        }
        if chain(error).any(|error| error.to_string() == "tls handshake eof") {
            let text = "the connection was closed during the handshake of TLS";
            return Some(Self::Handshake(text.to_owned()));
        }
        match (certificate, tls?) {
            (Some(problem), _) => Some(Self::Certificate(problem.clone())),
            (None, rustls::Error::InvalidMessage(_)) => {
                Some(Self::Handshake("what answers there does not speak TLS".to_owned()))
            }
            (None, rustls::Error::AlertReceived(alert)) => Some(Self::Handshake(format!(
                "the server ended the handshake of TLS: {}",
                Sanitized::new(&format!("{alert:?}"))
            ))),
            (None, other) => {
                let words = Sanitized::new(&other.to_string());
                Some(Self::Handshake(format!("the handshake of TLS failed: {words}")))
            }
        }
    }
}

/// Determines what a proxy did from the client's messages, because the client's error types are private.
fn trouble(
    error: &(dyn Error + 'static),
    proxy: &Proxy,
    certificate: Option<&CertificateProblem>,
) -> Option<ProxyTrouble> {
    let has = |words: &str| chain(error).any(|error| error.to_string().contains(words));
    let last = || {
        chain(error).last().map_or_else(|| Sanitized::new(""), |it| Sanitized::new(&it.to_string()))
    };
    let is_unreached = has("failed to create underlying connection");
    if is_unreached {
        return Some(match certificate {
            Some(problem) => ProxyTrouble::Certificate(problem.clone()),
            None if has("dns error") || has("failed to lookup address") => {
                ProxyTrouble::NotFound(last())
            }
            // The client does not report the reason of a SOCKS proxy.
            None if proxy.is_socks() => {
                ProxyTrouble::NotReached(Sanitized::new("no connection to it can be made"))
            }
            None => ProxyTrouble::NotReached(last()),
        });
    }
    if chain(error)
        .filter_map(|error| error.downcast_ref::<reqwest::Error>())
        .any(reqwest::Error::is_timeout)
    {
        return Some(ProxyTrouble::Silent);
    }
    if has("tunnel error") {
        return Some(if has("proxy authorization required") {
            match proxy.has_user() {
                true => ProxyTrouble::WrongPassword,
                false => ProxyTrouble::WantsPassword,
            }
        } else if has("unexpected end of file") || has("io error") {
            ProxyTrouble::HungUp
        } else {
            ProxyTrouble::Refused
        });
    }
    if !has("socks proxy") && !has("SOCKS error") {
        return None;
    }
    let said = last();
    let words = said.as_str().trim_start_matches("SOCKS error: ");
    Some(if words.contains("io error") || words.contains("parsing server response") {
        ProxyTrouble::HungUp
    } else if words.to_ascii_lowercase().contains("auth") || words.contains("acceptable") {
        match proxy.has_user() {
            true => ProxyTrouble::WrongPassword,
            false => ProxyTrouble::WantsPassword,
        }
    } else {
        ProxyTrouble::Socks(Sanitized::new(words))
    })
}

/// Returns an error and its sources, including errors that an I/O error wraps.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| next(*error))
}

fn next<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(within) => Some(within),
        None => error.source(),
    }
}

fn tls_among<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    error.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use u2m_core::{TransportFailure, TransportFailureKind};

    #[test]
    fn it_is_found_among_the_sources_of_a_failure() {
        let obstacle = Obstacle::Certificate(CertificateProblem::Revoked);
        let failure =
            TransportFailure::new(TransportFailureKind::NotSent).because(obstacle.clone());
        assert_eq!(Obstacle::among(&failure), Some(&obstacle));
        assert_eq!(Obstacle::among(&io::Error::other(failure)), Some(&obstacle));
        let other = TransportFailure::new(TransportFailureKind::Broken);
        assert_eq!(Obstacle::among(&other), None);
    }

    /// An error with this message, and a source with the rest of the chain.
    #[derive(Debug)]
    struct Said(&'static str, Option<Box<Self>>);

    impl Said {
        fn all(words: &[&'static str]) -> Box<Self> {
            let rest = (words.len() > 1).then(|| Self::all(&words[1..]));
            Box::new(Self(words[0], rest))
        }
    }

    impl std::fmt::Display for Said {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Said {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    fn told(words: &[&'static str], proxy: &str) -> Option<ProxyTrouble> {
        let proxies = crate::Proxies::of_env(&|name| (name == "HTTPS_PROXY").then(|| proxy.into()));
        let proxy = proxies.of(&"https://a.example".parse().unwrap()).unwrap().unwrap();
        trouble(Said::all(words).as_ref(), &proxy, None)
    }

    #[test]
    fn what_a_proxy_did_is_told_from_what_the_client_says() {
        use ProxyTrouble::{HungUp, NotFound, NotReached, Refused, WantsPassword, WrongPassword};
        let (plain, socks) = ("http://p.example:1", "socks5h://p.example:1");
        let words = |text: &str| Sanitized::new(text);
        let unreached = "failed to create underlying connection";
        let hidden = "no connection to it can be made";
        for (said, proxy, expected) in [
            (&[unreached, "dns error", "unknown"][..], plain, Some(NotFound(words("unknown")))),
            (
                &[unreached, "failed to lookup address"],
                socks,
                Some(NotFound(words("failed to lookup address"))),
            ),
            (&[unreached, "refused"], plain, Some(NotReached(words("refused")))),
            (&[unreached, "refused"], socks, Some(NotReached(words(hidden)))),
            (&["tunnel error", "proxy authorization required"], plain, Some(WantsPassword)),
            (
                &["tunnel error", "proxy authorization required"],
                "http://me:x@p.example",
                Some(WrongPassword),
            ),
            (&["tunnel error", "unexpected end of file"], plain, Some(HungUp)),
            (&["tunnel error", "io error"], plain, Some(HungUp)),
            (&["tunnel error", "unsuccessful"], plain, Some(Refused)),
            (
                &["socks proxy", "host unreachable"],
                socks,
                Some(ProxyTrouble::Socks(words("host unreachable"))),
            ),
            (
                &["SOCKS error: host unreachable"],
                socks,
                Some(ProxyTrouble::Socks(words("host unreachable"))),
            ),
            (&["SOCKS error: io error"], socks, Some(HungUp)),
            (&["SOCKS error: parsing server response"], socks, Some(HungUp)),
            (&["SOCKS error: Authentication failed"], socks, Some(WantsPassword)),
            (&["SOCKS error: no acceptable method"], socks, Some(WantsPassword)),
            (
                &["SOCKS error: Authentication failed"],
                "socks5h://me:x@p.example",
                Some(WrongPassword),
            ),
            (&["connection reset"], socks, None),
        ] {
            assert_eq!(told(said, proxy), expected, "{said:?} {proxy}");
        }
    }

    #[test]
    fn a_handshake_that_is_cut_off_is_one_and_what_is_said_otherwise_is_not() {
        let text = "the connection was closed during the handshake of TLS".to_owned();
        let cut_off = Said::all(&["client error", "tls handshake eof"]);
        assert_eq!(Obstacle::of(cut_off.as_ref(), None), Some(Obstacle::Handshake(text)));
        assert_eq!(Obstacle::of(Said::all(&["connection reset"]).as_ref(), None), None);
    }
}
