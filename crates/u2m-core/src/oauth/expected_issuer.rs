//! What a metadata document must say to be believed (RFC 8414 section 3.3): how it may name its issuer, and where its endpoints
//! may be. One rule for logins, refreshes and revocations, whoever supplies the document.

use super::metadata::{MetadataError, ServerMetadata};
use crate::databricks::Host;
use crate::issuer::{derive_host_from_issuer, is_of_another_account, path_of_issuer};
use crate::text::Sanitized;
use url::Url;

/// How a document may name the issuer that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IssuerNaming {
    /// By its exact identifier (RFC 8414 section 3.3), unless the host in the document's name was allowed by name: one host may
    /// serve several issuers, and a person has named this one.
    Exact,
    /// By this name, ignoring trailing slashes, by its host alone, or not at all. A callback named this issuer, of several that
    /// its host may serve, and the login is recorded under it.
    Called,
    /// By any name on the host that was asked, or not at all: only the host is known, and Databricks' own servers differ in
    /// what they write. An account's issuer must not have the name of another account's.
    OfHost,
}

/// What a document must say to be believed. It came from the host that was asked, over TLS or loopback. What it says of itself
/// and of its endpoints must not point to another host, unless a person allowed that host by name.
#[derive(Clone, Debug)]
pub(crate) struct ExpectedIssuer {
    /// The issuer whose document was asked for; `None` if the caller gave the document's own URL.
    pub(crate) issuer: Option<String>,
    /// How the document may name it.
    pub(crate) naming: IssuerNaming,
    /// The host where the endpoints must be.
    pub(crate) host: Host,
    /// Hosts that a person named for the endpoints and for the issuer's own name, or to which the login's tokens were sent
    /// before.
    pub(crate) also: Vec<Host>,
}

impl ExpectedIssuer {
    /// Endpoints on `host`, of an issuer that is known by this host.
    pub(crate) fn of_host(issuer: impl Into<String>, host: Host, also: Vec<Host>) -> Self {
        Self { issuer: Some(issuer.into()), naming: IssuerNaming::OfHost, host, also }
    }

    /// Endpoints on `host`, of an issuer that a callback named.
    pub(crate) fn called(issuer: impl Into<String>, host: Host, also: Vec<Host>) -> Self {
        Self { issuer: Some(issuer.into()), naming: IssuerNaming::Called, host, also }
    }

    /// Endpoints on `host`, of exactly this issuer.
    pub(crate) fn exactly(issuer: impl Into<String>, host: Host, also: Vec<Host>) -> Self {
        Self { issuer: Some(issuer.into()), naming: IssuerNaming::Exact, host, also }
    }

    /// Endpoints on `host`, of any issuer that the document names.
    pub(crate) fn unnamed(host: Host, also: Vec<Host>) -> Self {
        Self { issuer: None, naming: IssuerNaming::OfHost, host, also }
    }

    fn allows(&self, url: &Url) -> bool {
        Host::of(url).is_ok_and(|host| host == self.host || self.also.contains(&host))
    }

    /// Checks the name that the document gives its issuer, and returns the name to record.
    pub(super) fn issuer(&self, named: Option<&str>) -> Result<String, MetadataError> {
        let Some(asked) = &self.issuer else {
            return Ok(named.unwrap_or(self.host.as_str()).to_owned());
        };
        let is_allowed = |host: &Host| match self.naming {
            IssuerNaming::Exact => self.also.contains(host),
            IssuerNaming::Called | IssuerNaming::OfHost => {
                *host == self.host || self.also.contains(host)
            }
        };
        match named {
            Some(named) if named == asked => {}
            Some(named) => {
                let host = derive_host_from_issuer(named).ok().filter(is_allowed);
                // On a host that was allowed by name, the names of issuers are that host's own affair.
                let is_own = |host: &Host| *host != self.host || self.is_same_issuer(asked, named);
                let wrong = || MetadataError::WrongIssuer(Sanitized::new(named));
                host.filter(is_own).ok_or_else(wrong)?;
            }
            None if is_allowed(&self.host) => {}
            None => return Err(MetadataError::MissingMember("issuer")),
        }
        Ok(asked.clone())
    }

    /// Whether two names on one host may belong to one issuer.
    fn is_same_issuer(&self, asked: &str, named: &str) -> bool {
        match self.naming {
            // An entirely different name was allowed by its host.
            IssuerNaming::Exact => true,
            IssuerNaming::Called => [path_of_issuer(asked), ""].contains(&path_of_issuer(named)),
            IssuerNaming::OfHost => !is_of_another_account(asked, named),
        }
    }

    /// Checks supplied metadata: the issuer to record, and the hosts of the endpoints.
    pub(crate) fn hold_supplied(
        &self,
        mut server: ServerMetadata,
    ) -> Result<ServerMetadata, MetadataError> {
        server.issuer = self.issuer(Some(&server.issuer))?;
        self.hold(server)
    }

    /// Checks the hosts of endpoints, wherever they come from. An optional endpoint on another host is dropped.
    pub(crate) fn hold(&self, mut server: ServerMetadata) -> Result<ServerMetadata, MetadataError> {
        for (name, url) in [
            ("authorization_endpoint", &server.authorization_endpoint),
            ("token_endpoint", &server.token_endpoint),
        ] {
            if !self.allows(url) {
                return Err(MetadataError::elsewhere(name, url));
            }
        }
        let allows = |url: &Url| self.allows(url);
        server.revocation_endpoint = server.revocation_endpoint.filter(allows);
        server.device_authorization_endpoint = server.device_authorization_endpoint.filter(allows);
        Ok(server)
    }
}
