//! The protocol core of u2m: OAuth 2.0 logins and token refreshes as state machines. It uses no sockets, files,
//! clock, source of randomness or `async`; the caller supplies all of these.
//!
//! # The contract
//!
//! 1. A flow starts from a request: [`LoginRequest::start`] or [`TokenRequest::start`]. Time ([`Timestamp`], unix
//!    seconds) and randomness ([`Entropy`], 64 bytes) are arguments.
//! 2. Each step is a value, such as [`BeforeCallback`] or [`TokenStep`]. It says what the driver (your code) must do
//!    next and owns the rest of the flow.
//! 3. The driver does it and passes in the outcome. This consumes the step and returns the next one, or ends the flow
//!    with an error. Nothing else advances a flow; dropping a step ends it.
//! 4. An [`HttpCall`] lends a request and says ([`Replay`]) whether it may be sent a second time. The driver does not
//!    follow redirects of a POST and cuts a response off at the request's limit.
//! 5. The driver holds the entry's lock from [`TokenStep::Lock`] to the end of a token flow. From
//!    [`TokenStep::Refresh`] to [`TokenStep::Save`] nothing may cancel the driver.
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
//!         // These are for days that are less fair.
//!         TokenStep::Discover(_) | TokenStep::ReloadAfterRejection(_) | TokenStep::RecordFailure(_) => {
//!             unreachable!("nothing goes wrong here")
//!         }
//!     };
//! };
//! assert_eq!(issued.session().access_token.expose(), "new");
//! # Ok(())
//! # }
//! ```
//!
//! # Panics
//!
//! Bad input returns an error. Only a violated internal assumption can panic; the code says why it should hold.

// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

pub mod calendar;
mod call;
mod conversions;
mod databricks;
mod decode;
mod description;
mod device;
mod form;
mod freshness;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod host_pin;
mod issuer;
mod json;
mod jwt;
mod login;
mod names;
mod need;
mod oauth;
mod record;
mod reply;
mod revoke;
mod secret;
mod secret_text;
mod sent;
mod session;
mod source_error;
mod spend_state;
mod target;
mod text;
mod time;
mod token;

pub use call::{
    AwaitsResponse, HttpCall, HttpRequest, HttpResponse, Method, RedirectPolicy, Replay, Route,
    TransportFailure, TransportFailureKind,
};
pub use databricks::{
    AccountWorkspace, ApiAccess, ApiError, ApiErrorResponse, AwaitingApiResponse, Cluster,
    ClusterPage, CurrentUser, Host, HostError, HostHints, HostMetadata, HostMetadataLookup,
    Principal,
};
pub use description::{Offered, SourceDescription};
pub use device::{
    BeforeCode, DiscoveringForDevice, Polled, PollingForToken, RequestingDeviceCode, ShowCode,
    WaitToPoll, Waited,
};
pub use freshness::{Freshness, FreshnessRules};
pub use host_pin::{FirstUse, HostPin, PinnedBy, host_of_key};
pub use issuer::{
    IssuerError, IssuerTrust, TrustDecision, derive_host_from_issuer, derive_token_endpoint,
    well_known_urls,
};
pub use json::{push_json_string, secret_json, secret_json_pretty, unescape_json};
pub use jwt::UnverifiedClaims;
pub use login::{
    AfterCallback, BeforeCallback, Browse, Callback, CallbackMatch, ConfirmHost, DATABRICKS_CLI,
    DISCOVERY_HOST, DiscoveringForLogin, ExchangingCode, IgnoredReason, Listen, LoggedIn,
    LoginError, LoginRequest, SaveLogin, UnmatchedCallback, VerifyingIssuer,
};
pub use names::{AccountId, ProfileName};
pub use need::{Need, TokenCriteria};
pub use oauth::{
    ClientAuth, Entropy, ErrorResponse, Lookup, MetadataError, OAuthErrorCode, Pkce, ResponseError,
    RevokeError, Scopes, ServerMetadata, TokenEndpointError, build_discovery_authorize_url,
};
pub use record::{BindingRecord, RecordError, SessionRecord};
pub use revoke::{DiscoveringForRevocation, Revocation, RevokeStep, RevokingToken};
pub use secret::{
    AccessToken, Authorization, AuthorizationCode, ClientAssertion, ClientSecret, CodeVerifier,
    CsrfState, DeviceCode, Fingerprint, RefreshToken, SessionText, SideHeader,
};
pub use secret_text::{SecretBytes, SecretText};
pub use session::{Binding, Session, Token};
pub use source_error::{SourceError, SourceFailure};
pub use spend_state::SpendState;
pub use target::{CacheKey, Target, TargetError};
pub use text::{Sanitized, chain, is_printable};
pub use time::{BadTime, Lifetime, Moment, Timestamp};
pub use token::{
    CheckWritable, DiscoveringForRefresh, IssuedToken, Load, Lock, RecordFailure, RefreshFailure,
    RefreshFailureKind, RefreshingToken, Reload, ReloadAfterRejection, ReportedError, ReportedStep,
    Save, StoreFailure, TokenError, TokenOrigin, TokenRequest, TokenStep, WhichToken,
};
