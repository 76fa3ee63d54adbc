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

/// The variables of proxies, without what stands before an `@`: it is a password.
pub(super) fn proxies(ward: &Ward) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        let Some((name, value)) = either(ward, name) else { continue };
        let value = value.rsplit('@').next().unwrap_or_default();
        findings.push(Finding::ok("proxy", format!("{name} is {}", Foreign::new(value))));
    }
    findings
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
