//! Which store the refresh process opens: a store's address as text for the pipe.

use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use u2m_cache::{AutoStore, FileStore, Mirror, NamedStore, StorageMode, StoreAddress, TokenStore};
use u2m_core::CacheKey;

/// [`StoreAddress`], with its secrets.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StorePlace {
    Auto {
        file: Box<StorePlace>,
        keyring: Option<Box<StorePlace>>,
        encrypted: Option<Box<StorePlace>>,
        naming: PlaceNaming,
    },
    #[cfg(feature = "encrypted")]
    Encrypted {
        path: PathBuf,
        key: PlaceKey,
    },
    File {
        path: PathBuf,
        mirrors: Vec<PlaceMirror>,
    },
    #[cfg(feature = "keyring")]
    Keyring {
        path: PathBuf,
        service: String,
    },
}

/// [`NamedStore`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PlaceNaming {
    Nothing,
    Alone(String),
    First(String),
}

/// A login that is copied, and the host's key that it is copied to: [`Mirror`].
#[derive(Serialize, Deserialize)]
pub(super) struct PlaceMirror {
    key: String,
    to: Option<String>,
    wish: PlaceMirrorWish,
}

/// How much the copy is wanted.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PlaceMirrorWish {
    Never,
    WhereFree,
    Asked,
    TakesOver,
}

/// `SealKeySource`.
#[cfg(feature = "encrypted")]
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PlaceKey {
    Bytes(zeroize::Zeroizing<String>),
    Command(Vec<String>),
    File(PathBuf),
    Keyring(String),
}

impl StorePlace {
    /// Returns `None` for a store that this version cannot describe.
    pub(super) fn of(address: StoreAddress) -> Option<Self> {
        // The process may start in another folder.
        let absolute = |path: PathBuf| std::path::absolute(path).ok();
        match address {
            StoreAddress::Auto { file, keyring, encrypted, naming } => {
                let part = |address: Option<Box<StoreAddress>>| match address {
                    Some(address) => Self::of(*address).map(|place| Some(Box::new(place))),
                    None => Some(None),
                };
                Some(Self::Auto {
                    file: Box::new(Self::of(*file)?),
                    keyring: part(keyring)?,
                    encrypted: part(encrypted)?,
                    naming: PlaceNaming::of(naming),
                })
            }
            #[cfg(feature = "encrypted")]
            StoreAddress::EncryptedFile { path, source } => {
                Some(Self::Encrypted { path: absolute(path)?, key: PlaceKey::of(source)? })
            }
            StoreAddress::File { path, mirrors } => {
                let mirrors = mirrors.iter().map(|(key, mirror)| PlaceMirror::of(key, mirror));
                Some(Self::File { path: absolute(path)?, mirrors: mirrors.collect() })
            }
            #[cfg(feature = "keyring")]
            StoreAddress::Keyring { path, service } => {
                Some(Self::Keyring { path: absolute(path)?, service })
            }
            _ => None,
        }
    }

    pub(super) fn open(&self) -> io::Result<Arc<dyn TokenStore>> {
        match self {
            Self::Auto { file, keyring, encrypted, naming } => {
                let mut store = AutoStore::new(file.open_file()?);
                if let Some(place) = keyring {
                    store = store.with_keyring(place.open()?);
                }
                if let Some(place) = encrypted {
                    store = store.with_encrypted(place.open()?);
                }
                Ok(Arc::new(store.with_naming(naming.naming()?)))
            }
            #[cfg(feature = "encrypted")]
            Self::Encrypted { path, key } => {
                Ok(Arc::new(u2m_cache::EncryptedFileStore::at(path, key.source()?)))
            }
            Self::File { .. } => Ok(Arc::new(self.open_file()?)),
            #[cfg(feature = "keyring")]
            Self::Keyring { path, service } => {
                let keyring = u2m_cache::SystemKeyring::new(service.as_str());
                let keyring = Arc::new(u2m_cache::TimeoutKeyring::new(keyring));
                Ok(Arc::new(u2m_cache::KeyringStore::new(keyring, path)))
            }
        }
    }
}

impl StorePlace {
    fn open_file(&self) -> io::Result<FileStore> {
        let Self::File { path, mirrors } = self else {
            return Err(io::Error::other("a job that names no file"));
        };
        mirrors
            .iter()
            .try_fold(FileStore::at(path), |store, copy| {
                store.with_mirror(CacheKey::new(copy.key.as_str()), copy.mirror())
            })
            .map_err(io::Error::other)
    }
}

impl PlaceNaming {
    fn of(naming: NamedStore) -> Self {
        match naming {
            NamedStore::Nothing => Self::Nothing,
            NamedStore::Alone(mode) => Self::Alone(mode.as_str().to_owned()),
            NamedStore::First(mode) => Self::First(mode.as_str().to_owned()),
        }
    }

    fn naming(&self) -> io::Result<NamedStore> {
        let mode = |name: &str| {
            StorageMode::parse(name).ok_or_else(|| io::Error::other("a job that names no store"))
        };
        Ok(match self {
            Self::Nothing => NamedStore::Nothing,
            Self::Alone(name) => NamedStore::Alone(mode(name)?),
            Self::First(name) => NamedStore::First(mode(name)?),
        })
    }
}

impl PlaceMirror {
    fn of(key: &CacheKey, mirror: &Mirror) -> Self {
        let to = mirror.host_key().map(|key| key.as_str().to_owned());
        let wish = match mirror {
            mirror if mirror.is_none() => PlaceMirrorWish::Never,
            mirror if mirror.is_where_free() => PlaceMirrorWish::WhereFree,
            mirror if mirror.is_taking_over() => PlaceMirrorWish::TakesOver,
            _ => PlaceMirrorWish::Asked,
        };
        Self { key: key.as_str().to_owned(), to, wish }
    }

    fn mirror(&self) -> Mirror {
        let to = self.to.as_deref().map(CacheKey::new);
        let mirror = to.map_or_else(Mirror::to_host_of_login, Mirror::to);
        match self.wish {
            PlaceMirrorWish::Never => Mirror::none(),
            PlaceMirrorWish::WhereFree => mirror.where_free(),
            PlaceMirrorWish::Asked => mirror,
            PlaceMirrorWish::TakesOver => mirror.taking_over(),
        }
    }
}

#[cfg(feature = "encrypted")]
impl PlaceKey {
    fn of(source: u2m_cache::SealKeySource) -> Option<Self> {
        use u2m_cache::SealKeySource;
        match source {
            SealKeySource::Bytes(key) => Some(Self::Bytes(key.to_text())),
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

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "encrypted")]
    use u2m_cache::{SealKey, SealKeySource};

    #[test]
    fn how_a_store_was_named_comes_through() {
        let all = StorageMode::ALL.into_iter();
        let all = all.flat_map(|mode| [NamedStore::Alone(mode), NamedStore::First(mode)]);
        for naming in all.chain([NamedStore::Nothing]) {
            let store = AutoStore::new(FileStore::at("/home/a/file.json")).with_naming(naming);
            let place = StorePlace::of(store.address().unwrap()).unwrap();
            let text = serde_json::to_string(&place).unwrap();
            let opened = serde_json::from_str::<StorePlace>(&text).unwrap().open().unwrap();
            let Some(StoreAddress::Auto { naming: told, .. }) = opened.address() else {
                panic!("{text} is another store")
            };
            assert_eq!(told, naming);
        }
    }

    /// The address of the store that the refresh process opens.
    fn told(address: StoreAddress) -> StoreAddress {
        let text = serde_json::to_string(&StorePlace::of(address).unwrap()).unwrap();
        serde_json::from_str::<StorePlace>(&text).unwrap().open().unwrap().address().unwrap()
    }

    #[test]
    fn each_wish_for_a_copy_comes_through() {
        let to = || Mirror::to(CacheKey::new("https://a.example"));
        let of_login = Mirror::to_host_of_login;
        for mirror in [
            Mirror::none(),
            to(),
            to().where_free(),
            to().taking_over(),
            of_login(),
            of_login().where_free(),
            of_login().taking_over(),
        ] {
            let file = FileStore::at("/home/a/file.json");
            let address = file.with_mirror(CacheKey::new("dev"), mirror).unwrap().address();
            assert_eq!(told(address.clone().unwrap()), address.unwrap());
        }
    }

    #[cfg(all(feature = "encrypted", feature = "keyring"))]
    #[test]
    fn each_store_of_several_comes_through() {
        let file = || Box::new(FileStore::at("/home/a/file.json").address().unwrap());
        let keyring = || StoreAddress::Keyring {
            path: "/home/a/file.json".into(),
            service: "a service".into(),
        };
        let encrypted = || StoreAddress::EncryptedFile {
            path: "/home/a/sealed.json".into(),
            source: SealKeySource::File("/home/a/key".into()),
        };
        assert_eq!((told(keyring()), told(encrypted())), (keyring(), encrypted()));
        let naming = NamedStore::Nothing;
        for (keyring, encrypted) in [
            (None, None),
            (Some(keyring().into()), None),
            (None, Some(encrypted().into())),
            (Some(keyring().into()), Some(encrypted().into())),
        ] {
            let all = || {
                let (keyring, encrypted) = (keyring.clone(), encrypted.clone());
                StoreAddress::Auto { file: file(), keyring, encrypted, naming }
            };
            assert_eq!(told(all()), all());
        }
    }

    #[cfg(feature = "encrypted")]
    #[test]
    fn where_a_key_comes_from_comes_through() {
        let key = SealKey::parse(&"0123456789abcdef".repeat(4)).unwrap();
        for source in [
            SealKeySource::Bytes(key),
            SealKeySource::Command(vec!["pass".into(), "show".into(), "u2m".into()]),
            SealKeySource::File("/home/a/key".into()),
            #[cfg(feature = "keyring")]
            SealKeySource::Keyring { service: "a service".into() },
        ] {
            let told = StorePlace::of(StoreAddress::EncryptedFile {
                path: "/home/a/sealed.json".into(),
                source: source.clone(),
            });
            let text = serde_json::to_string(&told.unwrap()).unwrap();
            let StorePlace::Encrypted { path, key } = serde_json::from_str(&text).unwrap() else {
                panic!("{source:?} became another store")
            };
            assert_eq!(path, PathBuf::from("/home/a/sealed.json"));
            assert_eq!(key.source().unwrap(), source);
        }
    }
}
