//! Logins in a place of the program's own: here a map in memory, where a real one has a database or a vault.
//!
//!     cargo run --example custom_store
//!
//! It holds the store against every rule that u2m relies on, and then signs in to a fake server.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use u2m::login::browser_fn;
use u2m::store::{
    CacheKey, CustomStore, EntryLocks, RecordStore, ReplaceCheck, Session, SessionRecord,
    StoreError,
};
use u2m::{Host, PersistentAuth, Target, Url};
use u2m_testkit::{RunningServer, conformance, follow_login_in_background};

/// Each login as a text with its tokens: a real place is for its owner alone, or seals them.
type Texts = BTreeMap<CacheKey, String>;

#[derive(Clone, Default)]
struct Vault(Arc<Mutex<Texts>>);

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(..)")
    }
}

fn read(texts: &Texts, key: &CacheKey) -> Result<Option<Session>, StoreError> {
    let Some(text) = texts.get(key) else { return Ok(None) };
    let login = SessionRecord::parse(text).map_err(|why| StoreError::unreadable(key, why))?;
    Ok(Some(login.session()))
}

impl Vault {
    fn with<T>(&self, work: impl FnOnce(&mut Texts) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl RecordStore for Vault {
    fn load(&self, key: &CacheKey) -> Result<Option<Session>, StoreError> {
        self.with(|texts| read(texts, key))
    }

    fn keys(&self) -> Result<Vec<CacheKey>, StoreError> {
        self.with(|texts| Ok(texts.keys().cloned().collect()))
    }

    /// All of it in one step: a database has a transaction for that, a vault a version that is compared.
    fn replace(
        &self,
        key: &CacheKey,
        new: Option<&Session>,
        check: ReplaceCheck,
    ) -> Result<(), StoreError> {
        self.with(|texts| {
            check(read(texts, key))?;
            let text = new.map(|new| SessionRecord::of(new).text().expose().to_owned());
            match text {
                Some(text) => texts.insert(key.clone(), text),
                None => texts.remove(key),
            };
            Ok(())
        })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // The locks are files for all processes of this user; a vault that several machines use has locks of its own.
    let folder = tempfile::tempdir()?;
    let locks = EntryLocks::beside("vault", folder.path().join("vault"));
    let store = CustomStore::new(Vault::default(), locks);
    let checked = store.clone();
    conformance::check(move || checked.clone())?;
    println!("The store keeps to every rule.");

    let server = RunningServer::start()?;
    let browser = browser_fn(|page: Url| async move {
        drop(follow_login_in_background(page));
        Ok(())
    });
    let target = Target::workspace(Host::parse(server.base_url())?);
    let builder = PersistentAuth::builder(target).with_store(store);
    let signed_in = builder.with_browser(browser).with_port(0).build()?.blocking().challenge()?;
    println!("The login is saved: {}.", signed_in.unsaved().is_none());
    Ok(())
}
