//! Finds a login: where the side file says, else in the first store that has it.

use super::snapshot::is_there;
use super::{AutoStore, NamedStore};
use crate::error::StoreError;
use crate::mode::StorageMode;
use crate::sidecar::record_file::Sidecar;
use crate::store::TokenStore;
use std::sync::PoisonError;
use u2m_core::{CacheKey, Session};

/// How often a login may be moved during one search.
pub(super) const ROUNDS: usize = 8;

impl AutoStore {
    /// Returns all stores that hold a login under `key`, regardless of which one is used. A store that cannot be read is left
    /// out.
    pub fn holders(&self, key: &CacheKey) -> Vec<StorageMode> {
        self.holders_of_all(std::slice::from_ref(key)).pop().unwrap_or_default()
    }

    /// Like [`AutoStore::holders`] for several logins, with one read of each store that supports it.
    pub fn holders_of_all(&self, keys: &[CacheKey]) -> Vec<Vec<StorageMode>> {
        let mut holders = vec![Vec::new(); keys.len()];
        for mode in StorageMode::ALL {
            let found = self.part(mode).map(|part| part.load_all(keys)).unwrap_or_default();
            for (holders, found) in holders.iter_mut().zip(found) {
                if is_there(&found) {
                    holders.push(mode);
                }
            }
        }
        holders
    }

    /// Like [`AutoStore::home`] for several logins, with one read of the side file.
    pub fn homes_of_all(&self, keys: &[CacheKey]) -> Vec<Option<StorageMode>> {
        let sidecar = self.0.file.sidecar().unwrap_or_default();
        keys.iter().map(|key| home(&sidecar, key)).collect()
    }

    /// Returns where a login is, and the login.
    pub(super) fn find(
        &self,
        key: &CacheKey,
    ) -> Result<(StorageMode, Option<Session>), StoreError> {
        let found = self.look_for(key);
        if let Ok((mode, session)) = &found {
            let is_here = session.is_some() && *mode == StorageMode::Plaintext;
            let mut in_the_file = self.0.in_the_file.lock().unwrap_or_else(PoisonError::into_inner);
            match is_here {
                true => in_the_file.insert(key.clone()),
                false => in_the_file.remove(key),
            };
        }
        found
    }

    /// Returns whether the last search found a login in the shared file.
    pub(super) fn was_in_the_file(&self, key: &CacheKey) -> bool {
        self.0.in_the_file.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    fn look_for(&self, key: &CacheKey) -> Result<(StorageMode, Option<Session>), StoreError> {
        if let NamedStore::Alone(mode) = self.0.naming {
            return Ok((mode, self.part(mode)?.load(key)?));
        }
        // Usually it is there, and then the side file is read only once.
        if self.0.naming == NamedStore::First(StorageMode::Plaintext)
            && let Ok(Some((session, sidecar))) = self.0.file.load_and_sidecar(key)
            && !is_elsewhere(&sidecar, key, StorageMode::Plaintext)
        {
            return Ok((StorageMode::Plaintext, Some(session)));
        }
        let mut sidecar = self.0.file.sidecar()?;
        for _ in 1..ROUNDS {
            let found = self.find_by(key, &sidecar)?;
            if found.1.is_some() && !is_elsewhere(&sidecar, key, found.0) {
                return Ok(found);
            }
            // It may have been moved in between, even there and back; and what is stored elsewhere may be an old copy.
            let now = self.0.file.sidecar()?;
            if now.home_changes() == sidecar.home_changes() {
                return Ok(found);
            }
            sidecar = now;
        }
        self.find_by(key, &sidecar)
    }

    /// Returns where a login is according to this side file, and the login.
    fn find_by(
        &self,
        key: &CacheKey,
        sidecar: &Sidecar,
    ) -> Result<(StorageMode, Option<Session>), StoreError> {
        let mut looks = StoreFindings::default();
        loop {
            match settle(self.0.naming, key, sidecar, &looks) {
                Ok(settled) => return looks.take(settled),
                Err(mode) => looks.put(mode, self.load_by(key, mode, sidecar)),
            }
        }
    }

    fn load_by(
        &self,
        key: &CacheKey,
        mode: StorageMode,
        sidecar: &Sidecar,
    ) -> Result<Option<Session>, StoreError> {
        match mode {
            StorageMode::Plaintext => self.0.file.load_with(key, sidecar),
            mode => self.part(mode)?.load(key),
        }
    }

    /// Returns the store that a login is used from, asking as few stores as possible. Returns `None` if no store was
    /// requested and no store knows the login.
    ///
    /// ```
    /// use u2m_cache::{AutoStore, FileStore, StorageMode};
    /// let folder = tempfile::tempdir().unwrap();
    /// let store = AutoStore::new(FileStore::at(folder.path().join("token-cache.json")));
    /// let key = u2m_core::CacheKey::new("dev");
    /// assert_eq!(store.place(&key), None);
    /// store.set_home(&key, Some(StorageMode::Plaintext))?;
    /// assert_eq!(store.place(&key), Some(StorageMode::Plaintext));
    /// # Ok::<(), u2m_cache::StoreError>(())
    /// ```
    pub fn place(&self, key: &CacheKey) -> Option<StorageMode> {
        self.snapshot([key.clone()]).place(key, self.0.naming)
    }

    /// Returns the logins of all available stores.
    pub(super) fn keys_everywhere(&self) -> Result<Vec<CacheKey>, StoreError> {
        let mut keys = Vec::new();
        for mode in StorageMode::ALL {
            let Ok(store) = self.part(mode) else { continue };
            match store.keys() {
                Ok(more) => keys.extend(more),
                Err(error) if error.is_absent_store() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(keys)
    }

    /// Returns the logins of the store named by a setting, and those recorded to be in another store. No other store is
    /// asked.
    pub(super) fn keys_first_in(&self, first: StorageMode) -> Result<Vec<CacheKey>, StoreError> {
        let sidecar = self.0.file.sidecar()?;
        let others = StorageMode::ALL.into_iter().filter(|mode| *mode != first);
        let recorded: Vec<_> = others.flat_map(|mode| sidecar.keys_at(mode.as_str())).collect();
        let mut keys = match self.part(first).and_then(TokenStore::keys) {
            // As for a single login: an absent store hides none of these.
            Err(error) if error.is_absent_store() && !recorded.is_empty() => Vec::new(),
            keys => keys?,
        };
        keys.extend(recorded.into_iter().map(CacheKey::new));
        Ok(keys)
    }
}

pub(super) type FoundLogins = Result<Option<Session>, StoreError>;

/// What the stores returned for one login.
#[derive(Debug, Default)]
pub(super) struct StoreFindings([Option<FoundLogins>; StorageMode::ALL.len()]);

/// Where a login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginPlace {
    /// What this store returned counts, whatever it is.
    In(StorageMode),
    /// There is no login; this is where it would be.
    Nowhere(StorageMode),
}

impl StoreFindings {
    pub(super) fn put(&mut self, mode: StorageMode, found: FoundLogins) {
        self.0[mode as usize] = Some(found);
    }

    /// Returns what a store returned, or `Err` if it was not asked yet.
    fn at(&self, mode: StorageMode) -> Result<&FoundLogins, StorageMode> {
        self.0[mode as usize].as_ref().ok_or(mode)
    }

    /// Returns the result that counts.
    pub(super) fn take(
        mut self,
        settled: LoginPlace,
    ) -> Result<(StorageMode, Option<Session>), StoreError> {
        match settled {
            LoginPlace::In(mode) => Ok((mode, self.0[mode as usize].take().unwrap_or(Ok(None))?)),
            LoginPlace::Nowhere(mode) => Ok((mode, None)),
        }
    }
}

/// Decides where a login is from this side file and from what the stores have returned so far. `Err` names the store to ask
/// next.
pub(super) fn settle(
    naming: NamedStore,
    key: &CacheKey,
    sidecar: &Sidecar,
    looks: &StoreFindings,
) -> Result<LoginPlace, StorageMode> {
    let home = home(sidecar, key);
    let first = match (naming, home) {
        (NamedStore::First(first), _) => first,
        (NamedStore::Alone(only), _) => return looks.at(only).map(|_| LoginPlace::In(only)),
        (NamedStore::Nothing, Some(home)) => return looks.at(home).map(|_| LoginPlace::In(home)),
        (NamedStore::Nothing, None) => return around(looks),
    };
    let Some(elsewhere) = home.filter(|home| *home != first) else {
        return looks.at(first).map(|_| LoginPlace::In(first));
    };
    // Whatever the named store holds: a program that writes whole files may have restored an old copy there.
    let recorded = looks.at(elsewhere)?;
    // That this program cannot read that store says nothing about the login: another program may use and refresh it there.
    if matches!(recorded, Err(StoreError::NotBuilt { .. })) {
        return Ok(LoginPlace::In(elsewhere));
    }
    let has_no_store = recorded.as_ref().is_err_and(StoreError::is_absent_store);
    if !matches!(recorded, Ok(None)) && !has_no_store {
        return Ok(LoginPlace::In(elsewhere));
    }
    // A copy that a move has left in the named store does not count, and an absent store hides nothing.
    let counts = match looks.at(first)? {
        Ok(Some(session)) => !is_left(sidecar, key, first, session),
        Ok(None) => false,
        Err(error) => !error.is_absent_store(),
    };
    Ok(match (counts, has_no_store) {
        (true, _) => LoginPlace::In(first),
        (false, true) => LoginPlace::In(elsewhere),
        (false, false) => LoginPlace::Nowhere(first),
    })
}

/// Looks for a login that u2m did not save. Databricks' CLI keeps its logins in the keyring by default.
fn around(looks: &StoreFindings) -> Result<LoginPlace, StorageMode> {
    for mode in StorageMode::ALL {
        match looks.at(mode)? {
            Ok(None) => {}
            Err(error) if error.is_absent_store() => {}
            _ => return Ok(LoginPlace::In(mode)),
        }
    }
    Ok(LoginPlace::Nowhere(StorageMode::Plaintext))
}

/// Returns whether a login in the shared file is used from there according to this side file, without looking anywhere else.
pub(super) fn is_settled_here(naming: NamedStore, key: &CacheKey, sidecar: &Sidecar) -> bool {
    match (naming, home(sidecar, key)) {
        (NamedStore::Alone(mode), _) | (_, Some(mode)) | (NamedStore::First(mode), None) => {
            mode == StorageMode::Plaintext
        }
        (NamedStore::Nothing, None) => false,
    }
}

/// Returns whether a login is recorded to be in a store other than this one.
fn is_elsewhere(sidecar: &Sidecar, key: &CacheKey, mode: StorageMode) -> bool {
    home(sidecar, key).is_some_and(|home| home != mode)
}

/// Returns whether what a store holds was only left there by a move.
fn is_left(sidecar: &Sidecar, key: &CacheKey, mode: StorageMode, found: &Session) -> bool {
    is_elsewhere(sidecar, key, mode)
        && sidecar.is_stray(key.as_str(), mode.as_str(), &found.fingerprint())
}

pub(super) fn home(sidecar: &Sidecar, key: &CacheKey) -> Option<StorageMode> {
    sidecar.home(key.as_str()).and_then(StorageMode::parse)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::fault::{self, FileOperation};
    use crate::file::FileStore;
    use crate::store::TokenStore;
    use u2m_core::AccessToken;

    #[test]
    fn a_login_that_is_recorded_where_this_program_cannot_look_is_looked_for_nowhere_else() {
        let (key, first) = (CacheKey::new("dev"), NamedStore::First(StorageMode::Plaintext));
        let mut sidecar = Sidecar::default();
        sidecar.set_home("dev", Some("secure"));
        let settled = |why: StoreError| {
            let mut looks = StoreFindings::default();
            looks.put(StorageMode::Secure, Err(why));
            looks.put(StorageMode::Plaintext, Ok(Some(Session::new(AccessToken::new("old")))));
            settle(first, &key, &sidecar, &looks)
        };
        let (mode, feature) = (StorageMode::Secure, "keyring");
        assert_eq!(settled(StoreError::NotBuilt { mode, feature }), Ok(LoginPlace::In(mode)));
        // On a machine that has no keyring at all, nothing can be in it.
        let why = "this machine has no keyring";
        let in_file = Ok(LoginPlace::In(StorageMode::Plaintext));
        assert_eq!(settled(StoreError::NoStore { why }), in_file);
    }

    #[test]
    fn a_login_in_the_file_that_a_setting_names_costs_what_the_file_alone_costs() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileStore::at(folder.path().join("token-cache.json"));
        let key = CacheKey::new("dev");
        // Of which nothing is known beside its tokens, as of another program's.
        file.save(&key, &Session::new(AccessToken::new("a"))).unwrap();
        let named =
            AutoStore::new(file.clone()).with_naming(NamedStore::First(StorageMode::Plaintext));
        let opens = |store: &dyn TokenStore| {
            let (found, steps) = fault::under(None, None, || store.load(&key));
            assert!(found.unwrap().is_some());
            steps.into_iter().filter(|step| *step == FileOperation::Open).count()
        };
        assert_eq!(opens(&named), opens(&file));
    }
}
