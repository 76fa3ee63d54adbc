//! u2m with its file store, in the storm.

use crate::{Library, Opened};
use std::error::Error;
use std::path::Path;
use tokio::runtime::{Builder, Runtime};
use u2m::store::FileStore;
use u2m::{Host, PersistentAuth, Target};

struct U2m {
    auth: PersistentAuth,
    runtime: Runtime,
}

/// A workspace's logins are keyed by its host.
pub(crate) fn key(url: &str) -> String {
    url.into()
}

pub(crate) fn open(folder: &Path, url: &str) -> Opened {
    let store = FileStore::at(folder.join("token-cache.json"));
    let target = Target::workspace(Host::parse(url)?);
    let auth = PersistentAuth::builder(target).with_store(store).build()?;
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(Box::new(U2m { auth, runtime }))
}

impl Library for U2m {
    fn token(&self) -> Result<String, Box<dyn Error>> {
        Ok(self.runtime.block_on(self.auth.token())?.access_token().expose().to_owned())
    }
}
