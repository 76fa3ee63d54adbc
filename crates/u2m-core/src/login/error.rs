//! How a login can fail, by cause.

use crate::issuer::IssuerError;
use crate::oauth::{ErrorResponse, MetadataError, TokenEndpointError};
use crate::text::Sanitized;

/// How a login can fail. No message contains a code, a state, a verifier or a body.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The codes of a device login expired before the person agreed.
    #[error("the code was not confirmed in time")]
    CodeExpired,
    /// The server gave this device no codes.
    #[error("the server gave no code to sign in with")]
    Device(#[source] TokenEndpointError),
    /// The metadata has no `device_authorization_endpoint`.
    #[error("there is no device login here")]
    NoDeviceLogin,
    /// The person refused, or the server did so for them. The text is `<error>: <description>`, as in the Go SDK.
    #[error("authorize: {}", denied(.0))]
    Denied(ErrorResponse),
    /// The host's endpoints could not be determined.
    #[error("fetching OAuth endpoints")]
    Endpoints(#[source] MetadataError),
    /// The code could not be redeemed. It is spent, so only a new login helps.
    #[error("the authorization code could not be redeemed")]
    Exchange(#[source] TokenEndpointError),
    /// The callback's `iss` is not a valid issuer.
    #[error("deriving host from issuer")]
    Issuer(#[source] IssuerError),
    /// The callback was required to name an issuer and did not. The text begins as in the Go SDK.
    #[error("the callback did not include an issuer (iss) parameter")]
    NoIssuer,
    /// The person did not agree to the host, or nobody could be asked.
    #[error("signing in to {0} was not confirmed")]
    NotConfirmed(Sanitized),
    /// The callback names an issuer that must not be followed. Nothing was sent to it.
    #[error("the sign-in page answered for {0}, which is not a trusted issuer")]
    UntrustedIssuer(Sanitized),
    /// The callback is from another issuer than the one signed in to (RFC 9207).
    #[error("the callback came from another issuer than the one signed in to")]
    WrongIssuer,
}

impl LoginError {
    /// Whether the same login may succeed later, without any change.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::CodeExpired => true,
            Self::Device(error) => error.is_transient(),
            Self::Endpoints(error) => error.is_transient(),
            Self::Exchange(error) => error.is_transient(),
            Self::Denied(_)
            | Self::Issuer(_)
            | Self::NoDeviceLogin
            | Self::NoIssuer
            | Self::NotConfirmed(_)
            | Self::UntrustedIssuer(_)
            | Self::WrongIssuer => false,
        }
    }
}

fn denied(refusal: &ErrorResponse) -> String {
    match refusal.description() {
        Some(text) => format!("{}: {text}", refusal.code()),
        None => refusal.code().to_string(),
    }
}
