//! Doors for the fuzz targets to parsers that are private otherwise. Built with `--cfg fuzzing` alone.

use crate::call::HttpResponse;
use crate::databricks::Host;
use crate::oauth::Scopes;
use crate::oauth::{
    DeviceAuthorizationResponse, ExpectedIssuer, MetadataError, RevokeError, ServerMetadata,
    TokenEndpointError, TokenResponse, expiry_hint, parse_metadata, parse_revocation,
};
use crate::reply::Reply;
use crate::secret::{AccessToken, DeviceCode, RefreshToken};
use crate::text::Sanitized;
use crate::time::Lifetime;
use url::Url;

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
pub fn token_response(answer: HttpResponse) -> Result<Granted, TokenEndpointError> {
    let TokenResponse { access_token, refresh_token, lifetime, scopes, .. } =
        TokenResponse::parse(Ok(Reply::bare(answer))).map_err(|spoiled| spoiled.error)?;
    Ok(Granted { access_token, refresh_token, lifetime, scopes })
}

/// The refresh token in an answer, whether it is of use otherwise or not.
pub fn salvage(answer: &HttpResponse) -> Option<RefreshToken> {
    match TokenResponse::parse(Ok(Reply::bare(answer.clone()))) {
        Ok(grant) => grant.refresh_token,
        Err(spoiled) => spoiled.refresh_token,
    }
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
    answer: HttpResponse,
    issuer: Option<&str>,
    host: &Host,
) -> Result<ServerMetadata, MetadataError> {
    let expected = match issuer {
        Some(issuer) => ExpectedIssuer::of_host(issuer, host.clone(), Vec::new()),
        None => ExpectedIssuer::unnamed(host.clone(), Vec::new()),
    };
    parse_metadata(Ok(Reply::bare(answer)), &expected)
}

/// What a device was given to sign in with.
#[derive(Debug)]
pub struct Codes {
    /// What the device polls with.
    pub device_code: DeviceCode,
    /// What the person types.
    pub user_code: Sanitized,
    /// Where it is typed.
    pub uri: Url,
    /// The same with the code in it.
    pub uri_complete: Option<Url>,
    /// How long the codes are good for.
    pub expires_in: Lifetime,
    /// How far polls are apart.
    pub interval: Lifetime,
}

/// Reads a device authorization endpoint's answer.
///
/// # Errors
/// As the flows see them.
pub fn device_codes(answer: HttpResponse) -> Result<Codes, TokenEndpointError> {
    let DeviceAuthorizationResponse { code, user_code, uri, uri_complete, expires_in, interval } =
        DeviceAuthorizationResponse::parse(Ok(Reply::bare(answer)))?;
    Ok(Codes { device_code: code, user_code, uri, uri_complete, expires_in, interval })
}

/// Reads a revocation endpoint's answer.
///
/// # Errors
/// As the flow sees them.
pub fn revocation(answer: HttpResponse) -> Result<(), RevokeError> {
    parse_revocation(Ok(Reply::bare(answer)))
}
