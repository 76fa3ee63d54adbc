//! Checks what a login needs from the desktop: a port for the callback and a browser; also the proxies in use.

use super::{DoctorFinding, Examination};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::PathBuf;
use u2m_core::Sanitized;
use u2m_http::{BrowserEnv, BrowserError, Platform, Proxies, find_browser};
use url::Url;

pub(super) fn look(ward: &Examination) -> Vec<DoctorFinding> {
    vec![ports(), browser(ward)]
}

/// Checks the ports for the browser's callback. Each is released at once.
fn ports() -> DoctorFinding {
    let is_taken = |port: &u16| {
        let in_use = |outcome: std::io::Result<TcpListener>| {
            outcome.is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
        };
        in_use(TcpListener::bind((Ipv4Addr::LOCALHOST, *port)))
            || in_use(TcpListener::bind((Ipv6Addr::LOCALHOST, *port)))
    };
    told(&(8020..=8040).filter(is_taken).collect::<Vec<u16>>())
}

/// The finding for these taken ports.
fn told(taken: &[u16]) -> DoctorFinding {
    match taken {
        [] => DoctorFinding::ok("callback ports", "8020 to 8040 are free"),
        taken if taken.len() == 21 => DoctorFinding::fail(
            "callback ports",
            "8020 to 8040 are all taken",
            "end a program that holds one, or sign in with --port or --paste",
        ),
        taken => {
            let list: Vec<_> = taken.iter().map(u16::to_string).collect();
            let text = format!("others of 8020 to 8040 are free, {} not", list.join(", "));
            DoctorFinding::ok("callback ports", text)
        }
    }
}

fn browser(ward: &Examination) -> DoctorFinding {
    let env = BrowserEnv::new(BrowserEnv::current().platform(), ward.doctor.env.clone());
    let wsl = if env.platform() == Platform::Wsl { " (WSL)" } else { "" };
    let advice = "a login prints its address: open it in any browser, and use --paste if that is on another machine";
    match find_browser(&env) {
        Ok(program) => DoctorFinding::ok("browser", format!("{}{wsl}", ward.shown(&program))),
        Err(BrowserError::Disabled) => {
            DoctorFinding::ok("browser", "BROWSER is none: a login prints its address")
        }
        Err(error) => DoctorFinding::warn("browser", format!("{error}{wsl}"), advice),
    }
}

/// The proxy and certificate variables, without the text before an `@`, which is a password. A value that is not an address may
/// be a secret as a whole.
pub(super) fn proxies(ward: &Examination) -> Vec<DoctorFinding> {
    let mut findings = Vec::new();
    for name in ["HTTPS_PROXY", "ALL_PROXY"] {
        let Some((name, value)) = either(ward, name) else { continue };
        // As it applies to a host that no variable mentions.
        let proxies = Proxies::of_env(&|other| (other == name).then(|| value.clone().into()));
        let proxy = Url::parse("https://host.example").ok().map(|url| proxies.of(&url));
        findings.push(match proxy {
            Some(Err(error)) => {
                let advice = format!("write {name} as http://HOST:PORT or socks5h://HOST:PORT");
                DoctorFinding::warn("proxy", error.to_string(), advice)
            }
            Some(Ok(Some(proxy))) => {
                DoctorFinding::ok("proxy", format!("{name} is {}", Sanitized::new(&proxy.place())))
            }
            _ => continue,
        });
    }
    if let Some((name, list)) = either(ward, "NO_PROXY") {
        findings.push(DoctorFinding::ok("proxy", format!("{name} is {}", Sanitized::new(&list))));
    }
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        let Some(value) = ward.var(name) else { continue };
        let is_missing = |path: &PathBuf| !path.as_os_str().is_empty() && !path.exists();
        let paths: Vec<PathBuf> = match name {
            "SSL_CERT_FILE" => vec![value.clone().into()],
            _ => std::env::split_paths(&value).collect(),
        };
        findings.push(match paths.iter().find(|path| is_missing(path)) {
            Some(path) => {
                let text = format!("{name} names {}, which is not there", ward.shown(path));
                DoctorFinding::warn("certificates", text, format!("correct or unset {name}"))
            }
            None => {
                DoctorFinding::ok("certificates", format!("{name} is {}", Sanitized::new(&value)))
            }
        });
    }
    findings
}

/// A variable in either spelling, upper case first.
fn either(ward: &Examination, name: &str) -> Option<(String, String)> {
    let small = name.to_ascii_lowercase();
    let value = |name: &str| ward.var(name).map(|value| (name.to_owned(), value));
    value(name).or_else(|| value(&small))
}

/// How requests to `url` leave, if a variable affects that: through a proxy, or directly although there is one. Also whether a
/// proxy is used: then local name lookups and connections prove nothing.
pub(super) fn way(ward: &Examination, url: &Url) -> (Option<DoctorFinding>, bool) {
    let proxies = Proxies::of_env(&|name| ward.doctor.var_os(name));
    let host = Sanitized::new(url.host_str().unwrap_or_default());
    match proxies.of(url) {
        Ok(Some(proxy)) => (
            Some(DoctorFinding::ok("way", format!("{host} is reached over the proxy {proxy}"))),
            true,
        ),
        // The request will report what is wrong.
        Err(_) => (None, true),
        Ok(None) => {
            let by = proxies.excepted_by(url).filter(|_| !proxies.is_empty());
            let told = by.map(|by| format!("{host} is reached directly, as {by} says"));
            (told.map(|text| DoctorFinding::ok("way", text)), false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Doctor;
    use std::net::IpAddr;
    use u2m_config::ConfigFile;

    fn ward(env: &[(&str, &str)]) -> Examination {
        let doctor = Doctor::new(env.iter().copied());
        Examination { doctor, path: "x".into(), config: ConfigFile::parse("").unwrap() }
    }

    #[test]
    fn a_port_that_is_taken_in_one_family_is_taken() {
        for address in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            // If all ports are taken, or the address family is missing, there is nothing to test.
            let held = (8020..=8040).find_map(|port| TcpListener::bind((address, port)).ok());
            let Some(held) = held else { continue };
            let port = held.local_addr().unwrap().port().to_string();
            let text = ports().text;
            let is_told = match text.split_once("are free, ") {
                Some((_, list)) => list.trim_end_matches(" not").split(", ").any(|one| one == port),
                None => text.ends_with("are all taken"),
            };
            assert!(is_told, "{port} at {address}: {text}");
        }
    }

    #[test]
    fn a_proxy_counts_for_https_and_not_for_what_is_excepted() {
        let is = |env: &[(&str, &str)], url: &str| way(&ward(env), &Url::parse(url).unwrap()).1;
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
            ("*.example", true),
            ("a.example:443", true),
            ("a.example:8443", false),
            ("ple", false),
            (",", false),
        ] {
            let env = [proxy, ("NO_PROXY", list)];
            assert_eq!(is(&env, "https://a.example"), !excepted, "{list}");
        }
        let told = |env: &[(&str, &str)]| {
            way(&ward(env), &Url::parse("https://a.example").unwrap()).0.map(|it| it.text)
        };
        let over = "a.example is reached over the proxy p:1 (HTTPS_PROXY)";
        assert_eq!(told(&[proxy]).as_deref(), Some(over));
        let directly = "a.example is reached directly, as no_proxy says";
        assert_eq!(told(&[proxy, ("no_proxy", "*")]).as_deref(), Some(directly));
        assert_eq!(told(&[("no_proxy", "*")]), None);
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

    #[test]
    fn certificates_that_are_named_and_not_there_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().to_str().unwrap();
        // A list of folders may contain missing ones, and a file name is not a list.
        let odd = folder.path().join("a:b");
        std::fs::write(&odd, "").unwrap();
        let (odd, list) = (odd.to_str().unwrap(), format!("{there}::"));
        let both = format!("{there}:/nonexistent/certs");
        for (name, value, missing) in [
            ("SSL_CERT_FILE", odd, None),
            ("SSL_CERT_FILE", "/nonexistent/ca.pem", Some("/nonexistent/ca.pem")),
            ("SSL_CERT_DIR", &*list, None),
            ("SSL_CERT_DIR", &*both, Some("/nonexistent/certs")),
        ] {
            let findings = proxies(&ward(&[(name, value)]));
            let told = &findings[0];
            let (level, text) = match missing {
                Some(path) => ("warn", format!("{name} names {path}, which is not there")),
                None => ("ok", format!("{name} is {value}")),
            };
            assert_eq!((findings.len(), told.level.as_str(), &told.text), (1, level, &text));
        }
    }

    #[test]
    fn one_free_port_is_enough_and_none_is_too_few() {
        let all: Vec<u16> = (8020..=8040).collect();
        assert_eq!(told(&[]).to_string(), "ok    callback ports: 8020 to 8040 are free");
        let some = told(&all[..20]);
        assert!(some.level.as_str() == "ok" && some.text.ends_with(", 8039 not"), "{some}");
        let none = told(&all);
        assert_eq!(
            (none.level.as_str(), none.text.as_str()),
            ("fail", "8020 to 8040 are all taken")
        );
        assert!(none.advice.unwrap().contains("--paste"));
    }

    #[test]
    fn each_variable_of_a_proxy_is_told_by_the_name_that_counts() {
        let env = [
            ("https_proxy", "p:1"),
            ("HTTPS_PROXY", "q:1"),
            ("ALL_PROXY", "ftp://p:1"),
            ("NO_PROXY", "any thing"),
        ];
        let told: Vec<_> =
            proxies(&ward(&env)).into_iter().map(|one| (one.level.as_str(), one.text)).collect();
        assert_eq!(
            told[0],
            ("ok", "HTTPS_PROXY is q:1".to_owned()),
            "programs in Go read the capitals first"
        );
        assert_eq!(
            told[1],
            ("warn", "ALL_PROXY names a proxy of a kind that is not known: ftp".to_owned())
        );
        assert_eq!(told[2], ("ok", "NO_PROXY is any thing".to_owned()));
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn a_browser_that_was_switched_off_or_is_not_there_is_told() {
        let told = browser(&ward(&[("BROWSER", "none")]));
        assert_eq!((told.check, told.level.as_str()), ("browser", "ok"));
        assert_eq!(told.text, "BROWSER is none: a login prints its address");
        let told = browser(&ward(&[("PATH", "/nonexistent")]));
        assert_eq!(told.level.as_str(), "warn", "{told}");
        assert!(told.advice.unwrap().contains("--paste"));
    }
}
