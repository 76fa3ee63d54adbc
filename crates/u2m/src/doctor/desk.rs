//! What a login needs: a port to come back to, a browser to go with; and the proxies on the way.

use super::{Finding, Ward};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use u2m_core::Foreign;
use u2m_http::{BrowserEnv, BrowserError, Platform, find_browser};
use url::Url;

pub(super) fn look(ward: &Ward) -> Vec<Finding> {
    vec![ports(), browser(ward)]
}

/// The ports that a login's browser comes back to. They are given back at once.
fn ports() -> Finding {
    let is_taken = |port: &u16| {
        let in_use = |outcome: std::io::Result<TcpListener>| {
            outcome.is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
        };
        in_use(TcpListener::bind((Ipv4Addr::LOCALHOST, *port)))
            || in_use(TcpListener::bind((Ipv6Addr::LOCALHOST, *port)))
    };
    let taken: Vec<u16> = (8020..=8040).filter(is_taken).collect();
    match taken.as_slice() {
        [] => Finding::ok("callback ports", "8020 to 8040 are free"),
        taken if taken.len() == 21 => Finding::fail(
            "callback ports",
            "8020 to 8040 are all taken",
            "end a program that holds one, or sign in with --port or --paste",
        ),
        taken => {
            let list: Vec<_> = taken.iter().map(u16::to_string).collect();
            let text = format!("others of 8020 to 8040 are free, {} not", list.join(", "));
            Finding::ok("callback ports", text)
        }
    }
}

fn browser(ward: &Ward) -> Finding {
    let env = BrowserEnv::new(BrowserEnv::current().platform(), ward.doctor.env.clone());
    let wsl = if env.platform() == Platform::Wsl { " (WSL)" } else { "" };
    let advice = "a login prints its address: open it in any browser, and use --paste if that is on another machine";
    match find_browser(&env) {
        Ok(program) => Finding::ok("browser", format!("{}{wsl}", ward.shown(&program))),
        Err(BrowserError::Disabled) => {
            Finding::ok("browser", "BROWSER is none: a login prints its address")
        }
        Err(error) => Finding::warn("browser", format!("{error}{wsl}"), advice),
    }
}

/// The variables of proxies, without what stands before an `@`: it is a password. What is no address may be one as a whole.
pub(super) fn proxies(ward: &Ward) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        let Some((name, value)) = either(ward, name) else { continue };
        let value = value.rsplit('@').next().unwrap_or_default();
        findings.push(match name.eq_ignore_ascii_case("NO_PROXY") || is_address(value) {
            true => Finding::ok("proxy", format!("{name} is {}", Foreign::new(value))),
            false => {
                let advice = format!("write {name} as http://HOST:PORT");
                Finding::warn("proxy", format!("{name} is not the address of a proxy"), advice)
            }
        });
    }
    findings
}

/// A host with or without a port, behind a scheme or not.
fn is_address(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest).trim_end_matches('/');
    match rest.rsplit_once(':') {
        Some((host, port)) => !host.is_empty() && port.parse::<u16>().is_ok(),
        None => !rest.is_empty() && !rest.contains('/'),
    }
}

/// A variable in either spelling; programs read the small letters first.
fn either(ward: &Ward, name: &str) -> Option<(String, String)> {
    let small = name.to_ascii_lowercase();
    let value = |name: &str| ward.var(name).map(|value| (name.to_owned(), value));
    value(&small).or_else(|| value(name))
}

/// Whether requests to `url` leave by a proxy: then nobody else's names and connections say anything.
pub(super) fn goes_by_proxy(ward: &Ward, url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    // Only this machine is ever reached in clear text, and directly.
    if url.scheme() != "https" {
        return false;
    }
    let excepted = either(ward, "NO_PROXY").is_some_and(|(_, list)| {
        list.split(',').map(|one| one.trim().trim_start_matches('.')).any(|one| {
            one == "*"
                || !one.is_empty()
                    && (host == one
                        || host.strip_suffix(one).is_some_and(|rest| rest.ends_with('.')))
        })
    });
    !excepted && (either(ward, "HTTPS_PROXY").is_some() || either(ward, "ALL_PROXY").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Doctor;
    use u2m_config::ConfigFile;

    fn ward(env: &[(&str, &str)]) -> Ward {
        let doctor = Doctor::new(env.iter().copied());
        Ward { doctor, path: "x".into(), config: ConfigFile::parse("").unwrap() }
    }

    #[test]
    fn a_proxy_counts_for_https_and_not_for_what_is_excepted() {
        let is =
            |env: &[(&str, &str)], url: &str| goes_by_proxy(&ward(env), &Url::parse(url).unwrap());
        let proxy = ("HTTPS_PROXY", "http://p:1");
        assert!(is(&[proxy], "https://a.example"));
        assert!(is(&[("all_proxy", "socks5://p:1")], "https://a.example"));
        assert!(!is(&[proxy], "http://127.0.0.1:1"));
        assert!(!is(&[("HTTP_PROXY", "http://p:1")], "https://a.example"));
        assert!(!is(&[("HTTPS_PROXY", "")], "https://a.example"));
        for (list, excepted) in [
            ("*", true),
            ("a.example", true),
            ("x, .example", true),
            ("example", true),
            ("b.example", false),
            ("ple", false),
            (",", false),
        ] {
            let env = [proxy, ("NO_PROXY", list)];
            assert_eq!(is(&env, "https://a.example"), !excepted, "{list}");
        }
    }

    #[test]
    fn the_password_of_a_proxy_is_not_shown() {
        for value in ["http://me:canary@p.example:1", "me:canary@p.example:1", "canary@p.example:1"]
        {
            let findings = proxies(&ward(&[("HTTPS_PROXY", value)]));
            assert_eq!(findings.len(), 1);
            assert_eq!(findings[0].text, "HTTPS_PROXY is p.example:1", "{value}");
        }
        let findings = proxies(&ward(&[("HTTPS_PROXY", "me:canary")]));
        assert_eq!(findings[0].text, "HTTPS_PROXY is not the address of a proxy");
    }
}
