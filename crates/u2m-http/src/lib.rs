//! Sends the requests of `u2m-core`'s OAuth flows, opens the browser, and shares access tokens
//! between callers.
//!
//! | item | what for |
//! |---|---|
//! | [`Transport`], [`ReqwestTransport`] | sends one request |
//! | [`CryptoProvider`] | replaces the cryptography of a transport: the type of rustls |
//! | [`Proxies`] | determines the proxy for a request |
//! | [`Obstacle`] | says what prevented a request from being sent |
//! | [`drive`], [`RetryPolicy`], [`RequestLimits`] | sends a call of the core, and retries it within the rules |
//! | [`Clock`] | the current time, replaceable in tests that let an hour pass |
//! | [`AwakeClock`] | a timeout that counts only while this process runs, so that a suspension loses no response |
//! | [`Flight`], [`Spending`], [`wait_for_saves`] | work that cannot be cancelled: a refresh, from its request to its save |
//! | [`SharedToken`], [`Fetch`] | one token for all callers of a process, and one fetch for the next token |
//! | [`EndpointSupplier`], [`BasicEndpoints`] | looks up the endpoints of authorization servers |
//! | [`TokenSource`] | supplies access tokens: the interface that everything above uses |
//! | [`HeaderSource`], [`Bearer`] | the same for complete authentication headers |

// Compiles the example of the README, which needs the transport.
#[cfg(all(doctest, feature = "reqwest"))]
#[doc = include_str!("../README.md")]
mod readme {}

mod awake;
mod browser;
mod endpoints;
mod flight;
mod headers;
mod listener;
#[cfg(feature = "reqwest")]
mod metadata;
mod no_proxy;
#[cfg(feature = "reqwest")]
mod obstacle;
mod page;
mod paste;
mod proxy;
#[cfg(feature = "reqwest")]
mod reqwest_transport;
mod shared;
mod source;
#[cfg(feature = "reqwest")]
mod tls;
mod transport;

#[cfg(fuzzing)]
#[doc(hidden)]
pub use listener::fuzzing;

pub use awake::AwakeClock;
pub use browser::{
    Browser, BrowserEnv, BrowserError, Platform, SystemBrowser, browser_fn, find_browser,
};
pub use endpoints::{BasicEndpoints, EndpointSupplier};
pub use flight::{Flight, Spending, wait_for_saves, wait_for_saves_and_refuse};
pub use headers::{Bearer, HeaderSource, Headers};
pub use listener::{ListenError, Listener, PendingBrowser, Ports, SignInOutcome};
#[cfg(feature = "reqwest")]
pub use obstacle::{Obstacle, ProxyTrouble};
pub use paste::{PasteLines, PasteProblem, PastedLine, read_callback};
pub use proxy::{Proxies, Proxy, ProxyError};
#[cfg(feature = "reqwest")]
pub use reqwest_transport::ReqwestTransport;
#[cfg(feature = "reqwest")]
pub use rustls::crypto::CryptoProvider;
pub use shared::{
    Clock, Fetch, FetchAborted, FetchFuture, Fetched, FetchedFrom, Renewal, ShareRules, SharedToken,
};
pub use source::TokenSource;
#[cfg(feature = "reqwest")]
pub use tls::CertificateProblem;
pub use transport::{RequestLimits, RetryPolicy, Transport, drive, drive_by};
