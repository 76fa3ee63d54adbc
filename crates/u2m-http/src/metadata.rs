//! Determines which addresses are metadata services of the machine that this process runs on.
//! Requests to them are sent without TLS and must not reach any other host.

use crate::obstacle::Obstacle;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use u2m_core::Sanitized;
use url::{Host, Url};

/// The usual address of clouds, which is on this machine's own link (RFC 3927), and the IPv6
/// address of AWS.
const USUAL: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const BY_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);

/// The address for the names in [`NAMES`]. The port is that of the request.
pub(crate) const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(USUAL), 0);

/// The name that Google's clients use, in both spellings.
pub(crate) const NAMES: [&str; 2] = ["metadata.google.internal", "metadata.google.internal."];

/// The services that were configured in addition to the well-known ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct MetadataHosts {
    named: Vec<(Host, u16)>,
}

impl MetadataHosts {
    /// Adds a host, with its port unless that is 80.
    ///
    /// # Errors
    /// Fails if it is not a host.
    pub(crate) fn name(&mut self, host: &str) -> Result<(), Obstacle> {
        let wrong = || Obstacle::Metadata { host: Sanitized::new(host), why: "is not a host" };
        // A URL parser would accept text that is not part of a host.
        if host.contains(['/', '?', '#', '@', '\\']) {
            return Err(wrong());
        }
        let url = Url::parse(&format!("http://{host}/")).map_err(|_| wrong())?;
        self.named.push(place(&url).ok_or_else(wrong)?);
        Ok(())
    }

    /// Checks that `url` is a metadata service: a well-known one, one on this machine, or a
    /// configured one.
    ///
    /// # Errors
    /// Fails if it is not.
    pub(crate) fn check(&self, url: &Url) -> Result<(), Obstacle> {
        let has_user = !url.username().is_empty() || url.password().is_some();
        let place = place(url).filter(|_| url.scheme() == "http" && !has_user);
        let is_one = place.as_ref().is_some_and(|(host, port)| {
            let is_known = match host {
                Host::Ipv4(address) => address.is_loopback() || (*address, *port) == (USUAL, 80),
                Host::Ipv6(address) => address.is_loopback() || (*address, *port) == (BY_IPV6, 80),
                Host::Domain(name) => {
                    name == "localhost" || (NAMES.contains(&name.as_str()) && *port == 80)
                }
            };
            is_known || self.named.iter().any(|named| named == &(host.clone(), *port))
        });
        match is_one {
            true => Ok(()),
            false => Err(Obstacle::Metadata {
                host: Sanitized::new(&url.origin().ascii_serialization()),
                why: "is not the metadata service of this machine",
            }),
        }
    }
}

fn place(url: &Url) -> Option<(Host, u16)> {
    Some((url.host()?.to_owned(), url.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_one(hosts: &MetadataHosts, url: &str) -> bool {
        hosts.check(&Url::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn md_4_what_everybody_knows_and_this_machine_are_asked_and_nobody_else() {
        let hosts = MetadataHosts::default();
        for url in [
            "http://169.254.169.254/metadata/identity/oauth2/token?resource=x",
            "http://169.254.169.254:80/",
            "http://[fd00:ec2::254]/latest",
            "http://metadata.google.internal/computeMetadata/v1/",
            "http://METADATA.google.internal./",
            "http://127.0.0.1:40342/",
            "http://[::1]:1/",
            "http://localhost:41741/msi/token",
            "http://0xa9fea9fe/",
        ] {
            assert!(is_one(&hosts, url), "{url}");
        }
        for url in [
            "https://169.254.169.254/",
            "http://169.254.169.254:8080/",
            "http://169.254.170.2/",
            "http://169.254.169.253/",
            "http://[fd00:ec2::23]/",
            "http://metadata.google.internal:81/",
            "http://metadata.google.internal.evil.example/",
            "http://evil.example/metadata.google.internal",
            "http://metadata/",
            "http://user@169.254.169.254/",
            "http://:word@169.254.169.254/",
            "http://169.254.169.254@evil.example/",
            "http://localhost.evil.example/",
            "http://10.0.0.1/",
            "ftp://169.254.169.254/",
            "unix:/run/x",
        ] {
            assert!(!is_one(&hosts, url), "{url}");
        }
    }

    #[test]
    fn a_service_that_was_named_is_asked_at_its_own_port_alone() {
        let mut hosts = MetadataHosts::default();
        for host in ["169.254.170.23", "Metadata.example:8080", "[fd20:ce::254]"] {
            hosts.name(host).unwrap();
        }
        for url in [
            "http://169.254.170.23/v1/credentials",
            "http://metadata.example:8080/",
            "http://[fd20:ce::254]/",
        ] {
            assert!(is_one(&hosts, url), "{url}");
        }
        for url in [
            "https://metadata.example:8080/",
            "http://metadata.example/",
            "http://169.254.170.23:8080/",
        ] {
            assert!(!is_one(&hosts, url), "{url}");
        }
    }

    #[test]
    fn what_is_no_host_names_none() {
        for text in ["", "a/b", "me@a", "a:b", "a b", "http://a", "a?b", "a#b", "a\\b", ":80"] {
            let error = MetadataHosts::default().name(text).unwrap_err();
            assert!(error.to_string().ends_with("is not a host"), "{error}");
        }
    }
}
