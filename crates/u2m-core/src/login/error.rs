//! How a login can fail, split by blame.

use crate::issuer::IssuerError;
use crate::oauth::{ErrorResponse, MetadataError, TokenEndpointError};
use crate::text::Sanitized;

/// How a login can fail. No variant's text holds a code, a state, a verifier or a body.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The codes of a device login ran out before the person had agreed.
    #[error("the code was not confirmed in time")]
    CodeExpired,
    /// The server gave this device no codes.
    #[error("the server gave no code to sign in with")]
    Device(#[source] TokenEndpointError),
    /// The metadata names no `device_authorization_endpoint`.
    #[error("there is no device login here")]
    NoDeviceLogin,
    /// The person, or the server for them, said no. The text is `<error>: <description>`, as the reference's.
    #[error("authorize: {}", denied(.0))]
    Denied(ErrorResponse),
    /// The endpoints of the host are not known.
    #[error("fetching OAuth endpoints")]
    Endpoints(#[source] MetadataError),
    /// The code could not be redeemed; it is spent, so that only a new login helps.
    #[error("the authorization code could not be redeemed")]
    Exchange(#[source] TokenEndpointError),
    /// The callback's issuer is not one.
    #[error("deriving host from issuer")]
    Issuer(#[source] IssuerError),
    /// The callback had to name an issuer and did not. The first words are the reference's.
    #[error("the callback did not include an issuer (iss) parameter")]
    NoIssuer,
    /// The person did not agree to the host, or nobody could be asked.
    #[error("signing in to {0} was not confirmed")]
    NotConfirmed(Sanitized),
    /// The callback names an issuer that must not be followed; nothing was sent to it.
    #[error("the sign-in page answered for {0}, which is not a trusted issuer")]
    UntrustedIssuer(Sanitized),
    /// The callback speaks for another issuer than the one signed in to (RFC 9207).
    #[error("the callback came from another issuer than the one signed in to")]
    WrongIssuer,
}

impl LoginError {
    /// Whether the same login may succeed later, without anything being changed.
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
