//! OAuth 2.0 on the wire. Each file is named after the RFC's term: server metadata (RFC 8414), the authorization request, token
//! requests, token responses and error responses (RFC 6749), PKCE (RFC 7636), device authorization (RFC 8628) and revocation
//! (RFC 7009).

mod authorize;
mod brings_tokens;
pub(crate) mod client_auth;
mod device_authorization;
mod error_members;
mod error_response;
mod expected_issuer;
mod json_bytes;
mod lookup;
mod members;
mod metadata;
mod pkce;
mod response_text;
mod revocation;
mod scopes;
mod token_request;
mod token_response;
mod well_known;

pub(crate) use authorize::{authorize_query, authorize_url};
pub(crate) use brings_tokens::brings_tokens;
pub(crate) use device_authorization::{DeviceAuthorizationResponse, device_form, poll_form};
pub(crate) use error_members::ErrorMembers;
pub(crate) use expected_issuer::ExpectedIssuer;
pub(crate) use members::JsonMembers;
pub(crate) use metadata::parse_metadata;
pub(crate) use response_text::ResponseText;
pub(crate) use revocation::{parse_revocation, revocation_form};
pub(crate) use token_request::{exchange_form, form, refresh_form};
pub(crate) use token_response::{TokenResponse, UnusableResponse, expiry_hint};
pub(crate) use well_known::{WellKnownFound, WellKnownSearch};

pub use authorize::build_discovery_authorize_url;
pub use client_auth::ClientAuth;
pub use error_response::{ErrorResponse, OAuthErrorCode};
pub use lookup::Lookup;
pub use metadata::{MetadataError, ServerMetadata};
pub use pkce::{Entropy, Pkce};
pub use revocation::RevokeError;
pub use scopes::Scopes;
pub use token_response::{ResponseError, TokenEndpointError};

/// The size limit of metadata documents: 1 MiB. Real ones are small.
pub(crate) const METADATA_LIMIT: usize = 1 << 20;
/// The size limit of token responses: 256 KiB.
pub(crate) const TOKEN_LIMIT: usize = 256 << 10;

/// Deeper nesting is refused before anything is parsed; real documents stay below 8.
const DEPTH_LIMIT: usize = 32;

/// Whether brackets nest deeper than in any real document (T9).
pub(crate) fn is_too_deep(json: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in json {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => depth += 1,
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_LIMIT {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t9_depth_counts_brackets_outside_of_strings() {
        assert!(is_too_deep("[".repeat(100_000).as_bytes()));
        assert!(!is_too_deep(br#"{"a":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"[["}"#));
        assert!(!is_too_deep(b"[[]][[]]"));
    }
}
