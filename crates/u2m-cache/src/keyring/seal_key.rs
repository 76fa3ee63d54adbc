//! The key of the encrypted file, kept in the keyring. Its 32 bytes fit into every keyring, however large the logins are.

use super::{Keyring, KeyringError, SystemKeyring, TimeoutKeyring, probe};
use crate::error::StoreError;
use crate::seal::SealKey;
use crate::sidecar::{SidecarFiles, locks};
use std::path::Path;
use std::time::Duration;

/// How long another process may take to create the key.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns the key for the encrypted file at `path`, from the item of `service` that is named after the file. Creates a new
/// key only if `may_be_new` is set.
pub(crate) fn key(service: &str, path: &Path, may_be_new: bool) -> Result<SealKey, StoreError> {
    from(&TimeoutKeyring::new(SystemKeyring::new(service)), path, may_be_new)
}

/// Checks that the keyring has that key or would store one, without creating one.
pub(crate) fn prove(service: &str, path: &Path) -> Result<(), StoreError> {
    proven(&TimeoutKeyring::new(SystemKeyring::new(service)), path)
}

fn proven(keyring: &dyn Keyring, path: &Path) -> Result<(), StoreError> {
    match read(keyring, &account(path), path)? {
        Some(_) => Ok(()),
        None => probe::run(keyring, 0).map_err(|error| failed(keyring, error)),
    }
}

fn account(path: &Path) -> String {
    format!("key of {}", path.display())
}

fn from(keyring: &dyn Keyring, path: &Path, may_be_new: bool) -> Result<SealKey, StoreError> {
    let account = account(path);
    if let Some(key) = read(keyring, &account, path)? {
        return Ok(key);
    }
    if !may_be_new {
        return Err(StoreError::MissingKey {
            key: Path::new(keyring.describe()).into(),
            path: path.into(),
        });
    }
    // If several processes find no key, one of them creates it.
    let beside = SidecarFiles::new(path.to_owned());
    crate::sidecar::disk::create_folder(beside.folder())?;
    let lock = beside.sibling(".key.lock");
    let _maker = locks::take(&lock, PATIENCE)?
        .ok_or_else(|| StoreError::LockTimeout { path: lock.as_path().into() })?;
    if let Some(key) = read(keyring, &account, path)? {
        return Ok(key);
    }
    let no_entropy = || StoreError::io("make a key for", path, std::io::ErrorKind::Other.into());
    let key = SealKey::generate().map_err(|_| no_entropy())?;
    keyring.set(&account, key.to_text().as_bytes()).map_err(|error| failed(keyring, error))?;
    match read(keyring, &account, path)? {
        Some(kept) if kept == key => Ok(key),
        _ => Err(failed(keyring, KeyringError::NotKept)),
    }
}

fn read(keyring: &dyn Keyring, account: &str, path: &Path) -> Result<Option<SealKey>, StoreError> {
    let Some(found) = keyring.get(account).map_err(|error| failed(keyring, error))? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&found).ok();
    let key = text.and_then(|text| SealKey::parse(text).ok());
    key.map(Some).ok_or_else(|| StoreError::BadKey { from: path.into() })
}

fn failed(keyring: &dyn Keyring, source: KeyringError) -> StoreError {
    StoreError::KeyInKeyring { keyring: keyring.describe(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use zeroize::Zeroizing;

    #[derive(Debug, Default)]
    struct Fake {
        items: Mutex<BTreeMap<String, Vec<u8>>>,
        forgets: bool,
    }

    impl Keyring for Fake {
        fn service(&self) -> &str {
            "u2m"
        }
        fn describe(&self) -> &'static str {
            "fake keyring"
        }
        fn get(&self, account: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
            Ok(self.items.lock().unwrap().get(account).cloned().map(Zeroizing::new))
        }
        fn set(&self, account: &str, secret: &[u8]) -> Result<(), KeyringError> {
            if !self.forgets {
                self.items.lock().unwrap().insert(account.to_owned(), secret.to_vec());
            }
            Ok(())
        }
        fn delete(&self, account: &str) -> Result<(), KeyringError> {
            self.items.lock().unwrap().remove(account);
            Ok(())
        }
        fn accounts(&self) -> Result<Option<Vec<String>>, KeyringError> {
            Ok(None)
        }
    }

    #[test]
    fn it_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let (path, fake) = (folder.path().join("a.json"), Fake::default());
        assert!(matches!(from(&fake, &path, false), Err(StoreError::MissingKey { .. })));
        let key = from(&fake, &path, true).unwrap();
        assert!(
            from(&fake, &path, true).unwrap() == key && from(&fake, &path, false).unwrap() == key
        );
        assert!(from(&fake, &folder.path().join("b.json"), true).unwrap() != key);
    }

    #[test]
    fn a_keyring_that_keeps_nothing_gives_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let fake = Fake { forgets: true, ..Fake::default() };
        let error = from(&fake, &folder.path().join("a.json"), true).err().unwrap();
        assert!(matches!(error, StoreError::KeyInKeyring { .. }), "{error}");
    }

    #[test]
    fn that_a_key_could_be_made_is_shown_without_making_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, fake) = (folder.path().join("new/a.json"), Fake::default());
        proven(&fake, &path).unwrap();
        assert!(fake.items.lock().unwrap().is_empty() && !folder.path().join("new").exists());
        from(&fake, &path, true).unwrap();
        proven(&fake, &path).unwrap();
        assert_eq!(fake.items.lock().unwrap().len(), 1);
        let fake = Fake { forgets: true, ..Fake::default() };
        let error = proven(&fake, &path).err().unwrap();
        assert!(matches!(error, StoreError::KeyInKeyring { .. }), "{error}");
    }

    #[test]
    fn what_is_no_key_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, fake) = (folder.path().join("a.json"), Fake::default());
        from(&fake, &path, true).unwrap();
        let account = format!("key of {}", path.display());
        fake.set(&account, b"canary").unwrap();
        let error = from(&fake, &path, true).err().unwrap();
        assert!(!error.to_string().contains("canary"), "{error}");
        assert_eq!(fake.get(&account).unwrap().unwrap().as_slice(), b"canary");
    }
}
