//! dbx-tools-auth's file store: a lock polled every 50 ms, fsync and rename.

use crate::Counts;
use crate::cache::{count_of, counting_token};
use dbx_tools_auth::{CredentialStore, FileStore, Token};
use std::error::Error;
use std::path::Path;
use time::OffsetDateTime;
use tokio::runtime::{Builder, Runtime};

pub(crate) struct Dbx {
    store: FileStore,
    runtime: Runtime,
}

impl Dbx {
    pub(crate) fn at(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { store: FileStore::new(folder.to_owned())?, runtime })
    }
}

impl Counts for Dbx {
    fn count_up(&self, key: &str, count: u64) -> Option<u64> {
        let token = Token {
            access_token: counting_token(count + 1),
            token_type: "Bearer".into(),
            refresh_token: Some(format!("doau{}", "0f".repeat(32))),
            expires_at: Some(OffsetDateTime::now_utc() + time::Duration::days(1)),
            scopes: Vec::new(),
        };
        self.runtime.block_on(async {
            let found = match self.store.load(key).await {
                Ok(Some(token)) => count_of(&token.access_token),
                Ok(None) => Some(0),
                Err(_) => None,
            };
            self.store.save(key, &token).await.expect("the folder is writable");
            found
        })
    }
}
