//! Sign in once in a browser; every program gets a fresh token.

mod ask_host;
mod blocking_front;
mod builder;
mod challenge;
mod choose;
mod clock;
mod current;
mod keeper;
mod persistent;
mod person;
mod supply;

/// The same for plain code: no runtime, no `async`.
pub mod blocking {
    pub use crate::ask_host::ask_host_blocking as ask_host;
    pub use crate::blocking_front::PersistentAuth;
}

pub use ask_host::ask_host;
pub use builder::{BuildError, Builder};
pub use challenge::{ChallengeError, SignedIn};
pub use choose::{
    ChooseError, LoginChoice, Said, Surroundings, TokenChoice, choose_for_login, choose_for_token,
    is_near,
};
pub use persistent::PersistentAuth;
pub use person::{Person, Quiet};

pub use u2m_cache::{
    EntryLock, FileStore, MemoryStore, Notice, StoreError, TokenStore, format_local,
};
pub use u2m_config::{
    CREDENTIAL_KEYS, ConfigError, ConfigFile, Draft, Editor, LOGIN_CLEARS, Outcome, Profile,
    abbreviate, locate,
};
pub use u2m_core::{
    AccessToken, AccountId, AuthorizationServer, Binding, CacheKey, Foreign, Freshness,
    FreshnessRules, Host, HostError, HostHints, HostMetadata, IssuerTrust, Lifetime, LoginError,
    MetadataError, ProfileName, RefreshToken, Refusal, Scopes, Session, StoreFailure, Target,
    TargetError, Timestamp, Token, TokenEndpointError, TokenError, TransportFailure,
};
pub use u2m_http::{
    BasicEndpoints, Browser, BrowserEnv, BrowserError, EndpointSupplier, ListenError, PasteLines,
    PastedLine, Patience, Platform, Ports, ReqwestTransport, SystemBrowser, TokenSource, Transport,
    WrongPaste, browser_fn, settle,
};
