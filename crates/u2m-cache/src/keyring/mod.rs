//! The keyring of the operating system as a store of logins.

mod api;
#[cfg(target_os = "macos")]
mod apple;
mod bounded;
mod encoding;
mod error;
#[cfg(not(any(
    target_os = "macos",
    windows,
    all(unix, not(target_vendor = "apple"))
)))]
mod nowhere;
#[cfg(all(unix, not(target_vendor = "apple")))]
mod secret_service;
mod status;
mod system;
#[cfg(windows)]
mod windows;

pub use api::Keyring;
pub use bounded::Bounded;
pub use error::KeyringError;
pub use system::SystemKeyring;
