//! The protocol core of u2m.

mod call;
mod freshness;
mod host;
mod issuer;
mod login;
mod pkce;
mod scopes;
mod secret;
mod session;
mod target;
mod text;
mod time;
mod token;
mod wire;

pub use call::{
    Answer, Awaits, HttpCall, HttpRequest, Replay, TransportFailure, TransportFailureKind,
};
pub use freshness::{Freshness, FreshnessRules};
pub use host::{Host, HostError, HostHints};
pub use issuer::{
    IssuerError, IssuerTrust, Trusted, derive_host_from_issuer, derive_token_endpoint,
};
pub use login::{
    Browse, Callback, Confirm, DATABRICKS_CLI, DISCOVERY_HOST, Discovering, Exchanging, Heard,
    Junk, Listen, LoggedIn, LoginError, LoginRequest, LoginStep, Store, Verifying,
};
pub use pkce::{Entropy, Pkce};
pub use scopes::Scopes;
pub use secret::{
    AccessToken, AuthorizationCode, CodeVerifier, CsrfState, Fingerprint, RefreshToken,
};
pub use session::{Binding, Session, Token};
pub use target::{AccountId, CacheKey, ProfileName, Target, TargetError};
pub use text::Foreign;
pub use time::{Lifetime, Timestamp};
pub use token::{
    Ask, How, Issued, Load, Locating, Lock, Note, Prove, Recheck, Refreshing, Reload, Save,
    StoreFailure, TokenError, TokenRequest, TokenStep, Verdict, VerdictKind,
};
pub use wire::{
    AnswerError, AuthorizationServer, HostMetadata, HostMetadataLookup, Lookup, MetadataError,
    OAuthErrorCode, Refusal, TokenEndpointError, build_discovery_authorize_url,
};
