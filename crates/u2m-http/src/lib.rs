//! The way to the network and to the browser, for the flows of `u2m-core`.
//!
//! | item | what for |
//! |---|---|
//! | [`Transport`], [`ReqwestTransport`] | sends one request |
//! | [`drive`], [`Patience`] | sends a call of the core until it is answered, within its rules for repeating |
//! | [`Flight`], [`Spending`], [`settle`] | work that nobody can cancel: a refresh, from its request to its save |
//! | [`EndpointSupplier`], [`BasicEndpoints`] | where authorization endpoints come from |
//! | [`TokenSource`] | what hands out tokens, as everything above sees it |

mod browser;
mod endpoints;
mod flight;
mod listener;
mod page;
mod paste;
#[cfg(feature = "reqwest")]
mod reqwest_transport;
mod source;
mod transport;

#[cfg(fuzzing)]
#[doc(hidden)]
pub use listener::fuzzing;

pub use browser::{
    Browser, BrowserEnv, BrowserError, Platform, SystemBrowser, browser_fn, find_browser,
};
pub use endpoints::{BasicEndpoints, EndpointSupplier};
pub use flight::{Flight, Spending, settle};
pub use listener::{Ending, ListenError, Listener, Ports, Visitor};
pub use paste::{PasteLines, PastedLine, WrongPaste, read_callback};
#[cfg(feature = "reqwest")]
pub use reqwest_transport::ReqwestTransport;
pub use source::TokenSource;
pub use transport::{Patience, Transport, drive};
