//! The keyring of the operating system as a store of logins.

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

/// What the side file calls this kind of store.
const HOME: &str = crate::StorageMode::Secure.as_str();
