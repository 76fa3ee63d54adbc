//! Which store the small process opens: a store's address, in words for the pipe.

use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use u2m_cache::{AutoStore, FileStore, StorageMode, StoreAddress, TokenStore};

/// [`StoreAddress`], with its secrets.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    Auto {
        file: PathBuf,
        keyring: Option<Box<Place>>,
        encrypted: Option<Box<Place>>,
        mode: Option<String>,
    },
    #[cfg(feature = "encrypted")]
    Encrypted {
        path: PathBuf,
        key: Key,
    },
    File(PathBuf),
    #[cfg(feature = "keyring")]
    Keyring {
        path: PathBuf,
        service: String,
    },
}

/// `SealKeySource`.
#[cfg(feature = "encrypted")]
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Key {
    Bytes(zeroize::Zeroizing<String>),
    Command(Vec<String>),
    File(PathBuf),
    Keyring(String),
}

impl Place {
    /// `None` for a store that this version cannot describe.
    pub(super) fn of(address: StoreAddress) -> Option<Self> {
        // The process may start in another folder.
        let absolute = |path: PathBuf| std::path::absolute(path).ok();
        match address {
            StoreAddress::Auto { file, keyring, encrypted, mode } => {
                let part = |address: Option<Box<StoreAddress>>| match address {
                    Some(address) => Self::of(*address).map(|place| Some(Box::new(place))),
                    None => Some(None),
                };
                Some(Self::Auto {
                    file: absolute(file)?,
                    keyring: part(keyring)?,
                    encrypted: part(encrypted)?,
                    mode: mode.map(|mode| mode.as_str().to_owned()),
                })
            }
            #[cfg(feature = "encrypted")]
            StoreAddress::EncryptedFile { path, source } => {
                Some(Self::Encrypted { path: absolute(path)?, key: Key::of(source)? })
            }
            StoreAddress::File { path } => absolute(path).map(Self::File),
            #[cfg(feature = "keyring")]
            StoreAddress::Keyring { path, service } => {
                Some(Self::Keyring { path: absolute(path)?, service })
            }
            _ => None,
        }
    }

    pub(super) fn open(&self) -> io::Result<Arc<dyn TokenStore>> {
        match self {
            Self::Auto { file, keyring, encrypted, mode } => {
                let mut store = AutoStore::new(FileStore::at(file));
                if let Some(place) = keyring {
                    store = store.with_keyring(place.open()?);
                }
                if let Some(place) = encrypted {
                    store = store.with_encrypted(place.open()?);
                }
                if let Some(mode) = mode {
                    let mode = StorageMode::parse(mode)
                        .ok_or_else(|| io::Error::other("a job that names no store"))?;
                    store = store.with_mode(mode);
                }
                Ok(Arc::new(store))
            }
            #[cfg(feature = "encrypted")]
            Self::Encrypted { path, key } => {
                Ok(Arc::new(u2m_cache::EncryptedFileStore::at(path, key.source()?)))
            }
            Self::File(path) => Ok(Arc::new(FileStore::at(path))),
            #[cfg(feature = "keyring")]
            Self::Keyring { path, service } => {
                let keyring = u2m_cache::SystemKeyring::new(service.as_str());
                let keyring = Arc::new(u2m_cache::Bounded::new(keyring));
                Ok(Arc::new(u2m_cache::KeyringStore::new(keyring, path)))
            }
        }
    }
}

#[cfg(feature = "encrypted")]
impl Key {
    fn of(source: u2m_cache::SealKeySource) -> Option<Self> {
        use u2m_cache::SealKeySource;
        match source {
            SealKeySource::Bytes(key) => Some(Self::Bytes(key.expose())),
            SealKeySource::Command(words) => Some(Self::Command(words)),
            SealKeySource::File(path) => std::path::absolute(path).ok().map(Self::File),
            #[cfg(feature = "keyring")]
            SealKeySource::Keyring { service } => Some(Self::Keyring(service)),
            _ => None,
        }
    }

    fn source(&self) -> io::Result<u2m_cache::SealKeySource> {
        use u2m_cache::{SealKey, SealKeySource};
        match self {
            Self::Bytes(text) => {
                SealKey::parse(text).map(SealKeySource::Bytes).map_err(io::Error::other)
            }
            Self::Command(words) => Ok(SealKeySource::Command(words.clone())),
            Self::File(path) => Ok(SealKeySource::File(path.clone())),
            #[cfg(feature = "keyring")]
            Self::Keyring(service) => Ok(SealKeySource::Keyring { service: service.clone() }),
            #[cfg(not(feature = "keyring"))]
            Self::Keyring(_) => Err(io::Error::other("a key that this program cannot read")),
        }
    }
}
