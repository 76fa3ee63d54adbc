//! Where a login is: where the side file says, else wherever it is found.

use super::snapshot::is_there;
use super::{AutoStore, NamedStore};
use crate::error::StoreError;
use crate::mode::StorageMode;
use crate::sidecar::record_file::Sidecar;
use crate::store::TokenStore;
use std::sync::PoisonError;
use u2m_core::{CacheKey, Session};

/// How often logins may be moved while one is looked for.
pub(super) const ROUNDS: usize = 8;

impl AutoStore {
    /// The stores that hold a login under `key`, wherever it is looked for otherwise. One that cannot be asked is left out.
    pub fn holders(&self, key: &CacheKey) -> Vec<StorageMode> {
        self.holders_of_all(std::slice::from_ref(key)).pop().unwrap_or_default()
    }

    /// As [`AutoStore::holders`], of several logins, by one look into each store that can be read at once.
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

    /// As [`AutoStore::home`], of several logins, by one look.
    pub fn homes_of_all(&self, keys: &[CacheKey]) -> Vec<Option<StorageMode>> {
        let sidecar = self.0.file.sidecar().unwrap_or_default();
        keys.iter().map(|key| home(&sidecar, key)).collect()
    }

    /// Where a login is, and what was read on the way.
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

    /// Whether a login was found in the shared file when it was looked for last.
    pub(super) fn was_in_the_file(&self, key: &CacheKey) -> bool {
        self.0.in_the_file.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    fn look_for(&self, key: &CacheKey) -> Result<(StorageMode, Option<Session>), StoreError> {
        if let NamedStore::Alone(mode) = self.0.naming {
            return Ok((mode, self.part(mode)?.load(key)?));
        }
        // Mostly it is there, and then the side file is read once.
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
            // It may have been moved in between, there and back even; and what stands elsewhere may be an old copy of it.
            let now = self.0.file.sidecar()?;
            if now.home_changes() == sidecar.home_changes() {
                return Ok(found);
            }
            sidecar = now;
        }
        self.find_by(key, &sidecar)
    }

    /// Where a login is by what this record says.
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

    /// The store that a login is used from, as far as that can be told by asking as few as possible. `None`: no
    /// store was named, and nobody knows of such a login.
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

    /// The logins in every store that is here.
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

    /// The logins in the store that a setting names, and those that are recorded to be in another: no other store is asked.
    pub(super) fn keys_first_in(&self, first: StorageMode) -> Result<Vec<CacheKey>, StoreError> {
        let sidecar = self.0.file.sidecar()?;
        let others = StorageMode::ALL.into_iter().filter(|mode| *mode != first);
        let recorded: Vec<_> = others.flat_map(|mode| sidecar.keys_at(mode.as_str())).collect();
        let mut keys = match self.part(first).and_then(TokenStore::keys) {
            // As for a single login: it hides none of these.
            Err(error) if error.is_absent_store() && !recorded.is_empty() => Vec::new(),
            keys => keys?,
        };
        keys.extend(recorded.into_iter().map(CacheKey::new));
        Ok(keys)
    }
}

pub(super) type FoundLogins = Result<Option<Session>, StoreError>;

/// What stores said when they were asked for one login.
#[derive(Debug, Default)]
pub(super) struct StoreFindings([Option<FoundLogins>; StorageMode::ALL.len()]);

/// Where a login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginPlace {
    /// What this store says counts, whatever that is.
    In(StorageMode),
    /// There is none, and this is where it would be.
    Nowhere(StorageMode),
}

impl StoreFindings {
    pub(super) fn put(&mut self, mode: StorageMode, found: FoundLogins) {
        self.0[mode as usize] = Some(found);
    }

    /// What a store said; `Err` where it was not asked yet.
    fn at(&self, mode: StorageMode) -> Result<&FoundLogins, StorageMode> {
        self.0[mode as usize].as_ref().ok_or(mode)
    }

    /// What counts of it.
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

/// Where a login is by what this record says, and by what stores have said so far. `Err` names the store to ask next.
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
    // Whatever stands in the named store: a program that writes whole files may have put an old copy back there.
    let recorded = looks.at(elsewhere)?;
    // That this program cannot look there says nothing of the login: another one, that can, uses and renews it there.
    if matches!(recorded, Err(StoreError::NotBuilt { .. })) {
        return Ok(LoginPlace::In(elsewhere));
    }
    let has_no_store = recorded.as_ref().is_err_and(StoreError::is_absent_store);
    if !matches!(recorded, Ok(None)) && !has_no_store {
        return Ok(LoginPlace::In(elsewhere));
    }
    // What a move has left in the named store does not count; and a store that is not there at all hides nothing.
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

/// Looks for a login that u2m has not saved: the keyring is where Databricks' own command line keeps it by default.
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

/// Whether a login that stands in the shared file is used from there by what this record says, without a look anywhere else.
pub(super) fn is_settled_here(naming: NamedStore, key: &CacheKey, sidecar: &Sidecar) -> bool {
    match (naming, home(sidecar, key)) {
        (NamedStore::Alone(mode), _) | (_, Some(mode)) | (NamedStore::First(mode), None) => {
            mode == StorageMode::Plaintext
        }
        (NamedStore::Nothing, None) => false,
    }
}

/// Whether a login is recorded to be in another store than this one.
fn is_elsewhere(sidecar: &Sidecar, key: &CacheKey, mode: StorageMode) -> bool {
    home(sidecar, key).is_some_and(|home| home != mode)
}

/// Whether what was found in a store is only what a move has left there.
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
