//! Sign in once in a browser. From then on, every process, thread and program that shares the login gets a fresh access token,
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
//! A profile that `u2m login` or Databricks' CLI has saved can be opened by name:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let token = u2m::PersistentAuth::for_profile("dev")?.token().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Any other OAuth or OpenID Connect issuer works the same way, with a client that is registered there:
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
//! Only the access token is used. u2m does not ask for ID tokens by name, keep them or check them, because nothing it decides
//! depends on who the person is.
//!
//! [`PersistentAuth::blocking`] offers the same calls to code without an async runtime.
//!
//! # Examples
//!
//! The `examples` folder of this crate has complete programs that need no account: `async_tool` (an API that rejects a token),
//! `blocking_tool` (a saved profile), `service` (200 tasks and a shutdown that loses nothing), `custom_store`,
//! `custom_transport`, `other_issuer`, and `tests_with_the_testkit`.
//!
//! # What holds
//!
//! 1. Returning a fresh token takes no lock, no write and no request. Within a process it does not write to memory that other
//!    threads read, either.
//! 2. A refresh holds the lock of its entry and reads the entry again first, so that each expiry costs one refresh for all
//!    callers in all processes. If the process that holds the lock dies, the operating system releases it.
//! 3. [`PersistentAuth::force_refresh`] means "newer than the token I saw": a caller that waits takes the token that another
//!    caller has just fetched.
//! 4. From the moment a refresh token is sent until its successor is saved, nothing cancels the refresh: neither a dropped
//!    future nor a runtime that ends. The store was tested for writing beforehand. If saving fails all the same, the caller
//!    still gets the token and a notice ([`PersistentAuth::take_notices`]), and saving is tried again.
//! 5. If a refresh fails while the old token is still good, the old token is returned, unless the refresh was forced. A
//!    permanent failure is remembered until the entry changes; a transient one is shared with the callers that were waiting.
//! 6. Access tokens are sent only to the host that they came from, and refresh tokens only to the endpoint that they came from.
//!
//! If a process is killed after it has sent a refresh token and before it has saved the successor, the login is lost on servers
//! that rotate strictly. No client can prevent that from within. With [`Builder::with_detached_refresh`], a separate process
//! does the refresh and is not killed with the first. A program that ends on a signal should call [`process::wait_for_saves`]
//! first.
//!
//! # Features, and what they build in
//!
//! | feature | on by default | what it brings | what of it is compiled from C or assembly, and its licence | without it |
//! |---|---|---|---|---|
//! | `reqwest` | yes | [`transport::ReqwestTransport`]: reqwest, rustls and *ring* | *ring*: Apache-2.0 and ISC | [`Builder::with_transport`] takes the program's own; [`Builder::build`] fails where none is given ([`BuildError::NoTransport`]) |
//! | `keyring` | yes | [`store::KeyringStore`]: the operating system's keyring | on Linux and the BSDs libdbus, linked statically: AFL-2.1 or GPL-2.0-or-later. Nothing on macOS and Windows | opening a login that is recorded there fails with an error that names the feature ([`store::StoreError::NotBuilt`]); no other store is used in its place. New logins go to the file, with a notice |
//! | `encrypted` | yes | [`store::EncryptedFileStore`]: the sealed file | nothing | as for `keyring` |
//! | `keyring-encrypted-transport` | no | [`store::SystemKeyring::with_encrypted_transport`]: secrets encrypted on the session bus of Linux and the BSDs | nothing | they are in plain text there, as with Databricks' CLI |
//! | `redis` | no | [`store::RedisStore`]: logins for programs on several machines | nothing | |
//! | `serde` | no | `Serialize` and `Deserialize` for [`Host`], [`ProfileName`], [`AccountId`], [`Scopes`], [`Target`] and [`Timestamp`] | nothing | |
//!
//! A Linux program that should compile no C, and contain nothing under libdbus' licence, leaves out `keyring`:
//! `u2m = { version = "0.1", default-features = false, features = ["encrypted", "reqwest"] }` brings *ring* alone. Without any
//! feature, u2m is about 80 crates of Rust. Features only add: none of them changes how the rest behaves.
//!
//! # For those who know the Go package
//!
//! The items of `github.com/databricks/databricks-sdk-go/credentials/u2m`, v0.120 and later, and their counterparts:
//!
//! | Go | here |
//! |---|---|
//! | `NewPersistentAuth`, `PersistentAuthOption` | [`PersistentAuth::builder`], [`Builder`] |
//! | `PersistentAuth.Challenge` | [`PersistentAuth::challenge`], which returns [`SignedIn`] with the first token |
//! | `PersistentAuth.Token` | [`PersistentAuth::token`], [`PersistentAuth::peek`]; to serve a profile without a login from its host's: [`Builder::with_host_key_fallback`] |
//! | `PersistentAuth.ForceRefreshToken` | [`PersistentAuth::force_refresh`], [`PersistentAuth::refresh_rejected`] |
//! | `PersistentAuth.Close` | drop the future of `challenge`; [`PersistentAuth::close`] waits for pending saves |
//! | `OAuthArgument.GetCacheKey` | [`Target::cache_key`], [`Target::with_key`] for keys of your own |
//! | `HostCacheKeyProvider.GetHostCacheKey` | [`Target::host_cache_key`]; [`store::FileStore::with_mirror`] ([`store::Mirror`]) makes the second write under it, which [`store::Storage`] enables as the profile's `mirror_host_key` says |
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
//! | `WithBrowser` | [`Builder::with_browser`], [`login::browser_fn`] |
//! | `WithPort` | [`Builder::with_port`] |
//! | `WithScopes`, `WithDisableOfflineAccess` | [`Builder::with_scopes`], [`Builder::without_offline_access`] |
//! | `WithDiscoveryLogin` | [`Target::discovery`] |
//! | `WithDiscoveryHost`, `WithDiscoveryAccountTarget` | [`Builder::with_discovery_host`], [`Builder::with_account_picker`] |
//! | `OAuthAuthorizationServer` | [`oauth::ServerMetadata`] |
//! | `OAuthEndpointSupplier`, `BasicOAuthEndpointSupplier` | [`transport::EndpointSupplier`], [`transport::BasicEndpoints`] |
//! | `BuildDiscoveryAuthorizeURL` | [`databricks::build_discovery_authorize_url`], with the values from [`oauth::new_pkce`] |
//! | `DeriveHostFromIssuer`, `DeriveTokenEndpoint` | [`databricks::derive_host_from_issuer`], [`databricks::derive_token_endpoint`] |
//! | `PKCEParams` | [`oauth::Pkce`], made from a [`oauth::CodeVerifier`]; [`oauth::new_pkce`] makes a new one with its [`oauth::CsrfState`] |
//! | `InvalidRefreshTokenError` | [`TokenError::Rejected`] |
//! | `ErrMissingRefreshToken` | [`TokenError::MissingRefreshToken`] |
//! | `ErrOAuthNotSupported` | [`oauth::MetadataError::NotSupported`] |
//! | `cache.TokenCache`, `cache.ErrNotFound` | [`store::TokenStore`], `Ok(None)` and [`TokenError::NotFound`] |
//! | `cache.NewFileTokenCache`, `FileTokenCacheOption`, `WithFileLocation` | [`store::FileStore::for_user`], [`store::FileStore::at`] |
//! | `cache.NewInMemoryTokenCache` | [`store::MemoryStore`] |
//!
//! Unlike later versions of the Go package, u2m keeps logins across processes unless a program chooses [`store::MemoryStore`].

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

/// The same API for code without an async runtime.
pub mod blocking {
    pub use crate::api::{BlockingApi as Api, BlockingClusters as Clusters};
    pub use crate::ask_host::ask_host_blocking as ask_host;
    pub use crate::blocking_front::PersistentAuth;
    pub use crate::login_location::login_location_blocking as login_location;
    pub use crate::revoke::revoke_blocking as revoke;
}

pub use builder::{BuildError, Builder};
pub use challenge::{ChallengeError, SignedIn};
pub use persistent::PersistentAuth;
pub use u2m_config::alike;
pub use u2m_core::{
    AccessToken, AccountId, Host, HostError, ProfileName, Scopes, Target, TargetError, Timestamp,
    Token, TokenError,
};
pub use u2m_http::find_browser;
pub use url::Url;

/// Checks whether a configuration works, and diagnoses this machine.
pub mod check {
    #[cfg(feature = "reqwest")]
    pub use crate::doctor::{Doctor, DoctorFinding, Severity};
    pub use crate::inspect::{
        CheckError, CheckSubject, Identity, Inspector, LoginFacts, ProfileReport, Validity,
    };
}

/// The profile file: reading and editing it, resolving a configuration, and choosing a profile.
pub mod config {
    pub use crate::choose::{
        Environment, LoginChoice, TargetArgs, TokenChoice, choose_for_login, choose_for_token,
    };
    pub use crate::saved::OpenError;
    pub use u2m_config::{
        AUTH_TYPES, Attribute, AuthType, CA_FILE_KEY, CREDENTIAL_KEYS, ChooseError, ChosenBy,
        ChosenProfile, Cloud, ConfigError, ConfigFile, Draft, EditOutcome, Editor,
        ISSUER_CLIENT_KEY, ISSUER_KEY, LOGIN_CLEARS, Profile, ProfileClass, ProfileKind, Purpose,
        ResolveError, Resolved, Selection, SelectionArgs, Value, ValueKind, ValueSource,
        abbreviate, locate, looks_like_host, resolve, select, variable,
    };
}

/// Databricks hosts: their metadata, and the API calls that signing in needs.
pub mod databricks {
    pub use crate::api::{Api, Clusters};
    pub use crate::ask_host::ask_host;
    pub use crate::compute::suits_connect;
    pub use crate::host_directory::HostDirectory;
    pub use crate::login_location::{LoginLocation, login_location};
    pub use u2m_core::{
        AccountWorkspace, ApiAccess, ApiError, ApiErrorResponse, Cluster, CurrentUser, HostHints,
        HostMetadata, Principal, build_discovery_authorize_url, derive_host_from_issuer,
        derive_token_endpoint,
    };
}

/// Takes over logins that other SDKs have saved.
pub mod import {
    pub use u2m_cache::{
        ForeignLogins, FoundLogin, IMPORT_WARNING, ImportError, ImportLogin, ImportSource,
        Imported, JavaCache, JavaLogin, PythonCache, PythonLogin, RefusedLogin,
    };
}

/// Signing in and out: the browser, the prompts for the person, and removing a login.
pub mod login {
    pub use crate::logout::{LoggedOut, host_login_keys, log_out, login_keys};
    pub use crate::person::{Person, SilentPerson};
    pub use u2m_core::{LoginError, ShowCode, UnmatchedCallback};
    pub use u2m_http::{
        Browser, BrowserEnv, BrowserError, ListenError, PasteLines, PasteProblem, PastedLine,
        Platform, Ports, SystemBrowser, browser_fn,
    };
}

/// The OAuth protocol: server metadata, client authentication, PKCE, error responses, revocation.
pub mod oauth {
    pub use crate::pkce::new_pkce;
    pub use crate::revoke::{Revoked, revoke, revoke_as};
    pub use u2m_core::{
        ClientAssertion, ClientAuth, ClientSecret, CodeVerifier, CsrfState, ErrorResponse,
        IssuerError, IssuerTrust, MetadataError, Pkce, RefreshToken, Revocation, RevokeError,
        ServerMetadata, TokenEndpointError, UnverifiedClaims,
    };
}

/// Processes: refreshes in a process of their own, waiting for saves before exit, and passing a login to a child process.
pub mod process {
    pub use crate::detached::{Detached, serve_detached};
    pub use crate::lend::lend;
    pub use crate::refresher::LateSave;
    pub use u2m_http::{wait_for_saves, wait_for_saves_and_refuse};
}

/// Token sources: the traits, how fresh a token must be, and how sources fail.
pub mod source {
    pub use u2m_core::{
        Authorization, Freshness, FreshnessRules, Lifetime, Need, Offered, RefreshFailure,
        RefreshFailureKind, ReportedError, ReportedStep, SideHeader, SourceDescription,
        SourceError, SourceFailure, SpendState, WhichToken,
    };
    pub use u2m_http::{Bearer, HeaderSource, Headers, Renewal, TokenSource};
}

/// Stores: where logins are kept.
pub mod store {
    pub use crate::storage::{Storage, StorageChoice, StorageError, StorageSource};
    pub use u2m_cache::{
        AutoStore, Claim, CustomStore, EntryLock, EntryLocks, FileStore, HeldLogin, MemoryStore,
        Mirror, NamedStore, Notice, RecordStore, ReplaceCheck, Snapshot, StorageMode, StoreAddress,
        StoreError, TokenStore,
    };
    #[cfg(any(feature = "encrypted", feature = "redis"))]
    pub use u2m_cache::{Cipher, SealError, SealKey};
    #[cfg(feature = "encrypted")]
    pub use u2m_cache::{EncryptedFileStore, SealKeySource};
    #[cfg(feature = "keyring")]
    pub use u2m_cache::{Keyring, KeyringError, KeyringStore, SystemKeyring, TimeoutKeyring};
    #[cfg(feature = "redis")]
    pub use u2m_cache::{RedisSettings, RedisStore};
    pub use u2m_core::{
        Binding, CacheKey, RecordError, Session, SessionRecord, SessionText, StoreFailure,
    };
}

/// Text types: one that is safe to show, and one that holds secrets.
pub mod text {
    pub use u2m_cache::format_local;
    pub use u2m_core::{Sanitized, SecretText, chain, is_printable, secret_json_pretty};
}

/// How requests are sent: HTTP clients, proxies, certificates, retries, endpoints.
pub mod transport {
    pub use u2m_core::{HttpRequest, HttpResponse, TransportFailure, TransportFailureKind};
    pub use u2m_http::{
        BasicEndpoints, EndpointSupplier, Proxies, Proxy, ProxyError, RetryPolicy, Transport,
    };
    #[cfg(feature = "reqwest")]
    pub use u2m_http::{
        CertificateProblem, CryptoProvider, Obstacle, ProxyTrouble, ReqwestTransport,
    };
}
