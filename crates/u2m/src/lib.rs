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
//! which is not killed along. A program that ends on a signal calls [`process::wait_for_saves`] first.
//!
//! # Features, and what they build in
//!
//! | feature | on by default | what it brings | what of it is compiled from C or assembly, and its licence | without it |
//! |---|---|---|---|---|
//! | `reqwest` | yes | [`transport::ReqwestTransport`]: reqwest, rustls and *ring* | *ring*: Apache-2.0 and ISC | [`Builder::with_transport`] takes the program's own; [`Builder::build`] fails where none is given ([`BuildError::NoTransport`]) |
//! | `keyring` | yes | [`store::KeyringStore`]: the operating system's keyring | on Linux and the BSDs libdbus, linked statically: AFL-2.1 or GPL-2.0-or-later. Nothing on macOS and Windows | a login that is recorded there is an error that names the feature ([`store::StoreError::NotBuilt`]); no other store is used in its place. New logins go to the file, and a notice says so |
//! | `encrypted` | yes | [`store::EncryptedFileStore`]: the sealed file | nothing | as for `keyring` |
//! | `keyring-encrypted-transport` | no | [`store::SystemKeyring::with_encrypted_transport`]: secrets encrypted on the session bus of Linux and the BSDs | nothing | they are in plain text there, as with Databricks' CLI |
//! | `redis` | no | [`store::RedisStore`]: logins for programs on several machines | nothing | |
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
//! | `HostCacheKeyProvider.GetHostCacheKey` | [`Target::host_cache_key`]; the second write under it is [`store::FileStore::with_mirror`] ([`store::Mirror`]), which [`store::Storage`] asks for as the profile's `mirror_host_key` says |
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
//! | `WithDiscoveryLogin` | [`Target::discovery`] says it |
//! | `WithDiscoveryHost`, `WithDiscoveryAccountTarget` | [`Builder::with_discovery_host`], [`Builder::with_account_picker`] |
//! | `OAuthAuthorizationServer` | [`oauth::ServerMetadata`] |
//! | `OAuthEndpointSupplier`, `BasicOAuthEndpointSupplier` | [`transport::EndpointSupplier`], [`transport::BasicEndpoints`] |
//! | `BuildDiscoveryAuthorizeURL` | [`databricks::build_discovery_authorize_url`], with what [`oauth::new_pkce`] makes |
//! | `DeriveHostFromIssuer`, `DeriveTokenEndpoint` | [`databricks::derive_host_from_issuer`], [`databricks::derive_token_endpoint`] |
//! | `PKCEParams` | [`oauth::Pkce`], of a [`oauth::CodeVerifier`]; a new one by [`oauth::new_pkce`], with its [`oauth::CsrfState`] |
//! | `InvalidRefreshTokenError` | [`TokenError::Rejected`] |
//! | `ErrMissingRefreshToken` | [`TokenError::MissingRefreshToken`] |
//! | `ErrOAuthNotSupported` | [`oauth::MetadataError::NotSupported`] |
//! | `cache.TokenCache`, `cache.ErrNotFound` | [`store::TokenStore`], `Ok(None)` and [`TokenError::NotFound`] |
//! | `cache.NewFileTokenCache`, `FileTokenCacheOption`, `WithFileLocation` | [`store::FileStore::for_user`], [`store::FileStore::at`] |
//! | `cache.NewInMemoryTokenCache` | [`store::MemoryStore`] |
//!
//! Unlike the Go package's later versions, a login persists unless a program chooses [`store::MemoryStore`].

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

/// Whether a configuration works, and what is the matter with this machine.
pub mod check {
    #[cfg(feature = "reqwest")]
    pub use crate::doctor::{Doctor, DoctorFinding, Severity};
    pub use crate::inspect::{
        CheckError, CheckSubject, Identity, Inspector, LoginFacts, ProfileReport, Validity,
    };
}

/// The profile file, what a program is configured with, and which profile is meant.
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

/// Hosts, what they say of themselves, and the API calls that signing in needs.
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

/// Logins of other SDKs, to take over.
pub mod import {
    pub use u2m_cache::{
        ForeignLogins, FoundLogin, IMPORT_WARNING, ImportError, ImportLogin, ImportSource,
        Imported, JavaCache, JavaLogin, PythonCache, PythonLogin, RefusedLogin,
    };
}

/// The browser, the person, and the end of a login.
pub mod login {
    pub use crate::logout::{LoggedOut, host_login_keys, log_out, login_keys};
    pub use crate::person::{Person, SilentPerson};
    pub use u2m_core::{LoginError, ShowCode, UnmatchedCallback};
    pub use u2m_http::{
        Browser, BrowserEnv, BrowserError, ListenError, PasteLines, PasteProblem, PastedLine,
        Platform, Ports, SystemBrowser, browser_fn,
    };
}

/// The protocol: server metadata, client authentication, PKCE, errors, revocation.
pub mod oauth {
    pub use crate::pkce::new_pkce;
    pub use crate::revoke::{Revoked, revoke, revoke_as};
    pub use u2m_core::{
        ClientAssertion, ClientAuth, ClientSecret, CodeVerifier, CsrfState, ErrorResponse,
        IssuerError, IssuerTrust, MetadataError, Pkce, RefreshToken, Revocation, RevokeError,
        ServerMetadata, TokenEndpointError, UnverifiedClaims,
    };
}

/// Refreshes in a process of their own, what a program waits for before it ends, and what a child process is given.
pub mod process {
    pub use crate::detached::{Detached, serve_detached};
    pub use crate::lend::lend;
    pub use crate::refresher::LateSave;
    pub use u2m_http::{wait_for_saves, wait_for_saves_and_refuse};
}

/// Sources of tokens, how fresh a token has to be, and how they fail.
pub mod source {
    pub use u2m_core::{
        Authorization, Description, Freshness, FreshnessRules, Lifetime, Mints, Need,
        RefreshFailure, RefreshFailureKind, ReportedError, ReportedStep, SideHeader, SourceError,
        SourceFailure, SpendState, WhichToken,
    };
    pub use u2m_http::{Bearer, HeaderSource, Headers, Renewal, TokenSource};
}

/// Where logins are kept.
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

/// Text that is safe to show, and text that holds secrets.
pub mod text {
    pub use u2m_cache::format_local;
    pub use u2m_core::{Sanitized, SecretText, chain, is_printable, secret_json_pretty};
}

/// How requests are sent: HTTP clients, proxies, certificates, retries, endpoints.
pub mod transport {
    pub use u2m_core::TransportFailure;
    pub use u2m_http::{
        BasicEndpoints, EndpointSupplier, Proxies, Proxy, ProxyError, RetryPolicy, Transport,
    };
    #[cfg(feature = "reqwest")]
    pub use u2m_http::{
        CertificateProblem, CryptoProvider, Obstacle, ProxyTrouble, ReqwestTransport,
    };
}
