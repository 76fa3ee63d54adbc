//! The list of hosts that are reached without a proxy, as Go programs read `NO_PROXY`.

use std::net::IpAddr;
use url::{Host, Url};

/// The entries of the list. Malformed entries are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NoProxy(Vec<NoProxyEntry>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum NoProxyEntry {
    /// `*`
    All,
    /// `10.0.0.0/8`
    Net(IpAddr, u8),
    /// `10.0.0.1`, with or without a port.
    Address(IpAddr, Option<u16>),
    /// `a.example` and its subdomains. With a dot or a star in front, only the subdomains.
    Name { below: String, itself: bool, port: Option<u16> },
}

impl NoProxy {
    pub(crate) fn parse(list: &str) -> Self {
        let entries = list.split(',').map(|entry| entry.trim().to_lowercase());
        Self(entries.filter_map(|entry| NoProxyEntry::parse(&entry)).collect())
    }

    pub(crate) fn has(&self, url: &Url) -> bool {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return false;
        };
        self.0.iter().any(|exception| exception.is_for(&host, port))
    }
}

impl NoProxyEntry {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self::All);
        }
        if let Some(net) = net(entry) {
            return Some(net);
        }
        let (host, port) = match (entry.strip_prefix('['), entry.split_once(':')) {
            (Some(rest), _) => {
                let (host, rest) = rest.split_once(']')?;
                (host, rest.strip_prefix(':'))
            }
            (None, Some((host, port))) if !port.contains(':') => (host, Some(port)),
            _ => (entry, None),
        };
        let port = port.filter(|port| !port.is_empty());
        let port = port.map(str::parse).transpose().ok()?;
        if let Ok(address) = host.parse() {
            return Some(Self::Address(address, port));
        }
        let (name, itself) = match host.strip_prefix("*.").or_else(|| host.strip_prefix('.')) {
            Some(name) => (name, false),
            None => (host, true),
        };
        // In the spelling in which requests name hosts.
        let name = match name.is_ascii() {
            true => name.to_owned(),
            false => match Host::parse(name).ok()? {
                Host::Domain(name) => name,
                _ => return None,
            },
        };
        (!name.is_empty()).then(|| Self::Name { below: format!(".{name}"), itself, port })
    }

    fn is_for(&self, host: &Host<&str>, port: u16) -> bool {
        let address = match host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::from(*address)),
            Host::Ipv6(address) => Some(IpAddr::from(*address).to_canonical()),
        };
        let is_port = |own: &Option<u16>| own.is_none_or(|own| own == port);
        match (self, host, address) {
            (Self::All, ..) => true,
            (Self::Net(net, bits), _, Some(address)) => is_within(address, *net, *bits),
            (Self::Address(own, at), _, Some(address)) => {
                own.to_canonical() == address && is_port(at)
            }
            (Self::Name { below, itself, port: at }, Host::Domain(name), None) => {
                let name = name.to_ascii_lowercase();
                (name.ends_with(below) || *itself && name == below[1..]) && is_port(at)
            }
            _ => false,
        }
    }
}

fn net(entry: &str) -> Option<NoProxyEntry> {
    let (address, bits) = entry.split_once('/')?;
    let (address, bits): (IpAddr, u8) = (address.parse().ok()?, bits.parse().ok()?);
    let most = if address.is_ipv4() { 32 } else { 128 };
    (bits <= most).then_some(NoProxyEntry::Net(address, bits))
}

fn is_within(address: IpAddr, net: IpAddr, bits: u8) -> bool {
    let is_same = |one: u128, other: u128, width: u8| {
        let shift = u32::from(width - bits);
        one.checked_shr(shift).unwrap_or(0) == other.checked_shr(shift).unwrap_or(0)
    };
    match (address, net) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            is_same(u128::from(one.to_bits()), u128::from(other.to_bits()), 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => is_same(one.to_bits(), other.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(list: &str, url: &str) -> bool {
        NoProxy::parse(list).has(&url.parse().unwrap())
    }

    /// The same results as `golang.org/x/net/http/httpproxy`.
    #[test]
    fn each_form_of_an_entry_means_what_it_means_to_gos_programs() {
        for (list, url, excepted) in [
            ("*", "https://a.example", true),
            ("x, *", "https://10.0.0.1", true),
            ("*.example", "https://ws.example", true),
            ("*.example", "https://a.ws.example", true),
            ("*.example", "https://example", false),
            (".example", "https://ws.example", true),
            (".ws.example", "https://ws.example", false),
            ("example", "https://ws.example", true),
            ("ws.example", "https://ws.example", true),
            ("WS.Example", "https://ws.EXAMPLE", true),
            ("s.example", "https://ws.example", false),
            ("ws.example:443", "https://ws.example", true),
            ("ws.example:443", "https://ws.example:8443", false),
            ("ws.example:8443", "https://ws.example:8443", true),
            ("*.example:443", "https://ws.example", true),
            ("ws.example:x", "https://ws.example", false),
            ("10.0.0.0/8", "https://10.1.2.3", true),
            ("10.0.0.0/8", "https://11.1.2.3", false),
            ("10.9.9.9/8", "https://10.1.2.3", true),
            ("0.0.0.0/0", "https://11.1.2.3", true),
            ("0.0.0.0/0", "https://a.example", false),
            ("10.0.0.0/33", "https://10.0.0.0", false),
            ("10.0.0.1", "https://10.0.0.1:9", true),
            ("10.0.0.1:443", "https://10.0.0.1", true),
            ("10.0.0.1:443", "https://10.0.0.1:9", false),
            ("fd00::/8", "https://[fd12::1]", true),
            ("fd00::1", "https://[fd00::1]", true),
            ("[fd00::1]:443", "https://[fd00::1]", true),
            ("[fd00::1]:443", "https://[fd00::1]:9", false),
            ("bücher.example", "https://xn--bcher-kva.example", true),
            (" , ,:443,", "https://a.example", false),
            ("", "https://a.example", false),
            ("a.example b.example", "https://b.example", false),
        ] {
            assert_eq!(has(list, url), excepted, "{list} and {url}");
        }
    }
}
