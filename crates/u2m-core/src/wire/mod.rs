//! What goes over the wire: metadata, the authorization URL, token requests, token responses and refusals.

mod api;
mod authorize;
mod brought;
mod complaint;
mod device;
mod expected;
mod grant;
mod host_metadata;
mod json_bytes;
mod lookup;
mod members;
mod metadata;
mod refusal;
mod response;
mod revoke;
mod said;
mod search;

pub(crate) use authorize::{authorize_query, authorize_url};
pub(crate) use brought::brings_tokens;
pub(crate) use device::{DeviceGrant, device_form, poll_form};
pub(crate) use expected::Expected;
pub(crate) use grant::{exchange_form, form, refresh_form};
pub(crate) use metadata::parse_metadata;
pub(crate) use response::{Grant, Spoiled, expiry_hint};
pub(crate) use revoke::{parse_revocation, revocation_form};
pub(crate) use said::Said;
pub(crate) use search::{Found, Search};

pub use api::{
    AccountWorkspace, ApiAccess, ApiAnswer, ApiError, ApiRefusal, Cluster, ClusterPage, Me,
    Principal,
};
pub use authorize::build_discovery_authorize_url;
pub use host_metadata::{HostMetadata, HostMetadataLookup};
pub use lookup::Lookup;
pub use metadata::{AuthorizationServer, MetadataError};
pub use refusal::{OAuthErrorCode, Refusal};
pub use response::{AnswerError, TokenEndpointError};
pub use revoke::RevokeError;

/// Metadata documents are small: 1 MiB.
pub(crate) const METADATA_LIMIT: usize = 1 << 20;
/// Token responses are smaller: 256 KiB.
pub(crate) const TOKEN_LIMIT: usize = 256 << 10;

/// Nesting beyond this is refused before anything is parsed; honest documents stay below 8.
const DEPTH_LIMIT: usize = 32;

/// Whether brackets nest deeper than any honest document's (T9).
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
