//! u2m-testkit

mod api;
mod authorize;
mod client;
mod fault;
mod form;
mod host;
mod journal;
mod ledger;
mod mint;
mod page;
mod reply;
mod route;
mod server;
mod settings;
mod token;

pub use client::Client;
pub use fault::{Endpoint, Fault, Times};
pub use host::HostMetadata;
pub use http;
pub use journal::{Counts, Seen};
pub use reply::{Deferred, Outcome, Reply};
pub use server::{FakeServer, IssuedTokens};
pub use settings::{AccessTokenForm, Consent, ExpiresIn, Iss, RotateOn, Rotation, Settings};
pub use u2m_core::{Lifetime, Timestamp};
