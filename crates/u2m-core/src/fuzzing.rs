//! Doors for the fuzz targets to parsers that are private otherwise. Built with `--cfg fuzzing` alone.

use crate::call::Answer;
use crate::host::Host;
use crate::scopes::Scopes;
use crate::secret::{AccessToken, RefreshToken};
use crate::time::Lifetime;
use crate::wire::{
    AuthorizationServer, Expected, Grant, MetadataError, TokenEndpointError, expiry_hint,
    parse_metadata,
};

/// What a token endpoint granted.
#[derive(Debug)]
pub struct Granted {
    /// The access token.
    pub access_token: AccessToken,
    /// The refresh token, if one came.
    pub refresh_token: Option<RefreshToken>,
    /// How long the access token is good for, if the server said.
    pub lifetime: Option<Lifetime>,
    /// What was granted, if the server said.
    pub scopes: Option<Scopes>,
}

/// Reads a token endpoint's answer.
///
/// # Errors
/// As the flows see them.
pub fn token_response(answer: Answer) -> Result<Granted, TokenEndpointError> {
    let Grant { access_token, refresh_token, lifetime, scopes } = Grant::parse(Ok(answer))?;
    Ok(Granted { access_token, refresh_token, lifetime, scopes })
}

/// The refresh token in an answer that is of no use otherwise.
pub fn salvage(answer: &Answer) -> Option<RefreshToken> {
    Grant::salvage(answer)
}

/// The end of a token that happens to be a JWT, in unix seconds.
pub fn hinted_expiry(token: &AccessToken) -> Option<i64> {
    expiry_hint(token)
}

/// Reads an answer to a request for the metadata of `issuer` on `host`.
///
/// # Errors
/// As the flows see them.
pub fn metadata(
    answer: Answer,
    issuer: Option<&str>,
    host: &Host,
) -> Result<AuthorizationServer, MetadataError> {
    let expected = Expected { issuer: issuer.map(str::to_owned), host: host.clone() };
    parse_metadata(Ok(answer), &expected)
}
