//! Sign in once in a browser; every program gets a fresh token.

mod blocking_front;
mod builder;
mod challenge;
mod clock;
mod current;
mod keeper;
mod person;
mod persistent;
mod supply;

/// The same for plain code: no runtime, no `async`.
pub mod blocking {
    pub use crate::blocking_front::PersistentAuth;
}

pub use builder::{BuildError, Builder};
pub use challenge::{ChallengeError, SignedIn};
pub use person::{Person, Quiet};
pub use persistent::PersistentAuth;

pub use u2m_cache::{EntryLock, FileStore, MemoryStore, Notice, StoreError, TokenStore, format_local};
pub use u2m_core::{
    AccessToken, AccountId, AuthorizationServer, Binding, CacheKey, Foreign, Freshness, FreshnessRules, Host, HostError, HostHints,
    IssuerTrust, Lifetime, LoginError, MetadataError, ProfileName, RefreshToken, Refusal, Scopes, Session, StoreFailure, Target,
    TargetError, Timestamp, Token, TokenEndpointError, TokenError, TransportFailure,
};
pub use u2m_http::{
    BasicEndpoints, Browser, BrowserEnv, BrowserError, EndpointSupplier, ListenError, PasteLines, PastedLine, Patience,
    Platform, Ports, ReqwestTransport, SystemBrowser, TokenSource, Transport, WrongPaste, browser_fn, settle,
};
