//! Access for the fuzz targets to parsers that are otherwise private. Built only with `--cfg fuzzing`.

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
    /// How long the access token is valid, if the server stated it.
    pub lifetime: Option<Lifetime>,
    /// The granted scopes, if the server stated them.
    pub scopes: Option<Scopes>,
}

/// Reads a token response.
///
/// # Errors
/// As in the flows.
pub fn token_response(answer: HttpResponse) -> Result<Granted, TokenEndpointError> {
    let TokenResponse { access_token, refresh_token, lifetime, scopes, .. } =
        TokenResponse::parse(Ok(Reply::bare(answer))).map_err(|spoiled| spoiled.error)?;
    Ok(Granted { access_token, refresh_token, lifetime, scopes })
}

/// The refresh token in a response, whether the response is otherwise usable or not.
pub fn salvage(answer: &HttpResponse) -> Option<RefreshToken> {
    match TokenResponse::parse(Ok(Reply::bare(answer.clone()))) {
        Ok(grant) => grant.refresh_token,
        Err(spoiled) => spoiled.refresh_token,
    }
}

/// When a token that happens to be a JWT expires, in unix seconds.
pub fn hinted_expiry(token: &AccessToken) -> Option<i64> {
    expiry_hint(token)
}

/// Reads a metadata response for `issuer` on `host`.
///
/// # Errors
/// As in the flows.
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

/// The codes of a device login.
#[derive(Debug)]
pub struct Codes {
    /// The device code, with which the device polls.
    pub device_code: DeviceCode,
    /// The user code, which the person types.
    pub user_code: Sanitized,
    /// The verification URI, where the person types the code.
    pub uri: Url,
    /// The verification URI with the code in it.
    pub uri_complete: Option<Url>,
    /// How long the codes are valid.
    pub expires_in: Lifetime,
    /// The polling interval.
    pub interval: Lifetime,
}

/// Reads a device authorization response.
///
/// # Errors
/// As in the flows.
pub fn device_codes(answer: HttpResponse) -> Result<Codes, TokenEndpointError> {
    let DeviceAuthorizationResponse { code, user_code, uri, uri_complete, expires_in, interval } =
        DeviceAuthorizationResponse::parse(Ok(Reply::bare(answer)))?;
    Ok(Codes { device_code: code, user_code, uri, uri_complete, expires_in, interval })
}

/// Reads a revocation response.
///
/// # Errors
/// As in the flow.
pub fn revocation(answer: HttpResponse) -> Result<(), RevokeError> {
    parse_revocation(Ok(Reply::bare(answer)))
}
