//! Maps paths to endpoints, in Databricks' layout.

use http::Request;

use crate::{
    fault::Endpoint,
    host::{Issuer, WellKnown},
};

/// Where RFC 8414 puts the metadata of `<base>/oidc`.
const INSERTED: &str = "/.well-known/oauth-authorization-server/oidc";

/// The endpoint that a request is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Api,
    Authorize(Issuer),
    Device(Issuer),
    HostMetadata,
    LoginPage,
    Metadata(Issuer, WellKnown),
    Revoke(Issuer),
    Token(Issuer),
    Unknown,
}

impl Route {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        match request.uri().path() {
            "/" => Self::LoginPage,
            "/.well-known/databricks-config" => Self::HostMetadata,
            path if path.starts_with("/api/") => Self::Api,
            path if path.starts_with(INSERTED) => Self::inserted(&path[INSERTED.len()..]),
            path => path.strip_prefix("/oidc/").map_or(Self::Unknown, Self::below_oidc),
        }
    }

    pub(crate) const fn endpoint(&self) -> Endpoint {
        match self {
            Self::Api => Endpoint::Api,
            Self::Authorize(_) => Endpoint::Authorize,
            Self::HostMetadata => Endpoint::HostMetadata,
            Self::LoginPage => Endpoint::LoginPage,
            Self::Metadata(..) => Endpoint::Metadata,
            Self::Device(_) => Endpoint::Device,
            Self::Revoke(_) => Endpoint::Revocation,
            Self::Token(_) => Endpoint::Token,
            Self::Unknown => Endpoint::Any,
        }
    }

    /// RFC 8414 section 3.1: the well-known name comes before the issuer's path.
    fn inserted(path: &str) -> Self {
        match path.strip_prefix("/accounts/") {
            None if path.is_empty() => Self::Metadata(Issuer::Workspace, WellKnown::OAuth),
            Some(id) if !id.is_empty() && !id.contains('/') => {
                Self::Metadata(Issuer::Account(id.to_owned()), WellKnown::OAuth)
            }
            _ => Self::Unknown,
        }
    }

    fn below_oidc(path: &str) -> Self {
        let account = path.strip_prefix("accounts/").and_then(|rest| rest.split_once('/'));
        let (issuer, path) = match account {
            Some(("", _)) => return Self::Unknown,
            Some((id, path)) => (Issuer::Account(id.to_owned()), path),
            None => (Issuer::Workspace, path),
        };
        match path {
            ".well-known/oauth-authorization-server" => {
                Self::Metadata(issuer, WellKnown::Databricks)
            }
            ".well-known/openid-configuration" => Self::Metadata(issuer, WellKnown::OpenId),
            "v1/authorize" => Self::Authorize(issuer),
            "v1/device" => Self::Device(issuer),
            "v1/revoke" => Self::Revoke(issuer),
            "v1/token" => Self::Token(issuer),
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_one_meaning() {
        let of = |path: &str| Route::of(&Request::get(path).body(()).unwrap());
        let account = || Issuer::Account("a-1".to_owned());
        assert_eq!(of("/?destination_url=x"), Route::LoginPage);
        assert_eq!(of("/oidc/v1/token"), Route::Token(Issuer::Workspace));
        assert_eq!(of("/oidc/accounts/a-1/v1/authorize?x"), Route::Authorize(account()));
        assert_eq!(
            of("/oidc/accounts/a-1/.well-known/oauth-authorization-server"),
            Route::Metadata(account(), WellKnown::Databricks)
        );
        assert_eq!(
            of("/.well-known/oauth-authorization-server/oidc/accounts/a-1"),
            Route::Metadata(account(), WellKnown::OAuth)
        );
        assert_eq!(
            of("/oidc/.well-known/openid-configuration"),
            Route::Metadata(Issuer::Workspace, WellKnown::OpenId)
        );
        for unknown in ["/oidc", "/oidc/accounts//v1/token", "/oidc/v1/token/", "/favicon.ico"] {
            assert_eq!(of(unknown), Route::Unknown, "{unknown}");
        }
        assert_eq!(of("http://127.0.0.1:1/oidc/v1/token"), Route::Token(Issuer::Workspace));
    }
}
