//! Reads many logins together, so that each file is read only once.

use super::search::{FoundLogins, LoginPlace, StoreFindings, home, settle};
use super::{AutoStore, NamedStore};
use crate::error::StoreError;
use crate::mode::StorageMode;
use crate::sidecar::record_file::Sidecar;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use u2m_core::{CacheKey, Session};

/// What a user's stores hold of some logins at one moment. Use it to show logins to the user, not to get tokens for requests.
/// Each file is read once, when the first login is looked up in it. The keyring is asked for each login, and no more once it
/// turns out that there is none.
///
/// ```
/// use u2m_cache::{AutoStore, FileStore, NamedStore, StorageMode, TokenStore};
/// use u2m_core::{AccessToken, CacheKey, Session};
/// let folder = tempfile::tempdir().unwrap();
/// let store = AutoStore::new(FileStore::at(folder.path().join("token-cache.json")));
/// let (dev, other) = (CacheKey::new("dev"), CacheKey::new("other"));
/// store.save(&dev, &Session::new(AccessToken::new("a")))?;
/// let snapshot = store.snapshot([dev.clone(), other.clone()]);
/// assert!(snapshot.load(&dev, NamedStore::Nothing)?.is_some());
/// assert!(snapshot.load(&other, NamedStore::Nothing)?.is_none());
/// assert_eq!(snapshot.place(&dev, NamedStore::Nothing), Some(StorageMode::Plaintext));
/// # Ok::<(), u2m_cache::StoreError>(())
/// ```
#[derive(Debug)]
pub struct Snapshot {
    store: AutoStore,
    keys: Vec<CacheKey>,
    sidecar: OnceLock<Sidecar>,
    plain: OnceLock<Loaded>,
    sealed: OnceLock<Loaded>,
    /// Whether this machine turned out to have no keyring.
    lacks_keyring: AtomicBool,
}

/// What a file holds for each login. Errors are left out, so that the entry is read again by itself.
type Loaded = HashMap<CacheKey, Option<Session>>;

impl AutoStore {
    /// Prepares to read these logins together. Nothing is read before the first lookup.
    pub fn snapshot(&self, keys: impl IntoIterator<Item = CacheKey>) -> Snapshot {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort();
        keys.dedup();
        Snapshot {
            store: self.clone(),
            keys,
            sidecar: OnceLock::new(),
            plain: OnceLock::new(),
            sealed: OnceLock::new(),
            lacks_keyring: AtomicBool::new(false),
        }
    }
}

impl Snapshot {
    /// Returns a login as the store's own [`load`](crate::TokenStore::load) does if the store is used with `naming`. It does
    /// not check which host's key holds the same tokens.
    ///
    /// # Errors
    /// As for [`load`](crate::TokenStore::load).
    pub fn load(&self, key: &CacheKey, naming: NamedStore) -> Result<Option<Session>, StoreError> {
        let (settled, looks) = self.settled(key, naming);
        if settled == LoginPlace::In(StorageMode::Secure) && self.lacks_keyring() {
            // Returns the keyring's own error, not the remembered one.
            return self.store.part(StorageMode::Secure)?.load(key);
        }
        Ok(match looks.take(settled)? {
            (StorageMode::Encrypted, Some(session)) if session.binding.is_none() => {
                Some(self.sidecar().tied(key.as_str(), session))
            }
            (_, found) => found,
        })
    }

    /// Returns whether [`Snapshot::load`] can answer without reading another file or asking the keyring.
    pub fn is_at_hand(&self, key: &CacheKey, naming: NamedStore) -> bool {
        let Some(sidecar) = self.sidecar.get() else { return false };
        let mut looks = StoreFindings::default();
        loop {
            match settle(naming, key, sidecar, &looks) {
                Ok(_) => return true,
                Err(mode) => match self.seen(mode, key) {
                    Some(found) => looks.put(mode, found),
                    None => return false,
                },
            }
        }
    }

    /// Like [`AutoStore::place`], for a store that is used with `naming`.
    pub fn place(&self, key: &CacheKey, naming: NamedStore) -> Option<StorageMode> {
        let home = self.home(key);
        match naming {
            NamedStore::Alone(mode) => Some(mode),
            NamedStore::Nothing => home.or_else(|| {
                StorageMode::ALL.into_iter().find(|mode| is_there(&self.look(*mode, key)))
            }),
            NamedStore::First(first) => {
                let Some(elsewhere) = home.filter(|home| *home != first) else {
                    return Some(first);
                };
                let (settled, looks) = self.settled(key, naming);
                // A store that fails is still the one to use, and its error is reported.
                Some(looks.take(settled).map_or(elsewhere, |(mode, _)| mode))
            }
        }
    }

    /// Returns the store in which the login was last saved, if that is recorded.
    pub fn home(&self, key: &CacheKey) -> Option<StorageMode> {
        home(self.sidecar(), key)
    }

    fn sidecar(&self) -> &Sidecar {
        self.sidecar.get_or_init(|| self.store.0.file.sidecar().unwrap_or_default())
    }

    fn lacks_keyring(&self) -> bool {
        self.lacks_keyring.load(Ordering::Relaxed)
    }

    fn settled(&self, key: &CacheKey, naming: NamedStore) -> (LoginPlace, StoreFindings) {
        let mut looks = StoreFindings::default();
        loop {
            match settle(naming, key, self.sidecar(), &looks) {
                Ok(settled) => return (settled, looks),
                Err(mode) => looks.put(mode, self.look(mode, key)),
            }
        }
    }

    /// Returns what was already read from a store under `key`.
    fn seen(&self, mode: StorageMode, key: &CacheKey) -> Option<FoundLogins> {
        if let Err(error) = self.store.part(mode) {
            return Some(Err(error));
        }
        let file = match mode {
            StorageMode::Plaintext => &self.plain,
            StorageMode::Encrypted => &self.sealed,
            StorageMode::Secure => {
                let why = "this machine has no keyring";
                return self.lacks_keyring().then_some(Err(StoreError::NoStore { why }));
            }
        };
        file.get()?.get(key).cloned().map(Ok)
    }

    /// Returns what a store holds under `key`.
    fn look(&self, mode: StorageMode, key: &CacheKey) -> FoundLogins {
        if let Some(found) = self.seen(mode, key) {
            return found;
        }
        let part = self.store.part(mode)?;
        let file = match mode {
            StorageMode::Plaintext => &self.plain,
            StorageMode::Encrypted => &self.sealed,
            StorageMode::Secure => {
                let found = part.load(key);
                if found.as_ref().is_err_and(StoreError::is_absent_store) {
                    self.lacks_keyring.store(true, Ordering::Relaxed);
                }
                return found;
            }
        };
        let loaded = file.get_or_init(|| {
            let found = self.keys.iter().cloned().zip(part.load_all(&self.keys));
            found.filter_map(|(key, found)| Some((key, found.ok()?))).collect()
        });
        match loaded.get(key) {
            Some(found) => Ok(found.clone()),
            None => part.load(key),
        }
    }
}

/// Returns whether a login is there, even if it cannot be read.
pub(super) fn is_there(found: &FoundLogins) -> bool {
    matches!(found, Ok(Some(_)) | Err(StoreError::BadEntry { .. }))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::fault::{self, FileOperation};
    use crate::file::FileStore;
    use crate::memory::MemoryStore;
    use crate::store::TokenStore;
    use std::sync::Arc;
    use u2m_core::{AccessToken, RefreshToken};

    const NAMINGS: [NamedStore; 5] = [
        NamedStore::Nothing,
        NamedStore::First(StorageMode::Plaintext),
        NamedStore::First(StorageMode::Secure),
        NamedStore::Alone(StorageMode::Plaintext),
        NamedStore::Alone(StorageMode::Encrypted),
    ];

    fn session(name: &str) -> Session {
        Session::new(AccessToken::new(name)).with_refresh_token(RefreshToken::new(name))
    }

    fn key(name: &str) -> CacheKey {
        CacheKey::new(name)
    }

    #[test]
    fn it_says_of_each_login_what_the_store_says_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore::at(folder.path().join("token-cache.json"));
        let keyring = Arc::new(MemoryStore::new());
        let store =
            AutoStore::new(file.clone()).with_keyring(Arc::clone(&keyring) as Arc<dyn TokenStore>);
        // By other programs; by u2m, here and there; in both, where one is recorded.
        file.save(&key("theirs"), &session("theirs")).unwrap();
        store.save(&key("secure"), &session("secure")).unwrap();
        for (name, home) in [("both", StorageMode::Plaintext), ("other", StorageMode::Secure)] {
            file.save(&key(name), &session("in the file")).unwrap();
            keyring.save(&key(name), &session("in the keyring")).unwrap();
            store.set_home(&key(name), Some(home)).unwrap();
        }
        // Recorded where it is not.
        file.save(&key("lost"), &session("lost")).unwrap();
        store.set_home(&key("lost"), Some(StorageMode::Secure)).unwrap();
        let names = ["theirs", "secure", "both", "other", "lost", "nobody"];
        let snapshot = store.snapshot(names.map(key));
        for naming in NAMINGS {
            let named = store.clone().with_naming(naming);
            for name in names {
                let token = |found: Result<Option<Session>, StoreError>| {
                    found.map(|found| found.map(|found| found.access_token)).map_err(drop)
                };
                let (ours, theirs) = (snapshot.load(&key(name), naming), named.load(&key(name)));
                assert_eq!(token(ours), token(theirs), "{name} by {naming:?}");
                let place = snapshot.place(&key(name), naming);
                assert_eq!(place, named.place(&key(name)), "{name} by {naming:?}");
            }
        }
    }

    #[test]
    fn a_hundred_logins_cost_as_many_reads_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore::at(folder.path().join("token-cache.json"));
        let names: Vec<_> = (0..100).map(|at| key(&format!("login-{at}"))).collect();
        let logins: Vec<_> =
            names.iter().map(|name| (name.clone(), session(name.as_str()))).collect();
        assert!(file.save_all(&logins).into_iter().all(|saved| saved.is_ok()));
        let store = AutoStore::new(file);
        let opens = |names: &[CacheKey]| {
            let (found, steps) = fault::under(None, None, || {
                let snapshot = store.snapshot(names.to_vec());
                let is_found = |name: &CacheKey| {
                    snapshot.load(name, NamedStore::Nothing).unwrap();
                    assert!(snapshot.is_at_hand(name, NamedStore::Nothing));
                    snapshot.place(name, NamedStore::Nothing) == Some(StorageMode::Plaintext)
                        && snapshot.load(name, NamedStore::Nothing).unwrap().is_some()
                };
                names.iter().all(is_found)
            });
            assert!(found);
            steps.into_iter().filter(|step| *step == FileOperation::Open).count()
        };
        assert_eq!(opens(&names), opens(&names[..1]));
    }
}
