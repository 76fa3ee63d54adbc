//! The protocol core of u2m.

mod call;
mod host;
mod issuer;
mod pkce;
mod scopes;
mod secret;
mod target;
mod text;
mod time;
mod wire;

pub use call::{Answer, Awaits, HttpCall, HttpRequest, Replay, TransportFailure, TransportFailureKind};
pub use host::{Host, HostError, HostHints};
pub use issuer::{
    IssuerError, IssuerTrust, Trusted, derive_host_from_issuer, derive_token_endpoint,
};
pub use pkce::{Entropy, Pkce};
pub use scopes::Scopes;
pub use secret::{AccessToken, AuthorizationCode, CodeVerifier, CsrfState, Fingerprint, RefreshToken};
pub use target::{AccountId, CacheKey, ProfileName, Target, TargetError};
pub use text::Foreign;
pub use time::{Lifetime, Timestamp};
pub use wire::{
    AnswerError, AuthorizationServer, MetadataError, OAuthErrorCode, Refusal, TokenEndpointError,
    build_discovery_authorize_url,
};
