//! A store that keeps logins in the operating system's keyring.

mod api;
#[cfg(target_os = "macos")]
mod apple;
mod awake;
mod bounded;
mod encoding;
mod entries;
mod envelope;
mod error;
mod lock;
#[cfg(not(any(target_os = "macos", windows, all(unix, not(target_vendor = "apple")))))]
mod nowhere;
mod parts;
mod probe;
#[cfg(feature = "encrypted")]
pub(crate) mod seal_key;
#[cfg(all(unix, not(target_vendor = "apple")))]
mod secret_service;
mod status;
mod store;
mod system;
#[cfg(windows)]
mod windows;

pub use api::Keyring;
pub use bounded::TimeoutKeyring;
pub use error::KeyringError;
pub use store::KeyringStore;
pub use system::SystemKeyring;

/// The name of this kind of store in the side file.
const HOME: &str = crate::StorageMode::Secure.as_str();
