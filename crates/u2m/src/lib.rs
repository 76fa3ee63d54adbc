//! Sign in once in a browser; from then on every process, thread and program that shares the login gets a fresh token,
//! with one refresh for all of them.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use u2m::{Host, PersistentAuth, ProfileName, Target};
//!
//! let host = Host::parse("https://my-workspace.cloud.databricks.com")?;
//! let target = Target::workspace(host).with_profile(ProfileName::parse("dev")?);
//! let auth = PersistentAuth::builder(target).build()?;
//!
//! // Nothing but this opens a browser.
//! auth.challenge().await?;
//!
//! // From the process's own memory, from the file, or by one refresh for everybody.
//! let token = auth.token().await?;
//! // What a request carries: `header.expose()`, or `http::HeaderValue::try_from(&header)`.
//! let header = token.authorization();
//! # let api_says_401 = false;
//! if api_says_401 {
//!     let token = auth.refresh_rejected(&token).await?;
//! }
//! # drop(header);
//! # Ok(())
//! # }
//! ```
//!
//! A profile that `u2m login` or Databricks' command line has saved is opened by its name:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let token = u2m::PersistentAuth::for_profile("dev")?.token().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The same holds for every other OAuth or OpenID Connect issuer, with a client that is registered there:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use u2m::{PersistentAuth, Scopes, Target};
//!
//! let auth = PersistentAuth::builder(Target::issuer("https://id.example/realms/main")?)
//!     .with_client_id("my-command-line")
//!     .with_scopes(Scopes::new(["reports.read"]))
//!     .build()?;
//! auth.challenge().await?;
//! println!("{:?}", auth.token().await?.expiry());
//! # Ok(())
//! # }
//! ```
//!
//! What is used of it is the access token: ID tokens are neither asked for by name, nor kept, nor checked, because no decision
//! here rests on who the person is.
//!
//! In plain code, [`PersistentAuth::blocking`] gives the same without a runtime.
//!
//! # Examples
//!
//! In the folder `examples` of this crate, each complete, and each run without an account: `async_tool` (an API that refuses a
//! token), `blocking_tool` (a saved profile), `service` (200 tasks, and an end that loses nothing), `custom_store`,
//! `custom_transport`, `other_issuer`, and `tests_with_the_testkit`.
//!
//! # What holds
//!
//! 1. A fresh token is handed out without a lock, a write or a request; in the process also without touching memory that
//!    other threads read.
//! 2. A refresh happens under the lock of its entry, after reading the entry again: one refresh per expiry, for all callers
//!    of all processes. The operating system gives the lock back when its holder dies.
//! 3. [`PersistentAuth::force_refresh`] means "newer than the one I saw": whoever waits takes what another has just fetched.
//! 4. From the moment a refresh token is sent until its successor is saved, nothing cancels it: not a dropped future, not a
//!    runtime that ends. The store was shown to be writable before. Should saving fail all the same, the caller has the
//!    token, is told ([`PersistentAuth::take_notices`]), and saving is tried again.
//! 5. A refresh that fails while the old token is good returns the old one, unless it was forced. A failure for good is
//!    remembered until the entry changes; one that may pass is shared with those who were waiting.
//! 6. Tokens are sent to the host, and refresh tokens to the endpoint, that they came from, and nowhere else.
//!
//! A process that is killed between sending a refresh token and saving its successor loses the login where the server
//! rotates strictly. No client can help that from within; [`Builder::with_detached_refresh`] lets a process of its own do it,
//! which is not killed along. A program that ends on a signal calls [`wait_for_saves`] first.
//!
//! # Features, and what they build in
//!
//! | feature | on by default | what it brings | what of it is compiled from C or assembly, and its licence | without it |
//! |---|---|---|---|---|
//! | `reqwest` | yes | [`ReqwestTransport`]: reqwest, rustls and *ring* | *ring*: Apache-2.0 and ISC | [`Builder::with_transport`] takes the program's own; [`Builder::build`] fails where none is given ([`BuildError::NoTransport`]) |
//! | `keyring` | yes | [`KeyringStore`]: the operating system's keyring | on Linux and the BSDs libdbus, linked statically: AFL-2.1 or GPL-2.0-or-later. Nothing on macOS and Windows | a login that is recorded there is an error that names the feature ([`StoreError::NotBuilt`]); no other store is used in its place. New logins go to the file, and a notice says so |
//! | `encrypted` | yes | [`EncryptedFileStore`]: the sealed file | nothing | as for `keyring` |
//! | `keyring-encrypted-transport` | no | [`SystemKeyring::with_encrypted_transport`]: secrets encrypted on the session bus of Linux and the BSDs | nothing | they are in plain text there, as with Databricks' CLI |
//! | `redis` | no | [`RedisStore`]: logins for programs on several machines | nothing | |
//! | `serde` | no | `Serialize` and `Deserialize` for [`Host`], [`ProfileName`], [`AccountId`], [`Scopes`], [`Target`] and [`Timestamp`] | nothing | |
//!
//! A program for Linux that is to have nothing compiled from C, and nothing under libdbus' licence, leaves `keyring` out:
//! `u2m = { version = "0.1", default-features = false, features = ["encrypted", "reqwest"] }` has *ring* alone. With no feature at
//! all, u2m is some 80 crates of Rust. Features only add: what one brings changes nothing of what there is without it.
//!
//! # For those who know the Go package
//!
//! The items of `github.com/databricks/databricks-sdk-go/credentials/u2m`, v0.120 and later, and their counterparts:
//!
//! | Go | here |
//! |---|---|
//! | `NewPersistentAuth`, `PersistentAuthOption` | [`PersistentAuth::builder`], [`Builder`] |
//! | `PersistentAuth.Challenge` | [`PersistentAuth::challenge`], which returns [`SignedIn`] with the first token |
//! | `PersistentAuth.Token` | [`PersistentAuth::token`], [`PersistentAuth::peek`]; that a profile without a login is served from its host's: [`Builder::with_host_key_fallback`] |
//! | `PersistentAuth.ForceRefreshToken` | [`PersistentAuth::force_refresh`], [`PersistentAuth::refresh_rejected`] |
//! | `PersistentAuth.Close` | dropping the future of `challenge`; [`PersistentAuth::close`] waits for what is being saved |
//! | `OAuthArgument.GetCacheKey` | [`Target::cache_key`], [`Target::with_key`] for keys of your own |
//! | `HostCacheKeyProvider.GetHostCacheKey` | [`Target::host_cache_key`]; the second write under it is [`FileStore::with_mirror`] ([`Mirror`]), which [`Storage`] asks for as the profile's `mirror_host_key` says |
//! | `WorkspaceOAuthArgument`, `BasicWorkspaceOAuthArgument`, `NewBasicWorkspaceOAuthArgument` | [`Target::workspace`] |
//! | `AccountOAuthArgument`, `BasicAccountOAuthArgument`, `NewBasicAccountOAuthArgument` | [`Target::account`] |
//! | `UnifiedOAuthArgument`, `BasicUnifiedOAuthArgument`, `NewBasicUnifiedOAuthArgument` | [`Target::unified`] |
//! | `DiscoveryOAuthArgument`, `BasicDiscoveryOAuthArgument`, `NewBasicDiscoveryOAuthArgument` | [`Target::discovery`] |
//! | `NewProfile…OAuthArgument` | [`Target::with_profile`] |
//! | `GetWorkspaceHost`, `GetAccountHost`, `GetHost` / `GetAccountId` | [`Target::host`] / [`Target::account_id`] |
//! | `GetDiscoveredHost`, `SetDiscoveredHost` | [`SignedIn::host`], [`SignedIn::target`] |
//! | `WithOAuthArgument` | the argument of [`PersistentAuth::builder`] |
//! | `WithTokenCache` | [`Builder::with_store`] |
//! | `WithHttpClient` | [`Builder::with_transport`], for every request |
//! | `WithOAuthEndpointSupplier` | [`Builder::with_endpoints`] |
//! | `WithBrowser` | [`Builder::with_browser`], [`browser_fn`] |
//! | `WithPort` | [`Builder::with_port`] |
//! | `WithScopes`, `WithDisableOfflineAccess` | [`Builder::with_scopes`], [`Builder::without_offline_access`] |
//! | `WithDiscoveryLogin` | [`Target::discovery`] says it |
//! | `WithDiscoveryHost`, `WithDiscoveryAccountTarget` | [`Builder::with_discovery_host`], [`Builder::with_account_picker`] |
//! | `OAuthAuthorizationServer` | [`ServerMetadata`] |
//! | `OAuthEndpointSupplier`, `BasicOAuthEndpointSupplier` | [`EndpointSupplier`], [`BasicEndpoints`] |
//! | `BuildDiscoveryAuthorizeURL` | [`build_discovery_authorize_url`], with what [`new_pkce`] makes |
//! | `DeriveHostFromIssuer`, `DeriveTokenEndpoint` | [`derive_host_from_issuer`], [`derive_token_endpoint`] |
//! | `PKCEParams` | [`Pkce`], of a [`CodeVerifier`]; a new one by [`new_pkce`], with its [`CsrfState`] |
//! | `InvalidRefreshTokenError` | [`TokenError::Rejected`] |
//! | `ErrMissingRefreshToken` | [`TokenError::MissingRefreshToken`] |
//! | `ErrOAuthNotSupported` | [`MetadataError::NotSupported`] |
//! | `cache.TokenCache`, `cache.ErrNotFound` | [`TokenStore`], `Ok(None)` and [`TokenError::NotFound`] |
//! | `cache.NewFileTokenCache`, `FileTokenCacheOption`, `WithFileLocation` | [`FileStore::for_user`], [`FileStore::at`] |
//! | `cache.NewInMemoryTokenCache` | [`MemoryStore`] |
//!
//! Unlike the Go package's later versions, a login persists unless a program chooses [`MemoryStore`].

// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod api;
mod as_source;
mod ask_host;
mod blocking_front;
mod bounds;
mod builder;
mod challenge;
mod choose;
mod clock;
mod compute;
mod detached;
mod device;
#[cfg(feature = "reqwest")]
mod doctor;
mod host_directory;
mod inspect;
mod lend;
mod login_location;
mod logout;
mod persistent;
mod person;
mod pkce;
mod prover;
mod refresher;
mod revoke;
mod runtime;
mod saved;
mod storage;
mod supply;
mod trying;

/// The same for plain code: no runtime, no `async`.
pub mod blocking {
    pub use crate::api::{BlockingApi as Api, BlockingClusters as Clusters};
    pub use crate::ask_host::ask_host_blocking as ask_host;
    pub use crate::blocking_front::PersistentAuth;
    pub use crate::login_location::login_location_blocking as login_location;
    pub use crate::revoke::revoke_blocking as revoke;
}

pub use api::{Api, Clusters};
pub use ask_host::ask_host;
pub use builder::{BuildError, Builder};
pub use challenge::{ChallengeError, SignedIn};
pub use choose::{
    Environment, LoginChoice, TargetArgs, TokenChoice, choose_for_login, choose_for_token,
};
pub use compute::suits_connect;
pub use detached::{Detached, serve_detached};
#[cfg(feature = "reqwest")]
pub use doctor::{Doctor, DoctorFinding, Severity};
pub use host_directory::HostDirectory;
pub use inspect::{
    CheckError, CheckSubject, Identity, Inspector, LoginFacts, ProfileReport, Validity,
};
pub use lend::lend;
pub use login_location::{LoginLocation, login_location};
pub use logout::{LoggedOut, host_login_keys, log_out, login_keys};
pub use persistent::PersistentAuth;
pub use person::{Person, SilentPerson};
pub use pkce::new_pkce;
pub use refresher::LateSave;
pub use revoke::{Revoked, revoke, revoke_as};
pub use saved::OpenError;
pub use storage::{Storage, StorageChoice, StorageError, StorageSource};

pub use u2m_cache::{
    AutoStore, Claim, CustomStore, EntryLock, EntryLocks, FileStore, HeldLogin, MemoryStore,
    NamedStore, Notice, RecordStore, ReplaceCheck, Snapshot, StorageMode, StoreAddress, StoreError,
    TokenStore, format_local,
};
#[cfg(any(feature = "encrypted", feature = "redis"))]
pub use u2m_cache::{Cipher, SealError, SealKey};
#[cfg(feature = "encrypted")]
pub use u2m_cache::{EncryptedFileStore, SealKeySource};
pub use u2m_cache::{
    ForeignLogins, FoundLogin, IMPORT_WARNING, ImportError, ImportLogin, ImportSource, Imported,
    JavaCache, JavaLogin, Mirror, PythonCache, PythonLogin, RefusedLogin,
};
#[cfg(feature = "keyring")]
pub use u2m_cache::{Keyring, KeyringError, KeyringStore, SystemKeyring, TimeoutKeyring};
#[cfg(feature = "redis")]
pub use u2m_cache::{RedisSettings, RedisStore};
pub use u2m_config::{
    AUTH_TYPES, Attribute, AuthType, CA_FILE_KEY, CREDENTIAL_KEYS, ChooseError, ChosenBy,
    ChosenProfile, Cloud, ConfigError, ConfigFile, Draft, EditOutcome, Editor, ISSUER_CLIENT_KEY,
    ISSUER_KEY, LOGIN_CLEARS, Profile, ProfileClass, ProfileKind, Purpose, ResolveError, Resolved,
    Selection, SelectionArgs, Value, ValueKind, ValueSource, abbreviate, alike, locate,
    looks_like_host, resolve, select, variable,
};
pub use u2m_core::{
    AccessToken, AccountId, AccountWorkspace, ApiAccess, ApiError, ApiErrorResponse, Authorization,
    Binding, CacheKey, ClientAssertion, ClientAuth, ClientSecret, Cluster, CurrentUser,
    Description, ErrorResponse, Freshness, FreshnessRules, Host, HostError, HostHints,
    HostMetadata, IssuerError, IssuerTrust, Lifetime, LoginError, MetadataError, Mints, Need,
    Principal, ProfileName, RecordError, RefreshFailure, RefreshFailureKind, RefreshToken,
    ReportedError, ReportedStep, Revocation, RevokeError, Sanitized, Scopes, ServerMetadata,
    Session, SessionRecord, SessionText, ShowCode, SideHeader, SourceError, SourceFailure,
    SpendState, StoreFailure, Target, TargetError, Timestamp, Token, TokenEndpointError,
    TokenError, TransportFailure, UnmatchedCallback, UnverifiedClaims, WhichToken, chain,
    is_printable,
};
pub use u2m_core::{
    CodeVerifier, CsrfState, Pkce, build_discovery_authorize_url, derive_host_from_issuer,
    derive_token_endpoint,
};
pub use u2m_core::{SecretText, secret_json_pretty};
pub use u2m_http::{
    BasicEndpoints, Bearer, Browser, BrowserEnv, BrowserError, EndpointSupplier, HeaderSource,
    Headers, ListenError, PasteLines, PasteProblem, PastedLine, Platform, Ports, Proxies, Proxy,
    ProxyError, Renewal, RetryPolicy, SystemBrowser, TokenSource, Transport, browser_fn,
    find_browser, wait_for_saves, wait_for_saves_and_refuse,
};
#[cfg(feature = "reqwest")]
pub use u2m_http::{CertificateProblem, CryptoProvider, Obstacle, ProxyTrouble, ReqwestTransport};
/// The type of addresses in this crate's functions.
pub use url::Url;
