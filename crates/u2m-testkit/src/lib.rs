//! A fake OAuth authorization server for testing your own programs. It signs people in without asking, rotates refresh tokens,
//! detects when one is used twice, and fails on command.
//!
//! It has two layers, and all of its rules are in the first:
//!
//! | layer | is | has |
//! |---|---|---|
//! | [`FakeServer`] | a state machine: a request and the time in, an answer out | no clock, no socket, no randomness |
//! | [`RunningServer`] | the same server on a loopback port | threads, the system's clock, and a way to move it |
//!
//! # Testing a program
//!
//! Start a server, give its [`base_url`](RunningServer::base_url) to the program as its host, let [`follow_login`] act as the
//! browser, and ask the server afterwards what it saw. In this example, the program is a few lines that refresh a token. The
//! server's answer gets lost on the way, and because the program tries again, it loses its login:
//!
//! ```
//! use std::{io::{Read, Write}, net::TcpStream};
//! use u2m_testkit::{Endpoint, Fault, RunningServer, Times};
//!
//! /// The program under test.
//! fn refresh(host: &str, token: &str) -> std::io::Result<String> {
//!     let form = format!("grant_type=refresh_token&client_id=databricks-cli&refresh_token={token}");
//!     let mut server = TcpStream::connect(host)?;
//!     write!(
//!         server,
//!         "POST /oidc/v1/token HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
//!          Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
//!         form.len(),
//!     )?;
//!     let mut answer = String::new();
//!     server.read_to_string(&mut answer)?;
//!     Ok(answer)
//! }
//!
//! let server = RunningServer::start()?;
//! let tokens = server.sign_in("databricks-cli", "offline_access all-apis");
//! let token = tokens.refresh_token().unwrap_or_default();
//!
//! server.inject(Endpoint::Token, Times::Once, Fault::drop_connection().once_processed());
//! assert_eq!(refresh(&server.host(), token)?, "");
//! assert!(refresh(&server.host(), token)?.contains("Refresh token is invalid"));
//!
//! assert_eq!(server.counts().reuse_detections, 1);
//! assert!(!server.is_login_alive());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Testing a store of your own
//!
//! With the feature `stores`, `conformance::check` tests a store of logins against every rule that u2m relies on.
//!
//! # What lives where
//!
//! | path | what |
//! |---|---|
//! | `/oidc/.well-known/oauth-authorization-server` | metadata of the workspace's issuer, `<base>/oidc` |
//! | `/oidc/v1/authorize`, `/oidc/v1/token` | its endpoints |
//! | `/oidc/v1/revoke` | revocation, with [`Settings::with_revocation`] |
//! | `/oidc/v1/device` | codes for devices, with [`Settings::with_device`] |
//! | `/oidc/accounts/<id>/…` | the same for the issuer of any account, `<base>/oidc/accounts/<id>` |
//! | `/.well-known/databricks-config` | host metadata, see [`HostMetadata`] |
//! | `/?destination_url=…[&target=ACCOUNT]` | the discovery login page, which redirects to consent at once; its answers carry `iss` |
//! | `/api/2.0/tokens/introspect` | the account and workspace that a bearer token belongs to |
//! | `/api/…` | some JSON for every valid bearer token, 401 for every other |
//!
//! # Promises
//!
//! - Tokens are spent and issued when a request is received, before any scripted delay. A client that is killed while it waits
//!   has therefore spent its refresh token; see [`RotateOn`] for the alternative.
//! - Codes and tokens come from a counter: the same requests at the same times to the same address return the same tokens. They
//!   look real and protect nothing. **Never let this server guard anything.**
//! - For its rules, the server keeps only digests of codes and tokens. [`Seen`] keeps what clients sent, for tests to inspect;
//!   its `Debug` output shows none of it.
//!
//! Left out on purpose: TLS, HTTP/2, client credentials grants, token exchange, ID tokens.

// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

mod api;
mod authorize;
mod browser;
mod client;
#[cfg(feature = "stores")]
pub mod conformance;
mod connection;
mod device;
mod echo;
mod fault;
mod form;
mod host;
mod journal;
mod ledger;
mod mint;
mod page;
mod reply;
mod revoke;
mod route;
mod running;
mod server;
mod settings;
mod token;
mod wire;

pub use browser::{BrowseError, Page, follow_login, follow_login_in_background};
pub use client::Client;
pub use device::{Device, DeviceAnswer};
pub use echo::Repeat;
pub use fault::{Endpoint, Fault, Times};
pub use host::{HostMetadata, WellKnown};
pub use http;
pub use journal::{Counts, Seen};
pub use reply::{Deferred, Outcome, Reply};
pub use running::RunningServer;
pub use server::{FakeServer, IssuedTokens};
pub use settings::{AccessTokenForm, Consent, ExpiresIn, Iss, RotateOn, Rotation, Settings};
pub use u2m_core::{Lifetime, Timestamp};
