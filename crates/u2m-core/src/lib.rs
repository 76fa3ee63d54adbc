//! The protocol core of u2m: OAuth 2.0 logins and refreshes as state machines, without a socket, a file, a clock, a source
//! of randomness or an `async`.
//!
//! # The contract
//!
//! 1. A flow starts from a request: [`LoginRequest::start`] or [`TokenRequest::start`]. Time ([`Timestamp`], unix seconds)
//!    and randomness ([`Entropy`], 64 bytes) are arguments.
//! 2. Each step is a value: [`BeforeCallback`], [`TokenStep`]. It says what the driver has to do, and owns what comes after.
//! 3. The driver does it and hands the outcome in. That uses the step up and gives the next one, or ends the flow with an
//!    error. Nothing else moves a flow on; a step that is dropped ends it.
//! 4. An [`HttpCall`] lends a request and says ([`Replay`]) whether it may be sent a second time. Redirects of a POST are
//!    not followed; an answer is cut off at its limit.
//! 5. Between [`TokenStep::Lock`] and the end of a token flow the entry's lock is held; from [`TokenStep::Refresh`] to
//!    [`TokenStep::Save`] nothing may cancel the driver.
//!
//! ```
//! use u2m_core::{HttpResponse, WhichToken, Host, Session, Target, Timestamp, TokenRequest, TokenStep};
//! use u2m_core::{AccessToken, Binding, RefreshToken};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Timestamp::from_unix(1_800_000_000);
//! let host = Host::parse("https://a.example")?;
//! let endpoint = url::Url::parse("https://a.example/oidc/v1/token")?;
//! let mut store = Some(
//!     Session::new(AccessToken::new("old"))
//!         .with_refresh_token(RefreshToken::new("spend-me"))
//!         .with_expiry(Timestamp::from_unix(1_700_000_000))
//!         .with_binding(Binding::new("https://a.example/oidc", endpoint, "databricks-cli", host.clone())),
//! );
//!
//! let mut step = TokenRequest::new(Target::workspace(host)).start(WhichToken::Usable, now);
//! let issued = loop {
//!     step = match step {
//!         TokenStep::Load(load) => load.loaded(store.clone(), now)?,
//!         TokenStep::Lock(lock) => lock.locked(),
//!         TokenStep::Reload(reload) => reload.loaded(store.clone(), None, now)?,
//!         TokenStep::CheckWritable(prove) => prove.proven(now)?,
//!         TokenStep::Refresh(call) => {
//!             assert!(call.request().form().unwrap().contains("refresh_token=spend-me"));
//!             let body = br#"{"access_token": "new", "refresh_token": "next", "expires_in": 3600}"#;
//!             call.answered(Ok(HttpResponse::new(200, body.to_vec())), now)?
//!         }
//!         TokenStep::Save(save) => {
//!             store = Some(save.session().clone());
//!             save.saved(Ok(()))?
//!         }
//!         TokenStep::Done(issued) => break issued,
//!         // Discover, Recheck and Note are for days that are less fair.
//!         _ => unreachable!("nothing goes wrong here"),
//!     };
//! };
//! assert_eq!(issued.session().access_token.expose(), "new");
//! # Ok(())
//! # }
//! ```
//!
//! # Panics
//!
//! Bad input is an error. A broken assumption of our own may panic, and says why it cannot.

// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod call;
mod client_auth;
mod decode;
mod description;
mod device;
mod fate;
mod form;
mod freshness;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod issuer;
mod json;
mod jwt;
mod login;
mod names;
mod need;
mod pkce;
mod record;
mod reply;
mod revoke;
mod scopes;
mod secret;
mod secret_text;
mod sent;
mod session;
mod source_error;
mod target;
mod text;
mod tie;
mod time;
mod token;
mod wire;

pub use call::{
    HttpResponse, AwaitsResponse, HttpCall, HttpRequest, Method, RedirectPolicy, Replay, Route, TransportFailure,
    TransportFailureKind,
};
pub use client_auth::ClientAuth;
pub use description::{Description, Mints};
pub use device::{RequestingDeviceCode, BeforeCode, DiscoveringForDevice, Polled, PollingForToken, ShowCode, WaitToPoll, Waited};
pub use fate::SpendState;
pub use freshness::{Freshness, FreshnessRules};
pub use host::{Host, HostError, HostHints};
pub use issuer::{
    IssuerError, IssuerTrust, TrustDecision, derive_host_from_issuer, derive_token_endpoint,
    well_known_urls,
};
pub use json::{push_json_string, secret_json, secret_json_pretty, unescape_json};
pub use jwt::UnverifiedClaims;
pub use login::{
    AfterCallback, BeforeCallback, Browse, Callback, ConfirmHost, DATABRICKS_CLI, DISCOVERY_HOST,
    DiscoveringForLogin, ExchangingCode, CallbackMatch, IgnoredReason, Listen, LoggedIn, LoginError, LoginRequest, SaveLogin, UnmatchedCallback,
    VerifyingIssuer,
};
pub use names::{AccountId, ProfileName};
pub use need::{Need, TokenCriteria};
pub use pkce::{Entropy, Pkce};
pub use record::{BindingRecord, RecordError, SessionRecord};
pub use revoke::{DiscoveringForRevocation, Revocation, RevokeStep, RevokingToken};
pub use scopes::Scopes;
pub use secret::{
    AccessToken, Authorization, AuthorizationCode, ClientAssertion, ClientSecret, CodeVerifier,
    CsrfState, DeviceCode, Fingerprint, RefreshToken, SessionText, SideHeader,
};
pub use secret_text::{SecretBytes, SecretText};
pub use session::{Binding, Session, Token};
pub use source_error::{SourceError, SourceFailure};
pub use target::{CacheKey, Target, TargetError};
pub use text::{Sanitized, chain, is_printable};
pub use tie::{FirstUse, HostPin, PinnedBy, host_of_key};
pub use time::{Lifetime, Moment, Timestamp};
pub use token::{
    WhichToken, ReportedStep, TokenOrigin, IssuedToken, Load, DiscoveringForRefresh, Lock, RecordFailure, CheckWritable, ReloadAfterRejection, RefreshingToken, Reload,
    ReportedError, Save, StoreFailure, TokenError, TokenRequest, TokenStep, RefreshFailure, RefreshFailureKind,
};
pub use wire::{
    AccountWorkspace, ResponseError, ApiAccess, AwaitingApiResponse, ApiError, ApiErrorResponse, ServerMetadata,
    Cluster, ClusterPage, HostMetadata, HostMetadataLookup, Lookup, CurrentUser, MetadataError,
    OAuthErrorCode, Principal, ErrorResponse, RevokeError, TokenEndpointError,
    build_discovery_authorize_url,
};
