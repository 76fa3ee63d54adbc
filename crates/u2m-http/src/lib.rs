//! The way to the network and to the browser, for the flows of `u2m-core`.
//!
//! | item | what for |
//! |---|---|
//! | [`Transport`], [`ReqwestTransport`] | sends one request |
//! | [`CryptoProvider`] | whose cryptography a transport uses, if not its own: rustls' type |
//! | [`Proxies`] | which proxy a request leaves by |
//! | [`Obstacle`] | what was in the way of a request that was not sent |
//! | [`drive`], [`RetryPolicy`], [`RequestLimits`] | sends a call of the core until it is answered, within its rules for repeating |
//! | [`Clock`] | what time it is, for programs whose tests let an hour pass |
//! | [`AwakeClock`] | waits in time during which this process ran, so that a suspension loses no answer |
//! | [`Flight`], [`Spending`], [`wait_for_saves`] | work that nobody can cancel: a refresh, from its request to its save |
//! | [`SharedToken`], [`Fetch`] | one token for all callers of a process, and one fetch for the next |
//! | [`EndpointSupplier`], [`BasicEndpoints`] | where authorization endpoints come from |
//! | [`TokenSource`] | what hands out tokens, as everything above sees it |
//! | [`HeaderSource`], [`Bearer`] | the same for whole headers |

// The example of the README compiles. It needs the transport.
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
