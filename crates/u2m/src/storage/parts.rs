//! The individual stores of a user, as this program was built and as the environment describes them.

use std::path::Path;
use std::time::Duration;
use u2m_cache::{AutoStore, FileStore};

use crate::choose::Environment;

/// Combines all of them into one store. Each keyring call waits at most `patience`.
pub(super) fn all(file: FileStore, around: &Environment<'_>, patience: Duration) -> AutoStore {
    let path = file.path().to_owned();
    let store = AutoStore::new(file);
    let store = with_keyring(store, &path, patience);
    with_encrypted(store, &path, around)
}

#[cfg(feature = "keyring")]
fn with_keyring(store: AutoStore, path: &Path, patience: Duration) -> AutoStore {
    use std::sync::Arc;
    use u2m_cache::{KeyringStore, SystemKeyring, TimeoutKeyring};
    let keyring = TimeoutKeyring::new(SystemKeyring::new(super::SERVICE)).with_limit(patience);
    store.with_keyring(Arc::new(KeyringStore::new(Arc::new(keyring), path)))
}

#[cfg(not(feature = "keyring"))]
fn with_keyring(store: AutoStore, _: &Path, _: Duration) -> AutoStore {
    store
}

#[cfg(feature = "encrypted")]
fn with_encrypted(store: AutoStore, path: &Path, around: &Environment<'_>) -> AutoStore {
    use std::sync::Arc;
    use u2m_cache::EncryptedFileStore;
    match key_source(around) {
        Some(source) => {
            let path = path.with_file_name(super::SEALED);
            store.with_encrypted(Arc::new(EncryptedFileStore::at(path, source)))
        }
        None => store,
    }
}

#[cfg(not(feature = "encrypted"))]
fn with_encrypted(store: AutoStore, _: &Path, _: &Environment<'_>) -> AutoStore {
    store
}

/// A key file, a program, or the keyring. For each, the environment takes precedence over the settings.
#[cfg(feature = "encrypted")]
fn key_source(around: &Environment<'_>) -> Option<u2m_cache::SealKeySource> {
    use u2m_cache::SealKeySource;
    let of = |variable: &str, setting: &str| {
        around.set(variable).or_else(|| around.config.setting(setting).map(str::to_owned))
    };
    if let Some(path) = of("U2M_STORAGE_KEY_FILE", "u2m_storage_key_file") {
        return Some(SealKeySource::File(path.into()));
    }
    if let Some(words) = of("U2M_STORAGE_KEY_COMMAND", "u2m_storage_key_command") {
        return Some(SealKeySource::Command(words.split_whitespace().map(str::to_owned).collect()));
    }
    #[cfg(feature = "keyring")]
    return Some(SealKeySource::Keyring { service: "u2m".to_owned() });
    #[cfg(not(feature = "keyring"))]
    None
}
